// SPDX-License-Identifier: Apache-2.0
#include "tests/system/scenario_expect.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>

#include "tests/system/scenario_values.h"

namespace geeps::system_test {
namespace {

std::string Hex(const uint8_t* bytes, uint64_t n) {
  std::string text;
  char digits[4];
  for (uint64_t i = n; i > 0; --i) {
    std::snprintf(digits, sizeof digits, "%02x", bytes[i - 1]);
    text += digits;
  }
  return text;
}

std::string TextOf(uint64_t clock) { return clock == UINT64_MAX ? "the end" : std::to_string(clock); }

}  // namespace

Expected::Expected(const Scenario& scenario) : scenario_(scenario) {
  for (const TableSpec& table : scenario.tables) {
    references_.emplace_back(table);
    counts_.emplace_back(table, scenario.options.world);
  }
  for (uint32_t phase = 0; phase < scenario.phases.size(); ++phase) {
    AddSets(phase);
    AddUpdates(phase);
  }
}

void Expected::AddSets(uint32_t phase) {
  for (Counts& counts : counts_) counts.BeginPhase();
  bool raises = !scenario_.phases[phase].by_fence;
  std::vector<RowValues> anew(scenario_.tables.size()), keeping(scenario_.tables.size());
  for (uint32_t rank = 0; rank < scenario_.options.world; ++rank) {
    const std::vector<SetSpec>& sets = scenario_.phases[phase].sets[rank];
    raises = raises || !sets.empty();
    for (uint32_t i = 0; i < sets.size(); ++i) {
      const TableSpec& table = scenario_.tables[sets[i].table];
      const ValueKey key = {rank, kSetClock + phase, i};
      for (const uint64_t row : RowsOf(sets[i].rows, table.num_rows)) {
        if (scenario_.modes[sets[i].table].counts())
          counts_[sets[i].table].Set(row, DrawMark(scenario_.options.seed, key, row));
        std::vector<uint8_t> values(table.row_bytes());
        WriteSetRow(scenario_, key, sets[i].table, row, values.data());
        // A later set that keeps the state does not bring back what an earlier one has let go.
        RowValues& begun = anew[sets[i].table];
        RowValues& kept = keeping[sets[i].table];
        const bool keeps = sets[i].keep_state && begun.count(row) == 0;
        if (!keeps) kept.erase(row);
        (keeps ? kept : begun)[row] = values;
      }
    }
  }
  epoch_clocks_.push_back(raises ? scenario_.phases[phase].first_clock : epoch_clocks_.back());
  for (size_t t = 0; t < references_.size(); ++t) {
    if (!scenario_.modes[t].counts()) references_[t].Set(anew[t], keeping[t]);
  }
}

void Expected::AddUpdates(uint32_t phase_index) {
  const PhaseSpec& phase = scenario_.phases[phase_index];
  // contributions[clock][table][rank]
  std::map<uint64_t, std::vector<std::vector<RowValues>>> clocks;
  for (uint32_t rank = 0; rank < scenario_.options.world; ++rank) {
    for (size_t p = 0; p < phase.passes[rank].size(); ++p) {
      const PassSpec& pass = phase.passes[rank][p];
      const PlanSpec& plan = phase.plans[rank][pass.plan];
      if (plan.no_clock) continue;
      auto& by_table = clocks[pass.clock];
      by_table.resize(scenario_.tables.size(), std::vector<RowValues>(scenario_.options.world));
      for (size_t s = 0; s < plan.steps.size(); ++s) {
        const StepSpec& step = plan.steps[s];
        const OpSpec& op = plan.ops[step.op];
        if (!step.end || !op.is_update || pass.leave[step.op] != Leave::kNothing) continue;
        if (scenario_.modes[op.table].counts()) {
          CountOperation(op, step.op, rank, {phase_index, pass.clock, PlaceOf(phase_index, p, s), 0});
        } else {
          AddOperation(op, step.op, rank, pass.clock, &by_table[op.table][rank]);
        }
      }
    }
  }
  for (const auto& [clock, by_table] : clocks) {
    for (size_t t = 0; t < by_table.size(); ++t) {
      if (!scenario_.modes[t].counts()) references_[t].Advance(by_table[t], RateOf(scenario_, clock));
    }
  }
}

void Expected::AddOperation(const OpSpec& op, uint32_t op_index, uint32_t rank, uint64_t clock, RowValues* into) const {
  const TableSpec& table = scenario_.tables[op.table];
  std::vector<uint8_t> values(table.row_bytes());
  for (const uint64_t row : RowsOf(op.rows, table.num_rows)) {
    WriteContribution(scenario_, {rank, clock, op_index}, op, row, values.data());
    AddUpdate(table, row, values.data(), into);
  }
}

void Expected::CountOperation(const OpSpec& op, uint32_t op_index, uint32_t rank, const Counts::Update& update) {
  for (const uint64_t row : RowsOf(op.rows, scenario_.tables[op.table].num_rows)) {
    Counts::Update marked = update;
    marked.mark = DrawMark(scenario_.options.seed, {rank, update.clock, op_index}, row);
    counts_[op.table].Add(row, rank, marked);
  }
}

Expected::Ages Expected::AgesOf(const Sight& sight) const {
  const PhaseSpec& phase = scenario_.phases[sight.phase];
  if (sight.is_get) return {std::max(sight.min_age, phase.first_clock), phase.end_clock};
  if (Observes(sight)) return {phase.first_clock, phase.end_clock};
  // Of own clocks: the one that runs has ended for the table when nothing of the pass updates it any more.
  if (scenario_.modes[sight.table].async) return {phase.first_clock, sight.clock + 1};
  return {std::max(sight.clock - std::min<uint64_t>(sight.clock, sight.slack), phase.first_clock), sight.clock};
}

std::string Expected::CheckAges(const Sight& sight, std::vector<uint64_t>* before) const {
  const bool says_nothing = scenario_.modes[sight.table].async && (sight.is_get || Observes(sight));
  if (says_nothing || sight.rows.empty()) return "";
  const Ages ages = AgesOf(sight);
  const std::string told = std::to_string(sight.min_age) + " to " + std::to_string(sight.max_age);
  if (sight.is_get) {
    return sight.min_age <= ages.newest ? "" : "a get has age " + std::to_string(sight.min_age);
  }
  if (sight.min_age < ages.oldest || sight.min_age > sight.max_age || sight.max_age > ages.newest) {
    return "a read with slack " + std::to_string(sight.slack) + " has ages " + told;
  }
  if (sight.min_age < (*before)[0] || sight.max_age < (*before)[1]) {
    return "a read has ages " + told + " after ages " + std::to_string((*before)[0]) + " to " +
           std::to_string((*before)[1]);
  }
  (*before)[0] = sight.min_age;
  (*before)[1] = sight.max_age;
  return "";
}

std::string Expected::Check(const Sight& sight, std::vector<uint64_t>* before) const {
  const uint64_t world = scenario_.options.world;
  before->resize(2 + (scenario_.modes[sight.table].counts() ? sight.rows.size() * world : 0));
  std::string problem = CheckAges(sight, before);
  for (uint64_t i = 0; i < sight.rows.size() && problem.empty(); ++i) {
    problem = scenario_.modes[sight.table].counts() ? CheckCounts(sight, i, before->data() + 2 + i * world)
                                                    : CheckBits(sight, i);
  }
  return problem;
}

// Each row is that of a version of an age that may show and that the view names, bit by bit.
std::string Expected::CheckBits(const Sight& sight, uint64_t index) const {
  const TableSpec& table = scenario_.tables[sight.table];
  const uint64_t row = sight.rows[index];
  const uint8_t* const got = sight.values + index * table.row_bytes();
  // A get names its smallest age only, of rows that nobody updates the one that it asked for.
  const uint64_t oldest = sight.is_get ? AgesOf(sight).oldest : sight.min_age;
  const uint64_t newest = sight.is_get ? AgesOf(sight).newest : sight.max_age;
  for (uint64_t age = oldest; age <= newest; ++age) {
    if (std::memcmp(got, Version(sight, age, row), table.row_bytes()) == 0) return "";
  }
  const uint8_t* const want = Version(sight, newest, row);
  uint64_t column = 0;
  const uint64_t n = table.value_bytes();
  while (column + 1 < table.row_values && std::memcmp(got + column * n, want + column * n, n) == 0) ++column;
  std::string problem = table.name + ", row " + std::to_string(row) + ", column " + std::to_string(column) + " is " +
                        Hex(got + column * n, n) + ", not " + Hex(want + column * n, n) + " of version " +
                        std::to_string(newest);
  const Reference& reference = references_[sight.table];
  for (uint64_t i = 0; i < reference.num_versions(); ++i) {
    if (std::memcmp(got, reference.Row(i, row), table.row_bytes()) != 0) continue;
    return problem + "; it is the row of version " + std::to_string(i) + ", where that one has the number " +
           std::to_string(newest - scenario_.options.first_clock + sight.phase + 1);
  }
  return problem;
}

bool Expected::Shows(const Sight& sight, uint64_t row, const std::vector<Counts::Prefix>& prefixes) const {
  const TableMode& mode = scenario_.modes[sight.table];
  const bool has_own = !sight.is_get && !Observes(sight);
  const bool is_copy = !sight.is_get;  // a get shows what the keeper has
  const uint64_t contained =
      mode.async && is_copy ? epoch_clocks_[sight.phase] : scenario_.phases[sight.phase].first_clock;
  // The ages of which one version shows, as far as the workers looked at so far allow.
  Ages ages = AgesOf(sight);
  if (!mode.async && !sight.is_get) ages = {std::max(ages.oldest, sight.min_age), std::min(ages.newest, sight.max_age)};
  for (uint32_t rank = 0; rank < prefixes.size(); ++rank) {
    const Counts::Prefix& prefix = prefixes[rank];
    const bool is_own = has_own && rank == sight.rank;
    if (is_own && mode.read_my_writes) {
      if (prefix.count != counts_[sight.table].CountBefore(sight.phase, row, rank, sight.place)) return false;
      continue;
    }
    if (!prefix.whole || prefix.most < contained) return false;
    // Own clocks of an async table below one number between those of the view.
    if (is_own && (prefix.least > sight.max_age || prefix.most < sight.min_age)) return false;
    if (mode.async) continue;
    ages = {std::max(ages.oldest, prefix.least), std::min(ages.newest, prefix.most)};
  }
  return mode.async || ages.oldest <= ages.newest;
}

std::string Expected::CheckCounts(const Sight& sight, uint64_t index, uint64_t* before) const {
  const TableSpec& table = scenario_.tables[sight.table];
  const uint64_t row = sight.rows[index];
  const uint8_t* const got = sight.values + index * table.row_bytes();
  const std::vector<Counts::Prefix> prefixes = counts_[sight.table].PrefixesOf(sight.phase, row, got);
  bool goes_back = false;
  for (size_t rank = 0; rank < prefixes.size(); ++rank) {
    goes_back = goes_back || prefixes[rank].count < before[rank];
    before[rank] = prefixes[rank].count;
  }
  if (!goes_back && !prefixes.empty() && Shows(sight, row, prefixes)) return "";
  std::string problem = table.name + ", row " + std::to_string(row) + (goes_back ? " goes back: it" : "");
  if (prefixes.empty()) {
    problem += " has the lanes";
    for (uint64_t i = 0; i <= scenario_.options.world; ++i)
      problem += " " + std::to_string(LoadNumber(table.dtype, got + i * table.value_bytes()));
    return problem + ", which are nobody's updates";
  }
  problem += " shows";
  for (size_t rank = 0; rank < prefixes.size(); ++rank) {
    problem += (rank == 0 ? " " : ", ") + std::to_string(prefixes[rank].count) + " of rank " + std::to_string(rank) +
               " (clocks below " + TextOf(prefixes[rank].least) + " to " + TextOf(prefixes[rank].most) + ")";
  }
  return problem + "; ages " + std::to_string(sight.min_age) + " to " + std::to_string(sight.max_age);
}

}  // namespace geeps::system_test
