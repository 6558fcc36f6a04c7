// SPDX-License-Identifier: Apache-2.0
// MoverContext: what the movers share: the epoch in force, the device, the links, and the queue of what is to be done
// next. Every machine of the protocol answers with effects; they go through this queue instead of being executed at
// once, so that no machine is entered while another one's answer is being worked off.
// Thread contract: the mover thread.
#ifndef GEEPS_RUNTIME_MOVERS_CONTEXT_H_
#define GEEPS_RUNTIME_MOVERS_CONTEXT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "runtime/base/log.h"
#include "runtime/base/status.h"
#include "runtime/movers/completions.h"
#include "runtime/movers/epoch.h"
#include "runtime/movers/fill_order.h"
#include "runtime/movers/mover_stream.h"
#include "runtime/movers/ring_queue.h"
#include "runtime/movers/statistics.h"
#include "runtime/movers/trace.h"

namespace geeps::movers {

class Links;
class Pusher;
class Keeper;
class Puller;
class RowCalls;
class Stager;

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

struct MoverContext {
  MoverContext(uint32_t own_rank, uint32_t world_size) : rank(own_rank), world(world_size) {}

  uint32_t rank = 0;
  uint32_t world = 1;
  const device::Device* device = nullptr;
  MoverStream fill_stream;       // reads of the cache and writes into it, in order; keys: tables
  MoverStream drain_stream;      // writes into the log, in order; keys: tables
  MoverStream keep_stream;       // writes into the shard, where it is kept on the device; keys: kept partitions
  MoverStream host_keep_stream;  // and where it is kept on the host beside another device
  MoverStream stage_in;          // staged data on their way to the device, in order
  MoverStream stage_out;         // and to the host
  MemoryLimits limits;
  cache::Home device_home;  // of the partitions kept here
  cache::Home host_home;
  Epoch* epoch = nullptr;
  Links* links = nullptr;
  Pusher* pusher = nullptr;
  Keeper* keeper = nullptr;
  Puller* puller = nullptr;
  RowCalls* rows = nullptr;
  Stager* stager = nullptr;
  Log* log = nullptr;
  Statistics* statistics = nullptr;
  Trace* trace = nullptr;  // nullptr: none is wanted
  FillOrder fill_order;    // of tables in the stream's order
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
  // `end` is told when the work of `stream` so far is over. `site` names the wait for the test switch.
  void Await(MoverStream* stream, device::WaitSite site, Done end) {
    end.begin_ns = TraceTime();
    if (stream->is_synchronous()) {
      actions.Push(end);
    } else {
      Check(stream->Await(site, end));
    }
  }
  // A fill was put into the fill stream; what it leads to comes behind it there, and need not wait.
  void GoOn(uint32_t set_id, uint32_t op, uint64_t clock);
  // The stream of shards that are at home there.
  MoverStream* KeepStream(const cache::Home& home) {
    return home.stream == &keep_stream.stream() ? &keep_stream : &host_keep_stream;
  }
  // Sends off what a turn has collected. Returns the first error.
  absl::Status Flush();
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
