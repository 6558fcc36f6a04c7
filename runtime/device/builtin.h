// SPDX-License-Identifier: Apache-2.0
// What the two built-in back ends, host and deferred, have in common: information, row indexes, reading descriptors.
// Thread contract: pure functions.
#ifndef GEEPS_RUNTIME_DEVICE_BUILTIN_H_
#define GEEPS_RUNTIME_DEVICE_BUILTIN_H_

#include <cstdint>

#include "geeps_device.h"
#include "runtime/device/abi_status.h"
#include "runtime/device/host_memory.h"

namespace geeps::device {

// The only device of a built-in back end. memory may be nullptr: nothing is opened yet.
geeps_dev_info BuiltinInfo(const char* name, uint32_t flags, const HostMemory* memory);

// `list` for one device.
geeps_status ListOne(const geeps_dev_info& info, geeps_dev_info* out, uint64_t stride, uint64_t cap, uint64_t* num,
                     geeps_error* err);

// Reads and checks what `create` was given. Errors: NotFound for another device than the first.
absl::Status ReadConfig(const geeps_dev_config* from, const char* name, geeps_dev_config* out);

// index_create and index_destroy of the table.
geeps_status IndexCreate(geeps_dev* dev, const geeps_row_run* runs, uint64_t num_runs, const geeps_row_pair* pairs,
                         uint64_t num_pairs, uint64_t dst_rows, uint64_t src_rows, geeps_dev_index** out,
                         geeps_error* err);
void IndexDestroy(geeps_dev_index* index);

// Calls fn(T) for each of `num` descriptors that lie first's struct_size bytes apart; stops at the first error.
template <typename T, typename Fn>
absl::Status ForEachStruct(const T* first, uint64_t num, const char* type_name, Fn&& fn) {
  if (num == 0) return absl::OkStatus();
  if (first == nullptr) return Invalid(num, " of ", type_name, " at NULL");
  const uint32_t stride = first->struct_size;
  for (uint64_t i = 0; i < num; ++i) {
    T copy;
    GEEPS_RETURN_IF_ERROR(ReadStruct(reinterpret_cast<const uint8_t*>(first) + i * stride, type_name, &copy));
    if (copy.struct_size != stride) {
      return MakeStatus(Code::kAbi, absl::StrCat(type_name, " ", i, " has struct_size ", copy.struct_size,
                                                 ", the first has ", stride));
    }
    GEEPS_RETURN_IF_ERROR(fn(copy));
  }
  return absl::OkStatus();
}

}  // namespace geeps::device

#endif  // GEEPS_RUNTIME_DEVICE_BUILTIN_H_
