// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan/staging_locals.h"

#include <doctest/doctest.h>

#include <vector>

#include "tests/plan/builder.h"

namespace geeps::plan {
namespace {

using Before = StagingUse::Before;
using After = StagingUse::After;

constexpr uint64_t kWhole = uint64_t{1} << 40;

StagedLocals Find(Job* job, const std::vector<const RecordedPlan*>& plans, uint64_t max_bytes = kWhole) {
  const WorkerLayout layout = job->Build(plans);
  return FindStagedLocals(layout, 0, *plans[0], max_bytes, 1);
}

bool Is(const StagingUse& use, uint32_t first, uint32_t last, Before before, After after) {
  return use.first == first && use.last == last && use.before == before && use.after == after;
}

TEST_CASE("StagedLocals: an activation is kept between its two accesses, scratch never moves") {
  Recording a("a");
  a.Finish(a.Local(0, Rows(0, 10), kLocalKeep));   // forward
  a.Finish(a.Local(1, Rows(0, 4)));                // scratch
  a.Finish(a.Local(0, Rows(0, 10), kLocalFetch));  // backward
  a.End();
  Job job;
  job.Local(10, 8).Local(4, 100);
  const StagedLocals locals = Find(&job, {a.plan()});
  REQUIRE(locals.items.size() == 2);
  CHECK(locals.items[0].bytes == 80);
  REQUIRE(locals.items[0].uses.size() == 2);
  CHECK(Is(locals.items[0].uses[0], 0, 0, Before::kNothing, After::kChanged));
  CHECK(Is(locals.items[0].uses[1], 4, 4, Before::kKept, After::kUnchanged));
  CHECK(locals.items[1].bytes == 400);
  REQUIRE(locals.items[1].uses.size() == 1);
  CHECK(Is(locals.items[1].uses[0], 2, 2, Before::kNothing, After::kUnchanged));
  CHECK(locals.homes[1].local == 1);
}

TEST_CASE("StagedLocals: what is kept at the end of a pass goes to the host, unless the next one wants it") {
  Recording a("a");
  a.Finish(a.Local(0, Rows(0, 10), kLocalKeep));
  a.Finish(a.Local(1, Rows(0, 10), kLocalFetch | kLocalKeep));
  a.End();
  Job job;
  job.Local(10, 8).Local(10, 8);
  const StagedLocals locals = Find(&job, {a.plan()});
  REQUIRE(locals.items.size() == 2);
  CHECK(Is(locals.items[0].uses[0], 0, 0, Before::kNothing, After::kToHost));
  CHECK(Is(locals.items[1].uses[0], 2, 2, Before::kKept, After::kChanged));
}

TEST_CASE("StagedLocals: rows that accesses overlap in are one whole, and open at once one use") {
  Recording a("a");
  const uint32_t first = a.Local(0, Rows(0, 10), kLocalKeep);
  const uint32_t second = a.Local(0, Rows(5, 10), kLocalKeep);
  a.Finish(first);
  a.Finish(second);
  a.Finish(a.Local(0, Rows(20, 5), kLocalKeep));  // apart
  a.Finish(a.Local(0, Rows(0, 5), kLocalFetch));  // of the whole: the rest is still wanted
  a.Finish(a.Local(0, Rows(10, 5), kLocalFetch));
  a.End();
  Job job;
  job.Local(30, 8);
  const StagedLocals locals = Find(&job, {a.plan()});
  REQUIRE(locals.items.size() == 2);
  CHECK(locals.items[0].bytes == 15 * 8);
  CHECK(locals.items[1].bytes == 5 * 8);
  REQUIRE(locals.items[0].uses.size() == 3);
  CHECK(Is(locals.items[0].uses[0], 0, 2, Before::kNothing, After::kChanged));
  CHECK(Is(locals.items[0].uses[1], 6, 6, Before::kKept, After::kUnchanged));
  // Rows 5 .. 9 are kept, and nobody but another plan can want them.
  CHECK(Is(locals.items[0].uses[2], 8, 8, Before::kKept, After::kToHost));
  CHECK(locals.homes[1].offset == 20 * 8);
  CHECK(locals.accesses[1].item == 0);
  CHECK(locals.accesses[1].use == 0);
  CHECK(locals.accesses[1].offset == 5 * 8);
  CHECK(locals.accesses[4].use == 2);
  CHECK(locals.accesses[4].offset == 10 * 8);
}

TEST_CASE("StagedLocals: an access that may be skipped leaves what was there before") {
  Recording a("a");
  a.Finish(a.Local(0, Rows(0, 10), kLocalKeep));
  a.Finish(a.Local(0, Rows(0, 10), kLocalKeep | kOptional));
  a.Finish(a.Local(0, Rows(0, 10), kLocalFetch));
  a.End();
  Job job;
  job.Local(10, 8);
  const StagedLocals locals = Find(&job, {a.plan()});
  REQUIRE(locals.items[0].uses.size() == 3);
  CHECK(Is(locals.items[0].uses[1], 2, 2, Before::kKept, After::kChanged));
}

TEST_CASE("StagedLocals: what another plan has kept is there for the first access that fetches it") {
  Recording a("a"), b("b");
  a.Finish(a.Local(0, Rows(0, 10), kLocalFetch));
  a.End();
  b.Finish(b.Local(0, Rows(0, 10), kLocalKeep));
  b.End();
  Job job;
  job.Local(10, 8);
  const StagedLocals locals = Find(&job, {a.plan(), b.plan()});
  CHECK(Is(locals.items[0].uses[0], 0, 0, Before::kKept, After::kUnchanged));
}

TEST_CASE("StagedLocals: large wholes are cut, accesses begin at the first piece; no rows, no item") {
  Recording a("a");
  a.Finish(a.Local(0, Rows(0, 10), kLocalKeep));
  a.Finish(a.Local(0, Rows(4, 6), kLocalFetch));
  a.Finish(a.Local(1, table::RowSet()));
  a.ReadAll(0, Rows(0, 4));
  a.End();
  Job job;
  job.Table(4).Local(10, 8).Local(10, 8);
  const StagedLocals locals = Find(&job, {a.plan()}, 32);
  REQUIRE(locals.items.size() == 3);
  CHECK(locals.items[0].bytes + locals.items[1].bytes + locals.items[2].bytes == 80);
  CHECK(locals.homes[2].offset == locals.items[0].bytes + locals.items[1].bytes);
  CHECK(locals.accesses[1].item == 0);
  CHECK(locals.accesses[1].offset == 32);
  CHECK(locals.accesses[2].item == StagedAccess::kNone);
  CHECK(locals.accesses[3].item == StagedAccess::kNone);
}

}  // namespace
}  // namespace geeps::plan
