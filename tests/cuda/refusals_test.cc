// SPDX-License-Identifier: Apache-2.0
// Every call of the driver refused once, wherever it stands, and every piece of work that breaks the context: the back
// end answers with a status or does without, and leaves nothing behind.
#include <doctest/doctest.h>

#include <atomic>
#include <string>

#include "absl/strings/str_cat.h"
#include "plugins/cuda/table.h"
#include "tests/cuda/fake/fake.h"
#include "tests/cuda/harness.h"

namespace geeps::test {
namespace {

using device::Device;
using device::Event;
using device::MakeRowMove;
using device::Memory;
using device::MemoryKind;
using device::RowIndex;
using device::Stream;

constexpr uint64_t kPieces = 150;

absl::Status RunWork(const Device& device, std::atomic<int>* num_told, std::vector<uint8_t>* out) {
  GEEPS_ASSIGN_OR_RETURN(const Memory pinned, device.Allocate(MemoryKind::kPinned, kPieces));
  GEEPS_ASSIGN_OR_RETURN(const Memory from, device.Allocate(MemoryKind::kDevice, kPieces));
  GEEPS_ASSIGN_OR_RETURN(const Memory to, device.Allocate(MemoryKind::kDevice, kPieces));
  GEEPS_ASSIGN_OR_RETURN(const Event copied, device.CreateEvent());
  GEEPS_ASSIGN_OR_RETURN(const Event done, device.CreateEvent());
  GEEPS_ASSIGN_OR_RETURN(const RowIndex index, device.CreateIndex({{0, 0, 1}}, {}, 1, 1));
  GEEPS_ASSIGN_OR_RETURN(const Stream a, device.CreateStream());
  GEEPS_ASSIGN_OR_RETURN(const Stream b, device.CreateStream());
  std::memset(pinned.data(), 7, kPieces);
  std::vector<geeps_row_move> moves;
  for (uint64_t i = 0; i < kPieces; ++i) {
    moves.push_back(MakeRowMove(GEEPS_MOVE_COPY, GEEPS_U8, 1, to.bytes() + i, from.bytes() + i, index));
  }
  const auto work = [&]() -> absl::Status {
    GEEPS_RETURN_IF_ERROR(a.Fill(from.data(), 1, kPieces));
    GEEPS_RETURN_IF_ERROR(a.Copy(from.data(), pinned.data(), kPieces / 2));
    GEEPS_RETURN_IF_ERROR(a.Record(copied));
    GEEPS_RETURN_IF_ERROR(b.WaitFor("test", copied));
    GEEPS_RETURN_IF_ERROR(b.MoveRows(moves));
    GEEPS_RETURN_IF_ERROR(b.Record(done));
    return done.Notify(
        "test", [](void* ctx, geeps_status) { static_cast<std::atomic<int>*>(ctx)->fetch_add(1); }, num_told);
  };
  absl::Status status = work();
  // All memory goes now: until the work is done that uses it, whatever has happened. A refusal comes once, so it may be
  // asked again.
  for (const Stream* stream : {&a, &b}) {
    for (int i = 0; i < 3; ++i) {
      const absl::StatusOr<Event> event = device.CreateEvent();
      if (event.ok() && stream->Record(*event).ok() && event->Wait("test").ok()) break;
    }
  }
  if (!status.ok()) return status;
  GEEPS_RETURN_IF_ERROR(b.Copy(pinned.data(), to.data(), kPieces));
  for (int i = 0; i < 3; ++i) {
    const absl::Status recorded = b.Record(done);
    const absl::Status waited = recorded.ok() ? done.Wait("test") : recorded;
    if (!waited.ok()) status = waited;
    if (waited.ok()) break;
  }
  out->assign(pinned.bytes(), pinned.bytes() + kPieces);
  return status;
}

absl::Status RunLife(std::atomic<int>* num_told, std::vector<uint8_t>* out) {
  GEEPS_ASSIGN_OR_RETURN(const auto device, OpenCuda());
  return RunWork(*device, num_told, out);
}

std::vector<uint8_t> Expected() {
  std::vector<uint8_t> expected(kPieces, 1);
  std::fill_n(expected.begin(), kPieces / 2, 7);
  return expected;
}

// One life with the fake configured so. True when it met no refusal that matters: the results are right.
bool LivesOrSaysWhy(const std::string& words) {
  CAPTURE(words);
  REQUIRE(geeps_fake_configure(absl::StrCat("quiet=1 ", words).c_str()));
  std::atomic<int> num_told{0};
  std::vector<uint8_t> out;
  const absl::Status status = RunLife(&num_told, &out);
  CAPTURE(status.ToString());
  CHECK(num_told <= 1);
  if (status.ok()) {
    CHECK(num_told == 1);
    CHECK(out == Expected());
  } else {
    CHECK(!status.message().empty());
  }
  for (const std::string& finding : DriverFindings()) FAIL_CHECK(finding);
  for (const char* what : {"contexts", "streams", "events", "modules", "allocations", "pinned"}) {
    CAPTURE(what);
    CHECK(geeps_fake_living(what) == 0);
  }
  return status.ok();
}

TEST_CASE("CUDA back end: each call of the driver refused once is a status or does not matter, and nothing is left") {
  const char* const functions[] = {
      "cuMemAlloc_v2",   "cuMemHostAlloc",      "cuStreamCreate",          "cuEventCreate",
      "cuEventRecord",   "cuStreamWaitEvent",   "cuLaunchHostFunc",        "cuMemcpyAsync",
      "cuMemsetD8Async", "cuLaunchKernel",      "cuModuleLoadData",        "cuModuleGetFunction",
      "cuEventQuery",    "cuStreamQuery",       "cuStreamSynchronize",     "cuEventSynchronize",
      "cuMemGetInfo_v2", "cuCtxPushCurrent_v2", "cuDevicePrimaryCtxRetain"};
  CHECK(LivesOrSaysWhy("schedule=seeded:1"));
  for (const char* function : functions) {
    for (const int result : {1, 2, 400, 700}) {
      // A wait fails with what has broken the context and nothing else.
      if (result != 700 && std::string(function).ends_with("Synchronize")) continue;
      uint64_t num_calls = 1;
      for (uint64_t call = 1; call <= num_calls; ++call) {
        LivesOrSaysWhy(absl::StrCat("schedule=seeded:1 refuse=", function, ":", call, ":", result));
        if (call == 1) num_calls = std::min<uint64_t>(geeps_fake_count(function), 60);
      }
    }
  }
}

TEST_CASE("CUDA back end: whichever piece of work breaks the context, the life ends in order") {
  bool has_lived = false;
  for (int at = 1; at <= 30 && !has_lived; ++at) {
    for (const int seed : {1, 2, 3})
      has_lived = LivesOrSaysWhy(absl::StrCat("schedule=seeded:", seed, " break=", at, ":700"));
  }
  CHECK(has_lived);
}

}  // namespace
}  // namespace geeps::test
