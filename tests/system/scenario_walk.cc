// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "tests/system/scenario.h"
#include "tests/system/scenario_values.h"

namespace geeps::system_test {
namespace {

constexpr uint64_t kLimitNs = 60'000'000'000;

std::string NumberOf(double number) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", number);
  return text;
}

std::string Hex(const uint8_t* bytes, uint64_t n) {
  std::string text;
  char digits[4];
  for (uint64_t i = n; i > 0; --i) {
    std::snprintf(digits, sizeof digits, "%02x", bytes[i - 1]);
    text += digits;
  }
  return text;
}

class Walk {
 public:
  Walk(const Scenario& scenario, Worker* worker) : scenario_(scenario), w_(*worker), tables_(scenario.tables.size()) {}

  std::string Run() {
    for (uint32_t p = 0; p < scenario_.phases.size(); ++p) {
      CreateTables(p);
      RecordPlans(scenario_.phases[p].plans[w_.rank]);
      Commit();
      const std::vector<PassSpec>& passes = scenario_.phases[p].passes[w_.rank];
      for (size_t i = 0; i < passes.size(); ++i) {
        // Half of the passes are begun by the end of the one before.
        const bool named = i + 1 < passes.size() && (i + scenario_.options.seed) % 2 == 0;
        Pass(scenario_.phases[p].plans[w_.rank][passes[i].plan], passes[i], named ? &passes[i + 1] : nullptr);
        begun_ = named;
        if (!problem_.empty() || !w_.err.ok()) return problem_;
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

  void CreateTables(uint32_t phase) {
    for (size_t t = 0; t < tables_.size() && ok(); ++t) {
      if (scenario_.born[t] != phase) continue;
      const TableSpec& spec = scenario_.tables[t];
      geeps::Options options{{"rule", spec.rule},
                             {"reduce", spec.mean ? "mean" : "sum"},
                             {"sum_group", std::to_string(spec.sum_group)},
                             {"partition_bytes", std::to_string(spec.partition_bytes)},
                             {"init", spec.initial == 0 ? "zero" : "constant:" + NumberOf(spec.initial)}};
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
    begun_ = false;
  }

  void Pass(const PlanSpec& plan, const PassSpec& pass, const PassSpec* next) {
    where_ = "clock " + std::to_string(pass.clock) + ", plan " + plan.name;
    w_.note = where_;
    if (!begun_) Take(geeps_pass_begin(rt(), plans_[pass.plan].get(), err()), "pass_begin");
    if (!plan.no_clock) SetRates(pass.clock);
    std::vector<geeps_view> views(plan.ops.size());
    int num_open = 0;
    for (const StepSpec& step : plan.steps) {
      if (!ok() || (pass.ends_early && num_open == 0 && &step != plan.steps.data())) break;
      num_open += step.end ? -1 : 1;
      if (pass.leave[step.op] == Leave::kFirstCall) {
        if (!step.end) Take(geeps_skip(rt(), ops_[pass.plan][step.op], nullptr, err()), "skip");
      } else if (!step.end) {
        Begin(plan.ops[step.op], step.op, pass, &views[step.op]);
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
    if (!problem_.empty()) problem_ = where_ + ": " + problem_;
  }

  void SetRates(uint64_t clock) {
    for (size_t t = 0; t < tables_.size() && ok(); ++t) {
      if (!scenario_.tables[t].has_rate() || tables_[t].get() == nullptr) continue;
      Take(geeps_table_set_param(tables_[t].get(), "lr", RateOf(scenario_, clock), err()), "set_param");
    }
  }

  void Begin(const OpSpec& op, uint32_t index, const PassSpec& pass, geeps_view* view) {
    const geeps_op id = ops_[pass.plan][index];
    view->struct_size = sizeof *view;
    if (op.is_update) {
      Take(geeps_pre_update(rt(), id, nullptr, kLimitNs, view, err()), "pre_update");
      if (ok() && pass.leave[index] == Leave::kNothing) WriteUpdate(op, index, pass, *view);
      // Left unused: what stands in the buffer must not matter.
      if (ok() && pass.leave[index] != Leave::kNothing && view->bytes > 0) std::memset(view->data, 0x7f, view->bytes);
    } else {
      Take(geeps_read(rt(), id, nullptr, kLimitNs, view, err()), "read");
      if (ok()) CompareRead(op, index, pass, *view);
    }
  }

  void End(const OpSpec& op, uint32_t index, const PassSpec& pass, geeps_view* view) {
    const geeps_op id = ops_[pass.plan][index];
    if (!op.is_update) CompareRead(op, index, pass, *view);  // it stays what it was for as long as it is held
    if ((op.flags & GEEPS_READ_COPY) != 0 && view->bytes > 0) std::memset(view->data, 0x7f, view->bytes);
    if (!ok()) return;
    if (pass.leave[index] == Leave::kSecondCall) {
      Take(geeps_skip(rt(), id, nullptr, err()), "skip at the second call");
    } else if (op.is_update) {
      Take(geeps_update(rt(), id, nullptr, err()), "update");
    } else {
      Take(geeps_post_read(rt(), id, nullptr, err()), "post_read");
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

  void WriteUpdate(const OpSpec& op, uint32_t index, const PassSpec& pass, const geeps_view& view) {
    const TableSpec& table = scenario_.tables[op.table];
    const std::vector<uint64_t> rows = RowsOf(op.rows, table.num_rows);
    CheckShape(table, rows.size(), view);
    const bool zeroed = (op.flags & GEEPS_UPDATE_ZEROED) != 0;
    std::vector<uint8_t> values(table.row_bytes());
    for (size_t i = 0; i < rows.size() && ok(); ++i) {
      uint8_t* const out = static_cast<uint8_t*>(view.data) + i * table.row_bytes();
      WriteContribution({scenario_.options.seed, w_.rank, pass.clock, index}, op, table, rows[i], values.data());
      for (uint64_t column = 0; column < table.row_values; ++column) {
        const uint64_t at = column * table.value_bytes();
        if (zeroed && (rows[i] + column) % 2 == 1) continue;  // must be zero already
        std::memcpy(out + at, values.data() + at, table.value_bytes());
      }
    }
  }

  // Each row is that of a version within the slack, bit by bit, and within the ages that the view names.
  void CompareRead(const OpSpec& op, uint32_t index, const PassSpec& pass, const geeps_view& view) {
    const TableSpec& table = scenario_.tables[op.table];
    const Reference& reference = scenario_.references[op.table];
    const std::vector<uint64_t> rows = RowsOf(op.rows, table.num_rows);
    CheckShape(table, rows.size(), view);
    if (!ok()) return;
    const uint64_t oldest = pass.clock - std::min<uint64_t>(pass.clock, op.slack);
    const bool ages_right =
        rows.empty() || (oldest <= view.min_age && view.min_age <= view.max_age && view.max_age <= pass.clock);
    if (!ages_right) {
      problem_ = "a read with slack " + std::to_string(op.slack) + " has ages " + std::to_string(view.min_age) +
                 " to " + std::to_string(view.max_age);
    }
    for (size_t i = 0; i < rows.size() && ok(); ++i) {
      const uint8_t* const got = static_cast<const uint8_t*>(view.data) + i * table.row_bytes();
      bool found = false;
      for (uint64_t age = view.min_age; age <= view.max_age && !found; ++age) {
        found = std::memcmp(got, reference.Row(age, rows[i]), table.row_bytes()) == 0;
      }
      if (!found) Describe(table, reference, index, rows[i], got, view);
    }
  }

  void Describe(const TableSpec& table, const Reference& reference, uint32_t op, uint64_t row, const uint8_t* got,
                const geeps_view& view) {
    const uint8_t* const want = reference.Row(view.max_age, row);
    uint64_t column = 0;
    const uint64_t n = table.value_bytes();
    while (column + 1 < table.row_values && std::memcmp(got + column * n, want + column * n, n) == 0) ++column;
    problem_ = "read " + std::to_string(op) + " of " + table.name + ", row " + std::to_string(row) + ", column " +
               std::to_string(column) + " is " + Hex(got + column * n, n) + ", not " + Hex(want + column * n, n) +
               " of version " + std::to_string(view.max_age) +
               ((view.flags & GEEPS_VIEW_IN_PLACE) != 0 ? " (in place)" : " (copied)");
    for (uint64_t age = 0; age < reference.num_versions(); ++age) {
      if (std::memcmp(got, reference.Row(age, row), table.row_bytes()) == 0) {
        problem_ += "; it is the row of version " + std::to_string(age);
        break;
      }
    }
  }

  const Scenario& scenario_;
  Worker& w_;
  std::vector<geeps::Table> tables_;
  std::vector<geeps::Plan> plans_;
  std::vector<std::vector<geeps_op>> ops_;
  std::string problem_;
  std::string where_;
  bool begun_ = false;
};

}  // namespace

std::string WalkScenario(const Scenario& scenario, Worker& worker) { return Walk(scenario, &worker).Run(); }

std::string RunScenario(const ScenarioOptions& options, Setup setup) {
  setup.world = options.world;
  const Scenario scenario = MakeScenario(options);
  return RunWorkers(setup, [&](Worker& worker) { return WalkScenario(scenario, worker); });
}

}  // namespace geeps::system_test
