// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/row_index.h"

#include <algorithm>
#include <cstring>

#include "runtime/base/status.h"
#include "runtime/table/half.h"

namespace geeps::device {
namespace {

// Rows to fetch ahead: enough of them to cover a memory latency of about 100 ns at 10 ns a row.
constexpr size_t kRowsAhead = 10;
// Longer rows keep the hardware's own prefetcher busy.
constexpr uint64_t kPrefetchBytes = 512;

// Every row of dst at most once. Runs and pairs in ascending order, the usual case, need no sorting.
absl::Status CheckDisjoint(absl::Span<const geeps_row_run> runs, absl::Span<const geeps_row_pair> pairs) {
  struct Interval {
    uint64_t first;
    uint64_t end;
  };
  const auto by_first = [](const Interval& a, const Interval& b) { return a.first < b.first; };
  std::vector<Interval> intervals;
  intervals.reserve(runs.size() + pairs.size());
  for (const geeps_row_run& run : runs) intervals.push_back({run.dst_row, run.dst_row + run.num_rows});
  const auto middle = static_cast<std::ptrdiff_t>(intervals.size());
  for (const geeps_row_pair& pair : pairs) intervals.push_back({pair.dst_row, uint64_t{pair.dst_row} + 1});
  const auto begin = intervals.begin();
  if (!std::is_sorted(begin, begin + middle, by_first)) std::sort(begin, begin + middle, by_first);
  if (!std::is_sorted(begin + middle, intervals.end(), by_first)) std::sort(begin + middle, intervals.end(), by_first);
  std::inplace_merge(begin, begin + middle, intervals.end(), by_first);
  for (size_t i = 1; i < intervals.size(); ++i) {
    if (intervals[i].first < intervals[i - 1].end) {
      return Invalid("row ", intervals[i].first, " of the destination occurs twice in a row index");
    }
  }
  return absl::OkStatus();
}

void Fetch(const uint8_t* row, uint64_t row_bytes, bool to_write) {
  for (uint64_t i = 0; i < std::min(row_bytes, kPrefetchBytes); i += 64) {
    if (to_write) {
      __builtin_prefetch(row + i, 1);
    } else {
      __builtin_prefetch(row + i, 0);
    }
  }
}

// Calls row_fn(dst, src) for every pair, with the rows ahead on their way into the cache.
template <typename RowFn>
void WalkPairs(absl::Span<const geeps_row_pair> pairs, uint64_t row_bytes, bool reads_dst, uint8_t* dst,
               const uint8_t* src, RowFn&& row_fn) {
  const size_t num_fetched = pairs.size() > kRowsAhead ? pairs.size() - kRowsAhead : 0;
  size_t i = 0;
  for (; i < num_fetched; ++i) {
    const geeps_row_pair& ahead = pairs[i + kRowsAhead];
    Fetch(src + ahead.src_row * row_bytes, row_bytes, false);
    if (reads_dst) Fetch(dst + ahead.dst_row * row_bytes, row_bytes, true);
    row_fn(dst + pairs[i].dst_row * row_bytes, src + pairs[i].src_row * row_bytes);
  }
  for (; i < pairs.size(); ++i) row_fn(dst + pairs[i].dst_row * row_bytes, src + pairs[i].src_row * row_bytes);
}

// A constant length becomes plain vector moves instead of a call.
template <uint64_t kRowBytes>
void CopyPairsOf(absl::Span<const geeps_row_pair> pairs, uint8_t* dst, const uint8_t* src) {
  WalkPairs(pairs, kRowBytes, false, dst, src,
            [](uint8_t* to, const uint8_t* from) { std::memcpy(to, from, kRowBytes); });
}

void CopyPairs(absl::Span<const geeps_row_pair> pairs, uint64_t row_bytes, uint8_t* dst, const uint8_t* src) {
  switch (row_bytes) {
    case 2:
      return CopyPairsOf<2>(pairs, dst, src);
    case 4:
      return CopyPairsOf<4>(pairs, dst, src);
    case 8:
      return CopyPairsOf<8>(pairs, dst, src);
    case 16:
      return CopyPairsOf<16>(pairs, dst, src);
    case 32:
      return CopyPairsOf<32>(pairs, dst, src);
    case 64:
      return CopyPairsOf<64>(pairs, dst, src);
    case 128:
      return CopyPairsOf<128>(pairs, dst, src);
    case 256:
      return CopyPairsOf<256>(pairs, dst, src);
    default:
      break;
  }
  WalkPairs(pairs, row_bytes, false, dst, src,
            [row_bytes](uint8_t* to, const uint8_t* from) { std::memcpy(to, from, row_bytes); });
}

// H: the dtype of the rows; T: that in which they are added.
template <typename T, typename H>
void AddRows(const geeps_row_move& move, const HostIndex& index) {
  H* const dst = static_cast<H*>(move.dst);
  const H* const src = static_cast<const H*>(move.src);
  const uint64_t row_values = move.row_values;
  for (const geeps_row_run& run : index.runs()) {
    H* const to = dst + run.dst_row * row_values;
    table::AddNumbers<T, H>(run.num_rows * row_values, to, src + run.src_row * row_values, to);
  }
  WalkPairs(index.pairs(), row_values * sizeof(H), true, static_cast<uint8_t*>(move.dst),
            static_cast<const uint8_t*>(move.src), [row_values](uint8_t* to_row, const uint8_t* from_row) {
              H* const to = reinterpret_cast<H*>(to_row);
              table::AddNumbers<T, H>(row_values, to, reinterpret_cast<const H*>(from_row), to);
            });
}

}  // namespace

absl::StatusOr<std::unique_ptr<HostIndex>> HostIndex::Build(absl::Span<const geeps_row_run> runs,
                                                            absl::Span<const geeps_row_pair> pairs, uint64_t dst_rows,
                                                            uint64_t src_rows) {
  for (size_t i = 0; i < runs.size(); ++i) {
    const geeps_row_run& run = runs[i];
    if (run.num_rows == 0 || run.num_rows > dst_rows || run.dst_row > dst_rows - run.num_rows ||
        run.num_rows > src_rows || run.src_row > src_rows - run.num_rows) {
      return Invalid("run ", i, " of a row index moves ", run.num_rows, " rows from row ", run.src_row, " of ",
                     src_rows, " to row ", run.dst_row, " of ", dst_rows);
    }
  }
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (pairs[i].dst_row >= dst_rows || pairs[i].src_row >= src_rows) {
      return Invalid("pair ", i, " of a row index moves row ", pairs[i].src_row, " of ", src_rows, " to row ",
                     pairs[i].dst_row, " of ", dst_rows);
    }
  }
  GEEPS_RETURN_IF_ERROR(CheckDisjoint(runs, pairs));
  std::unique_ptr<HostIndex> index(new HostIndex());
  index->runs_.assign(runs.begin(), runs.end());
  index->pairs_.assign(pairs.begin(), pairs.end());
  index->dst_rows_ = dst_rows;
  index->src_rows_ = src_rows;
  return index;
}

uint64_t MoveValueBytes(uint32_t dtype) {
  switch (dtype) {
    case GEEPS_F16:
    case GEEPS_BF16:
      return 2;
    case GEEPS_F32:
      return 4;
    case GEEPS_F64:
      return 8;
    case GEEPS_U8:
      return 1;
    default:
      return 0;
  }
}

absl::Status CheckMove(const geeps_row_move& move) {
  const uint64_t value_bytes = MoveValueBytes(move.dtype);
  if (move.mode != GEEPS_MOVE_COPY && move.mode != GEEPS_MOVE_ADD) return Invalid("row move: mode ", move.mode);
  if (value_bytes == 0) return Invalid("row move: dtype ", move.dtype);
  if (move.mode == GEEPS_MOVE_ADD && move.dtype == GEEPS_U8) return Invalid("row move: bytes cannot be added");
  if (move.row_values == 0) return Invalid("row move: rows of 0 values");
  if (move.index == nullptr) return Invalid("row move: no index");
  const HostIndex& index = *HostIndex::Of(move.index);
  if (index.runs().empty() && index.pairs().empty()) return absl::OkStatus();
  if (move.dst == nullptr || move.src == nullptr) return Invalid("row move: ", move.dst ? "src" : "dst", " is NULL");
  if (reinterpret_cast<uintptr_t>(move.dst) % value_bytes != 0 ||
      reinterpret_cast<uintptr_t>(move.src) % value_bytes != 0) {
    return Invalid("row move: memory is not aligned to values of ", value_bytes, " bytes");
  }
  return absl::OkStatus();
}

void MoveRowsNow(const geeps_row_move& move) {
  const HostIndex& index = *HostIndex::Of(move.index);
  if (move.mode == GEEPS_MOVE_ADD) {
    if (move.dtype == GEEPS_F64) {
      AddRows<double, double>(move, index);
    } else if (move.dtype == GEEPS_F32) {
      AddRows<float, float>(move, index);
    } else if (move.dtype == GEEPS_F16) {
      AddRows<float, table::F16>(move, index);
    } else {
      AddRows<float, table::Bf16>(move, index);
    }
    return;
  }
  const uint64_t row_bytes = move.row_values * MoveValueBytes(move.dtype);
  uint8_t* const dst = static_cast<uint8_t*>(move.dst);
  const uint8_t* const src = static_cast<const uint8_t*>(move.src);
  for (const geeps_row_run& run : index.runs()) {
    std::memcpy(dst + run.dst_row * row_bytes, src + run.src_row * row_bytes, run.num_rows * row_bytes);
  }
  CopyPairs(index.pairs(), row_bytes, dst, src);
}

}  // namespace geeps::device
