// SPDX-License-Identifier: Apache-2.0
// The checker and the other modes: cuts of async tables, read-my-writes. One thread.
#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/sim/checker.h"

namespace geeps::sim {
namespace {

using protocol::Clock;

constexpr uint32_t kLanes = 3;  // two workers and the checksum
constexpr Clock kClocks = 6;

std::vector<double> Params(uint64_t /*seed*/, uint32_t /*table*/, Clock /*clock*/) { return {0.125, 0.5}; }

// Two workers; a table of rows 0..3 in partitions 0 (rows 0, 1) and 1 (rows 2, 3).
CheckedWorld SmallWorld(bool async, bool read_my_writes) {
  CheckedWorld world;
  world.world = 2;
  world.params = Params;
  world.tables.push_back({table::FindRule(table::RuleId::kAdd), kLanes, false, true, async, read_my_writes});
  for (uint64_t first_row : {0, 2})
    world.partitions.push_back({0, first_row, 2, false, {0, 1}, std::vector<double>(2 * kLanes, 1.0)});
  return world;
}

double Checksum(uint32_t rank, Clock clock, uint64_t row) {
  return static_cast<double>(HashOf(rank, clock, row) & 0xffff);
}

// Worker 1 adds nothing to row 1.
bool Contributes(uint32_t rank, uint64_t row) { return rank == 0 || row != 1; }

std::vector<double> Contribution(uint32_t rank, Clock clock, uint64_t row) {
  return {rank == 0 ? 1.0 : 0.0, rank == 1 ? 1.0 : 0.0, Checksum(rank, clock, row)};
}

// Row `row` with the clocks [0, clocks_0) of worker 0 and [0, clocks_1) of worker 1.
std::vector<double> Counted(uint64_t row, Clock clocks_0, Clock clocks_1) {
  std::vector<double> values(kLanes, 1.0);
  for (uint32_t rank : {0u, 1u}) {
    for (Clock clock = 0; clock < (rank == 0 ? clocks_0 : clocks_1) && Contributes(rank, row); ++clock) {
      const std::vector<double> added = Contribution(rank, clock, row);
      for (uint32_t i = 0; i < kLanes; ++i) values[i] += added[i];
    }
  }
  return values;
}

// What a read shows: rows [first, first + cuts.size()), each with so many clocks of worker 0 and of worker 1.
struct Shown {
  uint64_t first = 0;
  std::vector<std::pair<Clock, Clock>> cuts;
};

class History {
 public:
  explicit History(bool async, bool read_my_writes = false) : checker_(SmallWorld(async, read_my_writes)) {
    for (Clock clock = 0; clock < kClocks; ++clock) {
      for (uint32_t rank : {1u, 0u}) {
        for (uint64_t row = 0; row < 4; ++row) {
          if (Contributes(rank, row)) checker_.OnUpdate(rank, 0, clock, row, Contribution(rank, clock, row));
        }
        checker_.OnFired(rank, 0, clock);
      }
    }
  }
  std::string Read(uint32_t reader, Clock clock, const Shown& shown,
                   const std::function<void(ReadRecord*)>& change = nullptr) {
    ReadRecord record;
    record.reader = reader;
    record.clock = clock;
    for (size_t i = 0; i < shown.cuts.size(); ++i) {
      record.rows.push_back(shown.first + i);
      const std::vector<double> row = Counted(shown.first + i, shown.cuts[i].first, shown.cuts[i].second);
      record.values.insert(record.values.end(), row.begin(), row.end());
    }
    if (change != nullptr) change(&record);
    return checker_.OnRead(record);
  }
  Checker& checker() { return checker_; }

 private:
  Checker checker_;
};

using Change = std::function<void(ReadRecord*)>;

Change Claim(std::vector<Clock> own_clocks) {
  return [own_clocks](ReadRecord* record) { record->claimed = own_clocks; };
}

}  // namespace

TEST_CASE("Checker: a read of an async table may show any cut, older or younger than its clock") {
  History history(true);
  CHECK(history.Read(0, 3, {0, {{3, 0}, {3, 0}, {2, 6}, {2, 6}}}, Claim({3, 2})) == "");
  CHECK(history.Read(0, 3, {0, {{3, 5}, {3, 5}, {3, 6}, {3, 6}}}, Claim({3, 3})) == "");
  CHECK(history.checker().num_async_reads() == 2);
}

TEST_CASE("Checker: rows that somebody does not change say nothing about its clocks") {
  History history(true);
  CHECK(history.Read(0, 3, {0, {{3, 4}, {3, 0}}}, Claim({3})) == "");
}

TEST_CASE("Checker: every one of these histories of an async table is rejected") {
  struct Bad {
    const char* what;
    std::function<std::string(History*)> run;
  };
  const std::vector<Bad> bad = {
      {"another own clock than the machines say",
       [](History* h) {
         return h->Read(0, 3, {0, {{2, 3}, {2, 3}}}, Claim({3}));
       }},
      {"an own clock that is too small",
       [](History* h) {
         return h->Read(0, 3, {0, {{3, 3}, {3, 3}}}, Claim({2}));
       }},
      {"an own clock that is wrong in the second partition",
       [](History* h) {
         return h->Read(0, 3, {0, {{3, 3}, {3, 3}, {2, 3}, {2, 3}}}, Claim({3, 3}));
       }},
      {"rows of two cuts of the reader",
       [](History* h) {
         return h->Read(0, 3, {0, {{3, 3}, {2, 3}}});
       }},
      {"rows of two cuts of another worker",
       [](History* h) {
         return h->Read(0, 3, {2, {{3, 3}, {3, 2}}});
       }},
      {"a clock counted twice",
       [](History* h) {
         return h->Read(0, 3, {2, {{3, 3}}}, [](ReadRecord* r) {
           r->values[1] += 1.0;
           r->values[2] += Checksum(1, 2, 2);
         });
       }},
      {"a clock lost",
       [](History* h) {
         return h->Read(0, 5, {2, {{5, 5}}}, [](ReadRecord* r) {
           r->values[1] -= 1.0;
           r->values[2] -= Checksum(1, 2, 2);
         });
       }},
      {"a clock that nobody has made",
       [](History* h) {
         return h->Read(0, 3, {2, {{kClocks + 1, 3}}});
       }},
      {"half of a clock",
       [](History* h) {
         return h->Read(0, 3, {2, {{3, 3}}}, [](ReadRecord* r) { r->values[0] += 0.5; });
       }},
      {"a torn row",
       [](History* h) {
         return h->Read(0, 3, {2, {{3, 3}}}, [](ReadRecord* r) { r->values[2] = Counted(2, 3, 2)[2]; });
       }},
      {"memory never written",
       [](History* h) {
         return h->Read(0, 3, {2, {{3, 3}}}, [](ReadRecord* r) { r->values.assign(kLanes, -1e200); });
       }},
      {"not a number",
       [](History* h) {
         return h->Read(0, 3, {2, {{3, 3}}}, [](ReadRecord* r) { r->values[0] = 0.0 / 0.0; });
       }},
      {"own clocks that go back",
       [](History* h) {
         CHECK(h->Read(0, 3, {2, {{3, 3}, {3, 3}}}) == "");
         return h->Read(0, 4, {2, {{2, 3}, {2, 3}}});
       }},
      {"clocks of another worker that go back",
       [](History* h) {
         CHECK(h->Read(0, 3, {2, {{3, 3}, {3, 3}}}) == "");
         return h->Read(0, 4, {2, {{4, 2}, {4, 2}}});
       }},
      {"a row missing in the answer",
       [](History* h) {
         return h->Read(0, 3, {2, {{3, 3}}}, [](ReadRecord* r) { r->values.clear(); });
       }},
  };
  CHECK(bad.size() >= 15);
  for (const Bad& history_of : bad) {
    CAPTURE(std::string(history_of.what));
    History history(true);
    CHECK(history_of.run(&history) != "");
  }
}

namespace {

// What worker 0 has added to `row` at `clock` before it reads: the contribution of that clock.
Change Own(Clock clock, uint32_t slack = 0) {
  return [clock, slack](ReadRecord* record) {
    record->slack = slack;
    for (uint64_t row : record->rows) {
      const std::vector<double> added = Contribution(0, clock, row);
      record->own.insert(record->own.end(), added.begin(), added.end());
    }
  };
}

}  // namespace

TEST_CASE("Checker: with read-my-writes the own updates come on top of a version or of a cut") {
  History bounded(false, true);
  CHECK(bounded.Read(0, 3, {0, {{4, 3}, {4, 3}}}, Own(3)) == "");
  CHECK(bounded.Read(0, 5, {0, {{6, 3}, {6, 3}, {6, 5}, {6, 5}}}, Own(5, 2)) == "");
  History async(true, true);
  CHECK(async.Read(0, 3, {0, {{4, 0}, {4, 0}, {4, 6}, {4, 6}}}, Own(3)) == "");
}

TEST_CASE("Checker: every one of these histories with read-my-writes is rejected") {
  struct Bad {
    const char* what;
    bool async;
    std::function<std::string(History*)> run;
  };
  const std::vector<Bad> bad = {
      {"the own update of this clock is missing", false,
       [](History* h) {
         return h->Read(0, 3, {0, {{3, 3}, {3, 3}}}, Own(3));
       }},
      {"the own updates of former clocks are missing", false,
       [](History* h) {
         return h->Read(0, 4, {0, {{2, 2}, {2, 2}}}, Own(4, 2));
       }},
      {"an own update between is missing", false,
       [](History* h) {
         return h->Read(0, 4, {2, {{4, 2}}}, Own(4, 2));
       }},
      {"an own update is there twice", false,
       [](History* h) {
         return h->Read(0, 3, {2, {{4, 3}}}, [](ReadRecord* r) {
           Own(3)(r);
           r->values[0] += 1.0;
           r->values[2] += Checksum(0, 3, 2);
         });
       }},
      {"an own update of the next clock is there", false,
       [](History* h) {
         return h->Read(0, 3, {2, {{5, 3}}}, Own(3));
       }},
      {"the own update is in one row only", false,
       [](History* h) {
         return h->Read(0, 3, {2, {{4, 3}, {3, 3}}}, Own(3));
       }},
      {"the own update is torn", false,
       [](History* h) {
         return h->Read(0, 3, {2, {{4, 3}}}, [](ReadRecord* r) {
           Own(3)(r);
           r->values[2] -= Checksum(0, 3, 2);
         });
       }},
      {"the own update hides a version that is too old", false,
       [](History* h) {
         return h->Read(0, 3, {2, {{4, 2}}}, Own(3));
       }},
      {"the own update hides a version that is too new", false,
       [](History* h) {
         return h->Read(0, 3, {2, {{4, 4}}}, Own(3));
       }},
      {"async: the own update of this clock is missing", true,
       [](History* h) {
         return h->Read(0, 3, {2, {{3, 5}}}, Own(3));
       }},
      {"async: an own update of a former clock is missing", true,
       [](History* h) {
         return h->Read(0, 3, {2, {{4, 5}}}, [](ReadRecord* r) {
           Own(3)(r);
           r->values[0] -= 1.0;
           r->values[2] -= Checksum(0, 1, 2);
         });
       }},
      {"async: an own update is there twice", true,
       [](History* h) {
         return h->Read(0, 3, {2, {{5, 5}}}, Own(3));
       }},
      {"async: another worker's clock is torn", true,
       [](History* h) {
         return h->Read(0, 3, {2, {{4, 3}, {4, 4}}}, Own(3));
       }},
  };
  CHECK(bad.size() >= 13);
  for (const Bad& history_of : bad) {
    CAPTURE(std::string(history_of.what));
    History history(history_of.async, true);
    CHECK(history_of.run(&history) != "");
  }
}

TEST_CASE("Checker: an observer may see any version, older or younger than its clock, and never an older one again") {
  const Change observer = [](ReadRecord* record) { record->observer = true; };
  History history(false);
  CHECK(history.Read(1, 9, {0, {{2, 2}, {2, 2}, {5, 5}, {5, 5}}}, observer) == "");
  CHECK(history.Read(1, 0, {0, {{4, 4}, {4, 4}, {6, 6}, {6, 6}}}, observer) == "");
  CHECK(history.Read(1, 10, {0, {{3, 3}, {3, 3}}}, observer) != "");
  CHECK(history.Read(1, 10, {2, {{6, 6}, {5, 5}}}, observer) != "");
  CHECK(history.Read(1, 10, {2, {{6, 5}}}, observer) != "");
  CHECK(history.Read(1, 10, {2, {{kClocks + 1, kClocks + 1}}}, observer) != "");
}

TEST_CASE("Reference: an async table without lanes takes a step for each contribution, once, in its sender's order") {
  CheckedWorld world;
  world.world = 2;
  world.params = Params;
  world.tables.push_back({table::FindRule(table::RuleId::kSgd), 1, true, false, true});
  world.partitions.push_back({0, 0, 1, false, {0, 1}, {8.0}});
  Checker checker(world);
  CHECK(checker.OnUpdate(0, 0, 0, 0, std::vector<double>{2.0}) == "");
  CHECK(checker.OnUpdate(1, 0, 0, 0, std::vector<double>{4.0}) == "");
  CHECK(checker.OnUpdate(1, 0, 1, 0, std::vector<double>{1.0}) == "");
  CHECK(checker.OnApplied(1, 0, 1) != "");  // clock 0 comes first
  CHECK(checker.OnApplied(1, 0, 0) == "");
  CHECK(checker.OnApplied(1, 0, 0) != "");
  CHECK(checker.reference().NumPending(0) == 2);
  CHECK(checker.OnApplied(0, 0, 0) == "");
  // m = 4, then 0.5 * 4 + 2 = 4; value = 8 - 4 / 8 - 4 / 8.
  CHECK(*checker.reference().Row(0, 0, 1) == 8.0 - 4.0 / 8);
  CHECK(*checker.reference().Row(0, 0, 2) == 7.0);
  ReadRecord read;
  read.rows = {0};
  read.values = {7.0};
  CHECK(checker.OnRead(read) == "");
  read.values = {7.5};
  CHECK(checker.OnRead(read) != "");  // older than before
  read.values = {7.25};
  CHECK(checker.OnRead(read) != "");  // no version
}

namespace {

Change GetOf(std::vector<Clock> versions) {
  return [versions](ReadRecord* record) {
    record->get = true;
    record->claimed = versions;
  };
}

}  // namespace

TEST_CASE("Checker: a get may show any version that is no older than asked for, another one in each partition") {
  History history(false);
  CHECK(history.Read(0, 3, {0, {{3, 3}, {3, 3}, {6, 6}, {6, 6}}}, GetOf({3, 6})) == "");
  CHECK(history.Read(0, 0, {0, {{4, 4}, {4, 4}}}, GetOf({4})) == "");
}

TEST_CASE("Checker: every one of these gets is rejected") {
  struct Bad {
    const char* what;
    std::function<std::string(History*)> run;
  };
  const std::vector<Bad> bad = {
      {"older than asked for",
       [](History* h) {
         return h->Read(0, 3, {0, {{2, 2}, {2, 2}}}, GetOf({2}));
       }},
      {"another version than the keeper said",
       [](History* h) {
         return h->Read(0, 3, {0, {{4, 4}, {4, 4}}}, GetOf({3}));
       }},
      {"rows of two versions",
       [](History* h) {
         return h->Read(0, 3, {2, {{4, 4}, {5, 5}}}, GetOf({4}));
       }},
      {"no version",
       [](History* h) {
         return h->Read(0, 3, {2, {{4, 5}, {4, 5}}}, GetOf({4}));
       }},
      {"one lane torn",
       [](History* h) {
         return h->Read(0, 3, {2, {{4, 4}, {4, 4}}}, [](ReadRecord* record) {
           GetOf({4})(record);
           record->values[1] += 1.0;
         });
       }},
      {"older than what was got before",
       [](History* h) {
         CHECK(h->Read(0, 3, {0, {{5, 5}, {5, 5}}}, GetOf({5})) == "");
         return h->Read(0, 3, {0, {{4, 4}, {4, 4}}}, GetOf({4}));
       }},
  };
  CHECK(bad.size() >= 6);
  for (const Bad& history : bad) {
    History fresh(false);
    CAPTURE(history.what);
    CHECK(history.run(&fresh) != "");
  }
}

}  // namespace geeps::sim
