// SPDX-License-Identifier: Apache-2.0
// Runtime: one worker: configuration, life cycle, and the owner of everything below. Tables, local data and plans are
// objects of it. Life cycle: created -> started -> shut down; latched from anywhere.
// Thread contract: as the tags of
// include/geeps.h say; what is [any-thread] there is marked so here.
#ifndef GEEPS_RUNTIME_SESSION_RUNTIME_H_
#define GEEPS_RUNTIME_SESSION_RUNTIME_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/log.h"
#include "runtime/base/mutex.h"
#include "runtime/device/device.h"
#include "runtime/movers/engine.h"
#include "runtime/net/plugin.h"
#include "runtime/net/transport.h"
#include "runtime/plan/recorded_plan.h"
#include "runtime/session/config.h"
#include "runtime/session/plugin_rules.h"
#include "runtime/session/program_streams.h"
#include "runtime/session/request.h"
#include "runtime/session/statistics_writer.h"
#include "runtime/session/trace_writer.h"
#include "runtime/session/walk.h"
#include "runtime/table/partition.h"
#include "runtime/table/schema.h"

namespace geeps::session {

class Runtime;

// What the handles of the C ABI stand for. They belong to their runtime.
struct Table {
  Runtime* runtime = nullptr;
  uint64_t object = 0;  // never used twice in a runtime
  table::TableSchema schema;
  bool observer = false;  // this worker takes no part
  table::ShardPlace shard = table::ShardPlace::kAuto;
  protocol::RuleParams params;  // of the current clock
  bool handle_alive = true;
  bool placed = false;  // in the partition map
  uint32_t map_index = 0;
};

struct Local {
  Runtime* runtime = nullptr;
  uint64_t object = 0;
  std::string name;
  uint64_t num_rows = 0;
  uint64_t row_bytes = 0;
  bool handle_alive = true;
  std::shared_ptr<cache::LocalData> data;  // from the first commit on
};

struct Plan {
  Runtime* runtime = nullptr;
  uint64_t serial = 0;  // never used twice in a runtime; the upper half of its operations' ids
  plan::PlanRecorder recorder;
  std::shared_ptr<const plan::RecordedPlan> recorded;  // from plan_end on
  explicit Plan(absl::string_view name) : recorder(name) {}
};

class Runtime {
 public:
  static absl::StatusOr<std::unique_ptr<Runtime>> Create(const Config& config, Log::Callback log, void* log_user);
  ~Runtime();

  // Long calls.
  absl::StatusOr<std::shared_ptr<Request>> Start();
  absl::StatusOr<std::shared_ptr<Request>> Commit(const std::vector<Plan*>& plans);
  absl::StatusOr<std::shared_ptr<Request>> FenceAll();
  absl::StatusOr<std::shared_ptr<Request>> Shutdown();

  absl::StatusOr<Table*> CreateTable(absl::string_view name, uint64_t num_rows, uint64_t row_values, uint32_t dtype,
                                     table::OptionSpan options);
  void DestroyTable(Table* table);
  absl::Status SetParam(Table* table, absl::string_view key, double value);
  // R12, rows.cc. values: dense, [rows, row_values], table dtype.
  absl::Status SetRows(Table* table, absl::Span<const table::RowRun> rows, bool keep_state, absl::string_view values);
  // to: `to_bytes` bytes, age: may be nullptr; both are written until the request ends or is dropped. min_age: kAgeNow,
  // or at most the clock.
  absl::StatusOr<std::shared_ptr<Request>> GetRows(Table* table, absl::Span<const table::RowRun> rows, uint64_t min_age,
                                                   void* to, uint64_t to_bytes, uint64_t* age);
  static constexpr uint64_t kAgeNow = ~uint64_t{0};
  absl::StatusOr<Local*> CreateLocal(absl::string_view name, uint64_t num_rows, uint64_t row_bytes);
  void DestroyLocal(Local* local);

  absl::StatusOr<Plan*> CreatePlan(absl::string_view name);
  void DestroyPlan(Plan* plan);
  absl::StatusOr<uint64_t> RecordTable(Plan* plan, plan::OpKind kind, Table* table,
                                       absl::Span<const table::RowRun> rows, uint32_t slack, uint32_t flags);
  absl::StatusOr<uint64_t> RecordLocal(Plan* plan, Local* local, absl::Span<const table::RowRun> rows, uint32_t flags);
  absl::Status RecordEnd(Plan* plan, plan::OpKind kind, uint64_t op);
  absl::Status EndPlan(Plan* plan, bool no_clock);
  // Beside any other call, but not beside those for the same plan.
  absl::StatusOr<std::string> Explain(Plan* plan, absl::string_view format);

  // The walk, for calls of a pass. Errors: the cause that lost the runtime; WrongState before a commit or during a long
  // call.
  absl::StatusOr<Walk*> ReadyWalk();

  // [any-thread]
  void Abort(absl::string_view text);
  absl::Status failure() const { return engine_.failure(); }
  Code failure_code() const { return engine_.failure_code(); }
  uint64_t clock() const { return engine_.clock_value(); }
  absl::StatusOr<int> EventFd() { return engine_.program_wait()->EventFd(); }
  std::string StatsJson() const { return StatsJson(false); }
  Log* log() { return &log_; }
  const Config& config() const { return config_; }
  const device::Device& device() const { return *device_; }
  ProgramStreams* program_streams() { return &program_streams_; }
  net::PluginRegistry* plugins() { return &plugins_; }

 private:
  enum class State : uint8_t { kCreated, kStarted, kShutDown };
  struct Open {  // everything that may fail while a runtime is made
    net::Endpoint endpoint;
    std::unique_ptr<device::Device> device;
    std::unique_ptr<device::Device> host_device;
    std::unique_ptr<TraceWriter> trace;
  };

  struct Call {
    std::shared_ptr<Request> request;
    std::shared_ptr<movers::FenceJob> job;
    std::vector<uint64_t> serials;           // kCommit: by set id
    std::map<uint64_t, uint32_t> map_index;  // kCommit: table object -> index in the partition map
    std::map<uint64_t, std::shared_ptr<cache::LocalData>> locals;
    movers::Epoch* epoch = nullptr;  // written before the request completes
  };

  // ended: the runtime is being destroyed.
  std::string StatsJson(bool ended) const;
  Runtime(const Config& config, std::unique_ptr<Log> log, std::unique_ptr<net::PluginRegistry> plugins, Open open);
  // The result of a long call that has ended takes effect. Errors: WrongState while one is under way.
  absl::Status Settle();
  absl::Status TakeEffect(const Call& call);
  absl::Status AttachWalk(movers::Epoch* epoch);
  absl::Status NeedStarted();
  // call: the long call under way from now on, unless there is an error.
  absl::StatusOr<std::shared_ptr<Request>> Submit(std::shared_ptr<movers::FenceJob> job, std::unique_ptr<Call> call);
  absl::StatusOr<std::shared_ptr<movers::FenceJob>> MakeCommit(const std::vector<Plan*>& plans, Call* call);
  // placed: receives the index in `map` of each table that was not placed before, by object.
  absl::Status AddTables(movers::FenceJob* job, table::PartitionMap* map, std::map<uint64_t, uint32_t>* placed) const;
  absl::Status AddLocals(movers::FenceJob* job, Call* call);

  const Config config_;
  std::unique_ptr<Log> log_owner_;
  Log& log_;
  std::unique_ptr<net::PluginRegistry> plugins_owner_;
  net::PluginRegistry& plugins_;
  PluginRules rules_{&plugins_};        // the keepers of the engine use them
  std::unique_ptr<TraceWriter> trace_;  // written to its end after the engine has stopped
  net::Endpoint endpoint_;
  std::unique_ptr<device::Device> device_;
  std::unique_ptr<device::Device>
      host_device_;  // keeps what is not to be kept on another device; nullptr: device_ does
  movers::Engine engine_;
  const uint64_t created_ns_ = SteadyNs();
  ProgramStreams program_streams_{device_.get()};
  Walk walk_;
  std::unique_ptr<StatisticsWriter> statistics_writer_;  // ends before anything else
  State state_ = State::kCreated;

  // Held while tables_, locals_ or partitions_ change, and by Explain, which may run beside the program's calls.
  mutable Mutex objects_mutex_;
  uint64_t next_object_ = 1;
  uint64_t next_serial_ = 1;
  std::map<uint64_t, std::unique_ptr<Table>> tables_;  // by object
  std::map<uint64_t, std::unique_ptr<Local>> locals_;  // by object
  std::map<uint64_t, std::unique_ptr<Plan>> plans_;    // by serial
  std::shared_ptr<const table::PartitionMap> partitions_;

  // What is committed, for fences that begin an epoch.
  std::shared_ptr<const movers::FenceJob> commit_job_;
  std::vector<uint64_t> commit_serials_;
  std::shared_ptr<Request> get_;  // the last get
  std::unique_ptr<Call> call_;    // the long call under way, or one whose result has not taken effect
  bool committed_ = false;
};

}  // namespace geeps::session

#endif  // GEEPS_RUNTIME_SESSION_RUNTIME_H_
