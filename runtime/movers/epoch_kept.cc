// SPDX-License-Identifier: Apache-2.0
// Step 2 of an epoch: what workers tell keepers, and the partitions that this worker keeps.
#include <algorithm>
#include <utility>

#include "runtime/base/bytes.h"
#include "runtime/base/status.h"
#include "runtime/movers/epoch.h"
#include "runtime/movers/mapped_shape.h"

namespace geeps::movers {
namespace {

bool IsFrozen(const Kept& kept) {
  for (const Kept::Participant& participant : kept.participants) {
    for (const table::RowSet& updates : participant.updates) {
      if (!updates.IsEmpty()) return false;
    }
  }
  return true;
}

// One Kept for each partition of the epoch's tables that this worker keeps, without participants yet.
void NameKept(const EpochInput& input, Epoch* epoch) {
  for (uint32_t id = 0; id < input.layout.partitions.size(); ++id) {
    const table::Partition& partition = input.layout.partitions[id];
    if (partition.keeper != input.rank || epoch->table_of_partition[id] == kNone) continue;
    Kept kept;
    kept.partition = id;
    kept.table = epoch->table_of_partition[id];
    kept.first_row = partition.first_row;
    kept.num_rows = partition.num_rows;
    epoch->kept_of_partition[id] = static_cast<uint32_t>(epoch->kept.size());
    epoch->kept_of_table[kept.table].push_back(static_cast<uint32_t>(epoch->kept.size()));
    epoch->kept.push_back(std::move(kept));
  }
}

void AddParticipants(uint32_t rank, const std::vector<plan::PartitionSets>& sets, Epoch* epoch) {
  for (const plan::PartitionSets& told : sets) {
    Kept* const kept = &epoch->kept[epoch->kept_of_partition[told.partition]];
    Kept::Participant participant;
    participant.rank = rank;
    participant.observer = told.observer;
    participant.reads = told.reads.Shifted(kept->first_row);
    for (const table::RowSet& updates : told.updates) participant.updates.push_back(updates.Shifted(kept->first_row));
    kept->participants.push_back(std::move(participant));
  }
}

// A new shard lies where the table's option says. auto: on the device, unless host code works on it, or there is no
// room.
absl::StatusOr<std::shared_ptr<cache::ShardPartition>> NewShard(const EpochInput& input, const EpochTable& table,
                                                                table::ShardPlace place,
                                                                const table::Partition& partition, uint8_t* mapped,
                                                                const std::shared_ptr<void>& segment) {
  const bool is_auto = place == table::ShardPlace::kAuto;
  const bool needs_host = table.schema.rule->functions != nullptr && !input.device->is_host_accessible();
  const bool on_host = place == table::ShardPlace::kHost || (is_auto && needs_host);
  const cache::Home& home = on_host && mapped == nullptr ? *input.host_home : *input.device_home;
  auto shard = cache::NewShardPartition(home, table.schema, partition, mapped, segment);
  const bool no_room = !shard.ok() && DetailOf(shard.status()).code == Code::kNoMemory;
  if (!no_room || !is_auto || &home == input.host_home || input.host_home->device == input.device) return shard;
  return cache::NewShardPartition(*input.host_home, table.schema, partition, mapped, segment);
}

// The shard's memory: taken over, moved, or new.
absl::Status PlaceShard(const EpochInput& input, Epoch* epoch, Kept* kept, cache::ShardMap* new_shards) {
  const EpochTable& table = epoch->tables[kept->table];
  const std::pair<uint64_t, uint64_t> key(table.object, kept->first_row);
  uint8_t* const mapped = table.mapped ? MappedValues(table, input.clock, kept->first_row) : nullptr;
  const std::shared_ptr<void> segment = table.mapped ? epoch->version_segment : nullptr;
  const auto old = input.shards->find(key);
  if (old == input.shards->end()) {
    GEEPS_ASSIGN_OR_RETURN(kept->shard, NewShard(input, table, input.layout.tables[kept->table].shard,
                                                 input.layout.partitions[kept->partition], mapped, segment));
  } else if (mapped == nullptr && old->second->segment == nullptr) {
    kept->shard = old->second;
  } else {
    GEEPS_ASSIGN_OR_RETURN(kept->shard, cache::MovedShardPartition(
                                            *old->second, kept->num_rows * table.schema.row_bytes(), mapped, segment));
  }
  (*new_shards)[key] = kept->shard;
  return absl::OkStatus();
}

// A publish whose rows are no single run is gathered first.
absl::Status PrepareGather(const device::Device& device, uint64_t row_bytes, uint64_t num_rows,
                           Kept::Participant* participant) {
  std::vector<geeps_row_run> runs;
  uint64_t to = 0;
  for (const table::RowRun& run : participant->reads.runs()) {
    runs.push_back({to, run.first, run.count});
    to += run.count;
  }
  GEEPS_ASSIGN_OR_RETURN(participant->gather, device.CreateIndex(runs, {}, to, num_rows));
  GEEPS_ASSIGN_OR_RETURN(participant->staging, device.Allocate(device::MemoryKind::kDevice, to * row_bytes));
  return absl::OkStatus();
}

// Landing slots of a participant that sends messages: W of the size of its largest contribution here.
absl::Status AllocateSlots(const EpochInput& input, const EpochTable& table, bool uploads, bool needs_memory,
                           Kept::Participant* participant) {
  const uint32_t num_slots = protocol::NumLandingSlots(table.slack_max);
  participant->slots.assign(num_slots, nullptr);
  participant->arrived.assign(num_slots, nullptr);
  uint64_t rows = 0;
  for (const table::RowSet& updates : participant->updates) rows = std::max(rows, updates.NumRows());
  if (!needs_memory || rows == 0) return absl::OkStatus();
  const uint64_t bytes = rows * table.schema.row_bytes();
  for (uint32_t i = 0; i < num_slots; ++i) {
    GEEPS_ASSIGN_OR_RETURN(device::Memory memory, input.device->Allocate(input.WireMemory(), bytes));
    participant->slots[i] = memory.bytes();
    participant->slot_memory.push_back(std::move(memory));
    if (!uploads) continue;
    GEEPS_ASSIGN_OR_RETURN(memory, input.device->Allocate(device::MemoryKind::kDevice, bytes));
    participant->uploads.push_back(std::move(memory));
  }
  return absl::OkStatus();
}

absl::Status BuildMachine(const EpochInput& input, Epoch* epoch, uint32_t index) {
  Kept* const kept = &epoch->kept[index];
  const EpochTable& table = epoch->tables[kept->table];
  const device::Device& home = *kept->shard->home->device;
  protocol::KeeperOptions options;
  options.slack_max = table.slack_max;
  options.num_versions = table.num_versions;
  options.first_age = input.clock;
  options.frozen = IsFrozen(*kept);
  options.async = table.schema.async;
  for (uint32_t i = 0; i < kept->participants.size(); ++i) {
    Kept::Participant* const participant = &kept->participants[i];
    protocol::KeeperOptions::Participant peer;
    peer.rank = participant->rank;
    peer.mapped = table.mapped;
    peer.observer = participant->observer;
    peer.reads = !participant->reads.IsEmpty();
    for (const table::RowSet& updates : participant->updates) peer.has_data.push_back(!updates.IsEmpty());
    options.participants.push_back(std::move(peer));
    const bool by_message = !table.mapped && participant->rank != input.rank;
    GEEPS_RETURN_IF_ERROR(AllocateSlots(input, table, !home.is_host_accessible(), by_message, participant));
    if (!table.mapped && !participant->reads.IsContiguous()) {
      GEEPS_RETURN_IF_ERROR(PrepareGather(home, table.schema.row_bytes(), kept->num_rows, participant));
    }
    if (!home.is_host_accessible() && by_message) {
      GEEPS_ASSIGN_OR_RETURN(
          participant->download,
          home.Allocate(device::MemoryKind::kPinned, participant->reads.NumRows() * table.schema.row_bytes()));
    }
  }
  kept->machine = std::make_unique<protocol::KeeperPartition>(options);
  kept->last_fires = std::make_unique<LastFires>(protocol::NumLandingSlots(table.slack_max));
  return absl::OkStatus();
}

void NameWatched(Epoch* epoch) {
  for (uint32_t t = 0; t < epoch->tables.size(); ++t) {
    std::vector<uint32_t>* const watched = &epoch->tables[t].watched;
    for (uint32_t index : epoch->kept_of_table[t]) {
      if (epoch->kept[index].machine->options().frozen) continue;
      for (const Kept::Participant& participant : epoch->kept[index].participants) watched->push_back(participant.rank);
    }
    std::sort(watched->begin(), watched->end());
    watched->erase(std::unique(watched->begin(), watched->end()), watched->end());
  }
}

// Where the contributions to the partitions of mapped tables that `dst` keeps begin in this worker's log entries.
std::string LogPlacesFor(const EpochInput& input, const Epoch& epoch, uint32_t dst) {
  ByteWriter writer;
  for (uint32_t t = 0; t < epoch.tables.size(); ++t) {
    if (!epoch.tables[t].mapped) continue;
    const std::vector<plan::Subscription>& subscriptions = epoch.layout.tables[t].subscriptions;
    for (size_t i = 0; i < subscriptions.size(); ++i) {
      if (input.layout.partitions[subscriptions[i].partition].keeper != dst) continue;
      writer.U32(subscriptions[i].partition);
      for (const plan::PlannedPass& pass : epoch.layout.plans) writer.U64(pass.tables[t].contributions[i].first);
    }
  }
  return writer.Take();
}

// A place is good when the whole contribution lies inside the log that the rank has described: checked against the
// largest log it may have.
absl::Status DecodeLogPlaces(uint32_t rank, absl::string_view bytes, Epoch* epoch) {
  ByteReader reader(bytes);
  while (reader.ok() && reader.left() > 0) {
    const uint32_t partition = reader.U32();
    const uint32_t index = partition < epoch->kept_of_partition.size() ? epoch->kept_of_partition[partition] : kNone;
    if (index == kNone || epoch->kept[index].participants.empty() ||
        epoch->kept[index].participants.back().rank != rank) {
      return BadData("rank ", rank, " places a contribution to partition ", partition, ", in which it takes no part");
    }
    Kept::Participant* const participant = &epoch->kept[index].participants.back();
    const uint64_t num_rows = epoch->tables[epoch->kept[index].table].schema.num_rows;
    for (const table::RowSet& updates : participant->updates) {
      const uint64_t first = reader.U64();
      if (first > num_rows || updates.NumRows() > num_rows - first) {
        return BadData("rank ", rank, " places a contribution of ", updates.NumRows(), " rows at row ", first,
                       " of a log of at most ", num_rows);
      }
      participant->log_first.push_back(first);
    }
  }
  if (!reader.done())
    return BadData("rank ", rank, " told the places of its contributions in bytes that make no sense");
  return absl::OkStatus();
}

// A peer's log must be as long as the places it told for it.
absl::Status CheckLogPlaces(const Epoch& epoch) {
  for (const Kept& kept : epoch.kept) {
    const EpochTable& table = epoch.tables[kept.table];
    if (!table.mapped) continue;
    for (const Kept::Participant& participant : kept.participants) {
      for (size_t q = 0; q < participant.updates.size(); ++q) {
        const uint64_t rows = participant.updates[q].NumRows();
        if (rows == 0) continue;
        if (q >= participant.log_first.size() ||
            participant.log_first[q] + rows > table.peer_log_rows[participant.rank]) {
          return BadData("rank ", participant.rank, " has a log of ", table.peer_log_rows[participant.rank],
                         " rows for table '", table.schema.name, "', too short for its contribution to partition ",
                         kept.partition);
        }
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> SetsFor(const EpochInput& input, const Epoch& epoch, uint32_t dst) {
  GEEPS_ASSIGN_OR_RETURN(const std::string mapped, DescribeMappedMemory(epoch));
  ByteWriter writer;
  writer.Text(plan::EncodeSets(epoch.layout, input.layout.partitions, dst));
  writer.Text(mapped);
  writer.Text(LogPlacesFor(input, epoch, dst));
  return writer.Take();
}

absl::Status BuildKept(const EpochInput& input, absl::Span<const std::string> sets, Epoch* epoch,
                       cache::ShardMap* new_shards) {
  NameKept(input, epoch);
  std::vector<absl::string_view> descriptions;
  for (uint32_t rank = 0; rank < sets.size(); ++rank) {
    ByteReader reader(sets[rank]);
    const absl::string_view row_sets = reader.Text();
    descriptions.push_back(reader.Text());
    const absl::string_view log_places = reader.Text();
    if (!reader.done())
      return BadData("rank ", rank, " told its row sets in ", sets[rank].size(), " bytes that make no sense");
    auto decoded = plan::DecodeSets(row_sets, input.layout.partitions, input.rank,
                                    static_cast<uint32_t>(epoch->layout.plans.size()));
    if (!decoded.ok()) return Prefixed(decoded.status(), absl::StrCat("row sets of rank ", rank));
    for (const plan::PartitionSets& told : *decoded) {
      if (epoch->kept_of_partition[told.partition] == kNone) {
        return BadData("rank ", rank, " names partition ", told.partition, " of a table that is not committed");
      }
    }
    AddParticipants(rank, *decoded, epoch);
    GEEPS_RETURN_IF_ERROR(DecodeLogPlaces(rank, log_places, epoch));
  }
  GEEPS_RETURN_IF_ERROR(AttachMappedMemory(input, descriptions, epoch));
  GEEPS_RETURN_IF_ERROR(CheckLogPlaces(*epoch));
  for (uint32_t i = 0; i < epoch->kept.size(); ++i) {
    GEEPS_RETURN_IF_ERROR(PlaceShard(input, epoch, &epoch->kept[i], new_shards));
    GEEPS_RETURN_IF_ERROR(BuildMachine(input, epoch, i));
  }
  NameWatched(epoch);
  return absl::OkStatus();
}

std::string FrozenFor(const Epoch& epoch, uint32_t dst) {
  std::vector<uint32_t> frozen;
  for (const Kept& kept : epoch.kept) {
    if (!kept.machine->options().frozen) continue;
    for (const Kept::Participant& participant : kept.participants) {
      if (participant.rank == dst) frozen.push_back(kept.partition);
    }
  }
  ByteWriter writer;
  writer.U64(frozen.size());
  for (uint32_t partition : frozen) writer.U32(partition);
  return writer.Take();
}

}  // namespace geeps::movers
