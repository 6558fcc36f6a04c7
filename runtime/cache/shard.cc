// SPDX-License-Identifier: Apache-2.0
#include "runtime/cache/shard.h"

#include <cstring>
#include <utility>
#include <vector>

#include "runtime/base/status.h"
#include "runtime/table/fold.h"
#include "runtime/table/init.h"

namespace geeps::cache {
namespace {

// Waits for what was put into `stream`: shards change at commits only, where nothing else runs.
absl::Status Finish(const Home& home) {
  if (home.device->is_synchronous()) return absl::OkStatus();
  GEEPS_ASSIGN_OR_RETURN(device::Event event, home.device->CreateEvent());
  GEEPS_RETURN_IF_ERROR(home.stream->Record(event));
  return event.Wait("shard.moved");
}

// Puts work into `stream` and waits for it, also when some of it could not be put there: memory that goes after a
// failure must not be in use.
template <typename Fill>
absl::Status FillAndFinish(const Home& home, Fill&& fill) {
  const absl::Status filled = CatchOutOfMemory(fill);
  const auto finish = [&] { return Finish(home); };
  const absl::Status finished = CatchOutOfMemory(finish);
  if (!finished.ok()) CatchOutOfMemory(finish).IgnoreError();  // a wait that found no memory is tried once more
  return filled.ok() ? finished : filled;
}

// Memory full of zeros, once `stream` is done.
absl::Status Zeros(const Home& home, uint64_t bytes, std::shared_ptr<device::Memory>* out) {
  *out = std::make_shared<device::Memory>();
  GEEPS_ASSIGN_OR_RETURN(**out, home.device->Allocate(device::MemoryKind::kDevice, bytes));
  return home.stream->Fill((*out)->data(), 0, bytes);
}

absl::Status Place(const Home& home, uint64_t bytes, uint8_t* mapped, std::shared_ptr<void> segment,
                   ShardPartition* shard) {
  shard->home = &home;
  if (mapped != nullptr) {
    shard->values = mapped;
    shard->segment = std::move(segment);
    return absl::OkStatus();
  }
  GEEPS_ASSIGN_OR_RETURN(shard->memory, home.AllocateValues(bytes));
  shard->values = shard->memory.bytes();
  return absl::OkStatus();
}

// What is copied from, until Finish.
struct Staging {
  device::Memory initial;
  device::Memory rounded;
};

absl::Status FillNew(const Home& home, const table::TableSchema& schema, const table::Partition& partition,
                     Staging* staging, ShardPartition* shard) {
  const device::Device& device = *home.device;
  const device::Stream& stream = *home.stream;
  const uint64_t bytes = partition.num_rows * schema.row_bytes();
  const uint64_t num_values = partition.num_rows * schema.row_values;
  const uint64_t state_bytes = num_values * ValueBytes(AccumulateDType(schema.dtype));
  GEEPS_ASSIGN_OR_RETURN(staging->initial, device.Allocate(device::MemoryKind::kPinned, state_bytes));
  const device::Memory& initial = staging->initial;
  table::FillInitial(schema, partition.first_row, partition.num_rows, initial.data());
  if (HasMasters(schema.dtype)) {
    GEEPS_ASSIGN_OR_RETURN(staging->rounded, device.Allocate(device::MemoryKind::kPinned, bytes));
    table::RoundInto(schema.dtype, num_values, initial.data(), staging->rounded.data());
    shard->masters = std::make_shared<device::Memory>();
    GEEPS_ASSIGN_OR_RETURN(*shard->masters, device.Allocate(device::MemoryKind::kDevice, state_bytes));
    GEEPS_RETURN_IF_ERROR(stream.Copy(shard->masters->data(), initial.data(), state_bytes));
  }
  GEEPS_RETURN_IF_ERROR(stream.Copy(shard->values, staging->rounded ? staging->rounded.data() : initial.data(), bytes));
  for (int i = 0; i < schema.rule->num_states; ++i) {
    GEEPS_RETURN_IF_ERROR(Zeros(home, state_bytes, &shard->states[i]));
  }
  if (!schema.rule->counts_steps) return absl::OkStatus();
  return Zeros(home, partition.num_rows * sizeof(uint64_t), &shard->steps);
}

// What WriteRows makes of the values: the same, and widened.
struct NewRows {
  device::Memory values;
  device::Memory widened;
};

absl::Status WriteByCopies(const table::TableSchema& schema, uint64_t first_row, uint64_t num_rows, bool keep_state,
                           const void* values, NewRows* staging, ShardPartition* shard) {
  const device::Device& device = *shard->home->device;
  const device::Stream& stream = *shard->home->stream;
  const uint64_t bytes = num_rows * schema.row_bytes();
  const uint64_t num_values = num_rows * schema.row_values;
  const uint64_t value_bytes = ValueBytes(AccumulateDType(schema.dtype));
  const uint64_t first = first_row * schema.row_values * value_bytes;
  GEEPS_ASSIGN_OR_RETURN(staging->values, device.Allocate(device::MemoryKind::kPinned, bytes));
  std::memcpy(staging->values.data(), values, bytes);
  GEEPS_RETURN_IF_ERROR(stream.Copy(shard->values + first_row * schema.row_bytes(), staging->values.data(), bytes));
  if (shard->masters != nullptr) {
    GEEPS_ASSIGN_OR_RETURN(staging->widened, device.Allocate(device::MemoryKind::kPinned, num_values * value_bytes));
    table::WidenInto(schema.dtype, num_values, values, staging->widened.data());
    GEEPS_RETURN_IF_ERROR(
        stream.Copy(shard->masters->bytes() + first, staging->widened.data(), num_values * value_bytes));
  }
  if (keep_state) return absl::OkStatus();
  for (int i = 0; i < schema.rule->num_states; ++i) {
    GEEPS_RETURN_IF_ERROR(stream.Fill(shard->states[i]->bytes() + first, 0, num_values * value_bytes));
  }
  if (shard->steps == nullptr) return absl::OkStatus();
  return stream.Fill(shard->steps->bytes() + first_row * sizeof(uint64_t), 0, num_rows * sizeof(uint64_t));
}

void WriteInPlace(const table::TableSchema& schema, uint64_t first_row, uint64_t num_rows, bool keep_state,
                  const void* values, ShardPartition* shard) {
  const uint64_t num_values = num_rows * schema.row_values;
  const uint64_t value_bytes = ValueBytes(AccumulateDType(schema.dtype));
  const uint64_t first = first_row * schema.row_values * value_bytes;
  std::memcpy(shard->values + first_row * schema.row_bytes(), values, num_rows * schema.row_bytes());
  if (shard->masters != nullptr) {
    table::WidenInto(schema.dtype, num_values, values, shard->masters->bytes() + first);
  }
  if (keep_state) return;
  for (int i = 0; i < schema.rule->num_states; ++i) {
    std::memset(shard->states[i]->bytes() + first, 0, num_values * value_bytes);
  }
  if (shard->steps == nullptr) return;
  std::memset(shard->steps->bytes() + first_row * sizeof(uint64_t), 0, num_rows * sizeof(uint64_t));
}

}  // namespace

absl::Status WriteRows(const table::TableSchema& schema, uint64_t first_row, uint64_t num_rows, const void* values,
                       bool keep_state, ShardPartition* shard) {
  if (shard->home->device->is_host_accessible()) {
    WriteInPlace(schema, first_row, num_rows, keep_state, values, shard);
    return absl::OkStatus();
  }
  NewRows staging;
  return FillAndFinish(*shard->home,
                       [&] { return WriteByCopies(schema, first_row, num_rows, keep_state, values, &staging, shard); });
}

absl::Status ReadValues(const Home& home, const uint8_t* values, uint64_t bytes, void* out) {
  if (home.device->is_host_accessible()) {
    std::memcpy(out, values, bytes);
    return absl::OkStatus();
  }
  GEEPS_ASSIGN_OR_RETURN(const device::Memory staging, home.device->Allocate(device::MemoryKind::kPinned, bytes));
  GEEPS_RETURN_IF_ERROR(FillAndFinish(home, [&] { return home.stream->Copy(staging.data(), values, bytes); }));
  std::memcpy(out, staging.data(), bytes);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<ShardPartition>> NewShardPartition(const Home& home, const table::TableSchema& schema,
                                                                  const table::Partition& partition, uint8_t* mapped,
                                                                  std::shared_ptr<void> segment) {
  auto shard = std::make_shared<ShardPartition>();
  GEEPS_RETURN_IF_ERROR(Place(home, partition.num_rows * schema.row_bytes(), mapped, std::move(segment), shard.get()));
  Staging staging;
  GEEPS_RETURN_IF_ERROR(FillAndFinish(home, [&] { return FillNew(home, schema, partition, &staging, shard.get()); }));
  return shard;
}

absl::StatusOr<std::shared_ptr<ShardPartition>> MovedShardPartition(const ShardPartition& old, uint64_t bytes,
                                                                    uint8_t* mapped, std::shared_ptr<void> segment) {
  auto shard = std::make_shared<ShardPartition>();
  GEEPS_RETURN_IF_ERROR(Place(*old.home, bytes, mapped, std::move(segment), shard.get()));
  for (int i = 0; i < table::kMaxRuleStates; ++i) shard->states[i] = old.states[i];
  shard->steps = old.steps;
  shard->masters = old.masters;
  GEEPS_RETURN_IF_ERROR(
      FillAndFinish(*old.home, [&] { return old.home->stream->Copy(shard->values, old.values, bytes); }));
  return shard;
}

}  // namespace geeps::cache
