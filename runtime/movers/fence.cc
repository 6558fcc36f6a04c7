// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/fence.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/movers/keeper.h"
#include "runtime/movers/puller.h"
#include "runtime/movers/row_calls.h"
#include "runtime/movers/stager.h"

namespace geeps::movers {
namespace {

// Kinds of relayed bytes.
constexpr uint32_t kRelaySets = 1;
constexpr uint32_t kRelayFrozen = 2;
constexpr uint32_t kRelayFailed = 3;  // the sender could not build its epoch; its second ENTER says why
constexpr uint32_t kRelayBuilt = 4;   // the sender has built its epoch and is connected

// Memory that a peer's message may land in: a slot of the connection to `rank`.
struct OpenSlot {
  uint32_t rank = 0;
  uint32_t slot = 0;
  void* memory = nullptr;
  uint64_t bytes = 0;
};

std::vector<OpenSlot> SlotsOf(const Epoch& epoch) {
  std::vector<OpenSlot> slots;
  for (const Kept& kept : epoch.kept) {
    const EpochTable& table = epoch.tables[kept.table];
    for (const Kept::Participant& peer : kept.participants) {
      uint64_t rows = 0;
      for (const table::RowSet& updates : peer.updates) rows = std::max(rows, updates.NumRows());
      for (uint32_t i = 0; i < peer.slots.size(); ++i) {
        if (peer.slots[i] == nullptr) continue;
        const uint32_t slot = protocol::SlotOfContribution(kept.partition, i, table.slack_max);
        slots.push_back({peer.rank, slot, peer.slots[i], rows * table.schema.row_bytes()});
      }
    }
  }
  for (size_t t = 0; t < epoch.tables.size(); ++t) {
    const EpochTable& table = epoch.tables[t];
    for (size_t i = 0; i < table.landings.size(); ++i) {
      if (table.landings[i].memory == nullptr) continue;
      const plan::Subscription& subscription = epoch.layout.tables[t].subscriptions[i];
      slots.push_back({epoch.keeper_of_partition[subscription.partition],
                       protocol::SlotOfPublish(subscription.partition), table.landings[i].memory,
                       subscription.block.rows * table.schema.row_bytes()});
    }
  }
  return slots;
}

bool AllTrue(const std::vector<bool>& flags) {
  return std::all_of(flags.begin(), flags.end(), [](bool flag) { return flag; });
}

protocol::FenceKind WireKind(FenceJob::Kind kind) {
  if (kind == FenceJob::Kind::kCommit) return protocol::FenceKind::kCommit;
  return kind == FenceJob::Kind::kShutdown ? protocol::FenceKind::kShutdown : protocol::FenceKind::kFence;
}

const char* KindName(FenceJob::Kind kind) {
  switch (kind) {
    case FenceJob::Kind::kStart:
      return "start";
    case FenceJob::Kind::kCommit:
      return "commit";
    case FenceJob::Kind::kFence:
      return "fence";
    case FenceJob::Kind::kShutdown:
      return "shutdown";
  }
  return "unknown fence";
}

// The copy contains all that it must before a fence at `clock`. An async table owes its observers nothing.
bool IsCurrent(const EpochTable& table, const protocol::SubscriberPartition& subscriber, protocol::Clock clock) {
  if (subscriber.absorbed() == protocol::kNoAge) return false;
  if (subscriber.frozen() || (table.schema.async && table.observer)) return true;
  return subscriber.own_clock() >= clock;
}

protocol::Cause CauseOf(const absl::Status& status, uint32_t rank) {
  const StatusDetail detail = DetailOf(status);
  protocol::Cause cause;
  cause.code = static_cast<int32_t>(detail.code);
  cause.rank = detail.rank >= 0 ? detail.rank : static_cast<int32_t>(rank);
  cause.clock = detail.clock;
  cause.text = std::string(status.message());
  return cause;
}

}  // namespace

Fence::Fence(MoverContext* context, net::ControlPlane* control, const net::Endpoint* endpoint, RowCalls* rows,
             std::unique_ptr<Epoch>* epoch, cache::ShardMap* shards)
    : context_(context), control_(control), endpoint_(endpoint), rows_(rows), epoch_(epoch), shards_(shards) {}

void Fence::Begin(std::shared_ptr<FenceJob> job) {
  job_ = std::move(job);
  sets_.assign(context_->world, std::string());
  frozen_.assign(context_->world, std::string());
  has_sets_.assign(context_->world, false);
  has_frozen_.assign(context_->world, false);
  has_built_.assign(context_->world, false);
  peer_failed_ = false;
  slots_open_ = false;
  Go(job_->kind == FenceJob::Kind::kStart ? State::kMeeting : State::kDraining);
}

void Fence::OnWelcome(const protocol::Welcome& welcome) {
  if (welcome.addresses.size() != context_->world) {
    context_->fail(
        Internal("the coordinator sent ", welcome.addresses.size(), " addresses to a world of ", context_->world));
    return;
  }
  context_->links->SetPeers(welcome.addresses, welcome.job);
  if (state_ == State::kMeeting) Finish(absl::OkStatus());
}

// Everything this worker owes for clocks before the fence is done: nothing is being filled, every version of the clock
// is absorbed, no device works on what the epoch has in memory.
bool Fence::IsDrained() {
  if (*epoch_ == nullptr) return true;
  if (context_->program_is_held || !(*epoch_)->queue->IsEmpty()) return false;
  if (!(*epoch_)->sequencer->Discard() || !IsAbsorbed() || !context_->fill_order.HasEnded()) return false;
  // The plans may change: staged data is on the host, where the next ones find it.
  if (job_->kind == FenceJob::Kind::kCommit && !context_->stager->Drain()) return false;
  // What was ready for the next pass is void, and the next pass will have the same number. Local data is the stager's.
  for (size_t q = 0; q < (*epoch_)->plans.size(); ++q) {
    for (size_t op = 0; op < (*epoch_)->layout.plans[q].ops.size(); ++op) {
      if ((*epoch_)->layout.plans[q].ops[op].kind == plan::OpKind::kLocal) continue;
      (*epoch_)->plans[q].slots[op].word.store(OpSlot::kNone, std::memory_order_relaxed);
    }
  }
  return true;
}

bool Fence::IsAbsorbed() const {
  for (const EpochTable& table : (*epoch_)->tables) {
    for (const protocol::SubscriberPartition& subscriber : table.subscribers) {
      if (!IsCurrent(table, subscriber, job_->clock)) return false;
    }
  }
  return true;
}

void Fence::Go(State next) {
  state_ = next;
  static constexpr const char* kStates[] = {"ended",
                                            "waits for the other workers to come",
                                            "waits until all clocks before it are in the cache",
                                            "has entered and waits for the coordinator",
                                            "told its row sets and waits for those of the others",
                                            "told its frozen partitions and waits for those of the others",
                                            "waits for its data connections",
                                            "is built and waits for the others to be",
                                            "hands what was set to the keepers",
                                            "has entered again and waits for the coordinator",
                                            "waits for the first versions"};
  context_->log->Debug("fence", KindName(job_->kind), " at clock ", job_->clock, " ", kStates[static_cast<int>(next)]);
}

bool Fence::Step() {
  const State before = state_;
  StepOnce();
  return state_ != before;
}

void Fence::StepOnce() {
  switch (state_) {
    case State::kDraining:
      if (IsDrained()) EnterFirst();
      break;
    case State::kSets:
      if (peer_failed_) {
        EnterSecond(absl::OkStatus());
      } else if (AllTrue(has_sets_)) {
        Advance(CatchOutOfMemory([this] { return BuildSecond(); }), State::kFrozen);
      }
      break;
    case State::kFrozen:
      if (peer_failed_) {
        EnterSecond(absl::OkStatus());
      } else if (AllTrue(has_frozen_)) {
        Advance(CatchOutOfMemory([this] { return BuildThird(); }), State::kConnecting);
      }
      break;
    case State::kConnecting:
      if (peer_failed_) {
        EnterSecond(absl::OkStatus());
      } else if (IsConnected()) {
        rows_->OnBuilt(next_.get());  // others may send what they have set as soon as they know
        Advance(RelayToAll(kRelayBuilt, [](uint32_t) { return std::string(); }), State::kBuilt);
      }
      break;
    case State::kBuilt:
      if (peer_failed_) {
        EnterSecond(absl::OkStatus());
      } else if (AllTrue(has_built_)) {
        rows_->OnAllBuilt(input_);
        Go(State::kSetting);
      }
      break;
    case State::kSetting:
      // Nobody can fail any more but by the loss of the job: the slots of the epoch in force are given up.
      if (rows_->CanEnter() && context_->Check(OpenSlots())) EnterSecond(absl::OkStatus());
      break;
    case State::kAbsorbing:
      if (IsAbsorbed()) {
        Resume();
        Finish(absl::OkStatus());
      }
      break;
    default:
      break;
  }
}

// All links that the next epoch needs are up, and nothing of the epoch in force is on its way out, nor to an observer.
bool Fence::IsConnected() const {
  bool connected = context_->links->IsIdle();
  for (size_t i = 0; *epoch_ != nullptr && i < (*epoch_)->kept.size(); ++i) {
    connected = connected && (*epoch_)->kept[i].machine->ObserversDone();
  }
  for (uint32_t rank : next_->peers) connected = connected && context_->links->IsUp(rank);
  return connected;
}

// A table is mapped when every worker can map it: an agreed value, since devices may differ, and observers use no
// mapped memory.
bool Fence::CanMap(const plan::LayoutInput::Table& table) const {
  if (table.schema.async || table.schema.read_my_writes || table.observer) return false;
  return endpoint_->transport().map != nullptr && context_->device->is_synchronous() &&
         context_->device->is_host_accessible();
}

void Fence::EnterFirst() {
  protocol::Enter enter;
  enter.kind = WireKind(job_->kind);
  enter.clock = job_->clock;
  enter.digest = job_->digest;
  enter.maxima = job_->slacks;
  for (const plan::LayoutInput::Table& table : job_->layout.tables) enter.maxima.push_back(CanMap(table) ? 0 : 1);
  const bool can_take_sets = job_->kind == FenceJob::Kind::kCommit || *epoch_ != nullptr;
  if (can_take_sets && job_->kind != FenceJob::Kind::kShutdown) {
    rows_->OnEnter();
    enter.sets = rows_->has_pending();
  }
  Go(State::kEntered);
  const absl::Status status = control_->Enter(enter, job_->lines);
  if (!status.ok()) context_->fail(status);
}

void Fence::EnterSecond(const absl::Status& failure) {
  protocol::Enter enter;
  enter.kind = WireKind(job_->kind);
  enter.phase = 2;
  enter.clock = job_->clock;
  enter.failed = !failure.ok();
  if (!failure.ok()) enter.cause = CauseOf(failure, context_->rank);
  Go(State::kReentered);
  const absl::Status status = control_->Enter(enter, {});
  if (!status.ok()) context_->fail(status);
}

// A step of building that went wrong, for want of memory for one, is told to the others, who wait for this worker's
// part, and ends in FAIL for all.
void Fence::Advance(const absl::Status& status, State next) {
  if (status.ok()) {
    Go(next);
    return;
  }
  const absl::Status told = RelayToAll(kRelayFailed, [](uint32_t) { return std::string(); });
  if (context_->Check(told)) EnterSecond(status);
}

absl::Status Fence::RelayToAll(uint32_t kind, const std::function<absl::StatusOr<std::string>(uint32_t dst)>& text) {
  for (uint32_t dst = 0; dst < context_->world; ++dst) {
    GEEPS_ASSIGN_OR_RETURN(std::string bytes, text(dst));
    if (dst == context_->rank) {
      OnRelay(dst, kind, std::move(bytes));
    } else {
      GEEPS_RETURN_IF_ERROR(control_->Relay(dst, kind, bytes));
    }
  }
  return absl::OkStatus();
}

void Fence::OnGo(const protocol::Go& go) {
  if (job_ == nullptr) return;
  const bool begins_epoch = job_->kind == FenceJob::Kind::kCommit || (job_->kind == FenceJob::Kind::kFence && go.sets);
  if (state_ == State::kEntered && begins_epoch) {
    Advance(CatchOutOfMemory([&] { return BuildFirst(go); }), State::kSets);
  } else if (state_ == State::kEntered) {
    if (job_->kind == FenceJob::Kind::kShutdown) context_->links->Silence();
    if (*epoch_ != nullptr && job_->kind == FenceJob::Kind::kFence) Resume();
    Finish(absl::OkStatus());
  } else if (state_ == State::kReentered) {
    PutInPlace();
  }
}

// What was built is dropped. The slots of the epoch in force are as they were: others may use them before this worker
// knows of the failure.
void Fence::OnFail(const absl::Status& cause) {
  if (job_ == nullptr) return;
  context_->log->Debug("fence", KindName(job_->kind), " at clock ", job_->clock, " failed for all: ", cause.message());
  if (slots_open_) {
    context_->fail(Prefixed(cause, "a fence failed that every worker had built"));
    return;
  }
  rows_->OnFail();
  next_.reset();
  next_shards_.clear();
  if (*epoch_ != nullptr) Resume();
  Finish(cause);
}

void Fence::OnRelay(uint32_t src, uint32_t kind, std::string bytes) {
  if (job_ == nullptr || src >= context_->world) return;
  if (kind == kRelaySets) {
    sets_[src] = std::move(bytes);
    has_sets_[src] = true;
  } else if (kind == kRelayFrozen) {
    frozen_[src] = std::move(bytes);
    has_frozen_[src] = true;
  } else if (kind == kRelayBuilt) {
    has_built_[src] = true;
  } else if (kind == kRelayFailed && src != context_->rank) {
    peer_failed_ = true;
  }
}

absl::Status Fence::BuildFirst(const protocol::Go& go) {
  const size_t num_tables = job_->layout.tables.size();
  if (go.maxima.size() != 2 * num_tables) {
    return Internal("the coordinator agreed on ", go.maxima.size(), " values for ", num_tables, " tables, ",
                    2 * num_tables, " were due");
  }
  input_ = EpochInput();
  input_.rank = context_->rank;
  input_.world = context_->world;
  input_.number = go.epoch;
  input_.clock = job_->clock;
  input_.layout = job_->layout;
  input_.layout.slack_max.assign(go.maxima.begin(), go.maxima.begin() + num_tables);
  for (size_t t = 0; t < num_tables; ++t) input_.layout.tables[t].mapped = go.maxima[num_tables + t] == 0;
  input_.locals = job_->locals;
  input_.device = context_->device;
  input_.device_home = &context_->device_home;
  input_.host_home = &context_->host_home;
  input_.limits = context_->limits;
  input_.endpoint = endpoint_;
  input_.shards = shards_;
  input_.plans = job_->plans;
  input_.statistics = context_->statistics->Scope();
  GEEPS_ASSIGN_OR_RETURN(next_, BuildEpoch(input_));
  return RelayToAll(kRelaySets, [this](uint32_t dst) { return SetsFor(input_, *next_, dst); });
}

absl::Status Fence::BuildSecond() {
  next_shards_.clear();
  GEEPS_RETURN_IF_ERROR(BuildKept(input_, sets_, next_.get(), &next_shards_));
  return RelayToAll(kRelayFrozen, [this](uint32_t dst) { return FrozenFor(*next_, dst); });
}

absl::Status Fence::BuildThird() {
  GEEPS_RETURN_IF_ERROR(FinishEpoch(input_, frozen_, next_.get()));
  return context_->links->Connect(next_->peers);
}

// All landing memory is named and open before any worker can begin the epoch. Slots that it does not have are ended:
// their memory goes with the epoch in force.
absl::Status Fence::OpenSlots() {
  slots_open_ = true;
  if (*epoch_ != nullptr) {
    for (const OpenSlot& slot : SlotsOf(**epoch_)) {
      GEEPS_RETURN_IF_ERROR(context_->links->SetSlot(slot.rank, slot.slot, nullptr, 0));
    }
  }
  for (const OpenSlot& slot : SlotsOf(*next_)) {
    GEEPS_RETURN_IF_ERROR(context_->links->SetSlot(slot.rank, slot.slot, slot.memory, slot.bytes));
    GEEPS_RETURN_IF_ERROR(context_->links->ArmSlot(slot.rank, slot.slot));
  }
  for (EpochTable& table : next_->tables) {
    for (Landing& landing : table.landings) landing.open = landing.memory != nullptr;
  }
  return absl::OkStatus();
}

// Nobody contributes to a partition before its keeper has published it: only first publishes can be early, one for each
// subscription.
bool Fence::Stash(uint32_t rank, uint32_t slot, const protocol::Header& header, uint64_t payload_bytes) {
  if (next_ == nullptr || header.epoch != next_->number || header.type != protocol::MessageType::kPublish) return false;
  size_t num_subscriptions = 0;
  for (const plan::TableLayout& table : next_->layout.tables) num_subscriptions += table.subscriptions.size();
  if (early_.size() >= num_subscriptions) return false;
  early_.push_back({rank, slot, header, payload_bytes});
  return true;
}

void Fence::PutInPlace() {
  *epoch_ = std::move(next_);
  *shards_ = std::move(next_shards_);
  next_shards_.clear();
  context_->epoch = epoch_->get();
  context_->statistics->SetScope(context_->epoch->statistics);
  if (context_->trace != nullptr) context_->trace->AddEpoch(NamesForTrace(*context_->epoch, job_->plans));
  context_->log->Debug("fence", "epoch ", context_->epoch->number, " is in force: ", context_->epoch->plans.size(),
                       " plans, ", context_->epoch->tables.size(), " tables, ", context_->epoch->kept.size(),
                       " partitions kept here, data connections to ", context_->epoch->peers.size(), " workers");
  context_->stager->Begin();
  for (size_t i = 0; i < context_->epoch->locals.size(); ++i) {
    context_->Check(context_->epoch->locals[i]->Adopt(*context_->device));
    context_->epoch->locals[i]->Resegment(context_->epoch->layout.locals[i]);
  }
  job_->began_epoch = true;
  begun_ = true;
  rows_->OnBegin(context_->epoch);
  Go(State::kAbsorbing);
  context_->keeper->Begin();
}

std::vector<Fence::Early> Fence::TakeEarly() { return std::exchange(early_, {}); }

bool Fence::TakeBegun() { return std::exchange(begun_, false); }

// One plan: it will surely come next.
void Fence::Resume() {
  protocol::Sequencer::Effects effects;
  const uint32_t expected = context_->epoch->plans.size() == 1 ? 0 : protocol::kNoPlan;
  context_->epoch->sequencer->Resume(job_->clock, expected, &effects);
  context_->Queue(effects);
}

void Fence::OnLatched(const absl::Status& cause) {
  if (job_ != nullptr) Finish(cause);
}

void Fence::Finish(const absl::Status& status) {
  Go(State::kIdle);
  const std::shared_ptr<FenceJob> job = std::move(job_);
  job_ = nullptr;
  job->done(status, epoch_->get());
}

}  // namespace geeps::movers
