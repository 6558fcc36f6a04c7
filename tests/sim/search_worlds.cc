// SPDX-License-Identifier: Apache-2.0
// The worlds of the exhaustive search: fixed programs, each made for what once went wrong or easily could.
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/search.h"

namespace geeps::sim {
namespace {

using plan::OpKind;

// A plan of operations one after another or nested, over tables of one-row partitions.
class PlanWriter {
 public:
  PlanWriter(const std::string& name, bool no_clock = false) : recorder_(name), no_clock_(no_clock) {}

  PlanWriter& Read(uint32_t t, uint64_t first, uint64_t count, uint32_t slack, uint32_t flags = 0) {
    return Begin(OpKind::kRead, t, first, count, slack, flags);
  }
  PlanWriter& Update(uint32_t t, uint64_t first, uint64_t count, uint32_t flags = 0) {
    return Begin(OpKind::kUpdate, t, first, count, 0, flags);
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
  PlanWriter& Begin(OpKind kind, uint32_t t, uint64_t first, uint64_t count, uint32_t slack, uint32_t flags) {
    recorder_.Begin(kind, TableObject(t), absl::StrCat("t", t), table::RowSet::Range(first, count), slack, flags)
        .IgnoreError();
    kinds_.push_back(kind);
    return *this;
  }

  plan::PlanRecorder recorder_;
  const bool no_clock_;
  std::vector<OpKind> kinds_;
};

class WorldWriter {
 public:
  WorldWriter(std::string name, uint32_t world, bool mapped) : mapped_(mapped) {
    out_.name = std::move(name);
    out_.input.seed = 7;
    out_.input.workers.resize(world);
  }

  // A table of `partitions` rows, one a partition, kept by the workers in turn from `keeper` on.
  WorldWriter& Table(uint32_t partitions, uint32_t keeper) {
    const uint32_t t = static_cast<uint32_t>(out_.input.tables.size());
    const uint32_t world = static_cast<uint32_t>(out_.input.workers.size());
    WorldInput::Table table;
    table.schema.name = absl::StrCat("t", t);
    table.schema.num_rows = partitions;
    table.schema.row_values = world + 1;
    table.schema.dtype = table::DType::kF64;
    table.schema.rule = table::FindRule(table::RuleId::kAdd);
    table.mapped.assign(world, mapped_);
    for (uint32_t p = 0; p < partitions; ++p) out_.input.partitions.push_back({t, (keeper + p) % world, p, 1});
    out_.input.tables.push_back(std::move(table));
    return *this;
  }
  // The last table is async.
  WorldWriter& Async() {
    out_.input.tables.back().async = true;
    return *this;
  }
  // Worker w observes the last table.
  WorldWriter& Observer(uint32_t w) {
    out_.input.tables.back().observer.assign(out_.input.workers.size(), false);
    out_.input.tables.back().observer[w] = true;
    out_.input.tables.back().mapped[w] = false;
    return *this;
  }
  // The last table has read-my-writes.
  WorldWriter& ReadMyWrites() {
    out_.input.tables.back().read_my_writes = true;
    return *this;
  }
  WorldWriter& Plan(uint32_t w, plan::RecordedPlan plan) {
    out_.input.workers[w].plans.push_back(std::move(plan));
    return *this;
  }
  // The passes of worker w by plan; the program tells the next plan when it is another one, unless `silent`.
  WorldWriter& Passes(uint32_t w, const std::vector<uint32_t>& plans, bool silent = false) {
    std::vector<Pass>& passes = out_.input.workers[w].passes;
    for (size_t i = 0; i < plans.size(); ++i) {
      Pass pass;
      pass.set_id = plans[i];
      pass.expected = !silent && i + 1 < plans.size() ? plans[i + 1] : plans[i];
      passes.push_back(std::move(pass));
    }
    return *this;
  }
  WorldWriter& LateSent() {
    out_.mode.late_sent = true;
    return *this;
  }
  SearchWorld Done() { return std::move(out_); }

 private:
  SearchWorld out_;
  const bool mapped_;
};

const char* NameOf(bool mapped) { return mapped ? "mapped" : "messages"; }

// Everybody reads, then updates.
SearchWorld ReadUpdate(uint32_t world, uint32_t partitions, uint32_t slack, uint32_t clocks, bool mapped,
                       uint32_t flags) {
  WorldWriter writer(absl::StrCat("read, update: ", world, " workers, ", partitions, " partitions, slack ", slack, ", ",
                                  clocks, " clocks, ", NameOf(mapped), flags == 0 ? "" : ", copied"),
                     world, mapped);
  writer.Table(partitions, 0);
  for (uint32_t w = 0; w < world; ++w) {
    writer.Plan(w, PlanWriter("p").Read(0, 0, partitions, slack, flags).End(0).Update(0, 0, partitions).End(1).Done());
    writer.Passes(w, std::vector<uint32_t>(clocks, 0));
  }
  return writer.Done();
}

// The read is held in place over the update: the table may not be fired at its last update.
SearchWorld HeldRead(uint32_t slack, uint32_t clocks, bool mapped, uint32_t flags) {
  WorldWriter writer(absl::StrCat("read held over the update: slack ", slack, ", ", clocks, " clocks, ", NameOf(mapped),
                                  flags == 0 ? "" : ", copied"),
                     2, mapped);
  writer.Table(1, 0);
  for (uint32_t w = 0; w < 2; ++w) {
    writer.Plan(w, PlanWriter("p").Read(0, 0, 1, slack, flags).Update(0, 0, 1).End(1).End(0).Done());
    writer.Passes(w, std::vector<uint32_t>(clocks, 0));
  }
  return writer.Done();
}

// Worker 0 updates and never reads, worker 1 reads and never updates.
SearchWorld WriterReader(uint32_t partitions, uint32_t slack, uint32_t clocks, bool mapped, uint32_t flags) {
  WorldWriter writer(absl::StrCat("one writes, one reads: ", partitions, " partitions, slack ", slack, ", ", clocks,
                                  " clocks, ", NameOf(mapped), flags == 0 ? "" : ", copied"),
                     2, mapped);
  writer.Table(partitions, 1);
  writer.Plan(0, PlanWriter("p").Update(0, 0, partitions).End(0).Done());
  writer.Plan(1, PlanWriter("p").Read(0, 0, partitions, slack, flags).End(0).Done());
  for (uint32_t w = 0; w < 2; ++w) writer.Passes(w, std::vector<uint32_t>(clocks, 0));
  return writer.Done();
}

// Two tables in crossed order, each updated, then read: a clock told too early is a deadlock or a random read.
SearchWorld Crossed(uint32_t slack, uint32_t clocks, bool mapped, uint32_t flags) {
  WorldWriter writer(absl::StrCat("crossed tables: slack ", slack, ", ", clocks, " clocks, ", NameOf(mapped)), 2,
                     mapped);
  writer.Table(1, 0).Table(1, 1);
  for (uint32_t w = 0; w < 2; ++w) {
    writer.Plan(
        w, PlanWriter("p").Update(w, 0, 1).End(0).Read(w, 0, 1, slack, flags).End(1).Update(1 - w, 0, 1).End(2).Done());
    writer.Passes(w, std::vector<uint32_t>(clocks, 0));
  }
  return writer.Done();
}

// Plans with different slacks in turn: the one that waits has nothing to send that a credit could ride on.
SearchWorld Alternating(uint32_t slack, uint32_t clocks, bool mapped, bool silent) {
  WorldWriter writer(absl::StrCat("alternating plans: slack ", slack, ", ", clocks, " clocks, ", NameOf(mapped),
                                  silent ? ", wrong guesses" : ""),
                     2, mapped);
  writer.Table(1, 0);
  std::vector<uint32_t> plans;
  for (uint32_t i = 0; i < clocks; ++i) plans.push_back(i % 2);
  for (uint32_t w = 0; w < 2; ++w) {
    writer.Plan(w, PlanWriter("p").Read(0, 0, 1, slack, plan::kReadCopy).End(0).Update(0, 0, 1).End(1).Done());
    writer.Plan(w, PlanWriter("q").Read(0, 0, 1, 0, plan::kReadCopy).End(0).Done());
    writer.Passes(w, plans, silent);
  }
  return writer.Done();
}

// A plan without clock between the passes, and a worker that runs out of data.
SearchWorld Evaluating(uint32_t slack, uint32_t clocks, bool mapped) {
  WorldWriter writer(
      absl::StrCat("evaluation and an empty plan: slack ", slack, ", ", clocks, " clocks, ", NameOf(mapped)), 2,
      mapped);
  writer.Table(1, 1);
  for (uint32_t w = 0; w < 2; ++w) {
    writer.Plan(w, PlanWriter("a").Read(0, 0, 1, slack, plan::kReadCopy).Update(0, 0, 1).End(0).End(1).Done());
    writer.Plan(w, PlanWriter("b", true).Read(0, 0, 1, 0, plan::kReadCopy).End(0).Done());
    writer.Plan(w, PlanWriter("c").Done());
  }
  std::vector<uint32_t> first;
  std::vector<uint32_t> second;
  for (uint32_t i = 0; i < clocks; ++i) {
    first.push_back(0);
    if (i == 0) first.push_back(1);
    second.push_back(i == 0 ? 0 : 2);
  }
  writer.Passes(0, first, true);
  writer.Passes(1, second, true);
  return writer.Done();
}

// Each updates one partition and reads the other.
SearchWorld Exchange(uint32_t slack, uint32_t clocks, bool mapped, bool late_sent) {
  WorldWriter writer(absl::StrCat("each writes one partition, reads the other: slack ", slack, ", ", clocks,
                                  " clocks, ", NameOf(mapped), late_sent ? ", completions late" : ""),
                     2, mapped);
  writer.Table(2, 0);
  for (uint32_t w = 0; w < 2; ++w) {
    writer.Plan(w, PlanWriter("p").Update(0, w, 1).End(0).Read(0, 1 - w, 1, slack).End(1).Done());
    writer.Passes(w, std::vector<uint32_t>(clocks, 0));
  }
  return late_sent ? writer.LateSent().Done() : writer.Done();
}

// Two updates of one row in one clock, the second one added to the first, zeroed or not.
SearchWorld TwoUpdates(uint32_t slack, uint32_t clocks, bool mapped) {
  WorldWriter writer(absl::StrCat("two updates of a row: slack ", slack, ", ", clocks, " clocks, ", NameOf(mapped)), 2,
                     mapped);
  writer.Table(1, 0);
  writer.Plan(0, PlanWriter("p").Update(0, 0, 1, plan::kUpdateZeroed).Update(0, 0, 1).End(1).End(0).Done());
  writer.Plan(1, PlanWriter("p").Read(0, 0, 1, slack).End(0).Done());
  for (uint32_t w = 0; w < 2; ++w) writer.Passes(w, std::vector<uint32_t>(clocks, 0));
  return writer.Done();
}

// Async: everybody reads, then updates; the answers decide how far a worker is ahead.
SearchWorld AsyncReadUpdate(uint32_t world, uint32_t partitions, uint32_t clocks, bool late_sent) {
  WorldWriter writer(absl::StrCat("async, read, update: ", world, " workers, ", partitions, " partitions, ", clocks,
                                  " clocks", late_sent ? ", completions late" : ""),
                     world, false);
  writer.Table(partitions, 0).Async();
  for (uint32_t w = 0; w < world; ++w) {
    writer.Plan(w, PlanWriter("p").Read(0, 0, partitions, 0).End(0).Update(0, 0, partitions).End(1).Done());
    writer.Passes(w, std::vector<uint32_t>(clocks, 0));
  }
  return late_sent ? writer.LateSent().Done() : writer.Done();
}

// Async: worker 0 updates and never reads, worker 1 reads and hears by its empty clocks.
SearchWorld AsyncWriterReader(uint32_t partitions, uint32_t clocks) {
  WorldWriter writer(absl::StrCat("async, one writes, one reads: ", partitions, " partitions, ", clocks, " clocks"), 2,
                     false);
  writer.Table(partitions, 1).Async();
  writer.Plan(0, PlanWriter("p").Update(0, 0, partitions).End(0).Done());
  writer.Plan(1, PlanWriter("p").Read(0, 0, partitions, 0).End(0).Done());
  for (uint32_t w = 0; w < 2; ++w) writer.Passes(w, std::vector<uint32_t>(clocks, 0));
  return writer.Done();
}

// Async: the data leave before the read is handed out, so that FIRE comes behind them.
SearchWorld AsyncHeldRead(uint32_t clocks) {
  WorldWriter writer(absl::StrCat("async, read held over the update: ", clocks, " clocks"), 2, false);
  writer.Table(2, 0).Async();
  for (uint32_t w = 0; w < 2; ++w) {
    writer.Plan(w, PlanWriter("p").Update(0, w, 1).End(0).Read(0, 0, 2, 0).End(1).Done());
    writer.Passes(w, std::vector<uint32_t>(clocks, 0));
  }
  return writer.Done();
}

// Read-my-writes: what worker 0 reads it has updated in the same clock, `updates` times; worker 1 takes part.
SearchWorld OwnWrites(uint32_t slack, uint32_t clocks, bool async, uint32_t updates) {
  WorldWriter writer(absl::StrCat("read-my-writes, ", updates, " updates, then read: ",
                                  async ? "async" : absl::StrCat("slack ", slack), ", ", clocks, " clocks"),
                     2, false);
  writer.Table(1, 1).ReadMyWrites();
  if (async) writer.Async();
  PlanWriter plan("p");
  for (uint32_t i = 0; i < updates; ++i) plan.Update(0, 0, 1);
  for (uint32_t i = 0; i < updates; ++i) plan.End(i);
  writer.Plan(0, plan.Read(0, 0, 1, slack, plan::kReadCopy).End(updates).Done());
  writer.Plan(1, PlanWriter("p").Read(0, 0, 1, slack, plan::kReadCopy).End(0).Update(0, 0, 1).End(1).Done());
  for (uint32_t w = 0; w < 2; ++w) writer.Passes(w, std::vector<uint32_t>(clocks, 0));
  return writer.Done();
}

// Read-my-writes over two partitions: the reads of one clock run ahead of the updates of the next.
SearchWorld OwnAcross(uint32_t slack, uint32_t clocks, bool async) {
  WorldWriter writer(absl::StrCat("read-my-writes across two partitions: ",
                                  async ? "async" : absl::StrCat("slack ", slack), ", ", clocks, " clocks"),
                     2, false);
  writer.Table(2, 0).ReadMyWrites();
  if (async) writer.Async();
  for (uint32_t w = 0; w < 2; ++w) {
    writer.Plan(w, PlanWriter("p")
                       .Read(0, 0, 2, slack, plan::kReadCopy)
                       .Update(0, w, 1)
                       .End(0)
                       .End(1)
                       .Read(0, w, 1, slack, plan::kReadCopy)
                       .End(2)
                       .Done());
    writer.Passes(w, std::vector<uint32_t>(clocks, 0));
  }
  return writer.Done();
}

// The last worker observes, and makes more clocks than the others: it must not wait for versions that never come.
SearchWorld Observed(uint32_t world, uint32_t slack, uint32_t clocks, bool async, bool mapped) {
  WorldWriter writer(absl::StrCat("observed: ", world, " workers, ", async ? "async" : absl::StrCat("slack ", slack),
                                  ", ", clocks, " clocks, ", NameOf(mapped)),
                     world, mapped);
  writer.Table(1, 0).Observer(world - 1);
  if (async) writer.Async();
  for (uint32_t w = 0; w < world; ++w) {
    const bool observer = w + 1 == world;
    PlanWriter plan("p");
    plan.Read(0, 0, 1, slack, observer ? plan::kReadCopy : 0).End(0);
    if (!observer) plan.Update(0, 0, 1).End(1);
    writer.Plan(w, plan.Done());
    writer.Passes(w, std::vector<uint32_t>(observer ? clocks + 2 : clocks, 0));
  }
  return writer.Done();
}

void AddObservedWorlds(std::vector<SearchWorld>* worlds) {
  for (uint32_t slack = 0; slack <= 1; ++slack) {
    for (bool mapped : {false, true}) {
      worlds->push_back(Observed(2, slack, 1, false, mapped));
      worlds->push_back(Observed(3, slack, 2, false, mapped));
    }
  }
  worlds->push_back(Observed(2, 0, 1, true, false));
  worlds->push_back(Observed(3, 0, 2, true, false));
}

void AddOwnWorlds(std::vector<SearchWorld>* worlds) {
  for (uint32_t slack = 0; slack <= 2; ++slack) {
    worlds->push_back(OwnWrites(slack, 3, false, 1));
    worlds->push_back(OwnWrites(slack, 3, false, 2));
    worlds->push_back(OwnAcross(slack, 3, false));
  }
  worlds->push_back(OwnWrites(0, 3, true, 1));
  worlds->push_back(OwnWrites(0, 3, true, 2));
  worlds->push_back(OwnAcross(0, 3, true));
}

void AddAsyncWorlds(std::vector<SearchWorld>* worlds) {
  worlds->push_back(AsyncReadUpdate(1, 1, 3, true));
  worlds->push_back(AsyncWriterReader(1, 2));
  worlds->push_back(AsyncWriterReader(1, 4));
  worlds->push_back(AsyncReadUpdate(2, 1, 1, true));
  worlds->push_back(AsyncReadUpdate(2, 1, 2, false));
  worlds->push_back(AsyncReadUpdate(2, 1, 3, true));
  worlds->push_back(AsyncHeldRead(3));
  worlds->push_back(AsyncWriterReader(2, 3));
  worlds->push_back(AsyncReadUpdate(2, 2, 3, false));
  worlds->push_back(AsyncReadUpdate(3, 1, 3, false));
}

}  // namespace

std::vector<SearchWorld> SearchWorlds() {
  std::vector<SearchWorld> worlds;
  for (uint32_t slack = 0; slack <= 2; ++slack) {
    for (bool mapped : {false, true}) {
      worlds.push_back(WriterReader(1, slack, 4, mapped, 0));
      worlds.push_back(WriterReader(1, slack, 4, mapped, plan::kReadCopy));
      worlds.push_back(HeldRead(slack, 3, mapped, 0));
      worlds.push_back(HeldRead(slack, 3, mapped, plan::kReadCopy));
      worlds.push_back(TwoUpdates(slack, 3, mapped));
      worlds.push_back(Alternating(slack, 4, mapped, false));
      worlds.push_back(Alternating(slack, 4, mapped, true));
      worlds.push_back(Evaluating(slack, 3, mapped));
      worlds.push_back(ReadUpdate(2, 1, slack, 3, mapped, 0));
      worlds.push_back(ReadUpdate(2, 1, slack, 3, mapped, plan::kReadCopy));
      worlds.push_back(Exchange(slack, 3, mapped, false));
      worlds.push_back(Exchange(slack, 3, mapped, true));
      worlds.push_back(Crossed(slack, 3, mapped, 0));
      worlds.push_back(Crossed(slack, 3, mapped, plan::kReadCopy));
      worlds.push_back(WriterReader(2, slack, 3, mapped, plan::kReadCopy));
      worlds.push_back(ReadUpdate(3, 1, slack, 3, mapped, 0));
      worlds.push_back(ReadUpdate(2, 2, slack, 3, mapped, plan::kReadCopy));
    }
  }
  AddAsyncWorlds(&worlds);
  AddOwnWorlds(&worlds);
  AddObservedWorlds(&worlds);
  return worlds;
}

}  // namespace geeps::sim
