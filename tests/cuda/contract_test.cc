// SPDX-License-Identifier: Apache-2.0
// The device contract on the CUDA back end and the fake driver, under every schedule.
#include <doctest/doctest.h>

#include "absl/strings/str_cat.h"
#include "tests/cuda/fake/fake.h"
#include "tests/cuda/harness.h"

namespace geeps::test {
namespace {

void KeepsTheContract(const std::string& schedule, uint64_t first_seed, uint64_t num_seeds) {
  for (const ContractCase& contract_case : AllCases()) {
    for (uint64_t seed = first_seed; seed < first_seed + num_seeds; ++seed) {
      CAPTURE(contract_case.name);
      CAPTURE(seed);
      CAPTURE(schedule);
      const std::string words = schedule == "seeded" ? absl::StrCat("schedule=seeded:", seed) : "schedule=" + schedule;
      for (const std::string& wrong : RunOnFake(contract_case, seed, words)) FAIL_CHECK(wrong);
    }
  }
}

TEST_CASE("CUDA contract: kept when work runs only when somebody waits for it") { KeepsTheContract("lazy", 1, 5); }

TEST_CASE("CUDA contract: kept when work runs as soon as possible") { KeepsTheContract("eager", 1, 5); }

TEST_CASE("CUDA contract: kept when work runs in drawn orders") { KeepsTheContract("seeded", 1, 15); }

}  // namespace
}  // namespace geeps::test
