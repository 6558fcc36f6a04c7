// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan/recorded_plan.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/protocol/types.h"

namespace geeps::plan {
namespace {

const char* KindName(OpKind kind) {
  switch (kind) {
    case OpKind::kRead:
      return "read of table";
    case OpKind::kUpdate:
      return "update of table";
    case OpKind::kLocal:
      return "access of local data";
  }
  return "operation on";
}

uint32_t AllowedFlags(OpKind kind) {
  switch (kind) {
    case OpKind::kRead:
      return kOptional | kReadCopy;
    case OpKind::kUpdate:
      return kOptional | kUpdateZeroed;
    case OpKind::kLocal:
      return kOptional | kLocalFetch | kLocalKeep;
  }
  return 0;
}

// What the flags are called in the interface, for sentences.
std::string FlagNames(uint32_t flags) {
  std::string names;
  const auto add = [&](uint32_t flag, absl::string_view name) {
    if ((flags & flag) == 0) return;
    absl::StrAppend(&names, names.empty() ? "" : ", ", name);
    flags &= ~flag;
  };
  add(kOptional, "OPTIONAL");
  add(kReadCopy, "COPY");
  add(kUpdateZeroed, "ZEROED");
  add(kLocalFetch, "FETCH");
  add(kLocalKeep, "KEEP");
  if (flags != 0) absl::StrAppend(&names, names.empty() ? "" : ", ", "0x", absl::Hex(flags));
  return names;
}

// Room for one more, so that a push_back cannot fail.
template <typename Vector>
void MakeRoom(Vector* vector) {
  if (vector->size() == vector->capacity()) vector->reserve(2 * vector->size() + 1);
}

std::string NameOf(uint32_t index, OpKind kind, absl::string_view object_name) {
  return absl::StrCat("operation ", index, " (", KindName(kind), " '", object_name, "')");
}

}  // namespace

std::string NameOfOperation(const RecordedPlan& plan, uint32_t op) {
  if (op >= plan.ops.size()) return absl::StrCat("operation ", op);
  return NameOf(op, plan.ops[op].kind, plan.ops[op].object_name);
}

PlanRecorder::PlanRecorder(absl::string_view name) { plan_.name = std::string(name); }

absl::StatusOr<uint32_t> PlanRecorder::Begin(OpKind kind, uint64_t object, absl::string_view object_name,
                                             table::RowSet rows, uint32_t slack, uint32_t flags) {
  const uint32_t index = static_cast<uint32_t>(plan_.ops.size());
  const auto where = [&] { return absl::StrCat("plan '", plan_.name, "', ", NameOf(index, kind, object_name)); };
  if (ended_) return WrongState(where(), ": the plan has ended");
  if (index >= kOperationsMax) return Invalid(where(), ": a plan has at most ", kOperationsMax, " operations");
  if ((flags & ~AllowedFlags(kind)) != 0) {
    return Invalid(where(), ": flags ", FlagNames(flags & ~AllowedFlags(kind)), " do not fit this kind of operation");
  }
  if (kind != OpKind::kRead && slack != 0)
    return Invalid(where(), ": slack ", slack, " given, but only a read has one");
  if (slack > protocol::kSlackMax) {
    return Invalid(where(), ": slack ", slack, " is more than the largest, ", protocol::kSlackMax);
  }
  if (kind == OpKind::kLocal && !rows.IsContiguous()) {
    return Unsupported(where(), ": its rows are ", rows.num_runs(),
                       " runs; local data are accessed in place, so they must be one");
  }
  Operation op;
  op.kind = kind;
  op.object = object;
  op.object_name = std::string(object_name);
  op.rows = std::move(rows);
  op.slack = slack;
  op.flags = flags;
  op.begin_step = static_cast<uint32_t>(plan_.steps.size());
  // All or nothing: a call for which there is no memory may be repeated.
  MakeRoom(&plan_.ops);
  MakeRoom(&plan_.steps);
  open_.push_back(true);
  plan_.ops.push_back(std::move(op));
  plan_.steps.push_back({index, false});
  return index;
}

absl::Status PlanRecorder::Finish(OpKind kind, uint32_t op) {
  if (op >= plan_.ops.size()) {
    return Invalid("plan '", plan_.name, "' has ", plan_.ops.size(), " operations, none with the index ", op);
  }
  const std::string where = absl::StrCat("plan '", plan_.name, "', ", NameOfOperation(plan_, op));
  if (plan_.ops[op].kind != kind) return Invalid(where, ": ended by the call that belongs to a ", KindName(kind));
  if (ended_) return WrongState(where, ": the plan has ended");
  if (!open_[op]) return WrongState(where, ": already closed at step ", plan_.ops[op].end_step);
  MakeRoom(&plan_.steps);
  open_[op] = false;
  plan_.ops[op].end_step = static_cast<uint32_t>(plan_.steps.size());
  plan_.steps.push_back({op, true});
  return absl::OkStatus();
}

absl::Status PlanRecorder::End(bool no_clock) {
  if (ended_) return WrongState("plan '", plan_.name, "' has already ended");
  std::map<uint64_t, uint32_t> first_update;  // by table
  for (uint32_t i = 0; i < plan_.ops.size(); ++i) {
    const Operation& op = plan_.ops[i];
    const auto where = [&] { return absl::StrCat("plan '", plan_.name, "', ", NameOfOperation(plan_, i)); };
    if (open_[i]) return WrongState(where(), ": still open at the end of the plan");
    if (op.kind != OpKind::kUpdate) continue;
    if (no_clock) return WrongState(where(), ": a plan that ends without a clock cannot update");
    const uint32_t first = first_update.emplace(op.object, i).first->second;
    if ((plan_.ops[first].flags & kOptional) != (op.flags & kOptional)) {
      return WrongState(where(), ": is ", (op.flags & kOptional) != 0 ? "" : "not ", "optional, but operation ", first,
                        " is", (op.flags & kOptional) != 0 ? " not" : "",
                        "; of the updates of a table in a plan all are optional or none");
    }
  }
  plan_.no_clock = no_clock;
  ended_ = true;
  return absl::OkStatus();
}

}  // namespace geeps::plan
