// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/builtin.h"

#include <cstring>

#include "runtime/device/row_index.h"

namespace geeps::device {

geeps_dev_info BuiltinInfo(const char* name, uint32_t flags, const HostMemory* memory) {
  geeps_dev_info info = {};
  info.struct_size = sizeof(info);
  info.flags = flags;
  info.device_id = -1;
  info.mem_kind = GEEPS_MEM_HOST;
  info.memory_bytes = memory != nullptr && memory->limit() > 0 ? memory->limit() : MachineMemoryBytes();
  if (memory != nullptr) {
    info.memory_used = memory->memory_used();
    info.pinned_used = memory->pinned_used();
  }
  std::strncpy(info.name, name, sizeof(info.name) - 1);
  return info;
}

geeps_status ListOne(const geeps_dev_info& info, geeps_dev_info* out, uint64_t stride, uint64_t cap, uint64_t* num,
                     geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    if (num == nullptr) return Invalid("list: num is NULL");
    if (cap > 0) {
      if (stride < sizeof(out->struct_size)) return Invalid("list: a stride of ", stride, " bytes");
      GEEPS_RETURN_IF_ERROR(WriteStruct(info, "geeps_dev_info", out));
    }
    *num = 1;
    return absl::OkStatus();
  });
}

absl::Status ReadConfig(const geeps_dev_config* from, const char* name, geeps_dev_config* out) {
  GEEPS_RETURN_IF_ERROR(ReadStruct(from, "geeps_dev_config", out));
  if (out->device_id > 0) return NotFound("device ", out->device_id, " of back end ", name, ": there is one, number 0");
  return absl::OkStatus();
}

geeps_status IndexCreate(geeps_dev* /*dev*/, const geeps_row_run* runs, uint64_t num_runs, const geeps_row_pair* pairs,
                         uint64_t num_pairs, uint64_t dst_rows, uint64_t src_rows, geeps_dev_index** out,
                         geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    if (out == nullptr) return Invalid("index_create: out is NULL");
    if ((num_runs > 0 && runs == nullptr) || (num_pairs > 0 && pairs == nullptr)) {
      return Invalid("index_create: ", num_runs, " runs and ", num_pairs, " pairs, but ", runs ? "pairs" : "runs",
                     " is NULL");
    }
    GEEPS_ASSIGN_OR_RETURN(auto index, HostIndex::Build(absl::MakeConstSpan(runs, num_runs),
                                                        absl::MakeConstSpan(pairs, num_pairs), dst_rows, src_rows));
    *out = index.release()->handle();
    return absl::OkStatus();
  });
}

void IndexDestroy(geeps_dev_index* index) { delete HostIndex::Of(index); }

}  // namespace geeps::device
