// SPDX-License-Identifier: Apache-2.0
// Reference: what every version of every partition must contain: the contributions of whole clocks, folded naively in
// rank order and stepped by the rule, written out once more, one clock after another. Checker: judges a history. It is
// told what every worker contributes, when each table is fired, and what each read returned; it says what is wrong with
// the first bad record.
//
// A read at clock c with slack s is right when each of its partitions shows exactly one version a in all rows and
// lanes, c - s <= a <= c, all participants have fired clock a - 1, and the same operation has not seen a younger one
// before. (Different operations may: one that was filled ahead can be older than one that was filled later, as far as
// its slack goes.) Rows of tables with the rule `add` are vector clocks: lane w counts what worker w has contributed,
// the last lane sums keyed pseudo-random integers, so that every sentence can tell which clocks were counted.
//
// A read of an async table is right when in each of its partitions all rows show one cut: for each worker all its
// clocks below some clock and no other, each once; for the reader that clock is the own clock that the machines say;
// and the same operation has not seen more before (checker_cut.cc). Where rows are no vector clocks, the keeper tells
// what it applies, and every read is the version behind some of these steps, none older than before. With
// read-my-writes all own updates that come before the read in the program are there, on top of the version or the cut.
//
// A get is right when each partition shows the version that its keeper said, which is no older than asked for nor than
// what the same worker got before.
// One thread at a time.
#ifndef GEEPS_TESTS_SIM_CHECKER_H_
#define GEEPS_TESTS_SIM_CHECKER_H_

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/types/span.h"
#include "runtime/protocol/types.h"
#include "runtime/table/rule.h"
#include "tests/sim/ledger.h"
#include "tests/sim/random.h"

namespace geeps::sim {

// Arrays behind the values of a partition, as a keeper here has them: those of the rule and, where it counts steps, one
// of these counts, the same for all values that are stepped together.
inline uint32_t NumStates(const table::UpdateRule& rule) {
  return static_cast<uint32_t>(rule.num_states) + (rule.counts_steps ? 1 : 0);
}

// What the checker must know of the world.
struct CheckedTable {
  const table::UpdateRule* rule = nullptr;
  uint32_t row_values = 0;
  bool mean = false;
  bool lanes = false;  // rows are vector clocks
  bool async = false;
  bool read_my_writes = false;  // only with lanes
  bool IsCut() const { return async && lanes; }
};
struct CheckedPartition {
  uint32_t table = 0;
  uint64_t first_row = 0;
  uint64_t num_rows = 0;
  bool frozen = false;
  std::vector<uint32_t> participants;               // ranks, ascending
  std::vector<double> initial;                      // [num_rows, row_values]
  std::vector<std::vector<double>> initial_states;  // NumStates; empty: zero
};
struct CheckedWorld {
  uint32_t world = 1;
  protocol::Clock first_clock = 0;
  std::vector<CheckedTable> tables;
  std::vector<CheckedPartition> partitions;
  // Rule parameters of a table at a clock: pure.
  std::vector<double> (*params)(uint64_t seed, uint32_t table, protocol::Clock clock) = nullptr;
  uint64_t seed = 0;
};

struct ReadRecord {
  uint32_t reader = 0;
  uint32_t operation = 0;  // of that reader, the same in every pass
  uint32_t table = 0;
  protocol::Clock clock = 0;
  uint32_t slack = 0;
  std::vector<uint64_t> rows;  // ascending
  std::vector<double> values;  // [rows, row_values]
  // The version (async: the own clock) that the machines say was read, for each partition touched in the order of the
  // rows; empty: not known.
  std::vector<protocol::Age> claimed;
  // With read-my-writes: what the reader has added to the rows at `clock` before this read. [rows, row_values]
  std::vector<double> own;
  // The reader is an observer of the table: every version serves, older or younger than its clock.
  bool observer = false;
  // A get: `clock` is the smallest version that serves (async: every one does), and any younger one does.
  bool get = false;
};

// What a read showed of one partition: the versions, ascending and among the allowed ones, that equal it in all rows.
struct SeenAges {
  uint32_t partition = 0;
  std::vector<protocol::Age> matching;
  // Async: by worker, the smallest and the largest clock up to which its clocks may be contained.
  std::vector<protocol::Clock> lows;
  std::vector<protocol::Clock> highs;
};

class Reference {
 public:
  explicit Reference(CheckedWorld world);

  // Worker `rank` adds `values` to `row` at `clock`. Empty string, or what is wrong: the clock was fired already.
  std::string Add(uint32_t rank, uint32_t table, protocol::Clock clock, uint64_t row, absl::Span<const double> values);
  // Worker `rank` has fired `table` for `clock`: nothing more is added. Every clock once, ascending.
  std::string Fire(uint32_t rank, uint32_t table, protocol::Clock clock);

  // The keeper of an async table without lanes applies what `rank` has added at `clock`. Empty, or what is wrong: it
  // has added nothing, or this was applied before, or a later clock of its.
  std::string Step(uint32_t rank, uint32_t partition, protocol::Clock clock);
  // What was added to a partition of such a table and never applied.
  size_t NumPending(uint32_t partition) const;

  // Youngest version: all participants have fired its clocks; async: all steps.
  protocol::Age Complete(uint32_t partition) const;
  // Values of `row` in version `age`. REQUIRES: first_clock <= age <= Complete(partition of the row).
  const double* Row(uint32_t table, uint64_t row, protocol::Age age) const;
  // Values and states of the youngest version of a partition; of a table of cuts: with everything that was added.
  std::vector<double> Last(uint32_t partition) const;
  const std::vector<std::vector<double>>& LastStates(uint32_t partition) const { return versions_[partition].states; }
  uint32_t PartitionOf(uint32_t table, uint64_t row) const;
  const CheckedWorld& world() const { return world_; }
  // Tables that are async or have read-my-writes only.
  const Ledger& ledger() const { return ledger_; }

 private:
  struct Addend {
    uint32_t rank = 0;
    uint64_t row = 0;
    std::vector<double> values;
  };
  struct Versions {
    std::vector<std::vector<double>> values;  // by age - first_clock
    std::vector<std::vector<double>> states;  // of the youngest version
  };

  void FoldClock(uint32_t partition, protocol::Clock clock);
  void FoldAddends(uint32_t partition, protocol::Clock clock, std::vector<Addend> addends);
  bool Participates(uint32_t partition, uint32_t rank) const;

  CheckedWorld world_;
  std::vector<std::vector<protocol::Clock>> fired_;        // [rank][table]: first clock not fired
  std::vector<std::vector<std::vector<Addend>>> addends_;  // [partition][clock - first_clock]
  std::vector<Versions> versions_;                         // [partition]
  std::vector<std::vector<uint32_t>> partitions_of_;       // [table]: ascending rows
  Ledger ledger_;
};

// What is wrong with `record`, empty when nothing is; *seen gets every partition touched. Looks at the reference only.
std::string CheckRead(const Reference& reference, const ReadRecord& record, std::vector<SeenAges>* seen);

// Whether rows [begin, end) of a record of an async table, all of partition seen->partition, show one cut; fills *seen.
// complete: every worker's clocks must all be there. Empty, or what is wrong.
std::string CheckCut(const Reference& reference, const ReadRecord& record, size_t begin, size_t end, bool complete,
                     SeenAges* seen);

// The end: a copy of `rows` of a table that `rank` holds as version `age`, which must be the last one and bit-equal to
// the reference.
std::string CheckCopy(const Reference& reference, uint32_t rank, uint32_t table, protocol::Age age,
                      const std::vector<uint64_t>& rows, absl::Span<const double> values);

class Checker {
 public:
  explicit Checker(CheckedWorld world);

  // Each returns what is wrong, or an empty string.
  std::string OnUpdate(uint32_t rank, uint32_t table, protocol::Clock clock, uint64_t row,
                       absl::Span<const double> values) {
    return reference_.Add(rank, table, clock, row, values);
  }
  std::string OnFired(uint32_t rank, uint32_t table, protocol::Clock clock) {
    return reference_.Fire(rank, table, clock);
  }
  std::string OnApplied(uint32_t rank, uint32_t partition, protocol::Clock clock) {
    return reference_.Step(rank, partition, clock);
  }
  std::string OnRead(const ReadRecord& record);
  uint64_t num_async_reads() const { return num_async_reads_; }
  uint64_t num_reads() const { return num_reads_; }
  // Reads that saw a version older than their clock.
  uint64_t num_stale_reads() const { return num_stale_reads_; }
  const Reference& reference() const { return reference_; }

 private:
  Reference reference_;
  // By (reader, operation, partition): the version read last.
  std::map<std::tuple<uint32_t, uint32_t, uint32_t>, protocol::Age> seen_;
  std::map<std::tuple<uint32_t, uint32_t, uint32_t>, std::vector<protocol::Clock>> seen_cuts_;  // async, by worker
  std::string CheckCutGrows(const ReadRecord& record, const SeenAges& ages);

  uint64_t num_reads_ = 0;
  uint64_t num_async_reads_ = 0;
  uint64_t num_stale_reads_ = 0;
};

}  // namespace geeps::sim

#endif  // GEEPS_TESTS_SIM_CHECKER_H_
