// SPDX-License-Identifier: Apache-2.0
// geeps.h: rows outside plans.
#include "runtime/capi/convert.h"
#include "runtime/capi/long_call.h"
#include "runtime/capi/objects.h"

using namespace geeps;        // NOLINT: the names below are the ABI's
using namespace geeps::capi;  // NOLINT

static_assert(GEEPS_AGE_NOW == session::Runtime::kAgeNow);

extern "C" {

geeps_status geeps_table_set(geeps_table* t, const geeps_rows* rows, uint64_t num_runs, uint32_t flags, const void* src,
                             uint64_t src_bytes, geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(Child* const child, FindTable(t));
    GEEPS_ASSIGN_OR_RETURN(const std::vector<table::RowRun> runs, ReadRows(rows, num_runs));
    if ((flags & ~GEEPS_SET_KEEP_STATE) != 0) return Invalid("unknown flags: ", flags);
    if (src == nullptr && src_bytes > 0) return Invalid("src is NULL");
    const absl::string_view values(static_cast<const char*>(src), src_bytes);
    const bool keep_state = (flags & GEEPS_SET_KEEP_STATE) != 0;
    GEEPS_RETURN_IF_ERROR(child->owner->runtime->SetRows(child->table, runs, keep_state, values));
    return GEEPS_OK;
  });
}

geeps_status geeps_table_get(geeps_table* t, const geeps_rows* rows, uint64_t num_runs, uint64_t min_age, void* dst,
                             uint64_t dst_bytes, uint64_t* age, geeps_request** out, geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(Child* const child, FindTable(t));
    GEEPS_ASSIGN_OR_RETURN(const std::vector<table::RowRun> runs, ReadRows(rows, num_runs));
    if (dst == nullptr && dst_bytes > 0) return Invalid("dst is NULL");
    return RunLongCall(child->owner, out, [&](session::Runtime* runtime) {
      return runtime->GetRows(child->table, runs, min_age, dst, dst_bytes, age);
    });
  });
}

}  // extern "C"
