// SPDX-License-Identifier: Apache-2.0
// Async tables, read-my-writes and observers, by vector clocks: every row has a lane for each worker, to which that
// worker adds 1 in every clock, so that a read *is* the list of what it contains. One more lane gets a drawn whole
// number: its sum shows that each contribution was taken in exactly once.
#include <doctest/doctest.h>

#include <algorithm>
#include <utility>

#include "tests/system/scenario.h"

namespace geeps::system_test {
namespace {

constexpr uint64_t kRows = 1100;
constexpr uint64_t kClocks = 50;
// The second update of a pass, with read-my-writes: rows that lie in two partitions.
constexpr uint64_t kAgainFirst = 100;
constexpr uint64_t kAgainEnd = 700;

double Drawn(uint32_t rank, uint64_t clock) { return static_cast<double>(Random(rank * 7919 + clock).Below(1 << 20)); }

// Updates that a worker makes to a row in one clock.
uint64_t UpdatesOf(uint64_t row, bool again) { return again && row >= kAgainFirst && row < kAgainEnd ? 2 : 1; }

struct Look {
  uint64_t first_row = 0;
  bool again = false;  // the plan has the second update
  uint64_t clock = 0;
  uint64_t own_in_pass = 0;  // own updates of this pass before the read: 0, 1, 2
  uint64_t read = 0;         // which of the pass
};

constexpr uint64_t kReads = 4;

// How many clocks of `rank` a row contains; -1: no whole number of them. For the reader's own lane with read-my-writes
// `extra` updates of the running pass come on top.
int64_t ClocksOf(double lane, uint64_t row, bool again, uint64_t extra) {
  const int64_t count = static_cast<int64_t>(lane);
  if (lane != static_cast<double>(count)) return -1;
  const int64_t rest = count - static_cast<int64_t>(extra);
  const int64_t each = static_cast<int64_t>(UpdatesOf(row, again));
  return rest < 0 || rest % each != 0 ? -1 : rest / each;
}

// The cut that a row shows: clocks by rank. Empty when it shows none, or when the checksum is another one.
std::vector<int64_t> CutOf(const Worker& w, const double* lanes, uint64_t row, const Look& look) {
  std::vector<int64_t> cut;
  double sum = 0;
  for (uint32_t rank = 0; rank < w.world; ++rank) {
    const bool second = look.again && row >= kAgainFirst && row < kAgainEnd;
    const uint64_t extra = rank != w.rank ? 0 : std::min<uint64_t>(look.own_in_pass, second ? 2 : 1);
    const int64_t clocks = ClocksOf(lanes[rank], row, look.again, extra);
    if (clocks < 0) return {};
    for (int64_t c = 0; c < clocks; ++c) sum += static_cast<double>(UpdatesOf(row, look.again)) * Drawn(rank, c);
    sum += static_cast<double>(extra) * Drawn(rank, look.clock);
    cut.push_back(clocks);
  }
  if (lanes[w.world] != sum) return {};
  return cut;
}

std::string Says(const Look& look, uint64_t row, const std::vector<int64_t>& cut) {
  std::string text = "clock " + std::to_string(look.clock) + ", row " + std::to_string(row) + " shows the cut";
  for (int64_t clocks : cut) text += " " + std::to_string(clocks);
  return cut.empty() ? text + " of none" : text;
}

// What a read may show beside its cut's being one.
using Rule = std::function<bool(const Look&, const geeps_view&, const std::vector<int64_t>& cut)>;

struct Watcher {
  Watcher(Worker* worker, Rule what) : w(worker), rule(std::move(what)), before(kRows * kReads) {}

  Worker* w;
  Rule rule;
  std::vector<std::vector<int64_t>> before;  // by read and row: each by itself never goes back
  std::string problem;

  void See(const geeps_view& view, const Look& look) {
    const double* const values = static_cast<const double*>(view.data);
    for (uint64_t i = 0; i < view.num_rows && problem.empty(); ++i) {
      const uint64_t row = look.first_row + i;
      const std::vector<int64_t> cut = CutOf(*w, values + i * view.row_values, row, look);
      if (cut.empty() || !rule(look, view, cut)) problem = Says(look, row, cut);
      std::vector<int64_t>& last = before[look.read * kRows + row];
      for (size_t rank = 0; rank < last.size() && problem.empty(); ++rank) {
        if (cut[rank] < last[rank]) problem = Says(look, row, cut) + " and goes back";
      }
      last = cut;
    }
  }
};

void Add(Worker& w, geeps::Walker& walker, const geeps::Access& access, uint64_t clock) {
  const uint64_t lanes = w.world + 1;
  for (uint64_t i = 0; walker.live() && i < access.view().num_rows; ++i) {
    access.data<double>()[i * lanes + w.rank] = 1;
    access.data<double>()[i * lanes + w.world] = Drawn(w.rank, clock);
  }
}

struct Job {
  geeps::Options options = {{"partition_bytes", "4096"}};
  uint32_t slack = 0;
  bool again = false;  // two updates in a pass, with reads before, between and behind
  Rule rule;
};

std::string WalkJob(Worker& w, const Job& job) {
  const uint64_t lanes = w.world + 1;
  geeps::Table table(w.rt, "lanes", kRows, lanes, GEEPS_F64, job.options, w.err);
  Watcher watcher(&w, job.rule);
  Look look;
  look.again = job.again;
  const auto read = [&](geeps::Walker& walker, const geeps::Rows& rows, uint64_t first_row) {
    const geeps::Access access = walker.Read(table, rows, job.slack);
    look.first_row = first_row;
    if (walker.live()) watcher.See(access.view(), look);
    ++look.read;
    walker.PostRead(access);
  };
  const auto update = [&](geeps::Walker& walker, const geeps::Rows& rows) {
    const geeps::Access access = walker.PreUpdate(table, rows, GEEPS_UPDATE_ZEROED);
    Add(w, walker, access, look.clock);
    walker.Update(access);
  };
  const auto body = [&](geeps::Walker& walker) {
    look.own_in_pass = look.read = 0;
    read(walker, geeps::Rows::All(), 0);
    update(walker, geeps::Rows::All());
    if (!job.again) return;
    look.own_in_pass = 1;
    read(walker, geeps::Rows::Range(60, 500), 60);
    update(walker, geeps::Rows::Range(kAgainFirst, kAgainEnd - kAgainFirst));
    look.own_in_pass = 2;
    read(walker, geeps::Rows::Range(650, 300), 650);
    read(walker, geeps::Rows::All(), 0);
  };
  geeps::Walker train(w.rt, "train", w.err);
  train.Record(body);
  w.rt.Commit({train.plan()}, w.err);
  for (look.clock = 0; look.clock < kClocks && watcher.problem.empty() && w.err.ok(); ++look.clock) {
    w.note = "clock " + std::to_string(look.clock);
    train.Walk(body);
  }
  if (!watcher.problem.empty()) return watcher.problem;
  // A commit publishes everything to everybody.
  geeps::Walker last(w.rt, "last", w.err);
  const auto look_once = [&](geeps::Walker& walker) {
    look.own_in_pass = look.read = 0;
    const geeps::Access access = walker.Read(table, geeps::Rows::All(), 0);
    look.first_row = 0;
    watcher.rule = [&](const Look&, const geeps_view&, const std::vector<int64_t>& cut) {
      return std::all_of(cut.begin(), cut.end(), [](int64_t clocks) { return clocks == int64_t{kClocks}; });
    };
    if (walker.live()) watcher.See(access.view(), look);
    walker.PostRead(access);
  };
  last.Record(look_once, GEEPS_PLAN_NO_CLOCK);
  w.rt.Commit({last.plan()}, w.err);
  last.Walk(look_once);
  return watcher.problem;
}

void RunEverywhere(uint32_t world, const std::function<Job(uint32_t rank)>& job_of) {
  for (const char* transport : {"inproc", "tcp"}) {
    for (const char* device : {"host", "deferred:lazy", "deferred:seeded:5", "deferred:lazy:separate"}) {
      CAPTURE(std::string(transport));
      CAPTURE(std::string(device));
      Setup setup;
      setup.world = world;
      setup.transport = transport;
      setup.device = device;
      CHECK(RunWorkers(setup, [&](Worker& w) { return WalkJob(w, job_of(w.rank)); }) == "");
    }
  }
}

}  // namespace

TEST_CASE("an async table takes every contribution once, and a view tells which own ones it contains") {
  RunEverywhere(3, [](uint32_t rank) {
    Job job;
    job.options.Set("mode", "async");
    job.rule = [rank](const Look& look, const geeps_view& view, const std::vector<int64_t>& cut) {
      const int64_t own = cut[rank];
      return own >= static_cast<int64_t>(view.min_age) && own <= static_cast<int64_t>(view.max_age) &&
             own <= static_cast<int64_t>(look.clock);
    };
    return job;
  });
}

TEST_CASE("with read-my-writes every read has all own updates before it, on top of one whole version") {
  for (const uint32_t slack : {0u, 1u, 3u}) {
    CAPTURE(slack);
    RunEverywhere(3, [slack](uint32_t rank) {
      Job job;
      job.options.Set("read_my_writes", "1");
      job.slack = slack;
      job.again = true;
      job.rule = [rank, slack](const Look& look, const geeps_view& view, const std::vector<int64_t>& cut) {
        const int64_t age = cut[(rank + 1) % cut.size()];
        for (uint32_t r = 0; r < cut.size(); ++r) {
          if (cut[r] != (r == rank ? static_cast<int64_t>(look.clock) : age)) return false;
        }
        return age >= static_cast<int64_t>(view.min_age) && age <= static_cast<int64_t>(view.max_age) &&
               age + static_cast<int64_t>(slack) >= static_cast<int64_t>(look.clock) &&
               age <= static_cast<int64_t>(look.clock);
      };
      return job;
    });
  }
}

TEST_CASE("with read-my-writes a read of an async table has all own updates before it, too") {
  RunEverywhere(3, [](uint32_t rank) {
    Job job;
    job.options.Set("mode", "async").Set("read_my_writes", "1");
    job.again = true;
    job.rule = [rank](const Look& look, const geeps_view&, const std::vector<int64_t>& cut) {
      return cut[rank] == static_cast<int64_t>(look.clock);
    };
    return job;
  });
}

TEST_CASE("an observer reads whole versions in their order; nobody waits for it, and it waits for nobody") {
  for (const char* mode : {"bounded", "async"}) {
    for (const char* transport : {"inproc", "tcp"}) {
      for (const char* device : {"host", "deferred:lazy", "deferred:lazy:separate"}) {
        CAPTURE(std::string(mode));
        CAPTURE(std::string(transport));
        CAPTURE(std::string(device));
        const bool async = std::string(mode) == "async";
        Setup setup;
        setup.world = 3;
        setup.transport = transport;
        setup.device = device;
        const std::string complaints = RunWorkers(setup, [&](Worker& w) -> std::string {
          const bool observes = w.rank == 2;
          geeps::Options options = {{"partition_bytes", "4096"}, {"mode", mode}};
          if (observes) options.Set("observer", "1");
          geeps::Table table(w.rt, "lanes", kRows, w.world + 1, GEEPS_F64, options, w.err);
          Look look;
          Watcher watcher(&w, [&](const Look&, const geeps_view&, const std::vector<int64_t>& cut) {
            return cut[2] == 0 && (async || cut[0] == cut[1]);
          });
          const auto body = [&](geeps::Walker& walker) {
            const geeps::Access access = walker.Read(table, geeps::Rows::All(), 0);
            if (walker.live()) watcher.See(access.view(), look);
            walker.PostRead(access);
            if (observes) return;
            const geeps::Access add = walker.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED);
            Add(w, walker, add, look.clock);
            walker.Update(add);
          };
          geeps::Walker train(w.rt, "train", w.err);
          train.Record(body);
          w.rt.Commit({train.plan()}, w.err);
          const auto walk = [&] {
            for (look.clock = 0; look.clock < kClocks && watcher.problem.empty() && w.err.ok(); ++look.clock) {
              w.note = "clock " + std::to_string(look.clock);
              train.Walk(body);
            }
          };
          // The observer stands still while the others walk all their clocks, then it walks while they stand still.
          if (!observes) walk();
          w.Meet();
          if (observes) walk();
          w.rt.Fence(w.err);
          if (observes && !async) {
            watcher.rule = [](const Look&, const geeps_view&, const std::vector<int64_t>& cut) {
              return cut[0] == cut[1] && cut[0] >= int64_t{kClocks};  // the others go on meanwhile
            };
          }
          train.Walk(body);
          return watcher.problem;
        });
        CHECK(complaints == "");
      }
    }
  }
}

TEST_CASE("observers record no update, reads of async tables no slack") {
  Setup setup;
  setup.world = 1;
  CHECK(RunWorkers(setup, [](Worker& w) -> std::string {
          geeps::Table seen(w.rt, "seen", 4, 4, GEEPS_F32, {{"observer", "1"}}, w.err);
          geeps::Table async(w.rt, "async", 4, 4, GEEPS_F32, {{"mode", "async"}}, w.err);
          geeps::Plan plan(w.rt, "train", w.err);
          geeps::Error refused;
          plan.PreUpdate(seen, geeps::Rows::All(), 0, refused);
          if (refused.status() != GEEPS_E_INVALID) return "an observer recorded an update";
          geeps::Error late;
          plan.Read(async, geeps::Rows::All(), 1, 0, late);
          if (late.status() != GEEPS_E_INVALID) return "an async table is read with slack";
          return "";
        }) == "");
}

}  // namespace geeps::system_test
