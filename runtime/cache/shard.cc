// SPDX-License-Identifier: Apache-2.0
#include "runtime/cache/shard.h"

#include <utility>
#include <vector>

#include "runtime/base/status.h"
#include "runtime/table/fold.h"
#include "runtime/table/init.h"

namespace geeps::cache {
namespace {

// Waits for what was put into `stream`: shards change at commits only, where nothing else runs.
absl::Status Finish(const device::Device& device, const device::Stream& stream) {
  if (device.is_synchronous()) return absl::OkStatus();
  GEEPS_ASSIGN_OR_RETURN(device::Event event, device.CreateEvent());
  GEEPS_RETURN_IF_ERROR(stream.Record(event));
  return event.Wait("shard.moved");
}

// Puts work into `stream` and waits for it, also when some of it could not be put there: memory that goes after a
// failure must not be in use.
template <typename Fill>
absl::Status FillAndFinish(const device::Device& device, const device::Stream& stream, Fill&& fill) {
  const absl::Status filled = CatchOutOfMemory(fill);
  const auto finish = [&] { return Finish(device, stream); };
  const absl::Status finished = CatchOutOfMemory(finish);
  if (!finished.ok()) CatchOutOfMemory(finish).IgnoreError();  // a wait that found no memory is tried once more
  return filled.ok() ? finished : filled;
}

// Memory full of zeros, once `stream` is done.
absl::Status Zeros(const device::Device& device, const device::Stream& stream, uint64_t bytes,
                   std::shared_ptr<device::Memory>* out) {
  *out = std::make_shared<device::Memory>();
  GEEPS_ASSIGN_OR_RETURN(**out, device.Allocate(device::MemoryKind::kDevice, bytes));
  return stream.Fill((*out)->data(), 0, bytes);
}

absl::Status Place(const device::Device& device, uint64_t bytes, uint8_t* mapped, std::shared_ptr<void> segment,
                   ShardPartition* shard) {
  if (mapped != nullptr) {
    shard->values = mapped;
    shard->segment = std::move(segment);
    return absl::OkStatus();
  }
  GEEPS_ASSIGN_OR_RETURN(shard->memory, device.Allocate(device::MemoryKind::kDevice, bytes));
  shard->values = shard->memory.bytes();
  return absl::OkStatus();
}

// What is copied from, until Finish.
struct Staging {
  device::Memory initial;
  device::Memory rounded;
};

absl::Status FillNew(const device::Device& device, const device::Stream& stream, const table::TableSchema& schema,
                     const table::Partition& partition, Staging* staging, ShardPartition* shard) {
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
    GEEPS_RETURN_IF_ERROR(Zeros(device, stream, state_bytes, &shard->states[i]));
  }
  if (!schema.rule->counts_steps) return absl::OkStatus();
  return Zeros(device, stream, partition.num_rows * sizeof(uint64_t), &shard->steps);
}

}  // namespace

absl::StatusOr<std::shared_ptr<ShardPartition>> NewShardPartition(const device::Device& device,
                                                                  const device::Stream& stream,
                                                                  const table::TableSchema& schema,
                                                                  const table::Partition& partition, uint8_t* mapped,
                                                                  std::shared_ptr<void> segment) {
  auto shard = std::make_shared<ShardPartition>();
  GEEPS_RETURN_IF_ERROR(
      Place(device, partition.num_rows * schema.row_bytes(), mapped, std::move(segment), shard.get()));
  Staging staging;
  GEEPS_RETURN_IF_ERROR(
      FillAndFinish(device, stream, [&] { return FillNew(device, stream, schema, partition, &staging, shard.get()); }));
  return shard;
}

absl::StatusOr<std::shared_ptr<ShardPartition>> MovedShardPartition(const device::Device& device,
                                                                    const device::Stream& stream,
                                                                    const ShardPartition& old, uint64_t bytes,
                                                                    uint8_t* mapped, std::shared_ptr<void> segment) {
  auto shard = std::make_shared<ShardPartition>();
  GEEPS_RETURN_IF_ERROR(Place(device, bytes, mapped, std::move(segment), shard.get()));
  for (int i = 0; i < table::kMaxRuleStates; ++i) shard->states[i] = old.states[i];
  shard->steps = old.steps;
  shard->masters = old.masters;
  GEEPS_RETURN_IF_ERROR(FillAndFinish(device, stream, [&] { return stream.Copy(shard->values, old.values, bytes); }));
  return shard;
}

}  // namespace geeps::cache
