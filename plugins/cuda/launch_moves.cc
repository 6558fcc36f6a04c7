// SPDX-License-Identifier: Apache-2.0
// PlanMoves: the checks of row moves, and the table of their launches, one for copies and one for additions.
#include <algorithm>
#include <cstring>
#include <limits>

#include "plugins/cuda/check_apply.h"
#include "plugins/cuda/kernels/move_rows.h"
#include "plugins/cuda/launch.h"
#include "plugins/cuda/launch_math.h"
#include "plugins/cuda/status.h"

namespace geeps::cuda {
namespace {

uint64_t MoveValueBytes(uint32_t dtype) { return dtype == GEEPS_U8 ? 1 : ValueBytes(dtype); }

const DeviceIndex& IndexOf(const geeps_row_move& move) { return *reinterpret_cast<const DeviceIndex*>(move.index); }

bool IsEmpty(const IndexImage& shape) { return shape.num_runs == 0 && shape.num_pairs == 0; }

std::string CheckMove(const geeps_row_move& move) {
  const uint64_t value_bytes = MoveValueBytes(move.dtype);
  if (move.mode != GEEPS_MOVE_COPY && move.mode != GEEPS_MOVE_ADD) return Text("row move: mode ", move.mode);
  if (value_bytes == 0) return Text("row move: dtype ", move.dtype);
  if (move.mode == GEEPS_MOVE_ADD && move.dtype == GEEPS_U8) return "row move: bytes cannot be added";
  if (move.row_values == 0) return "row move: rows of 0 values";
  if (move.index == nullptr) return "row move: no index";
  const IndexImage& shape = IndexOf(move).shape;
  if (IsEmpty(shape)) return "";
  if (move.dst == nullptr || move.src == nullptr) return Text("row move: ", move.dst ? "src" : "dst", " is NULL");
  if (reinterpret_cast<uintptr_t>(move.dst) % value_bytes != 0 ||
      reinterpret_cast<uintptr_t>(move.src) % value_bytes != 0) {
    return Text("row move: memory is not aligned to values of ", value_bytes, " bytes");
  }
  const uint64_t most_rows = std::max(shape.dst_rows, shape.src_rows);
  if (move.row_values > std::numeric_limits<uint64_t>::max() / value_bytes / most_rows) {
    return Text("row move: ", most_rows, " rows of ", move.row_values, " values");
  }
  return "";
}

MoveOp OpOf(const geeps_row_move& move) {
  if (move.mode == GEEPS_MOVE_COPY) return MoveOp::kCopy;
  switch (move.dtype) {
    case GEEPS_F16:
      return MoveOp::kAddF16;
    case GEEPS_BF16:
      return MoveOp::kAddBf16;
    case GEEPS_F32:
      return MoveOp::kAddF32;
    default:
      return MoveOp::kAddF64;
  }
}

MoveSection SectionOf(const geeps_row_move& move) { return move.mode == GEEPS_MOVE_COPY ? kCopySection : kAddSection; }

void AddLaunch(const char* kernel, uint64_t num_tiles, LaunchSet* out) {
  if (num_tiles > 0) out->launches.push_back({kernel, BlocksFor(num_tiles), kMoveThreads, 0});
}

// One move, without its first tile. False: its rows are too long for the kernel.
bool FillEntry(const geeps_row_move& move, MoveEntry* entry, uint64_t* num_tiles) {
  const DeviceIndex& index = IndexOf(move);
  entry->dst = reinterpret_cast<uintptr_t>(move.dst);
  entry->src = reinterpret_cast<uintptr_t>(move.src);
  entry->runs = index.image_address;
  entry->pairs = index.image_address + PairsOffset(index.shape);
  entry->num_runs = index.shape.num_runs;
  entry->num_pairs = index.shape.num_pairs;
  entry->row_bytes = move.row_values * MoveValueBytes(move.dtype);
  entry->run_bytes = index.shape.run_rows * entry->row_bytes;
  entry->num_run_tiles = DivideUp(entry->run_bytes, kRunTileBytes);
  entry->op = OpOf(move);
  entry->unit_bytes = UnitBytesOf(entry->dst | entry->src | entry->row_bytes);
  const uint64_t row_units = entry->row_bytes / entry->unit_bytes;
  if (row_units >= uint64_t{1} << 31) {
    if (entry->num_pairs > 0) return false;
  } else {
    entry->row_units = DividerOf(static_cast<uint32_t>(row_units));
  }
  *num_tiles = entry->num_run_tiles + DivideUp(entry->num_pairs * row_units, kPairTileUnits);
  return true;
}

}  // namespace

std::string PlanMoves(const std::vector<geeps_row_move>& moves, LaunchSet* out, geeps_status* code) {
  MoveHeader header = {};
  for (const geeps_row_move& move : moves) {
    if (std::string error = CheckMove(move); !error.empty()) {
      *code = GEEPS_E_INVALID;
      return error;
    }
    if (!IsEmpty(IndexOf(move).shape)) ++header.num_moves[SectionOf(move)];
  }
  out->Clear();
  uint8_t* next[kNumMoveSections];
  out->table.resize(sizeof header +
                    (header.num_moves[kCopySection] + header.num_moves[kAddSection]) * sizeof(MoveEntry));
  next[kCopySection] = out->table.data() + sizeof header;
  next[kAddSection] = next[kCopySection] + header.num_moves[kCopySection] * sizeof(MoveEntry);
  for (const geeps_row_move& move : moves) {
    if (IsEmpty(IndexOf(move).shape)) continue;
    MoveEntry entry = {};
    uint64_t num_tiles = 0;
    if (!FillEntry(move, &entry, &num_tiles)) {
      out->Clear();
      *code = GEEPS_E_UNSUPPORTED;
      return Text("row move: a row of ", entry.row_bytes, " bytes in accesses of ", entry.unit_bytes);
    }
    const MoveSection section = SectionOf(move);
    entry.first_tile = header.num_tiles[section];
    header.num_tiles[section] += num_tiles;
    std::memcpy(next[section], &entry, sizeof entry);
    next[section] += sizeof entry;
  }
  std::memcpy(out->table.data(), &header, sizeof header);
  AddLaunch(CopyRowsKernel::kName, header.num_tiles[kCopySection], out);
  AddLaunch(AddRowsKernel::kName, header.num_tiles[kAddSection], out);
  if (out->launches.empty()) out->Clear();
  return "";
}

}  // namespace geeps::cuda
