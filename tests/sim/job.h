// SPDX-License-Identifier: Apache-2.0
// Job: the worlds of several epochs one after another, and what joins them: the shipped coordinator, control
// connections to it, fences (plain, commits, with sets), messages of an old and of the next epoch, lost workers. Data
// connections go on from epoch to epoch: a message of the next one arrives behind all of the old one. Each worker goes
// from one world to the next by itself, when it hears the second GO.
// One copyable state, as in World. One thread at a time.
#ifndef GEEPS_TESTS_SIM_JOB_H_
#define GEEPS_TESTS_SIM_JOB_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/protocol/coordinator.h"
#include "runtime/protocol/set.h"
#include "tests/sim/checker.h"
#include "tests/sim/spec.h"
#include "tests/sim/world.h"

namespace geeps::sim {

// Rows that a program sets before a fence. Tables as in the stages.
struct SetCall {
  uint32_t worker = 0;
  uint32_t table = 0;
  uint64_t first_row = 0;
  uint64_t num_rows = 1;
  bool keep_state = false;
  bool late = false;  // made after the ENTER of the fence before
};

// The fence between two stages.
struct FenceInput {
  bool commit = true;  // else a fence with sets
  std::vector<SetCall> sets;
  uint32_t fails = kNone;  // a worker that cannot carry it out the first time
};

struct JobInput {
  std::vector<WorldInput> stages;  // the same tables and partitions; each begins at the clock that the last one ends at
  std::vector<FenceInput> fences;  // one less than stages
  uint32_t lost = kNone;           // this worker is lost at some time
  bool uneven = false;             // the workers do not make the same number of clocks
  bool beats = false;              // each clock is told to the coordinator
  bool shutdown = true;            // else the programs just end
};

class Job : public WorldHost {
 public:
  using Specs = std::vector<std::shared_ptr<const WorldSpec>>;
  // What may happen next is in the pool.
  struct Control {
    enum class Kind : uint8_t { kEnter, kBeat, kClosed, kBuilt, kRelay, kGo, kFail, kDown, kCoordinatorLost };
    Kind kind = Kind::kBeat;
    uint32_t source = 0;       // kBuilt, kRelay
    uint32_t destination = 0;  // kBuilt, kRelay
    protocol::Clock clock = 0;
    protocol::Enter enter;
    protocol::Go go;
    std::string cause;
    protocol::Header header;     // kRelay
    std::vector<double> values;  // kRelay
  };
  struct Member {
    enum class State : uint8_t { kRunning, kDraining, kEntered, kBuilding, kReentered, kAbsorbing, kOver };
    State state = State::kRunning;
    uint64_t epoch = 1;
    uint32_t stage = 0;
    uint32_t num_built = 0;
    bool exchanging = false;  // Begin of the exchange was called
    bool called = false;      // the sets before the fence at the end of the stage are made
    bool failed = false;      // this worker has failed its fence once
    bool lost = false;
    std::string cause;        // latched
    uint64_t next_epoch = 0;  // said by the first GO
    protocol::SetExchange sets;
    std::vector<SetCall> calls;               // by number of the call - 1
    std::vector<std::vector<double>> staged;  // by place
    std::deque<Control> up;
    std::deque<Control> down;
  };
  struct State {
    std::vector<WorldState> worlds;
    std::vector<Member> members;
    protocol::Coordinator coordinator;
    EventPool pool;
    uint32_t stages_begun = 0;
    bool coordinator_lost = false;
    std::string violation;
  };

  // With `checked`, checkers judge every record; else references, which know what the programs will contribute.
  Job(JobInput input, Specs specs, WorldMode mode, bool checked);
  ~Job() override;
  static absl::StatusOr<Specs> BuildSpecs(const JobInput& input);

  void set_sink(EventSink* sink) { state_.pool.sink = sink; }
  void Start();
  void Execute(uint32_t index);
  // Nothing is scheduled: everybody is at the end, or knows the same reason why not.
  void CheckEnd();

  const std::vector<Event>& events() const { return state_.pool.events; }
  // REQUIRES: no checkers.
  State Save() const;
  void Restore(const State& state);
  const std::string& violation() const { return state_.violation; }
  uint64_t Digest() const;
  std::string Describe(const Event& event) const;
  std::string DescribeWaits() const;
  const std::vector<std::unique_ptr<World>>& worlds() const { return worlds_; }
  const std::vector<std::unique_ptr<Checker>>& checkers() const { return checkers_; }

  // WorldHost.
  protocol::EpochVerdict Judge(uint32_t stage, const protocol::Header& header, uint32_t to) override;
  World* Current(uint32_t to) override { return worlds_[state_.members[to].stage].get(); }
  bool IsBehind(uint32_t stage, uint32_t channel) override;
  void OnChannelEmpty(uint32_t stage, uint32_t channel) override;
  void OnClock(uint32_t w, protocol::Clock clock) override;
  void OnAtFence(uint32_t w) override;

 private:
  // job.cc
  void Fail(const std::string& text);
  uint32_t num_workers() const { return static_cast<uint32_t>(state_.members.size()); }
  void BeginStage(uint32_t stage);
  void MakeReferences();
  CheckedWorld CheckedAt(uint32_t stage, const std::vector<std::vector<double>>& values,
                         const std::vector<std::vector<std::vector<double>>>& states) const;
  double SetValue(const SetCall& call, uint64_t row, uint32_t lane) const;
  std::vector<std::string> ExpectedCauses() const;

  // job_fence.cc
  void Tell(uint32_t w, Control control);
  void Say(uint32_t w, Control control);
  void TakeUp(uint32_t w);
  void TakeDown(uint32_t w);
  void Run(const std::vector<protocol::CoordinatorEffect>& effects);
  void Step(uint32_t w);
  void MakeSets(uint32_t w, size_t fence, bool late);
  void Enter(uint32_t w);
  void EnterAgain(uint32_t w);
  void OnGo(uint32_t w, const protocol::Go& go);
  void BeginExchange(uint32_t w);
  void BeginEpoch(uint32_t w, const protocol::Go& go);
  void SendSets(uint32_t w, const std::vector<uint32_t>& indexes);
  void OnRelay(uint32_t w, const Control& control);
  void Latch(uint32_t w, const std::string& cause);
  void Lose(uint32_t w);
  bool AtEndOfStage(uint32_t w) const;

  const JobInput input_;
  std::vector<std::unique_ptr<World>> worlds_;  // by stage
  std::vector<std::unique_ptr<Checker>> checkers_;
  std::vector<std::unique_ptr<Reference>> references_;
  const bool checked_;
  State state_;
};

const char* NameOf(Job::Member::State state);

}  // namespace geeps::sim

#endif  // GEEPS_TESTS_SIM_JOB_H_
