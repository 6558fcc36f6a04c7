// SPDX-License-Identifier: Apache-2.0
#include "tests/misuse/situation.h"

#include <doctest/doctest.h>

#include <cstring>

namespace geeps::misuse_test {
namespace {

constexpr uint64_t kLimitNs = 30'000'000'000;
const geeps_kv kNoOptions[] = {{"log_level", "error"}};
const geeps_kv kTableOptions[] = {{"rule", "sgd"}};
const geeps_rows kAll = {0, GEEPS_TO_END};

void Must(geeps_status status, const geeps_error& err) { REQUIRE_MESSAGE(status == GEEPS_OK, Text(status, err)); }

const void* TestInterface(const char* id) { return std::strcmp(id, "test.answer/1") == 0 ? id : nullptr; }

geeps_runtime* CreateAlone() {
  geeps_config config = {};
  config.struct_size = sizeof config;
  config.abi_version = GEEPS_ABI_VERSION;
  config.options = kNoOptions;
  config.num_options = 1;
  geeps_runtime* rt = nullptr;
  geeps_error err = EmptyError();
  Must(geeps_runtime_create(&config, &rt, &err), err);
  return rt;
}

geeps_op RecordRead(geeps_plan* plan, geeps_table* table, uint32_t flags) {
  geeps_error err = EmptyError();
  geeps_op op = 0;
  Must(geeps_plan_read(plan, table, &kAll, 1, 0, flags, &op, &err), err);
  return op;
}

}  // namespace

const char* NameOf(Stage stage) {
  static const char* const kNames[] = {"created",
                                       "started",
                                       "committed",
                                       "train: read due",
                                       "train: post_read due",
                                       "train: pre_update due",
                                       "train: update due",
                                       "train: access_local due",
                                       "train: post_local due",
                                       "train: optional read due",
                                       "train: optional post_read due",
                                       "train: clock due",
                                       "look: read due",
                                       "look: post_read due",
                                       "shut down",
                                       "aborted"};
  return kNames[stage];
}

geeps_error EmptyError() {
  geeps_error err;
  std::memset(&err, 0, sizeof err);
  err.struct_size = sizeof err;
  return err;
}

std::string Text(geeps_status status, const geeps_error& err) {
  return std::string(geeps_status_name(status)) + " " + err.message;
}

const geeps_plugin* QueryTestPlugin(uint32_t) {
  static const geeps_plugin kPlugin = {sizeof(geeps_plugin), GEEPS_PLUGIN_ABI, "answer",     "1",
                                       "Apache-2.0",         "test",           TestInterface};
  return &kPlugin;
}

StaleHandles MakeStaleHandles() {
  geeps_error err = EmptyError();
  StaleHandles stale = {};
  stale.rt = CreateAlone();
  Must(geeps_runtime_start(stale.rt, &stale.req, &err), err);
  Must(geeps_request_wait(stale.req, kLimitNs, &err), err);
  Must(geeps_table_create(stale.rt, "t", 4, 4, GEEPS_F32, nullptr, 0, &stale.table, &err), err);
  Must(geeps_local_create(stale.rt, "l", 4, 4, &stale.local, &err), err);
  Must(geeps_plan_create(stale.rt, "p", &stale.plan, &err), err);
  geeps_runtime_destroy(stale.rt);
  return stale;
}

Situation::Situation(Stage stage, const char* name) : stage_(stage) {
  std::memset(&outputs, 0, sizeof outputs);
  std::memset(&args, 0, sizeof args);
  args.name = name;
  args.rt = CreateAlone();
  geeps_error err = EmptyError();
  Must(geeps_table_create(args.rt, "t", 8, 4, GEEPS_F32, kTableOptions, 1, &args.table, &err), err);
  Must(geeps_local_create(args.rt, "l", 8, 16, &args.local, &err), err);
  if (stage > kCreated) {
    Must(geeps_runtime_start(args.rt, &args.req, &err), err);
    Must(geeps_request_wait(args.req, kLimitNs, &err), err);
  }
  if (stage > kStarted) RecordCommitted();
  Describe();
  if (stage == kShutDown) Must(geeps_runtime_shutdown(args.rt, nullptr, &err), err);
  if (stage == kAborted) Must(geeps_runtime_abort(args.rt, "for the test", &err), err);
  if (stage > kCommitted && stage < kShutDown) WalkTo(stage);
}

Situation::~Situation() {
  geeps_request_destroy(args.req);
  geeps_runtime_destroy(args.rt);
}

void Situation::RecordCommitted() {
  geeps_error err = EmptyError();
  Must(geeps_plan_create(args.rt, "train", &train_, &err), err);
  args.read = RecordRead(train_, args.table, 0);
  Must(geeps_plan_post_read(train_, args.read, &err), err);
  Must(geeps_plan_pre_update(train_, args.table, &kAll, 1, GEEPS_UPDATE_ZEROED, &args.update, &err), err);
  Must(geeps_plan_update(train_, args.update, &err), err);
  Must(geeps_plan_access_local(train_, args.local, &kAll, 1, 0, &args.local_op, &err), err);
  Must(geeps_plan_post_local(train_, args.local_op, &err), err);
  args.optional_read = RecordRead(train_, args.table, GEEPS_OP_OPTIONAL);
  Must(geeps_plan_post_read(train_, args.optional_read, &err), err);
  Must(geeps_plan_end(train_, 0, &err), err);
  Must(geeps_plan_create(args.rt, "look", &look_, &err), err);
  look_read_ = RecordRead(look_, args.table, 0);
  Must(geeps_plan_post_read(look_, look_read_, &err), err);
  Must(geeps_plan_end(look_, GEEPS_PLAN_NO_CLOCK, &err), err);
  geeps_plan* const plans[] = {train_, look_};
  Must(geeps_commit(args.rt, plans, 2, nullptr, &err), err);
}

// Everything that is the same at all points.
void Situation::Describe() {
  geeps_error err = EmptyError();
  Must(geeps_plan_create(args.rt, "open", &args.open_plan, &err), err);
  args.recorded_read = RecordRead(args.open_plan, args.table, 0);
  Must(geeps_plan_pre_update(args.open_plan, args.table, &kAll, 1, 0, &args.recorded_update, &err), err);
  Must(geeps_plan_access_local(args.open_plan, args.local, &kAll, 1, 0, &args.recorded_local, &err), err);
  Must(geeps_plan_create(args.rt, "ended", &args.ended_plan, &err), err);
  const geeps_op op = RecordRead(args.ended_plan, args.table, 0);
  Must(geeps_plan_post_read(args.ended_plan, op, &err), err);
  Must(geeps_plan_end(args.ended_plan, 0, &err), err);

  args.config.struct_size = sizeof args.config;
  args.config.abi_version = GEEPS_ABI_VERSION;
  args.config.options = kNoOptions;
  args.config.num_options = 1;
  args.config_ptr = &args.config;
  args.committed_plan = train_;
  args.next_plan = nullptr;
  args.name = "new";
  args.text = "text";
  args.num_rows = 8;
  args.row_values = 4;
  args.dtype = GEEPS_F32;
  args.options = kTableOptions;
  args.num_options = 1;
  args.key = "lr";
  args.value = 0.5;
  args.rows_array[0] = {0, 2};
  args.rows_array[1] = {4, 2};
  args.rows = args.rows_array;
  args.num_runs = 2;
  args.local_runs = 1;
  args.format = "text";
  args.plans_array[0] = args.ended_plan;
  args.plans = args.plans_array;
  args.num_plans = 1;
  args.limit_ns = kLimitNs;
  args.plugin = "answer";
  args.interface_id = "test.answer/1";
  args.query = QueryTestPlugin;
  args.cap = sizeof outputs.buf;
  static const float kSource[16] = {};
  args.min_age = GEEPS_AGE_NOW;
  args.source = kSource;
  args.values_bytes = sizeof kSource;
  args.rt_out = &outputs.rt;
  args.req_out = &outputs.req;
  args.table_out = &outputs.table;
  args.local_out = &outputs.local;
  args.plan_out = &outputs.plan;
  args.op_out = &outputs.op;
  args.info_out = &outputs.info;
  args.view_out = &outputs.view;
  args.fd_out = &outputs.fd;
  args.level_out = &outputs.level;
  args.buf = outputs.buf;
  args.len_out = &outputs.len;
  args.values_out = outputs.values;
  args.age_out = &outputs.age;
  args.interface_out = &outputs.interface;
  args.host_out = &outputs.host;
  outputs.info.struct_size = sizeof outputs.info;
  outputs.view.struct_size = sizeof outputs.view;
  Must(geeps_plugin_add(args.rt, QueryTestPlugin, &err), err);
}

void Situation::WalkTo(Stage stage) {
  geeps_error err = EmptyError();
  geeps_view view = {};
  view.struct_size = sizeof view;
  geeps_runtime* const rt = args.rt;
  if (stage >= kLook0) {
    args.read = look_read_;
    Must(geeps_pass_begin(rt, look_, &err), err);
    if (stage == kLook1) Must(geeps_read(rt, look_read_, nullptr, kLimitNs, &view, &err), err);
    return;
  }
  Must(geeps_pass_begin(rt, train_, &err), err);
  if (stage > kTrain0) Must(geeps_read(rt, args.read, nullptr, kLimitNs, &view, &err), err);
  if (stage > kTrain1) Must(geeps_post_read(rt, args.read, nullptr, &err), err);
  if (stage > kTrain2) Must(geeps_pre_update(rt, args.update, nullptr, kLimitNs, &view, &err), err);
  if (stage > kTrain3) Must(geeps_update(rt, args.update, nullptr, &err), err);
  if (stage > kTrain4) Must(geeps_access_local(rt, args.local_op, nullptr, kLimitNs, &view, &err), err);
  if (stage > kTrain5) Must(geeps_post_local(rt, args.local_op, nullptr, &err), err);
  if (stage > kTrain6) Must(geeps_read(rt, args.optional_read, nullptr, kLimitNs, &view, &err), err);
  if (stage > kTrain7) Must(geeps_post_read(rt, args.optional_read, nullptr, &err), err);
}

}  // namespace geeps::misuse_test
