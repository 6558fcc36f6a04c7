// SPDX-License-Identifier: Apache-2.0
// Bit identity: what any worker reads is, bit by bit, what the sequential reference has at that clock; over every
// transport and device.
#include <doctest/doctest.h>

#include <cstring>
#include <mutex>

#include "tests/system/scenario.h"

namespace geeps::system_test {
namespace {

std::string Run(uint64_t seed, uint32_t world, const char* transport, const char* device, bool large = true) {
  ScenarioOptions options;
  options.seed = seed;
  options.world = world;
  options.large_tables = large;
  Setup setup;
  setup.transport = transport;
  setup.device = device;
  const std::string complaints = RunScenario(options, setup);
  return complaints.empty() ? ""
                            : "seed " + std::to_string(seed) + ", world " + std::to_string(world) + ":\n" + complaints;
}

}  // namespace

TEST_CASE("one worker alone reads the bits of the sequential reference") {
  for (const char* device : {"host", "deferred:lazy", "deferred:eager", "deferred:seeded:5"}) {
    for (uint64_t seed = 1; seed <= 6; ++seed) CHECK(Run(seed, 1, "inproc", device) == "");
  }
}

TEST_CASE("1 to 5 workers of one process read the bits of the sequential reference out of mapped memory") {
  for (uint32_t world = 2; world <= 5; ++world) {
    for (uint64_t seed = 1; seed <= 6; ++seed)
      CHECK(Run(100 * world + seed, world, "inproc", "host", seed % 2 == 0) == "");
  }
}

TEST_CASE("2 to 5 workers with deferred devices read the bits of the sequential reference") {
  const char* devices[] = {"deferred:lazy", "deferred:eager", "deferred:seeded:11"};
  for (uint32_t world = 2; world <= 5; ++world) {
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      CHECK(Run(200 * world + seed, world, "inproc", devices[seed % 3], seed % 2 == 0) == "");
    }
  }
}

TEST_CASE("2 to 5 workers over TCP read the bits of the sequential reference") {
  for (uint32_t world = 2; world <= 5; ++world) {
    for (uint64_t seed = 1; seed <= 4; ++seed)
      CHECK(Run(300 * world + seed, world, "tcp", "host", seed % 2 == 0) == "");
  }
}

TEST_CASE("workers over TCP with deferred devices read the bits of the sequential reference") {
  const char* devices[] = {"deferred:lazy", "deferred:eager", "deferred:seeded:3"};
  for (uint32_t world = 2; world <= 4; ++world) {
    for (uint64_t seed = 1; seed <= 3; ++seed)
      CHECK(Run(400 * world + seed, world, "tcp", devices[seed % 3], seed % 2 == 0) == "");
  }
}

TEST_CASE("1 to 4 workers whose host cannot reach the device's memory read the bits of the sequential reference") {
  const char* devices[] = {"deferred:lazy:separate", "deferred:eager:separate", "deferred:seeded:13:separate"};
  for (uint32_t world = 1; world <= 4; ++world) {
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      CHECK(Run(600 * world + seed, world, seed <= 3 ? "inproc" : "tcp", devices[seed % 3], seed % 2 == 0) == "");
    }
  }
}

TEST_CASE("1 to 4 workers that hand back in the order of a device's stream read the bits of the sequential reference") {
  const char* devices[] = {"deferred:lazy", "deferred:eager:separate", "deferred:seeded:17",
                           "deferred:seeded:18:separate"};
  for (uint64_t seed = 1; seed <= 16; ++seed) {
    ScenarioOptions options;
    options.seed = 700 + seed;
    options.world = 1 + static_cast<uint32_t>(seed % 4);
    options.streams = true;
    options.large_tables = seed % 3 == 0;
    options.slack_max = seed % 5 == 0 ? 2 : 0;
    options.row_calls = seed % 4 == 0;
    Setup setup;
    setup.transport = seed % 2 == 0 ? "inproc" : "tcp";
    setup.device = devices[seed / 4 % 4];
    CAPTURE(seed);
    CHECK(RunScenario(options, setup) == "");
  }
}

TEST_CASE("reads with slack have the bits of one version within the slack in every row") {
  for (const char* transport : {"inproc", "tcp"}) {
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      ScenarioOptions options;
      options.seed = 500 + seed;
      options.world = 2 + static_cast<uint32_t>(seed % 3);
      options.slack_max = 1 + static_cast<uint32_t>(seed % 4);
      options.num_clocks = 16;
      Setup setup;
      setup.transport = transport;
      setup.device = seed % 2 == 0 ? "host" : seed == 3 ? "deferred:seeded:9:separate" : "deferred:seeded:9";
      CAPTURE(seed);
      CHECK(RunScenario(options, setup) == "");
    }
  }
}

TEST_CASE("initial values are the same on every worker, for every number of workers, over every transport") {
  for (const char* init : {"uniform:-2:3", "normal:1:0.5", "constant:0.1", "zero"}) {
    std::vector<std::vector<float>> seen;
    std::mutex mutex;
    for (uint32_t world = 1; world <= 4; ++world) {
      Setup setup;
      setup.world = world;
      setup.transport = world % 2 == 0 ? "tcp" : "inproc";
      CHECK(RunWorkers(setup, [&](Worker& w) -> std::string {
              geeps::Table table(w.rt, "t", 3000, 50, GEEPS_F32, {{"init", init}, {"seed", "17"}}, w.err);
              geeps::Walker look(w.rt, "look", w.err);
              const auto body = [&](geeps::Walker& walker) {
                const geeps::Access all = walker.Read(table, geeps::Rows::All(), 0);
                if (walker.live()) {
                  const std::lock_guard<std::mutex> lock(mutex);
                  seen.emplace_back(all.data<float>(), all.data<float>() + 3000 * 50);
                }
                walker.PostRead(all);
              };
              look.Record(body, GEEPS_PLAN_NO_CLOCK);
              w.rt.Commit({look.plan()}, w.err);
              look.Walk(body);
              return "";
            }) == "");
    }
    CAPTURE(std::string(init));
    CHECK(seen.size() == 10);
    for (const std::vector<float>& values : seen) CHECK(values == seen[0]);
  }
}

TEST_CASE("rows longer than a megabyte travel and add up") {
  constexpr uint64_t kRowValues = 700'001;
  for (const char* transport : {"inproc", "tcp"}) {
    Setup setup;
    setup.world = 2;
    setup.transport = transport;
    CHECK(RunWorkers(setup, [](Worker& w) -> std::string {
            geeps::Table table(w.rt, "t", 3, kRowValues, GEEPS_F32, {}, w.err);
            geeps::Walker train(w.rt, "train", w.err);
            uint64_t clock = 0;
            uint64_t wrong = 0;
            const auto body = [&](geeps::Walker& walker) {
              const geeps::Access read = walker.Read(table, geeps::Rows::All(), 0);
              for (uint64_t i = 0; walker.live() && i < 3 * kRowValues; ++i)
                wrong += read.data<float>()[i] != 3.0f * static_cast<float>(clock);
              walker.PostRead(read);
              const geeps::Access add = walker.PreUpdate(table, geeps::Rows::All());
              for (uint64_t i = 0; walker.live() && i < 3 * kRowValues; ++i)
                add.data<float>()[i] = static_cast<float>(w.rank + 1);
              walker.Update(add);
            };
            train.Record(body);
            w.rt.Commit({train.plan()}, w.err);
            for (; clock < 4 && w.err.ok(); ++clock) train.Walk(body);
            return wrong == 0 ? "" : std::to_string(wrong) + " values are wrong";
          }) == "");
  }
}

TEST_CASE("the reference depends on the order of a sum, so that these tests can fail") {
  TableSpec spec;
  spec.name = "order";
  spec.sum_group = 1;
  const float values[3] = {1e8f, -1e8f, 1.0f};
  const auto row = [&](int i) {
    const uint8_t* const bytes = reinterpret_cast<const uint8_t*>(&values[i]);
    return RowValues{{0, std::vector<uint8_t>(bytes, bytes + 4)}};
  };
  Reference ranks(spec);
  ranks.Advance({row(0), row(1), row(2)}, 0);
  Reference reversed(spec);
  reversed.Advance({row(2), row(1), row(0)}, 0);
  float forwards = 0, backwards = 0;
  std::memcpy(&forwards, ranks.Row(1, 0), 4);
  std::memcpy(&backwards, reversed.Row(1, 0), 4);
  CHECK(forwards == 1.0f);
  CHECK(backwards == 0.0f);
}

}  // namespace geeps::system_test
