// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>

#include "tests/system/embedder.h"
#include "tests/system/scenario.h"
#include "tests/system/scenario_expect.h"
#include "tests/system/scenario_values.h"

namespace geeps::system_test {
namespace {

constexpr uint64_t kLimitNs = 60'000'000'000;

std::string NumberOf(double number) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", number);
  return text;
}

// A get that runs beside a pass.
struct RunningGet {
  geeps_request* request = nullptr;
  uint64_t age = 0;
  Sight sight;
  std::vector<uint8_t> values;

  ~RunningGet() { geeps_request_destroy(request); }
};

class Walk {
 public:
  Walk(const Scenario& scenario, const Expected& expected, Worker* worker)
      : scenario_(scenario), expected_(expected), w_(*worker), tables_(scenario.tables.size()) {}

  std::string Run() {
    for (phase_ = 0; phase_ < scenario_.phases.size() && ok(); ++phase_) {
      const PhaseSpec& phase = scenario_.phases[phase_];
      Enter(phase);
      const std::vector<PassSpec>& passes = phase.passes[w_.rank];
      for (pass_ = 0; pass_ < passes.size() && ok(); ++pass_) {
        // Half of the passes are begun by the end of the one before.
        const bool named = pass_ + 1 < passes.size() && (pass_ + scenario_.options.seed) % 2 == 0;
        const PassSpec& pass = passes[pass_];
        where_ = w_.note = "clock " + std::to_string(pass.clock) + ", plan " + phase.plans[w_.rank][pass.plan].name;
        for (const GetSpec& get : pass.gets) BeginGet(get, pass.clock);
        Pass(phase.plans[w_.rank][pass.plan], pass, named ? &passes[pass_ + 1] : nullptr);
        EndGet();
        begun_ = named;
      }
    }
    return problem_;
  }

 private:
  bool ok() const { return problem_.empty() && w_.err.ok(); }
  geeps_runtime* rt() const { return w_.rt.get(); }
  geeps_error* err() { return w_.err.raw(); }
  void Take(geeps_status status, const char* what) {
    if (w_.err.Take(status) != GEEPS_OK && w_.err.ok())
      problem_ = std::string(what) + " returned " + geeps_status_name(status);
    if (!w_.err.ok()) problem_ = what;
  }

  void Enter(const PhaseSpec& phase) {
    where_ = w_.note =
        (phase.by_fence ? "fence before clock " : "commit before clock ") + std::to_string(phase.first_clock);
    if (!phase.by_fence) {
      CreateTables(phase_);
      RecordPlans(phase.plans[w_.rank]);
    }
    SetRows(phase.sets[w_.rank]);
    if (phase.by_fence && ok()) Take(geeps_fence(rt(), nullptr, err()), "fence");
    if (!phase.by_fence) Commit();
    begun_ = false;
    seen_.clear();
    AddPlace();
  }

  void SetRows(const std::vector<SetSpec>& sets) {
    for (uint32_t i = 0; i < sets.size() && ok(); ++i) {
      const SetSpec& set = sets[i];
      const TableSpec& table = scenario_.tables[set.table];
      const std::vector<uint64_t> rows = RowsOf(set.rows, table.num_rows);
      std::vector<uint8_t> values(rows.size() * table.row_bytes());
      for (size_t r = 0; r < rows.size(); ++r) {
        const ValueKey key = {w_.rank, kSetClock + phase_, i};
        WriteSetRow(scenario_, key, set.table, rows[r], values.data() + r * table.row_bytes());
      }
      Take(geeps_table_set(tables_[set.table].get(), set.rows.data(), set.rows.size(),
                           set.keep_state ? GEEPS_SET_KEEP_STATE : 0, values.data(), values.size(), err()),
           "set");
    }
  }

  void BeginGet(const GetSpec& spec, uint64_t clock) {
    EndGet();  // one at a time
    const TableSpec& table = scenario_.tables[spec.table];
    get_ = std::make_unique<RunningGet>();
    get_->sight = SightOf(spec.table, spec.rows, 0, clock, 0);
    if (!ok() || get_->sight.rows.empty()) return get_.reset();
    get_->sight.is_get = true;
    get_->sight.min_age = spec.min_age;
    get_->values.resize(get_->sight.rows.size() * table.row_bytes());
    Take(geeps_table_get(tables_[spec.table].get(), spec.rows.data(), spec.rows.size(), spec.min_age,
                         get_->values.data(), get_->values.size(), &get_->age, spec.beside ? &get_->request : nullptr,
                         err()),
         "get");
    if (!spec.beside) EndGet();
  }

  void EndGet() {
    if (get_ == nullptr || !ok()) return;
    if (get_->request != nullptr) Take(geeps_request_wait(get_->request, kLimitNs, err()), "wait for a get");
    Sight& sight = get_->sight;
    const bool is_async = scenario_.modes[sight.table].async;
    if (ok() && !is_async && get_->age < sight.min_age) problem_ = "a get shows an older version than asked for";
    sight.min_age = get_->age;
    sight.values = get_->values.data();
    std::vector<uint64_t> nothing;
    if (ok()) problem_ = expected_.Check(sight, &nothing);
    if (!problem_.empty()) problem_ = "get: " + problem_;
    AddPlace();
    get_.reset();
  }

  Sight SightOf(uint32_t table, const std::vector<geeps_rows>& rows, uint32_t slack, uint64_t clock,
                size_t step) const {
    Sight sight;
    sight.rank = w_.rank;
    sight.phase = phase_;
    sight.clock = clock;
    sight.place = PlaceOf(phase_, pass_, step);
    sight.table = table;
    sight.slack = slack;
    sight.rows = RowsOf(rows, scenario_.tables[table].num_rows);
    return sight;
  }

  void CreateTables(uint32_t phase) {
    for (size_t t = 0; t < tables_.size() && ok(); ++t) {
      if (scenario_.born[t] != phase) continue;
      const TableSpec& spec = scenario_.tables[t];
      const TableMode& mode = scenario_.modes[t];
      geeps::Options options{{"rule", RuleOf(spec)},
                             {"reduce", spec.mean ? "mean" : "sum"},
                             {"sum_group", std::to_string(spec.sum_group)},
                             {"partition_bytes", std::to_string(spec.partition_bytes)},
                             {"init", spec.initial == 0 ? "zero" : "constant:" + NumberOf(spec.initial)}};
      if (mode.async) options.Set("mode", "async");
      if (mode.read_my_writes) options.Set("read_my_writes", "1");
      if (mode.observer == w_.rank) options.Set("observer", "1");
      // Where a shard lies is each worker's affair and changes no bit.
      static constexpr const char* kPlaces[] = {"auto", "host", "device"};
      const size_t place = (scenario_.options.seed + t + 2 * w_.rank) % 3;
      options.Set("shard", kPlaces[spec.rule == "lion" ? place % 2 : place]);  // host code, which a GPU does not run
      for (const auto& [name, value] : spec.params) options.Set("param." + name, NumberOf(value));
      tables_[t] = geeps::Table(w_.rt, spec.name.c_str(), spec.num_rows, spec.row_values, spec.dtype, options, w_.err);
    }
  }

  void RecordPlans(const std::vector<PlanSpec>& specs) {
    plans_.clear();
    ops_.clear();
    for (const PlanSpec& spec : specs) {
      geeps::Plan plan(w_.rt, spec.name.c_str(), w_.err);
      std::vector<geeps_op> ops(spec.ops.size());
      for (const StepSpec& step : spec.steps) {
        const OpSpec& op = spec.ops[step.op];
        if (!step.end) {
          const geeps_rows* rows = op.rows.data();
          geeps_table* table = tables_[op.table].get();
          Take(op.is_update
                   ? geeps_plan_pre_update(plan.get(), table, rows, op.rows.size(), op.flags, &ops[step.op], err())
                   : geeps_plan_read(plan.get(), table, rows, op.rows.size(), op.slack, op.flags, &ops[step.op], err()),
               "recording");
        } else if (op.is_update) {
          plan.Update(ops[step.op], w_.err);
        } else {
          plan.PostRead(ops[step.op], w_.err);
        }
        if (!ok()) return;
      }
      plan.End(spec.no_clock ? GEEPS_PLAN_NO_CLOCK : 0, w_.err);
      plans_.push_back(std::move(plan));
      ops_.push_back(ops);
    }
  }

  void Commit() {
    if (!ok()) return;
    std::vector<geeps_plan*> raw;
    for (const geeps::Plan& plan : plans_) raw.push_back(plan.get());
    Take(geeps_commit(rt(), raw.data(), raw.size(), nullptr, err()), "commit");
  }

  void Pass(const PlanSpec& plan, const PassSpec& pass, const PassSpec* next) {
    if (!ok()) return;
    if (!begun_) Take(geeps_pass_begin(rt(), plans_[pass.plan].get(), err()), "pass_begin");
    if (!plan.no_clock) SetRates(pass.clock);
    std::vector<geeps_view> views(plan.ops.size());
    sights_.assign(plan.ops.size(), Sight());
    int num_open = 0;
    for (const StepSpec& step : plan.steps) {
      if (!ok() || (pass.ends_early && num_open == 0 && &step != plan.steps.data())) break;
      num_open += step.end ? -1 : 1;
      if (pass.leave[step.op] == Leave::kFirstCall) {
        if (!step.end) Take(geeps_skip(rt(), ops_[pass.plan][step.op], stream(), err()), "skip");
      } else if (!step.end) {
        const OpSpec& op = plan.ops[step.op];
        const auto at = static_cast<size_t>(&step - plan.steps.data());
        if (!op.is_update) sights_[step.op] = SightOf(op.table, op.rows, op.slack, pass.clock, at);
        Begin(op, step.op, pass, &views[step.op]);
      } else {
        End(plan.ops[step.op], step.op, pass, &views[step.op]);
      }
    }
    if (!ok()) return AddPlace();
    geeps_plan* const next_plan = next != nullptr ? plans_[next->plan].get() : nullptr;
    Take(plan.no_clock ? geeps_pass_end(rt(), next_plan, err()) : geeps_clock(rt(), next_plan, err()),
         "end of the pass");
    AddPlace();
  }

  void AddPlace() {
    if (!problem_.empty() && !placed_) problem_ = where_ + ": " + problem_;
    placed_ = !problem_.empty();
  }

  void SetRates(uint64_t clock) {
    for (size_t t = 0; t < tables_.size() && ok(); ++t) {
      if (scenario_.modes[t].observer == w_.rank || !scenario_.tables[t].has_rate() || tables_[t].get() == nullptr)
        continue;
      Take(geeps_table_set_param(tables_[t].get(), "lr", RateOf(scenario_, clock), err()), "set_param");
    }
  }

  // Half of the calls, when wanted, name the stream of the program's own work; without one all of that must be over.
  const geeps_stream* stream() {
    if (!scenario_.options.streams || ++num_calls_ % 2 == 0) {
      embedder_.Finish();
      return nullptr;
    }
    stream_ = {sizeof(geeps_stream), GEEPS_STREAM_DEVICE, embedder_.has_stream() ? embedder_.stream() : 0};
    return &stream_;
  }

  // What is handed out may be looked at by host code where it is host memory: no stream stands for that.
  const geeps_stream* LookingStream() {
    const geeps_stream* const named = stream();
    return embedder_.has_stream() ? named : nullptr;
  }

  void Spoil(const PassSpec& pass, uint32_t index, const geeps_view& view) {
    if (!ok() || view.bytes == 0) return;
    std::memset(embedder_.Look(OperationOf(pass, index), view), 0x7f, view.bytes);
    embedder_.Put(OperationOf(pass, index), view);
  }

  static uint64_t OperationOf(const PassSpec& pass, uint32_t index) { return uint64_t{pass.plan} << 32 | index; }

  void Begin(const OpSpec& op, uint32_t index, const PassSpec& pass, geeps_view* view) {
    const geeps_op id = ops_[pass.plan][index];
    view->struct_size = sizeof *view;
    if (op.is_update) {
      Take(geeps_pre_update(rt(), id, LookingStream(), kLimitNs, view, err()), "pre_update");
      if (ok() && pass.leave[index] == Leave::kNothing) WriteUpdate(op, index, pass, *view);
      // Left unused: what stands in the buffer must not matter.
      if (pass.leave[index] != Leave::kNothing) Spoil(pass, index, *view);
    } else {
      Take(geeps_read(rt(), id, LookingStream(), kLimitNs, view, err()), "read");
      if (ok()) CompareRead(op, index, pass, *view);
    }
  }

  void End(const OpSpec& op, uint32_t index, const PassSpec& pass, geeps_view* view) {
    const geeps_op id = ops_[pass.plan][index];
    if (!op.is_update) CompareRead(op, index, pass, *view);  // it stays what it was for as long as it is held
    if (!op.is_update && (op.flags & GEEPS_READ_COPY) != 0) Spoil(pass, index, *view);
    if (!ok()) return;
    if (pass.leave[index] == Leave::kSecondCall) {
      Take(geeps_skip(rt(), id, stream(), err()), "skip at the second call");
    } else if (op.is_update) {
      Take(geeps_update(rt(), id, stream(), err()), "update");
    } else {
      Take(geeps_post_read(rt(), id, stream(), err()), "post_read");
    }
  }

  void CheckShape(const TableSpec& table, uint64_t num_rows, const geeps_view& view) {
    const bool right = view.num_rows == num_rows && view.row_values == table.row_values &&
                       view.row_bytes == table.row_bytes() && view.bytes == num_rows * table.row_bytes() &&
                       view.dtype == table.dtype && (view.data == nullptr) == (num_rows == 0);
    if (!right) {
      problem_ = "the view of " + table.name + " has " + std::to_string(view.num_rows) + " rows of " +
                 std::to_string(view.row_values) + " values, wanted " + std::to_string(num_rows) + " of " +
                 std::to_string(table.row_values);
    }
  }

  void CompareRead(const OpSpec& op, uint32_t index, const PassSpec& pass, const geeps_view& view) {
    Sight& sight = sights_[index];
    CheckShape(scenario_.tables[op.table], sight.rows.size(), view);
    sight.min_age = view.min_age;
    sight.max_age = view.max_age;
    sight.values = embedder_.Look(OperationOf(pass, index), view);
    if (ok()) problem_ = expected_.Check(sight, &seen_[{pass.plan, index}]);
    if (problem_.empty()) return;
    problem_ = "read " + std::to_string(index) + ": " + problem_ +
               ((view.flags & GEEPS_VIEW_IN_PLACE) != 0 ? " (in place)" : " (copied)");
  }

  void WriteUpdate(const OpSpec& op, uint32_t index, const PassSpec& pass, const geeps_view& view) {
    const TableSpec& table = scenario_.tables[op.table];
    const std::vector<uint64_t> rows = RowsOf(op.rows, table.num_rows);
    CheckShape(table, rows.size(), view);
    const bool zeroed = (op.flags & GEEPS_UPDATE_ZEROED) != 0;
    std::vector<uint8_t> values(table.row_bytes());
    uint8_t* const first = embedder_.Look(OperationOf(pass, index), view);
    for (size_t i = 0; i < rows.size() && ok(); ++i) {
      uint8_t* const out = first + i * table.row_bytes();
      WriteContribution(scenario_, {w_.rank, pass.clock, index}, op, rows[i], values.data());
      for (uint64_t column = 0; column < table.row_values; ++column) {
        const uint64_t at = column * table.value_bytes();
        if (zeroed && LoadNumber(table.dtype, values.data() + at) == 0) continue;  // must be zero already
        std::memcpy(out + at, values.data() + at, table.value_bytes());
      }
    }
    embedder_.Put(OperationOf(pass, index), view);
  }

  static std::string RuleOf(const TableSpec& spec) {
#ifdef GEEPS_RULE_LION
    if (spec.rule == "lion") return GEEPS_RULE_LION;
#endif
    return spec.rule;
  }

  const Scenario& scenario_;
  const Expected& expected_;
  Worker& w_;
  std::vector<geeps::Table> tables_;
  std::vector<geeps::Plan> plans_;
  std::vector<std::vector<geeps_op>> ops_;
  std::vector<Sight> sights_;                                            // of the pass, by operation
  std::map<std::pair<uint32_t, uint32_t>, std::vector<uint64_t>> seen_;  // by plan and operation, in the phase
  std::unique_ptr<RunningGet> get_;
  uint32_t phase_ = 0;
  size_t pass_ = 0;
  Embedder embedder_;
  geeps_stream stream_ = {};
  uint64_t num_calls_ = 0;
  std::string problem_;
  std::string where_;
  bool placed_ = false;  // the problem says where
  bool begun_ = false;
};

}  // namespace

std::string WalkScenario(const Scenario& scenario, const Expected& expected, Worker& worker) {
  return Walk(scenario, expected, &worker).Run();
}

std::string RunScenario(const ScenarioOptions& options, Setup setup) {
  setup.world = options.world;
  if (options.first_clock != 0) setup.more.emplace_back("first_clock", std::to_string(options.first_clock));
  const Scenario scenario = MakeScenario(options);
  const Expected expected(scenario);
  return RunWorkers(setup, [&](Worker& worker) { return WalkScenario(scenario, expected, worker); });
}

}  // namespace geeps::system_test
