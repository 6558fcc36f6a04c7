// SPDX-License-Identifier: Apache-2.0
// HostIndex: a prebuilt row index of the built-in back ends, and the kernel that moves rows by it. Runs are copied
// whole; the pairs left over are walked with the rows ahead being fetched, without a division anywhere. Thread
// contract: immutable after Build.
#ifndef GEEPS_RUNTIME_DEVICE_ROW_INDEX_H_
#define GEEPS_RUNTIME_DEVICE_ROW_INDEX_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "geeps_device.h"

namespace geeps::device {

class HostIndex {
 public:
  // Errors: Invalid for a row out of range or a row of dst that occurs twice, naming it.
  static absl::StatusOr<std::unique_ptr<HostIndex>> Build(absl::Span<const geeps_row_run> runs,
                                                          absl::Span<const geeps_row_pair> pairs, uint64_t dst_rows,
                                                          uint64_t src_rows);

  const std::vector<geeps_row_run>& runs() const { return runs_; }
  const std::vector<geeps_row_pair>& pairs() const { return pairs_; }
  uint64_t dst_rows() const { return dst_rows_; }
  uint64_t src_rows() const { return src_rows_; }

  // The built-in back ends' geeps_dev_index is this class.
  static const HostIndex* Of(const geeps_dev_index* index) { return reinterpret_cast<const HostIndex*>(index); }
  geeps_dev_index* handle() { return reinterpret_cast<geeps_dev_index*>(this); }

 private:
  HostIndex() = default;

  std::vector<geeps_row_run> runs_;
  std::vector<geeps_row_pair> pairs_;
  uint64_t dst_rows_ = 0;
  uint64_t src_rows_ = 0;
};

// Bytes of a value of an ABI dtype that rows can be moved in; 0 for others.
uint64_t MoveValueBytes(uint32_t dtype);

// Errors: Invalid, with the field and its value.
absl::Status CheckMove(const geeps_row_move& move);

// Moves the rows now. REQUIRES: CheckMove(move) is ok.
void MoveRowsNow(const geeps_row_move& move);

}  // namespace geeps::device

#endif  // GEEPS_RUNTIME_DEVICE_ROW_INDEX_H_
