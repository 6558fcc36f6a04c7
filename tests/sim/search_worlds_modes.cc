// SPDX-License-Identifier: Apache-2.0
// The worlds of the exhaustive search whose tables have a mode of their own, and those with gets.
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/search.h"
#include "tests/sim/search_writer.h"

namespace geeps::sim {
namespace {

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

// Both update; the one that does not keep the row gets it twice, the keeper once.
SearchWorld Getting(uint32_t slack, uint32_t clocks, bool async, bool mapped) {
  WorldWriter writer(absl::StrCat("gets: ", async ? "async" : absl::StrCat("slack ", slack), ", ", clocks, " clocks, ",
                                  NameOf(mapped)),
                     2, mapped);
  writer.Table(1, 0);
  if (async) writer.Async();
  for (uint32_t w = 0; w < 2; ++w) {
    writer.Plan(w, PlanWriter("p").Read(0, 0, 1, slack, 0).End(0).Update(0, 0, 1).End(1).Done());
    writer.Passes(w, std::vector<uint32_t>(clocks, 0));
  }
  return writer.Gets(1, 0, 0).Gets(1, clocks, clocks).Gets(0, 1, 1).LateSent().Done();
}

// Nobody but the one who asks waits for what only the other one makes; the row it reads never changes.
SearchWorld GettingOutside(uint32_t clocks, bool frozen) {
  WorldWriter writer(absl::StrCat("gets from outside: ", clocks, " clocks", frozen ? ", frozen" : ""), 2, false);
  writer.Table(1, 0);
  PlanWriter plan("p");
  if (frozen) {
    plan.Read(0, 0, 1, 0).End(0);
  } else {
    plan.Update(0, 0, 1).End(0);
  }
  writer.Plan(0, plan.Done());
  writer.Plan(1, PlanWriter("p").Done());
  for (uint32_t w = 0; w < 2; ++w) writer.Passes(w, std::vector<uint32_t>(clocks, 0));
  return writer.Gets(1, 1, 1).Gets(1, clocks, clocks).Done();
}

void AddGetWorlds(std::vector<SearchWorld>* worlds) {
  for (bool frozen : {false, true}) worlds->push_back(GettingOutside(3, frozen));
  for (uint32_t slack = 0; slack <= 1; ++slack) {
    for (bool mapped : {false, true}) worlds->push_back(Getting(slack, 2, false, mapped));
  }
  worlds->push_back(Getting(0, 2, true, false));
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

void AddModeWorlds(std::vector<SearchWorld>* worlds) {
  AddAsyncWorlds(worlds);
  AddOwnWorlds(worlds);
  AddObservedWorlds(worlds);
  AddGetWorlds(worlds);
}

}  // namespace geeps::sim
