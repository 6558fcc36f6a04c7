// SPDX-License-Identifier: Apache-2.0
// Wrong arguments: for every function one argument is spoiled at a time (NULL, zero, out of range, stale, of another
// kind, of another runtime). The call is refused with a status and a sentence, writes nothing, and the right call works
// afterwards.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "tests/misuse/situation.h"

namespace geeps::misuse_test {
namespace {

// A parameter of a function that returns a status, but for the error, as the header declares it.
struct Parameter {
  const char* function;
  const char* name;
  const char* kind;  // handle, op, text, in, out, request_out, stream, number
  const char* type;  // of a handle
};

const std::vector<Parameter>& Parameters() {
  static const std::vector<Parameter> parameters = {
#include "parameters.inc"
  };
  return parameters;
}

struct Row {
  const char* function;
  const char* what;  // the name of the parameter, then what it is
  std::function<void(Arguments*)> spoil;
  geeps_status wanted = GEEPS_E_INVALID;
};

// What there is beside the situation at hand.
struct World {
  StaleHandles stale = MakeStaleHandles();
  Situation other{kCommitted, "other"};
};

template <typename T>
T* Foreign(const void* handle) {
  return const_cast<T*>(static_cast<const T*>(handle));
}

// Rows for every handle of every function: NULL, stale, foreign in kind, garbage.
template <typename T>
void AddHandleRows(const Parameter& parameter, T* Arguments::*field, T* stale, std::vector<Row>* rows) {
  static const int garbage = 0;
  static std::set<std::string> texts;  // rows point into it
  const char* const function = parameter.function;
  const auto text = [&](const char* what) {
    return texts.insert(std::string(parameter.name) + " " + what).first->c_str();
  };
  rows->push_back({function, text("NULL"), [field](Arguments* a) { a->*field = nullptr; }});
  rows->push_back({function, text("stale"), [field, stale](Arguments* a) { a->*field = stale; }});
  rows->push_back({function, text("garbage"), [field](Arguments* a) { a->*field = Foreign<T>(&garbage); }});
  rows->push_back({function, text("odd"), [field](Arguments* a) { a->*field = reinterpret_cast<T*>(uintptr_t{7}); }});
  rows->push_back({function, text("a table or plan"), [field](Arguments* a) {
                     const bool is_table = std::is_same_v<T, geeps_table>;
                     a->*field = is_table ? Foreign<T>(a->ended_plan) : Foreign<T>(a->table);
                   }});
  rows->push_back({function, text("a runtime or local"), [field](Arguments* a) {
                     const bool is_runtime = std::is_same_v<T, geeps_runtime>;
                     a->*field = is_runtime ? Foreign<T>(a->local) : Foreign<T>(a->rt);
                   }});
}

// By the type of the function's first handle and of its others.
std::vector<Row> HandleRows(const StaleHandles& stale) {
  std::vector<Row> rows;
  for (const Parameter& parameter : Parameters()) {
    const std::string type = parameter.type;
    const std::string name = parameter.name;
    if (name == "next") continue;  // below
    if (type == "geeps_runtime") AddHandleRows(parameter, &Arguments::rt, stale.rt, &rows);
    if (type == "geeps_request") AddHandleRows(parameter, &Arguments::req, stale.req, &rows);
    if (type == "geeps_table") AddHandleRows(parameter, &Arguments::table, stale.table, &rows);
    if (type == "geeps_local") AddHandleRows(parameter, &Arguments::local, stale.local, &rows);
    if (type != "geeps_plan") continue;
    geeps_plan* Arguments::*const field = name == "plan" ? &Arguments::committed_plan
                                          : std::string(parameter.function) == "geeps_plan_explain"
                                              ? &Arguments::ended_plan
                                              : &Arguments::open_plan;
    AddHandleRows(parameter, field, stale.plan, &rows);
  }
  return rows;
}

// `next` may be NULL, so it has no rows from AddHandleRows.
void AddNextRows(const char* function, const World& world, std::vector<Row>* rows) {
  rows->push_back({function, "next stale", [&](Arguments* a) { a->next_plan = world.stale.plan; }});
  rows->push_back({function, "next a table", [](Arguments* a) { a->next_plan = Foreign<geeps_plan>(a->table); }});
  rows->push_back(
      {function, "next of another runtime", [&](Arguments* a) { a->next_plan = world.other.args.committed_plan; }});
  rows->push_back({function, "next not committed", [](Arguments* a) { a->next_plan = a->ended_plan; }, GEEPS_E_STATE});
}

std::vector<Row> ForeignRuntimeRows(const World& world) {
  std::vector<Row> rows;
  const Arguments& other = world.other.args;
  for (const char* f : {"geeps_plan_read", "geeps_plan_pre_update"}) {
    rows.push_back({f, "t of another runtime", [&](Arguments* a) { a->table = other.table; }});
  }
  rows.push_back({"geeps_plan_access_local", "l of another runtime", [&](Arguments* a) { a->local = other.local; }});
  rows.push_back(
      {"geeps_pass_begin", "plan of another runtime", [&](Arguments* a) { a->committed_plan = other.committed_plan; }});
  rows.push_back({"geeps_pass_begin", "plan not committed", [](Arguments* a) { a->committed_plan = a->ended_plan; },
                  GEEPS_E_STATE});
  rows.push_back({"geeps_commit", "plans with one of another runtime",
                  [&](Arguments* a) { a->plans_array[0] = other.ended_plan; }});
  rows.push_back(
      {"geeps_commit", "plans with a stale one", [&](Arguments* a) { a->plans_array[0] = world.stale.plan; }});
  rows.push_back({"geeps_commit", "plans with NULL", [](Arguments* a) { a->plans_array[0] = nullptr; }});
  rows.push_back(
      {"geeps_commit", "plans with a table", [](Arguments* a) { a->plans_array[0] = Foreign<geeps_plan>(a->table); }});
  rows.push_back({"geeps_commit", "plans with one not ended", [](Arguments* a) { a->plans_array[0] = a->open_plan; },
                  GEEPS_E_STATE});
  rows.push_back({"geeps_commit", "plans with one twice",
                  [](Arguments* a) { a->plans_array[1] = a->plans_array[0], a->num_plans = 2; }});
  rows.push_back({"geeps_commit", "plans NULL", [](Arguments* a) { a->plans = nullptr; }});
  rows.push_back({"geeps_commit", "num_plans 2^63", [](Arguments* a) { a->num_plans = uint64_t{1} << 63; }});
  AddNextRows("geeps_clock", world, &rows);
  AddNextRows("geeps_pass_end", world, &rows);
  return rows;
}

std::vector<Row> OutputRows() {
  std::vector<Row> rows;
  rows.push_back({"geeps_runtime_create", "out NULL", [](Arguments* a) { a->rt_out = nullptr; }});
  rows.push_back({"geeps_runtime_create", "config NULL", [](Arguments* a) { a->config_ptr = nullptr; }});
  rows.push_back({"geeps_runtime_get_info", "out NULL", [](Arguments* a) { a->info_out = nullptr; }});
  for (const char* f : {"geeps_runtime_get_event_fd", "geeps_request_get_event_fd"}) {
    rows.push_back({f, "fd NULL", [](Arguments* a) { a->fd_out = nullptr; }});
  }
  rows.push_back({"geeps_log_take", "level NULL", [](Arguments* a) { a->level_out = nullptr; }});
  rows.push_back({"geeps_table_create", "out NULL", [](Arguments* a) { a->table_out = nullptr; }});
  rows.push_back({"geeps_local_create", "out NULL", [](Arguments* a) { a->local_out = nullptr; }});
  rows.push_back({"geeps_plan_create", "out NULL", [](Arguments* a) { a->plan_out = nullptr; }});
  for (const char* f : {"geeps_plan_read", "geeps_plan_pre_update", "geeps_plan_access_local"}) {
    rows.push_back({f, "out NULL", [](Arguments* a) { a->op_out = nullptr; }});
  }
  for (const char* f : {"geeps_read", "geeps_pre_update", "geeps_access_local"}) {
    rows.push_back({f, "out NULL", [](Arguments* a) { a->view_out = nullptr; }});
  }
  for (const char* f : {"geeps_log_take", "geeps_runtime_get_stats", "geeps_plan_explain"}) {
    rows.push_back({f, "buf NULL with cap", [](Arguments* a) { a->buf = nullptr; }});
    rows.push_back({f, "len NULL", [](Arguments* a) { a->len_out = nullptr; }});
  }
  rows.push_back(
      {"geeps_plugin_get_interface", "interface_out NULL", [](Arguments* a) { a->interface_out = nullptr; }});
  rows.push_back({"geeps_plugin_get_interface", "host_out NULL", [](Arguments* a) { a->host_out = nullptr; }});
  return rows;
}

const char* LongName() {
  static const std::string name(10000, 'x');
  return name.c_str();
}

std::vector<Row> TextRows() {
  std::vector<Row> rows;
  for (const char* f : {"geeps_table_create", "geeps_local_create", "geeps_plan_create"}) {
    rows.push_back({f, "name NULL", [](Arguments* a) { a->name = nullptr; }});
    rows.push_back({f, "name empty", [](Arguments* a) { a->name = ""; }});
    rows.push_back({f, "name too long", [](Arguments* a) { a->name = LongName(); }});
  }
  rows.push_back({"geeps_table_create", "name there already", [](Arguments* a) { a->name = "t"; }});
  rows.push_back({"geeps_local_create", "name there already", [](Arguments* a) { a->name = "l"; }});
  rows.push_back({"geeps_runtime_abort", "text NULL", [](Arguments* a) { a->text = nullptr; }});
  rows.push_back({"geeps_table_set_param", "key NULL", [](Arguments* a) { a->key = nullptr; }});
  rows.push_back({"geeps_table_set_param", "key empty", [](Arguments* a) { a->key = ""; }});
  rows.push_back({"geeps_table_set_param", "key unknown", [](Arguments* a) { a->key = "rate"; }});
  rows.push_back({"geeps_plan_explain", "format NULL", [](Arguments* a) { a->format = nullptr; }});
  rows.push_back({"geeps_plan_explain", "format unknown", [](Arguments* a) { a->format = "xml"; }});
  rows.push_back(
      {"geeps_plan_explain", "p not ended", [](Arguments* a) { a->ended_plan = a->open_plan; }, GEEPS_E_STATE});
  rows.push_back({"geeps_plugin_get_interface", "name NULL", [](Arguments* a) { a->plugin = nullptr; }});
  rows.push_back({"geeps_plugin_load", "name_or_path NULL", [](Arguments* a) { a->plugin = nullptr; }});
  rows.push_back({"geeps_plugin_load", "name_or_path empty", [](Arguments* a) { a->plugin = ""; }});
  rows.push_back(
      {"geeps_plugin_load", "name_or_path of nothing", [](Arguments* a) { a->plugin = "nothing"; }, GEEPS_E_NOT_FOUND});
  rows.push_back({"geeps_plugin_load", "name_or_path of no file",
                  [](Arguments* a) { a->plugin = "/nowhere/geeps_x.so"; }, GEEPS_E_NOT_FOUND});
  rows.push_back({"geeps_plugin_get_interface", "name not loaded", [](Arguments* a) { a->plugin = "nothing"; },
                  GEEPS_E_NOT_FOUND});
  rows.push_back({"geeps_plugin_get_interface", "id NULL", [](Arguments* a) { a->interface_id = nullptr; }});
  rows.push_back({"geeps_plugin_get_interface", "id unknown", [](Arguments* a) { a->interface_id = "test.question/1"; },
                  GEEPS_E_NOT_FOUND});
  rows.push_back({"geeps_plugin_add", "query NULL", [](Arguments* a) { a->query = nullptr; }});
  rows.push_back({"geeps_plugin_add", "query that gives NULL",
                  [](Arguments* a) { a->query = [](uint32_t) -> const geeps_plugin* { return nullptr; }; },
                  GEEPS_E_ABI});
  return rows;
}

std::vector<Row> NumberRows() {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  std::vector<Row> rows;
  for (const auto& [f, size] :
       {std::pair("geeps_table_create", "row_values"), std::pair("geeps_local_create", "row_bytes")}) {
    rows.push_back({f, "num_rows 0", [](Arguments* a) { a->num_rows = 0; }});
    rows.push_back({f, size, [](Arguments* a) { a->row_values = 0; }});
    rows.push_back({f, "num_rows 2^64 - 1", [](Arguments* a) { a->num_rows = kMax; }});
    rows.push_back({f, size, [](Arguments* a) { a->row_values = kMax; }});
    rows.push_back({f, "num_rows 2^32 of 2^32", [](Arguments* a) { a->num_rows = a->row_values = uint64_t{1} << 32; }});
  }
  rows.push_back(
      {"geeps_table_create", "options NULL", [](Arguments* a) { a->options = nullptr, a->num_options = 1; }});
  for (const uint32_t dtype : {0u, 1u, uint32_t{GEEPS_U8}, uint32_t{GEEPS_I64}, 0x022002u, 0x020801u, ~0u}) {
    rows.push_back({"geeps_table_create", "dtype", [dtype](Arguments* a) { a->dtype = dtype; }, GEEPS_E_UNSUPPORTED});
  }
  for (const double value : {std::nan(""), static_cast<double>(INFINITY), static_cast<double>(-INFINITY)}) {
    rows.push_back({"geeps_table_set_param", "value not finite", [value](Arguments* a) { a->value = value; }});
  }
  for (const auto& [f, bytes] :
       {std::pair("geeps_table_set", "src_bytes"), std::pair("geeps_table_get", "dst_bytes")}) {
    rows.push_back({f, "num_runs 0", [](Arguments* a) { a->num_runs = 0; }});
    rows.push_back({f, "num_runs 2^63", [](Arguments* a) { a->num_runs = uint64_t{1} << 63; }});
    rows.push_back({f, "rows NULL", [](Arguments* a) { a->rows = nullptr; }});
    rows.push_back({f, "rows beyond the end", [](Arguments* a) { a->rows_array[1] = {7, 2}; }});
    rows.push_back({f, bytes, [](Arguments* a) { a->values_bytes -= 4; }});
    rows.push_back({f, bytes, [](Arguments* a) { a->values_bytes = 0; }});
  }
  rows.push_back({"geeps_table_set", "src NULL", [](Arguments* a) { a->source = nullptr; }});
  rows.push_back({"geeps_table_set", "flags unknown", [](Arguments* a) { a->flags = 2; }});
  rows.push_back({"geeps_table_get", "dst NULL", [](Arguments* a) { a->values_out = nullptr; }});
  rows.push_back({"geeps_table_get", "min_age above the clock", [](Arguments* a) { a->min_age = 1000; }});
  for (const char* f : {"geeps_plan_read", "geeps_plan_pre_update", "geeps_plan_access_local"}) {
    rows.push_back({f, "rows NULL", [](Arguments* a) { a->rows = nullptr; }});
    rows.push_back({f, "rows beyond the end", [](Arguments* a) { a->local_runs = 2, a->rows_array[1] = {7, 2}; }});
    rows.push_back({f, "rows that begin beyond the end", [](Arguments* a) {
                      a->local_runs = 2, a->rows_array[1] = {8, 1};
                    }});
    rows.push_back({f, "rows that wrap around", [](Arguments* a) {
                      a->local_runs = 2, a->rows_array[1] = {5, kMax - 4};
                    }});
    rows.push_back({f, "rows from 2^64 - 1", [](Arguments* a) { a->local_runs = 2, a->rows_array[1] = {kMax, 1}; }});
    rows.push_back({f, "rows of an empty run", [](Arguments* a) { a->local_runs = 2, a->rows_array[1] = {5, 0}; }});
    rows.push_back({f, "rows that overlap", [](Arguments* a) { a->local_runs = 2, a->rows_array[1] = {1, 2}; }});
    rows.push_back({f, "rows that descend",
                    [](Arguments* a) { a->local_runs = 2, std::swap(a->rows_array[0], a->rows_array[1]); }});
    rows.push_back({f, "rows behind a run to the end", [](Arguments* a) {
                      a->local_runs = 2, a->rows_array[0] = {0, GEEPS_TO_END};
                    }});
    rows.push_back({f, "num_runs 2^63", [](Arguments* a) { a->num_runs = a->local_runs = uint64_t{1} << 63; }});
    rows.push_back({f, "flags unknown", [](Arguments* a) { a->flags = 0x8000; }});
    rows.push_back({f, "flags with a slack", [](Arguments* a) { a->flags = 2; }});
  }
  for (const uint32_t slack : {GEEPS_SLACK_MAX + 1, ~0u}) {
    rows.push_back({"geeps_plan_read", "slack", [slack](Arguments* a) { a->slack = slack; }});
  }
  rows.push_back({"geeps_plan_read", "flags of an update", [](Arguments* a) { a->flags = GEEPS_UPDATE_ZEROED; }});
  rows.push_back({"geeps_plan_pre_update", "flags of a read", [](Arguments* a) { a->flags = GEEPS_READ_COPY; }});
  rows.push_back({"geeps_plan_access_local", "flags of a read", [](Arguments* a) { a->flags = GEEPS_READ_COPY; }});
  rows.push_back({"geeps_plan_end", "flags unknown", [](Arguments* a) { a->flags = 0x80; }});
  return rows;
}

std::vector<Row> OperationRows() {
  std::vector<Row> rows;
  const geeps_op kBad[] = {0, 1, ~geeps_op{0}, geeps_op{1} << 63};
  for (const geeps_op op : kBad) {
    rows.push_back({"geeps_plan_post_read", "op", [op](Arguments* a) { a->recorded_read = op; }});
    rows.push_back({"geeps_plan_update", "op", [op](Arguments* a) { a->recorded_update = op; }});
    rows.push_back({"geeps_plan_post_local", "op", [op](Arguments* a) { a->recorded_local = op; }});
    for (const char* f : {"geeps_read", "geeps_post_read"})
      rows.push_back({f, "op", [op](Arguments* a) { a->read = op; }});
    for (const char* f : {"geeps_pre_update", "geeps_update"})
      rows.push_back({f, "op", [op](Arguments* a) { a->update = op; }});
    for (const char* f : {"geeps_access_local", "geeps_post_local"})
      rows.push_back({f, "op", [op](Arguments* a) { a->local_op = op; }});
    rows.push_back({"geeps_skip", "op", [op](Arguments* a) { a->optional_read = op; }});
  }
  // Operations of another kind, and of a plan that is not walked.
  rows.push_back(
      {"geeps_plan_post_read", "op of an update", [](Arguments* a) { a->recorded_read = a->recorded_update; }});
  rows.push_back({"geeps_plan_update", "op of a read", [](Arguments* a) { a->recorded_update = a->recorded_read; }});
  rows.push_back({"geeps_plan_post_local", "op of a read", [](Arguments* a) { a->recorded_local = a->recorded_read; }});
  rows.push_back({"geeps_plan_post_read", "op of another plan", [](Arguments* a) { a->recorded_read = a->read; }});
  for (const char* f : {"geeps_read", "geeps_post_read"}) {
    rows.push_back({f, "op of an update", [](Arguments* a) { a->read = a->update; }});
    rows.push_back({f, "op of another plan", [](Arguments* a) { a->read = a->recorded_read; }});
  }
  for (const char* f : {"geeps_pre_update", "geeps_update"}) {
    rows.push_back({f, "op of a read", [](Arguments* a) { a->update = a->read; }});
  }
  for (const char* f : {"geeps_access_local", "geeps_post_local"}) {
    rows.push_back({f, "op of a read", [](Arguments* a) { a->local_op = a->read; }});
  }
  rows.push_back({"geeps_skip", "op of another plan", [](Arguments* a) { a->optional_read = a->recorded_read; }});
  return rows;
}

std::vector<Row> StreamRows() {
  static const geeps_stream kUnknownKind = {sizeof(geeps_stream), 7, 0};
  static const geeps_stream kNoSize = {0, GEEPS_STREAM_HOST, 0};
  static const geeps_stream kDevice = {sizeof(geeps_stream), GEEPS_STREAM_DEVICE, 0x1234};
  std::vector<Row> rows;
  for (const char* f : {"geeps_skip", "geeps_read", "geeps_post_read", "geeps_pre_update", "geeps_update",
                        "geeps_access_local", "geeps_post_local"}) {
    rows.push_back({f, "stream of an unknown kind", [](Arguments* a) { a->stream = &kUnknownKind; }});
    rows.push_back({f, "stream without size", [](Arguments* a) { a->stream = &kNoSize; }, GEEPS_E_ABI});
    rows.push_back(
        {f, "stream of a device on the host", [](Arguments* a) { a->stream = &kDevice; }, GEEPS_E_UNSUPPORTED});
  }
  return rows;
}

// One spoiled call, with an error struct and without: same status, a text, nothing written.
void ExpectRefused(const Row& row, Situation* situation) {
  CAPTURE(std::string(row.function));
  CAPTURE(std::string(row.what));
  const Function& function = FunctionNamed(row.function);
  Arguments spoiled = situation->args;
  // Pointers into the arguments go with the copy.
  if (spoiled.rows == situation->args.rows_array) spoiled.rows = spoiled.rows_array;
  if (spoiled.plans == situation->args.plans_array) spoiled.plans = spoiled.plans_array;
  if (spoiled.config_ptr == &situation->args.config) spoiled.config_ptr = &spoiled.config;
  row.spoil(&spoiled);
  Outputs before;
  std::memcpy(&before, &situation->outputs, sizeof before);
  geeps_error err = EmptyError();
  const geeps_status status = function.call(spoiled, &err);
  CHECK_MESSAGE(status == row.wanted, Text(status, err));
  CHECK(err.code == status);
  CHECK(err.message[0] != 0);
  CHECK(std::memchr(err.message, 0, sizeof err.message) != nullptr);
  CHECK((err.flags & GEEPS_ERROR_LATCHED) == 0);
  CHECK(function.call(spoiled, nullptr) == status);
  CHECK(std::memcmp(&before, &situation->outputs, sizeof before) == 0);
}

std::vector<Row> AllRows(const World& world) {
  std::vector<Row> all;
  for (const auto& rows : {HandleRows(world.stale), ForeignRuntimeRows(world), OutputRows(), TextRows(), NumberRows(),
                           OperationRows(), StreamRows()}) {
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return all;
}

}  // namespace

TEST_CASE("every wrong argument of every function gets a status and a text, and the right call works afterwards") {
  const World world;
  const std::vector<Row> rows = AllRows(world);
  for (const Function& function : AllFunctions()) {
    Situation situation(function.stage);
    for (const Row& row : rows) {
      if (std::string(row.function) == function.name) ExpectRefused(row, &situation);
    }
    if (std::string(function.name) == "geeps_plugin_load") continue;  // nothing to load by name is certain to be there
    geeps_error err = EmptyError();
    CAPTURE(std::string(function.name));
    const geeps_status status = function.call(situation.args, &err);
    CHECK_MESSAGE(status == GEEPS_OK, Text(status, err));
  }
}

TEST_CASE("every function of the header has rows here or is one that cannot fail") {
  const char* const declared[] = {
#include "functions.inc"
  };
  const World world;
  std::set<std::string> covered(FunctionsWithoutStatus().begin(), FunctionsWithoutStatus().end());
  std::set<std::string> with_rows;
  for (const Row& row : AllRows(world)) with_rows.insert(row.function);
  for (const Function& function : AllFunctions()) {
    CHECK_MESSAGE(with_rows.count(function.name) == 1, std::string(function.name) << " has no wrong arguments");
    covered.insert(function.name);
  }
  const std::set<std::string> wanted(std::begin(declared), std::end(declared));
  for (const std::string& name : wanted) CHECK_MESSAGE(covered.count(name) == 1, name << " is not tested");
  for (const std::string& name : covered) CHECK_MESSAGE(wanted.count(name) == 1, name << " is not in the header");
}

TEST_CASE("every parameter of every function is spoiled in every way that its kind has") {
  const std::map<std::string, std::vector<std::string>> ways = {
      {"handle", {"NULL", "stale", "garbage", "odd", "a table or plan", "a runtime or local"}},
      {"op", {""}},
      {"text", {"NULL"}},
      {"in", {"NULL"}},
      {"out", {"NULL"}},
      {"request_out", {}},  // NULL: the call waits
      {"stream", {"of an unknown kind", "without size", "of a device on the host"}},
      {"number", {""}},
  };
  // Where what another parameter of its kind must not be is right.
  const std::set<std::string> right = {
      "geeps_pass_end next NULL",
      "geeps_pass_end next garbage",
      "geeps_pass_end next odd",
      "geeps_clock next NULL",
      "geeps_clock next garbage",
      "geeps_clock next odd",
      "geeps_pass_end next a runtime or local",
      "geeps_clock next a runtime or local",
      "geeps_pass_end next a table or plan",
      "geeps_clock next a table or plan",
      "geeps_table_get age NULL",  // not wanted
      "geeps_log_take buf NULL",   // with cap 0: how long is it
      "geeps_runtime_get_stats buf NULL",
      "geeps_plan_explain buf NULL",
      "geeps_log_take cap",  // any number
      "geeps_runtime_get_stats cap",
      "geeps_plan_explain cap",
      "geeps_request_wait limit_ns",
      "geeps_read limit_ns",
      "geeps_pre_update limit_ns",
      "geeps_access_local limit_ns",
      "geeps_table_create num_options",  // with right options: counts them
  };
  const World world;
  std::set<std::string> rows;
  std::set<std::string> parameters;
  for (const Row& row : AllRows(world)) {
    const std::string what = row.what;
    rows.insert(std::string(row.function) + " " + what);
    rows.insert(std::string(row.function) + " " + what.substr(0, what.find(' ')));
  }
  uint32_t num_ways = 0;
  for (const Parameter& parameter : Parameters()) {
    const std::string name = std::string(parameter.function) + " " + parameter.name;
    parameters.insert(name);
    REQUIRE_MESSAGE(ways.count(parameter.kind) == 1, std::string(parameter.kind));
    for (const std::string& way : ways.at(parameter.kind)) {
      const std::string wanted = way.empty() ? name : name + " " + way;
      const bool is_right = right.count(wanted) == 1;
      CHECK_MESSAGE((rows.count(wanted) == 1) != is_right, wanted << (is_right ? " is refused" : " is not tried"));
      num_ways += is_right ? 0 : 1;
    }
  }
  for (const Row& row : AllRows(world)) {
    const std::string what = row.what;
    const std::string name = std::string(row.function) + " " + what.substr(0, what.find(' '));
    CHECK_MESSAGE(parameters.count(name) == 1, name << " is no parameter");
  }
  CHECK(num_ways >= 250);
}

TEST_CASE("functions that cannot fail take everything") {
  const World world;
  CHECK(geeps_abi_version() == GEEPS_ABI_VERSION);
  CHECK(std::strlen(geeps_version()) > 0);
  CHECK(std::string(geeps_status_name(GEEPS_E_STATE)) == "GEEPS_E_STATE");
  for (const geeps_status status : {12345, -12345, std::numeric_limits<geeps_status>::min()}) {
    CHECK(std::string(geeps_status_name(status)) == "GEEPS_E_?");
  }
  for (int round = 0; round < 2; ++round) {  // the second time they have been destroyed twice
    geeps_request_destroy(world.stale.req);
    geeps_table_destroy(world.stale.table);
    geeps_local_destroy(world.stale.local);
    geeps_plan_destroy(world.stale.plan);
    geeps_runtime_destroy(world.stale.rt);
  }
  geeps_request_destroy(nullptr);
  geeps_table_destroy(nullptr);
  geeps_local_destroy(nullptr);
  geeps_plan_destroy(nullptr);
  geeps_runtime_destroy(nullptr);
  Situation situation(kCommitted);
  const Arguments& a = situation.args;
  geeps_request_destroy(Foreign<geeps_request>(a.rt));
  geeps_table_destroy(Foreign<geeps_table>(a.open_plan));
  geeps_local_destroy(Foreign<geeps_local>(a.table));
  geeps_plan_destroy(Foreign<geeps_plan>(a.table));
  geeps_runtime_destroy(Foreign<geeps_runtime>(a.table));
  geeps_error err = EmptyError();
  CHECK(geeps_fence(a.rt, nullptr, &err) == GEEPS_OK);
}

TEST_CASE("a handle that was destroyed is refused, also when its place is used again") {
  Situation situation(kStarted);
  const Arguments& a = situation.args;
  geeps_error err = EmptyError();
  for (int round = 0; round < 100; ++round) {
    geeps_plan* first = nullptr;
    geeps_plan* second = nullptr;
    REQUIRE(geeps_plan_create(a.rt, "x", &first, &err) == GEEPS_OK);
    geeps_plan_destroy(first);
    REQUIRE(geeps_plan_create(a.rt, "x", &second, &err) == GEEPS_OK);
    CHECK(geeps_plan_end(first, 0, &err) == GEEPS_E_INVALID);
    CHECK(geeps_plan_end(second, 0, &err) == GEEPS_OK);
    geeps_plan_destroy(second);
  }
}

}  // namespace geeps::misuse_test
