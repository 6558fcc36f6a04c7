// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/mapped_shape.h"

#include <atomic>
#include <utility>

#include "runtime/base/bytes.h"
#include "runtime/base/status.h"

namespace geeps::movers {
namespace {

static_assert(std::atomic<uint64_t>::is_always_lock_free, "shared words are read by other processes");

uint64_t Aligned(uint64_t bytes) { return (bytes + kRegionAlign - 1) / kRegionAlign * kRegionAlign; }

bool AnyMapped(const Epoch& epoch) {
  for (const EpochTable& table : epoch.tables) {
    if (table.mapped) return true;
  }
  return false;
}

uint64_t LogBytes(const EpochTable& table, uint64_t log_rows) {
  return cache::UpdateLog::MappedBytes(protocol::NumLogEntries(table.slack_max), log_rows * table.schema.row_bytes());
}

// Bytes of a worker segment whose entries have log_rows rows, by table.
uint64_t WorkerSegmentBytes(const Epoch& epoch, absl::Span<const uint64_t> log_rows) {
  uint64_t bytes = Aligned(epoch.tables.size() * kWordBytes);
  for (size_t t = 0; t < epoch.tables.size(); ++t) {
    if (epoch.tables[t].mapped) bytes += Aligned(LogBytes(epoch.tables[t], log_rows[t]));
  }
  return bytes;
}

uint64_t VersionWordsBytes(const Epoch& epoch) {
  uint64_t words = 0;
  for (const EpochTable& table : epoch.tables) {
    if (table.mapped) words += table.num_partitions;
  }
  return Aligned(words * kWordBytes);
}

uint64_t VersionSegmentBytes(const Epoch& epoch) {
  uint64_t bytes = VersionWordsBytes(epoch);
  for (const EpochTable& table : epoch.tables) {
    if (table.mapped) bytes += table.num_versions * table.version_bytes;
  }
  return bytes;
}

std::vector<uint64_t> OwnLogRows(const Epoch& epoch) {
  std::vector<uint64_t> rows;
  for (const plan::TableLayout& layout : epoch.layout.tables) rows.push_back(layout.log_rows_max);
  return rows;
}

std::atomic<uint64_t>* WordAt(uint8_t* base, uint64_t index) {
  return reinterpret_cast<std::atomic<uint64_t>*>(base + index * kWordBytes);
}

// Log and fired word of every mapped table in the segment of `rank`.
void AttachWorker(const std::shared_ptr<SharedSegment>& segment, absl::Span<const uint64_t> log_rows, uint32_t rank,
                  Epoch* epoch) {
  uint64_t offset = Aligned(epoch->tables.size() * kWordBytes);
  for (size_t t = 0; t < epoch->tables.size(); ++t) {
    EpochTable* const table = &epoch->tables[t];
    if (!table->mapped) continue;
    table->fired[rank] = WordAt(segment->data(), t);
    table->peer_log_rows[rank] = log_rows[t];
    table->peer_logs[rank] = cache::UpdateLog(segment->data() + offset, protocol::NumLogEntries(table->slack_max),
                                              log_rows[t] * table->schema.row_bytes());
    offset += Aligned(LogBytes(*table, log_rows[t]));
  }
}

void AttachVersions(const EpochInput& input, Epoch* epoch) {
  uint8_t* const base = epoch->version_segment->data();
  uint64_t word = 0;
  uint64_t offset = VersionWordsBytes(*epoch);
  for (EpochTable& table : epoch->tables) {
    if (!table.mapped) continue;
    for (uint32_t i = 0; i < table.num_partitions; ++i) table.ages.push_back(WordAt(base, word++));
    table.cache = base + offset;
    table.log = table.peer_logs[input.rank];
    offset += table.num_versions * table.version_bytes;
  }
}

struct Description {
  absl::string_view worker;
  absl::string_view version;
  std::vector<uint64_t> log_rows;
};

absl::Status Decode(absl::string_view bytes, const Epoch& epoch, uint32_t rank, Description* out) {
  ByteReader reader(bytes);
  out->worker = reader.Text();
  out->version = reader.Text();
  for (const EpochTable& table : epoch.tables) {
    const uint64_t rows = reader.U64();
    if (rows > table.schema.num_rows) {
      return BadData("rank ", rank, " claims a log of ", rows, " rows for table '", table.schema.name, "' of ",
                     table.schema.num_rows);
    }
    out->log_rows.push_back(rows);
  }
  if (!reader.done())
    return BadData("rank ", rank, " described its mapped memory in ", bytes.size(), " bytes that make no sense");
  return absl::OkStatus();
}

absl::Status CheckSize(const SharedSegment& segment, uint64_t wanted, const char* what, uint32_t rank) {
  if (segment.bytes() >= wanted) return absl::OkStatus();
  return BadData("the ", what, " segment of rank ", rank, " has ", segment.bytes(), " bytes, its shape needs ", wanted);
}

}  // namespace

absl::Status CreateMappedMemory(const EpochInput& input, Epoch* epoch) {
  epoch->peer_segments.resize(input.world);
  if (!AnyMapped(*epoch)) return absl::OkStatus();
  for (EpochTable& table : epoch->tables) {
    if (!table.mapped) continue;
    table.num_versions = protocol::NumMappedVersions(table.slack_max);
    table.version_bytes = Aligned(table.schema.bytes());
    table.peer_logs.resize(input.world);
    table.peer_log_rows.assign(input.world, 0);
    table.fired.assign(input.world, nullptr);
    table.fired_seen.assign(input.world, input.clock);
  }
  const std::vector<uint64_t> log_rows = OwnLogRows(*epoch);
  GEEPS_ASSIGN_OR_RETURN(epoch->own_segment,
                         SharedSegment::Create(*input.endpoint, WorkerSegmentBytes(*epoch, log_rows)));
  AttachWorker(epoch->own_segment, log_rows, input.rank, epoch);
  for (EpochTable& table : epoch->tables) {
    if (table.mapped) table.fired[input.rank]->store(input.clock, std::memory_order_relaxed);
  }
  if (input.rank == 0) {
    GEEPS_ASSIGN_OR_RETURN(epoch->version_segment, SharedSegment::Create(*input.endpoint, VersionSegmentBytes(*epoch)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> DescribeMappedMemory(const Epoch& epoch) {
  std::string worker;
  std::string version;
  if (epoch.own_segment != nullptr) {
    GEEPS_ASSIGN_OR_RETURN(worker, epoch.own_segment->Export());
  }
  if (epoch.version_segment != nullptr) {
    GEEPS_ASSIGN_OR_RETURN(version, epoch.version_segment->Export());
  }
  ByteWriter writer;
  writer.Text(worker);
  writer.Text(version);
  for (uint64_t rows : OwnLogRows(epoch)) writer.U64(rows);
  return writer.Take();
}

absl::Status AttachMappedMemory(const EpochInput& input, absl::Span<const absl::string_view> descriptions,
                                Epoch* epoch) {
  if (!AnyMapped(*epoch)) return absl::OkStatus();
  for (uint32_t rank = 0; rank < input.world; ++rank) {
    Description description;
    GEEPS_RETURN_IF_ERROR(Decode(descriptions[rank], *epoch, rank, &description));
    if (rank == 0 && input.rank != 0) {
      GEEPS_ASSIGN_OR_RETURN(epoch->version_segment, SharedSegment::Import(*input.endpoint, description.version));
      GEEPS_RETURN_IF_ERROR(CheckSize(*epoch->version_segment, VersionSegmentBytes(*epoch), "version", rank));
    }
    if (rank == input.rank) continue;
    GEEPS_ASSIGN_OR_RETURN(epoch->peer_segments[rank], SharedSegment::Import(*input.endpoint, description.worker));
    GEEPS_RETURN_IF_ERROR(
        CheckSize(*epoch->peer_segments[rank], WorkerSegmentBytes(*epoch, description.log_rows), "worker", rank));
    AttachWorker(epoch->peer_segments[rank], description.log_rows, rank, epoch);
  }
  AttachVersions(input, epoch);
  return absl::OkStatus();
}

absl::Status DecodeFrozen(const EpochInput& input, uint32_t rank, absl::string_view bytes, std::vector<bool>* frozen) {
  ByteReader reader(bytes);
  const uint64_t count = reader.U64();
  if (count > reader.left() / 4)
    return BadData("rank ", rank, " announced ", count, " frozen partitions in ", bytes.size(), " bytes");
  for (uint64_t i = 0; i < count; ++i) {
    const uint32_t partition = reader.U32();
    if (partition >= frozen->size() || input.layout.partitions[partition].keeper != rank) {
      return BadData("rank ", rank, " speaks for partition ", partition, ", which it does not keep");
    }
    (*frozen)[partition] = true;
  }
  if (!reader.done()) return BadData("rank ", rank, " sent a list of frozen partitions that makes no sense");
  return absl::OkStatus();
}

}  // namespace geeps::movers
