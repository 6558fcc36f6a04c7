// SPDX-License-Identifier: Apache-2.0
// World: the begin and the end of an epoch at one worker (docs/protocol.md, section 10).
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/sim/world.h"

namespace geeps::sim {

bool World::Drain(uint32_t w) {
  WorkerState& worker = state_.workers[w];
  const protocol::Clock clock = worker.program.clock;
  if (!worker.notices.empty() || !worker.drains.empty() || !worker.sequencer->Discard()) return false;
  for (auto& plan : worker.ops) {
    for (OpState& op : plan) op.ready_pass = 0;
  }
  for (uint32_t t = 0; t < worker.subscribers.size(); ++t) {
    const WorldInput::Table& table = spec_->input.tables[t];
    for (const protocol::SubscriberPartition& subscriber : worker.subscribers[t]) {
      if (table.async && table.IsObserver(w)) continue;
      const protocol::Clock contained = subscriber.own_clock();
      if (contained == protocol::kNoAge || (!subscriber.frozen() && contained < clock)) return false;
    }
  }
  return true;
}

std::string World::DescribeDrain(uint32_t w) const {
  const WorkerState& worker = state_.workers[w];
  std::string text = absl::StrCat("at clock ", worker.program.clock, ": ", worker.notices.size(), " notices, ",
                                  worker.drains.size(), " drains");
  for (uint32_t t = 0; t < worker.subscribers.size(); ++t) {
    for (uint32_t s = 0; s < worker.subscribers[t].size(); ++s) {
      const protocol::SubscriberPartition& subscriber = worker.subscribers[t][s];
      const uint32_t p = spec_->workers[w].tables[t].subscriptions[s].partition;
      if (subscriber.frozen() || subscriber.own_clock() == worker.program.clock) continue;
      absl::StrAppend(&text, ", partition ", p, " has ", static_cast<int64_t>(subscriber.own_clock()), " kept ",
                      state_.keepers[p].machine->age());
    }
  }
  return text;
}

bool World::IsAbsorbed(uint32_t w) const {
  for (const auto& table : state_.workers[w].subscribers) {
    for (const protocol::SubscriberPartition& subscriber : table) {
      if (subscriber.absorbed() == protocol::kNoAge) return false;
    }
  }
  return true;
}

bool World::ObserversDone(uint32_t w) const {
  for (uint32_t p = 0; p < spec_->partitions.size(); ++p) {
    if (spec_->partitions[p].where.keeper == w && !state_.keepers[p].machine->ObserversDone()) return false;
  }
  return true;
}

std::vector<double> World::KeptValues(uint32_t p) const {
  const PartitionSpec& partition = spec_->partitions[p];
  const protocol::KeeperPartition& keeper = *state_.keepers[p].machine;
  const double* values = state_.memory.at(partition.versions[keeper.VersionBuffer(keeper.age())]);
  return std::vector<double>(values, values + partition.num_values);
}

std::vector<std::vector<double>> World::KeptStates(uint32_t p) const {
  std::vector<std::vector<double>> states;
  for (uint32_t offset : spec_->partitions[p].states) {
    const double* values = state_.memory.at(offset);
    states.emplace_back(values, values + spec_->partitions[p].num_values);
  }
  return states;
}

void World::TakeOver(const World& before, uint32_t w) {
  for (uint32_t p = 0; p < spec_->partitions.size(); ++p) {
    const PartitionSpec& partition = spec_->partitions[p];
    if (partition.where.keeper != w) continue;
    const std::vector<double> values = before.KeptValues(p);
    const std::vector<std::vector<double>> states = before.KeptStates(p);
    const protocol::KeeperPartition& keeper = *state_.keepers[p].machine;
    std::copy(values.begin(), values.end(), state_.memory.at(partition.versions[keeper.VersionBuffer(keeper.age())]));
    for (size_t s = 0; s < states.size(); ++s) {
      std::copy(states[s].begin(), states[s].end(), state_.memory.at(partition.states[s]));
    }
  }
}

void World::ApplySet(const protocol::StagedSet& set, const std::vector<double>& values) {
  const PartitionSpec& partition = spec_->partitions[set.partition];
  const protocol::KeeperPartition& keeper = *state_.keepers[set.partition].machine;
  const uint32_t first = set.first_row * spec_->lanes(partition.where.table);
  const uint32_t version = partition.versions[keeper.VersionBuffer(keeper.age())];
  std::copy(values.begin(), values.end(), state_.memory.at(version + first));
  for (uint32_t states : partition.states) {
    if (!set.keep_state) std::fill_n(state_.memory.at(states + first), values.size(), 0.0);
  }
}

void World::ReleaseHeld(uint32_t w) {
  for (uint32_t from = 0; from < spec_->world; ++from) ArriveIfTaken(from * spec_->world + w);
}

}  // namespace geeps::sim
