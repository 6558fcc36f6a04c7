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

// Memory full of zeros, once `stream` is done.
absl::StatusOr<std::shared_ptr<device::Memory>> Zeros(const device::Device& device, const device::Stream& stream,
                                                      uint64_t bytes) {
  GEEPS_ASSIGN_OR_RETURN(device::Memory memory, device.Allocate(device::MemoryKind::kDevice, bytes));
  GEEPS_RETURN_IF_ERROR(stream.Fill(memory.data(), 0, bytes));
  return std::make_shared<device::Memory>(std::move(memory));
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

}  // namespace

absl::StatusOr<std::shared_ptr<ShardPartition>> NewShardPartition(const device::Device& device,
                                                                  const device::Stream& stream,
                                                                  const table::TableSchema& schema,
                                                                  const table::Partition& partition, uint8_t* mapped,
                                                                  std::shared_ptr<void> segment) {
  auto shard = std::make_shared<ShardPartition>();
  const uint64_t bytes = partition.num_rows * schema.row_bytes();
  GEEPS_RETURN_IF_ERROR(Place(device, bytes, mapped, std::move(segment), shard.get()));
  const uint64_t num_values = partition.num_rows * schema.row_values;
  const uint64_t state_bytes = num_values * ValueBytes(AccumulateDType(schema.dtype));
  GEEPS_ASSIGN_OR_RETURN(device::Memory initial, device.Allocate(device::MemoryKind::kPinned, state_bytes));
  table::FillInitial(schema, partition.first_row, partition.num_rows, initial.data());
  device::Memory rounded;  // until Finish
  if (HasMasters(schema.dtype)) {
    GEEPS_ASSIGN_OR_RETURN(rounded, device.Allocate(device::MemoryKind::kPinned, bytes));
    table::RoundInto(schema.dtype, num_values, initial.data(), rounded.data());
    GEEPS_ASSIGN_OR_RETURN(device::Memory masters, device.Allocate(device::MemoryKind::kDevice, state_bytes));
    shard->masters = std::make_shared<device::Memory>(std::move(masters));
    GEEPS_RETURN_IF_ERROR(stream.Copy(shard->masters->data(), initial.data(), state_bytes));
  }
  GEEPS_RETURN_IF_ERROR(stream.Copy(shard->values, rounded ? rounded.data() : initial.data(), bytes));
  for (int i = 0; i < schema.rule->num_states; ++i) {
    GEEPS_ASSIGN_OR_RETURN(shard->states[i], Zeros(device, stream, state_bytes));
  }
  if (schema.rule->counts_steps) {
    GEEPS_ASSIGN_OR_RETURN(shard->steps, Zeros(device, stream, partition.num_rows * sizeof(uint64_t)));
  }
  GEEPS_RETURN_IF_ERROR(Finish(device, stream));
  return shard;
}

absl::StatusOr<std::shared_ptr<ShardPartition>> MovedShardPartition(const device::Device& device,
                                                                    const device::Stream& stream,
                                                                    const ShardPartition& old, uint64_t bytes,
                                                                    uint8_t* mapped, std::shared_ptr<void> segment) {
  auto shard = std::make_shared<ShardPartition>();
  GEEPS_RETURN_IF_ERROR(Place(device, bytes, mapped, std::move(segment), shard.get()));
  GEEPS_RETURN_IF_ERROR(stream.Copy(shard->values, old.values, bytes));
  for (int i = 0; i < table::kMaxRuleStates; ++i) shard->states[i] = old.states[i];
  shard->steps = old.steps;
  shard->masters = old.masters;
  GEEPS_RETURN_IF_ERROR(Finish(device, stream));
  return shard;
}

}  // namespace geeps::cache
