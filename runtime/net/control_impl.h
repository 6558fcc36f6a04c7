// SPDX-License-Identifier: Apache-2.0
// ControlPlane::Impl: the control thread of one worker. Its life: meeting (connect, HELLO, wait for WELCOME), working, and, after
// the verdict or a shutdown, over. In rank 0 it also drives the coordinator's host.
// Thread contract: "shared" members under the mutex; all others belong to the control thread once it runs.
#ifndef GEEPS_RUNTIME_NET_CONTROL_IMPL_H_
#define GEEPS_RUNTIME_NET_CONTROL_IMPL_H_

#include <poll.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/base/mutex.h"
#include "runtime/base/thread.h"
#include "runtime/base/waker.h"
#include "runtime/net/control.h"
#include "runtime/net/control_channel.h"
#include "runtime/net/control_coordinator.h"
#include "runtime/net/control_socket.h"
#include "runtime/net/control_wire.h"
#include "runtime/net/finder.h"
#include "runtime/net/host_lookup.h"
#include "runtime/net/rendezvous_file.h"

namespace geeps::net {

class ControlPlane::Impl {
 public:
  Impl(const ControlOptions& options, ControlEvents* events);
  ~Impl();

  absl::Status Begin();
  absl::StatusOr<protocol::Welcome> AwaitWelcome();
  absl::Status Enter(const protocol::Enter& enter, std::vector<protocol::DeclarationLine> lines);
  absl::Status Relay(uint32_t dst, uint32_t kind, absl::string_view bytes);
  void Suspect(uint32_t rank, absl::string_view text);
  void Bye(const absl::Status& cause) noexcept;
  absl::Status failure() const;
  std::vector<uint64_t> clocks() const;
  void Stop();

 private:
  enum class Phase { kMeeting, kWorking, kOver };
  struct Command {
    wire::Type type;
    std::string body;
    absl::Status cause;      // BYE
    uint32_t suspect = 0;    // SUSPECT
  };

  // Errors when commands are not taken any more, or not yet.
  absl::Status CheckWorking() const GEEPS_REQUIRES(mutex_);
  void Post(Command command);
  absl::Status PostBye(const absl::Status& cause);

  void Run();
  void RunOnce();
  // For want of memory a turn was left half done, or a BYE could not be posted: the job is over for this worker. The others
  // hear it from its BYE or, when it is rank 0, as the verdict; when not even that can be sent, by the end of the connections.
  void OnOutOfMemory() noexcept;
  void SayOutOfMemory();
  int PollTimeout(uint64_t now_ns) const;
  void TakeCommands(uint64_t now_ns);
  // Meeting (control_meet.cc).
  void Meet(uint64_t now_ns, bool channel_is_ready);
  void OpenListener(uint64_t now_ns);
  void Connect(uint64_t now_ns);
  uint64_t NextMeet(uint64_t now_ns) const;
  void ReportWaiting(uint64_t now_ns);
  void SayHello();
  absl::Status Listen(uint64_t now_ns);
  // Another rank than 0, which has taken its place from a rendezvous file and has no welcome yet.
  bool MeetsByFile() const { return phase_ == Phase::kMeeting && finder_ != nullptr && finder_->nonce() != 0; }
  // Whoever answered is not rank 0 of this job: the file is out of date.
  void RetryElsewhere(const absl::Status& why, uint64_t now_ns);
  // Rank 0 takes away what it wrote.
  void RemoveFile() noexcept;
  void RetryLater(const absl::Status& why, uint64_t now_ns);
  void ReadChannel(uint64_t now_ns);
  void Dispatch(wire::Type type, const std::string& body);
  bool DispatchBody(wire::Type type, const std::string& body);
  void OnChannelEnd(uint64_t now_ns);
  void CheckTimes(uint64_t now_ns);
  void CheckStart(uint64_t now_ns);
  void Beat(uint64_t now_ns);
  void SendLines();
  absl::Status CoordinatorLost(absl::string_view why) const;
  // The one end of everything but an orderly shutdown; the first call counts.
  void Down(const absl::Status& cause);
  void GoOver(const absl::Status& cause) noexcept;
  void WindUp();

  const ControlOptions options_;
  ControlEvents* const events_;
  Rendezvous rendezvous_;
  Waker waker_;
  const std::unique_ptr<std::atomic<uint64_t>[]> clocks_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Command> commands_ GEEPS_GUARDED_BY(mutex_);
  std::vector<protocol::DeclarationLine> lines_ GEEPS_GUARDED_BY(mutex_);
  absl::Status failure_ GEEPS_GUARDED_BY(mutex_);
  bool has_welcome_ GEEPS_GUARDED_BY(mutex_) = false;
  protocol::Welcome welcome_ GEEPS_GUARDED_BY(mutex_);
  bool stopping_ GEEPS_GUARDED_BY(mutex_) = false;
  bool out_of_memory_ GEEPS_GUARDED_BY(mutex_) = false;  // a BYE could not be posted

  const absl::Status no_memory_;  // made while there is some, with the body of its message
  const std::string no_memory_body_;

  static constexpr uint64_t kNever = ~uint64_t{0};
  // The coordinator judges a suspicion within 100 ms. Who has heard nothing after three times that hears nothing any more.
  static constexpr uint64_t kVerdictLimitNs = 300'000'000;
  static uint64_t NowNs();

  Phase phase_ = Phase::kMeeting;
  std::vector<pollfd> polls_;  // scratch: a turn in which nothing happens does not allocate
  std::unique_ptr<CoordinatorHost> host_;  // rank 0
  Channel channel_{Socket()};
  bool connecting_ = false;    // the socket is not connected yet
  bool shut_down_ = false;     // the GO of a shutdown has come: closes are no error
  std::string last_failure_;   // why the last attempt to connect failed, or why rank 0 does not listen yet
  std::unique_ptr<Finder> finder_;      // others than rank 0
  std::unique_ptr<HostLookup> lookup_;  // rank 0, until it listens at a host's name
  RendezvousFile file_;                 // rank 0: what it wrote; nonce 0: nothing is there
  uint64_t nonce_ = 0;                  // with a rendezvous file: of the job
  uint64_t begun_ns_ = 0;
  uint64_t next_report_ns_ = 0;
  uint64_t next_file_check_ns_ = 0;
  std::string coordinator_host_;
  uint64_t start_deadline_ns_ = 0;
  uint64_t retry_ns_ = 0;
  uint64_t heard_ns_ = 0;
  uint64_t next_beat_ns_ = 0;
  uint64_t local_deadline_ns_ = ~uint64_t{0};  // then local_cause_ is the cause
  absl::Status local_cause_;
  bool suspects_coordinator_ = false;           // local_cause_ is that suspicion
  Thread thread_;
};

}  // namespace geeps::net

#endif  // GEEPS_RUNTIME_NET_CONTROL_IMPL_H_
