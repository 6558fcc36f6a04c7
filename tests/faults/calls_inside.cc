// SPDX-License-Identifier: Apache-2.0
// The functions of geeps.h that an interpreter calls, once more, in front of those of libgeeps: what a call of geeps
// asks for counts among the requests that may fail (tests/support/failing.h), what the test around it asks for does
// not.
#include <dlfcn.h>

#include "geeps.h"
#include "tests/support/failing.h"

#define GEEPS_TEST_INSIDE_AS(result, name, parameters, arguments)                         \
  __attribute__((visibility("default"))) result name parameters {                         \
    static auto* const next = reinterpret_cast<decltype(&name)>(dlsym(RTLD_NEXT, #name)); \
    const geeps::test::Inside call;                                                       \
    return next arguments;                                                                \
  }
#define GEEPS_TEST_INSIDE(name, parameters, arguments) GEEPS_TEST_INSIDE_AS(geeps_status, name, parameters, arguments)

extern "C" {
GEEPS_TEST_INSIDE(geeps_runtime_create, (const geeps_config* config, geeps_runtime** out, geeps_error* err),
                  (config, out, err))
GEEPS_TEST_INSIDE(geeps_runtime_start, (geeps_runtime * rt, geeps_request** out, geeps_error* err), (rt, out, err))
GEEPS_TEST_INSIDE(geeps_runtime_shutdown, (geeps_runtime * rt, geeps_request** out, geeps_error* err), (rt, out, err))
GEEPS_TEST_INSIDE(geeps_request_wait, (geeps_request * req, uint64_t limit_ns, geeps_error* err), (req, limit_ns, err))
GEEPS_TEST_INSIDE(geeps_commit,
                  (geeps_runtime * rt, geeps_plan* const* plans, uint64_t num, geeps_request** out, geeps_error* err),
                  (rt, plans, num, out, err))
GEEPS_TEST_INSIDE(geeps_fence, (geeps_runtime * rt, geeps_request** out, geeps_error* err), (rt, out, err))
GEEPS_TEST_INSIDE(geeps_pass_begin, (geeps_runtime * rt, geeps_plan* plan, geeps_error* err), (rt, plan, err))
GEEPS_TEST_INSIDE(geeps_clock, (geeps_runtime * rt, geeps_plan* next_plan, geeps_error* err), (rt, next_plan, err))
GEEPS_TEST_INSIDE(geeps_read,
                  (geeps_runtime * rt, geeps_op op, const geeps_stream* stream, uint64_t limit_ns, geeps_view* view,
                   geeps_error* err),
                  (rt, op, stream, limit_ns, view, err))
GEEPS_TEST_INSIDE(geeps_post_read, (geeps_runtime * rt, geeps_op op, const geeps_stream* stream, geeps_error* err),
                  (rt, op, stream, err))
GEEPS_TEST_INSIDE(geeps_pre_update,
                  (geeps_runtime * rt, geeps_op op, const geeps_stream* stream, uint64_t limit_ns, geeps_view* view,
                   geeps_error* err),
                  (rt, op, stream, limit_ns, view, err))
GEEPS_TEST_INSIDE(geeps_update, (geeps_runtime * rt, geeps_op op, const geeps_stream* stream, geeps_error* err),
                  (rt, op, stream, err))
GEEPS_TEST_INSIDE(geeps_pass_end, (geeps_runtime * rt, geeps_plan* next_plan, geeps_error* err), (rt, next_plan, err))
GEEPS_TEST_INSIDE(geeps_table_create,
                  (geeps_runtime * rt, const char* name, uint64_t num_rows, uint64_t row_values, uint32_t dtype,
                   const geeps_kv* options, uint64_t num_options, geeps_table** out, geeps_error* err),
                  (rt, name, num_rows, row_values, dtype, options, num_options, out, err))
GEEPS_TEST_INSIDE(geeps_local_create,
                  (geeps_runtime * rt, const char* name, uint64_t num_rows, uint64_t row_bytes, geeps_local** out,
                   geeps_error* err),
                  (rt, name, num_rows, row_bytes, out, err))
GEEPS_TEST_INSIDE(geeps_plan_create, (geeps_runtime * rt, const char* name, geeps_plan** out, geeps_error* err),
                  (rt, name, out, err))
GEEPS_TEST_INSIDE(geeps_plan_read,
                  (geeps_plan * plan, geeps_table* table, const geeps_rows* rows, uint64_t num_runs, uint32_t slack,
                   uint32_t flags, geeps_op* out, geeps_error* err),
                  (plan, table, rows, num_runs, slack, flags, out, err))
GEEPS_TEST_INSIDE(geeps_plan_post_read, (geeps_plan * plan, geeps_op op, geeps_error* err), (plan, op, err))
GEEPS_TEST_INSIDE(geeps_plan_pre_update,
                  (geeps_plan * plan, geeps_table* table, const geeps_rows* rows, uint64_t num_runs, uint32_t flags,
                   geeps_op* out, geeps_error* err),
                  (plan, table, rows, num_runs, flags, out, err))
GEEPS_TEST_INSIDE(geeps_plan_update, (geeps_plan * plan, geeps_op op, geeps_error* err), (plan, op, err))
GEEPS_TEST_INSIDE(geeps_plan_end, (geeps_plan * plan, uint32_t flags, geeps_error* err), (plan, flags, err))
GEEPS_TEST_INSIDE_AS(void, geeps_request_destroy, (geeps_request * req), (req))
GEEPS_TEST_INSIDE_AS(void, geeps_runtime_destroy, (geeps_runtime * rt), (rt))
}
