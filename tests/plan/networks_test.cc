// SPDX-License-Identifier: Apache-2.0
#include "tests/plan/networks.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <string>

#include "tests/plan/staging_reference.h"

namespace geeps::plan {
namespace {

const test::Machine kMachine = {10e12, 500e9};

StagingProblem Network(const std::string& name, uint64_t batch) {
  StagingProblem problem = test::NetworkProblem(name, batch, kMachine);
  problem.link = {12000000000, 12000000000, 10000};
  return problem;
}

TEST_CASE(
    "NetworkProblem: networks have the weights that their papers say, one state value each, and both directions") {
  // Without normalisation; AlexNet's convolutions see all channels, GoogLeNet has no auxiliary classifiers.
  const std::map<std::string, uint64_t> weights = {
      {"lenet", 431080}, {"alexnet", 62378344}, {"vgg19", 143667240}, {"googlenet", 6998552}, {"resnet50", 25530472}};
  for (const auto& named : weights) {
    CAPTURE(named.first);
    const StagingProblem problem = Network(named.first, 1);
    uint64_t changed = 0;
    for (const StagingItem& item : problem.items) {
      if (item.uses.back().after == StagingUse::After::kChanged) changed += item.bytes;
    }
    CHECK(changed == 2 * 4 * named.second);
    CHECK(problem.op_ns.size() % 2 == 0);
  }
}

TEST_CASE("NetworkProblem: activations grow with the batch, weights do not") {
  for (const std::string& name : test::NetworkNames()) {
    CAPTURE(name);
    const uint64_t one = test::PeakBytes(Network(name, 1));
    const uint64_t two = test::PeakBytes(Network(name, 2));
    const uint64_t four = test::PeakBytes(Network(name, 4));
    CHECK(two > one);
    CHECK(four - two >= 2 * (two - one) * 99 / 100);  // the peak may move to another operation
  }
}

TEST_CASE(
    "StageData: networks run within a seventh of the bound at any budget, and never slower than by the paper's rule") {
  const std::map<std::string, uint64_t> batches = {{"alexnet", 256}, {"vgg19", 64}, {"googlenet", 128},
                                                   {"resnet50", 64}, {"lstm", 64},  {"gpt", 8}};
  for (const auto& named : batches) {
    StagingProblem problem = Network(named.first, named.second);
    const uint64_t peak = test::PeakBytes(problem);
    problem.items = CutItems(problem.items, peak / 64, 1).items;
    uint32_t num_possible = 0;
    for (const uint64_t percent : {100, 50, 25}) {
      CAPTURE(named.first);
      CAPTURE(percent);
      problem.budget = peak / 100 * percent;
      const absl::StatusOr<StagingSchedule> schedule = StageData(problem);
      if (!schedule.ok()) continue;
      ++num_possible;
      const StagingTimes times = TimeStaging(problem, *schedule).value();
      const uint64_t bound = BoundStaging(problem);
      CHECK(times.pass_ns >= bound);
      CHECK(times.pass_ns <= bound + bound / 7);
      CHECK(times.peak_bytes <= problem.budget);
      const absl::StatusOr<StagingTimes> paper = TimeStaging(problem, test::PaperStaging(problem));
      if (paper.ok()) CHECK(times.pass_ns <= paper->pass_ns);
    }
    CHECK(num_possible >= 1);
  }
}

TEST_CASE("CutItems: all bytes, in aligned pieces that are no larger and used as the whole") {
  const std::vector<StagingItem> items = {{10, {{1, 2}}}, {64, {{0, 0}}}, {65, {{3, 3}, {5, 6}}}};
  for (const uint64_t align : {1, 4, 32}) {
    CAPTURE(align);
    const CutStaging cut = CutItems(items, 32, align);
    REQUIRE(cut.items.size() == 1 + 2 + 3);
    REQUIRE(cut.pieces.size() == cut.items.size());
    std::vector<uint64_t> bytes(items.size());
    for (size_t i = 0; i < cut.items.size(); ++i) {
      const uint32_t whole = cut.pieces[i].whole;
      CHECK(cut.items[i].bytes > 0);
      CHECK(cut.items[i].bytes <= 32);
      CHECK(cut.pieces[i].low % align == 0);
      CHECK(cut.pieces[i].low == bytes[whole]);  // in their order, without a hole
      CHECK(cut.items[i].uses.size() == items[whole].uses.size());
      bytes[whole] += cut.items[i].bytes;
    }
    for (size_t i = 0; i < items.size(); ++i) CHECK(bytes[i] == items[i].bytes);
    CHECK(cut.items[5].uses[1].last == 6);
  }
}

}  // namespace
}  // namespace geeps::plan
