// SPDX-License-Identifier: Apache-2.0
// RecordedPlan: what a dry run has declared: the operations of one pass and the order of their calls. PlanRecorder
// builds it and refuses an illegal order with a sentence that names the operation.
// Pure: one call at a time.
#ifndef GEEPS_RUNTIME_PLAN_RECORDED_PLAN_H_
#define GEEPS_RUNTIME_PLAN_RECORDED_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/table/row_set.h"

namespace geeps::plan {

enum class OpKind : uint8_t { kRead = 0, kUpdate = 1, kLocal = 2 };
inline constexpr uint32_t kOptional = 0x100, kReadCopy = 0x200, kUpdateZeroed = 0x400, kLocalFetch = 0x800,
                          kLocalKeep = 0x1000;

// A bound that keeps step numbers in 32 bits, far above any real pass.
inline constexpr uint32_t kOperationsMax = 1u << 24;

// A table or local data is named by an id that its runtime never uses twice.
struct Operation {
  OpKind kind = OpKind::kRead;
  uint64_t object = 0;  // id of the table or local data
  std::string object_name;
  table::RowSet rows;
  uint32_t slack = 0;
  uint32_t flags = 0;
  uint32_t begin_step = 0;  // places in `steps`: read, pre_update, access_local
  uint32_t end_step = 0;    // post_read, update, post_local
};

struct Step {
  uint32_t op = 0;
  bool end = false;
};

struct RecordedPlan {
  std::string name;
  bool no_clock = false;
  std::vector<Operation> ops;
  std::vector<Step> steps;  // the order of the pass
};

// "operation 3 (update of table 'conv1')": how every text names an operation.
std::string NameOfOperation(const RecordedPlan& plan, uint32_t op);

class PlanRecorder {
 public:
  explicit PlanRecorder(absl::string_view name);

  // The first call of an operation; returns its index.
  // Errors: Invalid for flags that do not fit the kind, slack beyond the limit or on another kind than a read, more
  // than kOperationsMax operations; Unsupported for a local access of several runs of rows; WrongState after End.
  absl::StatusOr<uint32_t> Begin(OpKind kind, uint64_t object, absl::string_view object_name, table::RowSet rows,
                                 uint32_t slack, uint32_t flags);
  // The second call.
  // Errors: Invalid for an unknown operation or another kind, WrongState when it is closed or the plan has ended.
  absl::Status Finish(OpKind kind, uint32_t op);
  // Errors: WrongState when an operation is open, an update in a plan without clock, or only some updates of a table
  // optional.
  absl::Status End(bool no_clock);

  bool ended() const { return ended_; }
  const RecordedPlan& plan() const { return plan_; }

 private:
  RecordedPlan plan_;
  std::vector<bool> open_;
  bool ended_ = false;
};

}  // namespace geeps::plan

#endif  // GEEPS_RUNTIME_PLAN_RECORDED_PLAN_H_
