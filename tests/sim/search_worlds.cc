// SPDX-License-Identifier: Apache-2.0
// The worlds of the exhaustive search: fixed programs, each made for what once went wrong or easily could.
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/search.h"
#include "tests/sim/search_writer.h"

namespace geeps::sim {
namespace {

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

}  // namespace

std::vector<SearchWorld> SearchWorlds() {
  std::vector<SearchWorld> worlds;
  AddFenceWorlds(&worlds);
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
  AddModeWorlds(&worlds);
  return worlds;
}

}  // namespace geeps::sim
