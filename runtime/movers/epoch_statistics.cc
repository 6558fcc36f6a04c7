// SPDX-License-Identifier: Apache-2.0
// What an epoch contributes to the statistics.
#include <algorithm>

#include "runtime/movers/epoch.h"

namespace geeps::movers {

// Counters that go on, and new ones.
void AttachCounters(const EpochInput& input, Epoch* epoch) {
  for (EpochTable& table : epoch->tables) {
    epoch->statistics.tables.push_back(input.statistics.TableOf(table.object, table.schema));
    table.counters = epoch->statistics.tables.back().get();
    epoch->statistics.slots.push_back(std::make_shared<TableSlots>());
    table.slots = epoch->statistics.slots.back().get();
    table.log_begun = table.log_complete = input.clock;
  }
  for (size_t q = 0; q < epoch->plans.size(); ++q) {
    epoch->statistics.plans.push_back(input.statistics.PlanOf(input.plans[q]));
    epoch->plans[q].counters = epoch->statistics.plans.back().get();
  }
}

void CountSlots(Epoch* epoch) {
  for (EpochTable& table : epoch->tables) {
    table.slots->log_entries = table.contributor->num_entries();
    table.slots->version_buffers = table.num_versions;
  }
  for (const Kept& kept : epoch->kept) {
    if (kept.machine->options().frozen) continue;
    const size_t slots_each = protocol::NumLandingSlots(epoch->tables[kept.table].slack_max);
    for (const Kept::Participant& participant : kept.participants) {
      if (!participant.observer) epoch->tables[kept.table].slots->landing_slots += slots_each;
    }
  }
}

void NoteLog(EpochTable* table) {
  const protocol::Contributor::EntriesInUse in_use = table->contributor->CountEntries();
  const uint64_t filling = std::max(table->log_begun, table->log_complete) - table->log_complete;
  table->slots->log_filling.Set(filling);
  table->slots->log_complete.Set(in_use.unfired);
  table->slots->log_fired.Set(in_use.fired);
  table->slots->log_in_use.Set(filling + in_use.unfired + in_use.fired);
}

void CountMemory(const EpochInput& input, Epoch* epoch) {
  StatisticsScope* const scope = &epoch->statistics;
  scope->memory.resize(epoch->tables.size());
  for (size_t t = 0; t < epoch->tables.size(); ++t) {
    scope->memory[t].cache = epoch->tables[t].cache_memory.size();
    scope->memory[t].log = epoch->tables[t].log_memory.size();
    scope->memory[t].staging = epoch->tables[t].log_staging.size();
    for (const Landing& landing : epoch->tables[t].landings) scope->memory[t].landing += landing.own.size();
  }
  for (const Kept& kept : epoch->kept) {
    TableMemory* const memory = &scope->memory[kept.table];
    memory->kept_rows += kept.num_rows;
    memory->shard += kept.shard->memory.size();
    if (kept.shard->masters != nullptr) memory->shard += kept.shard->masters->size();
    if (kept.shard->steps != nullptr) memory->rule_state += kept.shard->steps->size();
    for (const std::shared_ptr<device::Memory>& state : kept.shard->states) {
      if (state != nullptr) memory->rule_state += state->size();
    }
    for (const Kept::Participant& participant : kept.participants) {
      memory->staging += participant.staging.size() + participant.download.size();
      for (const device::Memory& slot : participant.slot_memory) memory->landing += slot.size();
      for (const device::Memory& upload : participant.uploads) memory->landing += upload.size();
    }
  }
  scope->access_buffer_bytes = epoch->arena.size();
  for (const plan::LocalLayout& local : epoch->layout.locals) scope->local_bytes += local.num_rows * local.row_bytes;
  if (epoch->own_segment != nullptr) scope->mapped_bytes += epoch->own_segment->bytes();
  if (epoch->version_segment != nullptr && input.rank == 0) scope->mapped_bytes += epoch->version_segment->bytes();
}

}  // namespace geeps::movers
