// SPDX-License-Identifier: Apache-2.0
// MoverContext: what the movers share: the epoch in force, the device, the links, and the queue of what is to be done
// next. Every machine of the protocol answers with effects; they go through this queue instead of being executed at
// once, so that no machine is entered while another one's answer is being worked off.
// Thread contract: the mover
// thread; Completions from any thread.
#ifndef GEEPS_RUNTIME_MOVERS_CONTEXT_H_
#define GEEPS_RUNTIME_MOVERS_CONTEXT_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "runtime/base/log.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status.h"
#include "runtime/movers/epoch.h"
#include "runtime/movers/fill_order.h"
#include "runtime/movers/ring_queue.h"
#include "runtime/movers/statistics.h"
#include "runtime/movers/trace.h"

namespace geeps::movers {

class Links;
class Pusher;
class Keeper;
class Puller;
class RowCalls;

struct ContributorAction {
  uint32_t table = 0;
  protocol::ContributorEffect effect;
};
struct KeeperAction {
  uint32_t kept = 0;
  protocol::KeeperEffect effect;
};
struct SubscriberAction {
  uint32_t table = 0;
  uint32_t subscription = 0;
  protocol::SubscriberEffects effects;
};
// A send has left its memory (local completion).
struct Sent {
  enum class Kind : uint8_t { kNothing, kContribution, kPublish };
  Kind kind = Kind::kNothing;
  uint32_t first = 0;   // kContribution: table; kPublish: index of the kept partition
  uint32_t second = 0;  // kContribution: lane; kPublish: participant
  protocol::Clock clock = 0;
  uint64_t begin_ns = 0;  // when it was sent, while there is a trace
};

using Action = std::variant<protocol::SequencerEffect, ContributorAction, KeeperAction, SubscriberAction, Done, Sent>;

using ActionQueue = RingQueue<Action>;

// What threads of the device back end report.
class Completions {
 public:
  explicit Completions(std::function<void()> wake) : wake_(std::move(wake)) {}

  // geeps_device's notice; ctx is a Ticket.
  static void Notice(void* ctx, geeps_status status) {
    Ticket* const ticket = static_cast<Ticket*>(ctx);
    Done done = ticket->done;
    done.status = status;
    static_cast<Completions*>(ticket->context)->Push(done);
  }
  // A notice is going to be asked for. Makes room for it: threads of the back end do not allocate here.
  void Expect() {
    MutexLock lock(&mutex_);
    MakeRoom(&arrived_, arrived_.size() + num_due_ + 1);
    ++num_due_;
  }
  // The notice will not come after all.
  void Cancel() {
    MutexLock lock(&mutex_);
    --num_due_;
  }
  void Push(const Done& done) {
    MutexLock lock(&mutex_);
    arrived_.push_back(done);
    --num_due_;
    any_.store(true, std::memory_order_seq_cst);
    // With the lock: whoever waits until nothing is due may end right after it.
    if (!detached_) wake_();
    if (num_due_ == 0) none_due_.NotifyAll();
  }
  // From now on nobody is woken; what is still due is counted and kept. No call of `wake` is under way afterwards.
  void Detach() {
    MutexLock lock(&mutex_);
    detached_ = true;
  }
  bool HasAny() const { return any_.load(std::memory_order_seq_cst); }
  // False when `limit` has passed.
  bool WaitUntilNoneIsDue(std::chrono::nanoseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    MutexLock lock(&mutex_);
    while (num_due_ > 0) {
      if (!none_due_.WaitUntil(&mutex_, end)) return num_due_ == 0;
    }
    return true;
  }
  // Moves what has arrived to `out`; false when there was nothing.
  bool Take(std::vector<Done>* out) {
    if (!any_.load(std::memory_order_acquire)) return false;
    MutexLock lock(&mutex_);
    out->clear();
    MakeRoom(out, num_due_);
    out->swap(arrived_);
    any_.store(false, std::memory_order_relaxed);
    return !out->empty();
  }

 private:
  static void MakeRoom(std::vector<Done>* done, size_t wanted) {
    if (wanted > done->capacity()) done->reserve(2 * wanted);
  }

  const std::function<void()> wake_;
  std::atomic<bool> any_{false};
  Mutex mutex_;
  CondVar none_due_;
  uint64_t num_due_ GEEPS_GUARDED_BY(mutex_) = 0;
  std::vector<Done> arrived_ GEEPS_GUARDED_BY(mutex_);
  bool detached_ GEEPS_GUARDED_BY(mutex_) = false;
};

struct MoverContext {
  MoverContext(uint32_t own_rank, uint32_t world_size) : rank(own_rank), world(world_size) {}

  uint32_t rank = 0;
  uint32_t world = 1;
  const device::Device* device = nullptr;
  device::Stream fill_stream;       // reads of the cache and writes into it, in order
  device::Stream drain_stream;      // writes into the log, in order
  device::Stream keep_stream;       // writes into the shard, where it is kept on the device
  device::Stream host_keep_stream;  // and where it is kept on the host beside another device
  cache::Home device_home;          // of the partitions kept here
  cache::Home host_home;
  Epoch* epoch = nullptr;
  Links* links = nullptr;
  Pusher* pusher = nullptr;
  Keeper* keeper = nullptr;
  Puller* puller = nullptr;
  RowCalls* rows = nullptr;
  Log* log = nullptr;
  Statistics* statistics = nullptr;
  Trace* trace = nullptr;                          // nullptr: none is wanted
  FillOrder fill_order;                            // of tables in the stream's order
  std::vector<std::unique_ptr<Ticket>> fill_ends;  // as many as were ever due at once
  std::vector<uint32_t> free_fill_ends;            // indexes of those that are not due
  // The program's stream still works on what was handed back: what the program did after that is not looked at yet.
  bool program_is_held = false;
  ActionQueue actions;
  Completions* completions = nullptr;
  std::function<void(const absl::Status&)> fail;  // an error of this worker that ends the job

  // Takes in what the sequencer wants done. A fill or an own update has begun for the subscribers from now on: whatever
  // they decide next is queued behind it.
  void Queue(const protocol::Sequencer::Effects& effects);

  // Ends the job because of what a peer has sent.
  void Refuse(uint32_t rank, const std::string& text);

  // Begin of what is to be traced.
  uint64_t TraceTime() const { return trace != nullptr ? SteadyNs() : 0; }
  // Of something that began at begin_ns and ends now; begin_ns 0: a moment.
  void TraceEnd(TraceEvent::Kind kind, uint32_t first, uint32_t second, uint64_t clock, uint64_t begin_ns = 0) {
    if (trace == nullptr) return;
    const uint64_t now = SteadyNs();
    trace->movers.Push({kind, first, second, epoch->number, clock, begin_ns != 0 ? begin_ns : now, now});
  }
  // The end of a device's work, of a send.
  void TraceDone(const Done& done);
  void TraceSent(const Sent& sent);
  // Work for `clock` was put into `stream`: its end comes back as ticket->done. `site` names the wait for the test
  // switch.
  void Await(const device::Stream& stream, device::WaitSite site, Ticket* ticket, uint64_t clock) {
    ticket->done.clock = clock;
    ticket->done.begin_ns = TraceTime();
    if (stream.device().is_synchronous()) {
      actions.Push(ticket->done);
      return;
    }
    const absl::Status status = Expect(stream, site, ticket);
    if (!status.ok()) fail(status);
  }
  // A fill was put into the fill stream; what it leads to comes behind it there, and need not wait.
  void GoOn(uint32_t set_id, uint32_t op, uint64_t clock);
  void OnFillEnd(const Done& done) { free_fill_ends.push_back(done.ticket); }
  // A notice comes when the work of the stream so far is done, unless this fails.
  absl::Status Expect(const device::Stream& stream, device::WaitSite site, Ticket* ticket) {
    const absl::Status recorded = CatchOutOfMemory([&] { return stream.Record(ticket->event); });
    return recorded.ok() ? ExpectRecorded(site, ticket) : recorded;
  }
  // The same for what the ticket's event has captured.
  absl::Status ExpectRecorded(device::WaitSite site, Ticket* ticket) {
    ticket->context = completions;
    completions->Expect();
    absl::Status status =
        CatchOutOfMemory([&] { return ticket->event.Notify(site, &Completions::Notice, ticket); });
    if (!status.ok()) completions->Cancel();
    return status;
  }
  // False after fail was told.
  bool Check(const absl::Status& status) {
    if (status.ok()) return true;
    fail(status);
    return false;
  }
};

// What the numbers in the events of `epoch` mean. plans: its plans, by set id.
std::shared_ptr<const TraceNames> NamesForTrace(const Epoch& epoch,
                                                const std::vector<std::shared_ptr<const plan::RecordedPlan>>& plans);

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_CONTEXT_H_
