// SPDX-License-Identifier: Apache-2.0
// The row sets that a worker tells a keeper at commit. Numbers are in base 128, least digits first, the highest bit of
// a byte set when more follow, in the shortest form: so that equal sets have equal bytes, and no others.
//
//   version (1), number of plans, number of partitions, then for each partition, ascending:
//     partitions left out since the one before, 1 for an observer and else 0, R(w,p), then U(w,p,q) for each plan
//   a set: number of runs, then for each run: rows since the end of the run before (the first: since the begin of the
//   partition), its length
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/plan/layout.h"

namespace geeps::plan {
namespace {

using table::Partition;
using table::RowRun;
using table::RowSet;

constexpr uint64_t kVersion = 2;

void PutNumber(uint64_t number, std::string* out) {
  for (; number >= 0x80; number >>= 7) out->push_back(static_cast<char>((number & 0x7f) | 0x80));
  out->push_back(static_cast<char>(number));
}

void PutSet(const RowSet& rows, const Partition& partition, std::string* out) {
  PutNumber(rows.num_runs(), out);
  uint64_t end = partition.first_row;
  for (const RowRun& run : rows.runs()) {
    PutNumber(run.first - end, out);
    PutNumber(run.count, out);
    end = run.end();
  }
}

class Reader {
 public:
  explicit Reader(absl::string_view bytes) : bytes_(bytes) {}
  size_t position() const { return position_; }
  size_t left() const { return bytes_.size() - position_; }

  absl::StatusOr<uint64_t> Number(absl::string_view what) {
    uint64_t number = 0;
    for (uint32_t shift = 0;; shift += 7) {
      if (left() == 0) return BadData("row sets end after ", bytes_.size(), " bytes, inside ", what);
      const uint64_t digit = static_cast<uint8_t>(bytes_[position_++]);
      if (shift == 63 && digit > 1)
        return BadData("row sets, byte ", position_ - 1, ": ", what, " has more than 64 bits");
      number |= (digit & 0x7f) << shift;
      if (digit >= 0x80) continue;
      if (digit == 0 && shift > 0)
        return BadData("row sets, byte ", position_ - 1, ": ", what, " is not in its shortest form");
      return number;
    }
  }

  absl::StatusOr<RowSet> Set(const Partition& partition, uint32_t id) {
    uint64_t num_runs = 0;
    GEEPS_ASSIGN_OR_RETURN(num_runs, Number("a number of runs"));
    // Runs do not touch, so at least one row lies between two of them; each takes two bytes or more.
    if (num_runs > partition.num_rows / 2 + partition.num_rows % 2 || num_runs > left() / 2) {
      return BadData("row sets of partition ", id, ": ", num_runs, " runs in ", partition.num_rows, " rows and ",
                     left(), " bytes");
    }
    std::vector<RowRun> runs;
    runs.reserve(num_runs);
    uint64_t end = partition.first_row;
    for (uint64_t i = 0; i < num_runs; ++i) {
      uint64_t gap = 0;
      uint64_t count = 0;
      GEEPS_ASSIGN_OR_RETURN(gap, Number("a run of rows"));
      GEEPS_ASSIGN_OR_RETURN(count, Number("a run of rows"));
      const uint64_t rest = partition.end_row() - end;
      if (gap > rest || count > rest - gap || count == 0 || (i > 0 && gap == 0)) {
        return BadData("row sets of partition ", id, ", run ", i, ": ", count, " rows, ", gap, " after row ", end,
                       ", in rows ", partition.first_row, " to ", partition.end_row());
      }
      runs.push_back({end + gap, count});
      end += gap + count;
    }
    return RowSet::FromRuns(runs, partition.end_row());
  }

 private:
  absl::string_view bytes_;
  size_t position_ = 0;
};

// Reads one partition's sets; `id` is the smallest that may come.
absl::StatusOr<PartitionSets> ReadPartition(Reader* reader, uint64_t id, absl::Span<const Partition> partitions,
                                            uint32_t keeper, uint32_t num_plans) {
  uint64_t gap = 0;
  GEEPS_ASSIGN_OR_RETURN(gap, reader->Number("a partition"));
  if (id >= partitions.size() || gap >= partitions.size() - id) {
    return BadData("row sets: partition ", gap, " behind ", id, ", of ", partitions.size());
  }
  id += gap;
  if (partitions[id].keeper != keeper) {
    return BadData("row sets: partition ", id, " is kept by rank ", partitions[id].keeper, ", not by rank ", keeper);
  }
  PartitionSets sets;
  sets.partition = static_cast<uint32_t>(id);
  uint64_t observer = 0;
  GEEPS_ASSIGN_OR_RETURN(observer, reader->Number("the mark of an observer"));
  if (observer > 1) return BadData("row sets of partition ", id, ": ", observer, " as the mark of an observer");
  sets.observer = observer == 1;
  GEEPS_ASSIGN_OR_RETURN(sets.reads, reader->Set(partitions[id], sets.partition));
  bool empty = sets.reads.IsEmpty();
  for (uint32_t q = 0; q < num_plans; ++q) {
    RowSet rows;
    GEEPS_ASSIGN_OR_RETURN(rows, reader->Set(partitions[id], sets.partition));
    empty = empty && rows.IsEmpty();
    if (sets.observer && !rows.IsEmpty())
      return BadData("row sets of partition ", id, ": an observer updates ", rows.NumRows(), " rows");
    sets.updates.push_back(std::move(rows));
  }
  if (empty) return BadData("row sets of partition ", id, ": no rows, so the worker takes no part in it");
  return sets;
}

}  // namespace

std::string EncodeSets(const WorkerLayout& layout, absl::Span<const Partition> partitions, uint32_t keeper) {
  uint64_t count = 0;
  std::string body;
  uint64_t next = 0;
  for (const TableLayout& table : layout.tables) {
    for (const Subscription& subscription : table.subscriptions) {
      const Partition& partition = partitions[subscription.partition];
      if (partition.keeper != keeper) continue;
      ++count;
      PutNumber(subscription.partition - next, &body);
      next = uint64_t{subscription.partition} + 1;
      PutNumber(table.observer ? 1 : 0, &body);
      PutSet(subscription.reads, partition, &body);
      for (const RowSet& rows : subscription.updates) PutSet(rows, partition, &body);
    }
  }
  std::string out;
  PutNumber(kVersion, &out);
  PutNumber(layout.plans.size(), &out);
  PutNumber(count, &out);
  out += body;
  return out;
}

absl::StatusOr<std::vector<PartitionSets>> DecodeSets(absl::string_view bytes, absl::Span<const Partition> partitions,
                                                      uint32_t keeper, uint32_t num_plans) {
  Reader reader(bytes);
  uint64_t version = 0;
  uint64_t plans = 0;
  uint64_t count = 0;
  GEEPS_ASSIGN_OR_RETURN(version, reader.Number("the version"));
  if (version != kVersion) return BadData("row sets have version ", version, ", known is ", kVersion);
  GEEPS_ASSIGN_OR_RETURN(plans, reader.Number("the number of plans"));
  if (plans != num_plans) return BadData("row sets of ", plans, " plans, but ", num_plans, " are committed");
  GEEPS_ASSIGN_OR_RETURN(count, reader.Number("the number of partitions"));
  const uint64_t kept = static_cast<uint64_t>(
      std::count_if(partitions.begin(), partitions.end(), [&](const Partition& p) { return p.keeper == keeper; }));
  if (count > kept || count > reader.left() / (3 + uint64_t{num_plans})) {
    return BadData("row sets of ", count, " partitions in ", reader.left(), " bytes, but rank ", keeper, " keeps ",
                   kept);
  }
  std::vector<PartitionSets> out;
  out.reserve(count);
  uint64_t next = 0;
  for (uint64_t i = 0; i < count; ++i) {
    PartitionSets sets;
    GEEPS_ASSIGN_OR_RETURN(sets, ReadPartition(&reader, next, partitions, keeper, num_plans));
    next = uint64_t{sets.partition} + 1;
    out.push_back(std::move(sets));
  }
  if (reader.left() > 0) return BadData("row sets: ", reader.left(), " bytes too many, from byte ", reader.position());
  return out;
}

}  // namespace geeps::plan
