// SPDX-License-Identifier: Apache-2.0
// Sequences of calls of the C ABI over a small set of handles: right ones, stale ones, those of another runtime or of
// another kind, and numbers that were never handles; in any order, with arguments that are right or wrong. A call has a
// documented status and, when it fails, a sentence and untouched outputs; nothing waits for what cannot come; memory
// that was handed out can be used until it is handed back.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>

#include "geeps.h"
#include "geeps_plugin.h"
#include "tests/fuzz/fuzz.h"

namespace geeps::fuzz {
namespace {

constexpr int kStepsMax = 120;
constexpr size_t kRuntimesMax = 3;
constexpr size_t kObjectsMax = 12;
constexpr uint64_t kLongNs = 20'000'000'000;  // a call that takes so long hangs

enum Op : uint8_t {
  kCreate,
  kStart,
  kShutdown,
  kFence,
  kCommit,
  kWait,
  kTable,
  kLocal,
  kPlan,
  kPlanRead,
  kPlanUpdate,
  kPlanLocal,
  kPlanSecond,  // post_read, update, post_local
  kPlanEnd,
  kExplain,
  kPassBegin,
  kPassEnd,
  kClock,
  kSkip,
  kFirst,   // read, pre_update, access_local
  kSecond,  // post_read, update, post_local
  kSetParam,
  kSet,
  kGet,
  kLook,  // info, statistics, log, descriptors
  kAbort,
  kPlugin,
  kDestroy,
  kNumOps
};
enum Kind : uint8_t { kRuntimes, kTables, kLocals, kPlans, kRequests, kNumKinds };
// How a handle is named: by its number among those of its kind that were ever made. From kOtherKind on the next byte
// names one of any kind, from kNumber on the next eight are the handle.
constexpr uint8_t kOtherKind = 0xe0;
constexpr uint8_t kNumber = 0xf0;

geeps_error MakeError() {
  geeps_error err = {};
  err.struct_size = sizeof err;
  return err;
}

const void* TestInterface(const char* id) { return std::strcmp(id, "test/1") == 0 ? id : nullptr; }
const geeps_plugin* QueryPlugin(uint32_t) {
  static const geeps_plugin plugin = {sizeof(geeps_plugin), GEEPS_PLUGIN_ABI, "answer", "1", "Apache-2.0", "",
                                      TestInterface};
  return &plugin;
}
const geeps_plugin* QueryNothing(uint32_t) { return nullptr; }

class Session {
 public:
  explicit Session(Input* input) : input_(*input) {}
  ~Session() {
    for (void* const handle : handles_[kRuntimes]) geeps_runtime_destroy(static_cast<geeps_runtime*>(handle));
  }
  void Run() {
    for (int i = 0; i < kStepsMax && !input_.done(); ++i) Act();
  }

 private:
  // --- arguments ---

  template <typename T>
  T* Handle(Kind kind) {
    const uint8_t byte = input_.Byte();
    if (byte >= kNumber) return reinterpret_cast<T*>(static_cast<uintptr_t>(input_.Number<uint64_t>()));
    size_t index = byte;
    if (byte >= kOtherKind) {
      const uint8_t next = input_.Byte();
      kind = static_cast<Kind>(next % kNumKinds);
      index = next / kNumKinds;
    }
    const std::vector<void*>& made = handles_[kind];
    return index < made.size() ? static_cast<T*>(made[index]) : nullptr;
  }
  geeps_runtime* Runtime() { return Handle<geeps_runtime>(kRuntimes); }

  geeps_op AnyOp() {
    const uint8_t byte = input_.Byte();
    if (byte >= kNumber) return input_.Number<uint64_t>();
    return byte < ops_.size() ? ops_[byte] : 0;
  }

  struct Rows {
    std::unique_ptr<geeps_rows[]> runs;
    uint64_t num = 0;
  };
  // Memory for exactly the runs that are told.
  Rows AnyRows() {
    Rows rows;
    rows.num = input_.Below(4);
    rows.runs.reset(new geeps_rows[rows.num]);
    for (uint64_t i = 0; i < rows.num; ++i) {
      const uint8_t first = input_.Byte();
      const uint8_t count = input_.Byte();
      rows.runs[i] = {first, count == 255 ? GEEPS_TO_END : count};
    }
    return rows;
  }

  std::string AnyName() {
    static const char* const kNames[] = {"a", "b", "c", "", "a/b", "\xff"};
    return kNames[input_.Below(6)];
  }
  uint64_t AnyLimit() { return input_.Flag() ? 0 : kLongNs; }
  uint32_t AnyFlags() {
    static constexpr uint32_t kFlags[] = {0,
                                          GEEPS_OP_OPTIONAL,
                                          GEEPS_READ_COPY,
                                          GEEPS_UPDATE_ZEROED,
                                          GEEPS_LOCAL_FETCH,
                                          GEEPS_LOCAL_KEEP,
                                          0x80000000u,
                                          GEEPS_OP_OPTIONAL | GEEPS_UPDATE_ZEROED};
    return kFlags[input_.Below(8)];
  }
  uint8_t* Memory(uint64_t bytes) {
    memory_.emplace_back(new uint8_t[bytes]());
    return memory_.back().get();
  }

  // --- judgement ---

  geeps_status Judge(geeps_status status, const geeps_error& err, bool untouched = true) {
    FUZZ_CHECK(status >= GEEPS_E_ABORTED && status <= GEEPS_END && status != GEEPS_E_INTERNAL);
    FUZZ_CHECK(status != GEEPS_E_TIMEOUT);  // nothing here takes as long as the limits are
    FUZZ_CHECK(status >= 0 || (err.code == status && err.message[0] != 0));
    FUZZ_CHECK(status == GEEPS_OK || untouched);
    return status;
  }
  template <typename T>
  void Keep(Kind kind, geeps_status status, const geeps_error& err, T* handle) {
    Judge(status, err, handle == nullptr);
    FUZZ_CHECK((status == GEEPS_OK) == (handle != nullptr));
    if (handle != nullptr) handles_[kind].push_back(const_cast<void*>(static_cast<const void*>(handle)));
  }
  // A long call: with a request, or to its end.
  template <typename Call>
  void Long(const Call& call) {
    geeps_error err = MakeError();
    if (handles_[kRequests].size() < kObjectsMax && input_.Flag()) {
      geeps_request* request = nullptr;
      const geeps_status status = call(&request, &err);
      Keep(kRequests, status, err, request);
    } else {
      Judge(call(nullptr, &err), err);
    }
  }

  // --- calls ---

  void Act() {
    const uint32_t op = input_.Below(kNumOps);
    if (op <= kWait) return ActLife(op);
    if (op <= kExplain) return ActRecord(op);
    if (op <= kSecond) return ActPass(op);
    ActBeside(op);
  }

  void Create() {
    static const char* const kDevices[] = {"host", "deferred:lazy", "deferred:eager", "deferred:seeded:7", "none"};
    static const char* const kLevels[] = {"warning", "debug", "loud"};
    const geeps_kv options[] = {{"device", kDevices[input_.Below(5)]}, {"log_level", kLevels[input_.Below(3)]}};
    geeps_config config = {};
    config.struct_size = sizeof config;
    config.abi_version = GEEPS_ABI_VERSION;
    config.options = options;
    config.num_options = 2;
    if (handles_[kRuntimes].size() >= kRuntimesMax) return;
    geeps_runtime* rt = nullptr;
    geeps_error err = MakeError();
    const geeps_status status = geeps_runtime_create(&config, &rt, &err);
    Keep(kRuntimes, status, err, rt);
  }

  void ActLife(uint32_t op) {
    if (op == kCreate) return Create();
    if (op == kWait) {
      geeps_error err = MakeError();
      geeps_request* const request = Handle<geeps_request>(kRequests);
      Judge(geeps_request_wait(request, AnyLimit(), &err), err);
      return;
    }
    geeps_runtime* const rt = Runtime();
    if (op == kStart) Long([&](geeps_request** out, geeps_error* err) { return geeps_runtime_start(rt, out, err); });
    if (op == kShutdown)
      Long([&](geeps_request** out, geeps_error* err) { return geeps_runtime_shutdown(rt, out, err); });
    if (op == kFence) Long([&](geeps_request** out, geeps_error* err) { return geeps_fence(rt, out, err); });
    if (op != kCommit) return;
    const uint32_t num_plans = input_.Below(4);
    const std::unique_ptr<geeps_plan*[]> plans(new geeps_plan*[num_plans]);
    for (uint32_t i = 0; i < num_plans; ++i) plans[i] = Handle<geeps_plan>(kPlans);
    Long([&](geeps_request** out, geeps_error* err) { return geeps_commit(rt, plans.get(), num_plans, out, err); });
  }

  void CreateTable() {
    static const geeps_kv kOptions[] = {{"rule", "add"},        {"mode", "async"},   {"read_my_writes", "1"},
                                        {"rule", "adam"},       {"rows", "same"},    {"observer", "1"},
                                        {"init", "constant:1"}, {"rule", "nothing"}, {"param.lr", "0.5"}};
    static constexpr uint32_t kDTypes[] = {GEEPS_F32, GEEPS_F64, GEEPS_F16, GEEPS_BF16, GEEPS_U8};
    geeps_runtime* const rt = Runtime();
    const std::string name = AnyName();
    const uint64_t num_rows = input_.Below(64);
    const uint64_t row_values = input_.Below(16);
    const uint32_t dtype = kDTypes[input_.Below(5)];
    const uint32_t first = input_.Below(9);
    const uint64_t num_options = std::min<uint64_t>(input_.Below(3), 9 - first);
    if (handles_[kTables].size() >= kObjectsMax) return;
    geeps_table* table = nullptr;
    geeps_error err = MakeError();
    const geeps_status status =
        geeps_table_create(rt, name.c_str(), num_rows, row_values, dtype, kOptions + first, num_options, &table, &err);
    Keep(kTables, status, err, table);
  }

  void ActRecord(uint32_t op) {
    geeps_error err = MakeError();
    if (op == kTable) return CreateTable();
    if (op == kLocal) {
      geeps_runtime* const rt = Runtime();
      const std::string name = AnyName();
      const uint64_t num_rows = input_.Below(64);
      const uint64_t row_bytes = input_.Below(64);
      if (handles_[kLocals].size() >= kObjectsMax) return;
      geeps_local* local = nullptr;
      const geeps_status status = geeps_local_create(rt, name.c_str(), num_rows, row_bytes, &local, &err);
      return Keep(kLocals, status, err, local);
    }
    if (op == kPlan) {
      geeps_runtime* const rt = Runtime();
      const std::string name = AnyName();
      if (handles_[kPlans].size() >= kObjectsMax) return;
      geeps_plan* plan = nullptr;
      const geeps_status status = geeps_plan_create(rt, name.c_str(), &plan, &err);
      return Keep(kPlans, status, err, plan);
    }
    geeps_plan* const plan = Handle<geeps_plan>(kPlans);
    if (op == kPlanSecond) {
      const uint32_t which = input_.Below(3);
      const geeps_op second = AnyOp();
      Judge(which == 0   ? geeps_plan_post_read(plan, second, &err)
            : which == 1 ? geeps_plan_update(plan, second, &err)
                         : geeps_plan_post_local(plan, second, &err),
            err);
    } else if (op == kPlanEnd) {
      Judge(geeps_plan_end(plan, input_.Below(3), &err), err);
    } else if (op == kExplain) {
      const char* const format = input_.Flag() ? "json" : "text";
      uint64_t len = 0;
      char buf[256];
      Judge(geeps_plan_explain(plan, format, buf, sizeof buf, &len, &err), err, len == 0);
    } else {
      RecordFirst(op, plan);
    }
  }

  void RecordFirst(uint32_t op, geeps_plan* plan) {
    geeps_error err = MakeError();
    geeps_op made = 0;
    geeps_status status = GEEPS_OK;
    if (op == kPlanLocal) {
      geeps_local* const local = Handle<geeps_local>(kLocals);
      const Rows rows = AnyRows();
      status = geeps_plan_access_local(plan, local, rows.runs.get(), rows.num, AnyFlags(), &made, &err);
    } else {
      geeps_table* const table = Handle<geeps_table>(kTables);
      const Rows rows = AnyRows();
      const uint32_t flags = AnyFlags();
      status = op == kPlanRead
                   ? geeps_plan_read(plan, table, rows.runs.get(), rows.num, input_.Byte() % 70u, flags, &made, &err)
                   : geeps_plan_pre_update(plan, table, rows.runs.get(), rows.num, flags, &made, &err);
    }
    Judge(status, err, made == 0);
    if (status == GEEPS_OK && ops_.size() < kNumber) ops_.push_back(made);
  }

  void ActPass(uint32_t op) {
    geeps_error err = MakeError();
    geeps_runtime* const rt = Runtime();
    if (op == kPassBegin || op == kPassEnd || op == kClock) {
      geeps_plan* const plan = Handle<geeps_plan>(kPlans);
      Judge(op == kPassBegin ? geeps_pass_begin(rt, plan, &err)
            : op == kPassEnd ? geeps_pass_end(rt, plan, &err)
                             : geeps_clock(rt, plan, &err),
            err);
      return;
    }
    const geeps_op which = AnyOp();
    if (op == kSkip) {
      Judge(geeps_skip(rt, which, nullptr, &err), err);
    } else if (op == kFirst) {
      First(rt, which);
    } else {
      const uint32_t call = input_.Below(3);
      Judge(call == 0   ? geeps_post_read(rt, which, nullptr, &err)
            : call == 1 ? geeps_update(rt, which, nullptr, &err)
                        : geeps_post_local(rt, which, nullptr, &err),
            err);
    }
  }

  void First(geeps_runtime* rt, geeps_op which) {
    geeps_error err = MakeError();
    const uint32_t call = input_.Below(3);
    const uint64_t limit_ns = AnyLimit();
    geeps_view view = {};
    view.struct_size = sizeof view;
    const geeps_status status = call == 0   ? geeps_read(rt, which, nullptr, limit_ns, &view, &err)
                                : call == 1 ? geeps_pre_update(rt, which, nullptr, limit_ns, &view, &err)
                                            : geeps_access_local(rt, which, nullptr, limit_ns, &view, &err);
    Judge(status, err, view.data == nullptr && view.bytes == 0);
    if (status != GEEPS_OK) return;
    FUZZ_CHECK(view.bytes == view.num_rows * view.row_bytes && (view.bytes == 0) == (view.data == nullptr));
    uint8_t* const data = static_cast<uint8_t*>(view.data);
    if (call == 0) {
      uint8_t sum = 0;
      for (uint64_t i = 0; i < view.bytes; ++i) sum = static_cast<uint8_t>(sum + data[i]);
      read_sum_ = sum;
    } else if (view.bytes > 0) {
      std::memset(data, 0, view.bytes);
    }
  }

  void ActBeside(uint32_t op) {
    geeps_error err = MakeError();
    switch (op) {
      case kSetParam: {
        geeps_table* const table = Handle<geeps_table>(kTables);
        const char* const key = input_.Flag() ? "lr" : "none";
        static const double kValues[] = {0.5, -1, 0, HUGE_VAL, std::nan("")};
        Judge(geeps_table_set_param(table, key, kValues[input_.Below(5)], &err), err);
        break;
      }
      case kSet: {
        geeps_table* const table = Handle<geeps_table>(kTables);
        const Rows rows = AnyRows();
        const uint64_t bytes = input_.Number<uint16_t>();
        const std::unique_ptr<uint8_t[]> values(new uint8_t[bytes]());
        Judge(geeps_table_set(table, rows.runs.get(), rows.num, input_.Below(3), values.get(), bytes, &err), err);
        break;
      }
      case kGet:
        Get();
        break;
      case kLook:
        Look();
        break;
      case kAbort: {
        const std::string text = AnyName();
        Judge(geeps_runtime_abort(Runtime(), text.c_str(), &err), err);
        break;
      }
      case kPlugin:
        Plugin();
        break;
      default:
        Destroy();
        break;
    }
  }

  void Get() {
    geeps_table* const table = Handle<geeps_table>(kTables);
    const Rows rows = AnyRows();
    const uint64_t bytes = input_.Number<uint16_t>();
    const uint64_t age = input_.Flag() ? GEEPS_AGE_NOW : input_.Byte();
    uint8_t* const values = Memory(bytes);
    uint64_t* const seen = reinterpret_cast<uint64_t*>(Memory(sizeof(uint64_t)));
    Long([&](geeps_request** out, geeps_error* err) {
      return geeps_table_get(table, rows.runs.get(), rows.num, age, values, bytes, seen, out, err);
    });
  }

  void Look() {
    geeps_error err = MakeError();
    const uint32_t what = input_.Below(5);
    if (what == 4) {
      int32_t fd = -1;
      geeps_request* const request = Handle<geeps_request>(kRequests);
      Judge(geeps_request_get_event_fd(request, &fd, &err), err, fd == -1);
      return;
    }
    geeps_runtime* const rt = Runtime();
    char buf[200];
    uint64_t len = 0;
    int32_t value = -1;
    if (what == 0) {
      geeps_info info = {};
      info.struct_size = sizeof info;
      if (Judge(geeps_runtime_get_info(rt, &info, &err), err, info.world == 0) == GEEPS_OK) FUZZ_CHECK(info.world == 1);
    }
    if (what == 1) Judge(geeps_runtime_get_stats(rt, buf, sizeof buf, &len, &err), err, len == 0);
    if (what == 2) Judge(geeps_log_take(rt, &value, buf, sizeof buf, &len, &err), err, len == 0 && value == -1);
    if (what == 3) Judge(geeps_runtime_get_event_fd(rt, &value, &err), err, value == -1);
  }

  void Plugin() {
    geeps_error err = MakeError();
    geeps_runtime* const rt = Runtime();
    const uint32_t what = input_.Below(5);
    const void* interface = nullptr;
    const geeps_host* host = nullptr;
    if (what == 0) Judge(geeps_plugin_add(rt, QueryPlugin, &err), err);
    if (what == 1) Judge(geeps_plugin_add(rt, QueryNothing, &err), err);
    if (what == 2) Judge(geeps_plugin_load(rt, "answer", &err), err);
    if (what == 3) Judge(geeps_plugin_load(rt, "/nowhere/x.so", &err), err);
    if (what == 4) {
      const char* const id = input_.Flag() ? "test/1" : "test/2";
      Judge(geeps_plugin_get_interface(rt, "answer", id, &interface, &host, &err), err, interface == nullptr);
    }
  }

  // The handles stay in the lists: stale from now on.
  void Destroy() {
    switch (input_.Below(kNumKinds)) {
      case kRuntimes:
        geeps_runtime_destroy(Runtime());
        break;
      case kTables:
        geeps_table_destroy(Handle<geeps_table>(kTables));
        break;
      case kLocals:
        geeps_local_destroy(Handle<geeps_local>(kLocals));
        break;
      case kPlans:
        geeps_plan_destroy(Handle<geeps_plan>(kPlans));
        break;
      default:
        geeps_request_destroy(Handle<geeps_request>(kRequests));
        break;
    }
  }

  Input& input_;
  std::vector<void*> handles_[kNumKinds];
  std::vector<geeps_op> ops_;
  std::vector<std::unique_ptr<uint8_t[]>> memory_;  // of gets, until all runtimes are gone
  volatile uint8_t read_sum_ = 0;
};

// --- seeds ---

// A program that trains: one table and local data; op 0 reads, 1 updates, 2 is local, and 3, in another plan, looks.
Seed Committed(uint32_t device, uint32_t option, uint32_t request) {
  Seed seed;
  seed.Byte(kCreate).Byte(device).Byte(1).Byte(kStart).Byte(0).Byte(request);
  if (request != 0) seed.Byte(kWait).Byte(0).Byte(0);
  seed.Byte(kTable).Byte(0).Byte(0).Byte(20).Byte(4).Byte(device % 4).Byte(option).Byte(1);
  seed.Byte(kLocal).Byte(0).Byte(1).Byte(8).Byte(16).Byte(kPlan).Byte(0).Byte(0).Byte(kPlan).Byte(0).Byte(1);
  seed.Byte(kPlanRead).Byte(0).Byte(0).Byte(1).Byte(0).Byte(255).Byte(0).Byte(0);
  seed.Byte(kPlanSecond).Byte(0).Byte(0).Byte(0);
  seed.Byte(kPlanUpdate).Byte(0).Byte(0).Byte(2).Byte(0).Byte(3).Byte(5).Byte(5).Byte(3);
  seed.Byte(kPlanSecond).Byte(0).Byte(1).Byte(1);
  seed.Byte(kPlanLocal).Byte(0).Byte(0).Byte(1).Byte(0).Byte(255).Byte(5).Byte(kPlanSecond).Byte(0).Byte(2).Byte(2);
  seed.Byte(kPlanEnd).Byte(0).Byte(0);
  seed.Byte(kPlanRead).Byte(1).Byte(0).Byte(1).Byte(0).Byte(255).Byte(1).Byte(0);
  seed.Byte(kPlanSecond).Byte(1).Byte(0).Byte(3).Byte(kPlanEnd).Byte(1).Byte(1).Byte(kExplain).Byte(0).Byte(0);
  return seed.Byte(kCommit).Byte(0).Byte(2).Byte(0).Byte(1).Byte(0);
}

// One walk through plan 0. now: with limit 0 first.
Seed& Walk(Seed* seed, uint32_t now) {
  seed->Byte(kPassBegin).Byte(0).Byte(0);
  for (uint32_t op = 0; op < 3; ++op) {
    seed->Byte(kFirst).Byte(0).Byte(op).Byte(op).Byte(now);
    if (now != 0) seed->Byte(kFirst).Byte(0).Byte(op).Byte(op).Byte(0);
    seed->Byte(kSecond).Byte(0).Byte(op).Byte(op);
  }
  return seed->Byte(kClock).Byte(0).Byte(31);
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  for (uint32_t device = 0; device < 5; ++device) {
    for (const uint32_t option : {0u, 1u, 2u, 4u, 6u}) {
      Seed seed = Committed(device, option, option % 2);
      Walk(&seed, 0);
      Walk(&seed, 1);
      seed.Byte(kPassBegin).Byte(0).Byte(1).Byte(kFirst).Byte(0).Byte(3).Byte(0).Byte(0).Byte(kSkip).Byte(0).Byte(3);
      seed.Byte(kPassEnd).Byte(0).Byte(31).Byte(kFence).Byte(0).Byte(0);
      seed.Byte(kSet).Byte(0).Byte(1).Byte(2).Byte(2).Number(uint16_t{32}).Byte(0).Byte(kFence).Byte(0).Byte(0);
      seed.Byte(kGet).Byte(0).Byte(1).Byte(0).Byte(4).Number(uint16_t{64}).Byte(1).Byte(0);
      seeds.push_back(seed.Byte(kShutdown).Byte(0).Byte(0));
    }
  }
  // Looking, plugins, descriptors.
  Seed look = Committed(0, 0, 1);
  look.Byte(kSetParam).Byte(0).Byte(1).Byte(0);
  for (uint32_t what = 0; what < 5; ++what) look.Byte(kLook).Byte(what).Byte(0);
  for (uint32_t what = 0; what < 5; ++what) look.Byte(kPlugin).Byte(0).Byte(what);
  seeds.push_back(look.Byte(0).Byte(kPlugin).Byte(0).Byte(4).Byte(1).Byte(kPlugin).Byte(0).Byte(2));
  // Handles that are stale, foreign, of another kind, or none.
  for (uint32_t kind = 0; kind < kNumKinds; ++kind) {
    Seed stale = Committed(0, 0, 1);
    stale.Byte(kDestroy).Byte(kind).Byte(0);
    Walk(&stale, 0).Byte(kLook).Byte(4).Byte(0).Byte(kCommit).Byte(0).Byte(1).Byte(0).Byte(0);
    // Those that are alive, for another one's.
    for (uint32_t other = 0; other < kNumKinds; ++other) {
      stale.Byte(kFence)
          .Byte(kOtherKind)
          .Byte(other)
          .Byte(0)
          .Byte(kSetParam)
          .Byte(kOtherKind)
          .Byte(other)
          .Byte(1)
          .Byte(0);
      stale.Byte(kPlanEnd).Byte(kOtherKind).Byte(other).Byte(0).Byte(kWait).Byte(kOtherKind).Byte(other).Byte(1);
    }
    seeds.push_back(stale.Byte(kFence).Byte(kNumber).Number(uint64_t{1} << 24 | 1).Byte(0));
  }
  Seed two = Committed(0, 0, 0);
  two.Byte(kCreate).Byte(0).Byte(0).Byte(kStart).Byte(1).Byte(0).Byte(kPassBegin).Byte(1).Byte(0);
  two.Byte(kTable).Byte(1).Byte(0).Byte(20).Byte(4).Byte(0).Byte(0).Byte(0).Byte(kPlan).Byte(1).Byte(0);
  two.Byte(kPlanRead).Byte(2).Byte(0).Byte(0).Byte(0).Byte(0).Byte(kPlanRead).Byte(2).Byte(1).Byte(0).Byte(0).Byte(0);
  seeds.push_back(two.Byte(kCommit).Byte(1).Byte(1).Byte(0).Byte(0).Byte(kFirst).Byte(1).Byte(0).Byte(0).Byte(0));
  Seed aborted = Committed(1, 0, 0);
  aborted.Byte(kAbort).Byte(0).Byte(0);
  seeds.push_back(Walk(&aborted, 0).Byte(kShutdown).Byte(0).Byte(0));
  return seeds;
}

}  // namespace geeps::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  geeps::fuzz::Input input(data, size);
  geeps::fuzz::Session(&input).Run();
  return 0;
}
