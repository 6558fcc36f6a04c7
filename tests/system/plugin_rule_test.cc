// SPDX-License-Identifier: Apache-2.0
// Rules of plugins in whole jobs: samples/rule_lion, and tests/plugins/rules.c in two versions.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "tests/system/reference.h"
#include "tests/system/threads.h"

namespace geeps::system_test {
namespace {

constexpr uint64_t kClocks = 12;

double RateOf(uint64_t clock) { return 0.01 * static_cast<double>(1 + clock % 3); }

// Rank 1 leaves out every third row. Eighths from -1 to 1: every dtype holds them.
bool Updates(uint32_t rank, uint64_t row) { return rank == 0 || row % 3 != 0; }
double GradientOf(uint32_t rank, uint64_t clock, uint64_t row, uint64_t column) {
  return static_cast<double>((7 * rank + 5 * clock + 3 * row + 11 * column) % 17) / 8 - 1;
}

std::vector<uint8_t> ContributionOf(const TableSpec& spec, uint32_t rank, uint64_t clock, uint64_t row) {
  std::vector<uint8_t> bytes(spec.row_bytes());
  for (uint64_t i = 0; i < spec.row_values; ++i) {
    StoreNumber(spec.dtype, GradientOf(rank, clock, row, i), bytes.data() + i * spec.value_bytes());
  }
  return bytes;
}

Reference ReferenceOf(const TableSpec& spec) {
  Reference reference(spec);
  for (uint64_t clock = 0; clock < kClocks; ++clock) {
    std::vector<RowValues> contributions(2);
    for (uint32_t rank = 0; rank < 2; ++rank) {
      for (uint64_t row = 0; row < spec.num_rows; ++row) {
        if (Updates(rank, row)) contributions[rank][row] = ContributionOf(spec, rank, clock, row);
      }
    }
    reference.Advance(contributions, RateOf(clock));
  }
  return reference;
}

// Two workers train `spec` under the sample's rule. Every read is compared with the version of its clock, with slack
// with those it may have.
std::string TrainWithLion(const TableSpec& spec, const Reference& reference, uint32_t slack, Setup setup) {
  setup.world = 2;
  return RunWorkers(setup, [&](Worker& w) -> std::string {
    geeps::Options options{{"rule", GEEPS_RULE_LION},
                           {"reduce", spec.mean ? "mean" : "sum"},
                           {"init", "constant:" + std::to_string(spec.initial)},
                           {"partition_bytes", std::to_string(spec.partition_bytes)}};
    for (const auto& [name, value] : spec.params) options.Set("param." + name, std::to_string(value));
    geeps::Table table(w.rt, "t", spec.num_rows, spec.row_values, spec.dtype, options, w.err);
    std::vector<uint64_t> ids;
    for (uint64_t row = 0; row < spec.num_rows; ++row) {
      if (Updates(w.rank, row)) ids.push_back(row);
    }
    const geeps::Rows rows = geeps::Rows::FromIds(ids);
    std::string problem;
    uint64_t clock = 0;
    const auto body = [&](geeps::Walker& walker) {
      const geeps::Access read = walker.Read(table, geeps::Rows::All(), slack);
      for (uint64_t row = 0; walker.live() && problem.empty() && row < spec.num_rows; ++row) {
        const uint8_t* const found = read.data<uint8_t>() + row * spec.row_bytes();
        uint64_t age = clock - std::min<uint64_t>(clock, slack);
        while (age <= clock && std::memcmp(found, reference.Row(age, row), spec.row_bytes()) != 0) ++age;
        if (age > clock) problem = "row " + std::to_string(row) + " is wrong at clock " + std::to_string(clock);
      }
      walker.PostRead(read);
      const geeps::Access add = walker.PreUpdate(table, rows);
      for (uint64_t i = 0; walker.live() && i < ids.size(); ++i) {
        const std::vector<uint8_t> bytes = ContributionOf(spec, w.rank, clock, ids[i]);
        std::memcpy(add.data<uint8_t>() + i * spec.row_bytes(), bytes.data(), bytes.size());
      }
      walker.Update(add);
    };
    geeps::Walker train(w.rt, "train", w.err);
    train.Record(body);
    w.rt.Commit({train.plan()}, w.err);
    for (; clock < kClocks && w.err.ok() && problem.empty(); ++clock) {
      table.SetParam("lr", RateOf(clock), w.err);
      train.Walk(body);
    }
    return problem;
  });
}

TableSpec LionTable(uint32_t dtype) {
  TableSpec spec;
  spec.name = "t";
  spec.num_rows = 90;
  spec.row_values = 130;  // two partitions and more, and no multiple of a vector
  spec.dtype = dtype;
  spec.rule = "lion";
  spec.params = {{"lr", 0.01}, {"beta1", 0.875}, {"beta2", 0.96875}, {"weight_decay", 0.5}};
  spec.initial = 0.25;
  spec.partition_bytes = 4096;
  return spec;
}

}  // namespace

TEST_CASE(
    "two workers under the sample's rule read the bits of the sequential reference: every dtype, transport, device, "
    "slack") {
  for (const uint32_t dtype : {GEEPS_F32, GEEPS_F64, GEEPS_F16, GEEPS_BF16}) {
    TableSpec spec = LionTable(dtype);
    spec.mean = dtype == GEEPS_F64;
    const Reference reference = ReferenceOf(spec);
    for (const char* transport : {"inproc", "tcp"}) {
      for (const char* device : {"host", "deferred:lazy"}) {
        for (const uint32_t slack : {0u, 2u}) {
          CAPTURE(dtype);
          CAPTURE(std::string(transport));
          CAPTURE(std::string(device));
          CAPTURE(slack);
          Setup setup;
          setup.transport = transport;
          setup.device = device;
          CHECK(TrainWithLion(spec, reference, slack, setup) == "");
        }
      }
    }
  }
}

TEST_CASE("a rule that one worker has in another version is refused at the commit, on both, with table and ranks") {
  Setup setup;
  setup.world = 2;
  setup.shut_down = false;
  std::string messages[2];
  RunWorkers(setup, [&](Worker& w) -> std::string {
    const char* const paths[] = {GEEPS_RULE_SCALED, GEEPS_RULE_SCALED_2};
    geeps::Table table(w.rt, "t", 10, 4, GEEPS_F32, {{"rule", paths[w.rank]}, {"param.lr", "0.5"}}, w.err);
    const auto body = [&](geeps::Walker& walker) { walker.Update(walker.PreUpdate(table, geeps::Rows::All())); };
    geeps::Walker train(w.rt, "train", w.err);
    train.Record(body);
    CHECK(w.err.ok());
    w.rt.Commit({train.plan()}, w.err);
    CHECK(w.err.status() == GEEPS_E_MISMATCH);
    messages[w.rank] = w.err.message();
    w.Meet();  // who ends first ends the job for the other
    return "";
  });
  for (const std::string& message : messages) {
    CAPTURE(message);
    for (const char* part : {"table 't'", "rank 0", "rank 1", "rule=scaled version=1.5", "rule=scaled version=2"}) {
      CHECK(message.find(part) != std::string::npos);
    }
  }
}

TEST_CASE("a plugin that was loaded gives its rule by its name; parameters that it refuses change nothing") {
  Setup setup;
  CHECK(RunWorkers(setup, [&](Worker& w) -> std::string {
          geeps_error err = {};
          err.struct_size = sizeof err;
          REQUIRE(geeps_plugin_load(w.rt.get(), GEEPS_RULE_SCALED, &err) == GEEPS_OK);
          geeps::Table table(w.rt, "t", 1, 1, GEEPS_F64, {{"rule", "scaled"}, {"param.lr", "0.5"}}, w.err);
          const std::pair<const char*, double> bad[] = {{"scaled", 0.5}, {"scaled", -1.0}, {"momentum", 0.5}};
          for (const auto& [key, value] : bad) {
            CHECK(geeps_table_set_param(table.get(), key, value, &err) == GEEPS_E_INVALID);
            CHECK(std::string(err.message).find(key) != std::string::npos);
          }
          double last = 0;
          const auto body = [&](geeps::Walker& walker) {
            const geeps::Access read = walker.Read(table, geeps::Rows::All(), 0);
            if (walker.live()) last = *read.data<double>();
            walker.PostRead(read);
            const geeps::Access add = walker.PreUpdate(table, geeps::Rows::All());
            if (walker.live()) *add.data<double>() = 2.0;
            walker.Update(add);
          };
          geeps::Walker train(w.rt, "train", w.err);
          train.Record(body);
          w.rt.Commit({train.plan()}, w.err);
          for (int clock = 0; clock < 3; ++clock) train.Walk(body);
          // scaled is still 1: value - [lr / t] * 2 / (2 * 2), twice.
          return last == -0.25 - 0.125 ? "" : "the value came to " + std::to_string(last);
        }) == "");
}

}  // namespace geeps::system_test
