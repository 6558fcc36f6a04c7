// SPDX-License-Identifier: Apache-2.0
#include "plugins/cuda/workspace.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <vector>

#include "tests/cuda/host_part/stub_functions.h"

namespace geeps::cuda {
namespace {

struct Fixture {
  Fixture()
      : loss(&stub.driver, "device 0 (Stub)"),
        memory(&stub.driver, &loss, nullptr, 1 << 30, 0),
        workspace(new Workspace(&stub.driver, &loss, &memory)) {}

  // The slot that a table of so many bytes was copied from.
  uint64_t Copy(size_t bytes) {
    const std::vector<uint8_t> table(bytes, static_cast<uint8_t>(bytes));
    DevicePointer address = 0;
    CHECK(workspace->CopyTable(table, nullptr, &address).ok());
    const StubFunctions::Copied& copied = stub.copies.back();
    CHECK(copied.dst == address);
    CHECK(copied.bytes == bytes);
    CHECK(std::memcmp(reinterpret_cast<const void*>(copied.src), table.data(), bytes) == 0);
    return copied.src;
  }

  StubFunctions stub;
  Loss loss;
  Memory memory;
  std::unique_ptr<Workspace> workspace;
};

TEST_CASE("Workspace: a slot is used again when the copy from it is done, not before") {
  Fixture f;
  const uint64_t first = f.Copy(5000);
  const uint64_t second = f.Copy(6000);
  CHECK(first != second);
  f.stub.complete = f.stub.recorded;
  CHECK(f.Copy(7000) == first);
  CHECK(f.Copy(8000) == second);
  CHECK(f.Copy(8000) != first);  // its last copy is not done
  CHECK(f.stub.waited.empty());
}

TEST_CASE("Workspace: the host waits for a stream that is 64 tables behind, for the oldest of them") {
  Fixture f;
  std::vector<uint64_t> slots;
  for (int i = 0; i < 64; ++i) slots.push_back(f.Copy(4000));
  CHECK(std::set<uint64_t>(slots.begin(), slots.end()).size() == 64);
  CHECK(f.stub.waited.empty());
  for (size_t i = 0; i < 64; ++i) {
    CHECK(f.Copy(4000) == slots[i]);
    CHECK(f.stub.waited.size() == i + 1);
  }
  CHECK(f.stub.pinned_memory.size() == 64);
}

TEST_CASE("Workspace: what has become too small stays until the end, for work may use it") {
  Fixture f;
  f.Copy(4000);
  const size_t num_regions = f.stub.device_memory.size();
  f.stub.complete = f.stub.recorded;
  f.Copy(16384);  // fits what a small one takes
  CHECK(f.stub.device_memory.size() == num_regions);
  f.stub.complete = f.stub.recorded;
  f.Copy(100000);
  CHECK(f.stub.device_memory.size() == num_regions + 1);
  CHECK(f.stub.pinned_memory.size() == 2);
  DevicePointer small = 0, large = 0, again = 0, none = 1;
  CHECK(f.workspace->GetScratch(1000, &small).ok());
  CHECK(f.workspace->GetScratch(1 << 20, &large).ok());
  CHECK(f.workspace->GetScratch(1000, &again).ok());
  CHECK(f.workspace->GetScratch(0, &none).ok());
  CHECK(small != large);
  CHECK(again == large);
  CHECK(none == 0);
  CHECK(f.stub.device_memory.count(small) == 1);
  CHECK(f.stub.device_memory[large] >= 1 << 20);
  f.workspace.reset();
  CHECK(f.stub.device_memory.empty());
  CHECK(f.stub.pinned_memory.empty());
  CHECK(f.stub.events.empty());
}

TEST_CASE("Workspace: what is refused changes nothing, a copy whose end cannot be marked is waited for") {
  Fixture f;
  const std::vector<uint8_t> table(4000);
  DevicePointer address = 7;
  f.stub.copy = kOutOfMemory;
  CHECK(f.workspace->CopyTable(table, nullptr, &address).code() == GEEPS_E_NOMEM);
  CHECK(address == 7);
  f.stub.copy = kSuccess;
  CHECK(f.stub.num_synchronized == 0);
  f.stub.alloc = kOutOfMemory;
  CHECK(f.workspace->GetScratch(1 << 20, &address).code() == GEEPS_E_NOMEM);
  CHECK(address == 7);
  CHECK(!f.loss.is_lost());
  f.stub.alloc = kSuccess;
  f.stub.record = kOutOfMemory;
  CHECK(f.workspace->CopyTable(table, nullptr, &address).ok());
  CHECK(f.stub.num_synchronized == 1);
  f.stub.synchronize = kIllegalAddress;
  address = 7;
  CHECK(f.workspace->CopyTable(table, nullptr, &address).code() == GEEPS_E_DEVICE);
  CHECK(address == 7);
  CHECK(f.loss.is_lost());
}

}  // namespace
}  // namespace geeps::cuda
