// SPDX-License-Identifier: Apache-2.0
// Steps 1 and 3 of an epoch: the own side.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/movers/epoch.h"
#include "runtime/movers/mapped_shape.h"

namespace geeps::movers {
namespace {

absl::StatusOr<device::RowIndex> MakeIndex(const device::Device& device, const plan::RowIndex& index, uint64_t dst_rows,
                                           uint64_t src_rows) {
  if (index.empty()) return device::RowIndex();
  std::vector<geeps_row_run> runs;
  runs.reserve(index.runs.size());
  for (const plan::RowIndex::Run& run : index.runs) runs.push_back({run.to, run.from, run.count});
  std::vector<geeps_row_pair> pairs;
  pairs.reserve(index.pairs.size());
  for (const plan::RowIndex::Pair& pair : index.pairs) pairs.push_back({pair.to, pair.from});
  return device.CreateIndex(runs, pairs, dst_rows, src_rows);
}

// Cache and log of a table that is reached by messages.
absl::Status AllocateTable(const EpochInput& input, const plan::TableLayout& layout, EpochTable* table) {
  const uint64_t row_bytes = table->schema.row_bytes();
  GEEPS_ASSIGN_OR_RETURN(table->cache_memory,
                         input.device->Allocate(device::MemoryKind::kDevice, layout.cache_rows * row_bytes));
  table->cache = table->cache_memory.bytes();
  const uint32_t num_entries = protocol::NumLogEntries(table->slack_max);
  const uint64_t entry_bytes = layout.log_rows_max * row_bytes;
  const uint64_t log_bytes = cache::UpdateLog::ValuesBytes(num_entries, entry_bytes);
  GEEPS_ASSIGN_OR_RETURN(table->log_memory, input.device->Allocate(device::MemoryKind::kDevice, log_bytes));
  table->log_headers.resize(num_entries);
  table->log = cache::UpdateLog(table->log_headers.data(), table->log_memory.bytes(), num_entries, entry_bytes);
  return absl::OkStatus();
}

// Where published versions land: the cache itself, or a buffer of their own.
absl::Status AllocateLandings(const EpochInput& input, const plan::TableLayout& layout, EpochTable* table) {
  table->landings.resize(layout.subscriptions.size());
  if (table->mapped) return absl::OkStatus();
  const uint64_t row_bytes = table->schema.row_bytes();
  for (size_t i = 0; i < layout.subscriptions.size(); ++i) {
    const plan::Block& block = layout.subscriptions[i].block;
    Landing* const landing = &table->landings[i];
    const bool keeper_is_self = input.layout.partitions[layout.subscriptions[i].partition].keeper == input.rank;
    if (block.rows == 0 || keeper_is_self) continue;
    if (table->LandsInCache()) {
      landing->memory = table->cache + block.first * row_bytes;
      continue;
    }
    GEEPS_ASSIGN_OR_RETURN(landing->own, input.device->Allocate(input.WireMemory(), block.rows * row_bytes));
    landing->memory = landing->own.bytes();
  }
  return absl::OkStatus();
}

// Splits a gather at the borders of partitions: the parts may be read at different versions. Runs and pairs of `index`
// ascend in `from` each for themselves.
absl::StatusOr<std::vector<PartGather>> SplitGather(const EpochInput& input, const plan::TableLayout& layout,
                                                    const plan::PlannedOp& op, uint64_t num_rows) {
  std::vector<PartGather> parts;
  for (uint32_t subscription : op.subscriptions) {
    const table::Partition& partition = input.layout.partitions[layout.subscriptions[subscription].partition];
    plan::RowIndex part;
    for (const plan::RowIndex::Run& run : op.gather.runs) {
      const uint64_t first = std::max(run.from, partition.first_row);
      const uint64_t end = std::min(run.from + run.count, partition.end_row());
      if (first < end) part.runs.push_back({run.to + (first - run.from), first, end - first});
    }
    for (const plan::RowIndex::Pair& pair : op.gather.pairs) {
      if (pair.from >= partition.first_row && pair.from < partition.end_row()) part.pairs.push_back(pair);
    }
    parts.emplace_back();
    parts.back().subscription = subscription;
    GEEPS_ASSIGN_OR_RETURN(parts.back().index, MakeIndex(*input.device, part, op.num_rows, num_rows));
  }
  return parts;
}

// Read-my-writes.
absl::Status BuildOwnRows(const EpochInput& input, uint64_t cache_rows, uint64_t log_rows, uint32_t op,
                          plan::PlannedOp* planned, EpochPlan* plan) {
  GEEPS_ASSIGN_OR_RETURN(plan->own_add[op], MakeIndex(*input.device, planned->own_add, cache_rows,
                                                      planned->in_place ? log_rows : planned->num_rows));
  planned->own_add = plan::RowIndex();
  for (plan::OwnPart& part : planned->own_parts) {
    plan->own_parts[op].emplace_back();
    plan->own_parts[op].back().subscription = part.subscription;
    GEEPS_ASSIGN_OR_RETURN(plan->own_parts[op].back().again,
                           MakeIndex(*input.device, part.again, cache_rows, log_rows));
    part.again = plan::RowIndex();
  }
  return absl::OkStatus();
}

// The device has indexes of its own; those of the layout go as soon as they have been handed over, so that millions of
// single rows are kept once.
absl::Status BuildPlan(const EpochInput& input, uint32_t set_id, Epoch* epoch) {
  plan::PlannedPass& pass = epoch->layout.plans[set_id];
  EpochPlan* const plan = &epoch->plans[set_id];
  const size_t num_ops = pass.ops.size();
  plan->slots = std::make_unique<OpSlot[]>(num_ops);
  plan->gather.resize(num_ops);
  plan->part_gathers.resize(num_ops);
  plan->store.resize(num_ops);
  plan->add.resize(num_ops);
  plan->own_add.resize(num_ops);
  plan->own_parts.resize(num_ops);
  plan->filled.resize(num_ops);
  plan->posted.resize(num_ops);
  for (uint32_t op = 0; op < num_ops; ++op) {
    plan::PlannedOp& planned = pass.ops[op];
    if (planned.kind == plan::OpKind::kLocal) continue;
    const uint64_t cache_rows = epoch->layout.tables[planned.table].cache_rows;
    const uint64_t log_rows = pass.tables[planned.table].log_rows;
    if (epoch->tables[planned.table].num_versions > 1) {
      GEEPS_ASSIGN_OR_RETURN(plan->part_gathers[op],
                             SplitGather(input, epoch->layout.tables[planned.table], planned, cache_rows));
    } else {
      GEEPS_ASSIGN_OR_RETURN(plan->gather[op], MakeIndex(*input.device, planned.gather, planned.num_rows, cache_rows));
    }
    GEEPS_ASSIGN_OR_RETURN(plan->store[op], MakeIndex(*input.device, planned.store, log_rows, planned.num_rows));
    GEEPS_ASSIGN_OR_RETURN(plan->add[op], MakeIndex(*input.device, planned.add, log_rows, planned.num_rows));
    GEEPS_RETURN_IF_ERROR(BuildOwnRows(input, cache_rows, log_rows, op, &planned, plan));
    for (plan::RowIndex* index : {&planned.gather, &planned.store, &planned.add}) *index = plan::RowIndex();
    GEEPS_ASSIGN_OR_RETURN(plan->posted[op], input.device->CreateEvent());
    if (!epoch->tables[planned.table].in_stream_order || planned.kind != plan::OpKind::kRead) continue;
    GEEPS_ASSIGN_OR_RETURN(plan->filled[op], input.device->CreateEvent());
  }
  return absl::OkStatus();
}

void NamePartitions(const EpochInput& input, Epoch* epoch) {
  const size_t num_partitions = input.layout.partitions.size();
  for (const table::Partition& partition : input.layout.partitions)
    epoch->keeper_of_partition.push_back(partition.keeper);
  epoch->table_of_partition.assign(num_partitions, kNone);
  epoch->subscription_of_partition.assign(num_partitions, kNone);
  epoch->kept_of_partition.assign(num_partitions, kNone);
  epoch->kept_of_table.resize(epoch->tables.size());
  for (uint32_t t = 0; t < epoch->tables.size(); ++t) {
    const EpochTable& table = epoch->tables[t];
    for (uint32_t i = 0; i < table.num_partitions; ++i) epoch->table_of_partition[table.first_partition + i] = t;
    const std::vector<plan::Subscription>& subscriptions = epoch->layout.tables[t].subscriptions;
    for (uint32_t i = 0; i < subscriptions.size(); ++i)
      epoch->subscription_of_partition[subscriptions[i].partition] = i;
  }
}

// The contributor of one table. Lanes begin behind the own rank's keeper, so that workers start at different shards (no
// incast).
void BuildContributor(const EpochInput& input, const plan::WorkerLayout& layout, uint32_t t,
                      const std::vector<bool>& frozen, EpochTable* table) {
  const std::vector<plan::Subscription>& subscriptions = layout.tables[t].subscriptions;
  std::vector<uint32_t> order;
  for (uint32_t i = 0; i < subscriptions.size(); ++i) {
    table->frozen.push_back(frozen[subscriptions[i].partition]);
    if (!table->frozen[i] && !table->observer) order.push_back(i);
  }
  const auto distance = [&](uint32_t i) {
    const uint32_t keeper = input.layout.partitions[subscriptions[i].partition].keeper;
    return (keeper + input.world - input.rank - 1) % input.world;
  };
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return distance(a) < distance(b); });

  protocol::ContributorOptions options;
  options.slack_max = table->slack_max;
  options.mapped = table->mapped;
  options.read_my_writes = table->schema.read_my_writes;
  options.first_clock = input.clock;
  table->lane_of.assign(subscriptions.size(), kNone);
  for (uint32_t i : order) {
    const uint32_t keeper = input.layout.partitions[subscriptions[i].partition].keeper;
    if (table->keepers.empty() || table->keepers.back() != keeper) table->keepers.push_back(keeper);
    protocol::ContributorOptions::Partition lane;
    lane.partition = subscriptions[i].partition;
    lane.keeper = static_cast<uint32_t>(table->keepers.size() - 1);
    for (const plan::PlannedPass& pass : layout.plans)
      lane.has_data.push_back(pass.tables[t].contributions[i].rows > 0);
    table->lane_of[i] = static_cast<uint32_t>(options.partitions.size());
    table->subscription_of.push_back(i);
    options.partitions.push_back(std::move(lane));
  }
  options.num_keepers = static_cast<uint32_t>(table->keepers.size());
  table->contributor = std::make_unique<protocol::Contributor>(options);
}

void BuildSequencer(const EpochInput& input, Epoch* epoch) {
  protocol::SequencerOptions options;
  options.num_tables = static_cast<uint32_t>(epoch->tables.size());
  options.first_clock = input.clock;
  for (const plan::PlannedPass& pass : epoch->layout.plans) {
    protocol::SequencerOptions::Plan plan;
    plan.no_clock = pass.no_clock;
    for (const plan::PlannedOp& planned : pass.ops) {
      protocol::SequencerOptions::Op op;
      op.is_update = planned.kind == plan::OpKind::kUpdate;
      op.is_local = planned.kind == plan::OpKind::kLocal;
      op.in_place = planned.in_place;
      op.zeroed = (planned.flags & plan::kUpdateZeroed) != 0;
      op.table = op.is_local ? 0 : planned.table;
      op.slack = planned.slack;
      op.any_version = planned.any_version;
      op.subscriptions = planned.subscriptions;
      op.read_my_writes = !op.is_local && epoch->tables[planned.table].schema.read_my_writes;
      op.own_updates = planned.own_updates;
      plan.ops.push_back(std::move(op));
    }
    options.plans.push_back(std::move(plan));
  }
  std::vector<protocol::SequencerTable> tables;
  for (const EpochTable& table : epoch->tables) tables.push_back({&table.subscribers, table.contributor.get()});
  epoch->sequencer = std::make_unique<protocol::Sequencer>(std::move(options), std::move(tables));
}

// Memory for each contribution that the log may hold, where any of them leaves the device.
absl::Status PrepareDownloads(const EpochInput& input, const Epoch& epoch, uint32_t t, EpochTable* table) {
  if (table->mapped || table->host_reaches_device) return absl::OkStatus();
  const auto& lanes = table->contributor->options().partitions;
  for (const protocol::ContributorOptions::Partition& lane : lanes) {
    const uint32_t kept = epoch.kept_of_partition[lane.partition];
    table->leaves_device.push_back(kept == kNone || epoch.kept[kept].shard->home != input.device_home);
  }
  const auto& leaves = table->leaves_device;
  if (std::find(leaves.begin(), leaves.end(), true) == leaves.end()) return absl::OkStatus();
  GEEPS_ASSIGN_OR_RETURN(table->log_staging,
                         input.device->Allocate(device::MemoryKind::kPinned, table->log_memory.size()));
  return absl::OkStatus();
}

// What moves versions of the own shards into the cache, where both lie on a device that is better asked once for many
// moves than once for each copy.
absl::Status PrepareLocalAbsorbs(const EpochInput& input, const Epoch& epoch, uint32_t t, EpochTable* table) {
  if (table->mapped || input.device->is_synchronous()) return absl::OkStatus();
  const plan::TableLayout& layout = epoch.layout.tables[t];
  for (size_t i = 0; i < layout.subscriptions.size(); ++i) {
    const plan::Block& block = layout.subscriptions[i].block;
    const uint32_t kept = epoch.kept_of_partition[layout.subscriptions[i].partition];
    if (block.rows == 0 || kept == kNone || epoch.kept[kept].shard->home != input.device_home) continue;
    const geeps_row_run run = {block.first, 0, block.rows};
    GEEPS_ASSIGN_OR_RETURN(table->landings[i].place,
                           input.device->CreateIndex(absl::MakeConstSpan(&run, 1), {}, layout.cache_rows, block.rows));
  }
  return absl::OkStatus();
}

// Ranks whose partitions this worker takes part in, and ranks that take part in its own.
void CollectPeers(const EpochInput& input, Epoch* epoch) {
  std::vector<bool> needed(input.world, false);
  for (const plan::TableLayout& table : epoch->layout.tables) {
    for (const plan::Subscription& subscription : table.subscriptions) {
      needed[input.layout.partitions[subscription.partition].keeper] = true;
    }
  }
  for (const Kept& kept : epoch->kept) {
    for (const Kept::Participant& participant : kept.participants) needed[participant.rank] = true;
  }
  needed[input.rank] = false;
  for (uint32_t rank = 0; rank < input.world; ++rank) {
    if (needed[rank]) epoch->peers.push_back(rank);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Epoch>> BuildEpoch(const EpochInput& input) {
  auto epoch = std::make_unique<Epoch>();
  epoch->number = input.number;
  epoch->first_clock = input.clock;
  GEEPS_ASSIGN_OR_RETURN(epoch->layout, plan::BuildLayout(input.layout));
  epoch->tables.resize(input.layout.tables.size());
  for (size_t t = 0; t < epoch->tables.size(); ++t) {
    const plan::LayoutInput::Table& given = input.layout.tables[t];
    EpochTable* const table = &epoch->tables[t];
    table->object = given.object;
    table->schema = given.schema;
    table->first_partition = given.first_partition;
    table->num_partitions = given.num_partitions;
    table->slack_max = input.layout.slack_max[t];
    table->mapped = given.mapped;
    table->observer = given.observer;
    table->host_reaches_device = input.device->is_host_accessible();
    table->in_stream_order =
        !input.device->is_synchronous() && !table->mapped && !table->LandsInCache() && !table->schema.read_my_writes;
    if (!table->mapped) GEEPS_RETURN_IF_ERROR(AllocateTable(input, epoch->layout.tables[t], table));
    GEEPS_RETURN_IF_ERROR(AllocateLandings(input, epoch->layout.tables[t], table));
  }
  GEEPS_RETURN_IF_ERROR(CreateMappedMemory(input, epoch.get()));
  NamePartitions(input, epoch.get());
  GEEPS_ASSIGN_OR_RETURN(epoch->arena, input.device->Allocate(device::MemoryKind::kDevice, epoch->layout.arena_bytes));
  epoch->locals = input.locals;
  epoch->plans.resize(epoch->layout.plans.size());
  AttachCounters(input, epoch.get());
  // A pass writes at most one event a step, a hand-out for each read, its begin and its end; the program is at most one
  // pass ahead of what it has waited for, unless its plans hold no operation of a table.
  uint64_t events = 64;
  for (const plan::PlannedPass& pass : epoch->layout.plans)
    events = std::max<uint64_t>(events, 4 * (pass.steps.size() + 2));
  epoch->queue = std::make_unique<ProgramQueue>(events);
  for (uint32_t set_id = 0; set_id < epoch->plans.size(); ++set_id) {
    GEEPS_RETURN_IF_ERROR(BuildPlan(input, set_id, epoch.get()));
  }
  return epoch;
}

absl::Status FinishEpoch(const EpochInput& input, absl::Span<const std::string> frozen, Epoch* epoch) {
  std::vector<bool> is_frozen(input.layout.partitions.size(), false);
  for (uint32_t rank = 0; rank < frozen.size(); ++rank) {
    GEEPS_RETURN_IF_ERROR(DecodeFrozen(input, rank, frozen[rank], &is_frozen));
  }
  for (uint32_t t = 0; t < epoch->tables.size(); ++t) {
    EpochTable* const table = &epoch->tables[t];
    BuildContributor(input, epoch->layout, t, is_frozen, table);
    GEEPS_RETURN_IF_ERROR(PrepareDownloads(input, *epoch, t, table));
    GEEPS_RETURN_IF_ERROR(PrepareLocalAbsorbs(input, *epoch, t, table));
    const std::vector<plan::Subscription>& subscriptions = epoch->layout.tables[t].subscriptions;
    for (uint32_t i = 0; i < subscriptions.size(); ++i) {
      protocol::SubscriberOptions options;
      options.mapped = table->mapped;
      const bool keeper_is_self = input.layout.partitions[subscriptions[i].partition].keeper == input.rank;
      options.lands_in_cache = table->LandsInCache() && !keeper_is_self;
      options.async = table->schema.async;
      options.observer = table->observer;
      options.read_my_writes = table->schema.read_my_writes;
      table->subscribers.emplace_back(options);
    }
  }
  BuildSequencer(input, epoch);
  CollectPeers(input, epoch);
  GEEPS_RETURN_IF_ERROR(BuildStaging(input, epoch));
  CountMemory(input, epoch);
  CountSlots(epoch);
  return absl::OkStatus();
}

}  // namespace geeps::movers
