// SPDX-License-Identifier: Apache-2.0
// The CUDA back end when calls of the driver fail: each call that a small program makes, one after the other, refused
// or the end of its context.
#include <doctest/doctest.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "plugins/cuda/driver.h"
#include "runtime/base/status.h"
#include "tests/cuda/fake/fake.h"
#include "tests/cuda/harness.h"
#include "tests/cuda/on_fake/program.h"

namespace geeps::test {
namespace {

constexpr const char* kLiving[] = {"contexts", "streams", "events", "modules", "allocations", "pinned"};
constexpr const char* kSchedules[] = {"lazy", "eager", "seeded:1", "seeded:2"};

// With the first ones refused something must stay for ever; with the others, until the context ends.
const std::set<std::string> kLastEnds = {"cuDevicePrimaryCtxRelease_v2", "cuCtxPopCurrent_v2"};
const std::set<std::string> kEnds = {"cuMemFree_v2",      "cuMemFreeHost",  "cuStreamDestroy_v2",
                                     "cuEventDestroy_v2", "cuModuleUnload", "cuCtxPushCurrent_v2"};

void CheckNothingIsLeft() {
  for (const char* what : kLiving) CHECK_MESSAGE(geeps_fake_living(what) == 0, std::string(what));
  uint64_t depth = 0;
  CHECK(geeps_fake_current_context(&depth) == nullptr);
}

void CheckClean(const Seen& seen) {
  for (const std::string& wrong : seen.wrong) FAIL_CHECK(wrong);
  for (const std::string& finding : DriverFindings()) FAIL_CHECK(finding);
}

// The functions that the program calls, with the number of calls.
std::vector<std::pair<std::string, uint64_t>> CountCalls(const std::string& schedule) {
  REQUIRE(geeps_fake_configure(absl::StrCat("quiet=1 schedule=", schedule).c_str()));
  const Seen seen = RunProgram(0);
  REQUIRE_MESSAGE(seen.status.ok(), seen.status.ToString());
  CheckClean(seen);
  CheckNothingIsLeft();
  std::vector<std::pair<std::string, uint64_t>> calls;
#define GEEPS_TEST_COUNT(member, exported, parameters) calls.emplace_back(exported, geeps_fake_count(exported));
  GEEPS_CUDA_FUNCTIONS(GEEPS_TEST_COUNT)
#undef GEEPS_TEST_COUNT
  return calls;
}

TEST_CASE("CUDA device: a call that the driver refuses for want of memory is a status, and everything is given back") {
  for (const std::string schedule : kSchedules) {
    uint64_t num_refused = 0, num_failed = 0;
    for (const auto& call : CountCalls(schedule)) {
      const auto& function = call.first;  // no binding: clang 14 captures none
      const uint64_t num_calls = call.second;
      for (uint64_t n = 1; n <= num_calls && kLastEnds.count(function) == 0; ++n) {
        CAPTURE(schedule);
        CAPTURE(function);
        CAPTURE(n);
        REQUIRE(geeps_fake_configure(
            absl::StrCat("quiet=1 schedule=", schedule, " refuse=", function, ":", n, ":", cuda::kOutOfMemory)
                .c_str()));
        const Seen seen = RunProgram(0);
        if (kEnds.count(function) == 0) {
          CheckClean(seen);
          CheckNothingIsLeft();
        } else {
          for (const std::string& wrong : seen.wrong) FAIL_CHECK(wrong);
        }
        ++num_refused;
        if (seen.status.ok()) continue;
        ++num_failed;
        const Code code = DetailOf(seen.status).code;
        const bool is_told = code == Code::kNoMemory || code == Code::kDevice || code == Code::kUnsupported;
        CHECK_MESSAGE(is_told, seen.status.ToString());
      }
    }
    CHECK(num_refused > 100);
    CHECK(num_failed > 50);
  }
}

TEST_CASE("CUDA device: a context that breaks at any piece of work is told by its first cause, and notices come once") {
  for (const std::string schedule : kSchedules) {
    CountCalls(schedule);
    const uint64_t num_works = geeps_fake_count("copies") + geeps_fake_count("fills") + geeps_fake_count("launches");
    REQUIRE(num_works > 10);
    for (uint64_t n = 1; n <= num_works; ++n) {
      CAPTURE(schedule);
      CAPTURE(n);
      REQUIRE(geeps_fake_configure(
          absl::StrCat("quiet=1 devices=2 schedule=", schedule, " break=", n, ":", cuda::kIllegalAddress).c_str()));
      const Seen seen = RunProgram(0);
      CheckClean(seen);
      CheckNothingIsLeft();
      CHECK(DetailOf(seen.status).code == Code::kDevice);
      CHECK(DetailOf(seen.status).native_code == cuda::kIllegalAddress);
      CHECK_MESSAGE(seen.status.message().find("is lost: ") != std::string::npos, seen.status.ToString());
      // The other device goes on, and the next one on the same device has a new context.
      for (const int device_id : {1, 0}) {
        const Seen next = RunProgram(device_id);
        CHECK_MESSAGE(next.status.ok(), next.status.ToString());
        CheckClean(next);
      }
    }
  }
}

}  // namespace
}  // namespace geeps::test
