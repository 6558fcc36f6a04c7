// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "tests/misuse/situation.h"

namespace geeps::misuse_test {
namespace {

using A = Arguments;
using E = geeps_error*;

std::vector<Stage> BetweenPasses() { return {kStarted, kCommitted}; }
// Everywhere but in a runtime that is lost.
std::vector<Stage> Alive() {
  return {kCreated, kStarted, kCommitted, kTrain0, kTrain1, kTrain2, kTrain3,  kTrain4,
          kTrain5,  kTrain6,  kTrain7,    kTrain8, kLook0,  kLook1,  kShutDown};
}

std::vector<Function> MakeLifeFunctions() {
  return {
      {"geeps_runtime_create",
       [](const A& a, E e) { return geeps_runtime_create(a.config_ptr, a.rt_out, e); },
       kCreated,
       {}},
      {"geeps_runtime_start",
       [](const A& a, E e) { return geeps_runtime_start(a.rt, nullptr, e); },
       kCreated,
       {kCreated}},
      {"geeps_runtime_get_info",
       [](const A& a, E e) { return geeps_runtime_get_info(a.rt, a.info_out, e); },
       kStarted,
       {}},
      {"geeps_runtime_abort", [](const A& a, E e) { return geeps_runtime_abort(a.rt, a.text, e); }, kStarted, {}},
      {"geeps_runtime_shutdown", [](const A& a, E e) { return geeps_runtime_shutdown(a.rt, nullptr, e); }, kCommitted,
       BetweenPasses()},
      {"geeps_runtime_get_event_fd",
       [](const A& a, E e) { return geeps_runtime_get_event_fd(a.rt, a.fd_out, e); },
       kStarted,
       {}},
      {"geeps_log_take",
       [](const A& a, E e) {
         const geeps_status status = geeps_log_take(a.rt, a.level_out, a.buf, a.cap, a.len_out, e);
         return status == GEEPS_AGAIN ? GEEPS_OK : status;
       },
       kStarted,
       {}},
      {"geeps_runtime_get_stats",
       [](const A& a, E e) { return geeps_runtime_get_stats(a.rt, a.buf, a.cap, a.len_out, e); },
       kStarted,
       {}},
      {"geeps_request_wait", [](const A& a, E e) { return geeps_request_wait(a.req, a.limit_ns, e); }, kStarted, {}},
      {"geeps_request_get_event_fd",
       [](const A& a, E e) { return geeps_request_get_event_fd(a.req, a.fd_out, e); },
       kStarted,
       {}},
      {"geeps_commit", [](const A& a, E e) { return geeps_commit(a.rt, a.plans, a.num_plans, nullptr, e); }, kCommitted,
       BetweenPasses()},
      {"geeps_fence", [](const A& a, E e) { return geeps_fence(a.rt, nullptr, e); }, kCommitted, BetweenPasses()},
      {"geeps_plugin_load", [](const A& a, E e) { return geeps_plugin_load(a.rt, a.plugin, e); }, kCreated, {}},
      {"geeps_plugin_add", [](const A& a, E e) { return geeps_plugin_add(a.rt, a.query, e); }, kCreated, {}},
      {"geeps_plugin_get_interface",
       [](const A& a, E e) {
         return geeps_plugin_get_interface(a.rt, a.plugin, a.interface_id, a.interface_out, a.host_out, e);
       },
       kCreated,
       {}},
  };
}

std::vector<Function> MakeRecordFunctions() {
  return {
      {"geeps_table_create",
       [](const A& a, E e) {
         return geeps_table_create(a.rt, a.name, a.num_rows, a.row_values, a.dtype, a.options, a.num_options,
                                   a.table_out, e);
       },
       kStarted, Alive()},
      {"geeps_table_set_param",
       [](const A& a, E e) { return geeps_table_set_param(a.table, a.key, a.value, e); },
       kTrain0,
       {kCreated, kStarted, kCommitted, kTrain0, kTrain1, kTrain2, kTrain3, kLook0, kLook1, kShutDown}},
      {"geeps_table_set",
       [](const A& a, E e) {
         return geeps_table_set(a.table, a.rows, a.num_runs, a.flags, a.source, a.values_bytes, e);
       },
       kTrain0,
       {kCreated, kStarted, kCommitted, kTrain0, kTrain1, kTrain2, kTrain3, kTrain4, kTrain5, kTrain6, kTrain7, kTrain8,
        kLook0, kLook1}},
      {"geeps_table_get",
       [](const A& a, E e) {
         return geeps_table_get(a.table, a.rows, a.num_runs, a.min_age, a.values_out, a.values_bytes, a.age_out,
                                nullptr, e);
       },
       kTrain0,
       {kCommitted, kTrain0, kTrain1, kTrain2, kTrain3, kTrain4, kTrain5, kTrain6, kTrain7, kTrain8, kLook0, kLook1}},
      {"geeps_local_create",
       [](const A& a, E e) { return geeps_local_create(a.rt, a.name, a.num_rows, a.row_values, a.local_out, e); },
       kStarted, Alive()},
      {"geeps_plan_create", [](const A& a, E e) { return geeps_plan_create(a.rt, a.name, a.plan_out, e); }, kStarted,
       Alive()},
      {"geeps_plan_read",
       [](const A& a, E e) {
         return geeps_plan_read(a.open_plan, a.table, a.rows, a.num_runs, a.slack, a.flags, a.op_out, e);
       },
       kStarted, Alive()},
      {"geeps_plan_post_read", [](const A& a, E e) { return geeps_plan_post_read(a.open_plan, a.recorded_read, e); },
       kStarted, Alive()},
      {"geeps_plan_pre_update",
       [](const A& a, E e) {
         return geeps_plan_pre_update(a.open_plan, a.table, a.rows, a.num_runs, a.flags, a.op_out, e);
       },
       kStarted, Alive()},
      {"geeps_plan_update", [](const A& a, E e) { return geeps_plan_update(a.open_plan, a.recorded_update, e); },
       kStarted, Alive()},
      {"geeps_plan_access_local",
       [](const A& a, E e) {
         return geeps_plan_access_local(a.open_plan, a.local, a.rows, a.local_runs, a.flags, a.op_out, e);
       },
       kStarted, Alive()},
      {"geeps_plan_post_local", [](const A& a, E e) { return geeps_plan_post_local(a.open_plan, a.recorded_local, e); },
       kStarted, Alive()},
      // The plan at hand has open operations; its own test closes them first.
      {"geeps_plan_end",
       [](const A& a, E e) {
         geeps_plan_post_read(a.open_plan, a.recorded_read, nullptr);
         geeps_plan_update(a.open_plan, a.recorded_update, nullptr);
         geeps_plan_post_local(a.open_plan, a.recorded_local, nullptr);
         return geeps_plan_end(a.open_plan, a.flags, e);
       },
       kStarted, Alive()},
      {"geeps_plan_explain",
       [](const A& a, E e) { return geeps_plan_explain(a.ended_plan, a.format, a.buf, a.cap, a.len_out, e); }, kStarted,
       Alive()},
  };
}

std::vector<Function> MakePassFunctions() {
  return {
      {"geeps_pass_begin",
       [](const A& a, E e) { return geeps_pass_begin(a.rt, a.committed_plan, e); },
       kCommitted,
       {kCommitted}},
      {"geeps_pass_end", [](const A& a, E e) { return geeps_pass_end(a.rt, a.next_plan, e); }, kLook0, {kLook0}},
      {"geeps_clock", [](const A& a, E e) { return geeps_clock(a.rt, a.next_plan, e); }, kTrain8, {kTrain8}},
      {"geeps_skip",
       [](const A& a, E e) { return geeps_skip(a.rt, a.optional_read, a.stream, e); },
       kTrain6,
       {kTrain6, kTrain7}},
      {"geeps_read",
       [](const A& a, E e) { return geeps_read(a.rt, a.read, a.stream, a.limit_ns, a.view_out, e); },
       kTrain0,
       {kTrain0, kLook0}},
      {"geeps_post_read",
       [](const A& a, E e) { return geeps_post_read(a.rt, a.read, a.stream, e); },
       kTrain1,
       {kTrain1, kLook1}},
      {"geeps_pre_update",
       [](const A& a, E e) { return geeps_pre_update(a.rt, a.update, a.stream, a.limit_ns, a.view_out, e); },
       kTrain2,
       {kTrain2}},
      {"geeps_update", [](const A& a, E e) { return geeps_update(a.rt, a.update, a.stream, e); }, kTrain3, {kTrain3}},
      {"geeps_access_local",
       [](const A& a, E e) { return geeps_access_local(a.rt, a.local_op, a.stream, a.limit_ns, a.view_out, e); },
       kTrain4,
       {kTrain4}},
      {"geeps_post_local",
       [](const A& a, E e) { return geeps_post_local(a.rt, a.local_op, a.stream, e); },
       kTrain5,
       {kTrain5}},
  };
}

}  // namespace

const std::vector<Function>& AllFunctions() {
  static const std::vector<Function> all = [] {
    std::vector<Function> functions = MakeLifeFunctions();
    for (const auto& more : {MakeRecordFunctions(), MakePassFunctions()})
      functions.insert(functions.end(), more.begin(), more.end());
    return functions;
  }();
  return all;
}

const Function& FunctionNamed(const std::string& name) {
  for (const Function& function : AllFunctions()) {
    if (name == function.name) return function;
  }
  REQUIRE_MESSAGE(false, "no function " << name);
  return AllFunctions().front();
}

const std::vector<std::string>& FunctionsWithoutStatus() {
  static const std::vector<std::string> names = {
      "geeps_abi_version",     "geeps_version",       "geeps_status_name",   "geeps_runtime_destroy",
      "geeps_request_destroy", "geeps_table_destroy", "geeps_local_destroy", "geeps_plan_destroy"};
  return names;
}

}  // namespace geeps::misuse_test
