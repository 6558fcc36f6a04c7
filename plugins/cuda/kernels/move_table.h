// SPDX-License-Identifier: Apache-2.0
// MoveTable: what the kernel of move_rows is told, as it lies in the table of a launch, and a row index as it lies in
// device memory. The tiles of all moves are numbered one behind the other: first those of a move's runs, then those of
// its pairs. Thread contract: plain data.
#ifndef GEEPS_PLUGINS_CUDA_KERNELS_MOVE_TABLE_H_
#define GEEPS_PLUGINS_CUDA_KERNELS_MOVE_TABLE_H_

#include <cstdint>

#include "plugins/cuda/kernels/target.h"

namespace geeps::cuda {

// 256 threads, each with 4 accesses on their way: 16 KiB of pairs in a tile when accesses are of 16 bytes. A fully
// occupied multiprocessor then has up to 128 KiB of reads in flight, while 3.35 TB/s at 700 ns need 18 KiB of each of
// the 132 of an H100.
inline constexpr uint32_t kMoveThreads = 256;
inline constexpr uint32_t kMoveUnitsInFlight = 4;
inline constexpr uint32_t kPairTileUnits = kMoveThreads * kMoveUnitsInFlight;
// Runs are searched once by each warp, for so many bytes; a tile is those of all warps.
inline constexpr uint32_t kWarpThreads = 32;
inline constexpr uint64_t kWarpRunBytes = 4096;
inline constexpr uint64_t kRunTileBytes = kMoveThreads / kWarpThreads * kWarpRunBytes;

enum class MoveOp : uint32_t { kCopy, kAddF16, kAddBf16, kAddF32, kAddF64 };

// Rows before this run, over all runs; one more entry behind the last one has the rows of all.
struct IndexRun {
  uint64_t first;
  uint64_t dst_row;
  uint64_t src_row;
};
struct alignas(8) IndexPair {
  uint32_t dst_row;
  uint32_t src_row;
};

struct MoveEntry {
  uint64_t first_tile;
  uint64_t dst;
  uint64_t src;
  uint64_t runs;   // IndexRun [num_runs + 1] in device memory
  uint64_t pairs;  // IndexPair [num_pairs] in device memory
  uint64_t num_runs;
  uint64_t num_pairs;
  uint64_t num_run_tiles;
  uint64_t run_bytes;  // of all runs
  uint64_t row_bytes;
  Divider row_units;  // accesses that a row of a pair takes
  MoveOp op;
  uint32_t unit_bytes;  // of such an access
  uint64_t reserved0;
};
static_assert(sizeof(MoveEntry) % 16 == 0);

// The moves of each kernel lie side by side.
enum MoveSection { kCopySection, kAddSection, kNumMoveSections };

struct MoveHeader {
  uint64_t num_tiles[kNumMoveSections];
  uint64_t num_moves[kNumMoveSections];
};

GEEPS_HD const MoveHeader& MoveHeaderOf(const uint8_t* table) { return *reinterpret_cast<const MoveHeader*>(table); }
GEEPS_HD const MoveEntry* MoveEntriesOf(const uint8_t* table, MoveSection section) {
  const MoveEntry* const moves = reinterpret_cast<const MoveEntry*>(table + sizeof(MoveHeader));
  return section == kCopySection ? moves : moves + MoveHeaderOf(table).num_moves[kCopySection];
}

// The last of `num` entries, in ascending order of first_tile, that begins at or before `tile`.
template <typename Entry>
GEEPS_HD uint64_t FindEntry(const Entry* entries, uint64_t num, uint64_t tile) {
  uint64_t low = 0;
  for (uint64_t high = num; high - low > 1;) {
    const uint64_t middle = low + (high - low) / 2;
    if (entries[middle].first_tile <= tile) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_KERNELS_MOVE_TABLE_H_
