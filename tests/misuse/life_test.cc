// SPDX-License-Identifier: Apache-2.0
// The life of a worker: every function is called, with right arguments, at every point at which it is not right; it is
// refused with a status and a text, writes nothing, and the right calls go on working.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "tests/misuse/situation.h"

namespace geeps::misuse_test {
namespace {

bool IsLegal(const Function& function, Stage stage) {
  return function.legal.empty() ||
         std::find(function.legal.begin(), function.legal.end(), stage) != function.legal.end();
}

// A pass of "look" refuses operations of "train" as foreign ones.
bool IsRight(geeps_status status, Stage stage) {
  if (stage == kAborted) return status == GEEPS_E_ABORTED;
  return status == GEEPS_E_STATE || ((stage == kLook0 || stage == kLook1) && status == GEEPS_E_INVALID);
}

}  // namespace

TEST_CASE("every function in every forbidden state gets a status and a text, and writes nothing") {
  for (int stage_index = 0; stage_index < kNumStages; ++stage_index) {
    const Stage stage = static_cast<Stage>(stage_index);
    Situation situation(stage);
    for (const Function& function : AllFunctions()) {
      if (IsLegal(function, stage)) continue;
      CAPTURE(std::string(function.name));
      CAPTURE(std::string(NameOf(stage)));
      Outputs before;
      std::memcpy(&before, &situation.outputs, sizeof before);
      geeps_error err = EmptyError();
      const geeps_status status = function.call(situation.args, &err);
      CHECK_MESSAGE(IsRight(status, stage), Text(status, err));
      CHECK(err.code == status);
      CHECK(err.message[0] != 0);
      CHECK(((err.flags & GEEPS_ERROR_LATCHED) != 0) == (stage == kAborted));
      CHECK(std::memcmp(&before, &situation.outputs, sizeof before) == 0);
    }
    // Nothing of this has harmed the worker: what is right here still works.
    for (const char* name : {"geeps_read", "geeps_post_read", "geeps_pre_update", "geeps_update", "geeps_access_local",
                             "geeps_post_local", "geeps_clock", "geeps_pass_begin", "geeps_fence"}) {
      const Function& function = FunctionNamed(name);
      if (!IsLegal(function, stage) || stage == kStarted) continue;
      geeps_error err = EmptyError();
      CAPTURE(std::string(name));
      CAPTURE(std::string(NameOf(stage)));
      const geeps_status status = function.call(situation.args, &err);
      CHECK_MESSAGE(status == GEEPS_OK, Text(status, err));
      break;
    }
  }
}

TEST_CASE("every function at every point at which it is right succeeds") {
  for (const Function& function : AllFunctions()) {
    if (std::string(function.name) == "geeps_plugin_load") continue;
    for (int stage_index = 0; stage_index < kNumStages; ++stage_index) {
      const Stage stage = static_cast<Stage>(stage_index);
      const bool needs_request = std::string(function.name).find("geeps_request_") == 0;
      if (!IsLegal(function, stage) || stage == kAborted || (needs_request && stage == kCreated)) continue;
      Situation situation(stage);
      CAPTURE(std::string(function.name));
      CAPTURE(std::string(NameOf(stage)));
      geeps_error err = EmptyError();
      const geeps_status status = function.call(situation.args, &err);
      CHECK_MESSAGE(status == GEEPS_OK, Text(status, err));
    }
  }
}

TEST_CASE("information, statistics and log answer in a lost runtime, too") {
  Situation situation(kAborted);
  for (const char* name :
       {"geeps_runtime_get_info", "geeps_runtime_get_stats", "geeps_runtime_get_event_fd", "geeps_log_take", "geeps_runtime_abort"}) {
    CAPTURE(std::string(name));
    geeps_error err = EmptyError();
    CHECK(FunctionNamed(name).call(situation.args, &err) == GEEPS_OK);
  }
  CHECK(situation.outputs.info.failure == GEEPS_E_ABORTED);
}

TEST_CASE("a runtime can be destroyed at every point, and its children afterwards") {
  for (int stage = 0; stage < kNumStages; ++stage) {
    Situation situation(static_cast<Stage>(stage));
    geeps_runtime_destroy(situation.args.rt);
    geeps_table_destroy(situation.args.table);
    geeps_local_destroy(situation.args.local);
    geeps_plan_destroy(situation.args.open_plan);
    geeps_error err = EmptyError();
    CHECK(geeps_fence(situation.args.rt, nullptr, &err) == GEEPS_E_INVALID);
  }
}

TEST_CASE("recording: the second call of an operation comes once, and nothing after the end") {
  Situation situation(kStarted);
  const Arguments& a = situation.args;
  geeps_error err = EmptyError();
  CHECK(geeps_plan_post_read(a.open_plan, a.recorded_read, &err) == GEEPS_OK);
  CHECK(geeps_plan_post_read(a.open_plan, a.recorded_read, &err) == GEEPS_E_STATE);
  CHECK(geeps_plan_end(a.open_plan, 0, &err) == GEEPS_E_STATE);  // the update is open
  CHECK(err.message[0] != 0);
  CHECK(geeps_plan_update(a.open_plan, a.recorded_update, &err) == GEEPS_OK);
  CHECK(geeps_plan_post_local(a.open_plan, a.recorded_local, &err) == GEEPS_OK);
  CHECK(geeps_plan_end(a.open_plan, GEEPS_PLAN_NO_CLOCK, &err) == GEEPS_E_STATE);  // it has an update
  CHECK(geeps_plan_end(a.open_plan, 0, &err) == GEEPS_OK);
  CHECK(geeps_plan_end(a.open_plan, 0, &err) == GEEPS_E_STATE);
  for (const char* name : {"geeps_plan_read", "geeps_plan_pre_update", "geeps_plan_access_local"}) {
    CAPTURE(std::string(name));
    err = EmptyError();
    CHECK(FunctionNamed(name).call(a, &err) == GEEPS_E_STATE);
    CHECK(err.message[0] != 0);
  }
}

TEST_CASE("recording: of the updates of a table all are optional or none") {
  Situation situation(kStarted);
  const Arguments& a = situation.args;
  geeps_error err = EmptyError();
  geeps_plan* plan = nullptr;
  REQUIRE(geeps_plan_create(a.rt, "mixed", &plan, &err) == GEEPS_OK);
  for (const uint32_t flags : {0u, uint32_t{GEEPS_OP_OPTIONAL}}) {
    geeps_op op = 0;
    REQUIRE(geeps_plan_pre_update(plan, a.table, a.rows, a.num_runs, flags, &op, &err) == GEEPS_OK);
    REQUIRE(geeps_plan_update(plan, op, &err) == GEEPS_OK);
  }
  CHECK(geeps_plan_end(plan, 0, &err) == GEEPS_E_STATE);
  CHECK(err.message[0] != 0);
}

TEST_CASE("an operation that is not optional cannot be skipped") {
  Situation situation(kTrain0);
  geeps_error err = EmptyError();
  CHECK(geeps_skip(situation.args.rt, situation.args.read, nullptr, &err) == GEEPS_E_STATE);
  CHECK(err.message[0] != 0);
  CHECK(FunctionNamed("geeps_read").call(situation.args, &err) == GEEPS_OK);
}

TEST_CASE("local data: fetching what was never kept is refused, what was kept survives passes and commits") {
  Situation situation(kStarted);
  const Arguments& a = situation.args;
  geeps_error err = EmptyError();
  geeps_op keep = 0, fetch = 0, scratch = 0;
  geeps_plan* plans[3] = {};
  const uint32_t flags[3] = {GEEPS_LOCAL_KEEP, GEEPS_LOCAL_FETCH | GEEPS_LOCAL_KEEP, 0};
  geeps_op* const ops[3] = {&keep, &fetch, &scratch};
  const char* const names[3] = {"keep", "fetch", "scratch"};
  for (int i = 0; i < 3; ++i) {
    REQUIRE(geeps_plan_create(a.rt, names[i], &plans[i], &err) == GEEPS_OK);
    const geeps_rows rows = {2, 4};
    REQUIRE(geeps_plan_access_local(plans[i], a.local, &rows, 1, flags[i], ops[i], &err) == GEEPS_OK);
    REQUIRE(geeps_plan_post_local(plans[i], *ops[i], &err) == GEEPS_OK);
    REQUIRE(geeps_plan_end(plans[i], GEEPS_PLAN_NO_CLOCK, &err) == GEEPS_OK);
  }
  REQUIRE(geeps_commit(a.rt, plans, 3, nullptr, &err) == GEEPS_OK);
  geeps_view view = {};
  view.struct_size = sizeof view;
  const auto access = [&](int i) {
    const geeps_status begun = geeps_pass_begin(a.rt, plans[i], &err);
    return begun != GEEPS_OK ? begun : geeps_access_local(a.rt, *ops[i], nullptr, 0, &view, &err);
  };
  const auto leave = [&](int i, bool post) {
    if (post) REQUIRE(geeps_post_local(a.rt, *ops[i], nullptr, &err) == GEEPS_OK);
    REQUIRE(geeps_pass_end(a.rt, nullptr, &err) == GEEPS_OK);
  };
  CHECK(access(1) == GEEPS_E_STATE);
  CHECK(err.message[0] != 0);
  leave(1, false);
  REQUIRE(access(0) == GEEPS_OK);
  REQUIRE(view.bytes == 4 * 16);
  std::memset(view.data, 0x5a, view.bytes);
  leave(0, true);
  for (int round = 0; round < 2; ++round) {
    REQUIRE(access(1) == GEEPS_OK);
    const uint8_t* const bytes = static_cast<const uint8_t*>(view.data);
    CHECK(std::all_of(bytes, bytes + view.bytes, [](uint8_t b) { return b == 0x5a; }));
    leave(1, true);
    REQUIRE(geeps_commit(a.rt, plans, 3, nullptr, &err) == GEEPS_OK);
  }
  REQUIRE(access(2) == GEEPS_OK);
  leave(2, true);
  CHECK(access(1) == GEEPS_E_STATE);  // an access without KEEP has ended it
  leave(1, false);
}

}  // namespace geeps::misuse_test
