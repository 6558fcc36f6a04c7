// SPDX-License-Identifier: Apache-2.0
// Slack by vector clocks: every row has a lane for each worker, to which that worker adds 1 in every clock, so that a
// read *is* the list of what it contains. One more lane gets a drawn whole number: its sum shows that each clock was
// taken in exactly once.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/system/scenario.h"

namespace geeps::system_test {
namespace {

constexpr uint64_t kRows = 1100;
constexpr uint64_t kClocks = 60;

double Drawn(uint32_t rank, uint64_t clock) { return static_cast<double>(Random(rank * 7919 + clock).Below(1 << 20)); }

// The checksum lane at version `age`.
double SumOf(uint32_t world, uint64_t age) {
  double sum = 0;
  for (uint32_t rank = 0; rank < world; ++rank) {
    for (uint64_t clock = 0; clock < age; ++clock) sum += Drawn(rank, clock);
  }
  return sum;
}

// The version of one row, or -1 when its lanes are those of none.
int64_t VersionOf(const double* lanes, uint32_t world, const std::vector<double>& sums) {
  const double age = lanes[0];
  for (uint32_t rank = 1; rank < world; ++rank) {
    if (lanes[rank] != age) return -1;
  }
  if (age < 0 || age > static_cast<double>(kClocks) || age != static_cast<double>(static_cast<int64_t>(age))) return -1;
  return lanes[world] == sums[static_cast<size_t>(age)] ? static_cast<int64_t>(age) : -1;
}

struct Read {
  geeps::Rows rows;
  uint32_t flags;
};

std::string WalkClocks(Worker& w, uint32_t slack, const std::vector<double>& sums) {
  const uint64_t lanes = w.world + 1;
  geeps::Table table(w.rt, "lanes", kRows, lanes, GEEPS_F64, {{"partition_bytes", "4096"}}, w.err);
  const Read reads[] = {{geeps::Rows::All(), 0},
                        {geeps::Rows::Range(w.rank * 50, 300), GEEPS_READ_COPY},
                        {geeps::Rows::FromRuns({{3, 1}, {40, 2}, {900, 1}}), 0}};
  std::string problem;
  std::vector<int64_t> before(kRows, 0);
  uint64_t clock = 0;
  const auto body = [&](geeps::Walker& walker) {
    for (const Read& read : reads) {
      const geeps::Access access = walker.Read(table, read.rows, slack, read.flags);
      const double* const values = access.data<double>();
      for (uint64_t i = 0; walker.live() && i < access.view().num_rows && problem.empty(); ++i) {
        const int64_t age = VersionOf(values + i * lanes, w.world, sums);
        const int64_t oldest = static_cast<int64_t>(clock) - static_cast<int64_t>(slack);
        if (age < oldest || age > static_cast<int64_t>(clock) || age < static_cast<int64_t>(access.view().min_age) ||
            age > static_cast<int64_t>(access.view().max_age)) {
          problem = "clock " + std::to_string(clock) + ": row " + std::to_string(i) + " of a read has version " +
                    std::to_string(age) + " (-1: of none), the view says " + std::to_string(access.view().min_age) +
                    " to " + std::to_string(access.view().max_age);
        }
        if (access.view().num_rows == kRows && age < before[i])
          problem = "a row's age went back at clock " + std::to_string(clock);
        if (access.view().num_rows == kRows) before[i] = age;
      }
      walker.PostRead(access);
    }
    const geeps::Access add = walker.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED);
    for (uint64_t i = 0; walker.live() && i < kRows; ++i) {
      add.data<double>()[i * lanes + w.rank] = 1;
      add.data<double>()[i * lanes + w.world] = Drawn(w.rank, clock);
    }
    walker.Update(add);
  };
  geeps::Walker train(w.rt, "train", w.err);
  train.Record(body);
  w.rt.Commit({train.plan()}, w.err);
  for (; clock < kClocks && problem.empty() && w.err.ok(); ++clock) {
    w.note = "clock " + std::to_string(clock);
    train.Walk(body);
  }
  return problem;
}

std::string RunClocks(const char* transport, const char* device, uint32_t world, uint32_t slack) {
  std::vector<double> sums;
  for (uint64_t age = 0; age <= kClocks; ++age) sums.push_back(SumOf(world, age));
  Setup setup;
  setup.world = world;
  setup.transport = transport;
  setup.device = device;
  return RunWorkers(setup, [&](Worker& w) { return WalkClocks(w, slack, sums); });
}

}  // namespace

TEST_CASE("every row read is one whole version within the slack, and ages never go back") {
  for (const char* transport : {"inproc", "tcp"}) {
    for (const char* device : {"host", "deferred:lazy"}) {
      for (const uint32_t slack : {0u, 1u, 3u}) {
        CAPTURE(std::string(transport));
        CAPTURE(std::string(device));
        CAPTURE(slack);
        CHECK(RunClocks(transport, device, 3, slack) == "");
      }
    }
  }
}

TEST_CASE("the largest slack there is works") { CHECK(RunClocks("inproc", "host", 2, GEEPS_SLACK_MAX) == ""); }

TEST_CASE("with slack 2 a worker runs exactly two clocks ahead of one that stands still") {
  for (const char* transport : {"inproc", "tcp"}) {
    Setup setup;
    setup.world = 2;
    setup.transport = transport;
    const std::string complaints = RunWorkers(setup, [](Worker& w) -> std::string {
      geeps::Table table(w.rt, "t", 4, 4, GEEPS_F64, {}, w.err);
      geeps::Plan plan(w.rt, "train", w.err);
      const geeps_op read = plan.Read(table, geeps::Rows::All(), 2, 0, w.err);
      plan.PostRead(read, w.err);
      const geeps_op update = plan.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED, w.err);
      plan.Update(update, w.err);
      plan.End(0, w.err);
      w.rt.Commit({plan.get()}, w.err);
      geeps_view view = {};
      view.struct_size = sizeof view;
      const auto pass = [&](uint64_t limit_ns) {  // GEEPS_OK, or what the read returned
        const geeps_status status = geeps_read(w.rt.get(), read, nullptr, limit_ns, &view, w.err.raw());
        if (status != GEEPS_OK) return status;
        geeps_post_read(w.rt.get(), read, nullptr, w.err.raw());
        w.err.Take(geeps_pre_update(w.rt.get(), update, nullptr, GEEPS_NO_LIMIT, &view, w.err.raw()));
        w.err.Take(geeps_update(w.rt.get(), update, nullptr, w.err.raw()));
        return w.err.Take(geeps_clock(w.rt.get(), plan.get(), w.err.raw()));
      };
      w.err.Take(geeps_pass_begin(w.rt.get(), plan.get(), w.err.raw()));
      std::string problem;
      if (w.rank == 0) {
        for (int clock = 0; clock < 3; ++clock) {
          if (pass(GEEPS_NO_LIMIT) != GEEPS_OK) problem = "clock " + std::to_string(clock) + " had to wait";
        }
        if (pass(50'000'000) != GEEPS_E_TIMEOUT) problem = "clock 3 did not wait for the other worker";
        if (!w.Meet()) return problem;
        for (int clock = 3; clock < 5; ++clock) pass(GEEPS_NO_LIMIT);
      } else {
        if (!w.Meet()) return problem;
        for (int clock = 0; clock < 5; ++clock) pass(GEEPS_NO_LIMIT);
      }
      // Both stand in the pass of clock 5: end it, so that the shutdown finds them between passes.
      pass(GEEPS_NO_LIMIT);
      geeps_view last = {};
      last.struct_size = sizeof last;
      w.err.Take(geeps_read(w.rt.get(), read, nullptr, GEEPS_NO_LIMIT, &last, w.err.raw()));
      w.err.Take(geeps_post_read(w.rt.get(), read, nullptr, w.err.raw()));
      w.err.Take(geeps_pre_update(w.rt.get(), update, nullptr, GEEPS_NO_LIMIT, &last, w.err.raw()));
      w.err.Take(geeps_update(w.rt.get(), update, nullptr, w.err.raw()));
      w.err.Take(geeps_clock(w.rt.get(), nullptr, w.err.raw()));
      return problem;
    });
    CAPTURE(std::string(transport));
    CHECK(complaints == "");
  }
}

}  // namespace geeps::system_test
