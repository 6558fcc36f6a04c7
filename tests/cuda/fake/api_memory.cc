// SPDX-License-Identifier: Apache-2.0
// Exported functions: memory, copies, fills.
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tests/cuda/fake/api.h"
#include "tests/cuda/fake/driver.h"

namespace geeps::fake::api {
namespace {

using cuda::kIllegalAddress;
using cuda::kInvalidHandle;
using cuda::kInvalidValue;
using cuda::kOutOfMemory;
using cuda::kSuccess;

constexpr uint64_t kPageBytes = 4096;

// Of the host's own memory: every page can be read.
bool IsReadable(Bytes bytes) {
  for (uint64_t at = bytes.first; at < bytes.end(); at = (at / kPageBytes + 1) * kPageBytes) {
    uint8_t byte = 0;
    iovec local = {&byte, 1}, remote = {reinterpret_cast<void*>(static_cast<uintptr_t>(at)), 1};
    if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != 1 && errno == EFAULT) return false;
  }
  return true;
}

// One end of a copy or fill. region nullptr and no error: memory of the host's own.
struct End {
  Region* region = nullptr;
  std::string error;
};

End FindEnd(Driver* driver, Bytes bytes) {
  End end;
  end.region = driver->memory.Find(bytes.first);
  if (end.region != nullptr) {
    if (bytes.end() > end.region->bytes.end()) {
      end.error = Text("ends ", bytes.end() - end.region->bytes.end(), " bytes behind ", end.region->Name());
    }
  } else if (driver->memory.IsReserved(bytes.first)) {
    end.error = driver->memory.Describe(bytes.first);
  } else if (!IsReadable(bytes)) {
    end.error = "is no memory of this process";
  }
  return end;
}

uint8_t* RealAddress(const End& end, uint64_t address) {
  if (end.region != nullptr) return Memory::RealAddress(*end.region, address);
  return reinterpret_cast<uint8_t*>(static_cast<uintptr_t>(address));
}

const char* NameOf(const End& end) {
  if (end.region == nullptr) return "ordinary";
  return end.region->kind == Kind::kDevice ? "device" : "pinned";
}

// The ends as they are when the work runs, which may be wrong by now; "" or what is.
std::string FindEnds(Driver* driver, const Op& op, std::vector<End>* ends) {
  for (const Use& use : op.uses) {
    ends->push_back(FindEnd(driver, use.bytes));
    if (!ends->back().error.empty()) {
      return Text(op.actor->text, ": when it runs, its ", use.writes ? "target " : "source ", ends->back().error);
    }
  }
  for (const Use& use : op.uses) driver->NoteAccess(op, use.bytes, use.writes);
  return "";
}

Result RunCopy(const Op& op) {
  Driver& driver = Driver::The();
  driver.counters.Count("copies");
  std::vector<End> ends;
  if (const std::string error = FindEnds(&driver, op, &ends); !error.empty()) {
    driver.findings.Add(error);
    return kIllegalAddress;
  }
  std::memmove(RealAddress(ends[0], op.uses[0].bytes.first), RealAddress(ends[1], op.uses[1].bytes.first),
               op.uses[0].bytes.num);
  driver.ForgetOldAccesses();
  return kSuccess;
}

Result RunFill(const Op& op, unsigned char value) {
  Driver& driver = Driver::The();
  driver.counters.Count("fills");
  std::vector<End> ends;
  if (const std::string error = FindEnds(&driver, op, &ends); !error.empty()) {
    driver.findings.Add(error);
    return kIllegalAddress;
  }
  std::memset(RealAddress(ends[0], op.uses[0].bytes.first), value, op.uses[0].bytes.num);
  driver.ForgetOldAccesses();
  return kSuccess;
}

// The end of a region by the host. The manual lets a free wait for work, and nobody may count on that.
Result FreeRegion(Call* call, Region* region) {
  Driver& driver = call->driver();
  if (const Op* const user = driver.engine->FindUser(region->bytes)) {
    call->Finding(kSuccess, region->Name(), " is freed while ", user->actor->text, " has yet to run");
  } else if (const Actor* const unknown = region->races.FirstNotCovered(driver.engine->host())) {
    call->Finding(kSuccess, region->Name(), " is freed and nobody has waited for ", unknown->text);
  }
  if (const std::string error = Memory::CheckGuards(*region); !error.empty()) call->Finding(kSuccess, error);
  driver.memory.Free(region);
  return kSuccess;
}

}  // namespace

Result FakeMemGetInfo(size_t* free, size_t* total) {
  Call call("cuMemGetInfo_v2", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  *total = call->config.memory_bytes;
  *free = *total - call->memory.used_bytes(call.context()->device);
  return kSuccess;
}

Result FakeMemAlloc(DevicePointer* memory, size_t bytes) {
  Call call("cuMemAlloc_v2", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  if (bytes == 0) return call.Finding(kInvalidValue, "0 bytes");
  const int device = call.context()->device;
  if (bytes > call->config.memory_bytes - call->memory.used_bytes(device)) return kOutOfMemory;
  const Region* const region = call->memory.Allocate(Kind::kDevice, bytes, call.context()->handle, device);
  if (region == nullptr) return kOutOfMemory;
  *memory = region->bytes.first;
  return kSuccess;
}

Result FakeMemFree(DevicePointer memory) {
  Call call("cuMemFree_v2", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  if (memory == 0) return kSuccess;
  Region* const region = call->memory.Find(memory);
  if (region == nullptr) return call.Finding(kInvalidValue, "the address ", call->memory.Describe(memory));
  if (region->kind != Kind::kDevice || region->bytes.first != memory) {
    return call.Finding(kInvalidValue, "the address is not the first of device memory but lies in ", region->Name());
  }
  return FreeRegion(&call, region);
}

Result FakeMemHostAlloc(void** memory, size_t bytes, unsigned flags) {
  Call call("cuMemHostAlloc", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  if (bytes == 0 || flags > 7) return call.Finding(kInvalidValue, bytes, " bytes, flags ", flags);
  const uint64_t used_bytes = call->memory.pinned_bytes();
  if (used_bytes > call->config.pinned_bytes || bytes > call->config.pinned_bytes - used_bytes) return kOutOfMemory;
  const Region* const region =
      call->memory.Allocate(Kind::kPinned, bytes, call.context()->handle, call.context()->device);
  if (region == nullptr) return kOutOfMemory;
  *memory = HandleOf<void*>(region->bytes.first);
  return kSuccess;
}

Result FakeMemFreeHost(void* memory) {
  Call call("cuMemFreeHost", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  Region* const region = call->memory.Find(NumberOf(memory));
  if (region == nullptr) return call.Finding(kInvalidValue, "the address ", call->memory.Describe(NumberOf(memory)));
  if (region->kind != Kind::kPinned || region->bytes.first != NumberOf(memory)) {
    return call.Finding(kInvalidValue, "the address is not the first of pinned memory but lies in ", region->Name());
  }
  return FreeRegion(&call, region);
}

Result FakeMemcpyAsync(DevicePointer dst, DevicePointer src, size_t bytes, NativeStream native) {
  Call call("cuMemcpyAsync", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  Stream* const stream = call->FindStream(native, call.context(), call.name());
  if (stream == nullptr) return kInvalidHandle;
  if (bytes == 0) return kSuccess;
  const End to = FindEnd(&call.driver(), {dst, bytes}), from = FindEnd(&call.driver(), {src, bytes});
  if (!to.error.empty()) return call.Finding(kInvalidValue, "the target of ", bytes, " bytes ", to.error);
  if (!from.error.empty()) return call.Finding(kInvalidValue, "the source of ", bytes, " bytes ", from.error);
  if (dst < src + bytes && src < dst + bytes) {
    call.Finding(kSuccess, "source and target overlap: ", bytes, " bytes, ", dst > src ? dst - src : src - dst,
                 " bytes apart");
  }
  Op op;
  op.uses = {{{dst, bytes}, true}, {{src, bytes}, false}};
  op.work = &RunCopy;
  const TicketRef ticket = call->engine->Append(
      stream, Text("copy of ", bytes, " bytes from ", NameOf(from), " to ", NameOf(to), " memory"), std::move(op));
  // With ordinary memory the driver may be done when it returns, and may not: the manual promises neither.
  const bool is_pageable = to.region == nullptr || from.region == nullptr;
  const Schedule schedule = call->engine->schedule();
  if (is_pageable && (schedule == Schedule::kEager || (schedule == Schedule::kSeeded && call->engine->Draw(2) == 0))) {
    call->engine->RunUntilDone(ticket, call.lock());
  }
  return kSuccess;
}

Result FakeMemsetD8Async(DevicePointer dst, unsigned char value, size_t count, NativeStream native) {
  Call call("cuMemsetD8Async", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  Stream* const stream = call->FindStream(native, call.context(), call.name());
  if (stream == nullptr) return kInvalidHandle;
  if (count == 0) return kSuccess;
  const End to = FindEnd(&call.driver(), {dst, count});
  if (!to.error.empty()) return call.Finding(kInvalidValue, "the target of ", count, " bytes ", to.error);
  if (to.region == nullptr) return call.Finding(kInvalidValue, "the target of ", count, " bytes is ordinary memory");
  Op op;
  op.uses = {{{dst, count}, true}};
  op.work = [value](const Op& run) { return RunFill(run, value); };
  call->engine->Append(stream, Text("fill of ", count, " bytes of ", NameOf(to), " memory"), std::move(op));
  return kSuccess;
}

}  // namespace geeps::fake::api
