// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan/staging_addresses.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/plan/networks.h"
#include "tests/plan/staging_reference.h"

namespace geeps::plan {
namespace {

using Before = StagingUse::Before;
using After = StagingUse::After;

std::vector<StagingPiece> Whole(const StagingProblem& problem) {
  return CutItems(problem.items, uint64_t{1} << 60, 1).pieces;
}

// Whether two stays of a pass of pass_ns ever hold memory at one time.
bool Meet(const StagingStay& a, const StagingStay& b, uint64_t pass_ns) {
  const uint64_t b_after_a = (b.begin_ns + pass_ns - a.begin_ns) % pass_ns;
  const uint64_t a_after_b = (a.begin_ns + pass_ns - b.begin_ns) % pass_ns;
  return b_after_a < a.held_ns || a_after_b < b.held_ns;
}

// What is wrong; empty: nothing.
std::string Judge(const StagingProblem& problem, const std::vector<StagingPiece>& pieces,
                  const StagingAddresses& addresses, uint64_t pass_ns, uint64_t align) {
  // By item and use: how many stays it belongs to. And where the whole lies in that use.
  std::vector<std::vector<uint32_t>> num_stays(problem.items.size());
  std::map<std::pair<uint32_t, uint32_t>, uint64_t> base;
  for (uint32_t i = 0; i < problem.items.size(); ++i) num_stays[i].resize(problem.items[i].uses.size());
  for (uint32_t s = 0; s < addresses.stays.size(); ++s) {
    const StagingStay& stay = addresses.stays[s];
    const std::string name = absl::StrCat("stay ", s, " of item ", stay.item);
    if (stay.address % align != 0) return name + " is not aligned";
    if (stay.address + problem.items[stay.item].bytes > addresses.bytes) return name + " lies above the end";
    if (stay.held_ns == 0 || stay.held_ns > pass_ns) return name + " has no time, or too much";
    for (uint32_t k = 0; k < stay.num_uses; ++k) {
      const uint32_t use = (stay.first_use + k) % static_cast<uint32_t>(num_stays[stay.item].size());
      if (num_stays[stay.item][use]++ != 0) return name + ": a use twice";
      const uint64_t whole_at = stay.address - pieces[stay.item].low;
      const auto [at, is_new] = base.emplace(std::make_pair(pieces[stay.item].whole, use), whole_at);
      if (!is_new && at->second != whole_at) return name + " does not lie beside the other pieces";
    }
    for (uint32_t t = 0; t < s; ++t) {
      const StagingStay& other = addresses.stays[t];
      const bool overlaps = stay.address < other.address + problem.items[other.item].bytes &&
                            other.address < stay.address + problem.items[stay.item].bytes;
      if (overlaps && Meet(stay, other, pass_ns)) return absl::StrCat(name, " lies on stay ", t);
    }
  }
  for (const std::vector<uint32_t>& uses : num_stays) {
    for (const uint32_t count : uses) {
      if (count != 1) return "a use without a stay";
    }
  }
  return "";
}

TEST_CASE("PlaceItems: what leaves between its uses gives its addresses to what comes meanwhile") {
  StagingProblem problem;
  problem.op_ns = {1000, 1000, 1000, 1000};
  problem.link = {1000000000, 1000000000, 0};  // 1 byte takes 1 ns
  problem.budget = 64;
  problem.items = {{64, {{0, 0, Before::kKept, After::kChanged}}}, {64, {{2, 2, Before::kKept, After::kChanged}}}};
  const StagingSchedule schedule = {{4, 6}};  // each comes back just before its use
  const StagingAddresses addresses = PlaceItems(problem, Whole(problem), schedule, 1).value();
  REQUIRE(addresses.stays.size() == 2);
  CHECK(addresses.bytes == 64);
  CHECK(addresses.peak_bytes == 64);
  CHECK(addresses.stays[0].address == 0);
  CHECK(addresses.stays[1].address == 0);
  CHECK(addresses.stays[0].held_ns == 64 + 1000 + 64);  // fetch, use, write-back
}

TEST_CASE("PlaceItems: what stays is there all the time") {
  StagingProblem problem;
  problem.op_ns = {1000, 1000};
  problem.link = {1000000000, 1000000000, 0};
  problem.budget = 200;
  problem.items = {{64, {{0, 0, Before::kKept, After::kChanged}}}, {64, {{1, 1, Before::kNothing, After::kUnchanged}}}};
  const StagingSchedule schedule = {{StagingSchedule::kStays, StagingSchedule::kStays}};
  const StagingAddresses addresses = PlaceItems(problem, Whole(problem), schedule, 1).value();
  REQUIRE(addresses.stays.size() == 2);
  CHECK(addresses.stays[0].held_ns == 2000);
  CHECK(addresses.stays[1].begin_ns == 1000);
  CHECK(addresses.stays[1].held_ns == 1000);
  CHECK(addresses.bytes == 128);
  CHECK(addresses.peak_bytes == 128);
}

TEST_CASE("PlaceItems: while one piece stays the others come back to its side") {
  StagingProblem problem;
  problem.op_ns = {1000, 1000, 1000, 1000};
  problem.link = {1000000000, 1000000000, 0};
  problem.budget = 128;
  problem.items = {{128, {{0, 0, Before::kKept, After::kChanged}}},
                   {64, {{2, 2, Before::kNothing, After::kUnchanged}}}};
  const CutStaging cut = CutItems(problem.items, 64, 64);
  problem.items = cut.items;
  REQUIRE(cut.items.size() == 3);
  const uint32_t kStays = StagingSchedule::kStays;
  const StagingAddresses addresses = PlaceItems(problem, cut.pieces, {{kStays, 4, kStays}}, 64).value();
  CHECK(Judge(problem, cut.pieces, addresses, 4000, 64) == "");
  REQUIRE(addresses.stays.size() == 3);
  CHECK(addresses.stays[0].address == 0);
  CHECK(addresses.stays[1].address == 64);
  CHECK(addresses.stays[2].address == 64);
  CHECK(addresses.bytes == 128);
}

TEST_CASE("StageAndPlace: drawn problems have addresses within their budget, or say why not") {
  uint32_t num_placed = 0, num_refused = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    StagingProblem problem = test::DrawStaging(seed, 8, 6);
    const CutStaging cut = CutItems(problem.items, seed % 3 == 0 ? uint64_t{1} << 60 : 4, 1);
    problem.items = cut.items;
    const absl::StatusOr<StagingPlan> plan = StageAndPlace(problem, cut.pieces, 1);
    if (!plan.ok()) {
      ++num_refused;
      CHECK(absl::StrContains(plan.status().message(), absl::StrCat(problem.budget)));
      continue;
    }
    ++num_placed;
    CHECK(Judge(problem, cut.pieces, plan->addresses, plan->times.pass_ns, 1) == "");
    CHECK(plan->addresses.bytes <= problem.budget);
    CHECK(plan->addresses.bytes >= plan->addresses.peak_bytes);
    CHECK(TimeStaging(problem, plan->schedule)->pass_ns == plan->times.pass_ns);
  }
  CHECK(num_placed > 3);
  CHECK(num_refused > 0);
}

TEST_CASE("StageAndPlace: networks that fit, and a GPT at a quarter of its peak, pay nothing for addresses") {
  constexpr uint64_t kAlign = 256;
  struct Cell {
    const char* network;
    uint64_t batch;
    uint64_t percent;
  };
  for (const Cell& cell : {Cell{"alexnet", 256, 100}, {"vgg19", 64, 100}, {"googlenet", 128, 100}, {"gpt", 8, 25}}) {
    CAPTURE(std::string(cell.network));
    StagingProblem problem = test::NetworkProblem(cell.network, cell.batch, {10e12, 500e9});
    problem.link = {12000000000, 12000000000, 10000};
    const uint64_t peak = test::PeakBytes(problem);
    const CutStaging cut = CutItems(problem.items, peak / 64 / kAlign * kAlign, kAlign);
    problem.items = cut.items;
    // What the pieces at the ends of wholes are rounded up to.
    problem.budget = (peak / 100 * cell.percent + kAlign * problem.items.size()) / kAlign * kAlign;
    const uint64_t anywhere_ns = TimeStaging(problem, StageData(problem).value())->pass_ns;
    const absl::StatusOr<StagingPlan> plan = StageAndPlace(problem, cut.pieces, kAlign);
    REQUIRE_MESSAGE(plan.ok(), plan.status().message());
    CHECK(Judge(problem, cut.pieces, plan->addresses, plan->times.pass_ns, kAlign) == "");
    CHECK(plan->times.pass_ns <= anywhere_ns + anywhere_ns / 100);
  }
}

}  // namespace
}  // namespace geeps::plan
