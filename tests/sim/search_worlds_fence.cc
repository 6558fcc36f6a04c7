// SPDX-License-Identifier: Apache-2.0
// The worlds of the exhaustive search with fences: plain ones, commits, sets, gets across epochs, lost workers, uneven
// clocks. Every world ends with the fence of the shutdown.
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/search_writer.h"

namespace geeps::sim {
namespace {

plan::RecordedPlan ReadThenUpdate(uint32_t slack) {
  return PlanWriter("p").Read(0, 0, 1, slack).End(0).Update(0, 0, 1).End(1).Done();
}

void AddStage(WorldWriter* writer, uint32_t world, uint32_t slack, uint32_t clocks) {
  writer->Shutdown();
  for (uint32_t w = 0; w < world; ++w) {
    writer->Plan(w, ReadThenUpdate(slack)).Passes(w, std::vector<uint32_t>(clocks, 0));
  }
}

// A commit with other plans: everybody reads and updates, then one writes and the other one reads.
SearchWorld Committed(uint32_t slack, bool mapped, bool sets, uint32_t fails) {
  WorldWriter writer(absl::StrCat("commit: slack ", slack, ", ", NameOf(mapped), sets ? ", both set the row" : "",
                                  fails == kNone ? "" : ", one cannot at first"),
                     2, mapped);
  writer.Table(1, 0);
  AddStage(&writer, 2, slack, 1);
  FenceInput fence;
  fence.fails = fails;
  // Of one worker the later call counts, of two the one with the higher rank.
  if (sets) fence.sets = {{1, 0, 0, 1, false, false}, {0, 0, 0, 1, true, false}};
  writer.Fence(std::move(fence), 1);
  writer.Plan(0, PlanWriter("q").Update(0, 0, 1).End(0).Done()).Passes(0, {0});
  writer.Plan(1, PlanWriter("q").Read(0, 0, 1, 0).End(0).Done()).Passes(1, {0});
  return writer.Done();
}

// A fence that takes one set in, begun by the worker that keeps nothing.
SearchWorld FencedSet(bool mapped, bool late) {
  WorldWriter writer(absl::StrCat("fence with a set", late ? ", and one for the next fence" : "", ", ", NameOf(mapped)),
                     2, mapped);
  writer.Table(1, 0);
  AddStage(&writer, 2, 0, 1);
  FenceInput fence;
  fence.commit = false;
  fence.sets = {{1, 0, 0, 1, false, false}};
  writer.Fence(fence, 1);
  AddStage(&writer, 2, 0, 1);
  if (!late) return writer.Done();
  fence.sets = {{1, 0, 0, 1, true, true}};
  writer.Fence(fence, 1);
  AddStage(&writer, 2, 0, 1);
  return writer.Done();
}

SearchWorld PlainFence(uint32_t slack, bool mapped) {
  WorldWriter writer(absl::StrCat("plain fence: slack ", slack, ", ", NameOf(mapped)), 2, mapped);
  writer.Table(1, 0);
  AddStage(&writer, 2, slack, 2);
  return writer.FenceBeforeLast().Done();
}

// A get that the beginning of an epoch may interrupt, by the one that keeps the row and by the other one.
SearchWorld GetAcross(uint32_t who) {
  WorldWriter writer(absl::StrCat("get across a commit, by worker ", who), 2, false);
  writer.Table(1, 0);
  AddStage(&writer, 2, 0, 1);
  writer.Gets(who, 1, 1);
  FenceInput fence;
  fence.sets = {{0, 0, 0, 1, false, false}};
  writer.Fence(std::move(fence), 1);
  AddStage(&writer, 2, 0, 1);
  return writer.Done();
}

SearchWorld LostWorker(uint32_t world, uint32_t lost) {
  WorldWriter writer(absl::StrCat("worker ", lost, " of ", world, " is lost"), world, false);
  writer.Table(1, world - 1);
  AddStage(&writer, world, 0, 1);
  return writer.Lost(lost).Done();
}

// An observer does not know what is on its way to it when the epoch ends.
SearchWorld ObservedCommit() {
  WorldWriter writer("observed, async, then a commit", 2, false);
  writer.Table(1, 0).Async().Observer(1).Shutdown();
  writer.Plan(0, PlanWriter("p").Update(0, 0, 1).End(0).Done()).Passes(0, {0});
  writer.Plan(1, PlanWriter("p").Read(0, 0, 1, 0, plan::kReadCopy).End(0).Done()).Passes(1, {0});
  writer.Fence(FenceInput(), 1);
  for (uint32_t w = 0; w < 2; ++w) writer.Plan(w, PlanWriter("q").Done());
  return writer.Done();
}

// The data leave before the read that holds the fire back: the mark may arrive when their answer has ended the epoch.
SearchWorld LateFire() {
  WorldWriter writer("async, a read behind the update, then a commit", 2, false);
  writer.Table(1, 0).Async().Shutdown();
  writer.Plan(0, PlanWriter("p").Done());
  writer.Plan(1, PlanWriter("p").Update(0, 0, 1).End(0).Read(0, 0, 1, 0, plan::kReadCopy).End(1).Done()).Passes(1, {0});
  writer.Passes(0, {0}).Fence(FenceInput(), 1);
  for (uint32_t w = 0; w < 2; ++w) writer.Plan(w, PlanWriter("q").Done());
  return writer.Done();
}

SearchWorld UnevenClocks(uint32_t slack, bool lost) {
  WorldWriter writer(absl::StrCat("uneven clocks: slack ", slack, lost ? ", and a worker is lost" : ""), 2, false);
  writer.Table(1, 0);
  AddStage(&writer, 2, slack, 1);
  writer.Passes(1, {0});
  if (lost) writer.Lost(1);
  return writer.Uneven().Done();
}

}  // namespace

void AddFenceWorlds(std::vector<SearchWorld>* worlds) {
  for (bool mapped : {false, true}) {
    for (uint32_t slack = 0; slack <= 1; ++slack) {
      worlds->push_back(PlainFence(slack, mapped));
      worlds->push_back(Committed(slack, mapped, false, kNone));
    }
    worlds->push_back(Committed(0, mapped, true, kNone));
    worlds->push_back(Committed(0, mapped, true, 1));
    worlds->push_back(FencedSet(mapped, false));
    worlds->push_back(FencedSet(mapped, true));
  }
  for (uint32_t who : {0u, 1u}) worlds->push_back(GetAcross(who));
  for (uint32_t lost : {0u, 1u}) worlds->push_back(LostWorker(2, lost));
  worlds->push_back(LostWorker(3, 1));
  for (uint32_t slack = 0; slack <= 1; ++slack) worlds->push_back(UnevenClocks(slack, false));
  worlds->push_back(UnevenClocks(0, true));
  worlds->push_back(ObservedCommit());
  worlds->push_back(LateFire());
}

}  // namespace geeps::sim
