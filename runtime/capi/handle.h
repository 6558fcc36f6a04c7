// SPDX-License-Identifier: Apache-2.0
// HandleTable: what the opaque pointers of the C ABI are: an index and a generation, not an address, so that stale,
// foreign and mistyped handles are refused instead of followed. One table per process: the one exception to "no
// process-wide state", since a handle must be checked before anything is known about it.
// Thread contract: any thread. A
// handle may not be destroyed while another call uses it (include/geeps.h).
#ifndef GEEPS_RUNTIME_CAPI_HANDLE_H_
#define GEEPS_RUNTIME_CAPI_HANDLE_H_

#include <cstdint>

namespace geeps::capi {

enum class HandleType : uint32_t {
  kFree = 0,
  kRuntime = 1,
  kTable = 2,
  kLocal = 3,
  kPlan = 4,
  kRequest = 5,
  kReserved = 6
};

// nullptr when no handle or no memory is left. kReserved: nobody finds it before NameHandle.
void* NewHandle(HandleType type, void* object);
// What was reserved is a handle of this type from now on. REQUIRES: of NewHandle, and not ended.
void NameHandle(const void* handle, HandleType type);
// The object, or nullptr for NULL, a stale handle, a handle of another type, or no handle at all.
void* FindHandle(HandleType type, const void* handle);
// The handle becomes stale.
void EndHandle(const void* handle);

}  // namespace geeps::capi

#endif  // GEEPS_RUNTIME_CAPI_HANDLE_H_
