// SPDX-License-Identifier: Apache-2.0
// The contract of device back ends as a list of cases, each of which runs against any table of functions
// (include/geeps_device.h) and compares with a scalar calculation on the host. It never touches device memory but by
// copies, so that it serves devices whose memory the host cannot reach.
// Thread contract: one case at a time per device.
#ifndef GEEPS_TESTS_DEVICE_CONTRACT_H_
#define GEEPS_TESTS_DEVICE_CONTRACT_H_

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/types/span.h"
#include "runtime/base/status.h"
#include "runtime/device/device.h"

namespace geeps::test {

struct ContractCase {
  const char* name;  // a sentence
  void (*run)(const device::Device& device, uint64_t seed);
};

// contract_events.cc: memory, copies, streams, events.
absl::Span<const ContractCase> EventCases();
// contract_kernels.cc: row moves and update rules.
absl::Span<const ContractCase> KernelCases();
// contract_queues.cc: what waits in queues, and for how long.
absl::Span<const ContractCase> QueueCases();

// Runs every case on a fresh device each.
void RunContract(const geeps_device* table, const char* variant, uint64_t num_seeds);

#define GEEPS_CHECK_OK(expression)                                   \
  do {                                                               \
    const absl::Status contract_status = (expression);               \
    CHECK_MESSAGE(contract_status.ok(), contract_status.ToString()); \
  } while (0)

// Sleeps until the work in the stream so far is done.
inline void Finish(const device::Device& device, const device::Stream& stream) {
  const device::Event event = device.CreateEvent().value();
  GEEPS_CHECK_OK(stream.Record(event));
  GEEPS_CHECK_OK(event.Wait("test.finish"));
}

// Device memory with these values.
template <typename T>
device::Memory Upload(const device::Device& device, const std::vector<T>& values) {
  const uint64_t bytes = values.size() * sizeof(T);
  device::Memory pinned = device.Allocate(device::MemoryKind::kPinned, bytes).value();
  device::Memory memory = device.Allocate(device::MemoryKind::kDevice, bytes).value();
  if (bytes == 0) return memory;
  std::memcpy(pinned.data(), values.data(), bytes);
  const device::Stream stream = device.CreateStream().value();
  GEEPS_CHECK_OK(stream.Copy(memory.data(), pinned.data(), bytes));
  Finish(device, stream);
  return memory;
}

// What device memory holds after the work of `stream` so far.
template <typename T>
std::vector<T> Download(const device::Device& device, const device::Stream& stream, const device::Memory& memory) {
  std::vector<T> values(memory.size() / sizeof(T));
  if (values.empty()) return values;
  const device::Memory pinned = device.Allocate(device::MemoryKind::kPinned, memory.size()).value();
  GEEPS_CHECK_OK(stream.Copy(pinned.data(), memory.data(), memory.size()));
  Finish(device, stream);
  std::memcpy(values.data(), pinned.data(), memory.size());
  return values;
}

}  // namespace geeps::test

#endif  // GEEPS_TESTS_DEVICE_CONTRACT_H_
