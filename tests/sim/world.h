// SPDX-License-Identifier: Apache-2.0
// World: the shipped machines of all workers, joined by channels, shared words and memory, in one copyable state. It
// executes the effects of the machines as the movers do; those that take time become events. Who chooses the next event
// drives it: the simulator by virtual time, the exhaustive search by trying all.
//
// A send writes straight into the receiver's slot from its begin on, as one-sided writes do; the message arrives in
// order, after its bytes. Events of one worker's reclaimer (what the program hands back) keep their order. One thread
// at a time.
#ifndef GEEPS_TESTS_SIM_WORLD_H_
#define GEEPS_TESTS_SIM_WORLD_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/protocol/get.h"
#include "runtime/protocol/message.h"
#include "runtime/protocol/set.h"
#include "tests/sim/checker.h"
#include "tests/sim/memory.h"
#include "tests/sim/spec.h"

namespace geeps::sim {

struct Event {
  enum class Kind : uint8_t {
    kNone,
    kProgram,   // the program of `worker` makes its next call
    kNotice,    // the reclaimer of `worker` takes the next thing that the program told
    kTaken,     // a: channel, c: sequence: the bytes of a message are out of their buffer
    kSent,      // a: partition, b: lane or participant, c: clock, or kPublishSent, kAnswerSent: ... and the sender is
                // told
    kArrive,    // a: channel: its first message arrives
    kApplied,   // a: partition
    kAbsorbed,  // a: table, b: subscription
    kFilled,    // a: plan, b: operation
    kDrained,   // a: plan, b: operation
    kSeeFired,  // a: partition, b: participant: the keeper looks at the fired word
    kSeeAge,    // a: table, b: subscription: the worker looks at the age word
    kGet,       // the program of `worker` begins its next get
    kUp,        // of the job: the coordinator takes the next message of `worker`
    kDown,      // of the job: `worker` takes the next message of the coordinator
    kKill,      // of the job: `worker` is lost
    kCount,     // not an event
  };
  Kind kind = Kind::kNone;
  uint32_t worker = 0;  // whose time it takes
  uint32_t a = 0;
  uint32_t b = 0;
  uint64_t c = 0;
  uint32_t stage = 0;  // of the world it belongs to
};
const char* NameOf(Event::Kind kind);

// In the place of a contribution's clock.
inline constexpr uint64_t kPublishSent = ~uint64_t{0};
inline constexpr uint64_t kAnswerSent = kPublishSent - 1;

// How the world behaves beside the machines.
struct WorldMode {
  bool late_sent = false;     // local completion is told after the bytes are out, possibly after the arrival
  bool late_notices = false;  // the reclaimer hears of the program's calls later
};

class EventSink {
 public:
  virtual ~EventSink() = default;
  // The event in pool place `index` may happen from now on.
  virtual void OnScheduled(uint32_t index) = 0;
};

// What may happen next, in all worlds of a job.
struct EventPool {
  std::vector<Event> events;
  std::vector<uint32_t> free;
  EventSink* sink = nullptr;

  void Schedule(const Event& event);
  // Takes the event at `index` out.
  Event Take(uint32_t index);
};

class World;

// What the job around a world does with it.
class WorldHost {
 public:
  virtual ~WorldHost() = default;
  // What becomes of a message that arrives at worker `to` in the world of `stage`; where it is taken to when it is.
  virtual protocol::EpochVerdict Judge(uint32_t stage, const protocol::Header& header, uint32_t to) = 0;
  virtual World* Current(uint32_t to) = 0;
  // The channel of an older world from which everything must have arrived first.
  virtual bool IsBehind(uint32_t stage, uint32_t channel) = 0;
  virtual void OnChannelEmpty(uint32_t stage, uint32_t channel) = 0;
  // The program of `w` has finished clock - 1; stands before a plain fence; has finished its passes.
  virtual void OnClock(uint32_t w, protocol::Clock clock) = 0;
  virtual void OnAtFence(uint32_t w) = 0;
};

struct Message {
  protocol::Header header;
  bool payload = false;
  bool taken = false;
  uint32_t source = 0;       // contribution: offset of the block in the log; publish: offset of the version buffer
  uint32_t destination = 0;  // offset
  uint32_t num_values = 0;
  uint32_t index = 0;  // contribution: lane of the contributor; publish: participant
};

struct Notice {
  enum class Kind : uint8_t { kPassBegin, kTaken, kPosted, kSkipped, kPassEnd };
  Kind kind = Kind::kPassBegin;
  uint32_t set_id = 0;  // the plan of the pass; kPassEnd: the plan expected next
  uint32_t op = 0;
  bool held = false;  // kSkipped: the program had the buffer
};

struct OpState {
  uint64_t ready_pass = 0;  // 0: not ready
  uint64_t taken_pass = 0;
  bool filling = false;
  bool draining = false;            // posted, and not drained yet
  protocol::Clock clock = 0;        // of the pass that it was filled or taken for
  uint64_t shown = 0;               // hash of the values handed out
  std::vector<protocol::Age> ages;  // by its subscriptions: versions filled from, or held in place
};

struct ProgramState {
  size_t pass_index = 0;
  uint64_t pass_number = 0;
  uint32_t step = 0;
  bool in_pass = false;
  bool waiting = false;
  bool finished = false;
  bool fenced = false;  // the fence before the next pass is over
  protocol::Clock clock = 0;
};

struct GetState {
  std::vector<Get> list;
  protocol::Getter machine;
  size_t next = 0;                          // the get under way, or the next one
  uint64_t call = 0;                        // its number
  bool scheduled = false;                   // kGet is on its way
  std::vector<std::vector<double>> values;  // by part
  std::vector<protocol::Age> ages;          // by part
};

struct LogHeader {  // mapped: what the keepers read beside the values of a clock
  uint32_t set_id = 0;
  protocol::RuleParams params;
};

struct WorkerState {
  std::vector<std::vector<protocol::SubscriberPartition>> subscribers;  // [table]
  std::vector<protocol::Contributor> contributors;                      // [table]
  std::optional<protocol::Sequencer> sequencer;
  std::vector<std::vector<OpState>> ops;  // [plan][op]
  ProgramState program;
  std::vector<protocol::SequencerEffect> effects;  // not executed yet
  std::vector<Notice> notices;
  std::vector<protocol::SequencerEffect> drains;    // the first one runs
  std::vector<std::vector<LogHeader>> log_headers;  // [table][clock mod L], mapped
  std::vector<protocol::Clock> fired_words;         // [table], mapped
  std::vector<std::vector<bool>> age_noticed;       // [table][subscription]: kSeeAge is on its way
  GetState gets;
  std::optional<protocol::WaitingGets> waiting_gets;  // at the partitions that it keeps
  bool stopped = false;
};

struct KeeperState {
  struct Input {
    uint32_t participant = 0;
    uint32_t set_id = 0;
    uint32_t offset = 0;
  };
  std::optional<protocol::KeeperPartition> machine;
  std::vector<Input> inputs;  // of the running apply
  protocol::Clock clock = 0;  // of the running apply
  uint32_t from = 0;
  uint32_t to = 0;
  uint32_t num_answers = 0;  // on their way out of the buffer that is answered from
  protocol::Age age_word = protocol::kNoAge;
  std::vector<protocol::Clock> seen_fired;  // by participant
  std::vector<bool> fired_noticed;          // by participant: kSeeFired is on its way
};

struct Channel {
  uint64_t head = 0;      // sequence of the first message in it
  bool arriving = false;  // kArrive of the first message is on its way
  std::vector<Message> messages;
};

struct WorldState {
  explicit WorldState(uint32_t memory_size) : memory(memory_size) {}
  Memory memory;
  std::vector<WorkerState> workers;
  std::vector<KeeperState> keepers;  // by partition
  std::vector<Channel> channels;     // [from * world + to]
  std::string violation;             // the first one
};

class World {
 public:
  // The world of one stage of a job. REQUIRES: what is given lives as long as the world.
  World(std::shared_ptr<const WorldSpec> spec, WorldMode mode, uint32_t stage, EventPool* pool, WorldHost* host);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Who judges: a checker, or, when it is null, `reference` alone.
  void SetJudge(Checker* checker, const Reference* reference);
  // The first epoch: values as the tables say.
  void FillInitial();
  // The epoch begins at worker w: its keepers publish. Its program starts, or goes on after a plain fence.
  void Begin(uint32_t w);
  void Resume(uint32_t w);
  // Nothing happens at worker w any more.
  void Stop(uint32_t w) { state_.workers[w].stopped = true; }
  // What was prepared for the next pass is void, and nothing that worker w owes or is owed is under way.
  bool Drain(uint32_t w);
  std::string DescribeDrain(uint32_t w) const;
  // Every subscriber of worker w has what it waits for at the begin of the epoch.
  bool IsAbsorbed(uint32_t w) const;
  bool ObserversDone(uint32_t w) const;
  // The values and states of the partitions that worker w keeps, out of the world before, with what was set.
  void TakeOver(const World& before, uint32_t w);
  void ApplySet(const protocol::StagedSet& set, const std::vector<double>& values);
  // The gets that worker w has not ended go on in `next`, the one under way from its beginning.
  void MoveGets(uint32_t w, World* next);
  // What waits for the begin of the epoch at worker w.
  void ReleaseHeld(uint32_t w);
  void ArriveIfTaken(uint32_t channel);
  // A partition's values, then its states, as its keeper has them.
  std::vector<double> KeptValues(uint32_t p) const;
  std::vector<std::vector<double>> KeptStates(uint32_t p) const;

  void Execute(const Event& event);
  // Everybody must be at the end, and all copies equal.
  void CheckEnd();
  // The second half of it.
  void CheckCopiesOfAll();

  const WorldSpec& spec() const { return *spec_; }
  const std::shared_ptr<const WorldSpec>& spec_ptr() const { return spec_; }
  WorldMode mode() const { return mode_; }
  const WorldState& state() const { return state_; }
  // REQUIRES: `state` came from this world.
  void Restore(const WorldState& state) { state_ = state; }
  const std::string& violation() const { return state_.violation; }
  bool finished() const;
  bool finished(uint32_t w) const { return state_.workers[w].program.finished; }
  uint64_t Digest() const;
  std::string Describe(const Event& event) const;
  // What each worker that is not at its end waits for.
  std::string DescribeWaits() const;
  uint64_t num_delivered() const { return num_delivered_; }

 private:
  using Half = uint32_t;  // 0: lanes below the middle, 1: the others

  void Fail(std::string text);
  void Schedule(Event event);
  void ScheduleProgram(uint32_t w);
  bool BeginRead(uint32_t offset, uint32_t count, const char* what);
  bool BeginWrite(uint32_t offset, uint32_t count, const char* what);
  // Copies one half of the lanes of `num_values` values, rows of `lanes`.
  void CopyHalf(uint32_t from, uint32_t to, uint32_t num_values, uint32_t lanes, Half half);

  // Channels (world.cc).
  void Send(uint32_t from, uint32_t to, Message message);
  void OnTaken(uint32_t channel, uint64_t sequence);
  // clock: of the contribution; kPublishSent, kAnswerSent: it was none.
  void ReportSent(uint32_t w, uint32_t p, uint32_t index, uint64_t clock);
  void Arrive(uint32_t channel);
  void Deliver(const Message& message, uint32_t from, uint32_t to);

  // Keepers (world_keeper.cc).
  void RunKeeper(uint32_t p, std::vector<protocol::KeeperEffect>* effects);
  void BeginApply(uint32_t p, const protocol::KeeperEffect& effect);
  void ApplyHalf(uint32_t p, Half half);
  void EndApply(uint32_t p);
  void Publish(uint32_t p, const protocol::KeeperEffect& effect, std::vector<protocol::KeeperEffect>* effects);
  void CopyPublishHalf(const Message& message, Half half);
  void DeliverContribution(const Message& message, uint32_t from);
  void DeliverFire(const Message& message, uint32_t from, uint32_t to);
  void DeliverCredit(const Message& message, uint32_t from);
  void SeeFired(uint32_t p, uint32_t participant);
  uint32_t ParticipantOf(uint32_t p, uint32_t rank) const;

  // Movers of a worker (world_worker.cc).
  void RunSequencer(uint32_t w);
  void RunContributor(uint32_t w, uint32_t t, const std::vector<protocol::ContributorEffect>& effects);
  void SendContribution(uint32_t w, uint32_t t, const protocol::ContributorEffect& effect);
  void StoreFired(uint32_t w, uint32_t t, const protocol::ContributorEffect& effect);
  void OnSubscriber(uint32_t w, uint32_t t, uint32_t s, const protocol::SubscriberEffects& effects);
  void DeliverPublish(const Message& message, uint32_t to);
  void BeginFill(uint32_t w, const protocol::SequencerEffect& effect);
  void FillHalf(uint32_t w, uint32_t set_id, uint32_t op, Half half);
  void EndFill(uint32_t w, uint32_t set_id, uint32_t op);
  void Unready(uint32_t w, const protocol::SequencerEffect& effect);
  void BeginDrain(uint32_t w);
  void DrainHalf(uint32_t w, const protocol::SequencerEffect& effect, Half half);
  void EndDrain(uint32_t w);
  // Read-my-writes (world_own.cc): the rows of a drain in the cache; the own updates that an absorb adds again.
  void MarkOwnRows(uint32_t w, const protocol::SequencerEffect& effect, bool begin);
  void AddOwnRows(uint32_t w, const protocol::SequencerEffect& effect, Half half);
  void MarkReadded(uint32_t w, uint32_t t, uint32_t s, bool begin);
  void ReaddHalf(uint32_t w, uint32_t t, uint32_t s, Half half);
  void AddRow(uint32_t from, uint32_t to, uint32_t lanes, Half half);
  // Where row `own.view_row` of a posted update lies.
  uint32_t OwnSource(uint32_t w, const protocol::SequencerEffect& effect, const OwnRow& own) const;
  std::vector<double> OwnBefore(uint32_t w, uint32_t t, const std::vector<uint64_t>& rows) const;
  void EndAbsorb(uint32_t w, uint32_t t, uint32_t s);
  void SeeAge(uint32_t w, uint32_t t, uint32_t s);

  // Gets (world_get.cc).
  void PokeGets(uint32_t w);
  void BeginGet(uint32_t w);
  void RunGetter(uint32_t w, const protocol::Getter::Effects& effects);
  void EndGet(uint32_t w, protocol::Age smallest);
  void DeliverGet(const Message& message, uint32_t from, uint32_t to);
  void DeliverGot(const Message& message, uint32_t from, uint32_t to);
  void Answer(uint32_t p, const protocol::KeeperEffect& effect);
  void AnswerSent(uint32_t p);

  // Programs (world_program.cc).
  void StepProgram(uint32_t w);
  void EndPass(uint32_t w);
  bool BeginOp(uint32_t w, uint32_t op);
  void EndOp(uint32_t w, uint32_t op, bool skip);
  void WriteHalf(uint32_t w, uint32_t op, Half half);
  void Tell(uint32_t w, Notice notice);
  void TakeNotices(uint32_t w);
  void TakeNotice(uint32_t w, const Notice& notice);
  void CheckShown(uint32_t w, uint32_t op);
  void Judge(const ReadRecord& record);
  uint64_t HashOfView(uint32_t w, uint32_t op) const;
  void CheckWaiting(uint32_t w);
  bool IsDrained(uint32_t w, uint32_t set_id, uint32_t op) const;
  bool AnyDraining(uint32_t w, uint32_t t) const;

  // At the end (world_end.cc).
  std::string CheckCopies(uint32_t p) const;
  std::string CheckAsyncCopies(uint32_t p) const;

  // Where row `i` of an operation's view lies.
  uint32_t ViewOffset(uint32_t w, uint32_t set_id, uint32_t op, uint64_t i) const;
  // Where row `row` of the worker's cache lies for an operation that reads it (mapped: of the version it reads).
  uint32_t CacheOffset(uint32_t w, uint32_t set_id, uint32_t op, uint64_t row) const;
  void MarkView(uint32_t w, uint32_t set_id, uint32_t op, bool begin, const char* what);

  const plan::PlannedOp& Planned(uint32_t w, uint32_t set_id, uint32_t op) const {
    return spec_->workers[w].layout.plans[set_id].ops[op];
  }
  const plan::Operation& Recorded(uint32_t w, uint32_t set_id, uint32_t op) const {
    return spec_->input.workers[w].plans[set_id].ops[op];
  }
  const protocol::SequencerOptions::Op& OpOf(uint32_t w, const protocol::SequencerEffect& effect) const {
    return spec_->workers[w].sequencer.plans[effect.set_id].ops[effect.op];
  }
  const Pass& PassOf(uint32_t w) const { return spec_->input.workers[w].passes[state_.workers[w].program.pass_index]; }
  protocol::RuleParams Params(uint32_t t, protocol::Clock clock) const;

  std::shared_ptr<const WorldSpec> spec_;
  const WorldMode mode_;
  const uint32_t stage_;
  EventPool* const pool_;
  WorldHost* const host_;
  Checker* checker_ = nullptr;
  const Reference* reference_ = nullptr;
  uint64_t num_delivered_ = 0;
  WorldState state_;
};

}  // namespace geeps::sim

#endif  // GEEPS_TESTS_SIM_WORLD_H_
