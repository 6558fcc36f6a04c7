// SPDX-License-Identifier: Apache-2.0
// ApplyRows: fold and rule for the segments of all applies of a call in one pass, rounded copies and carried-over rows
// included. lamb's second half is the same walk with a rule of its own. Thread contract: the threads of a block wait
// for each other between the phases: first the factors of the tile's rows, then the values.
#ifndef GEEPS_PLUGINS_CUDA_KERNELS_APPLY_ROWS_H_
#define GEEPS_PLUGINS_CUDA_KERNELS_APPLY_ROWS_H_

#include <cstdint>

#include "plugins/cuda/kernels/apply_table.h"
#include "plugins/cuda/kernels/fold.h"
#include "plugins/cuda/kernels/move_range.h"
#include "plugins/cuda/kernels/rules.h"

namespace geeps::cuda {

// The values of a tile, within its segment.
struct TileRange {
  uint64_t first_row;
  uint32_t num_rows;  // with factors of their own; 0: the rule does not look at rows
  uint64_t first_value;
  uint32_t num_values;
  bool has_whole_rows;
};

GEEPS_HD TileRange RangeOf(const ApplyEntry& apply, const ApplyPart& part, uint64_t tile) {
  const uint64_t row_values = apply.row_values;
  if (apply.cut == Cut::kFlat) {
    const uint64_t first = tile * kTileValues;
    return {0, 0, first, static_cast<uint32_t>(Least(part.num_rows * row_values - first, kTileValues)), false};
  }
  if (apply.cut == Cut::kRows) {
    const uint64_t row = tile * apply.rows_per_tile;
    const uint64_t num_rows = Least<uint64_t>(part.num_rows - row, apply.rows_per_tile);
    return {row, static_cast<uint32_t>(num_rows), row * row_values, static_cast<uint32_t>(num_rows * row_values), true};
  }
  const uint64_t row = tile / apply.tiles_per_row;
  const uint64_t place = (tile - row * apply.tiles_per_row) * kTileValues;
  return {row, 1, row * row_values + place, static_cast<uint32_t>(Least(row_values - place, kTileValues)), false};
}

// Each thread's rows of the tile. Whole rows count their step here; of rows that several tiles share CountSteps does.
template <bool kIsFinish>
GEEPS_HD void PrepareRows(const Place& place, const ApplyEntry& apply, const ApplyPart& part, const TileRange& range) {
  double* const row_factors = reinterpret_cast<double*>(place.shared);
  for (uint32_t i = place.thread; i < range.num_rows; i += place.num_threads) {
    const uint64_t row = range.first_row + i;
    double* const to = row_factors + i * kRowFactors;
    if (kIsFinish) {
      const uint64_t from = place.scratch + part.scratch + row * sizeof(LambRow);
      to[0] = Load<double>(from);
      to[1] = Load<double>(from + 8);
      to[2] = Load<double>(from + 16);
      continue;
    }
    const uint64_t steps = apply.steps + (part.first_row + row) * sizeof(uint64_t);
    const uint64_t t = Load<uint64_t>(steps) + 1;
    if (range.has_whole_rows) Store(steps, t);
    RowFactorsOf(apply.rule, apply.params, t, &to[1], &to[2]);
  }
}

// Fold and rule for one tile, kWidth values at a time; or the second half of lamb.
template <typename T, typename H, int kWidth, bool kIsFinish>
class TileStep {
 public:
  GEEPS_HD TileStep(const Place& place, const ApplyEntry& apply, const ApplyPart& part, const TileRange& range)
      : apply_(apply),
        part_(part),
        range_(range),
        inputs_(InputsOf(place.table, part)),
        row_factors_(reinterpret_cast<const double*>(place.shared)),
        rule_(kIsFinish ? Rule::kLambFinish : apply.rule),
        num_states_(NumStatesOf(apply.rule)),
        first_(part.first_row * apply.row_values + range.first_value) {
    GEEPS_UNROLL
    for (int i = 0; i < 8; ++i) factors_.f[i] = static_cast<T>(apply.factors[i]);
    if (range.num_rows == 1) TakeRow(0);
  }

  // The values from `begin` of the tile on.
  GEEPS_HD void Run(uint32_t begin) {
    using Values = Pack<T, kWidth>;
    const uint64_t offset = (first_ + begin) * sizeof(T);
    Values value = {}, a = {}, b = {}, g = {};
    if (rule_ != Rule::kReplace) value = Load<Values>(apply_.values_in + offset);
    if (num_states_ > 0) a = Load<Values>(apply_.states[0] + offset);
    if (num_states_ > 1) b = Load<Values>(apply_.states[1] + offset);
    if constexpr (!kIsFinish) {
      g = FoldInputs<T, H, kWidth>(inputs_, part_.num_inputs, range_.first_value + begin, apply_.is_mean != 0);
    }
    if (range_.num_rows > 1) TakeRow(apply_.row_divider.Divide(begin));
    StepValues<T, kWidth, kIsFinish>(rule_, factors_, g, rate_, &value, &a, &b);
    Store(apply_.values_out + offset, value);
    if constexpr (!kIsFinish) {
      if (num_states_ > 0) Store(apply_.states[0] + offset, a);
      if (num_states_ > 1) Store(apply_.states[1] + offset, b);
    }
    if constexpr (sizeof(H) != sizeof(T)) {
      Pack<H, kWidth> rounded;
      GEEPS_UNROLL
      for (int k = 0; k < kWidth; ++k) Round(value.values[k], &rounded.values[k]);
      Store(apply_.rounded_out + (first_ + begin) * sizeof(H), rounded);
    }
  }

 private:
  GEEPS_HD void TakeRow(uint32_t row) {
    const double* const from = row_factors_ + row * kRowFactors;
    rate_ = static_cast<T>(from[0]);
    if (rule_ == Rule::kAdagrad) {
      factors_.f[0] = static_cast<T>(from[1]);
    } else {
      factors_.f[4] = static_cast<T>(from[1]);
      factors_.f[5] = static_cast<T>(from[2]);
    }
  }

  const ApplyEntry& apply_;
  const ApplyPart& part_;
  const TileRange& range_;
  const ApplyInput* const inputs_;
  const double* const row_factors_;
  const Rule rule_;
  const uint32_t num_states_;
  const uint64_t first_;  // value of the apply
  Factors<T> factors_;
  T rate_ = 0;
};

// Packs of 16 bytes of T where everything is aligned to them, and the values left over one by one.
template <typename T, typename H, bool kIsFinish>
GEEPS_HD void StepTile(const Place& place, const ApplyEntry& apply, const ApplyPart& part, const TileRange& range) {
  constexpr uint32_t kWidth = 16 / sizeof(T);
  uint32_t done = 0;
  if ((part.flags & kPartIsVector) != 0) {
    const uint32_t num_packs = range.num_values / kWidth;
    TileStep<T, H, kWidth, kIsFinish> step(place, apply, part, range);
    GEEPS_NO_UNROLL
    for (uint32_t i = place.thread; i < num_packs; i += place.num_threads) step.Run(i * kWidth);
    done = num_packs * kWidth;
  }
  if (done == range.num_values) return;
  TileStep<T, H, 1, kIsFinish> step(place, apply, part, range);
  GEEPS_NO_UNROLL
  for (uint32_t i = done + place.thread; i < range.num_values; i += place.num_threads) step.Run(i);
}

template <Section kSection>
struct StepKernel {
  static constexpr int kNumPhases = 2;
  static constexpr bool kIsFinish = kSection == kFinishSection;
  struct Local {
    const ApplyPart* part;
  };

  static GEEPS_HD uint64_t NumTiles(const uint8_t* table) { return ApplyHeaderOf(table).num_tiles[kSection]; }

  template <int kPhase>
  static GEEPS_HD void Run(const Place& place, Local* local) {
    if constexpr (kPhase == 0) local->part = &FindPart(place.table, kSection, place.tile);
    const ApplyPart& part = *local->part;
    const uint64_t tile = place.tile - part.first_tile;
    if (!kIsFinish && (part.flags & kPartIsCarried) != 0) {
      if constexpr (kPhase == 1) Carry(place, part, tile);
      return;
    }
    const ApplyEntry& apply = ApplyOf(place.table, part);
    const TileRange range = RangeOf(apply, part, tile);
    if constexpr (kPhase == 0) {
      PrepareRows<kIsFinish>(place, apply, part, range);
    } else {
      StepAs(place, apply, part, range);
    }
  }

 private:
  static GEEPS_HD void Carry(const Place& place, const ApplyPart& part, uint64_t tile) {
    const uint64_t begin = tile * kCarryTileBytes;
    MoveRange<CopyOp>(part.first_row + begin, part.scratch + begin, Least(part.num_rows - begin, kCarryTileBytes),
                      place.thread, place.num_threads);
  }

  static GEEPS_HD void StepAs(const Place& place, const ApplyEntry& apply, const ApplyPart& part,
                              const TileRange& range) {
    switch (apply.numbers) {
      case Numbers::kF32:
        return StepTile<float, float, kIsFinish>(place, apply, part, range);
      case Numbers::kF64:
        return StepTile<double, double, kIsFinish>(place, apply, part, range);
      case Numbers::kF16:
        return StepTile<float, F16, kIsFinish>(place, apply, part, range);
      case Numbers::kBf16:
        return StepTile<float, Bf16, kIsFinish>(place, apply, part, range);
    }
  }
};

struct ApplyRowsKernel : StepKernel<kApplySection> {
  static constexpr const char* kName = "apply_rows";
};

// Steps of rows that several tiles share, one more each, when all of those tiles are done.
struct CountStepsKernel {
  static constexpr const char* kName = "count_steps";
  static constexpr int kNumPhases = 1;
  struct Local {};

  static GEEPS_HD uint64_t NumTiles(const uint8_t* table) { return ApplyHeaderOf(table).num_tiles[kCountSection]; }

  template <int kPhase>
  static GEEPS_HD void Run(const Place& place, Local* /*local*/) {
    const ApplyPart& part = FindPart(place.table, kCountSection, place.tile);
    const uint64_t row = (place.tile - part.first_tile) * kApplyThreads + place.thread;
    if (row >= part.num_rows) return;
    const uint64_t steps = ApplyOf(place.table, part).steps + (part.first_row + row) * sizeof(uint64_t);
    Store(steps, Load<uint64_t>(steps) + 1);
  }
};

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_KERNELS_APPLY_ROWS_H_
