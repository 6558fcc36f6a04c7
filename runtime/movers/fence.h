// SPDX-License-Identifier: Apache-2.0
// Fence: this worker's part in the one collective (docs/protocol.md, section 10): drain, enter, and for a commit:
// exchange row sets, build the next epoch beside the one in force, connect, enter again, and put it in place. A step
// function like the movers: it goes on as far as it can and returns.
// Thread contract: the mover thread. FenceJob::done
// is called on it.
#ifndef GEEPS_RUNTIME_MOVERS_FENCE_H_
#define GEEPS_RUNTIME_MOVERS_FENCE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/movers/context.h"
#include "runtime/movers/links.h"
#include "runtime/net/control.h"
#include "runtime/protocol/coordinator.h"
#include "runtime/table/partition.h"

namespace geeps::movers {

struct FenceJob {
  enum class Kind : uint8_t { kStart, kCommit, kFence, kShutdown };
  Kind kind = Kind::kFence;
  protocol::Clock clock = 0;
  // What is committed, or is to be: what the plans refer to is kept alive by the job. kFence: as at the last commit, empty
  // before the first.
  plan::LayoutInput layout;  // slack_max and mapped are filled in by the fence
  std::vector<std::shared_ptr<const plan::RecordedPlan>> plans;
  std::shared_ptr<const table::PartitionMap> partitions;
  std::vector<std::shared_ptr<cache::LocalData>> locals;
  std::vector<protocol::DeclarationLine> lines;
  uint64_t digest = 0;
  std::vector<uint32_t> slacks;  // this worker's largest slack, by table
  bool began_epoch = false;      // the fence has put another epoch in force
  // The result. epoch: the one in force.
  std::function<void(const absl::Status& status, Epoch* epoch)> done;
};

class Fence {
 public:
  // The epoch in force and the shards live in the engine.
  Fence(MoverContext* context, net::ControlPlane* control, const net::Endpoint* endpoint, RowCalls* rows,
        std::unique_ptr<Epoch>* epoch, cache::ShardMap* shards);

  // REQUIRES: no job under way.
  void Begin(std::shared_ptr<FenceJob> job);
  bool active() const { return job_ != nullptr; }

  void OnWelcome(const protocol::Welcome& welcome);
  void OnGo(const protocol::Go& go);
  void OnFail(const absl::Status& cause);
  void OnRelay(uint32_t src, uint32_t kind, std::string bytes);
  // A message of the epoch that is about to begin: kept until it does. False when it is not expected.
  bool Stash(uint32_t rank, uint32_t slot, const protocol::Header& header, uint64_t payload_bytes);
  // The runtime is lost: the job ends with the cause.
  void OnLatched(const absl::Status& cause);
  // Goes one step on, if it can; true when it did and may be able to go on.
  bool Step();
  // Messages of the new epoch that came early, for the engine to deal with; once after an epoch began.
  struct Early {
    uint32_t rank = 0;
    uint32_t slot = 0;
    protocol::Header header;
    uint64_t payload_bytes = 0;
  };
  std::vector<Early> TakeEarly();
  // An epoch has begun since the last call.
  bool TakeBegun();

 private:
  enum class State : uint8_t {
    kIdle,
    kMeeting,
    kDraining,
    kEntered,
    kSets,
    kFrozen,
    kConnecting,
    kBuilt,    // waits until all have built: from then on the fence cannot fail any more
    kSetting,  // what was set travels to its keepers
    kReentered,
    kAbsorbing
  };

  void StepOnce();
  // The fence goes into its next state.
  void Go(State next);
  bool IsDrained();
  bool IsAbsorbed() const;
  bool IsConnected() const;
  void EnterFirst();
  void EnterSecond(const absl::Status& failure);
  absl::Status BuildFirst(const protocol::Go& go);
  absl::Status BuildSecond();
  absl::Status BuildThird();
  bool CanMap(const plan::LayoutInput::Table& table) const;
  absl::Status OpenSlots();
  absl::Status RelayToAll(uint32_t kind, const std::function<absl::StatusOr<std::string>(uint32_t dst)>& text);
  void Advance(const absl::Status& status, State next);
  void PutInPlace();
  void Resume();
  void Finish(const absl::Status& status);

  MoverContext* const context_;
  net::ControlPlane* const control_;
  const net::Endpoint* const endpoint_;
  RowCalls* const rows_;
  std::unique_ptr<Epoch>* const epoch_;
  cache::ShardMap* const shards_;

  State state_ = State::kIdle;
  std::shared_ptr<FenceJob> job_;
  EpochInput input_;
  std::unique_ptr<Epoch> next_;
  cache::ShardMap next_shards_;
  std::vector<std::string> sets_;    // by rank
  std::vector<std::string> frozen_;  // by rank
  std::vector<bool> has_sets_;
  std::vector<bool> has_frozen_;
  std::vector<bool> has_built_;
  bool peer_failed_ = false;
  bool slots_open_ = false;  // those of next_ have taken the place of the epoch in force
  bool begun_ = false;
  std::vector<Early> early_;
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_FENCE_H_
