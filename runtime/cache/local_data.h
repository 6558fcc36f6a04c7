// SPDX-License-Identifier: Apache-2.0
// LocalData: the memory of rows that never travel, and which of them hold something that was kept. It outlives commits.
// Kept flags are per atomic run of rows (plan::LocalLayout): no operation of the committed plans cuts one.
// Thread contract: the program's thread; Resegment at a commit, where no pass is under way.
#ifndef GEEPS_RUNTIME_CACHE_LOCAL_DATA_H_
#define GEEPS_RUNTIME_CACHE_LOCAL_DATA_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "runtime/device/device.h"
#include "runtime/plan/layout.h"
#include "runtime/table/row_set.h"

namespace geeps::cache {

class LocalData {
 public:
  // last_use: needed where the program has streams of its own.
  explicit LocalData(device::Memory memory, device::Event last_use = {})
      : memory_(std::move(memory)), last_use_(std::move(last_use)) {}
  ~LocalData();
  LocalData(const LocalData&) = delete;
  LocalData& operator=(const LocalData&) = delete;

  // The program is going to use the memory in stream `in`, or by host code (nullptr), which then waits here: what was
  // done to it in other streams is over before.
  absl::Status BeginUse(const device::Stream* in);
  // Its use is over with the work of `in` so far; nullptr: with this call.
  absl::Status EndUse(const device::Stream* in);

  uint8_t* data() const { return memory_.bytes(); }

  // The commit's atomic runs; what was kept stays kept, over commits that do not use it, too.
  void Resegment(const plan::LocalLayout& layout);
  // True when all these segments hold kept contents.
  bool IsKept(absl::Span<const uint32_t> segments) const;
  void SetKept(absl::Span<const uint32_t> segments, bool kept);

 private:
  device::Memory memory_;
  device::Event last_use_;
  const device::Stream* used_in_ = nullptr;  // last_use_ was recorded there and may not be complete
  std::vector<table::RowRun> segments_;
  std::vector<bool> kept_;  // by segment
  // Kept rows of no segment, or of one that is not kept as a whole and was not accessed yet.
  table::RowSet kept_elsewhere_;
};

}  // namespace geeps::cache

#endif  // GEEPS_RUNTIME_CACHE_LOCAL_DATA_H_
