// SPDX-License-Identifier: Apache-2.0
#include "plugins/cuda/info.h"

#include "plugins/cuda/loss.h"

namespace geeps::cuda {
namespace {

// 0: the driver does not tell.
int Attribute(const Driver& driver, int attribute, DeviceOrdinal ordinal) {
  int value = 0;
  return driver.DeviceGetAttribute(&value, attribute, ordinal) == kSuccess && value > 0 ? value : 0;
}

}  // namespace

Status CountDevices(const Driver** driver, int* num) {
  std::string why;
  const Driver* const opened = Driver::Open(&why);
  if (opened == nullptr) return Status(GEEPS_E_NOT_FOUND, std::move(why));
  const Result result = opened->DeviceGetCount(num);
  if (result != kSuccess) {
    return Status(GEEPS_E_DEVICE, Text("cuDeviceGetCount: ", ResultText(*opened, result)), result);
  }
  *driver = opened;
  return Status();
}

Status ReadFacts(const Driver& driver, int number, DeviceFacts* out) {
  DeviceFacts facts;
  geeps_dev_info& info = facts.info;
  info.struct_size = sizeof(info);
  info.device_id = number;
  info.mem_kind = GEEPS_MEM_CUDA;
  size_t total_bytes = 0;
  const char* call = "cuDeviceGet";
  Result result = driver.DeviceGet(&facts.ordinal, number);
  if (result == kSuccess) {
    call = "cuDeviceGetName";
    result = driver.DeviceGetName(info.name, sizeof(info.name), facts.ordinal);
  }
  if (result == kSuccess) {
    call = "cuDeviceTotalMem";
    result = driver.DeviceTotalMem(&total_bytes, facts.ordinal);
  }
  if (result != kSuccess) {
    return Status(GEEPS_E_DEVICE, Text("device ", number, ": ", call, ": ", ResultText(driver, result)), result);
  }
  info.name[sizeof(info.name) - 1] = '\0';
  info.memory_bytes = total_bytes;
  // Two transfers a clock: CUDA C++ Best Practices Guide, "Theoretical Bandwidth Calculation".
  const uint64_t clock_khz = static_cast<uint64_t>(Attribute(driver, kAttributeMemoryClockKHz, facts.ordinal));
  const uint64_t bus_bits = static_cast<uint64_t>(Attribute(driver, kAttributeMemoryBusBits, facts.ordinal));
  info.device_bandwidth = clock_khz * 1000 * 2 * (bus_bits / 8);
  facts.compute_major = Attribute(driver, kAttributeComputeMajor, facts.ordinal);
  facts.compute_minor = Attribute(driver, kAttributeComputeMinor, facts.ordinal);
  *out = facts;
  return Status();
}

}  // namespace geeps::cuda
