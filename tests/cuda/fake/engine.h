// SPDX-License-Identifier: Apache-2.0
// Engine: the streams, events and contexts of the fake driver. Work is put into queues and run later by one thread, in
// the order that the schedule chooses:
//   lazy    nothing runs until somebody waits or has a host function in a stream, and then only what that depends on;
//   of
//           an event or stream that is asked again and again, too;
//   eager   whatever may run runs as soon as possible, streams in turn;
//   seeded  any stream that may go on, drawn; between waits a few pieces of work run ahead, drawn too.
// What happens before what is known when work is put in: clocks of streams follow events, and everything that the host
// has waited for, on any thread, happens before what is put in later. Thread contract: one thread at a time: the mutex
// is held, and released while a host function runs or somebody waits.
#ifndef GEEPS_TESTS_CUDA_FAKE_ENGINE_H_
#define GEEPS_TESTS_CUDA_FAKE_ENGINE_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plugins/cuda/driver.h"
#include "tests/cuda/fake/config.h"
#include "tests/cuda/fake/findings.h"
#include "tests/cuda/fake/races.h"

namespace geeps::fake {

struct Context;
struct Stream;

// The end of one piece of work.
struct Ticket {
  Stream* stream = nullptr;  // where it lies, while it is not done
  Context* context = nullptr;
  bool is_done = false;
  bool is_polled = false;  // lazy: somebody has asked and was told "not yet"
  Clock clock;             // what is done when it is
};
using TicketRef = std::shared_ptr<Ticket>;

// Memory that a piece of work is known to use.
struct Use {
  Bytes bytes;
  bool writes = false;
};

struct Op {
  std::shared_ptr<const Actor> actor;
  TicketRef ticket;
  std::vector<TicketRef> after;  // besides the stream's own order
  std::vector<Use> uses;
  std::function<cuda::Result(const Op&)> work;  // a result breaks the context
  cuda::HostFunction host_function = nullptr;
  void* user_data = nullptr;
  std::shared_ptr<const Clock> host;  // what the host knew when it was put in
  uint64_t number = 0;                // counts all work
};

struct Stream {
  Context* context = nullptr;
  uint64_t handle = 0;  // 0: the legacy default stream of its context
  uint32_t slot = 0;
  uint64_t time = 0;         // of the latest work
  Clock clock;               // of what is put in next
  bool is_blocking = false;  // ordered with the legacy default stream
  bool is_destroyed = false;
  bool is_running = false;  // its former first piece of work runs
  std::deque<Op> ops;
  TicketRef last;  // nullptr: never had work
};

struct Event {
  Context* context = nullptr;
  TicketRef captured;  // nullptr: never recorded
};

struct Context {
  uint64_t handle = 0;
  int device = 0;
  uint64_t num_retained = 0;
  cuda::Result error = cuda::kSuccess;  // sticky
  uint64_t num_events = 0;
  uint64_t num_modules = 0;
  Stream* legacy = nullptr;
};

class Engine {
 public:
  explicit Engine(Counters* counters);

  void Configure(const Config& config);

  Context* NewContext(int device);
  // Waits for its work, unless it is broken; its streams end.
  void EndContext(Context* context, std::unique_lock<std::mutex>* lock);
  void Break(Context* context, cuda::Result result);
  // While held, no work runs.
  void Hold(bool held);

  Stream* NewStream(Context* context, bool is_blocking);
  void EndStream(Stream* stream);

  // Puts work at the end of a stream. The parts that the caller sets: text of the actor, uses, work or host_function,
  // after. The new ticket.
  TicketRef Append(Stream* stream, std::string text, Op op);
  // Later work of the stream comes after the ticket. nullptr: is complete.
  void StreamWait(Stream* stream, const TicketRef& ticket);
  // The result for the caller. nullptr: is complete.
  cuda::Result Query(const TicketRef& ticket, std::unique_lock<std::mutex>* lock);
  cuda::Result Wait(const TicketRef& ticket, std::unique_lock<std::mutex>* lock);
  // As Wait for work that the driver itself waits for: the host has learned nothing.
  void RunUntilDone(const TicketRef& ticket, std::unique_lock<std::mutex>* lock);

  // The first piece of work that still waits and uses these bytes; nullptr: none.
  const Op* FindUser(Bytes bytes) const;
  const Clock& host() const { return *host_; }
  // Happens before all work that still waits or is put in later.
  const Clock& covered() const;
  uint64_t num_streams() const;
  uint64_t Draw(uint64_t below);
  Schedule schedule() const { return schedule_; }
  // True on the thread that runs host functions, while one runs.
  static bool IsInHostFunction();

 private:
  void Run(std::mutex* mutex);
  Stream* Choose();
  // The one that has to go on for the ticket.
  static Stream* ChooseFor(const TicketRef& ticket);
  Stream* ChooseInTurn();
  Stream* ChooseDrawn();
  static bool MayGoOn(const Stream& stream);
  void RunFirst(Stream* stream, std::unique_lock<std::mutex>* lock);
  void RemoveIfEnded(Stream* stream);
  void Learn(const Clock& clock);

  Counters& counters_;
  Schedule schedule_ = Schedule::kEager;
  bool is_held_ = false;
  uint64_t random_ = 0;
  uint64_t steps_ahead_ = 0;   // seeded: pieces of work that may run though nobody waits
  uint64_t num_in_vain_ = 0;   // seeded: questions answered "not yet" since work has run
  uint64_t turn_ = 0;          // eager: number of the stream that ran last
  uint64_t last_handle_ = 15;  // below lie the default streams
  uint64_t last_op_ = 0;
  uint64_t num_run_ = 0;
  uint64_t break_at_ = 0;
  cuda::Result break_result_ = 0;
  std::vector<uint64_t> slot_times_;  // of slots without a stream
  std::vector<uint32_t> free_slots_;
  std::shared_ptr<const Clock> host_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::deque<TicketRef> wanted_;  // oldest first
  TicketRef exact_;               // seeded: what this depends on runs next, and nothing else
  std::condition_variable changed_;
};

}  // namespace geeps::fake

#endif  // GEEPS_TESTS_CUDA_FAKE_ENGINE_H_
