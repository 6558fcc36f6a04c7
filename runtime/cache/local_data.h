// SPDX-License-Identifier: Apache-2.0
// LocalData: the memory of rows that never travel, and which of them hold something that was kept. It outlives commits.
// The memory is the device's, where all local data fit there, or the host's, which staged data come from and go to.
// Kept flags are per atomic run of rows (plan::LocalLayout): no operation of the committed plans cuts one.
// Thread contract: the program's thread; Prepare, Adopt, Resegment at a commit, where no pass is under way.
#ifndef GEEPS_RUNTIME_CACHE_LOCAL_DATA_H_
#define GEEPS_RUNTIME_CACHE_LOCAL_DATA_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "runtime/cache/last_use.h"
#include "runtime/device/device.h"
#include "runtime/plan/layout.h"
#include "runtime/table/row_set.h"

namespace geeps::cache {

class LocalData {
 public:
  // last_use: needed where the program has streams of its own. Memory comes with the first commit.
  explicit LocalData(uint64_t bytes, device::Event last_use = {}) : bytes_(bytes), last_use_(std::move(last_use)) {}
  LocalData(const LocalData&) = delete;
  LocalData& operator=(const LocalData&) = delete;

  // Memory of this kind for the next epoch; nothing changes yet. A commit that fails leaves it unused.
  absl::Status Prepare(const device::Device& device, device::MemoryKind kind);
  // What was prepared takes the place of the memory so far, with its contents. Returns when they have been copied.
  absl::Status Adopt(const device::Device& device);

  uint64_t bytes() const { return bytes_; }
  uint8_t* data() const { return memory_.bytes(); }
  // Where the contents will be once what was prepared is adopted.
  uint8_t* next_data() const { return next_ ? next_.bytes() : memory_.bytes(); }
  // Of the memory, where the program uses it where it lies.
  LastUse* last_use() { return &last_use_; }

  // The commit's atomic runs; what was kept stays kept, over commits that do not use it, too.
  void Resegment(const plan::LocalLayout& layout);
  // True when all these segments hold kept contents.
  bool IsKept(absl::Span<const uint32_t> segments) const;
  void SetKept(absl::Span<const uint32_t> segments, bool kept);

 private:
  const uint64_t bytes_;
  device::Memory memory_;
  device::Memory next_;  // prepared; empty: memory_ stays
  LastUse last_use_;     // ends before the memory
  std::vector<table::RowRun> segments_;
  std::vector<bool> kept_;  // by segment
  // Kept rows of no segment, or of one that is not kept as a whole and was not accessed yet.
  table::RowSet kept_elsewhere_;
};

}  // namespace geeps::cache

#endif  // GEEPS_RUNTIME_CACHE_LOCAL_DATA_H_
