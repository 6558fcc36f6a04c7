// SPDX-License-Identifier: Apache-2.0
// Shape of the memory that workers map (docs/protocol.md, section 8). Offsets, never pointers, and both sides derive
// them from what was agreed; a segment that is smaller than its shape is refused.
//
//   worker segment   fired word of each mapped table, one per cache line; then the update logs of the mapped tables, in
//   table order version segment  age word of each partition of the mapped tables, one per cache line; then the tables'
//   values, in table order, V
//                    versions of each
// Thread contract: the mover thread.
#ifndef GEEPS_RUNTIME_MOVERS_MAPPED_SHAPE_H_
#define GEEPS_RUNTIME_MOVERS_MAPPED_SHAPE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/movers/epoch.h"

namespace geeps::movers {

inline constexpr uint64_t kWordBytes = 64;  // one shared word per cache line
// Behind an age word, in its cache line: when the last participant had fired the clock that made the version, and which
// rank it was. Read after the age; those of a newer version may be there already.
inline constexpr uint64_t kFiredNsBehindAge = 1;
inline constexpr uint64_t kFiredByBehindAge = 2;
inline constexpr uint64_t kRegionAlign = 4096;

// Step 1: this worker's segment, and in rank 0 the version segment. Nothing when no table is mapped.
absl::Status CreateMappedMemory(const EpochInput& input, Epoch* epoch);

// What a peer must know to map this worker's memory: names of the segments, rows of its log entries by table.
absl::StatusOr<std::string> DescribeMappedMemory(const Epoch& epoch);

// Step 2: the peers' segments, by rank, from their descriptions: cache, logs, words of every mapped table.
// Errors: BadData when a segment is too small for its shape.
absl::Status AttachMappedMemory(const EpochInput& input, absl::Span<const absl::string_view> descriptions,
                                Epoch* epoch);

// Where version `age` of a mapped table lies, from `first_row` on. REQUIRES: attached.
inline uint8_t* MappedValues(const EpochTable& table, protocol::Age age, uint64_t first_row) {
  return table.cache + age % table.num_versions * table.version_bytes + first_row * table.schema.row_bytes();
}

// Adds the partitions that `rank` says nobody updates. Errors: BadData for one that it does not keep.
absl::Status DecodeFrozen(const EpochInput& input, uint32_t rank, absl::string_view bytes, std::vector<bool>* frozen);

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_MAPPED_SHAPE_H_
