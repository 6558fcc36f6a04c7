// SPDX-License-Identifier: Apache-2.0
// Session: the fake driver as a test of it uses it: configured, one context current, results checked.
// Thread contract: one thread.
#ifndef GEEPS_TESTS_CUDA_FAKE_SESSION_H_
#define GEEPS_TESTS_CUDA_FAKE_SESSION_H_

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/cuda/fake/api.h"
#include "tests/cuda/fake/fake.h"

namespace geeps::fake {

inline std::vector<std::string> Findings() {
  std::vector<std::string> findings;
  char text[500];
  for (uint64_t i = 0; i < geeps_fake_findings(i, text, sizeof(text)); ++i) findings.push_back(text);
  return findings;
}

// True when there is exactly one finding, which has this part; forgets it.
inline bool FoundOnly(const std::string& part) {
  const std::vector<std::string> findings = Findings();
  geeps_fake_clear_findings();
  const bool is_right = findings.size() == 1 && findings[0].find(part) != std::string::npos;
  for (const std::string& finding : findings) {
    if (!is_right) MESSAGE("found: ", finding);
  }
  return is_right;
}

inline std::vector<std::string> Schedules() {
  std::vector<std::string> schedules = {"lazy", "eager"};
  for (int seed = 1; seed <= 30; ++seed) schedules.push_back("seeded:" + std::to_string(seed));
  return schedules;
}

class Session {
 public:
  explicit Session(const std::string& words) {
    REQUIRE(geeps_fake_configure(("quiet=1 " + words).c_str()));
    REQUIRE(api::FakeInit(0) == 0);
    REQUIRE(api::FakeDevicePrimaryCtxRetain(&context, 0) == 0);
    REQUIRE(api::FakeCtxPushCurrent(context) == 0);
  }
  // Gives back what it has made; what a test has made is the test's.
  ~Session() {
    for (const cuda::NativeStream stream : streams_) api::FakeStreamSynchronize(stream);
    for (const cuda::DevicePointer memory : memory_) api::FakeMemFree(memory);
    for (void* const memory : pinned_) api::FakeMemFreeHost(memory);
    for (const cuda::NativeEvent event : events_) api::FakeEventDestroy(event);
    for (const cuda::NativeStream stream : streams_) api::FakeStreamDestroy(stream);
    CHECK(api::FakeCtxPopCurrent(nullptr) == 0);
    CHECK(api::FakeDevicePrimaryCtxRelease(0) == 0);
    for (const std::string& finding : Findings()) FAIL_CHECK(finding);
    CHECK(geeps_fake_living("contexts") == 0);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  cuda::NativeStream NewStream(unsigned flags = cuda::kStreamNonBlocking) {
    cuda::NativeStream stream = nullptr;
    REQUIRE(api::FakeStreamCreate(&stream, flags) == 0);
    streams_.push_back(stream);
    return stream;
  }
  cuda::NativeEvent NewEvent() {
    cuda::NativeEvent event = nullptr;
    REQUIRE(api::FakeEventCreate(&event, cuda::kEventDisableTiming) == 0);
    events_.push_back(event);
    return event;
  }
  cuda::DevicePointer NewMemory(size_t bytes) {
    cuda::DevicePointer memory = 0;
    REQUIRE(api::FakeMemAlloc(&memory, bytes) == 0);
    memory_.push_back(memory);
    return memory;
  }
  uint8_t* NewPinned(size_t bytes) {
    void* memory = nullptr;
    REQUIRE(api::FakeMemHostAlloc(&memory, bytes, cuda::kHostAllocPortable) == 0);
    pinned_.push_back(memory);
    return static_cast<uint8_t*>(memory);
  }
  // The test gives it back itself.
  void Disown(cuda::DevicePointer memory) { std::erase(memory_, memory); }
  void Disown(void* memory) { std::erase(pinned_, memory); }
  void Disown(cuda::NativeEvent event) { std::erase(events_, event); }
  void Disown(cuda::NativeStream stream) { std::erase(streams_, stream); }

  cuda::Context context = nullptr;

 private:
  std::vector<cuda::NativeStream> streams_;
  std::vector<cuda::NativeEvent> events_;
  std::vector<cuda::DevicePointer> memory_;
  std::vector<void*> pinned_;
};

inline cuda::DevicePointer AddressOf(const void* memory) { return reinterpret_cast<uintptr_t>(memory); }

// What device memory holds when all work of the stream is done.
inline std::vector<uint8_t> Read(Session* session, cuda::DevicePointer memory, size_t bytes,
                                 cuda::NativeStream stream) {
  uint8_t* const pinned = session->NewPinned(bytes);
  CHECK(api::FakeMemcpyAsync(AddressOf(pinned), memory, bytes, stream) == 0);
  CHECK(api::FakeStreamSynchronize(stream) == 0);
  return std::vector<uint8_t>(pinned, pinned + bytes);
}

}  // namespace geeps::fake

#endif  // GEEPS_TESTS_CUDA_FAKE_SESSION_H_
