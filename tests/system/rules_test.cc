// SPDX-License-Identifier: Apache-2.0
// Rule state, step counts and masters in whole jobs: they lie with the rows and survive commits.
#include <doctest/doctest.h>

#include <cmath>
#include <mutex>
#include <string>

#include "tests/system/statistics.h"
#include "tests/system/threads.h"

namespace geeps::system_test {
namespace {

constexpr uint64_t kRows = 1000, kValues = 40;  // f32: 160,000 bytes, spread over two keepers

// One value of f16.
float NumberOfF16(uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int mantissa = bits & 1023;
  const float size = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24)
                                   : std::ldexp(static_cast<float>(1024 + mantissa), exponent - 25);
  return (bits & 0x8000) != 0 ? -size : size;
}

// Two workers add `half_gradient` each to every value of a table, for 5 clocks, commit plans of another slack, which
// places the shards anew, and go on for 5 clocks. Returns the first complaint; `check` sees the last version.
template <typename T, typename Check>
std::string TrainOverACommit(const char* transport, const char* device, uint32_t dtype, const geeps::Options& options,
                             T half_gradient, Check&& check) {
  Setup setup;
  setup.world = 2;
  setup.transport = transport;
  setup.device = device;
  return RunWorkers(setup, [&](Worker& w) -> std::string {
    geeps::Table table(w.rt, "t", kRows, kValues, dtype, options, w.err);
    uint64_t clock = 0;
    for (const uint32_t slack : {0u, 2u}) {
      const auto body = [&](geeps::Walker& walker) {
        walker.PostRead(walker.Read(table, geeps::Rows::All(), slack));
        const geeps::Access add = walker.PreUpdate(table, geeps::Rows::All());
        for (uint64_t i = 0; walker.live() && i < kRows * kValues; ++i) add.data<T>()[i] = half_gradient;
        walker.Update(add);
      };
      geeps::Walker train(w.rt, slack == 0 ? "train" : "train-again", w.err);
      train.Record(body);
      w.rt.Commit({train.plan()}, w.err);
      for (; clock < (slack == 0 ? 5 : 10) && w.err.ok(); ++clock) train.Walk(body);
    }
    std::string problem;
    const auto look = [&](geeps::Walker& walker) {
      const geeps::Access all = walker.Read(table, geeps::Rows::All(), 0);
      for (uint64_t i = 0; walker.live() && problem.empty() && i < kRows * kValues; ++i) {
        if (!check(all.data<T>()[i])) problem = "value " + std::to_string(i) + " is wrong";
      }
      walker.PostRead(all);
    };
    geeps::Walker see(w.rt, "see", w.err);
    see.Record(look, GEEPS_PLAN_NO_CLOCK);
    w.rt.Commit({see.plan()}, w.err);
    see.Walk(look);
    return problem;
  });
}

}  // namespace

TEST_CASE("state and step counts survive commits that place shards anew") {
  // s = t, and the rate of step t is lr / t: only the right state with the right count gives this sum.
  double expected = 0;
  for (int t = 1; t <= 10; ++t) expected -= 0.01 / t / std::sqrt(t);
  for (const char* transport : {"inproc", "tcp"}) {
    for (const char* device : {"host", "deferred:lazy", "deferred:lazy:separate"}) {
      CAPTURE(std::string(transport));
      CAPTURE(std::string(device));
      CHECK(TrainOverACommit<double>(
                transport, device, GEEPS_F64,
                {{"rule", "adagrad"}, {"param.lr_decay", "1"}, {"param.eps", "0"}, {"partition_bytes", "16384"}}, 0.5,
                [&](double value) { return std::fabs(value - expected) < 1e-12; }) == "");
    }
  }
}

TEST_CASE("the f32 values of an f16 table survive commits: what is too small to be seen adds up") {
  // 2048 and 2050 are neighbours in f16. Ten times 0.2 is 2; from what is published alone it would stay 2048.
  const uint16_t tenth = 0x2e66;  // 0.0999755859375
  for (const char* transport : {"inproc", "tcp"}) {
    for (const char* device : {"host", "deferred:lazy", "deferred:lazy:separate"}) {
      CAPTURE(std::string(transport));
      CAPTURE(std::string(device));
      CHECK(TrainOverACommit<uint16_t>(transport, device, GEEPS_F16,
                                       {{"init", "constant:2048"}, {"partition_bytes", "16384"}}, tenth,
                                       [](uint16_t bits) { return NumberOfF16(bits) == 2050.0f; }) == "");
    }
  }
}

TEST_CASE("each worker has the rule state, the step counts and the f32 values of its own rows, and of no others") {
  std::mutex mutex;
  int64_t rule_state = 0, shard = 0, largest = 0;
  Setup setup;
  setup.world = 2;
  setup.transport = "tcp";
  CHECK(RunWorkers(setup, [&](Worker& w) -> std::string {
          geeps::Table table(w.rt, "t", 2 * kRows, kValues, GEEPS_F16, {{"rule", "lamb"}, {"partition_bytes", "16384"}},
                             w.err);
          const auto body = [&](geeps::Walker& walker) {
            walker.PostRead(walker.Read(table, geeps::Rows::All(), 0));
            walker.Update(walker.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED));
          };
          geeps::Walker train(w.rt, "train", w.err);
          train.Record(body);
          w.rt.Commit({train.plan()}, w.err);
          train.Walk(body);
          const std::string json = w.rt.stats(w.err);
          const std::string t = json.substr(json.find("{\"name\": \"t\""));
          const std::lock_guard<std::mutex> lock(mutex);
          rule_state += NumberOf(t, "rule_state");
          shard += NumberOf(t, "shard");
          largest = std::max(largest, NumberOf(t, "rule_state"));
          return "";
        }) == "");
  constexpr int64_t kNumRows = 2 * kRows;
  CHECK(rule_state == kNumRows * kValues * 2 * 4 + kNumRows * 8);  // m, v, t
  CHECK(shard == kNumRows * kValues * (4 + 2));
  CHECK(largest * 2 == rule_state);
}

TEST_CASE("a parameter out of its range is refused with a sentence, and changes nothing") {
  Setup setup;
  CHECK(RunWorkers(setup, [&](Worker& w) -> std::string {
          geeps::Table table(w.rt, "t", 1, 1, GEEPS_F64, {{"rule", "adam"}}, w.err);
          geeps_error err = {};
          err.struct_size = sizeof err;
          const std::pair<const char*, double> bad[] = {
              {"beta1", 1.0}, {"beta2", -0.5}, {"eps", -1e-8}, {"lr", std::nan("")}, {"momentum", 0.5}};
          for (const auto& [key, value] : bad) {
            CHECK(geeps_table_set_param(table.get(), key, value, &err) == GEEPS_E_INVALID);
            CHECK(std::string(err.message).find(key) != std::string::npos);
          }
          const auto body = [&](geeps::Walker& walker) {
            const geeps::Access read = walker.Read(table, geeps::Rows::All(), 0);
            walker.PostRead(read);
            const geeps::Access add = walker.PreUpdate(table, geeps::Rows::All());
            if (walker.live()) *add.data<double>() = 3.0;
            walker.Update(add);
          };
          double last = 0;
          const auto look = [&](geeps::Walker& walker) {
            const geeps::Access read = walker.Read(table, geeps::Rows::All(), 0);
            if (walker.live()) last = *read.data<double>();
            walker.PostRead(read);
          };
          geeps::Walker train(w.rt, "train", w.err), see(w.rt, "see", w.err);
          train.Record(body);
          see.Record(look, GEEPS_PLAN_NO_CLOCK);
          w.rt.Commit({train.plan(), see.plan()}, w.err);
          for (int clock = 0; clock < 4 && w.err.ok(); ++clock) train.Walk(body);
          see.Walk(look);
          return std::fabs(last + 0.004) < 1e-9 ? "" : "adam with its defaults came to " + std::to_string(last);
        }) == "");
}

}  // namespace geeps::system_test
