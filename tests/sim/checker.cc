// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/checker.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/table/reference_rule.h"

namespace geeps::sim {

using protocol::Age;
using protocol::Clock;

namespace {

bool SameBits(const double* a, const double* b, size_t n) { return std::memcmp(a, b, n * sizeof(double)) == 0; }

std::string NameOf(const ReadRecord& record) {
  if (record.get) return absl::StrCat("get of table ", record.table, " by worker ", record.reader);
  return absl::StrCat("read of table ", record.table, " by worker ", record.reader, " at clock ", record.clock,
                      " with slack ", record.slack);
}

// "lanes 3 3 2, checksum 1234": what a row shows.
std::string ShowRow(const CheckedTable& table, const double* values) {
  std::string text = table.lanes ? "lanes" : "values";
  for (uint32_t i = 0; i < table.row_values; ++i) {
    absl::StrAppend(&text, table.lanes && i + 1 == table.row_values ? ", checksum " : " ", values[i]);
  }
  return text;
}

// Ages of one partition of a record whose rows all match: the range searched is [low, high].
class PartitionView {
 public:
  PartitionView(const Reference& reference, const ReadRecord& record, size_t begin, size_t end)
      : reference_(reference), record_(record), begin_(begin), end_(end) {}

  bool RowMatches(size_t i, Age age) const {
    const uint32_t lanes = reference_.world().tables[record_.table].row_values;
    const double* version = reference_.Row(record_.table, record_.rows[i], age);
    if (record_.own.empty()) return SameBits(&record_.values[i * lanes], version, lanes);
    // Read-my-writes: the own updates of clocks that the version does not contain come on top. All are integers.
    for (uint32_t lane = 0; lane < lanes; ++lane) {
      const double later = OwnBelow(i, lane, record_.clock) - OwnBelow(i, lane, std::min(age, record_.clock));
      if (record_.values[i * lanes + lane] != version[lane] + later + record_.own[i * lanes + lane]) return false;
    }
    return true;
  }
  bool AllMatch(Age age) const {
    for (size_t i = begin_; i < end_; ++i) {
      if (!RowMatches(i, age)) return false;
    }
    return true;
  }

 private:
  double OwnBelow(size_t i, uint32_t lane, Clock end) const {
    return reference_.ledger().SumBelow(record_.reader, record_.table, record_.rows[i], lane, end);
  }

  const Reference& reference_;
  const ReadRecord& record_;
  size_t begin_;
  size_t end_;
};

// Why no version in [low, high] fits rows [begin, end) of the record.
std::string Explain(const Reference& reference, const ReadRecord& record, uint32_t partition, size_t begin, size_t end,
                    Age low, Age high) {
  const Age first = reference.world().first_clock;
  const Age complete = reference.Complete(partition);
  const PartitionView view(reference, record, begin, end);
  const std::string where = absl::StrCat(NameOf(record), ": partition ", partition);
  for (Age age = first; age <= complete; ++age) {
    if (!view.AllMatch(age)) continue;
    return absl::StrCat(where, age < low ? " is too old: version " : " is too new: version ", age, ", allowed ", low,
                        " to ", high);
  }
  std::string text = absl::StrCat(where, " is no version (allowed ", low, " to ", high, ", complete ", complete, "): ");
  const CheckedTable& table = reference.world().tables[record.table];
  for (size_t i = begin; i < end; ++i) {
    absl::StrAppend(&text, "row ", record.rows[i], " = ");
    bool found = false;
    for (Age age = first; age <= complete && !found; ++age) {
      if (!view.RowMatches(i, age)) continue;
      absl::StrAppend(&text, "version ", age, "; ");
      found = true;
    }
    if (!found) {
      absl::StrAppend(&text, "torn or miscounted, ", ShowRow(table, &record.values[i * table.row_values]));
      if (high >= first && high <= complete) {
        absl::StrAppend(&text, " instead of ", ShowRow(table, reference.Row(record.table, record.rows[i], high)));
      }
      break;
    }
  }
  return text;
}

}  // namespace

Reference::Reference(CheckedWorld world) : world_(std::move(world)) {
  fired_.assign(world_.world, std::vector<Clock>(world_.tables.size(), world_.first_clock));
  addends_.resize(world_.partitions.size());
  versions_.resize(world_.partitions.size());
  partitions_of_.resize(world_.tables.size());
  for (uint32_t p = 0; p < world_.partitions.size(); ++p) {
    const CheckedPartition& partition = world_.partitions[p];
    partitions_of_[partition.table].push_back(p);
    versions_[p].values.push_back(partition.initial);
    versions_[p].states.assign(NumStates(*world_.tables[partition.table].rule),
                               std::vector<double>(partition.initial.size(), 0.0));
    if (!partition.initial_states.empty()) versions_[p].states = partition.initial_states;
  }
}

uint32_t Reference::PartitionOf(uint32_t table, uint64_t row) const {
  for (uint32_t p : partitions_of_[table]) {
    const CheckedPartition& partition = world_.partitions[p];
    if (row >= partition.first_row && row < partition.first_row + partition.num_rows) return p;
  }
  return partitions_of_[table].front();
}

bool Reference::Participates(uint32_t partition, uint32_t rank) const {
  const auto& ranks = world_.partitions[partition].participants;
  return std::binary_search(ranks.begin(), ranks.end(), rank);
}

std::string Reference::Add(uint32_t rank, uint32_t table, Clock clock, uint64_t row, absl::Span<const double> values) {
  if (clock < fired_[rank][table]) {
    return absl::StrCat("worker ", rank, " updates table ", table, " at clock ", clock, ", which it has fired already");
  }
  const CheckedTable& checked = world_.tables[table];
  if (checked.IsCut() || checked.read_my_writes) ledger_.Add(rank, table, clock, row, values);
  if (checked.IsCut()) return "";
  auto& clocks = addends_[PartitionOf(table, row)];
  const size_t index = clock - world_.first_clock;
  if (clocks.size() <= index) clocks.resize(index + 1);
  clocks[index].push_back({rank, row, std::vector<double>(values.begin(), values.end())});
  return "";
}

std::string Reference::Fire(uint32_t rank, uint32_t table, Clock clock) {
  if (clock != fired_[rank][table]) {
    return absl::StrCat("worker ", rank, " fires table ", table, " for clock ", clock, " instead of ",
                        fired_[rank][table]);
  }
  fired_[rank][table] = clock + 1;
  if (world_.tables[table].async) return "";
  for (uint32_t p : partitions_of_[table]) {
    if (world_.partitions[p].frozen) continue;
    while (world_.first_clock + versions_[p].values.size() - 1 < Complete(p)) {
      FoldClock(p, world_.first_clock + versions_[p].values.size() - 1);
    }
  }
  return "";
}

std::string Reference::Step(uint32_t rank, uint32_t partition, Clock clock) {
  const size_t index = clock - world_.first_clock;
  std::vector<Addend> step;
  for (size_t i = 0; i < addends_[partition].size(); ++i) {
    std::vector<Addend>& addends = addends_[partition][i];
    const auto other = [rank](const Addend& addend) { return addend.rank != rank; };
    const auto own = std::stable_partition(addends.begin(), addends.end(), other);
    if (own == addends.end()) continue;
    if (i < index)
      return absl::StrCat("partition ", partition, ": worker ", rank, "'s clock ", clock, " comes too early");
    if (i > index) break;
    step.assign(std::make_move_iterator(own), std::make_move_iterator(addends.end()));
    addends.erase(own, addends.end());
  }
  if (step.empty()) {
    return absl::StrCat("partition ", partition, ": worker ", rank, "'s clock ", clock, " has nothing or was applied");
  }
  FoldAddends(partition, clock, std::move(step));
  return "";
}

size_t Reference::NumPending(uint32_t partition) const {
  size_t num = 0;
  for (const std::vector<Addend>& addends : addends_[partition]) num += addends.size();
  return num;
}

Age Reference::Complete(uint32_t partition) const {
  const CheckedPartition& checked = world_.partitions[partition];
  if (world_.tables[checked.table].async) return world_.first_clock + versions_[partition].values.size() - 1;
  if (checked.frozen || checked.participants.empty()) return world_.first_clock;
  Clock least = protocol::kNoAge;
  for (uint32_t rank : checked.participants) least = std::min(least, fired_[rank][checked.table]);
  return least;
}

const double* Reference::Row(uint32_t table, uint64_t row, Age age) const {
  const uint32_t p = PartitionOf(table, row);
  const uint64_t lanes = world_.tables[table].row_values;
  return &versions_[p].values[age - world_.first_clock][(row - world_.partitions[p].first_row) * lanes];
}

std::vector<double> Reference::Last(uint32_t partition) const {
  const CheckedPartition& checked = world_.partitions[partition];
  const CheckedTable& table = world_.tables[checked.table];
  std::vector<double> values = versions_[partition].values.back();
  for (size_t i = 0; table.IsCut() && i < values.size(); ++i) {
    const uint64_t row = checked.first_row + i / table.row_values;
    for (uint32_t rank = 0; rank < world_.world; ++rank) {
      values[i] +=
          ledger_.SumBelow(rank, checked.table, row, static_cast<uint32_t>(i % table.row_values), protocol::kNoAge);
    }
  }
  return values;
}

void Reference::FoldClock(uint32_t partition, Clock clock) {
  const size_t index = clock - world_.first_clock;
  std::vector<Addend> addends;
  if (index < addends_[partition].size()) addends = std::move(addends_[partition][index]);
  FoldAddends(partition, clock, std::move(addends));
}

// One step of each row that somebody added to.
void Reference::FoldAddends(uint32_t partition, Clock clock, std::vector<Addend> addends) {
  const CheckedPartition& checked = world_.partitions[partition];
  const CheckedTable& table = world_.tables[checked.table];
  Versions& versions = versions_[partition];
  std::vector<double> next = versions.values.back();
  if (!addends.empty()) {
    // Rows ascending, ranks ascending, a worker's own updates in the order in which it made them.
    std::stable_sort(addends.begin(), addends.end(), [](const Addend& a, const Addend& b) {
      return std::pair(a.row, a.rank) < std::pair(b.row, b.rank);
    });
    const std::vector<double> params = world_.params(world_.seed, checked.table, clock);
    for (size_t i = 0; i < addends.size();) {
      const uint64_t row = addends[i].row;
      std::vector<double> sum;
      uint32_t num_ranks = 0;
      while (i < addends.size() && addends[i].row == row) {
        const uint32_t rank = addends[i].rank;
        std::vector<double> own = addends[i].values;
        for (++i; i < addends.size() && addends[i].row == row && addends[i].rank == rank; ++i) {
          for (size_t k = 0; k < own.size(); ++k) own[k] += addends[i].values[k];
        }
        if (num_ranks++ == 0) {
          sum = std::move(own);
        } else {
          for (size_t k = 0; k < sum.size(); ++k) sum[k] += own[k];
        }
      }
      if (table.mean) {
        for (double& value : sum) value /= num_ranks;
      }
      const size_t place = (row - checked.first_row) * table.row_values;
      for (size_t k = 0; k < sum.size(); ++k) {
        double* states[3] = {};
        for (size_t s = 0; s < versions.states.size(); ++s) states[s] = &versions.states[s][place + k];
        double* const steps = table.rule->counts_steps ? states[table.rule->num_states] : nullptr;
        const uint64_t t = steps == nullptr ? 0 : static_cast<uint64_t>(*steps += 1.0);
        test::ReferenceRule<double>::StepValue(table.rule->name, params, t, sum[k], &next[place + k], states[0],
                                               states[1]);
      }
    }
  }
  versions.values.push_back(std::move(next));
}

std::string CheckRead(const Reference& reference, const ReadRecord& record, std::vector<SeenAges>* seen) {
  const CheckedWorld& world = reference.world();
  if (record.values.size() != record.rows.size() * world.tables[record.table].row_values) {
    return absl::StrCat(NameOf(record), ": ", record.values.size(), " values for ", record.rows.size(), " rows");
  }
  for (size_t begin = 0; begin < record.rows.size();) {
    const uint32_t p = reference.PartitionOf(record.table, record.rows[begin]);
    const uint64_t end_row = world.partitions[p].first_row + world.partitions[p].num_rows;
    size_t end = begin;
    while (end < record.rows.size() && record.rows[end] < end_row) ++end;
    SeenAges ages;
    ages.partition = p;
    if (world.tables[record.table].IsCut()) {
      std::string wrong = CheckCut(reference, record, begin, end, false, &ages);
      if (!wrong.empty()) return wrong;
      if (seen->size() < record.claimed.size() && record.own.empty() && !world.partitions[p].frozen) {
        const Clock claimed = record.claimed[seen->size()];
        const Clock low = ages.lows[record.reader];
        const Clock high = ages.highs[record.reader];
        if (claimed < low || claimed > high) {
          return absl::StrCat(NameOf(record), ": partition ", p, " is said to contain the own clocks below ", claimed,
                              " and contains those below ", claimed < low ? low : high);
        }
      }
      seen->push_back(std::move(ages));
      begin = end;
      continue;
    }
    Age high = record.clock;
    Age low = std::max(world.first_clock, record.clock >= record.slack ? record.clock - record.slack : 0);
    if (record.observer || world.tables[record.table].async) {
      low = world.first_clock;
      high = protocol::kNoAge;
    }
    if (record.get) high = protocol::kNoAge;
    if (world.partitions[p].frozen) low = high = world.first_clock;
    const PartitionView view(reference, record, begin, end);
    const Age limit = std::min(high, reference.Complete(p));
    for (Age age = low; age <= limit; ++age) {
      if (view.AllMatch(age)) ages.matching.push_back(age);
    }
    if (ages.matching.empty()) return Explain(reference, record, p, begin, end, low, high);
    if (seen->size() < record.claimed.size() && !world.partitions[p].frozen) {
      const Age claimed = record.claimed[seen->size()];
      if (std::find(ages.matching.begin(), ages.matching.end(), claimed) == ages.matching.end()) {
        return absl::StrCat(NameOf(record), ": partition ", p, " is said to be version ", claimed,
                            " and shows version ", ages.matching.back(), " (allowed ", low, " to ", high, ")");
      }
      ages.matching = {claimed};
    }
    seen->push_back(std::move(ages));
    begin = end;
  }
  return "";
}

Checker::Checker(CheckedWorld world) : reference_(std::move(world)) {}

std::string Checker::OnRead(const ReadRecord& record) {
  ++num_reads_;
  num_async_reads_ += reference_.world().tables[record.table].async ? 1 : 0;
  std::vector<SeenAges> partitions;
  std::string wrong = CheckRead(reference_, record, &partitions);
  if (!wrong.empty()) return wrong;
  bool stale = false;
  for (const SeenAges& ages : partitions) {
    if (reference_.world().partitions[ages.partition].frozen) continue;
    if (reference_.world().tables[record.table].IsCut()) {
      wrong = CheckCutGrows(record, ages);
      if (!wrong.empty()) return wrong;
      continue;
    }
    stale = stale || ages.matching.back() < record.clock;
    Age& seen = seen_[{record.reader, record.operation, ages.partition}];
    if (ages.matching.back() < seen) {
      return absl::StrCat(NameOf(record), ": partition ", ages.partition, " shows version ", ages.matching.back(),
                          " after version ", seen);
    }
    // The oldest that it can be: rows that nobody changed look alike in several versions.
    seen = *std::lower_bound(ages.matching.begin(), ages.matching.end(), seen);
  }
  num_stale_reads_ += stale ? 1 : 0;
  return "";
}

std::string CheckCopy(const Reference& reference, uint32_t rank, uint32_t table, Age age,
                      const std::vector<uint64_t>& rows, absl::Span<const double> values) {
  const uint32_t lanes = reference.world().tables[table].row_values;
  for (size_t i = 0; i < rows.size(); ++i) {
    const uint32_t p = reference.PartitionOf(table, rows[i]);
    const Age complete = reference.Complete(p);
    const Age expected = reference.world().partitions[p].frozen ? reference.world().first_clock : age;
    if (expected != complete) {
      return absl::StrCat("at the end worker ", rank, " holds version ", age, " of partition ", p, ", complete is ",
                          complete);
    }
    if (!SameBits(&values[i * lanes], reference.Row(table, rows[i], expected), lanes)) {
      return absl::StrCat(
          "at the end row ", rows[i], " of table ", table, " at worker ", rank,
          " differs from the reference: ", ShowRow(reference.world().tables[table], &values[i * lanes]));
    }
  }
  return "";
}

}  // namespace geeps::sim
