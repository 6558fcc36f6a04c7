// SPDX-License-Identifier: Apache-2.0
// Writers of the worlds of the exhaustive search: plans of a few operations, tables of one-row partitions.
#ifndef GEEPS_TESTS_SIM_SEARCH_WRITER_H_
#define GEEPS_TESTS_SIM_SEARCH_WRITER_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/sim/search.h"

namespace geeps::sim {

// A plan of operations one after another or nested, over tables of one-row partitions.
class PlanWriter {
 public:
  PlanWriter(const std::string& name, bool no_clock = false) : recorder_(name), no_clock_(no_clock) {}

  PlanWriter& Read(uint32_t t, uint64_t first, uint64_t count, uint32_t slack, uint32_t flags = 0) {
    return Begin(plan::OpKind::kRead, t, first, count, slack, flags);
  }
  PlanWriter& Update(uint32_t t, uint64_t first, uint64_t count, uint32_t flags = 0) {
    return Begin(plan::OpKind::kUpdate, t, first, count, 0, flags);
  }
  // Ends the operation that was begun as number `op`.
  PlanWriter& End(uint32_t op) {
    recorder_.Finish(kinds_[op], op).IgnoreError();
    return *this;
  }
  plan::RecordedPlan Done() {
    recorder_.End(no_clock_).IgnoreError();
    return recorder_.plan();
  }

 private:
  PlanWriter& Begin(plan::OpKind kind, uint32_t t, uint64_t first, uint64_t count, uint32_t slack, uint32_t flags) {
    recorder_.Begin(kind, TableObject(t), absl::StrCat("t", t), table::RowSet::Range(first, count), slack, flags)
        .IgnoreError();
    kinds_.push_back(kind);
    return *this;
  }

  plan::PlanRecorder recorder_;
  const bool no_clock_;
  std::vector<plan::OpKind> kinds_;
};

class WorldWriter {
 public:
  WorldWriter(std::string name, uint32_t world, bool mapped) : mapped_(mapped) {
    out_.name = std::move(name);
    out_.input.stages.resize(1);
    out_.input.shutdown = false;
    Stage().seed = 7;
    Stage().workers.resize(world);
  }

  // A table of `partitions` rows, one a partition, kept by the workers in turn from `keeper` on.
  WorldWriter& Table(uint32_t partitions, uint32_t keeper) {
    const uint32_t t = static_cast<uint32_t>(Stage().tables.size());
    const uint32_t world = static_cast<uint32_t>(Stage().workers.size());
    WorldInput::Table table;
    table.schema.name = absl::StrCat("t", t);
    table.schema.num_rows = partitions;
    table.schema.row_values = world + 1;
    table.schema.dtype = table::DType::kF64;
    table.schema.rule = table::FindRule(table::RuleId::kAdd);
    table.mapped.assign(world, mapped_);
    for (uint32_t p = 0; p < partitions; ++p) Stage().partitions.push_back({t, (keeper + p) % world, p, 1});
    Stage().tables.push_back(std::move(table));
    return *this;
  }
  // The last table is async.
  WorldWriter& Async() {
    Stage().tables.back().async = true;
    return *this;
  }
  // Worker w observes the last table.
  WorldWriter& Observer(uint32_t w) {
    Stage().tables.back().observer.assign(Stage().workers.size(), false);
    Stage().tables.back().observer[w] = true;
    Stage().tables.back().mapped[w] = false;
    return *this;
  }
  // The last table has read-my-writes.
  WorldWriter& ReadMyWrites() {
    Stage().tables.back().read_my_writes = true;
    return *this;
  }
  WorldWriter& Plan(uint32_t w, plan::RecordedPlan plan) {
    Stage().workers[w].plans.push_back(std::move(plan));
    return *this;
  }
  // The passes of worker w by plan; the program tells the next plan when it is another one, unless `silent`.
  WorldWriter& Passes(uint32_t w, const std::vector<uint32_t>& plans, bool silent = false) {
    std::vector<Pass>& passes = Stage().workers[w].passes;
    for (size_t i = 0; i < plans.size(); ++i) {
      Pass pass;
      pass.set_id = plans[i];
      pass.expected = !silent && i + 1 < plans.size() ? plans[i + 1] : plans[i];
      passes.push_back(std::move(pass));
    }
    return *this;
  }
  // Worker w gets the only row of the last table.
  WorldWriter& Gets(uint32_t w, protocol::Clock at, protocol::Age age) {
    Get get;
    get.at = at;
    get.age = age;
    get.table = static_cast<uint32_t>(Stage().tables.size()) - 1;
    Stage().workers[w].gets.push_back(get);
    return *this;
  }
  // From here on the next stage, behind `fence`, `clocks` clocks later: the same tables, other plans, passes and gets.
  WorldWriter& Fence(FenceInput fence, protocol::Clock clocks) {
    WorldInput next = Stage();
    next.first_clock += clocks;
    for (WorldInput::Worker& worker : next.workers) worker = WorldInput::Worker();
    out_.input.stages.push_back(std::move(next));
    out_.input.fences.push_back(std::move(fence));
    return *this;
  }
  WorldWriter& Shutdown() {
    out_.input.shutdown = true;
    return *this;
  }
  // A plain fence comes before the last pass of every worker.
  WorldWriter& FenceBeforeLast() {
    for (WorldInput::Worker& worker : Stage().workers) worker.passes.back().fence = true;
    return *this;
  }
  WorldWriter& Lost(uint32_t w) {
    out_.input.lost = w;
    return *this;
  }
  // The workers do not make the same number of clocks.
  WorldWriter& Uneven() {
    out_.input.uneven = true;
    out_.input.beats = true;
    return *this;
  }
  WorldWriter& LateSent() {
    out_.mode.late_sent = true;
    return *this;
  }
  SearchWorld Done() { return std::move(out_); }

 private:
  WorldInput& Stage() { return out_.input.stages.back(); }

  SearchWorld out_;
  const bool mapped_;
};

inline const char* NameOf(bool mapped) { return mapped ? "mapped" : "messages"; }

// Worlds of async tables, read-my-writes, observers and gets are put behind *worlds.
void AddModeWorlds(std::vector<SearchWorld>* worlds);
// Worlds with fences are put behind *worlds.
void AddFenceWorlds(std::vector<SearchWorld>* worlds);

}  // namespace geeps::sim

#endif  // GEEPS_TESTS_SIM_SEARCH_WRITER_H_
