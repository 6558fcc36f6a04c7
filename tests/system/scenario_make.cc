// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "tests/system/scenario.h"

namespace geeps::system_test {
namespace {

#ifdef GEEPS_RULE_LION
constexpr bool kHasLion = true;
#else
constexpr bool kHasLion = false;
#endif

constexpr uint64_t kSpreadBytes = 64 * 1024;  // a table has one keeper for each so many bytes

// How the workers' row sets of one table relate to each other.
enum class Style { kWhole, kEqual, kDisjoint, kRanges, kSparse, kStrided };

std::vector<geeps_rows> SparseRows(uint64_t num_rows, uint64_t one_in, Random* random) {
  std::vector<geeps_rows> rows;
  for (uint64_t row = 0; row < num_rows; ++row) {
    if (random->OneIn(one_in) && (rows.empty() || rows.back().first + rows.back().count < row))
      rows.push_back({row, 1});
  }
  return rows;
}

std::vector<geeps_rows> DrawRows(Style style, uint64_t num_rows, uint32_t rank, uint32_t world, uint64_t shared_seed,
                                 Random* random) {
  Random shared(shared_seed);
  switch (style) {
    case Style::kWhole:
      return {{0, GEEPS_TO_END}};
    case Style::kEqual: {
      const uint64_t first = shared.Below(num_rows);
      return {{first, 1 + shared.Below(num_rows - first)}};
    }
    case Style::kDisjoint: {
      const uint64_t first = rank * num_rows / world;
      const uint64_t end = (rank + 1) * num_rows / world;
      if (first == end) return {};
      return {{first, end - first}};
    }
    case Style::kRanges: {
      if (random->OneIn(6)) return {};
      const uint64_t first = random->Below(num_rows);
      return {{first, 1 + random->Below(num_rows - first)}};
    }
    case Style::kSparse:
      return SparseRows(num_rows, 3 + shared.Below(4), random);
    case Style::kStrided: {
      std::vector<geeps_rows> rows;
      const uint64_t step = 2 + shared.Below(4);
      for (uint64_t row = rank % step; row < num_rows; row += step) rows.push_back({row, 1});
      return rows;
    }
  }
  return {};
}

// Any rule, with parameters that make each of its operations matter. stateful: one that keeps something. plugins: also
// that of samples/rule_lion.
void DrawRule(bool stateful, bool plugins, Random* random, TableSpec* table) {
  const auto below_one = [&] { return 1.0 - 1.0 / static_cast<double>(2 + random->Below(200)); };
  const auto maybe = [&](double number) { return random->OneIn(2) ? 0 : number; };
  const std::pair<std::string, double> rate = {"lr", 0.01};  // set anew at each clock
  const std::pair<std::string, double> eps = {"eps", 1e-6};
  if (plugins && random->OneIn(3)) {
    table->rule = "lion";
    table->params = {rate, {"beta1", below_one()}, {"beta2", below_one()}, {"weight_decay", maybe(0.01)}};
    return;
  }
  const uint64_t kind = random->Below(stateful ? 6 : 12);
  if (kind < 3 && !stateful) return;  // add
  if (kind == 3 && !stateful) {
    table->rule = "replace";
  } else if (kind % 6 == 0) {
    table->rule = "adagrad";
    table->params = {rate, eps, {"lr_decay", maybe(0.125)}, {"weight_decay", maybe(0.01)}};
  } else if (kind % 6 == 1) {
    table->rule = "rmsprop";
    table->params = {rate, {"alpha", below_one()}, eps, {"momentum", maybe(0.75)}, {"weight_decay", maybe(0.01)}};
  } else if (kind % 6 == 2) {
    table->rule = "sgd";
    table->params = {rate, {"momentum", maybe(below_one())}};
  } else {
    const char* const rules[] = {"adam", "adamw", "lamb"};
    table->rule = rules[kind % 3];
    table->params = {rate, {"beta1", below_one()}, {"beta2", below_one()}, eps, {"weight_decay", maybe(0.01)}};
  }
}

std::vector<TableSpec> DrawTables(const ScenarioOptions& options, Random* random) {
  std::vector<TableSpec> tables(3);
  for (size_t i = 0; i < tables.size(); ++i) {
    TableSpec& table = tables[i];
    table.name = "table-" + std::to_string(i);
    const uint32_t dtypes[] = {GEEPS_F32, GEEPS_F32, GEEPS_F64, GEEPS_F64, GEEPS_F16, GEEPS_BF16};
    table.dtype = dtypes[random->Below(6)];
    DrawRule(i == 1, options.modes && kHasLion, random, &table);
    table.mean = random->OneIn(3);
    table.sum_group = 1 + static_cast<uint32_t>(random->Below(2));
    table.initial = random->OneIn(2) ? 0 : 1.0 / static_cast<double>(1 + random->Below(9));
    table.partition_bytes = random->OneIn(2) ? 4096 : 12000;
    if (options.large_tables && i > 0) {
      table.row_values = 200 + random->Below(80);
      table.num_rows = options.world * kSpreadBytes / table.row_bytes() + 1 + random->Below(9);
    } else {
      table.row_values = 1 + random->Below(40);
      table.num_rows = 20 + random->Below(200);
    }
  }
  return tables;
}

// Gives every second table an observer, and makes every second one async, or read-my-writes, or both: it counts then,
// in a dtype that holds the numbers.
std::vector<TableMode> DrawModes(const ScenarioOptions& options, Random* random, std::vector<TableSpec>* tables) {
  std::vector<TableMode> modes(tables->size());
  for (size_t i = 0; i < modes.size() && options.modes; ++i) {
    if (options.world > 1 && random->OneIn(2)) modes[i].observer = static_cast<uint32_t>(random->Below(options.world));
    const uint64_t kind = random->Below(6);
    modes[i].async = kind < 2;
    modes[i].read_my_writes = kind == 1 || kind == 2;
    if (!modes[i].counts()) continue;
    TableSpec& table = (*tables)[i];
    table.dtype = random->OneIn(2) ? GEEPS_F32 : GEEPS_F64;
    table.rule = "add";
    table.params.clear();
    table.mean = false;
    table.initial = 0;
    table.row_values += options.world;
  }
  return modes;
}

// Calls in a random order in which each operation is begun before it is ended.
std::vector<StepSpec> DrawSteps(size_t num_ops, Random* random) {
  std::vector<StepSpec> steps;
  std::vector<uint32_t> open;
  for (uint32_t next = 0; next < num_ops || !open.empty();) {
    if (next < num_ops && (open.empty() || random->OneIn(2))) {
      open.push_back(next);
      steps.push_back({next++, false});
    } else {
      const size_t i = random->Below(open.size());
      steps.push_back({open[i], true});
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  return steps;
}

class Maker {
 public:
  Maker(const ScenarioOptions& options, Scenario* scenario)
      : options_(options), random_(options.seed), scenario_(scenario) {}

  void Make() {
    scenario_->options = options_;
    scenario_->tables = DrawTables(options_, &random_);
    scenario_->modes = DrawModes(options_, &random_, &scenario_->tables);
    const uint64_t first = options_.first_clock;
    const uint64_t middle = first + options_.num_clocks / 2;
    MakeCommit("", first, middle);
    scenario_->born = {0, 0, static_cast<uint32_t>(scenario_->phases.size())};
    MakeCommit("-again", middle, first + options_.num_clocks);
  }

 private:
  // What is there in the phase that comes next.
  bool IsThere(uint32_t t) const { return t < 2 || !scenario_->born.empty(); }

  // A phase begun by a commit; with row_calls a fence may cut it in two.
  void MakeCommit(const std::string& suffix, uint64_t first_clock, uint64_t end_clock) {
    PhaseSpec phase;
    styles_.clear();
    for (size_t i = 0; i < scenario_->tables.size(); ++i) {
      styles_.push_back(options_.sparse_rows ? (random_.OneIn(2) ? Style::kSparse : Style::kStrided)
                                             : static_cast<Style>(random_.Below(6)));
    }
    shared_seed_ = random_.Next();
    const bool has_fence = options_.row_calls && random_.OneIn(2);
    const uint64_t fence_clock = has_fence ? first_clock + random_.Below(end_clock - first_clock + 1) : end_clock;
    phase.first_clock = first_clock;
    phase.end_clock = fence_clock;
    phase.sets.resize(options_.world);
    for (uint32_t rank = 0; rank < options_.world; ++rank) {
      std::vector<PlanSpec> plans(4);
      plans[0] = DrawPlan("train" + suffix, rank, true);
      plans[1] = DrawPlan("other" + suffix, rank, true);
      plans[2].name = "idle" + suffix;
      plans[3] = DrawPlan("evaluate" + suffix, rank, false);
      if (options_.row_calls) phase.sets[rank] = DrawSets(rank);
      phase.plans.push_back(plans);
      phase.passes.push_back(DrawPasses(plans, rank, first_clock, fence_clock));
    }
    scenario_->phases.push_back(phase);
    if (!has_fence) return;
    phase.by_fence = true;
    phase.first_clock = fence_clock;
    phase.end_clock = end_clock;
    const bool has_sets = random_.OneIn(2);  // without, the fence keeps the epoch
    for (uint32_t rank = 0; rank < options_.world; ++rank) {
      phase.sets[rank] = has_sets ? DrawSets(rank) : std::vector<SetSpec>();
      phase.passes[rank] = DrawPasses(phase.plans[rank], rank, fence_clock, end_clock);
    }
    scenario_->phases.push_back(phase);
  }

  std::vector<SetSpec> DrawSets(uint32_t rank) {
    std::vector<SetSpec> sets;
    for (uint32_t t = 0; t < scenario_->tables.size(); ++t) {
      for (uint64_t n = IsThere(t) && random_.OneIn(3) ? 1 + random_.Below(2) : 0; n > 0; --n) {
        const SetSpec set = {t, DrawOpRows(t, rank), random_.OneIn(2)};
        if (!set.rows.empty()) sets.push_back(set);
      }
    }
    return sets;
  }

  std::vector<GetSpec> DrawGets(uint32_t rank, uint64_t clock) {
    std::vector<GetSpec> gets;
    for (uint32_t t = 0; t < scenario_->tables.size(); ++t) {
      if (!IsThere(t) || !random_.OneIn(8)) continue;
      GetSpec get = {t, DrawOpRows(t, rank), clock - std::min<uint64_t>(clock, random_.Below(3)), random_.OneIn(2)};
      gets.push_back(get);
    }
    return gets;
  }

  PlanSpec DrawPlan(const std::string& name, uint32_t rank, bool updates) {
    PlanSpec plan;
    plan.name = name;
    plan.no_clock = !updates;
    for (uint32_t t = 0; t < scenario_->tables.size(); ++t) {
      if (!IsThere(t)) continue;
      const uint64_t num_reads = updates ? random_.Below(3) : 1 + random_.Below(2);
      for (uint64_t i = 0; i < num_reads; ++i) plan.ops.push_back(DrawRead(t, rank, updates));
      const bool optional = !options_.every_clock && random_.OneIn(3);
      const uint64_t num_updates = !updates ? 0 : options_.every_clock ? 1 + random_.Below(2) : random_.Below(4);
      const bool observes = scenario_->modes[t].observer == rank;
      for (uint64_t i = 0; i < num_updates && !observes; ++i) plan.ops.push_back(DrawUpdate(t, rank, optional));
    }
    for (size_t i = plan.ops.size(); i > 1; --i) std::swap(plan.ops[i - 1], plan.ops[random_.Below(i)]);
    plan.steps = DrawSteps(plan.ops.size(), &random_);
    return plan;
  }

  OpSpec DrawRead(uint32_t t, uint32_t rank, bool training) {
    OpSpec op;
    op.table = t;
    // Evaluation reads everything now and then, so that values nobody trains on are compared, too.
    op.rows = !training && random_.OneIn(2) ? DrawRows(Style::kWhole, 0, 0, 1, 0, &random_) : DrawOpRows(t, rank);
    op.slack = static_cast<uint32_t>(random_.Below(options_.slack_max + 1));
    if (scenario_->modes[t].async || scenario_->modes[t].observer == rank) op.slack = 0;
    if (random_.OneIn(3)) op.flags |= GEEPS_READ_COPY;
    if (random_.OneIn(4)) op.flags |= GEEPS_OP_OPTIONAL;
    return op;
  }

  OpSpec DrawUpdate(uint32_t t, uint32_t rank, bool optional) {
    OpSpec op;
    op.is_update = true;
    op.table = t;
    op.rows = DrawOpRows(t, rank);
    if (random_.OneIn(3)) op.flags |= GEEPS_UPDATE_ZEROED;
    if (optional) op.flags |= GEEPS_OP_OPTIONAL;
    return op;
  }

  std::vector<geeps_rows> DrawOpRows(uint32_t t, uint32_t rank) {
    return DrawRows(styles_[t], scenario_->tables[t].num_rows, rank, options_.world, shared_seed_ + t, &random_);
  }

  std::vector<PassSpec> DrawPasses(const std::vector<PlanSpec>& plans, uint32_t rank, uint64_t first_clock,
                                   uint64_t end_clock) {
    std::vector<PassSpec> passes;
    for (uint64_t clock = first_clock; clock <= end_clock; ++clock) {
      const bool last = clock == end_clock;
      for (uint64_t n = last ? 1 : random_.OneIn(4) ? 1 + random_.Below(2) : 0; n > 0; --n) {
        passes.push_back(DrawPass(plans, 3, clock));
        passes.back().ends_early = !last && random_.OneIn(3);
      }
      if (last) break;
      const uint32_t plan = options_.every_clock ? 0 : random_.OneIn(8) ? 2 : random_.OneIn(3) ? 1 : 0;
      passes.push_back(DrawPass(plans, plan, clock));
    }
    if (options_.row_calls) {
      for (PassSpec& pass : passes) pass.gets = DrawGets(rank, pass.clock);
    }
    return passes;
  }

  PassSpec DrawPass(const std::vector<PlanSpec>& plans, uint32_t plan_index, uint64_t clock) {
    const PlanSpec& plan = plans[plan_index];
    PassSpec pass;
    pass.plan = plan_index;
    pass.clock = clock;
    std::vector<bool> leaves_table;
    for (size_t t = 0; t < scenario_->tables.size(); ++t) leaves_table.push_back(random_.OneIn(3));
    for (const OpSpec& op : plan.ops) {
      const bool optional = (op.flags & GEEPS_OP_OPTIONAL) != 0;
      const bool leave =
          optional && (op.is_update ? leaves_table[op.table] : !options_.every_clock && random_.OneIn(3));
      pass.leave.push_back(!leave ? Leave::kNothing : random_.OneIn(2) ? Leave::kFirstCall : Leave::kSecondCall);
    }
    return pass;
  }

  const ScenarioOptions options_;
  Random random_;
  Scenario* const scenario_;
  std::vector<Style> styles_;
  uint64_t shared_seed_ = 0;
};

}  // namespace

uint64_t Random::Next() {  // splitmix64
  state_ += 0x9e3779b97f4a7c15ull;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

double RateOf(const Scenario& scenario, uint64_t clock) {
  return 0.125 / static_cast<double>(1 + clock - scenario.options.first_clock + scenario.options.seed % 7);
}

Scenario MakeScenario(const ScenarioOptions& options) {
  Scenario scenario;
  Maker(options, &scenario).Make();
  return scenario;
}

}  // namespace geeps::system_test
