// SPDX-License-Identifier: Apache-2.0
// Rows that are set and read outside plans. Values say what they are: row * 1000 + column, plus what was added.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/system/scenario.h"

namespace geeps::system_test {
namespace {

constexpr uint64_t kRows = 3000;
constexpr uint64_t kWidth = 8;

double Named(uint64_t row, uint64_t column) { return static_cast<double>(row * 1000 + column); }

std::vector<double> NamedRows(uint64_t first, uint64_t count, double more = 0) {
  std::vector<double> values;
  for (uint64_t row = first; row < first + count; ++row) {
    for (uint64_t column = 0; column < kWidth; ++column) values.push_back(Named(row, column) + more);
  }
  return values;
}

// What a read of all rows shows must be `expected`.
std::string ReadAll(geeps::Walker& walker, const geeps::Table& table, const std::vector<double>& expected) {
  const geeps::Access access = walker.Read(table, geeps::Rows::All(), 0);
  std::string problem;
  for (uint64_t i = 0; walker.live() && i < expected.size() && problem.empty(); ++i) {
    if (access.data<double>()[i] == expected[i]) continue;
    problem = "value " + std::to_string(i) + " is " + std::to_string(access.data<double>()[i]) + ", not " +
              std::to_string(expected[i]);
  }
  walker.PostRead(access);
  return problem;
}

void AddOnes(geeps::Walker& walker, const geeps::Table& table) {
  const geeps::Access add = walker.PreUpdate(table, geeps::Rows::All(), 0);
  for (uint64_t i = 0; walker.live() && i < kRows * kWidth; ++i) add.data<double>()[i] = 1;
  walker.Update(add);
}

void Everywhere(uint32_t world, const Body& body) {
  for (const char* transport : {"inproc", "tcp"}) {
    for (const char* device : {"host", "deferred:lazy", "deferred:lazy:separate"}) {
      CAPTURE(std::string(transport));
      CAPTURE(std::string(device));
      Setup setup;
      setup.world = world;
      setup.transport = transport;
      setup.device = device;
      CHECK(RunWorkers(setup, body) == "");
    }
  }
}

const geeps::Options kSmallPartitions = {{"partition_bytes", "4096"}};

}  // namespace

TEST_CASE(
    "what one worker sets before the first commit is there for all after it; get reads it, and every clock since") {
  Everywhere(3, [](Worker& w) -> std::string {
    geeps::Table table(w.rt, "t", kRows, kWidth, GEEPS_F64, kSmallPartitions, w.err);
    if (w.rank == 1) table.Set(geeps::Rows::All(), NamedRows(0, kRows), w.err);
    uint64_t clock = 0;
    std::string problem;
    const auto body = [&](geeps::Walker& walker) {
      const std::string wrong = ReadAll(walker, table, NamedRows(0, kRows, static_cast<double>(3 * clock)));
      if (problem.empty() && !wrong.empty()) problem = "clock " + std::to_string(clock) + ": " + wrong;
      AddOnes(walker, table);
    };
    geeps::Walker train(w.rt, "train", w.err);
    train.Record(body);
    problem = "";
    w.rt.Commit({train.plan()}, w.err);
    for (; clock < 6 && problem.empty() && w.err.ok(); ++clock) {
      w.note = "clock " + std::to_string(clock);
      // Others may have gone on: what is read is one version not older than asked for, each of its rows.
      std::vector<double> got(5 * kWidth);
      const uint64_t age = table.Get(geeps::Rows::FromRuns({{3, 1}, {700, 2}, {2998, 2}}), &got, w.err);
      const uint64_t rows[] = {3, 700, 701, 2998, 2999};
      for (uint64_t i = 0; w.err.ok() && i < 5 && problem.empty(); ++i) {
        const double more = got[i * kWidth] - Named(rows[i], 0);
        if (more < 3.0 * static_cast<double>(clock) || std::fmod(more, 3) != 0) problem = "a get shows no version";
        for (uint64_t c = 1; c < kWidth; ++c) {
          if (got[i * kWidth + c] - Named(rows[i], c) != more) problem = "a get shows a torn row";
        }
      }
      if (w.err.ok() && age < clock) problem = "a get shows an older version than it was asked for";
      train.Walk(body);
    }
    return problem;
  });
}

TEST_CASE("sets of a fence are applied in the order of rank and call, between two clocks, on all workers") {
  Everywhere(3, [](Worker& w) -> std::string {
    geeps::Table table(w.rt, "t", kRows, kWidth, GEEPS_F64, kSmallPartitions, w.err);
    std::vector<double> expected(kRows * kWidth, 0.0);
    std::string problem;
    const auto body = [&](geeps::Walker& walker) {
      const std::string wrong = ReadAll(walker, table, expected);
      if (problem.empty()) problem = wrong;
      AddOnes(walker, table);
    };
    geeps::Walker train(w.rt, "train", w.err);
    train.Record(body);
    problem = "";
    w.rt.Commit({train.plan()}, w.err);
    const auto walk = [&] {
      train.Walk(body);
      for (double& value : expected) value += 3;
    };
    const auto put = [&](uint64_t first, uint64_t count, double more) {
      const std::vector<double> values = NamedRows(first, count, more);
      std::copy(values.begin(), values.end(), expected.begin() + static_cast<int64_t>(first * kWidth));
    };
    walk();
    walk();
    // Rank 2's come last, and its second one behind its first.
    const double own = 10.0 * w.rank;
    table.Set(geeps::Rows::Range(100, 900), NamedRows(100, 900, own), w.err);
    if (w.rank == 2) table.Set(geeps::Rows::Range(500, 100), NamedRows(500, 100, 0.5), w.err);
    w.rt.Fence(w.err);
    put(100, 900, 20);
    put(500, 100, 0.5);
    walk();
    w.rt.Fence(w.err);  // nothing is set: nothing changes
    walk();
    std::vector<double> got(kRows * kWidth);
    const uint64_t age = table.Get(geeps::Rows::All(), &got, w.err);
    if (w.err.ok() && (age != 4 || got != expected)) return "a get of all rows differs";
    return problem;
  });
}

TEST_CASE("a set begins the rule anew in its rows, unless it keeps the state") {
  Setup setup;
  setup.world = 2;
  CHECK(RunWorkers(setup, [](Worker& w) -> std::string {
          const geeps::Options momentum = {{"rule", "sgd"}, {"param.lr", "1"}, {"param.momentum", "0.5"}};
          geeps::Table table(w.rt, "t", 3, 1, GEEPS_F64, momentum, w.err);
          std::vector<double> seen;
          const auto body = [&](geeps::Walker& walker) {
            const geeps::Access read = walker.Read(table, geeps::Rows::All(), 0);
            if (walker.live()) seen.assign(read.data<double>(), read.data<double>() + 3);
            walker.PostRead(read);
            const geeps::Access update = walker.PreUpdate(table, geeps::Rows::All(), 0);
            for (int i = 0; walker.live() && i < 3; ++i) update.data<double>()[i] = 1;
            walker.Update(update);
          };
          geeps::Walker train(w.rt, "train", w.err);
          train.Record(body);
          w.rt.Commit({train.plan()}, w.err);
          train.Walk(body);  // gradient 2, velocity 2, value -2
          if (w.rank == 0) {
            table.Set(geeps::Rows::Range(0, 1), std::vector<double>{100}, w.err);
            table.Set(geeps::Rows::Range(1, 1), std::vector<double>{100}, w.err, GEEPS_SET_KEEP_STATE);
          }
          w.rt.Fence(w.err);
          train.Walk(body);
          train.Walk(body);  // row 0: velocity 2; rows 1 and 2: 0.5 * 2 + 2 = 3
          const std::vector<double> expected = {98, 97, -5};
          return seen == expected || !w.err.ok() ? "" : "the values after a set are not those of its state";
        }) == "");
}

TEST_CASE("a commit that fails keeps what was set; the next fence takes it in") {
  Setup setup;
  setup.world = 2;
  setup.transport = "tcp";
  CHECK(RunWorkers(setup, [](Worker& w) -> std::string {
          geeps::Table table(w.rt, "t", 100, kWidth, GEEPS_F64, {}, w.err);
          const auto body = [&](geeps::Walker& walker) { walker.PostRead(walker.Read(table, geeps::Rows::All(), 0)); };
          geeps::Walker look(w.rt, "look", w.err);
          look.Record(body, GEEPS_PLAN_NO_CLOCK);
          w.rt.Commit({look.plan()}, w.err);
          if (w.rank == 1) table.Set(geeps::Rows::Range(10, 5), NamedRows(10, 5), w.err);
          {
            geeps::Error refused;
            geeps::Table other(w.rt, "other", 10 + w.rank, 1, GEEPS_F64, {}, w.err);
            w.rt.Commit({look.plan()}, refused);
            if (refused.status() != GEEPS_E_MISMATCH) return "tables of different sizes are not refused";
          }
          std::vector<double> got(5 * kWidth, -1);
          table.Get(geeps::Rows::Range(10, 5), &got, w.err);
          if (w.err.ok() && got != std::vector<double>(5 * kWidth, 0.0)) return "a commit that failed took a set in";
          w.rt.Fence(w.err);
          table.Get(geeps::Rows::Range(10, 5), &got, w.err);
          if (w.err.ok() && got != NamedRows(10, 5)) return "the fence did not take the set in";
          look.Walk(body);
          return "";
        }) == "");
}

TEST_CASE("16-bit tables take sets and give gets in their dtype, masters included") {
  Setup setup;
  setup.world = 2;
  CHECK(RunWorkers(setup, [](Worker& w) -> std::string {
          geeps::Table table(w.rt, "t", 4, 2, GEEPS_BF16, {}, w.err);
          const uint16_t one = 0x3f80, two = 0x4000;  // bf16: the upper half of an f32
          if (w.rank == 1) table.Set(geeps::Rows::Range(1, 2), std::vector<uint16_t>(4, one), w.err);
          const auto body = [&](geeps::Walker& walker) {
            walker.PostRead(walker.Read(table, geeps::Rows::All(), 0));
            const geeps::Access update = walker.PreUpdate(table, geeps::Rows::Range(0, 2), GEEPS_UPDATE_ZEROED);
            for (int i = 0; w.rank == 0 && walker.live() && i < 4; ++i) update.data<uint16_t>()[i] = one;
            walker.Update(update);
          };
          geeps::Walker train(w.rt, "train", w.err);
          train.Record(body);
          w.rt.Commit({train.plan()}, w.err);
          train.Walk(body);
          std::vector<uint16_t> got(8);
          table.Get(geeps::Rows::All(), &got, w.err);
          const std::vector<uint16_t> expected = {one, one, two, two, one, one, 0, 0};
          return got == expected || !w.err.ok() ? "" : "the values are others";
        }) == "");
}

TEST_CASE("a get may go on beside passes, is refused above the own clock, and lets its memory go when it is dropped") {
  Setup setup;
  setup.world = 2;
  setup.transport = "tcp";
  CHECK(RunWorkers(setup, [](Worker& w) -> std::string {
          geeps::Table table(w.rt, "t", 64, 1, GEEPS_F64, {}, w.err);
          const auto body = [&](geeps::Walker& walker) {
            walker.PostRead(walker.Read(table, geeps::Rows::All(), 3));
            walker.Update(walker.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED));
          };
          geeps::Walker train(w.rt, "train", w.err);
          train.Record(body);
          w.rt.Commit({train.plan()}, w.err);
          std::string problem;
          std::vector<double> got(64, -1);
          const geeps_rows all = {0, GEEPS_TO_END};
          geeps_request* request = nullptr;
          const auto begin = [&](uint64_t age) {
            return geeps_table_get(table.get(), &all, 1, age, got.data(), 64 * 8, nullptr, &request, w.err.raw());
          };
          if (w.rank == 0) {
            train.Walk(body);
            // The other has not fired clock 0: version 1 is not there.
            if (begin(1) != GEEPS_OK) problem = "a get is refused";
            if (geeps_request_wait(request, 0, w.err.raw()) != GEEPS_AGAIN) problem = "a get did not wait";
            train.Walk(body);
            geeps_request_destroy(request);
            if (begin(3) != GEEPS_E_INVALID) problem = "a get above the own clock is not refused";
            if (begin(2) != GEEPS_OK) problem = "a get after a dropped one is refused";
            if (geeps_fence(w.rt.get(), nullptr, w.err.raw()) != GEEPS_E_STATE)
              problem = "a fence beside a get is not refused";
          }
          w.Meet();
          if (w.rank == 1) {
            train.Walk(body);
            train.Walk(body);
          } else {
            if (geeps_request_wait(request, GEEPS_NO_LIMIT, w.err.raw()) != GEEPS_OK) problem = "a get failed";
            geeps_request_destroy(request);
            if (got != std::vector<double>(64, 0.0)) problem = "a get gave other values";
          }
          return problem;
        }) == "");
}

}  // namespace geeps::system_test
