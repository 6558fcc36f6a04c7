// SPDX-License-Identifier: Apache-2.0
// ApplyTable: what the kernels of apply are told, as it lies in the table of a launch: the applies of the call, the
// inputs, and for each kernel a list of parts. A part is a segment, or a stretch of rows that is carried over; the
// tiles of all parts of a list are numbered one behind the other. Thread contract: plain data.
#ifndef GEEPS_PLUGINS_CUDA_KERNELS_APPLY_TABLE_H_
#define GEEPS_PLUGINS_CUDA_KERNELS_APPLY_TABLE_H_

#include <cstdint>

#include "plugins/cuda/kernels/target.h"

namespace geeps::cuda {

// 128 threads, each with 4 accesses of 16 bytes to each array of f32: small enough that a table of a few thousand
// values still fills several multiprocessors, large enough that finding the part and the factors is little beside it.
inline constexpr uint32_t kApplyThreads = 128;
inline constexpr uint64_t kTileValues = 2048;
// Rows of a tile have their own factors, in shared memory.
inline constexpr uint32_t kTileRowsMost = 256;
inline constexpr uint32_t kRowFactors = 3;
inline constexpr uint32_t kRowFactorBytes = kTileRowsMost * kRowFactors * sizeof(double);
inline constexpr uint64_t kCarryTileBytes = 16384;
// The definition's: squares are summed in pieces of so many values, by so many lanes.
inline constexpr uint64_t kPieceValues = 1024;
inline constexpr uint32_t kPieceLanes = 32;
inline constexpr uint64_t kTilePieces = kApplyThreads / kPieceLanes;

// How values are calculated and how inputs lie in memory.
enum class Numbers : uint32_t { kF32, kF64, kF16, kBf16 };

// The codes are those of geeps_device.h (GEEPS_RULE_ADD ..), and one for the second half of lamb.
enum class Rule : uint32_t {
  kAdd = 1,
  kSgd,
  kReplace,
  kAdam,
  kAdamW,
  kAdagrad,
  kRmsProp,
  kLamb,
  kLambFinish,
};

// How the values of a segment are cut into tiles.
enum class Cut : uint32_t {
  kFlat,  // kTileValues each: the rule does not look at rows
  kRows,  // whole rows, rows_per_tile of them, each with factors of its own
  kLong,  // kTileValues each, from the beginning of each row on
};

struct ApplyEntry {
  uint64_t values_in;
  uint64_t values_out;
  uint64_t states[2];
  uint64_t steps;
  uint64_t rounded_out;
  uint64_t row_values;
  uint64_t tiles_per_row;   // Cut::kLong
  uint64_t pieces_per_row;  // lamb
  double params[8];
  double factors[8];    // those that do not depend on steps, rounded to the dtype
  Divider row_divider;  // Cut::kRows: by row_values
  Numbers numbers;
  Rule rule;
  Cut cut;
  uint32_t rows_per_tile;  // Cut::kRows
  uint32_t is_mean;
  uint32_t counts_steps;
  uint64_t reserved0;
};
static_assert(sizeof(ApplyEntry) % 8 == 0);

struct ApplyInput {
  uint64_t values;
  uint32_t group;
  uint32_t reserved0;
};

inline constexpr uint32_t kPartIsCarried = 1;  // else a segment
inline constexpr uint32_t kPartIsVector = 2;   // every array is aligned to accesses of several values

struct ApplyPart {
  uint64_t first_tile;
  uint64_t first_row;  // carried: dst
  uint64_t num_rows;   // carried: bytes
  uint64_t scratch;    // lamb: where its memory lies, from the beginning of the scratch; carried: src
  uint32_t apply;
  uint32_t first_input;
  uint32_t num_inputs;
  uint32_t flags;
};

// The lists of parts, one for each kernel.
enum Section { kApplySection, kPiecesSection, kRowsSection, kFinishSection, kCountSection, kNumSections };

struct ApplyHeader {
  uint64_t num_tiles[kNumSections];
  uint64_t first_part[kNumSections + 1];  // of a list; the end of the last one
  uint64_t applies;                       // places in the table, in bytes
  uint64_t inputs;
  uint64_t parts;
};

// What lamb keeps in the scratch, for each row of a part and then for each piece of each row.
struct alignas(8) LambRow {
  double rate;
  double factors[2];  // 4 and 5
};
struct alignas(16) LambPiece {
  double value_sum;
  double change_sum;
};

GEEPS_HD const ApplyHeader& ApplyHeaderOf(const uint8_t* table) { return *reinterpret_cast<const ApplyHeader*>(table); }
GEEPS_HD const ApplyEntry& ApplyOf(const uint8_t* table, const ApplyPart& part) {
  return reinterpret_cast<const ApplyEntry*>(table + ApplyHeaderOf(table).applies)[part.apply];
}
GEEPS_HD const ApplyInput* InputsOf(const uint8_t* table, const ApplyPart& part) {
  return reinterpret_cast<const ApplyInput*>(table + ApplyHeaderOf(table).inputs) + part.first_input;
}
GEEPS_HD const ApplyPart* PartsOf(const uint8_t* table, Section section) {
  const ApplyHeader& header = ApplyHeaderOf(table);
  return reinterpret_cast<const ApplyPart*>(table + header.parts) + header.first_part[section];
}
// REQUIRES: the tile is one of the section's.
GEEPS_HD const ApplyPart& FindPart(const uint8_t* table, Section section, uint64_t tile) {
  const ApplyHeader& header = ApplyHeaderOf(table);
  const ApplyPart* const parts = PartsOf(table, section);
  uint64_t low = 0;
  for (uint64_t high = header.first_part[section + 1] - header.first_part[section]; high - low > 1;) {
    const uint64_t middle = low + (high - low) / 2;
    if (parts[middle].first_tile <= tile) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return parts[low];
}

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_KERNELS_APPLY_TABLE_H_
