// SPDX-License-Identifier: Apache-2.0
// UpdateLog: the ring of log entries of one table: entry clock mod L holds this worker's contributions of one clock,
// dense, in the shape of the plan that the clock walked. Before the values of each entry stands a header, which a
// keeper reads that maps the log: plan and rule parameters.
// Thread contract: the program writes an entry's parameters
// and (in place) its values while the entry is being filled; the mover thread does the rest. The order between them is
// the program queue's, between workers the fired word's.
#ifndef GEEPS_RUNTIME_CACHE_UPDATE_LOG_H_
#define GEEPS_RUNTIME_CACHE_UPDATE_LOG_H_

#include <cstdint>
#include <memory>

#include "runtime/device/device.h"
#include "runtime/protocol/types.h"

namespace geeps::cache {

// At the head of every entry; plain host memory.
struct LogHeader {
  uint64_t clock;
  uint32_t set_id;  // the plan; protocol::kSetNothing: EMPTY at every partition
  uint32_t num_params;
  double params[protocol::kNumParamsMax];
  uint64_t fired_ns;  // when the clock was shown as fired
};

class UpdateLog {
 public:
  // Values of an entry begin this far behind its header: keeps them aligned to 256.
  static constexpr uint64_t kHeaderBytes = 256;
  static_assert(sizeof(LogHeader) <= kHeaderBytes);

  // Bytes that a log of `num_entries` entries of `entry_bytes` value bytes takes.
  static uint64_t BytesFor(uint32_t num_entries, uint64_t entry_bytes) { return num_entries * StrideFor(entry_bytes); }

  UpdateLog() = default;
  // memory: BytesFor(...) bytes that outlive the log.
  UpdateLog(uint8_t* memory, uint32_t num_entries, uint64_t entry_bytes)
      : base_(memory), num_entries_(num_entries), stride_(StrideFor(entry_bytes)) {}

  LogHeader* header(protocol::Clock clock) const { return reinterpret_cast<LogHeader*>(entry(clock)); }
  uint8_t* values(protocol::Clock clock) const { return entry(clock) + kHeaderBytes; }
  uint32_t num_entries() const { return num_entries_; }

  void SetParams(protocol::Clock clock, const protocol::RuleParams& params) const;
  // The parameters of an entry. A number beyond kNumParamsMax (only a peer's memory can hold it) reads as that many.
  protocol::RuleParams Params(protocol::Clock clock) const;

 private:
  static uint64_t StrideFor(uint64_t entry_bytes) { return kHeaderBytes + (entry_bytes + 255) / 256 * 256; }
  uint8_t* entry(protocol::Clock clock) const { return base_ + clock % num_entries_ * stride_; }

  uint8_t* base_ = nullptr;
  uint32_t num_entries_ = 1;
  uint64_t stride_ = 0;
};

}  // namespace geeps::cache

#endif  // GEEPS_RUNTIME_CACHE_UPDATE_LOG_H_
