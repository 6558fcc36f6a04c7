// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/generate.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/sim/random.h"

namespace geeps::sim {
namespace {

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(HashOf(seed, 1)) { input_.seed = seed; }

  JobInput Run() {
    ChooseShape();
    for (uint32_t t = 0; t < num_tables_; ++t) AddTable(t);
    const uint32_t num_stages = random_.Chance(50) ? 1 : random_.Between(2, 3);
    num_clocks_ = std::max<uint32_t>(3, num_clocks_ / num_stages);
    job_.beats = random_.Chance(50);
    for (uint32_t stage = 0; stage < num_stages; ++stage) {
      if (stage > 0) {
        input_.first_clock += num_clocks_;
        ChoosePlans();
        AddFence();
      }
      AddStage();
    }
    if (random_.Chance(10)) job_.lost = random_.Below(world_);
    if (world_ > 1 && !plain_fence_ && random_.Chance(8)) DropClock();
    return std::move(job_);
  }

 private:
  void AddStage() {
    input_.workers.assign(world_, {});
    for (uint32_t w = 0; w < world_; ++w) {
      worker_ = w;
      for (uint32_t q = 0; q < num_plans_; ++q) input_.workers[w].plans.push_back(RecordPlan(q));
      AddPasses(w);
    }
    for (uint32_t w = 0; w < world_; ++w) AddGets(w);
    if (random_.Chance(20)) AddPlainFence();
    job_.stages.push_back(input_);
  }

  // A plain fence before the same clock of every worker.
  void AddPlainFence() {
    const uint32_t clock = random_.Between(1, num_clocks_ - 1);
    for (WorldInput::Worker& worker : input_.workers) {
      uint32_t clocks = 0;
      for (Pass& pass : worker.passes) {
        if (no_clock_[pass.set_id] || clocks++ != clock) continue;
        pass.fence = true;
        break;
      }
    }
    plain_fence_ = true;
  }

  void AddFence() {
    FenceInput fence;
    fence.commit = random_.Chance(60);
    const bool sets = !fence.commit || random_.Chance(60);
    const uint32_t num_sets = sets ? random_.Between(1, 6) : 0;
    // Sets that are late would be taken in by a plain fence before, or by the fence before that is tried again.
    const bool may_be_late = !plain_fence_ && (job_.fences.empty() || job_.fences.back().fails == kNone);
    for (uint32_t i = 0; i < num_sets; ++i) {
      SetCall call;
      call.worker = random_.Below(world_);
      call.table = random_.Below(num_tables_);
      const uint32_t num_rows = static_cast<uint32_t>(input_.tables[call.table].schema.num_rows);
      call.first_row = random_.Below(num_rows);
      call.num_rows = random_.Between(1, num_rows - static_cast<uint32_t>(call.first_row));
      call.keep_state = random_.Chance(40);
      call.late = may_be_late && random_.Chance(30);
      fence.sets.push_back(call);
    }
    if (random_.Chance(25)) fence.fails = random_.Below(world_);
    plain_fence_ = false;
    job_.fences.push_back(std::move(fence));
  }

  // One worker makes a clock less than the others, at the end.
  void DropClock() {
    std::vector<Pass>& passes = job_.stages.back().workers[random_.Below(world_)].passes;
    auto last = passes.end();
    while (last != passes.begin() && no_clock_[(--last)->set_id]) {
    }
    passes.erase(last);
    job_.uneven = true;
    job_.beats = true;
  }

  void ChoosePlans() {
    num_plans_ = random_.Between(1, 3);
    no_clock_.clear();
    for (uint32_t q = 0; q < num_plans_; ++q) no_clock_.push_back(q > 0 && random_.Chance(40));
  }

  void ChooseShape() {
    static constexpr uint32_t kWorlds[] = {1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 5, 6, 7, 8};
    static constexpr uint32_t kLarge[] = {16, 16, 16, 17, 18, 20, 24, 31, 48, 64};
    world_ = random_.Chance(7) ? kLarge[random_.Below(10)] : kWorlds[random_.Below(14)];
    num_tables_ = world_ > 20 ? 1 : world_ > 8 ? random_.Between(1, 2) : random_.Between(1, 4);
    num_clocks_ = world_ > 20 ? random_.Between(3, 6) : world_ > 8 ? random_.Between(5, 12) : random_.Between(8, 40);
    input_.params_differ = random_.Chance(50);
    static constexpr uint64_t kFirst[] = {1, 7, (1ull << 31) - 3, (1ull << 32) - 3, (1ull << 63) - 3};
    if (random_.Chance(25)) input_.first_clock = kFirst[random_.Below(5)];
    if (random_.Chance(30)) input_.locals.push_back({"local", 4, 16});
    ChoosePlans();
    // 0: messages, 1: mapped, 2: any mixture
    memory_ = random_.Below(3);
  }

  void AddTable(uint32_t t) {
    WorldInput::Table table;
    table::TableSchema& schema = table.schema;
    const bool add = random_.Chance(70);
    schema.name = absl::StrCat("t", t);
    schema.num_rows = random_.Between(1, 20);
    schema.row_values = add ? world_ + 1 : random_.Between(2, 4);
    schema.dtype = table::DType::kF64;
    // All but lamb, which looks at whole rows, where a keeper here steps one half after the other.
    static constexpr table::RuleId kRules[] = {table::RuleId::kSgd,   table::RuleId::kReplace, table::RuleId::kAdam,
                                               table::RuleId::kAdamW, table::RuleId::kAdagrad, table::RuleId::kRmsProp};
    schema.rule = table::FindRule(add ? table::RuleId::kAdd : kRules[random_.Below(6)]);
    const std::vector<double> params = ParamsAt(0, t, 0);
    std::copy_n(params.begin(), schema.rule->num_params, schema.params);
    schema.reduce = !add && random_.Chance(40) ? table::Reduce::kMean : table::Reduce::kSum;
    schema.seed = input_.seed;
    if (add) {
      schema.init = {table::InitKind::kConstant, 1.0, 0.0};
    } else {
      schema.init = {table::InitKind::kUniform, -1.0, 1.0};
    }
    table.async = random_.Chance(25);
    table.read_my_writes = add && random_.Chance(35);
    const bool observed = world_ > 1 && random_.Chance(25);
    for (uint32_t w = 0; w < world_; ++w) {
      table.observer.push_back(observed && random_.Chance(40));
      const bool mapped = memory_ == 1 || (memory_ == 2 && random_.Chance(50));
      table.mapped.push_back(mapped && !table.async && !table.read_my_writes && !table.observer[w]);
    }
    uint64_t row = 0;
    uint32_t keeper = random_.Below(world_);
    while (row < schema.num_rows) {
      const uint64_t rows = std::min<uint64_t>(random_.Between(1, 6), schema.num_rows - row);
      input_.partitions.push_back({t, keeper, row, rows});
      row += rows;
      if (random_.Chance(70)) keeper = (keeper + 1) % world_;
    }
    slack_cap_.push_back(random_.Chance(40) || table.async ? 0 : random_.Between(1, 3));
    input_.tables.push_back(std::move(table));
  }

  table::RowSet RandomRows(uint64_t num_rows) {
    if (random_.Chance(30)) return table::RowSet::Range(0, num_rows);
    if (random_.Chance(50)) {
      const uint32_t first = random_.Below(static_cast<uint32_t>(num_rows));
      return table::RowSet::Range(first, random_.Between(1, static_cast<uint32_t>(num_rows) - first));
    }
    std::vector<uint64_t> rows;
    for (uint64_t row = 0; row < num_rows; ++row) {
      if (random_.Chance(50)) rows.push_back(row);
    }
    if (rows.empty()) rows.push_back(random_.Below(static_cast<uint32_t>(num_rows)));
    return table::RowSet::FromSortedRows(rows);
  }

  plan::RecordedPlan RecordPlan(uint32_t q) {
    plan::PlanRecorder recorder(absl::StrCat("plan", q));
    const uint32_t num_ops = random_.Chance(12) ? 0 : random_.Between(1, 9);
    std::vector<bool> optional(num_tables_);
    for (uint32_t t = 0; t < num_tables_; ++t) optional[t] = random_.Chance(20);
    std::vector<std::pair<plan::OpKind, uint32_t>> open;
    uint32_t begun = 0;
    while (begun < num_ops || !open.empty()) {
      const bool begin = begun < num_ops && open.size() < 4 && (open.empty() || random_.Chance(50));
      if (!begin) {
        const uint32_t i = random_.Below(static_cast<uint32_t>(open.size()));
        recorder.Finish(open[i].first, open[i].second).IgnoreError();
        open.erase(open.begin() + i);
        continue;
      }
      ++begun;
      const auto op = BeginOp(&recorder, no_clock_[q], optional);
      open.push_back(op);
    }
    recorder.End(no_clock_[q]).IgnoreError();
    return recorder.plan();
  }

  std::pair<plan::OpKind, uint32_t> BeginOp(plan::PlanRecorder* recorder, bool no_clock,
                                            const std::vector<bool>& optional) {
    if (!input_.locals.empty() && random_.Chance(15)) {
      const uint32_t op = *recorder->Begin(plan::OpKind::kLocal, LocalObject(0), "local",
                                           table::RowSet::Range(0, random_.Between(1, 4)), 0, 0);
      return {plan::OpKind::kLocal, op};
    }
    const uint32_t t = random_.Below(num_tables_);
    const table::TableSchema& schema = input_.tables[t].schema;
    const bool observer = input_.tables[t].observer[worker_];
    const bool update = !no_clock && random_.Chance(50) && !observer;
    uint32_t flags = 0;
    uint32_t slack = 0;
    if (update) {
      if (optional[t]) flags |= plan::kOptional;
      if (random_.Chance(25)) flags |= plan::kUpdateZeroed;
    } else {
      if (random_.Chance(15)) flags |= plan::kOptional;
      if (random_.Chance(35) || input_.tables[t].read_my_writes || observer) flags |= plan::kReadCopy;
      slack = random_.Between(0, slack_cap_[t]);
    }
    const plan::OpKind kind = update ? plan::OpKind::kUpdate : plan::OpKind::kRead;
    return {kind, *recorder->Begin(kind, TableObject(t), schema.name, RandomRows(schema.num_rows), slack, flags)};
  }

  void AddPasses(uint32_t w) {
    WorldInput::Worker& worker = input_.workers[w];
    std::vector<uint32_t> clocked;
    std::vector<uint32_t> unclocked;
    for (uint32_t q = 0; q < num_plans_; ++q) (no_clock_[q] ? unclocked : clocked).push_back(q);
    for (uint32_t clock = 0; clock < num_clocks_; ++clock) {
      while (!unclocked.empty() && random_.Chance(25))
        AddPass(&worker, unclocked[random_.Below(static_cast<uint32_t>(unclocked.size()))]);
      const bool same = random_.Chance(60);
      AddPass(&worker, same ? clocked[0] : clocked[random_.Below(static_cast<uint32_t>(clocked.size()))]);
    }
    // What the program says about the next pass: the truth, or nothing, which stands for the same plan again.
    for (size_t i = 0; i < worker.passes.size(); ++i) {
      const bool told = i + 1 < worker.passes.size() && random_.Chance(60);
      worker.passes[i].expected = told ? worker.passes[i + 1].set_id : worker.passes[i].set_id;
    }
  }

  void AddGets(uint32_t w) {
    if (random_.Chance(50)) return;
    const uint32_t num_gets = random_.Between(1, 6);
    uint32_t after = 0;
    for (uint32_t i = 0; i < num_gets; ++i) {
      after = random_.Between(after, num_clocks_);
      Get get;
      get.at = input_.first_clock + after;
      get.age = get.at - random_.Below(std::min<uint32_t>(after, 3) + 1);
      get.table = random_.Below(num_tables_);
      const uint32_t num_rows = static_cast<uint32_t>(input_.tables[get.table].schema.num_rows);
      get.first_row = random_.Below(num_rows);
      get.num_rows = random_.Between(1, num_rows - static_cast<uint32_t>(get.first_row));
      input_.workers[w].gets.push_back(get);
    }
  }

  void AddPass(WorldInput::Worker* worker, uint32_t q) {
    const plan::RecordedPlan& plan = worker->plans[q];
    Pass pass;
    pass.set_id = q;
    pass.skipped.assign(plan.ops.size(), 0);
    std::vector<uint8_t> skip_table(num_tables_);
    for (uint8_t& skip : skip_table) skip = random_.Chance(30) ? 1 : 0;
    for (size_t op = 0; op < plan.ops.size(); ++op) {
      if ((plan.ops[op].flags & plan::kOptional) == 0) continue;
      const bool skip = plan.ops[op].kind == plan::OpKind::kUpdate
                            ? skip_table[plan.ops[op].object - TableObject(0)] != 0
                            : random_.Chance(40);
      if (skip) pass.skipped[op] = random_.Chance(50) ? 1 : 2;
    }
    if (no_clock_[q] && random_.Chance(40)) EndEarly(plan, &pass);
    worker->passes.push_back(std::move(pass));
  }

  // At a step where nothing is open.
  void EndEarly(const plan::RecordedPlan& plan, Pass* pass) {
    std::vector<uint32_t> steps = {0};
    int open = 0;
    for (uint32_t step = 0; step < plan.steps.size(); ++step) {
      open += plan.steps[step].end ? -1 : 1;
      if (open == 0) steps.push_back(step + 1);
    }
    pass->end_step = steps[random_.Below(static_cast<uint32_t>(steps.size()))];
  }

  Random random_;
  JobInput job_;
  WorldInput input_;          // of the stage
  bool plain_fence_ = false;  // the last stage has one
  uint32_t world_ = 1;
  uint32_t worker_ = 0;  // whose plans are recorded
  uint32_t num_tables_ = 1;
  uint32_t num_plans_ = 1;
  uint32_t num_clocks_ = 1;
  uint32_t memory_ = 0;
  std::vector<bool> no_clock_;
  std::vector<uint32_t> slack_cap_;
};

}  // namespace

JobInput GenerateJob(uint64_t seed) { return Generator(seed).Run(); }

}  // namespace geeps::sim
