// SPDX-License-Identifier: Apache-2.0
// Tables, local data and plans of a runtime, and what a commit makes of them.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/plan/declaration.h"
#include "runtime/session/runtime.h"

namespace geeps::session {
namespace {

// Local data and access buffers stay far below 2^63 in sum.
constexpr uint64_t kLocalBytesMax = uint64_t{1} << 48;
constexpr size_t kNameMax = 255;

absl::Status CheckName(absl::string_view what, absl::string_view name) {
  if (name.empty() || name.size() > kNameMax)
    return Invalid("the name of a ", what, " has 1 to ", kNameMax, " bytes, not ", name.size());
  return absl::OkStatus();
}

absl::Status CheckMode(const Table& table, plan::OpKind kind, uint32_t slack) {
  if (kind == plan::OpKind::kUpdate && table.observer) {
    return Invalid("an update of table '", table.schema.name,
                   "', which this worker observes: it was created with "
                   "observer = 1");
  }
  if (table.schema.async && slack > 0) {
    return Invalid("slack ", slack, " on async table '", table.schema.name,
                   "', whose reads show what has arrived and never wait: give 0");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Table*> Runtime::CreateTable(absl::string_view name, uint64_t num_rows, uint64_t row_values,
                                            uint32_t dtype, table::OptionSpan options) {
  GEEPS_RETURN_IF_ERROR(Settle());
  GEEPS_ASSIGN_OR_RETURN(const table::DType known, table::DTypeFromCode(dtype));
  GEEPS_ASSIGN_OR_RETURN(table::TableOptions parsed,
                         table::ParseTableOptions(name, num_rows, row_values, known, options,
                                                  [this](absl::string_view rule) { return rules_.Find(rule); }));
  if (parsed.shard == table::ShardPlace::kDevice && parsed.schema.rule->functions != nullptr &&
      !device_->is_host_accessible()) {
    return Unsupported("table '", parsed.schema.name, "': shard = device with rule ", parsed.schema.rule->name,
                       ", which a plugin brings as host code; device ", device_->info().name,
                       " cannot run it: leave shard = auto");
  }
  for (const auto& [object, other] : tables_) {
    if (other->handle_alive && other->schema.name == parsed.schema.name)
      return Invalid("there is a table '", parsed.schema.name, "' already");
  }
  auto table = std::make_unique<Table>();
  table->runtime = this;
  table->object = next_object_++;
  table->schema = std::move(parsed.schema);
  table->observer = parsed.observer;
  table->shard = parsed.shard;
  table->params.num = static_cast<uint32_t>(table->schema.rule->num_params);
  std::copy(table->schema.params, table->schema.params + table->params.num, table->params.values.begin());
  Table* const result = table.get();
  MutexLock lock(&objects_mutex_);
  tables_[result->object] = std::move(table);
  return result;
}

void Runtime::DestroyTable(Table* table) {
  MutexLock lock(&objects_mutex_);
  table->handle_alive = false;
}

absl::Status Runtime::SetParam(Table* table, absl::string_view key, double value) {
  GEEPS_RETURN_IF_ERROR(Settle());
  const int index = table::FindRuleParam(*table->schema.rule, key);
  if (index < 0) {
    return Invalid("rule ", table->schema.rule->name, " of table '", table->schema.name, "' has no parameter '", key,
                   "'");
  }
  const table::ParamRange range = table->schema.rule->params[index].range;
  if (!table::IsInRange(range, value)) {
    return Invalid("parameter ", key, " of table '", table->schema.name, "' is ", value, "; wanted ",
                   table::RangeText(range));
  }
  protocol::RuleParams params = table->params;
  params.values[index] = value;
  GEEPS_RETURN_IF_ERROR(table::CheckTogether(*table->schema.rule, params.values.data()));
  GEEPS_RETURN_IF_ERROR(walk_.SetParams(table->object, params));
  table->params = params;
  return absl::OkStatus();
}

absl::StatusOr<Local*> Runtime::CreateLocal(absl::string_view name, uint64_t num_rows, uint64_t row_bytes) {
  GEEPS_RETURN_IF_ERROR(Settle());
  GEEPS_RETURN_IF_ERROR(CheckName("local data", name));
  if (num_rows == 0 || row_bytes == 0 || num_rows > kLocalBytesMax / row_bytes) {
    return Invalid("local data '", name, "' of ", num_rows, " rows of ", row_bytes, " bytes: both from 1, at most ",
                   kLocalBytesMax, " bytes in all");
  }
  for (const auto& [object, other] : locals_) {
    if (other->handle_alive && other->name == name) return Invalid("there is local data '", name, "' already");
  }
  auto local = std::make_unique<Local>();
  local->runtime = this;
  local->object = next_object_++;
  local->name = std::string(name);
  local->num_rows = num_rows;
  local->row_bytes = row_bytes;
  Local* const result = local.get();
  MutexLock lock(&objects_mutex_);
  locals_[result->object] = std::move(local);
  return result;
}

void Runtime::DestroyLocal(Local* local) {
  MutexLock lock(&objects_mutex_);
  local->handle_alive = false;
}

absl::StatusOr<Plan*> Runtime::CreatePlan(absl::string_view name) {
  GEEPS_RETURN_IF_ERROR(Settle());
  GEEPS_RETURN_IF_ERROR(CheckName("plan", name));
  auto plan = std::make_unique<Plan>(name);
  plan->runtime = this;
  plan->serial = next_serial_++;
  Plan* const result = plan.get();
  plans_[result->serial] = std::move(plan);
  return result;
}

// A committed plan's recording lives in the walk.
void Runtime::DestroyPlan(Plan* plan) { plans_.erase(plan->serial); }

absl::StatusOr<uint64_t> Runtime::RecordTable(Plan* plan, plan::OpKind kind, Table* table,
                                              absl::Span<const table::RowRun> rows, uint32_t slack, uint32_t flags) {
  if (engine_.failed()) return engine_.failure();
  GEEPS_RETURN_IF_ERROR(CheckMode(*table, kind, slack));
  GEEPS_ASSIGN_OR_RETURN(table::RowSet set, table::RowSet::FromRuns(rows, table->schema.num_rows));
  GEEPS_ASSIGN_OR_RETURN(const uint32_t op,
                         plan->recorder.Begin(kind, table->object, table->schema.name, std::move(set), slack, flags));
  return Walk::MakeOp(plan->serial, op);
}

absl::StatusOr<uint64_t> Runtime::RecordLocal(Plan* plan, Local* local, absl::Span<const table::RowRun> rows,
                                              uint32_t flags) {
  if (engine_.failed()) return engine_.failure();
  GEEPS_ASSIGN_OR_RETURN(table::RowSet set, table::RowSet::FromRuns(rows, local->num_rows));
  GEEPS_ASSIGN_OR_RETURN(const uint32_t op, plan->recorder.Begin(plan::OpKind::kLocal, local->object, local->name,
                                                                 std::move(set), 0, flags));
  return Walk::MakeOp(plan->serial, op);
}

absl::Status Runtime::RecordEnd(Plan* plan, plan::OpKind kind, uint64_t op) {
  if (engine_.failed()) return engine_.failure();
  if (Walk::SerialOf(op) != plan->serial || (op & 0xffffffffu) == 0) {
    return Invalid("the operation is not one of plan '", plan->recorder.plan().name, "'");
  }
  return plan->recorder.Finish(kind, static_cast<uint32_t>((op & 0xffffffffu) - 1));
}

absl::Status Runtime::EndPlan(Plan* plan, bool no_clock) {
  if (engine_.failed()) return engine_.failure();
  // First: nothing may fail once the plan has ended.
  auto recorded = std::make_shared<plan::RecordedPlan>(plan->recorder.plan());
  GEEPS_RETURN_IF_ERROR(plan->recorder.End(no_clock));
  recorded->no_clock = no_clock;
  plan->recorded = std::move(recorded);
  return absl::OkStatus();
}

// The tables in the order of their names, which is the same on all workers; new ones are placed in that order behind
// the old ones.
absl::Status Runtime::AddTables(movers::FenceJob* job, table::PartitionMap* map,
                                std::map<uint64_t, uint32_t>* placed) const {
  std::vector<Table*> alive;
  for (const auto& [object, table] : tables_) {
    if (table->handle_alive) alive.push_back(table.get());
  }
  std::sort(alive.begin(), alive.end(), [](const Table* a, const Table* b) { return a->schema.name < b->schema.name; });
  for (Table* table : alive) {
    uint32_t index = table->map_index;
    if (!table->placed) {
      GEEPS_ASSIGN_OR_RETURN(index, map->Append(table->schema));
      (*placed)[table->object] = index;
    }
    plan::LayoutInput::Table given;
    given.object = table->object;
    given.schema = table->schema;
    given.observer = table->observer;
    given.shard = table->shard;
    given.first_partition = map->FirstPartition(index);
    given.num_partitions = map->NumPartitions(index);
    job->layout.tables.push_back(std::move(given));
  }
  return absl::OkStatus();
}

absl::Status Runtime::AddLocals(movers::FenceJob* job, Call* call) {
  for (const auto& [object, local] : locals_) {
    if (!local->handle_alive) continue;
    std::shared_ptr<cache::LocalData> data = local->data;
    if (data == nullptr) {
      GEEPS_ASSIGN_OR_RETURN(device::Event last_use, device_->CreateEvent());
      data = std::make_shared<cache::LocalData>(local->num_rows * local->row_bytes, std::move(last_use));
      call->locals[object] = data;
    }
    job->locals.push_back(data);
    job->layout.locals.push_back({object, local->name, local->num_rows, local->row_bytes});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<movers::FenceJob>> Runtime::MakeCommit(const std::vector<Plan*>& plans, Call* call) {
  auto job = std::make_shared<movers::FenceJob>();
  job->kind = movers::FenceJob::Kind::kCommit;
  std::vector<Plan*> sorted = plans;
  std::sort(sorted.begin(), sorted.end(),
            [](const Plan* a, const Plan* b) { return a->recorder.plan().name < b->recorder.plan().name; });
  for (const Plan* plan : sorted) {
    if (plan->recorded == nullptr)
      return WrongState("plan '", plan->recorder.plan().name, "' is not ended: geeps_plan_end comes first");
    job->plans.push_back(plan->recorded);
    job->layout.plans.push_back(plan->recorded.get());
    call->serials.push_back(plan->serial);
  }
  auto map = std::make_shared<table::PartitionMap>(*partitions_);
  GEEPS_RETURN_IF_ERROR(AddTables(job.get(), map.get(), &call->map_index));
  GEEPS_RETURN_IF_ERROR(AddLocals(job.get(), call));
  job->layout.partitions = map->partitions();
  job->partitions = std::move(map);
  // Built once here for its errors and its slacks; the fence builds it again with what all workers agree on.
  GEEPS_ASSIGN_OR_RETURN(const plan::WorkerLayout layout, plan::BuildLayout(job->layout));
  for (const plan::TableLayout& table : layout.tables) job->slacks.push_back(table.slack_max);
  plan::Declaration declaration = plan::Declare(job->layout);
  job->lines = std::move(declaration.lines);
  job->digest = declaration.digest;
  return job;
}

absl::StatusOr<std::string> Runtime::Explain(Plan* plan, absl::string_view format) {
  if (engine_.failed()) return engine_.failure();
  if (plan->recorded == nullptr)
    return WrongState("plan '", plan->recorder.plan().name, "' is not ended: geeps_plan_end comes first");
  movers::FenceJob job;
  job.layout.plans.push_back(plan->recorded.get());
  std::unique_ptr<table::PartitionMap> map;
  std::map<uint64_t, uint32_t> placed;
  {
    MutexLock lock(&objects_mutex_);
    map = std::make_unique<table::PartitionMap>(*partitions_);
    for (const auto& [object, local] : locals_) {
      if (local->handle_alive) job.layout.locals.push_back({object, local->name, local->num_rows, local->row_bytes});
    }
    GEEPS_RETURN_IF_ERROR(AddTables(&job, map.get(), &placed));
  }
  job.layout.partitions = map->partitions();
  GEEPS_ASSIGN_OR_RETURN(const plan::WorkerLayout layout, plan::BuildLayout(job.layout));
  return plan::Explain(layout, *plan->recorded, job.layout, format);
}

}  // namespace geeps::session
