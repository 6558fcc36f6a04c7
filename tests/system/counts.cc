// SPDX-License-Identifier: Apache-2.0
#include "tests/system/counts.h"

#include <algorithm>

namespace geeps::system_test {

Counts::Counts(const TableSpec& spec, uint32_t world) : spec_(spec), world_(world), updates_(spec.num_rows * world) {}

void Counts::BeginPhase() { bases_.push_back(bases_.empty() ? std::vector<Base>(spec_.num_rows) : bases_.back()); }

void Counts::Set(uint64_t row, double mark) { bases_.back()[row] = {static_cast<uint32_t>(bases_.size() - 1), mark}; }

void Counts::Add(uint64_t row, uint32_t rank, const Update& update) { updates_[row * world_ + rank].push_back(update); }

uint64_t Counts::FirstOf(const Base& base, uint64_t row, uint32_t rank) const {
  const std::vector<Update>& all = UpdatesOf(row, rank);
  const auto is_before = [](const Update& update, uint32_t phase) { return update.phase < phase; };
  return static_cast<uint64_t>(std::lower_bound(all.begin(), all.end(), base.since, is_before) - all.begin());
}

uint64_t Counts::CountBefore(uint32_t phase, uint64_t row, uint32_t rank, uint64_t place) const {
  const std::vector<Update>& all = UpdatesOf(row, rank);
  const auto is_before = [](const Update& update, uint64_t limit) { return update.place < limit; };
  const auto end = std::lower_bound(all.begin(), all.end(), place, is_before);
  return static_cast<uint64_t>(end - all.begin()) - FirstOf(bases_[phase][row], row, rank);
}

std::vector<Counts::Prefix> Counts::PrefixesOf(uint32_t phase, uint64_t row, const uint8_t* values) const {
  const Base& base = bases_[phase][row];
  const auto number = [&](uint64_t column) { return LoadNumber(spec_.dtype, values + column * spec_.value_bytes()); };
  std::vector<Prefix> prefixes;
  double mark = base.mark;
  for (uint32_t rank = 0; rank < world_; ++rank) {
    const std::vector<Update>& all = UpdatesOf(row, rank);
    const uint64_t first = FirstOf(base, row, rank);
    const double lane = number(rank);
    if (!(lane >= 0 && lane <= static_cast<double>(all.size() - first))) return {};
    Prefix prefix;
    prefix.count = static_cast<uint64_t>(lane);
    if (static_cast<double>(prefix.count) != lane) return {};
    const uint64_t end = first + prefix.count;
    for (uint64_t i = first; i < end; ++i) mark += all[i].mark;
    if (end > first) prefix.least = all[end - 1].clock + 1;
    if (end < all.size()) prefix.most = all[end].clock;
    prefix.whole = prefix.least <= prefix.most;
    prefixes.push_back(prefix);
  }
  for (uint64_t column = world_; column < spec_.row_values; ++column) {
    if (number(column) != mark) return {};
  }
  return prefixes;
}

}  // namespace geeps::system_test
