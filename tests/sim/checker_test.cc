// SPDX-License-Identifier: Apache-2.0
// The checker accepts what the protocol allows and rejects a collection of bad histories. One thread.
#include "tests/sim/checker.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

namespace geeps::sim {
namespace {

using protocol::Age;
using protocol::Clock;

constexpr uint32_t kLanes = 3;  // two workers and the checksum
constexpr Clock kClocks = 6;

std::vector<double> Params(uint64_t /*seed*/, uint32_t /*table*/, Clock /*clock*/) { return {0.125, 0.5}; }

// Two workers, a table of rows 0..3 in partitions 0 (rows 0, 1) and 1 (rows 2, 3) that both read and update, and a
// table of one frozen row.
CheckedWorld SmallWorld(Clock first_clock = 0) {
  CheckedWorld world;
  world.world = 2;
  world.first_clock = first_clock;
  world.params = Params;
  world.tables.push_back({table::FindRule(table::RuleId::kAdd), kLanes, false, true});
  world.tables.push_back({table::FindRule(table::RuleId::kAdd), kLanes, false, true});
  world.partitions.push_back({0, 0, 2, false, {0, 1}, std::vector<double>(2 * kLanes, 1.0)});
  world.partitions.push_back({0, 2, 2, false, {0, 1}, std::vector<double>(2 * kLanes, 1.0)});
  world.partitions.push_back({1, 0, 1, true, {0, 1}, std::vector<double>(kLanes, 5.0)});
  return world;
}

double Checksum(uint32_t rank, Clock clock, uint64_t row) {
  return static_cast<double>(HashOf(rank, clock, row) & 0xffff);
}

std::vector<double> Contribution(uint32_t rank, Clock clock, uint64_t row) {
  return {rank == 0 ? 1.0 : 0.0, rank == 1 ? 1.0 : 0.0, Checksum(rank, clock, row)};
}

// Row `row` with the clocks [0, clocks_0) of worker 0 and [0, clocks_1) of worker 1.
std::vector<double> Counted(uint64_t row, Clock clocks_0, Clock clocks_1) {
  std::vector<double> values = {1.0 + static_cast<double>(clocks_0), 1.0 + static_cast<double>(clocks_1), 1.0};
  for (Clock clock = 0; clock < clocks_0; ++clock) values[2] += Checksum(0, clock, row);
  for (Clock clock = 0; clock < clocks_1; ++clock) values[2] += Checksum(1, clock, row);
  return values;
}

// A history in which both workers have made and fired `clocks` clocks.
class History {
 public:
  explicit History(Clock clocks = kClocks) : checker_(SmallWorld()) {
    for (Clock clock = 0; clock < clocks; ++clock) {
      for (uint32_t rank : {1u, 0u}) Step(rank, clock);
    }
  }
  std::string Step(uint32_t rank, Clock clock) {
    for (uint64_t row = 0; row < 4; ++row) {
      std::string wrong = checker_.OnUpdate(rank, 0, clock, row, Contribution(rank, clock, row));
      if (!wrong.empty()) return wrong;
    }
    return checker_.OnFired(rank, 0, clock);
  }
  // A read of rows [first, first + ages.size()), each shown in the version given.
  std::string Read(uint32_t reader, Clock clock, uint32_t slack, uint64_t first, const std::vector<Age>& ages,
                   const std::function<void(ReadRecord*)>& change = nullptr) {
    ReadRecord record;
    record.reader = reader;
    record.clock = clock;
    record.slack = slack;
    for (size_t i = 0; i < ages.size(); ++i) {
      record.rows.push_back(first + i);
      const std::vector<double> row = Counted(first + i, ages[i], ages[i]);
      record.values.insert(record.values.end(), row.begin(), row.end());
    }
    if (change != nullptr) change(&record);
    return checker_.OnRead(record);
  }
  std::string Copy(Age age, const std::vector<double>& row_1) {
    return CheckCopy(checker_.reference(), 1, 0, age, {1}, row_1);
  }
  Checker& checker() { return checker_; }

 private:
  Checker checker_;
};

}  // namespace

TEST_CASE("Checker: a read at its own clock is right") {
  History history;
  CHECK(history.Read(0, 3, 0, 0, {3, 3, 3, 3}) == "");
  CHECK(history.checker().num_reads() == 1);
  CHECK(history.checker().num_stale_reads() == 0);
}

TEST_CASE("Checker: with slack every partition may show its own version, the same or a younger one each time") {
  History history;
  CHECK(history.Read(0, 4, 2, 0, {2, 2, 4, 4}) == "");
  CHECK(history.Read(0, 5, 2, 0, {3, 3, 4, 4}) == "");
  CHECK(history.Read(0, 5, 5, 0, {3, 3, 5, 5}) == "");
  CHECK(history.checker().num_stale_reads() == 3);
}

TEST_CASE("Checker: an operation that was filled ahead may be older than another one of the same worker") {
  History history;
  CHECK(history.Read(0, 4, 2, 0, {4, 4}) == "");
  CHECK(history.Read(0, 4, 2, 0, {3, 3}, [](ReadRecord* r) { r->operation = 1; }) == "");
}

TEST_CASE("Checker: a frozen partition shows its initial values at every clock") {
  History history;
  ReadRecord record;
  record.clock = 5;
  record.table = 1;
  record.rows = {0};
  record.values = {5.0, 5.0, 5.0};
  CHECK(history.checker().OnRead(record) == "");
}

TEST_CASE("Checker: rows that a clock does not change look alike in several versions") {
  Checker checker(SmallWorld());
  for (Clock clock = 0; clock < 3; ++clock) {
    for (uint32_t rank : {0u, 1u}) CHECK(checker.OnFired(rank, 0, clock) == "");
  }
  ReadRecord record;
  record.clock = 3;
  record.slack = 3;
  record.rows = {0};
  record.values = {1.0, 1.0, 1.0};
  CHECK(checker.OnRead(record) == "");
  record.clock = 1;
  record.slack = 0;
  CHECK(checker.OnRead(record) == "");
}

TEST_CASE("Checker: every one of these histories is rejected") {
  struct Bad {
    const char* what;
    std::function<std::string(History*)> run;
  };
  const std::vector<Bad> bad = {
      {"too old by one at slack 0",
       [](History* h) {
         return h->Read(0, 3, 0, 0, {2, 2, 2, 2});
       }},
      {"too old by one at slack 2",
       [](History* h) {
         return h->Read(0, 4, 2, 0, {1, 1, 1, 1});
       }},
      {"the initial values at clock 1",
       [](History* h) {
         return h->Read(0, 1, 0, 0, {0, 0});
       }},
      {"too new at slack 0",
       [](History* h) {
         return h->Read(0, 3, 0, 0, {4, 4, 4, 4});
       }},
      {"too new at slack 3",
       [](History* h) {
         return h->Read(0, 3, 3, 0, {4, 4, 4, 4});
       }},
      {"one partition too old",
       [](History* h) {
         return h->Read(0, 3, 0, 0, {3, 3, 2, 2});
       }},
      {"one partition too new",
       [](History* h) {
         return h->Read(0, 3, 1, 0, {3, 3, 4, 4});
       }},
      {"rows of one partition in two versions, slack 0",
       [](History* h) {
         return h->Read(0, 3, 0, 0, {3, 2});
       }},
      {"rows of one partition in two allowed versions",
       [](History* h) {
         return h->Read(0, 3, 3, 0, {2, 3});
       }},
      {"the last row of many in another version",
       [](History* h) {
         return h->Read(1, 5, 4, 0, {4, 4, 4, 3});
       }},
      {"ages that go back",
       [](History* h) {
         CHECK(h->Read(0, 4, 2, 0, {4, 4}) == "");
         return h->Read(0, 4, 2, 0, {3, 3});
       }},
      {"ages that go back in a later clock",
       [](History* h) {
         CHECK(h->Read(0, 4, 2, 0, {4, 4}) == "");
         return h->Read(0, 5, 2, 0, {3, 3});
       }},
      {"ages that go back in one partition of two",
       [](History* h) {
         CHECK(h->Read(0, 4, 2, 0, {3, 3, 3, 3}) == "");
         return h->Read(0, 4, 2, 0, {4, 4, 2, 2});
       }},
      {"a lost update of one worker",
       [](History* h) { return h->Read(0, 3, 0, 0, {3}, [](ReadRecord* r) { r->values = Counted(0, 3, 2); }); }},
      {"an update counted twice",
       [](History* h) {
         return h->Read(0, 3, 0, 0, {3}, [](ReadRecord* r) {
           r->values[1] += 1.0;
           r->values[2] += Checksum(1, 2, 0);
         });
       }},
      {"one worker's clocks late",
       [](History* h) { return h->Read(0, 3, 3, 0, {3}, [](ReadRecord* r) { r->values = Counted(0, 2, 3); }); }},
      {"one worker's clocks early",
       [](History* h) { return h->Read(0, 3, 0, 0, {3}, [](ReadRecord* r) { r->values = Counted(0, 4, 3); }); }},
      {"the right counts of the wrong clocks",
       [](History* h) {
         return h->Read(0, 3, 0, 0, {3}, [](ReadRecord* r) { r->values[2] += Checksum(0, 3, 0) - Checksum(0, 2, 0); });
       }},
      {"a checksum off by one",
       [](History* h) { return h->Read(0, 3, 0, 0, {3}, [](ReadRecord* r) { r->values[2] += 1.0; }); }},
      {"a lane off by one",
       [](History* h) { return h->Read(0, 3, 0, 0, {3}, [](ReadRecord* r) { r->values[0] -= 1.0; }); }},
      {"half of a row from an older version",
       [](History* h) { return h->Read(0, 3, 3, 0, {3}, [](ReadRecord* r) { r->values[2] = Counted(0, 2, 2)[2]; }); }},
      {"rows added by position: row 1 where row 0 belongs",
       [](History* h) { return h->Read(0, 3, 0, 0, {3}, [](ReadRecord* r) { r->values = Counted(1, 3, 3); }); }},
      {"rows of a partition exchanged",
       [](History* h) {
         return h->Read(0, 3, 0, 0, {3, 3}, [](ReadRecord* r) { std::swap(r->values[2], r->values[5]); });
       }},
      {"memory never written",
       [](History* h) {
         return h->Read(0, 3, 3, 0, {3}, [](ReadRecord* r) { r->values = {-1e200, -1e200, -1e200}; });
       }},
      {"not a number",
       [](History* h) { return h->Read(0, 3, 3, 0, {3}, [](ReadRecord* r) { r->values[0] = 0.0 / 0.0; }); }},
      {"minus zero where zero belongs",
       [](History* h) {
         h->checker() = Checker([] {
           CheckedWorld world = SmallWorld();
           world.partitions[0].initial.assign(2 * kLanes, 0.0);
           return world;
         }());
         return h->Read(0, 0, 0, 0, {0}, [](ReadRecord* r) { r->values = {0.0, -0.0, 0.0}; });
       }},
      {"a row missing in the answer",
       [](History* h) {
         return h->Read(0, 3, 0, 0, {3, 3}, [](ReadRecord* r) { r->values.resize(kLanes); });
       }},
      {"another version than the machines say",
       [](History* h) {
         return h->Read(0, 4, 2, 0, {4, 4}, [](ReadRecord* r) { r->claimed = {3}; });
       }},
      {"a version said to be too new",
       [](History* h) { return h->Read(0, 3, 2, 0, {3}, [](ReadRecord* r) { r->claimed = {4}; }); }},
      {"a version whose clock one worker has not fired",
       [](History* h) {
         h->Step(0, kClocks);
         return h->Read(0, kClocks + 1, 0, 0, {kClocks + 1});
       }},
      {"a version that holds a contribution not fired yet",
       [](History* h) {
         h->Step(0, kClocks);
         return h->Read(0, kClocks, 1, 0, {kClocks},
                        [](ReadRecord* r) { r->values = Counted(0, kClocks + 1, kClocks); });
       }},
      {"a table fired twice for one clock", [](History* h) { return h->checker().OnFired(0, 0, kClocks - 1); }},
      {"a clock left out", [](History* h) { return h->checker().OnFired(0, 0, kClocks + 1); }},
      {"an update after its clock was fired", [](History* h) { return h->Step(1, kClocks - 1); }},
      {"a frozen partition that changed",
       [](History* h) {
         return h->Read(0, 3, 0, 0, {3}, [](ReadRecord* r) {
           r->table = 1;
           r->values = {5.0, 6.0, 5.0};
         });
       }},
      {"a last copy that is one version old",
       [](History* h) { return h->Copy(kClocks - 1, Counted(1, kClocks - 1, kClocks - 1)); }},
      {"a last copy that differs in one bit",
       [](History* h) {
         std::vector<double> row = Counted(1, kClocks, kClocks);
         row[2] += 1.0;
         return h->Copy(kClocks, row);
       }},
  };
  CHECK(bad.size() >= 37);
  for (const Bad& history_of : bad) {
    CAPTURE(std::string(history_of.what));
    History history;
    CHECK(history_of.run(&history) != "");
  }
}

TEST_CASE("Checker: the sentence tells the version that was shown and those that are allowed") {
  History history;
  CHECK(history.Read(0, 4, 1, 0, {2, 2}).find("too old: version 2, allowed 3 to 4") != std::string::npos);
  CHECK(history.Read(0, 4, 1, 0, {5, 5}).find("too new: version 5, allowed 3 to 4") != std::string::npos);
  CHECK(history.Read(0, 4, 1, 0, {4, 3}).find("row 0 = version 4; row 1 = version 3") != std::string::npos);
}

TEST_CASE("Reference: momentum takes one step on the mean of each row's contributors") {
  CheckedWorld world;
  world.world = 2;
  world.first_clock = 10;
  world.params = Params;
  world.tables.push_back({table::FindRule(table::RuleId::kSgd), 1, true, false});
  world.partitions.push_back({0, 0, 2, false, {0, 1}, {8.0, 8.0}});
  Reference reference(world);
  CHECK(reference.Add(0, 0, 10, 0, std::vector<double>{2.0}) == "");
  CHECK(reference.Add(1, 0, 10, 0, std::vector<double>{4.0}) == "");
  CHECK(reference.Add(1, 0, 11, 0, std::vector<double>{8.0}) == "");
  for (Clock clock : {10, 11}) {
    CHECK(reference.Fire(0, 0, clock) == "");
    CHECK(reference.Fire(1, 0, clock) == "");
  }
  // m = (2 + 4) / 2 = 3, then 0.5 * 3 + 8 = 9.5; value = 8 - 3 / 8 - 9.5 / 8.
  CHECK(*reference.Row(0, 0, 11) == 8.0 - 3.0 / 8);
  CHECK(*reference.Row(0, 0, 12) == 8.0 - 3.0 / 8 - 9.5 / 8);
  CHECK(*reference.Row(0, 1, 12) == 8.0);
  CHECK(reference.Complete(0) == 12);
}

}  // namespace geeps::sim
