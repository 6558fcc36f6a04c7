// SPDX-License-Identifier: Apache-2.0
// The checker's part for async tables: which clocks of whom the rows of a partition contain.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/sim/checker.h"

namespace geeps::sim {

using protocol::Clock;

namespace {

class Cut {
 public:
  Cut(const Reference& reference, const ReadRecord& record, bool complete, SeenAges* seen)
      : reference_(reference), record_(record), complete_(complete), seen_(seen) {
    seen_->lows.assign(reference.world().world, reference.world().first_clock);
    seen_->highs.assign(reference.world().world, protocol::kNoAge);
  }

  // Row `i` of the record: each lane is the number of updates up to some clock, the checksum their sum.
  std::string AddRow(size_t i) {
    const CheckedWorld& world = reference_.world();
    const CheckedPartition& partition = world.partitions[seen_->partition];
    const uint64_t lanes = world.tables[record_.table].row_values;
    const double* shown = &record_.values[i * lanes];
    const double* initial = &partition.initial[(record_.rows[i] - partition.first_row) * lanes];
    double checksum = initial[world.world];
    for (uint32_t rank = 0; rank < world.world; ++rank) {
      const double count = shown[rank] - initial[rank];
      const bool own = record_.own.size() == record_.values.size() && rank == record_.reader;
      const std::string wrong = own ? AddOwn(i, count, &checksum) : AddLane(i, rank, count, &checksum);
      if (!wrong.empty()) return wrong;
    }
    if (shown[world.world] == checksum) return "";
    return absl::StrCat("row ", record_.rows[i], " counts other clocks than its lanes say: checksum ",
                        shown[world.world], " instead of ", checksum);
  }

  std::string Finish() const {
    for (uint32_t rank = 0; rank < seen_->lows.size(); ++rank) {
      if (seen_->lows[rank] > seen_->highs[rank]) {
        return absl::StrCat("one row contains the clocks of worker ", rank, " below ", seen_->lows[rank],
                            ", another one only those below ", seen_->highs[rank]);
      }
    }
    return "";
  }

 private:
  std::string AddLane(size_t i, uint32_t rank, double count, double* checksum) {
    const uint32_t world = reference_.world().world;
    const absl::Span<const Ledger::Entry> entries = reference_.ledger().EntriesOf(rank, record_.table, record_.rows[i]);
    size_t num = 0;  // of entries contained
    while (num < entries.size() && entries[num].sum[rank] <= count) ++num;
    const double sum = num == 0 ? 0.0 : entries[num - 1].sum[rank];
    if (sum != count || (complete_ && num < entries.size())) {
      return absl::StrCat("row ", record_.rows[i], " counts ", count, " updates of worker ", rank, ", which is not ",
                          complete_ ? "all" : "a number of whole clocks", " of its ",
                          entries.empty() ? 0.0 : entries.back().sum[rank]);
    }
    if (num > 0) {
      *checksum += entries[num - 1].sum[world];
      seen_->lows[rank] = std::max(seen_->lows[rank], entries[num - 1].clock + 1);
    }
    if (num < entries.size()) seen_->highs[rank] = std::min(seen_->highs[rank], entries[num].clock);
    return "";
  }

  std::string AddOwn(size_t i, double count, double* checksum) {
    const uint32_t world = reference_.world().world;
    const uint32_t rank = record_.reader;
    const auto total = [&](uint32_t lane) {
      return reference_.ledger().SumBelow(rank, record_.table, record_.rows[i], lane, record_.clock) +
             record_.own[i * (world + 1) + lane];
    };
    *checksum += total(world);
    if (count == total(rank)) return "";
    return absl::StrCat("row ", record_.rows[i], " counts ", count, " of the reader's own ", total(rank), " updates");
  }

  const Reference& reference_;
  const ReadRecord& record_;
  const bool complete_;
  SeenAges* seen_;
};

}  // namespace

std::string CheckCut(const Reference& reference, const ReadRecord& record, size_t begin, size_t end, bool complete,
                     SeenAges* seen) {
  Cut cut(reference, record, complete, seen);
  std::string wrong;
  for (size_t i = begin; i < end && wrong.empty(); ++i) wrong = cut.AddRow(i);
  if (wrong.empty()) wrong = cut.Finish();
  if (wrong.empty()) return "";
  return absl::StrCat("read of async table ", record.table, " by worker ", record.reader, " at clock ", record.clock,
                      ": partition ", seen->partition, ": ", wrong);
}

std::string Checker::CheckCutGrows(const ReadRecord& record, const SeenAges& ages) {
  std::vector<Clock>& seen = seen_cuts_[{record.reader, record.operation, ages.partition}];
  seen.resize(ages.lows.size(), 0);
  for (uint32_t rank = 0; rank < seen.size(); ++rank) {
    if (ages.highs[rank] < seen[rank]) {
      return absl::StrCat("read of async table ", record.table, " by worker ", record.reader, " at clock ",
                          record.clock, ": partition ", ages.partition, " shows the clocks of worker ", rank, " below ",
                          ages.highs[rank], " after those below ", seen[rank]);
    }
    seen[rank] = std::max(seen[rank], ages.lows[rank]);
  }
  return "";
}

}  // namespace geeps::sim
