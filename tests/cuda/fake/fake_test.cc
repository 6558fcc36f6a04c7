// SPDX-License-Identifier: Apache-2.0
// What the fake driver does as a driver: memory, streams, events, contexts, results.
#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>

#include "tests/cuda/fake/session.h"

namespace geeps::fake {
namespace {

using namespace api;  // NOLINT: the functions under test
using cuda::kIllegalAddress;
using cuda::kInvalidHandle;
using cuda::kInvalidValue;
using cuda::kNotReady;
using cuda::kOutOfMemory;
using cuda::kSuccess;
using Values = std::vector<uint8_t>;

TEST_CASE("Fake CUDA: copies and fills of a stream run in order, new memory is poisoned") {
  for (const std::string& schedule : Schedules()) {
    CAPTURE(schedule);
    Session session("schedule=" + schedule);
    const auto stream = session.NewStream();
    const auto x = session.NewMemory(8), y = session.NewMemory(8);
    CHECK(Read(&session, x, 8, stream) == Values(8, 0xff));
    CHECK(FakeMemsetD8Async(x, 1, 8, stream) == kSuccess);
    CHECK(FakeMemcpyAsync(y + 2, x, 4, stream) == kSuccess);
    CHECK(FakeMemsetD8Async(x, 2, 8, stream) == kSuccess);
    CHECK(Read(&session, y, 8, stream) == Values({0xff, 0xff, 1, 1, 1, 1, 0xff, 0xff}));
    CHECK(geeps_fake_count("copies") == 3);
    CHECK(geeps_fake_count("fills") == 2);
  }
}

TEST_CASE("Fake CUDA: lazy runs what a wait depends on and nothing else; sources are read when the copy runs") {
  Session session("schedule=lazy");
  const auto a = session.NewStream(), b = session.NewStream();
  const auto a_done = session.NewEvent(), b_done = session.NewEvent();
  uint8_t* const pinned = session.NewPinned(1);
  const auto x = session.NewMemory(1);
  *pinned = 1;
  CHECK(FakeMemcpyAsync(x, AddressOf(pinned), 1, a) == kSuccess);
  CHECK(FakeEventRecord(a_done, a) == kSuccess);
  CHECK(FakeEventRecord(b_done, b) == kSuccess);
  *pinned = 2;
  CHECK(FakeEventSynchronize(b_done) == kSuccess);
  CHECK(geeps_fake_count("copies") == 0);
  CHECK(FakeEventQuery(a_done) == kNotReady);
  CHECK(Read(&session, x, 1, a) == Values{2});
}

TEST_CASE("Fake CUDA: whoever asks again and again is told at last, under every schedule") {
  for (const std::string& schedule : Schedules()) {
    CAPTURE(schedule);
    Session session("schedule=" + schedule);
    const auto a = session.NewStream(), b = session.NewStream();
    const auto done = session.NewEvent();
    const auto x = session.NewMemory(1);
    for (int i = 0; i < 50; ++i) CHECK(FakeMemsetD8Async(x, 1, 1, a) == kSuccess);
    CHECK(FakeEventRecord(done, a) == kSuccess);
    CHECK(FakeStreamWaitEvent(b, done, 0) == kSuccess);
    uint64_t num_asked = 0;
    while (FakeStreamQuery(b) == kNotReady && num_asked < 100000000) ++num_asked;
    CHECK(FakeStreamQuery(b) == kSuccess);
    CHECK(FakeEventQuery(done) == kSuccess);
  }
}

TEST_CASE("Fake CUDA: a wait is for what the event had captured; an event never recorded is complete") {
  for (const std::string& schedule : Schedules()) {
    CAPTURE(schedule);
    Session session("schedule=" + schedule);
    const auto a = session.NewStream(), b = session.NewStream();
    const auto event = session.NewEvent(), b_done = session.NewEvent(), never = session.NewEvent();
    const auto x = session.NewMemory(4), y = session.NewMemory(4);
    CHECK(FakeEventQuery(never) == kSuccess);
    CHECK(FakeEventSynchronize(never) == kSuccess);
    CHECK(FakeStreamWaitEvent(b, never, 0) == kSuccess);
    CHECK(FakeMemsetD8Async(x, 1, 4, a) == kSuccess);
    CHECK(FakeEventRecord(event, a) == kSuccess);
    CHECK(FakeStreamWaitEvent(b, event, 0) == kSuccess);
    CHECK(FakeMemcpyAsync(y, x, 4, b) == kSuccess);
    CHECK(FakeEventRecord(b_done, b) == kSuccess);
    CHECK(FakeStreamWaitEvent(a, b_done, 0) == kSuccess);
    CHECK(FakeMemsetD8Async(x, 2, 4, a) == kSuccess);
    CHECK(FakeEventRecord(event, a) == kSuccess);
    CHECK(FakeEventDestroy(b_done) == kSuccess);  // a wait outlives its event
    session.Disown(b_done);
    CHECK(Read(&session, y, 4, b) == Values(4, 1));
    CHECK(FakeEventSynchronize(event) == kSuccess);
    CHECK(Read(&session, x, 4, b) == Values(4, 2));
  }
}

TEST_CASE("Fake CUDA: a host function runs in its place, by itself, and may call nothing of the driver") {
  static std::atomic<int> told;
  static uint8_t* seen;
  for (const std::string& schedule : Schedules()) {
    CAPTURE(schedule);
    Session session("schedule=" + schedule);
    const auto stream = session.NewStream();
    const auto x = session.NewMemory(1);
    uint8_t* const pinned = seen = session.NewPinned(1);
    CHECK(FakeMemsetD8Async(x, 7, 1, stream) == kSuccess);
    CHECK(FakeMemcpyAsync(AddressOf(pinned), x, 1, stream) == kSuccess);
    told = -1;
    const auto tell = [](void*) { told = *seen; };
    CHECK(FakeLaunchHostFunc(stream, tell, nullptr) == kSuccess);
    while (told < 0) std::this_thread::yield();  // the test's own limit ends this
    CHECK(told == 7);
    int version = 0;
    CHECK(FakeLaunchHostFunc(
              stream, [](void* out) { told = FakeDriverGetVersion(static_cast<int*>(out)); }, &version) == kSuccess);
    CHECK(FakeStreamSynchronize(stream) == kSuccess);
    CHECK(told == 800);
    CHECK(FoundOnly("cuDriverGetVersion: called from a host function"));
  }
}

TEST_CASE("Fake CUDA: the legacy default stream is ordered with blocking streams and not with others") {
  for (const std::string& schedule : Schedules()) {
    CAPTURE(schedule);
    Session session("schedule=" + schedule);
    const auto blocking = session.NewStream(0), other = session.NewStream();
    const auto x = session.NewMemory(4);
    CHECK(FakeMemsetD8Async(x, 1, 4, blocking) == kSuccess);
    CHECK(FakeMemsetD8Async(x, 2, 4, nullptr) == kSuccess);
    CHECK(FakeMemsetD8Async(x, 3, 2, blocking) == kSuccess);
    CHECK(Read(&session, x, 4, blocking) == Values({3, 3, 2, 2}));
    CHECK(Findings().empty());
    CHECK(geeps_fake_count("legacy") == 1);
    CHECK(FakeMemsetD8Async(x, 4, 4, nullptr) == kSuccess);
    CHECK(FakeMemsetD8Async(x, 5, 4, other) == kSuccess);
    CHECK(FakeStreamSynchronize(other) == kSuccess);
    CHECK(FakeStreamSynchronize(nullptr) == kSuccess);
    CHECK(FoundOnly("race between fill of 4 bytes of device memory in "));
  }
}

TEST_CASE("Fake CUDA: memory has limits, and what is free is told") {
  Session session("memory=1m pinned=64k");
  size_t free = 0, total = 0;
  const auto x = session.NewMemory(1000);
  CHECK(x % 256 == 0);
  CHECK(FakeMemGetInfo(&free, &total) == kSuccess);
  CHECK(total == 1 << 20);
  CHECK(free == total - 1000);
  cuda::DevicePointer untouched = 77;
  CHECK(FakeMemAlloc(&untouched, free + 1) == kOutOfMemory);
  CHECK(untouched == 77);
  session.NewMemory(free);
  session.NewPinned(1 << 16);
  void* pinned = nullptr;
  CHECK(FakeMemHostAlloc(&pinned, 1, 0) == kOutOfMemory);
  CHECK(geeps_fake_living("bytes") == 1 << 20);
}

TEST_CASE("Fake CUDA: a broken context gives its first cause to every call; another device goes on") {
  Session session("devices=2 schedule=lazy break=2:719");
  cuda::Context second = nullptr;
  CHECK(FakeDevicePrimaryCtxRetain(&second, 1) == kSuccess);
  const auto stream = session.NewStream();
  const auto event = session.NewEvent();
  const auto x = session.NewMemory(4);
  for (int i = 0; i < 3; ++i) CHECK(FakeMemsetD8Async(x, 1, 4, stream) == kSuccess);
  CHECK(FakeEventRecord(event, stream) == kSuccess);
  CHECK(FakeEventSynchronize(event) == 719);
  CHECK(geeps_fake_count("fills") == 2);
  CHECK(FakeEventQuery(event) == 719);
  CHECK(FakeMemFree(x) == 719);
  geeps_fake_break(0, 700);
  CHECK(FakeStreamSynchronize(stream) == 719);
  CHECK(FakeCtxPushCurrent(second) == kSuccess);
  cuda::DevicePointer y = 0;
  CHECK(FakeMemAlloc(&y, 4) == kSuccess);
  CHECK(FakeEventRecord(event, nullptr) == kInvalidHandle);
  CHECK(FoundOnly("the event is of device 0, the stream of device 1"));
  CHECK(FakeMemFree(y) == kSuccess);
  CHECK(FakeCtxPopCurrent(nullptr) == kSuccess);
  CHECK(FakeDevicePrimaryCtxRelease(1) == kSuccess);
}

TEST_CASE("Fake CUDA: calls without a context, with one that has ended, and pops of nothing are found") {
  cuda::Context context = nullptr;
  {
    const Session session("");
    context = session.context;
    uint64_t depth = 0;
    CHECK(geeps_fake_current_context(&depth) == context);
    CHECK(depth == 1);
  }
  size_t bytes = 0;
  CHECK(FakeMemGetInfo(&bytes, &bytes) == cuda::kInvalidContext);
  CHECK(FoundOnly("cuMemGetInfo_v2: no context is current on this thread"));
  CHECK(FakeCtxPushCurrent(context) == cuda::kInvalidContext);
  CHECK(FoundOnly("is not there, or not any more"));
  CHECK(FakeCtxPopCurrent(&context) == cuda::kInvalidContext);
  CHECK(FoundOnly("cuCtxPopCurrent_v2: no context"));
}

TEST_CASE("Fake CUDA: what is left when a context ends is found") {
  CHECK(geeps_fake_configure("quiet=1"));
  cuda::Context context = nullptr;
  CHECK(FakeDevicePrimaryCtxRetain(&context, 0) == kSuccess);
  CHECK(FakeCtxPushCurrent(context) == kSuccess);
  cuda::DevicePointer memory = 0;
  cuda::NativeEvent event = nullptr;
  CHECK(FakeMemAlloc(&memory, 1) == kSuccess);
  CHECK(FakeEventCreate(&event, 0) == kSuccess);
  CHECK(FakeCtxPopCurrent(nullptr) == kSuccess);
  CHECK(FakeDevicePrimaryCtxRelease(0) == kSuccess);
  CHECK(FoundOnly("these are left: 0 streams, 1 events, 0 modules, 1 allocations"));
  CHECK(geeps_fake_living("allocations") == 0);
}

TEST_CASE("Fake CUDA: a call can be refused once or from some call on") {
  Session session("refuse=cuMemAlloc_v2:2:2 refuse=cuEventRecord:2+:700");
  const auto stream = session.NewStream();
  const auto event = session.NewEvent();
  cuda::DevicePointer memory = 0;
  session.NewMemory(1);
  CHECK(FakeMemAlloc(&memory, 1) == kOutOfMemory);
  session.NewMemory(1);
  CHECK(FakeEventRecord(event, stream) == kSuccess);
  CHECK(FakeEventRecord(event, stream) == kIllegalAddress);
  CHECK(FakeEventRecord(event, stream) == kIllegalAddress);
}

TEST_CASE("Fake CUDA: no device, an old version, words that make no sense") {
  CHECK(geeps_fake_configure("devices=0"));
  CHECK(FakeInit(0) == cuda::kNoDevice);
  CHECK(geeps_fake_configure("version=11080 compute=7.0"));
  int version = 0;
  CHECK(FakeDriverGetVersion(&version) == kSuccess);
  CHECK(version == 11080);
  for (const char* words : {"devices=-1", "memory=1x", "schedule=often", "schedule=seeded:", "nonsense", "refuse=a:b",
                            "quiet=yes", "compute=7"}) {
    CHECK(!geeps_fake_configure(words));
  }
}

}  // namespace
}  // namespace geeps::fake
