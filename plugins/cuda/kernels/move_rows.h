// SPDX-License-Identifier: Apache-2.0
// MoveRows: the kernels of move_rows, one for all copies of a call and one for all additions, which need more
// registers. Pairs are a list of accesses: access x of a move
// is place x % row_units of pair x / row_units, so that no thread is idle whatever the length of a row, and each thread
// has several of them in flight. Runs are one stretch of bytes, cut into equal pieces for the warps; each finds its run
// by one binary search. Thread contract: threads do not wait for each other.
#ifndef GEEPS_PLUGINS_CUDA_KERNELS_MOVE_ROWS_H_
#define GEEPS_PLUGINS_CUDA_KERNELS_MOVE_ROWS_H_

#include <cstdint>

#include "plugins/cuda/kernels/move_range.h"
#include "plugins/cuda/kernels/move_table.h"
#include "plugins/cuda/kernels/target.h"

namespace geeps::cuda {

// Quotient and remainder. Most are below 2^32, where no division is needed.
GEEPS_HD uint64_t DivideLong(const Divider& divider, uint64_t x) {
  if (x >> 32 == 0) return divider.Divide(static_cast<uint32_t>(x));
  return x / divider.divisor;
}

template <typename Op, int kBytes>
GEEPS_HD void MovePairsBy(const MoveEntry& move, uint64_t tile, uint32_t thread) {
  using V = typename Op::template Of<kBytes>;
  constexpr int kInFlight = Op::kInFlight;
  const uint64_t first = tile * kPairTileUnits;
  const uint64_t first_row = DivideLong(move.row_units, first);
  const uint32_t first_place = static_cast<uint32_t>(first - first_row * move.row_units.divisor);
  const uint64_t rows_left = move.num_pairs - first_row;
  GEEPS_NO_UNROLL
  for (uint32_t batch = thread; batch < kPairTileUnits; batch += kInFlight * kMoveThreads) {
    uint64_t dst[kInFlight] = {}, src[kInFlight] = {};
    bool is_there[kInFlight];
    GEEPS_UNROLL
    for (int k = 0; k < kInFlight; ++k) {
      const uint32_t x = first_place + batch + static_cast<uint32_t>(k) * kMoveThreads;
      const uint32_t row = move.row_units.Divide(x);
      is_there[k] = row < rows_left;
      if (!is_there[k]) continue;
      const uint64_t offset = uint64_t{x - row * move.row_units.divisor} * kBytes;
      const IndexPair pair = Load<IndexPair>(move.pairs + (first_row + row) * sizeof(IndexPair));
      dst[k] = move.dst + pair.dst_row * move.row_bytes + offset;
      src[k] = move.src + pair.src_row * move.row_bytes + offset;
    }
    V from[kInFlight] = {}, old[kInFlight] = {};
    GEEPS_UNROLL
    for (int k = 0; k < kInFlight; ++k) {
      if (!is_there[k]) continue;
      from[k] = Load<V>(src[k]);
      if constexpr (Op::kReadsDst) old[k] = Load<V>(dst[k]);
    }
    GEEPS_UNROLL
    for (int k = 0; k < kInFlight; ++k) {
      if (is_there[k]) Store(dst[k], Op::Combine(old[k], from[k]));
    }
  }
}

template <typename Op>
GEEPS_HD void MovePairs(const MoveEntry& move, uint64_t tile, uint32_t thread) {
  switch (move.unit_bytes) {
    case 16:
      return MovePairsBy<Op, 16>(move, tile, thread);
    case 8:
      return MovePairsBy<Op, 8>(move, tile, thread);
    case 4:
      if constexpr (Op::kValueBytes <= 4) return MovePairsBy<Op, 4>(move, tile, thread);
      return;
    case 2:
      if constexpr (Op::kValueBytes <= 2) return MovePairsBy<Op, 2>(move, tile, thread);
      return;
    default:
      if constexpr (Op::kValueBytes <= 1) return MovePairsBy<Op, 1>(move, tile, thread);
      return;
  }
}

GEEPS_HD IndexRun LoadRun(uint64_t runs, uint64_t i) {
  const uint64_t at = runs + i * sizeof(IndexRun);
  return {Load<uint64_t>(at), Load<uint64_t>(at + 8), Load<uint64_t>(at + 16)};
}

// The run of a row, counted over the rows of all runs.
GEEPS_HD uint64_t FindRun(const MoveEntry& move, uint64_t row) {
  uint64_t low = 0;
  for (uint64_t high = move.num_runs; high - low > 1;) {
    const uint64_t middle = low + (high - low) / 2;
    if (Load<uint64_t>(move.runs + middle * sizeof(IndexRun)) <= row) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

template <typename Op>
GEEPS_HD void MoveRuns(const MoveEntry& move, uint64_t tile, uint32_t thread) {
  uint64_t begin = tile * kRunTileBytes + thread / kWarpThreads * kWarpRunBytes;
  const uint64_t end = Least(begin + kWarpRunBytes, move.run_bytes);
  if (begin >= end) return;
  for (uint64_t i = FindRun(move, begin / move.row_bytes); begin < end; ++i) {
    const IndexRun run = LoadRun(move.runs, i);
    const uint64_t next = Load<uint64_t>(move.runs + (i + 1) * sizeof(IndexRun));
    const uint64_t part_end = Least(end, next * move.row_bytes);
    const uint64_t offset = begin - run.first * move.row_bytes;
    MoveRange<Op>(move.dst + run.dst_row * move.row_bytes + offset, move.src + run.src_row * move.row_bytes + offset,
                  part_end - begin, thread % kWarpThreads, kWarpThreads);
    begin = part_end;
  }
}

template <typename Op>
GEEPS_HD void MoveTile(const MoveEntry& move, uint64_t tile, uint32_t thread) {
  if (tile < move.num_run_tiles) {
    MoveRuns<Op>(move, tile, thread);
  } else {
    MovePairs<Op>(move, tile - move.num_run_tiles, thread);
  }
}

template <MoveSection kSection>
struct MoveKernel {
  static constexpr int kNumPhases = 1;
  struct Local {};

  static GEEPS_HD uint64_t NumTiles(const uint8_t* table) { return MoveHeaderOf(table).num_tiles[kSection]; }

  template <int kPhase>
  static GEEPS_HD void Run(const Place& place, Local* /*local*/) {
    const MoveEntry* const moves = MoveEntriesOf(place.table, kSection);
    const MoveEntry& move = moves[FindEntry(moves, MoveHeaderOf(place.table).num_moves[kSection], place.tile)];
    const uint64_t tile = place.tile - move.first_tile;
    if constexpr (kSection == kCopySection) {
      MoveTile<CopyOp>(move, tile, place.thread);
    } else {
      AddTile(move, tile, place.thread);
    }
  }

 private:
  static GEEPS_HD void AddTile(const MoveEntry& move, uint64_t tile, uint32_t thread) {
    switch (move.op) {
      case MoveOp::kAddF16:
        return MoveTile<AddOp<F16>>(move, tile, thread);
      case MoveOp::kAddBf16:
        return MoveTile<AddOp<Bf16>>(move, tile, thread);
      case MoveOp::kAddF32:
        return MoveTile<AddOp<float>>(move, tile, thread);
      case MoveOp::kAddF64:
        return MoveTile<AddOp<double>>(move, tile, thread);
      case MoveOp::kCopy:  // the other kernel's
        return;
    }
  }
};

struct CopyRowsKernel : MoveKernel<kCopySection> {
  static constexpr const char* kName = "copy_rows";
};
struct AddRowsKernel : MoveKernel<kAddSection> {
  static constexpr const char* kName = "add_rows";
};

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_KERNELS_MOVE_ROWS_H_
