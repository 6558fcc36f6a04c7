// SPDX-License-Identifier: Apache-2.0
// Statistics by table and operation, against closed forms.
#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "tests/system/statistics.h"
#include "tests/system/threads.h"

namespace geeps::system_test {
namespace {

constexpr uint32_t kWorld = 3;
constexpr uint64_t kClocks = 7;

// What follows the table, plan or operation of this description; empty when there is none.
std::string After(const std::string& json, const std::string& description) {
  const size_t at = json.find(description);
  return at == std::string::npos ? "" : json.substr(at);
}

std::string Differs(const std::string& what, int64_t is, int64_t due) {
  return is == due ? "" : what + " is " + std::to_string(is) + ", due " + std::to_string(due) + "; ";
}

struct Sums {  // over the workers
  std::mutex mutex;
  int64_t kept_rows = 0;
  int64_t rule_state = 0;
  int64_t shard = 0;
};

}  // namespace

TEST_CASE("rule state and kept rows of all workers add up to the table's; operations count their calls") {
  for (const char* transport : {"inproc", "tcp"}) {
    Setup setup;
    setup.world = kWorld;
    setup.transport = transport;
    CAPTURE(std::string(transport));
    Sums sums;
    constexpr uint64_t kRows = 1000, kValues = 30;  // 120,000 bytes: two keepers of 64 KiB
    CHECK(RunWorkers(setup, [&](Worker& w) -> std::string {
            geeps::Table table(w.rt, "weights", kRows, kValues, GEEPS_F32,
                               {{"rule", "sgd"}, {"partition_bytes", "16384"}}, w.err);
            geeps::Local local(w.rt, "scratch", 10, 100, w.err);
            geeps::Walker train(w.rt, "train", w.err), see(w.rt, "see", w.err);
            const auto body = [&](geeps::Walker& walker) {
              walker.PostRead(walker.Read(table, geeps::Rows::Range(0, 10), 0));
              walker.PostLocal(walker.AccessLocal(local, geeps::Rows::All()));
              walker.Update(walker.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED));
            };
            const auto look = [&](geeps::Walker& walker) {
              walker.PostRead(walker.Read(table, geeps::Rows::All(), 0));
            };
            train.Record(body);
            see.Record(look, GEEPS_PLAN_NO_CLOCK);
            w.rt.Commit({train.plan(), see.plan()}, w.err);
            for (uint64_t clock = 0; clock < kClocks; ++clock) train.Walk(body);
            see.Walk(look);
            const std::string json = w.rt.stats(w.err);
            const std::string t = After(json, "{\"name\": \"weights\""), train_json = After(json, "{\"name\": \"train\"");
            if (t.empty() || train_json.empty()) return "not named: " + json;
            {
              std::lock_guard<std::mutex> lock(sums.mutex);
              sums.kept_rows += NumberOf(t, "kept_rows");
              sums.rule_state += NumberOf(t, "rule_state");
              sums.shard += NumberOf(t, "shard");
            }
            std::string problem = Differs("passes of train", NumberOf(train_json, "passes"), kClocks) +
                                  Differs("passes of see", NumberOf(After(json, "{\"name\": \"see\""), "passes"), 1);
            for (const int op : {0, 1, 2}) {
              const std::string op_json = After(train_json, "{\"operation\": " + std::to_string(op));
              problem += Differs("calls", NumberOf(op_json, "calls"), kClocks) +
                         Differs("staleness", NumberOf(op_json, "staleness_max"), 0);
            }
            problem += Differs("rows of the read", NumberOf(After(train_json, "\"kind\": \"read\""), "rows"), 10);
            for (const char* key : {"contribution_bytes_sent", "contribution_bytes_local", "publish_bytes_sent",
                                    "publish_bytes_local", "clocks_applied"}) {
              problem += Differs(key, NumberOf(t, key), NumberOf(json, key));  // one table: its share is the whole
            }
            // By message each worker has a cache of all rows and a log of two entries, each with its header of 256 bytes
            // and values in whole pieces of 256; in mapped memory none of its own.
            const bool by_message = std::string(transport) == "tcp";
            const int64_t bytes = kRows * kValues * 4, entry = (bytes + 255) / 256 * 256;
            problem += Differs("cache", NumberOf(t, "cache"), by_message ? bytes : 0) +
                       Differs("log", NumberOf(t, "log"), by_message ? 2 * entry : 0);
            if ((NumberOf(json, "mapped_bytes") > 0) == by_message) problem += "mapped_bytes of the wrong kind; ";
            return problem + Differs("local_bytes", NumberOf(json, "local_bytes"), 1000);
          }) == "");
    CHECK(sums.kept_rows == kRows);
    CHECK(sums.rule_state == kRows * kValues * 4);
    CHECK(sums.shard == (std::string(transport) == "tcp" ? int64_t{kRows * kValues * 4} : 0));
  }
}

TEST_CASE("a read that runs ahead shows its staleness, and a wait is counted for the operation that waited") {
  Setup setup;
  setup.world = 2;
  constexpr uint32_t kSlack = 2;
  CHECK(RunWorkers(setup, [&](Worker& w) -> std::string {
          geeps::Table table(w.rt, "t", 100, 10, GEEPS_F32, {}, w.err);
          geeps::Walker train(w.rt, "train", w.err);
          const auto body = [&](geeps::Walker& walker) {
            walker.PostRead(walker.Read(table, geeps::Rows::All(), kSlack));
            walker.Update(walker.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED));
          };
          train.Record(body);
          w.rt.Commit({train.plan()}, w.err);
          if (w.rank == 1 && !w.Meet()) return "";
          // Worker 1 stands still until worker 0 has walked clocks 0 to 2 at versions no newer than 0.
          for (uint32_t clock = 0; clock <= kSlack; ++clock) train.Walk(body);
          const std::string json = w.rt.stats(w.err);
          const std::string read = After(json, "{\"operation\": 0");
          if (w.rank == 1) {
            train.Walk(body);
            return "";
          }
          std::string problem = Differs("staleness", NumberOf(read, "staleness"), 0 + 1 + 2) +
                                Differs("staleness_max", NumberOf(read, "staleness_max"), kSlack);
          if (!w.Meet()) return problem;
          // The read of clock 3 needs worker 1's clock 0: it may have to wait, and nothing else may.
          train.Walk(body);
          const std::string after = w.rt.stats(w.err);
          problem += Differs("waits", NumberOf(After(after, "{\"operation\": 0"), "waits") +
                                          NumberOf(After(after, "{\"operation\": 1"), "waits"),
                             NumberOf(After(after, "\"waiting\""), "waits"));
          return problem;
        }) == "");
}

TEST_CASE("counters of a table outlive a commit, those of a plan that is recorded anew begin again") {
  Setup setup;
  setup.world = 2;
  CHECK(RunWorkers(setup, [&](Worker& w) -> std::string {
          geeps::Table table(w.rt, "kept", 10, 10, GEEPS_F32, {}, w.err);
          auto gone = std::make_unique<geeps::Table>(w.rt, "gone", 10, 10, GEEPS_F32, geeps::Options{}, w.err);
          const auto body = [&](geeps::Walker& walker) {
            walker.Update(walker.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED));
          };
          geeps::Walker first(w.rt, "plan", w.err);
          first.Record(body);
          w.rt.Commit({first.plan()}, w.err);
          for (uint64_t clock = 0; clock < kClocks; ++clock) first.Walk(body);
          w.rt.Fence(w.err);
          const std::string before = w.rt.stats(w.err);
          gone.reset();
          geeps::Walker second(w.rt, "plan", w.err);
          second.Record(body);
          w.rt.Commit({second.plan()}, w.err);
          second.Walk(body);
          w.rt.Fence(w.err);
          const std::string after = w.rt.stats(w.err);
          std::string problem;
          if (After(before, "\"gone\"").empty()) problem += "the table is not named; ";
          if (!After(after, "\"gone\"").empty()) problem += "the table is named after its end; ";
          const std::string t = After(after, "{\"name\": \"kept\"");
          problem += Differs("contribution bytes",
                             NumberOf(t, "contribution_bytes_sent") + NumberOf(t, "contribution_bytes_local"),
                             (kClocks + 1) * 400) +
                     Differs("passes before", NumberOf(After(before, "{\"name\": \"plan\""), "passes"), kClocks) +
                     Differs("passes after", NumberOf(After(after, "{\"name\": \"plan\""), "passes"), 1);
          return problem;
        }) == "");
}

TEST_CASE("a statistics file that cannot be made is refused at create, with its name") {
  geeps::Error err;
  const geeps::Runtime rt(geeps::Options{{"stats", "/proc/nowhere/stats.json"}}, err);
  CHECK(err.status() == GEEPS_E_IO);
  CHECK(std::string(err.message()).find("/proc/nowhere/stats.json") != std::string::npos);
}

TEST_CASE("a trace file that cannot be made is refused at create, with its name") {
  geeps::Error err;
  const geeps::Runtime rt(geeps::Options{{"trace", "/proc/nowhere/trace.json"}}, err);
  CHECK(err.status() == GEEPS_E_IO);
  CHECK(std::string(err.message()).find("/proc/nowhere/trace.json") != std::string::npos);
}

}  // namespace geeps::system_test
