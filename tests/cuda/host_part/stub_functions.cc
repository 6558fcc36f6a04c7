// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/host_part/stub_functions.h"

namespace geeps::cuda {
namespace {

StubFunctions& Stub() { return *StubFunctions::current; }

void FillMemory(Driver* driver) {
  driver->MemAlloc = [](DevicePointer* memory, size_t bytes) -> Result {
    if (Stub().alloc != kSuccess) return Stub().alloc;
    *memory = Stub().next_address += 1 << 20;
    Stub().device_memory[*memory] = bytes;
    return kSuccess;
  };
  driver->MemFree = [](DevicePointer memory) { return Stub().device_memory.erase(memory) == 1 ? kSuccess : 1; };
  driver->MemGetInfo = [](size_t* free_bytes, size_t* total_bytes) {
    *free_bytes = 123;
    *total_bytes = 4567;
    return kSuccess;
  };
  driver->MemHostAlloc = [](void** memory, size_t bytes, unsigned) -> Result {
    if (Stub().pin != kSuccess) return Stub().pin;
    *memory = std::malloc(bytes);
    Stub().pinned_memory[*memory] = bytes;
    return kSuccess;
  };
  driver->MemFreeHost = [](void* memory) -> Result {
    if (Stub().pinned_memory.erase(memory) != 1) return kInvalidValue;
    std::free(memory);
    return kSuccess;
  };
  driver->MemcpyAsync = [](DevicePointer dst, DevicePointer src, size_t bytes, NativeStream) -> Result {
    if (Stub().copy == kSuccess) Stub().copies.push_back({dst, src, bytes});
    return Stub().copy;
  };
}

void FillEvents(Driver* driver) {
  driver->EventCreate = [](NativeEvent* event, unsigned) {
    *event = reinterpret_cast<NativeEvent>(static_cast<uintptr_t>(Stub().next_address += 16));
    Stub().events.insert(*event);
    return kSuccess;
  };
  driver->EventDestroy = [](NativeEvent event) { return Stub().events.erase(event) == 1 ? kSuccess : kInvalidHandle; };
  driver->EventRecord = [](NativeEvent event, NativeStream) {
    Stub().recorded.insert(event);
    Stub().complete.erase(event);
    return Stub().record;
  };
  driver->EventQuery = [](NativeEvent event) {
    return Stub().recorded.count(event) == 0 || Stub().complete.count(event) > 0 ? kSuccess : kNotReady;
  };
  driver->EventSynchronize = [](NativeEvent event) {
    Stub().waited.push_back(event);
    Stub().complete.insert(event);
    return kSuccess;
  };
  driver->StreamSynchronize = [](NativeStream) {
    ++Stub().num_synchronized;
    return Stub().synchronize;
  };
}

}  // namespace

StubFunctions* StubFunctions::current = nullptr;

StubFunctions::StubFunctions() {
  current = this;
  driver.GetErrorName = [](Result result, const char** name) {
    *name = result == kIllegalAddress ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_OTHER";
    return kSuccess;
  };
  driver.GetErrorString = [](Result, const char** text) {
    *text = "its text";
    return kSuccess;
  };
  FillMemory(&driver);
  FillEvents(&driver);
}

}  // namespace geeps::cuda
