// SPDX-License-Identifier: Apache-2.0
// UpdateLog: the ring of log entries of one table: entry clock mod L holds this worker's contributions of one clock,
// dense, in the shape of the plan that the clock walked, and a header: plan and rule parameters. In a log that keepers
// map, the header stands before the values of its entry. Otherwise headers lie by themselves, in host memory: the host
// need not reach the values.
// Thread contract: the program writes an entry's parameters and (in place) its values while the entry is being filled;
// the mover thread does the rest. The order between them is the program queue's, between workers the fired word's.
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

  // Bytes that a log of `num_entries` entries of `entry_bytes` value bytes takes: mapped, with its headers; the values
  // of another one.
  static uint64_t MappedBytes(uint32_t num_entries, uint64_t entry_bytes) {
    return num_entries * (kHeaderBytes + Aligned(entry_bytes));
  }
  static uint64_t ValuesBytes(uint32_t num_entries, uint64_t entry_bytes) { return num_entries * Aligned(entry_bytes); }

  UpdateLog() = default;
  // One that keepers map. memory: MappedBytes(...) bytes that outlive the log.
  UpdateLog(uint8_t* memory, uint32_t num_entries, uint64_t entry_bytes)
      : headers_(memory),
        values_(memory + kHeaderBytes),
        num_entries_(num_entries),
        header_stride_(kHeaderBytes + Aligned(entry_bytes)),
        values_stride_(header_stride_) {}
  // headers: one for each entry; values: ValuesBytes(...) bytes of any memory. Both outlive the log.
  UpdateLog(LogHeader* headers, uint8_t* values, uint32_t num_entries, uint64_t entry_bytes)
      : headers_(reinterpret_cast<uint8_t*>(headers)),
        values_(values),
        num_entries_(num_entries),
        header_stride_(sizeof(LogHeader)),
        values_stride_(Aligned(entry_bytes)) {}

  LogHeader* header(protocol::Clock clock) const {
    return reinterpret_cast<LogHeader*>(headers_ + clock % num_entries_ * header_stride_);
  }
  uint8_t* values(protocol::Clock clock) const { return values_ + values_offset(clock); }
  // Where values(clock) begin behind those of entry 0.
  uint64_t values_offset(protocol::Clock clock) const { return clock % num_entries_ * values_stride_; }
  uint32_t num_entries() const { return num_entries_; }

  void SetParams(protocol::Clock clock, const protocol::RuleParams& params) const;
  // The parameters of an entry. A number beyond kNumParamsMax (only a peer's memory can hold it) reads as that many.
  protocol::RuleParams Params(protocol::Clock clock) const;

 private:
  static uint64_t Aligned(uint64_t bytes) { return (bytes + 255) / 256 * 256; }

  uint8_t* headers_ = nullptr;
  uint8_t* values_ = nullptr;
  uint32_t num_entries_ = 1;
  uint64_t header_stride_ = 0;
  uint64_t values_stride_ = 0;
};

}  // namespace geeps::cache

#endif  // GEEPS_RUNTIME_CACHE_UPDATE_LOG_H_
