// SPDX-License-Identifier: Apache-2.0
// What the plans mean for one table: the rows of the cache and of the log entries, the partitions in which the worker
// takes part, and which accesses need no copy (R9).
#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/plan/layout_parts.h"
#include "runtime/protocol/types.h"

namespace geeps::plan {
namespace {

using table::Partition;
using table::RowRun;
using table::RowSet;

// An operation of one table.
struct Access {
  const Operation* op = nullptr;
  PlannedOp* planned = nullptr;
};

struct TableWork {
  uint64_t num_rows = 0;
  uint32_t slack_max = 0;  // agreed, or the worker's own
  bool mapped = false;
  bool copied = false;  // no read is in place, whatever its rows are
  absl::Span<const Partition> partitions;
  std::vector<Access> reads;                 // of all plans
  std::vector<std::vector<Access>> updates;  // by plan, in the order of the `update` calls
};

TableWork CollectWork(const LayoutInput& input, uint32_t table, WorkerLayout* layout) {
  const LayoutInput::Table& what = input.tables[table];
  TableWork work;
  work.num_rows = what.schema.num_rows;
  work.slack_max = input.slack_max.empty() ? layout->tables[table].slack_max : input.slack_max[table];
  work.mapped = what.mapped;
  work.copied = what.schema.async || what.schema.read_my_writes || what.observer;
  work.partitions = input.partitions.subspan(what.first_partition, what.num_partitions);
  work.updates.resize(input.plans.size());
  for (size_t q = 0; q < input.plans.size(); ++q) {
    for (size_t i = 0; i < layout->plans[q].ops.size(); ++i) {
      PlannedOp& planned = layout->plans[q].ops[i];
      if (planned.table != table) continue;
      const Access access = {&input.plans[q]->ops[i], &planned};
      if (planned.kind == OpKind::kRead) work.reads.push_back(access);
      if (planned.kind == OpKind::kUpdate) work.updates[q].push_back(access);
    }
    std::sort(work.updates[q].begin(), work.updates[q].end(),
              [](const Access& a, const Access& b) { return a.op->end_step < b.op->end_step; });
  }
  return work;
}

RowUnion UnionOf(uint64_t num_rows, const std::vector<Access>& accesses) {
  std::vector<const RowSet*> sets;
  sets.reserve(accesses.size());
  for (const Access& access : accesses) sets.push_back(&access.op->rows);
  return RowUnion(num_rows, sets);
}

// Calls fn(index of a partition) for the partitions that have a row of the set, ascending, without looking at every
// run.
template <typename Fn>
void ForEachPartition(const RowSet& rows, absl::Span<const Partition> partitions, Fn&& fn) {
  if (rows.IsEmpty()) return;
  uint64_t row = rows.runs()[0].first;
  for (;;) {
    const auto it = std::upper_bound(partitions.begin(), partitions.end(), row,
                                     [](uint64_t r, const Partition& partition) { return r < partition.end_row(); });
    fn(static_cast<uint32_t>(it - partitions.begin()));
    const size_t run = rows.FirstRunEndingAfter(it->end_row());
    if (run == rows.num_runs()) return;
    row = std::max(rows.runs()[run].first, it->end_row());
  }
}

// The rows of `set` that lie in the partition, as a block of the dense array of the set.
Block BlockOf(const RowSet& set, const Partition& partition) {
  Block block;
  block.first = set.RankOf(partition.first_row);
  block.rows = set.RankOf(partition.end_row()) - block.first;
  return block;
}

// The worker takes part in the partitions that it reads or updates. Returns the index of each partition's subscription.
std::vector<uint32_t> Subscribe(const LayoutInput::Table& what, const TableWork& work, const RowSet& reads,
                                const std::vector<RowSet>& updates, TableLayout* out) {
  std::vector<uint32_t> index(work.partitions.size(), 0);
  const auto mark = [&](uint32_t partition) { index[partition] = 1; };
  ForEachPartition(reads, work.partitions, mark);
  for (const RowSet& rows : updates) ForEachPartition(rows, work.partitions, mark);
  for (uint32_t p = 0; p < index.size(); ++p) {
    if (index[p] == 0) continue;
    index[p] = static_cast<uint32_t>(out->subscriptions.size());
    const Partition& partition = work.partitions[p];
    Subscription subscription;
    subscription.partition = what.first_partition + p;
    subscription.block = BlockOf(reads, partition);
    subscription.reads = reads.IntersectRange(partition.first_row, partition.num_rows);
    if (work.mapped && subscription.block.rows > 0) subscription.block = {partition.first_row, partition.num_rows};
    for (const RowSet& rows : updates) {
      subscription.updates.push_back(rows.IntersectRange(partition.first_row, partition.num_rows));
    }
    out->subscriptions.push_back(std::move(subscription));
  }
  return index;
}

void PlaceRead(const TableWork& work, const RowUnion& cache, const std::vector<uint32_t>& index, const Access& access,
               RowIndexBuilder* builder) {
  const RowSet& rows = access.op->rows;
  PlannedOp* planned = access.planned;
  ForEachPartition(rows, work.partitions, [&](uint32_t p) { planned->subscriptions.push_back(index[p]); });
  builder->Clear();
  if (!work.mapped && rows.NumRows() == cache.rows().NumRows() && !rows.IsEmpty()) {
    builder->Add(0, 0, rows.NumRows());  // all that is cached
  } else {
    uint64_t to = 0;
    for (const RowRun& run : rows.runs()) {
      builder->Add(to, work.mapped ? run.first : cache.PlaceOf(run), run.count);
      to += run.count;
    }
  }
  const bool allowed = work.slack_max == 0 || (work.mapped && planned->subscriptions.size() <= 1);
  planned->in_place = !work.copied && builder->num_pieces() <= 1 && (planned->flags & kReadCopy) == 0 && allowed;
  planned->holds_until_post = planned->in_place;
  if (!planned->in_place) {
    planned->gather = builder->Build();
  } else if (builder->num_pieces() == 1) {
    planned->place_row = builder->pieces()[0].from;
  }
}

// The rows of a log entry that this update is the first to write are stored, the others added.
void PlaceUpdate(const RowUnion& log, const Access& access, SeenRows* seen, RowIndexBuilder* store,
                 RowIndexBuilder* add) {
  store->Clear();
  add->Clear();
  uint64_t from = 0;
  for (const RowRun& run : access.op->rows.runs()) {
    const uint64_t to = log.PlaceOf(run);
    seen->Visit(run, [&](uint64_t first, uint64_t count, bool was_seen) {
      (was_seen ? add : store)->Add(to + (first - run.first), from + (first - run.first), count);
    });
    from += run.count;
  }
  PlannedOp* planned = access.planned;
  planned->in_place = add->num_pieces() == 0 && store->num_pieces() <= 1;
  if (!planned->in_place) {
    planned->store = store->Build();
    planned->add = add->Build();
  } else if (store->num_pieces() == 1) {
    planned->place_row = store->pieces()[0].to;
  }
}

}  // namespace

void PlaceTable(const LayoutInput& input, uint32_t table, WorkerLayout* layout) {
  TableWork work = CollectWork(input, table, layout);
  TableLayout* out = &layout->tables[table];
  RowIndexBuilder first, second;
  std::vector<RowSet> updates;  // U(w,T,q) by plan
  for (size_t q = 0; q < work.updates.size(); ++q) {
    const RowUnion log = UnionOf(work.num_rows, work.updates[q]);
    uint64_t num_runs = 0;
    for (const Access& access : work.updates[q]) num_runs += access.op->rows.num_runs();
    SeenRows seen(work.num_rows, num_runs);
    for (const Access& access : work.updates[q]) PlaceUpdate(log, access, &seen, &first, &second);
    updates.push_back(log.rows());
  }
  const RowUnion cache = UnionOf(work.num_rows, work.reads);
  const std::vector<uint32_t> index = Subscribe(input.tables[table], work, cache.rows(), updates, out);
  for (const Access& access : work.reads) PlaceRead(work, cache, index, access, &first);
  out->cache_rows = work.mapped ? work.num_rows : cache.rows().NumRows();
  for (size_t q = 0; q < updates.size(); ++q) {
    PlannedTable& planned = layout->plans[q].tables[table];
    planned.log_rows = updates[q].NumRows();
    out->log_rows_max = std::max(out->log_rows_max, planned.log_rows);
    for (const Subscription& subscription : out->subscriptions) {
      planned.contributions.push_back(BlockOf(updates[q], input.partitions[subscription.partition]));
    }
  }
}

}  // namespace geeps::plan
