// SPDX-License-Identifier: Apache-2.0
// Lamb: the rule that has to know sums over whole rows, in three launches. LambPieces steps the moments and sums the
// squares of each piece of 1,024 values, a piece to a warp, in the 32 lanes of the definition; LambRows adds the pieces
// of each row in order and makes the row's rate; LambFinish changes the values. A row of any length is worked on by as
// many blocks as it has pieces for. Thread contract: the threads of a block wait for each other between phases.
#ifndef GEEPS_PLUGINS_CUDA_KERNELS_LAMB_H_
#define GEEPS_PLUGINS_CUDA_KERNELS_LAMB_H_

#include <cstdint>

#include "plugins/cuda/kernels/apply_rows.h"

namespace geeps::cuda {

// The pieces of a part lie behind its rows.
GEEPS_HD uint64_t PieceAddress(const Place& place, const ApplyPart& part, uint64_t piece) {
  const uint64_t rows_bytes = (part.num_rows * sizeof(LambRow) + 15) / 16 * 16;
  return place.scratch + part.scratch + rows_bytes + piece * sizeof(LambPiece);
}

struct LambPiecesKernel {
  static constexpr const char* kName = "lamb_pieces";
  // Factors; lanes; 16, 8, 4, 2 and 1 lanes take those above them; the sums are stored.
  static constexpr int kNumPhases = 8;
  struct Local {
    const ApplyPart* part;
    uint64_t piece;
    uint64_t row;
  };
  // Two sums of each thread, then two factors of each warp.
  static constexpr uint32_t kSharedBytes = (kApplyThreads + kTilePieces) * 2 * sizeof(double);

  static GEEPS_HD uint64_t NumTiles(const uint8_t* table) { return ApplyHeaderOf(table).num_tiles[kPiecesSection]; }

  template <int kPhase>
  static GEEPS_HD void Run(const Place& place, Local* local) {
    const uint32_t warp = place.thread / kPieceLanes;
    if constexpr (kPhase == 0) {
      local->part = &FindPart(place.table, kPiecesSection, place.tile);
      local->piece = (place.tile - local->part->first_tile) * kTilePieces + warp;
      local->row = local->piece / ApplyOf(place.table, *local->part).pieces_per_row;
    }
    const ApplyPart& part = *local->part;
    if (local->row >= part.num_rows) return;
    const ApplyEntry& apply = ApplyOf(place.table, part);
    const uint32_t lane = place.thread % kPieceLanes;
    double* const row_factors = reinterpret_cast<double*>(place.shared) + (kApplyThreads + warp) * 2;
    if constexpr (kPhase == 0) {
      if (lane != 0) return;
      const uint64_t t = Load<uint64_t>(apply.steps + (part.first_row + local->row) * sizeof(uint64_t)) + 1;
      RowFactorsOf(Rule::kLamb, apply.params, t, &row_factors[0], &row_factors[1]);
    } else if constexpr (kPhase == 1) {
      SumLaneAs(place, apply, part, *local, row_factors);
    } else if (apply.numbers == Numbers::kF64) {
      ReduceLanes<double, kPhase>(place, part, *local);
    } else {
      ReduceLanes<float, kPhase>(place, part, *local);
    }
  }

 private:
  template <typename T>
  static GEEPS_HD T* LaneSums(const Place& place) {
    return reinterpret_cast<T*>(place.shared) + place.thread * 2;
  }

  // Every 32nd value of the piece: the new moments, and the squares of value and change.
  template <typename T, typename H>
  static GEEPS_HD void SumLane(const Place& place, const ApplyEntry& apply, const ApplyPart& part, const Local& local,
                               const double* row_factors) {
    Factors<T> factors;
    GEEPS_UNROLL
    for (int i = 0; i < 8; ++i) factors.f[i] = static_cast<T>(apply.factors[i]);
    factors.f[4] = static_cast<T>(row_factors[0]);
    factors.f[5] = static_cast<T>(row_factors[1]);
    const ApplyInput* const inputs = InputsOf(place.table, part);
    const uint64_t first_place = (local.piece - local.row * apply.pieces_per_row) * kPieceValues;
    const uint64_t num_values = Least(apply.row_values - first_place, kPieceValues);
    const uint64_t in_segment = local.row * apply.row_values + first_place;
    const uint64_t first = part.first_row * apply.row_values + in_segment;
    T value_sum = 0, change_sum = 0;
    GEEPS_NO_UNROLL
    for (uint64_t i = place.thread % kPieceLanes; i < num_values; i += kPieceLanes) {
      using Value = Pack<T, 1>;
      const uint64_t offset = (first + i) * sizeof(T);
      const T value = Load<Value>(apply.values_in + offset).values[0];
      Value m = Load<Value>(apply.states[0] + offset);
      Value v = Load<Value>(apply.states[1] + offset);
      const T g = FoldInputs<T, H, 1>(inputs, part.num_inputs, in_segment + i, apply.is_mean != 0).values[0];
      m.values[0] = NextMean(factors, g, m.values[0]);
      v.values[0] = NextSquare(factors, g, v.values[0]);
      Store(apply.states[0] + offset, m);
      Store(apply.states[1] + offset, v);
      const T change = LambChange(factors, m.values[0], v.values[0], value);
      value_sum = Add(value_sum, Multiply(value, value));
      change_sum = Add(change_sum, Multiply(change, change));
    }
    T* const sums = LaneSums<T>(place);
    sums[0] = value_sum;
    sums[1] = change_sum;
  }

  static GEEPS_HD void SumLaneAs(const Place& place, const ApplyEntry& apply, const ApplyPart& part, const Local& local,
                                 const double* row_factors) {
    switch (apply.numbers) {
      case Numbers::kF32:
        return SumLane<float, float>(place, apply, part, local, row_factors);
      case Numbers::kF64:
        return SumLane<double, double>(place, apply, part, local, row_factors);
      case Numbers::kF16:
        return SumLane<float, F16>(place, apply, part, local, row_factors);
      case Numbers::kBf16:
        return SumLane<float, Bf16>(place, apply, part, local, row_factors);
    }
  }

  template <typename T, int kPhase>
  static GEEPS_HD void ReduceLanes(const Place& place, const ApplyPart& part, const Local& local) {
    T* const sums = LaneSums<T>(place);
    const uint32_t lane = place.thread % kPieceLanes;
    if constexpr (kPhase < kNumPhases - 1) {
      constexpr uint32_t kHalf = kPieceLanes >> (kPhase - 1);
      if (lane >= kHalf) return;
      sums[0] = Add(sums[0], sums[kHalf * 2]);
      sums[1] = Add(sums[1], sums[kHalf * 2 + 1]);
    } else if (lane == 0) {
      Store(PieceAddress(place, part, local.piece),
            LambPiece{static_cast<double>(sums[0]), static_cast<double>(sums[1])});
    }
  }
};

struct LambRowsKernel {
  static constexpr const char* kName = "lamb_rows";
  static constexpr int kNumPhases = 1;
  struct Local {};

  static GEEPS_HD uint64_t NumTiles(const uint8_t* table) { return ApplyHeaderOf(table).num_tiles[kRowsSection]; }

  // A thread to a row, as the sums are added in order. Pieces are read several at once.
  template <int kPhase>
  static GEEPS_HD void Run(const Place& place, Local* /*local*/) {
    const ApplyPart& part = FindPart(place.table, kRowsSection, place.tile);
    const ApplyEntry& apply = ApplyOf(place.table, part);
    const uint64_t row = (place.tile - part.first_tile) * kApplyThreads + place.thread;
    if (row >= part.num_rows) return;
    const uint64_t pieces = PieceAddress(place, part, row * apply.pieces_per_row);
    double value_sum = 0.0, change_sum = 0.0;
    constexpr uint64_t kInFlight = 8;
    GEEPS_NO_UNROLL
    for (uint64_t first = 0; first < apply.pieces_per_row; first += kInFlight) {
      LambPiece some[kInFlight];
      GEEPS_UNROLL
      for (uint64_t i = 0; i < kInFlight; ++i) {
        some[i] = {0.0, 0.0};
        if (first + i < apply.pieces_per_row) some[i] = Load<LambPiece>(pieces + (first + i) * sizeof(LambPiece));
      }
      GEEPS_UNROLL
      for (uint64_t i = 0; i < kInFlight; ++i) {  // squares are not -0.0: + 0.0 changes none
        value_sum = Add(value_sum, some[i].value_sum);
        change_sum = Add(change_sum, some[i].change_sum);
      }
    }
    const double value_norm = SquareRoot(value_sum);
    const double change_norm = SquareRoot(change_sum);
    const double trust = value_norm > 0.0 && change_norm > 0.0 ? Divide(value_norm, change_norm) : 1.0;
    const uint64_t steps = apply.steps + (part.first_row + row) * sizeof(uint64_t);
    const uint64_t t = Load<uint64_t>(steps) + 1;
    Store(steps, t);
    LambRow result;
    RowFactorsOf(Rule::kLamb, apply.params, t, &result.factors[0], &result.factors[1]);
    const uint64_t to = place.scratch + part.scratch + row * sizeof(LambRow);
    Store(to, Multiply(apply.params[0], trust));
    Store(to + 8, result.factors[0]);
    Store(to + 16, result.factors[1]);
  }
};

struct LambFinishKernel : StepKernel<kFinishSection> {
  static constexpr const char* kName = "lamb_finish";
};

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_KERNELS_LAMB_H_
