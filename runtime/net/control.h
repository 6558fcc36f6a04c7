// SPDX-License-Identifier: Apache-2.0
// ControlPlane: one worker's connection to the coordinator, and in rank 0 the coordinator itself. It carries what is rare and
// must not depend on a transport: rendezvous, fences with their digests, heartbeats, verdicts, shutdown, and bytes relayed
// between workers. Decisions are protocol::Coordinator's; this class moves messages and keeps time.
// Thread contract: one thread, "geeps-control", owns all sockets and calls ControlEvents; the public functions are
// [any-thread] except Begin and Stop, which the owner calls once each. No function but AwaitWelcome and Stop waits.
#ifndef GEEPS_RUNTIME_NET_CONTROL_H_
#define GEEPS_RUNTIME_NET_CONTROL_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/base/log.h"
#include "runtime/net/host_lookup.h"
#include "runtime/net/rendezvous.h"
#include "runtime/protocol/coordinator.h"

namespace geeps::net {

// What the control thread tells the session. Each function returns fast (queue and wake) and does not call ControlPlane::Stop.
// After OnDown nothing but the destructor follows. What a function other than OnDown throws for want of memory ends the job.
class ControlEvents {
 public:
  virtual ~ControlEvents() = default;
  virtual void OnWelcome(const protocol::Welcome& welcome) = 0;
  // All stand at the fence and agree: answers Enter.
  virtual void OnGo(const protocol::Go& go) = 0;
  // The fence ended with an error for all that changed nothing; the workers may go on. Answers Enter.
  virtual void OnFail(const absl::Status& cause) = 0;
  virtual void OnRelay(uint32_t src, uint32_t kind, std::string bytes) = 0;
  // The verdict, once: the same on all workers that are alive. Latched; rank, clock and code are in its detail.
  virtual void OnDown(const absl::Status& cause) = 0;
};

struct ControlOptions {
  uint32_t rank = 0;
  uint32_t world = 1;
  // "tcp://HOST:PORT", where rank 0 listens, "inproc://NAME", or "file:///PATH", where rank 0 writes where it listens; empty:
  // only with world 1. HOST is a literal loopback address or a name of one.
  std::string rendezvous;
  std::string listen_address;  // file: the literal loopback address where rank 0 listens; empty: 127.0.0.1
  PortRange listen_ports;      // file: of rank 0; without: the system chooses
  std::string job;                // workers whose text differs do not belong together
  std::string transport;          // name of the transport; all workers must agree
  std::string transport_address;  // of this worker's endpoint, at most 512 bytes
  std::chrono::nanoseconds start_limit = std::chrono::seconds(60);
  std::chrono::nanoseconds heartbeat_limit = std::chrono::seconds(10);
  std::chrono::nanoseconds report_period = std::chrono::seconds(5);  // between two warnings about who or what is missing
  ResolveFn resolve = ResolveHost;
  const std::atomic<uint64_t>* clock = nullptr;  // iterations finished, told with every beat; outlives the plane
  Log* log = nullptr;                            // outlives the plane
};

class ControlPlane {
 public:
  ControlPlane();
  ~ControlPlane();  // Stop
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

  // Checks the options and starts the thread, which meets the others and ends in OnWelcome or OnDown. events outlives Stop.
  // A host name is looked up by the thread, so that what is wrong with it ends in OnDown.
  // Errors: Invalid; kDenied for an address that is not loopback; IoError when rank 0 cannot listen or cannot write the file.
  absl::Status Begin(const ControlOptions& options, ControlEvents* events);
  // Waits for the welcome, within start_limit (plus a moment for the answer). Errors: the cause, naming who is missing.
  absl::StatusOr<protocol::Welcome> AwaitWelcome();
  // Begin, then AwaitWelcome.
  absl::StatusOr<protocol::Welcome> Start(const ControlOptions& options, ControlEvents* events);

  // Enters a fence; OnGo, OnFail or OnDown follows. `lines`, what enter.digest is the digest of, are kept until then for the
  // coordinator to fetch when digests differ. Errors: the cause when the job is down; WrongState before the welcome; Invalid
  // when too long to send.
  absl::Status Enter(const protocol::Enter& enter, std::vector<protocol::DeclarationLine> lines);
  // Sends bytes to a worker (itself too), in order per pair of workers. Errors: as Enter.
  absl::Status Relay(uint32_t dst, uint32_t kind, absl::string_view bytes);
  // Reports evidence that a worker is lost. OnDown follows soon, from the verdict or, when the coordinator itself is
  // accused and says nothing within 100 ms, from here.
  void Suspect(uint32_t rank, absl::string_view text);
  // Ends the job for all with this cause; rank -1 in it becomes the own rank. OnDown follows. Needs no memory: without it the
  // cause becomes that.
  void Bye(const absl::Status& cause) noexcept;

  // The cause, or OK.
  absl::Status failure() const;
  // Iteration clocks last heard; by rank. Only rank 0 hears of all; elsewhere all but the own and that of rank 0 are 0.
  std::vector<uint64_t> clocks() const;

  // Ends the thread and closes the sockets, within about 2 s, usually at once; rank 0 waits up to 250 ms for the others to
  // close first. What was given to Bye before is sent. Without a shutdown or Bye the others see a lost worker.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace geeps::net

#endif  // GEEPS_RUNTIME_NET_CONTROL_H_
