// SPDX-License-Identifier: Apache-2.0
#include "plugins/cuda/memory.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/cuda/host_part/stub_functions.h"

namespace geeps::cuda {
namespace {

struct Fixture {
  explicit Fixture(uint64_t limit = 0)
      : loss(&stub.driver, "device 0 (Stub)"), memory(&stub.driver, &loss, &host, 10000, limit) {}

  static void Log(void* ctx, int32_t level, const char*, const char* text, uint64_t len) {
    CHECK(level == GEEPS_LOG_WARNING);
    static_cast<Fixture*>(ctx)->lines.emplace_back(text, len);
  }

  StubFunctions stub;
  std::vector<std::string> lines;
  geeps_host host = {sizeof(geeps_host), GEEPS_PLUGIN_ABI, this, nullptr, Log, nullptr, nullptr, nullptr};
  Loss loss;
  Memory memory;
};

TEST_CASE("Memory: device memory is limited and counted, and what the driver refuses is not counted") {
  Fixture f(1000);
  CHECK(f.memory.limit() == 1000);
  void* first = nullptr;
  CHECK(f.memory.Allocate(GEEPS_DEV_MEMORY, 600, &first).ok());
  CHECK(f.stub.device_memory.begin()->second == 768);  // a multiple of 256
  void* const untouched = &f;
  void* second = untouched;
  Status status = f.memory.Allocate(GEEPS_DEV_MEMORY, 401, &second);
  CHECK(status.code() == GEEPS_E_NOMEM);
  CHECK(status.text() == "401 bytes of device memory wanted, 400 of 1000 are free");
  CHECK(f.memory.Allocate(GEEPS_DEV_MEMORY, ~0ull, &second).code() == GEEPS_E_NOMEM);
  f.stub.alloc = kOutOfMemory;
  status = f.memory.Allocate(GEEPS_DEV_MEMORY, 300, &second);
  CHECK(status.code() == GEEPS_E_NOMEM);
  CHECK(status.text() == "300 bytes of device memory wanted, 123 of 4567 are free on device 0 (Stub)");
  CHECK(f.memory.Allocate(GEEPS_DEV_MEMORY, 0, &second).code() == GEEPS_E_INVALID);
  CHECK(f.memory.Allocate(3, 1, &second).code() == GEEPS_E_INVALID);
  CHECK(second == untouched);
  CHECK(f.memory.memory_used() == 600);
  f.memory.Free(GEEPS_DEV_MEMORY, first, 600);
  CHECK(f.memory.memory_used() == 0);
  CHECK(f.stub.device_memory.empty());
  CHECK(!f.loss.is_lost());
  CHECK(Fixture(20000).memory.limit() == 10000);  // not more than there is
}

TEST_CASE("Memory: where nothing can be pinned ordinary memory takes its place, with one warning") {
  Fixture f;
  void *pinned = nullptr, *first = nullptr, *second = nullptr;
  CHECK(f.memory.Allocate(GEEPS_DEV_PINNED, 100, &pinned).ok());
  CHECK(!f.memory.IsPageable(pinned));
  f.stub.pin = kOutOfMemory;
  CHECK(f.memory.Allocate(GEEPS_DEV_PINNED, 1000, &first).ok());
  CHECK(f.memory.Allocate(GEEPS_DEV_PINNED, 2000, &second).ok());
  CHECK(reinterpret_cast<uintptr_t>(first) % 256 == 0);
  REQUIRE(f.lines.size() == 1);
  CHECK(
      f.lines[0] ==
      "device 0 (Stub): the system pins no further 1000 bytes of memory (CUDA_ERROR_OTHER (its text)); ordinary memory "
      "is used, copies from and to it are slower");
  CHECK(f.memory.pinned_used() == 3100);
  CHECK(f.memory.IsPageable(first));
  CHECK(f.memory.IsPageable(static_cast<char*>(first) + 999));
  CHECK(!f.memory.IsPageable(static_cast<char*>(first) - 1));
  CHECK(!f.memory.IsPageable(pinned));
  f.memory.Free(GEEPS_DEV_PINNED, first, 1000);
  CHECK(f.memory.IsPageable(second));
  f.memory.Free(GEEPS_DEV_PINNED, second, 2000);
  f.memory.Free(GEEPS_DEV_PINNED, pinned, 100);
  CHECK(f.memory.pinned_used() == 0);
  CHECK(f.stub.pinned_memory.empty());
  // More than there can be.
  const Status status = f.memory.Allocate(GEEPS_DEV_PINNED, 1ull << 60, &first);
  CHECK(status.code() == GEEPS_E_NOMEM);
  CHECK(status.text().find("1152921504606846976 bytes of pinned memory wanted") == 0);
}

TEST_CASE("Memory: another failure of the driver is a loss, not a lack of memory") {
  Fixture f;
  void* out = nullptr;
  f.stub.alloc = kIllegalAddress;
  CHECK(f.memory.Allocate(GEEPS_DEV_MEMORY, 1, &out).code() == GEEPS_E_DEVICE);
  CHECK(f.loss.is_lost());
  CHECK(f.memory.memory_used() == 0);
}

}  // namespace
}  // namespace geeps::cuda
