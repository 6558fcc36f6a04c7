// SPDX-License-Identifier: Apache-2.0
// geeps.h: tables, local data, plans, commit.
#include <string>
#include <vector>

#include "runtime/capi/convert.h"
#include "runtime/capi/long_call.h"
#include "runtime/capi/objects.h"

using namespace geeps;        // NOLINT: the names below are the ABI's
using namespace geeps::capi;  // NOLINT

namespace {

constexpr uint64_t kPlansMax = 1024;

static_assert(plan::kOptional == GEEPS_OP_OPTIONAL && plan::kReadCopy == GEEPS_READ_COPY &&
              plan::kUpdateZeroed == GEEPS_UPDATE_ZEROED && plan::kLocalFetch == GEEPS_LOCAL_FETCH &&
              plan::kLocalKeep == GEEPS_LOCAL_KEEP);
static_assert(GEEPS_OP_OPTIONAL > GEEPS_SLACK_MAX);

absl::Status SameRuntime(const Child& plan, const Child& object, const char* what) {
  if (plan.owner == object.owner) return absl::OkStatus();
  return Invalid("the ", what, " belongs to another runtime than the plan");
}

geeps_status RecordTable(geeps_plan* p, geeps_table* t, plan::OpKind kind, const geeps_rows* rows, uint64_t num_runs,
                         uint32_t slack, uint32_t flags, geeps_op* out, geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(Child* const plan, FindPlan(p));
    GEEPS_ASSIGN_OR_RETURN(Child* const table, FindTable(t));
    GEEPS_RETURN_IF_ERROR(SameRuntime(*plan, *table, "table"));
    if (out == nullptr) return Invalid("out is NULL");
    GEEPS_ASSIGN_OR_RETURN(const std::vector<table::RowRun> runs, ReadRows(rows, num_runs));
    GEEPS_ASSIGN_OR_RETURN(*out, plan->owner->runtime->RecordTable(plan->plan, kind, table->table, runs, slack, flags));
    return GEEPS_OK;
  });
}

geeps_status RecordEnd(geeps_plan* p, plan::OpKind kind, geeps_op op, geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(Child* const plan, FindPlan(p));
    GEEPS_RETURN_IF_ERROR(plan->owner->runtime->RecordEnd(plan->plan, kind, op));
    return GEEPS_OK;
  });
}

}  // namespace

extern "C" {

geeps_status geeps_table_create(geeps_runtime* rt, const char* name, uint64_t num_rows, uint64_t row_values,
                                uint32_t dtype, const geeps_kv* options, uint64_t num_options, geeps_table** out,
                                geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(RuntimeObject* const object, FindRuntime(rt));
    if (out == nullptr) return Invalid("out is NULL");
    GEEPS_ASSIGN_OR_RETURN(const absl::string_view read, ReadText(name, "name", table::kTableNameMax));
    GEEPS_ASSIGN_OR_RETURN(const Options pairs, ReadOptions(options, num_options));
    GEEPS_ASSIGN_OR_RETURN(NewChild child, NewChild::Reserve(object));
    GEEPS_ASSIGN_OR_RETURN(child->table, object->runtime->CreateTable(read, num_rows, row_values, dtype, pairs));
    *out = static_cast<geeps_table*>(child.Keep(HandleType::kTable));
    return GEEPS_OK;
  });
}

void geeps_table_destroy(geeps_table* t) {
  Child* const child = static_cast<Child*>(FindHandle(HandleType::kTable, t));
  if (child == nullptr) return;
  child->owner->runtime->DestroyTable(child->table);
  RemoveChild(child, t);
}

geeps_status geeps_table_set_param(geeps_table* t, const char* key, double value, geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(Child* const child, FindTable(t));
    GEEPS_ASSIGN_OR_RETURN(const absl::string_view read, ReadText(key, "key", 256));
    GEEPS_RETURN_IF_ERROR(child->owner->runtime->SetParam(child->table, read, value));
    return GEEPS_OK;
  });
}

geeps_status geeps_local_create(geeps_runtime* rt, const char* name, uint64_t num_rows, uint64_t row_bytes,
                                geeps_local** out, geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(RuntimeObject* const object, FindRuntime(rt));
    if (out == nullptr) return Invalid("out is NULL");
    GEEPS_ASSIGN_OR_RETURN(const absl::string_view read, ReadText(name, "name", 255));
    GEEPS_ASSIGN_OR_RETURN(NewChild child, NewChild::Reserve(object));
    GEEPS_ASSIGN_OR_RETURN(child->local, object->runtime->CreateLocal(read, num_rows, row_bytes));
    *out = static_cast<geeps_local*>(child.Keep(HandleType::kLocal));
    return GEEPS_OK;
  });
}

void geeps_local_destroy(geeps_local* l) {
  Child* const child = static_cast<Child*>(FindHandle(HandleType::kLocal, l));
  if (child == nullptr) return;
  child->owner->runtime->DestroyLocal(child->local);
  RemoveChild(child, l);
}

geeps_status geeps_plan_create(geeps_runtime* rt, const char* name, geeps_plan** out, geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(RuntimeObject* const object, FindRuntime(rt));
    if (out == nullptr) return Invalid("out is NULL");
    GEEPS_ASSIGN_OR_RETURN(const absl::string_view read, ReadText(name, "name", 255));
    GEEPS_ASSIGN_OR_RETURN(NewChild child, NewChild::Reserve(object));
    GEEPS_ASSIGN_OR_RETURN(child->plan, object->runtime->CreatePlan(read));
    *out = static_cast<geeps_plan*>(child.Keep(HandleType::kPlan));
    return GEEPS_OK;
  });
}

void geeps_plan_destroy(geeps_plan* p) {
  Child* const child = static_cast<Child*>(FindHandle(HandleType::kPlan, p));
  if (child == nullptr) return;
  child->owner->runtime->DestroyPlan(child->plan);
  RemoveChild(child, p);
}

geeps_status geeps_plan_read(geeps_plan* p, geeps_table* t, const geeps_rows* rows, uint64_t num_runs, uint32_t slack,
                             uint32_t flags, geeps_op* out, geeps_error* err) {
  return RecordTable(p, t, plan::OpKind::kRead, rows, num_runs, slack, flags, out, err);
}

geeps_status geeps_plan_post_read(geeps_plan* p, geeps_op op, geeps_error* err) {
  return RecordEnd(p, plan::OpKind::kRead, op, err);
}

geeps_status geeps_plan_pre_update(geeps_plan* p, geeps_table* t, const geeps_rows* rows, uint64_t num_runs,
                                   uint32_t flags, geeps_op* out, geeps_error* err) {
  return RecordTable(p, t, plan::OpKind::kUpdate, rows, num_runs, 0, flags, out, err);
}

geeps_status geeps_plan_update(geeps_plan* p, geeps_op op, geeps_error* err) {
  return RecordEnd(p, plan::OpKind::kUpdate, op, err);
}

geeps_status geeps_plan_access_local(geeps_plan* p, geeps_local* l, const geeps_rows* rows, uint64_t num_runs,
                                     uint32_t flags, geeps_op* out, geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(Child* const plan, FindPlan(p));
    GEEPS_ASSIGN_OR_RETURN(Child* const local, FindLocal(l));
    GEEPS_RETURN_IF_ERROR(SameRuntime(*plan, *local, "local data"));
    if (out == nullptr) return Invalid("out is NULL");
    GEEPS_ASSIGN_OR_RETURN(const std::vector<table::RowRun> runs, ReadRows(rows, num_runs));
    GEEPS_ASSIGN_OR_RETURN(*out, plan->owner->runtime->RecordLocal(plan->plan, local->local, runs, flags));
    return GEEPS_OK;
  });
}

geeps_status geeps_plan_post_local(geeps_plan* p, geeps_op op, geeps_error* err) {
  return RecordEnd(p, plan::OpKind::kLocal, op, err);
}

geeps_status geeps_plan_end(geeps_plan* p, uint32_t flags, geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(Child* const plan, FindPlan(p));
    if ((flags & ~GEEPS_PLAN_NO_CLOCK) != 0) return Invalid("flags ", flags, " of plan_end: 0 or GEEPS_PLAN_NO_CLOCK");
    GEEPS_RETURN_IF_ERROR(plan->owner->runtime->EndPlan(plan->plan, (flags & GEEPS_PLAN_NO_CLOCK) != 0));
    return GEEPS_OK;
  });
}

geeps_status geeps_plan_explain(geeps_plan* p, const char* format, char* buf, uint64_t cap, uint64_t* len,
                                geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(Child* const plan, FindPlan(p));
    GEEPS_ASSIGN_OR_RETURN(const absl::string_view read, ReadText(format, "format", 64));
    GEEPS_ASSIGN_OR_RETURN(const std::string text, plan->owner->runtime->Explain(plan->plan, read));
    GEEPS_RETURN_IF_ERROR(WriteText(text, buf, cap, len));
    return GEEPS_OK;
  });
}

geeps_status geeps_commit(geeps_runtime* rt, geeps_plan* const* plans, uint64_t num_plans, geeps_request** out,
                          geeps_error* err) {
  return LongCall(rt, out, err, [&](session::Runtime* runtime) -> absl::StatusOr<std::shared_ptr<session::Request>> {
    if (num_plans > kPlansMax) return Invalid(num_plans, " plans, at most ", kPlansMax);
    if (num_plans > 0 && plans == nullptr) return Invalid("plans is NULL with num_plans = ", num_plans);
    std::vector<session::Plan*> found;
    for (uint64_t i = 0; i < num_plans; ++i) {
      GEEPS_ASSIGN_OR_RETURN(Child* const plan, FindPlan(plans[i]));
      if (plan->owner->runtime.get() != runtime) return Invalid("plan ", i, " belongs to another runtime");
      found.push_back(plan->plan);
    }
    return runtime->Commit(found);
  });
}

}  // extern "C"
