// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan/staging.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "runtime/base/status.h"
#include "runtime/plan/staging_room.h"
#include "tests/plan/staging_reference.h"
#include "tests/table/random.h"

namespace geeps::plan {
namespace {

using Before = StagingUse::Before;
using After = StagingUse::After;

constexpr uint32_t kStays = StagingSchedule::kStays;

// 1 byte takes 1 ns on the link.
StagingProblem Problem(std::vector<uint64_t> op_ns, uint64_t budget, uint64_t latency_ns = 0) {
  StagingProblem problem;
  problem.op_ns = std::move(op_ns);
  problem.budget = budget;
  problem.link = {1000000000, 1000000000, latency_ns};
  return problem;
}

// The activations of `num_layers` layers: each layer writes its own and reads the one before it; backwards it wants
// both again.
StagingProblem Stack(uint32_t num_layers, uint64_t op_ns, uint64_t bytes, uint64_t budget) {
  StagingProblem problem = Problem(std::vector<uint64_t>(2 * num_layers, op_ns), budget);
  for (uint32_t i = 0; i < num_layers; ++i) {
    const uint32_t back = 2 * num_layers - 1 - i;
    problem.items.push_back(
        {bytes, {{i, i, Before::kNothing, After::kChanged}, {back, back, Before::kKept, After::kUnchanged}}});
  }
  return problem;
}

TEST_CASE("TimeStaging: what stays costs nothing; what leaves waits for its write-back and its fetch") {
  StagingProblem problem = Problem({100, 100, 100}, 1000, 7);
  problem.items = {{50, {{0, 0, Before::kKept, After::kChanged}}}};
  CHECK(FindGaps(problem).size() == 1);
  CHECK(FindGaps(problem)[0].first == 3);
  absl::StatusOr<StagingTimes> times = TimeStaging(problem, {{kStays}});
  REQUIRE(times.ok());
  CHECK(times->pass_ns == 300);
  CHECK(times->in_bytes == 0);
  CHECK(times->peak_bytes == 50);
  // The write-back and the fetch run beside operations 1 and 2.
  times = TimeStaging(problem, {{3}});
  REQUIRE(times.ok());
  CHECK(times->pass_ns == 300);
  CHECK(times->in_bytes == 50);
  CHECK(times->out_bytes == 50);
  // Operation 1 wants its memory after 57 ns of write-back; the fetch has it when operation 2 is over.
  problem.budget = 100;
  problem.items.push_back({60, {{1, 2, Before::kNothing, After::kUnchanged}}});
  times = TimeStaging(problem, {{3, kStays}});
  REQUIRE(times.ok());
  CHECK(times->wait_ns == std::vector<uint64_t>{57, 57, 0});
  CHECK(times->pass_ns == 414);
}

TEST_CASE("TimeStaging: what was not changed since it was fetched is dropped, not written back") {
  StagingProblem problem = Problem({100, 100, 100, 100}, 100);
  problem.items = {{60, {{0, 0, Before::kKept, After::kChanged}, {2, 2, Before::kKept, After::kUnchanged}}}};
  // Changed by operation 0, written back, read by operation 2, dropped.
  absl::StatusOr<StagingTimes> times = TimeStaging(problem, {{2, 4}});
  REQUIRE(times.ok());
  CHECK(times->in_bytes == 120);
  CHECK(times->out_bytes == 60);
  // It stays until it is dropped: then it must be written back there.
  times = TimeStaging(problem, {{kStays, 4}});
  REQUIRE(times.ok());
  CHECK(times->in_bytes == 60);
  CHECK(times->out_bytes == 60);
}

TEST_CASE("TimeStaging: contents that nobody wants again move nowhere, and their memory is free at once") {
  StagingProblem problem = Problem({100, 100}, 80);
  problem.items = {{80, {{0, 0, Before::kNothing, After::kChanged}}},
                   {80, {{1, 1, Before::kNothing, After::kChanged}}}};
  const absl::StatusOr<StagingTimes> times = TimeStaging(problem, {{kStays, kStays}});
  REQUIRE(times.ok());
  CHECK(times->pass_ns == 200);
  CHECK(times->in_bytes + times->out_bytes == 0);
  CHECK(times->peak_bytes == 80);
}

TEST_CASE(
    "TimeStaging: what goes to the host each time, and comes from it, is counted; its memory is free after that") {
  StagingProblem problem = Problem({100, 100}, 80);
  problem.items = {{80, {{0, 0, Before::kNothing, After::kToHost}}}, {80, {{1, 1, Before::kHost, After::kUnchanged}}}};
  // Operation 1 waits for the write-back of item 0 and then for its fetch.
  const absl::StatusOr<StagingTimes> times = TimeStaging(problem, {{kStays, 3}});
  REQUIRE(times.ok());
  CHECK(times->pass_ns == 100 + 80 + 80 + 100);
  CHECK(times->in_bytes == 80);
  CHECK(times->out_bytes == 80);
}

TEST_CASE("TimeStaging: a schedule that never has the memory is refused with operation and bytes") {
  StagingProblem problem = Problem({100, 100}, 100);
  problem.items = {{60, {{0, 0, Before::kKept, After::kUnchanged}}}, {60, {{1, 1, Before::kKept, After::kUnchanged}}}};
  const absl::Status status = TimeStaging(problem, {{kStays, kStays}}).status();
  CHECK(DetailOf(status).code == Code::kBudget);
  CHECK(absl::StrContains(status.message(), "120 bytes"));
  CHECK(absl::StrContains(status.message(), "100 are available"));
}

TEST_CASE("StageData: an operation that does not fit is refused with its number and the bytes") {
  StagingProblem problem = Problem({100, 100, 100}, 99);
  problem.items = {{60, {{1, 2, Before::kNothing, After::kUnchanged}}},
                   {40, {{0, 1, Before::kNothing, After::kUnchanged}}}};
  const absl::Status status = StageData(problem).status();
  CHECK(DetailOf(status).code == Code::kBudget);
  CHECK(absl::StrContains(status.message(), "operation 1 of 3 needs 100 bytes"));
  CHECK(absl::StrContains(status.message(), "99 are available"));
  problem.budget = 100;
  CHECK(StageData(problem).ok());
}

TEST_CASE("StageData: with memory for everything nothing moves") {
  const StagingProblem problem = Stack(8, 1000, 100, 800);
  const absl::StatusOr<StagingTimes> times = TimeStaging(problem, StageData(problem).value());
  REQUIRE(times.ok());
  CHECK(times->pass_ns == 16000);
  CHECK(times->in_bytes + times->out_bytes == 0);
  CHECK(times->peak_bytes == 800);
}

TEST_CASE("StageData: a fast link hides all transfers; just what does not fit moves, once in each direction") {
  const StagingProblem problem = Stack(8, 1000, 100, 400);
  const absl::StatusOr<StagingTimes> times = TimeStaging(problem, StageData(problem).value());
  REQUIRE(times.ok());
  CHECK(times->pass_ns == 16000);
  CHECK(BoundStaging(problem) == 16000);
  CHECK(times->in_bytes == times->out_bytes);
  CHECK(times->in_bytes >= 400);
  CHECK(times->in_bytes <= 600);  // some room is needed to fetch ahead
  CHECK(times->peak_bytes <= 400);
}

TEST_CASE("StageData: on a slow link the pass takes as long as the link needs") {
  // 100 layers of 1,000 bytes, room for 20: at least 80,000 bytes in each direction, each in its half of the pass.
  const StagingProblem problem = Stack(100, 500, 1000, 20000);
  const absl::StatusOr<StagingTimes> times = TimeStaging(problem, StageData(problem).value());
  REQUIRE(times.ok());
  const uint64_t bound = BoundStaging(problem);
  CHECK(bound > 155000);
  CHECK(times->pass_ns >= bound);
  CHECK(times->pass_ns <= bound + bound / 20);
}

TEST_CASE("StageData: the same problem has the same schedule") {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    const StagingProblem problem = test::DrawStaging(seed, 12, 12);
    CHECK(StageData(problem).value().fetch_before == StageData(problem).value().fetch_before);
  }
}

TEST_CASE("TimeStaging agrees with a timing of its own kind, also of schedules that nobody would make") {
  uint32_t num_possible = 0;
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    CAPTURE(seed);
    const StagingProblem problem = test::DrawStaging(seed, 9, 8);
    test::Random random(seed + 77);
    StagingSchedule schedule;
    for (const StagingGap& gap : FindGaps(problem)) {
      const std::vector<StagingUse>& uses = problem.items[gap.item].uses;
      const bool must = uses[(gap.use + 1) % uses.size()].before == Before::kHost;
      const bool stays = !must && random.OneIn(2);
      schedule.fetch_before.push_back(stays ? kStays
                                            : gap.last + 1 + static_cast<uint32_t>(random.Below(gap.first - gap.last)));
    }
    std::vector<uint32_t> order;  // by the next use, then gap
    const std::vector<StagingGap> gaps = FindGaps(problem);
    const uint32_t num_gaps = static_cast<uint32_t>(gaps.size());
    for (uint32_t g = 0; g < num_gaps; ++g) order.push_back((gaps[g].first - schedule.fetch_before[g]) * num_gaps + g);
    const std::optional<uint64_t> pass = test::PassNs(problem, schedule, order);
    const absl::StatusOr<StagingTimes> times = TimeStaging(problem, schedule);
    REQUIRE(times.ok() == pass.has_value());
    if (!pass) continue;
    ++num_possible;
    CHECK(times->pass_ns == *pass);
    CHECK(times->peak_bytes <= problem.budget);
  }
  CHECK(num_possible > 200);
}

TEST_CASE("BoundStaging: as calculated anew, and no schedule of a small problem is faster") {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    const StagingProblem problem = test::DrawStaging(seed, 6, 4);
    const uint64_t bound = BoundStaging(problem);
    CHECK(bound == test::CheckedBoundNs(problem));
    uint64_t tried = 0;
    const std::optional<uint64_t> shortest = test::ShortestPassNs(problem, 300, &tried);
    if (shortest) CHECK(*shortest >= bound);
  }
}

TEST_CASE("StageData: small problems are solved, and none worse than by the paper's rule") {
  uint32_t num_solved = 0;
  double excess = 0;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    const StagingProblem problem = test::DrawStaging(seed, 6, 4);
    const absl::StatusOr<StagingSchedule> schedule = StageData(problem);
    REQUIRE(schedule.ok());
    const uint64_t pass_ns = TimeStaging(problem, *schedule)->pass_ns;
    const absl::StatusOr<StagingTimes> paper = TimeStaging(problem, test::PaperStaging(problem));
    if (paper.ok()) CHECK(pass_ns <= paper->pass_ns);
    uint64_t tried = 0;
    const std::optional<uint64_t> shortest = test::ShortestPassNs(problem, 500, &tried);
    if (!shortest) continue;
    ++num_solved;
    CHECK(pass_ns <= *shortest + *shortest / 10);
    excess += static_cast<double>(pass_ns) / static_cast<double>(*shortest) - 1;
  }
  CHECK(num_solved > 5);
  CHECK(excess <= 0.005 * num_solved);
}

TEST_CASE("StagingRoom: sums and searches as an array would, ranges over the end of a pass too") {
  test::Random random(5);
  for (uint32_t n : {1u, 2u, 3u, 7u, 8u, 33u}) {
    std::vector<uint64_t> held(n);
    for (uint64_t& bytes : held) bytes = random.Below(100);
    StagingRoom room(held);
    for (int i = 0; i < 300; ++i) {
      const uint32_t begin = static_cast<uint32_t>(random.Below(n));
      const uint32_t end = begin + static_cast<uint32_t>(random.Below(n + 1));
      if (random.OneIn(2)) {
        const uint64_t bytes = random.Below(10);
        room.Add(begin, end, bytes);
        for (uint32_t q = begin; q < end; ++q) held[q % n] += bytes;
      } else {
        const uint64_t limit = random.Below(200);
        uint32_t reached = end;
        while (reached > begin && held[(reached - 1) % n] <= limit) --reached;
        CHECK(room.Reach(begin, end, limit) == reached);
      }
      CHECK(room.Max() == *std::max_element(held.begin(), held.end()));
    }
  }
}

}  // namespace
}  // namespace geeps::plan
