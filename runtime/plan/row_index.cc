// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan/row_index.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

namespace geeps::plan {
namespace {

using table::RowRun;
using table::RowSet;

constexpr uint64_t kPairMax = std::numeric_limits<uint32_t>::max();

bool IsPair(const RowIndex::Run& piece) { return piece.count == 1 && piece.to <= kPairMax && piece.from <= kPairMax; }

uint64_t NumRunsOf(absl::Span<const RowSet* const> sets) {
  uint64_t num_runs = 0;
  for (const RowSet* set : sets) num_runs += set->num_runs();
  return num_runs;
}

// REQUIRES: ascending, disjoint, below num_rows.
RowSet SetOf(const std::vector<RowRun>& runs, uint64_t num_rows) {
  return RowSet::FromRuns(runs, num_rows).value_or(RowSet());
}

}  // namespace

uint64_t RowIndex::NumRows() const {
  uint64_t num_rows = pairs.size();
  for (const Run& run : runs) num_rows += run.count;
  return num_rows;
}

void RowIndexBuilder::Add(uint64_t to, uint64_t from, uint64_t count) {
  if (!pieces_.empty()) {
    RowIndex::Run& last = pieces_.back();
    if (last.to + last.count == to && last.from + last.count == from) {
      last.count += count;
      return;
    }
  }
  pieces_.push_back({to, from, count});
}

RowIndex RowIndexBuilder::Build() const {
  RowIndex index;
  const size_t num_pairs = static_cast<size_t>(std::count_if(pieces_.begin(), pieces_.end(), IsPair));
  index.pairs.reserve(num_pairs);
  index.runs.reserve(pieces_.size() - num_pairs);
  for (const RowIndex::Run& piece : pieces_) {
    if (IsPair(piece)) {
      index.pairs.push_back({static_cast<uint32_t>(piece.to), static_cast<uint32_t>(piece.from)});
    } else {
      index.runs.push_back(piece);
    }
  }
  return index;
}

bool RowBits::Worth(uint64_t num_rows, uint64_t num_runs) {
  // Below some hundred runs sorting is free. A bit and half a bit of counts a row, against 16 bytes a run; 64 MiB of
  // bits take a few ms. Counts are 32 bits wide.
  if (num_runs < 256 || num_rows > kPairMax) return false;
  return num_rows / 8 <= std::max<uint64_t>(uint64_t{64} << 20, 8 * num_runs);
}

void RowBits::Set(uint64_t first, uint64_t count) {
  if (count == 0) return;
  const uint64_t last = first + count - 1;
  const uint64_t head = ~uint64_t{0} << (first % 64);
  const uint64_t tail = ~uint64_t{0} >> (63 - last % 64);
  if (first / 64 == last / 64) {
    words_[first / 64] |= head & tail;
    return;
  }
  words_[first / 64] |= head;
  for (uint64_t word = first / 64 + 1; word < last / 64; ++word) words_[word] = ~uint64_t{0};
  words_[last / 64] |= tail;
}

uint64_t RowBits::EndOfRun(uint64_t row, uint64_t end) const {
  const uint64_t flip = Get(row) ? ~uint64_t{0} : 0;  // after it the bits looked for are ones
  uint64_t word = row / 64;
  uint64_t other = (words_[word] ^ flip) & (~uint64_t{0} << (row % 64));
  while (other == 0) {
    if (++word * 64 >= end) return end;
    other = words_[word] ^ flip;
  }
  return std::min(end, word * 64 + static_cast<uint64_t>(std::countr_zero(other)));
}

RowUnion::RowUnion(uint64_t num_rows, absl::Span<const RowSet* const> sets) {
  if (sets.size() == 1) {
    rows_ = *sets[0];
  } else if (RowBits::Worth(num_rows, NumRunsOf(sets))) {
    BuildByBits(num_rows, sets);
  } else {
    BuildBySorting(num_rows, sets);
  }
}

void RowUnion::BuildByBits(uint64_t num_rows, absl::Span<const RowSet* const> sets) {
  RowBits bits(num_rows);
  for (const RowSet* set : sets) {
    for (const RowRun& run : set->runs()) bits.Set(run.first, run.count);
  }
  std::vector<RowRun> runs;
  for (uint64_t row = 0; row < num_rows;) {
    const uint64_t end = bits.EndOfRun(row, num_rows);
    if (bits.Get(row)) runs.push_back({row, end - row});
    row = end;
  }
  rows_ = SetOf(runs, num_rows);
  bits_.assign(bits.words().begin(), bits.words().end());
  before_.reserve(bits_.size());
  uint32_t before = 0;
  for (uint64_t word : bits_) {
    before_.push_back(before);
    before += static_cast<uint32_t>(std::popcount(word));
  }
}

void RowUnion::BuildBySorting(uint64_t num_rows, absl::Span<const RowSet* const> sets) {
  std::vector<RowRun> all;
  all.reserve(NumRunsOf(sets));
  for (const RowSet* set : sets) all.insert(all.end(), set->runs().begin(), set->runs().end());
  std::sort(all.begin(), all.end(), [](const RowRun& a, const RowRun& b) { return a.first < b.first; });
  std::vector<RowRun> merged;
  for (const RowRun& run : all) {
    if (merged.empty() || run.first > merged.back().end()) {
      merged.push_back(run);
    } else if (run.end() > merged.back().end()) {
      merged.back().count = run.end() - merged.back().first;
    }
  }
  rows_ = SetOf(merged, num_rows);
}

uint64_t RowUnion::PlaceOf(const RowRun& run) const {
  if (before_.empty()) return rows_.RankOf(run.first);
  const uint64_t word = run.first / 64;
  const uint64_t earlier = bits_[word] & ~(~uint64_t{0} << (run.first % 64));
  return before_[word] + static_cast<uint64_t>(std::popcount(earlier));
}

SeenRows::SeenRows(uint64_t num_rows, uint64_t num_runs)
    : by_bits_(RowBits::Worth(num_rows, num_runs)), bits_(by_bits_ ? num_rows : 0) {}

}  // namespace geeps::plan
