// SPDX-License-Identifier: Apache-2.0
// RowCalls: rows that are read and set outside plans (docs/protocol.md, R12). As an asker it sends GETs and takes in
// the answers; as a keeper it answers from its shards; for fences it keeps what the program has set, hands it to the
// keepers when all have built the next epoch, and puts what it was handed into its own shards when that epoch begins.
// Messages travel through the coordinator, as relayed bytes: header first, payload behind it.
// Thread contract: the mover thread.
#ifndef GEEPS_RUNTIME_MOVERS_ROW_CALLS_H_
#define GEEPS_RUNTIME_MOVERS_ROW_CALLS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/base/mutex.h"
#include "runtime/movers/context.h"
#include "runtime/movers/epoch.h"
#include "runtime/net/control.h"
#include "runtime/protocol/get.h"
#include "runtime/protocol/set.h"

namespace geeps::movers {

// Kind of the relayed bytes that are for RowCalls.
inline constexpr uint32_t kRelayRows = 16;

// What the program has set.
struct RowsSet {
  uint64_t object = 0;  // the table
  table::RowSet rows;
  bool keep_state = false;
  std::string values;  // dense
};

// What the program wants to read.
struct RowsGet {
  // Rows of one part that are wanted: `rows` from row `from` of the part on go to row `to` of the caller's memory.
  struct Piece {
    uint64_t from = 0;
    uint64_t to = 0;
    uint64_t rows = 0;
  };
  std::vector<protocol::GetPart> parts;
  std::vector<std::vector<Piece>> pieces;  // by part
  protocol::Age age = 0;
  uint64_t row_bytes = 0;
  // Once, on the mover thread.
  std::function<void(const absl::Status& status)> done;

  Mutex mutex;
  uint8_t* to GEEPS_GUARDED_BY(mutex) = nullptr;  // nullptr: given up, the memory is the caller's again
  uint64_t* age_to GEEPS_GUARDED_BY(mutex) = nullptr;
};

class RowCalls {
 public:
  // post: runs a function on the mover thread, later.
  RowCalls(MoverContext* context, net::ControlPlane* control, std::function<void(std::function<void()>)> post)
      : context_(context), control_(control), post_(std::move(post)), gets_(context->world) {}

  void Set(RowsSet set);
  // REQUIRES: the last one has ended or was given up; the parts are those of the epoch in force, and no fence is
  // entered before the end.
  void Get(std::shared_ptr<RowsGet> get);
  void GiveUp(const std::shared_ptr<RowsGet>& get);
  // Relayed bytes of kind kRelayRows: unchecked.
  void OnRelay(uint32_t src, std::string bytes);
  // The keeper's version `effect.age` of a kept partition may be read.
  void Answer(uint32_t kept, const protocol::KeeperEffect& effect);

  // The steps of a fence, as protocol/set.h tells them.
  bool has_pending() const { return exchange_.has_pending(); }
  void OnEnter() { exchange_.OnEnter(); }
  // This worker has built `next`; all have built theirs.
  void OnBuilt(Epoch* next) { next_ = next; }
  void OnAllBuilt(const EpochInput& input);
  bool CanEnter() const { return exchange_.CanEnter(); }
  // The keepers' shards take in what was set; nothing of the epoch before is answered any more.
  void OnBegin(Epoch* next);
  void OnFail();
  // The runtime is lost.
  void OnLatched(const absl::Status& cause);

 private:
  void Send(uint32_t rank, const protocol::Header& header, uint64_t epoch, const uint8_t* payload, uint64_t bytes);
  // The same with values of a shard, which the host may not reach.
  void SendRows(uint32_t rank, const protocol::Header& header, const cache::Home& home, const uint8_t* values,
                uint64_t bytes);
  void SendMessage(uint32_t rank, std::string message);
  void SendSets(const std::vector<uint32_t>& indexes);
  // Index of the kept partition that rows first_row .. of `header` lie in, or kNone: refused.
  uint32_t FindKept(const Epoch& epoch, uint32_t rank, const protocol::Header& header);
  void OnGet(uint32_t rank, const protocol::Header& header);
  void OnGot(uint32_t rank, const protocol::Header& header, const std::string& bytes);
  void OnSet(uint32_t rank, const protocol::Header& header, std::string bytes);
  void OnAck(uint32_t rank, const protocol::Header& header);
  void Execute(const protocol::Getter::Effects& effects, const uint8_t* payload);
  void TakePart(uint32_t index, const uint8_t* payload);
  void PutRows(const Epoch& epoch, const protocol::StagedSet& set);
  void EndGet(const absl::Status& status);

  MoverContext* const context_;
  net::ControlPlane* const control_;
  const std::function<void(std::function<void()>)> post_;

  protocol::Getter getter_;
  std::shared_ptr<RowsGet> get_;
  uint64_t num_gets_ = 0;
  protocol::WaitingGets gets_;
  std::vector<protocol::WaitingGet> served_;            // scratch of Answer
  std::map<uint32_t, std::vector<std::string>> early_;  // by rank: messages of the next epoch

  protocol::SetExchange exchange_;
  std::map<uint64_t, RowsSet> sets_;  // by call
  Epoch* next_ = nullptr;             // built, and not in force
  struct PartValues {
    const uint8_t* values = nullptr;
    uint64_t bytes = 0;
  };
  std::vector<PartValues> part_values_;  // by part of the exchange
  std::vector<std::string> staged_;      // messages of SETs for this keeper, by place
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_ROW_CALLS_H_
