// SPDX-License-Identifier: Apache-2.0
// Causes of waits, slots in use, staleness and bytes in the statistics, where the order of events is made by hand.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/system/log_line.h"
#include "tests/system/statistics.h"
#include "tests/system/threads.h"

namespace geeps::system_test {
namespace {

constexpr uint64_t kRows = 8192, kValues = 4;  // two partitions of 64 KiB: each of two workers keeps one
constexpr const char* kPartitionBytes = "65536";

int64_t Now() { return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1); }

// What follows `name` in the text; empty when it is not there.
std::string After(const std::string& json, const std::string& name) {
  const size_t at = json.find(name);
  return at == std::string::npos ? "" : json.substr(at);
}
std::string TableOf(const std::string& json) { return After(json, "{\"name\": \"t\""); }
std::string OperationOf(const std::string& json, int number) {
  return After(json, "{\"operation\": " + std::to_string(number));
}

std::string Differs(const std::string& what, int64_t is, int64_t due) {
  return is == due ? "" : what + " is " + std::to_string(is) + ", due " + std::to_string(due) + "; ";
}

// Waits and their causes must be the same three times: of the only table, of all its operations together, and in all;
// and the causes must add up to the time.
std::string CheckSums(const std::string& json, int num_operations) {
  std::string problem;
  for (const char* key : {"waits", "wait_ns", "imbalance_ns", "stall_ns"}) {
    int64_t sum = 0;
    for (int op = 0; op < num_operations; ++op) sum += NumberOf(OperationOf(json, op), key);
    const int64_t all = NumberOf(After(json, "\"waiting\""), key);
    problem += Differs(std::string(key) + " of the operations", sum, all) +
               Differs(std::string(key) + " of the table", NumberOf(After(TableOf(json), "\"waiting\""), key), all);
  }
  const std::string waiting = After(json, "\"waiting\"");
  return problem + Differs("imbalance_ns + stall_ns", NumberOf(waiting, "imbalance_ns") + NumberOf(waiting, "stall_ns"),
                           NumberOf(waiting, "wait_ns"));
}

std::string StatsOf(geeps_runtime* rt) {
  geeps::Error err;
  std::vector<char> text(1 << 20);
  uint64_t length = 0;
  if (geeps_runtime_get_stats(rt, text.data(), text.size(), &length, err.raw()) != GEEPS_OK) return "";
  return std::string(text.data(), length);
}

// Looks at a number until it is `value`.
bool Await(geeps_runtime* rt, const char* key, int64_t value) {
  const int64_t until = Now() + 30'000'000'000;
  while (NumberOf(TableOf(StatsOf(rt)), key) != value) {
    if (Now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

struct Held {              // what a worker that holds back has measured
  int64_t seen_ns = 0;     // it saw that the other one waits
  int64_t resumed_ns = 0;  // it had not begun its pass
  int64_t fired_ns = 0;    // it had surely fired it
};

}  // namespace

TEST_CASE("what a worker waits while another one holds back is imbalance, for a version and for a log entry") {
  for (const char* transport : {"inproc", "tcp"}) {
    for (const bool reads : {true, false}) {
      CAPTURE(std::string(transport));
      CAPTURE(reads);
      const bool mapped = std::string(transport) == "inproc";
      Setup setup;
      setup.world = 2;
      setup.transport = transport;
      setup.more = {{"wait_warning_ms", "1"}};
      std::atomic<geeps_runtime*> waiting_rt{nullptr};
      Held held;
      std::atomic<bool> over{false};
      CHECK(RunWorkers(setup, [&](Worker& w) -> std::string {
              if (w.rank == 0) waiting_rt = w.rt.get();
              geeps::Table table(w.rt, "t", kRows, kValues, GEEPS_F32, {{"partition_bytes", kPartitionBytes}}, w.err);
              geeps::Walker train(w.rt, "train", w.err);
              const auto body = [&](geeps::Walker& walker) {
                if (reads) walker.PostRead(walker.Read(table, geeps::Rows::All(), 0));
                walker.Update(walker.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED));
              };
              train.Record(body);
              w.rt.Commit({train.plan()}, w.err);
              std::string problem;
              const int64_t begun_ns = Now();
              if (w.rank == 1) {
                // It may have waited for the first version before; now for this worker's clock 0.
                const std::string line = "has waited for 1 ms at clock " + std::string(reads ? "1" : "2");
                if (LineWith(waiting_rt, line).empty()) return "rank 0 did not wait";
                held.seen_ns = Now();
                // Its clock 0 is in the log until it is summed. Where it does not read it has filled the other entry,
                // too.
                if (!Await(waiting_rt, "log_fired", reads ? 1 : 2)) problem += "log_fired; ";
                if (!Await(waiting_rt, "landing_in_use", 1)) problem += "landing_in_use; ";
                const std::string t = TableOf(StatsOf(waiting_rt));
                problem += Differs("landing_slots", NumberOf(t, "landing_slots"), 2) +
                           Differs("landing_in_use_max", NumberOf(t, "landing_in_use_max"), 1);
                if (NumberOf(After(t, "\"waiting\""), "now_ns") < 1'000'000)
                  problem += "the wait under way is not told; ";
                held.resumed_ns = Now();
              }
              train.Walk(body);
              if (w.rank == 1 && mapped) {
                if (!Await(w.rt.get(), "contribution_bytes_local", kRows * kValues * 4)) return "not fired";
                held.fired_ns = Now();
              }
              if (w.rank == 1) over = true;
              for (uint64_t clock = 1; clock < (reads ? 2u : 6u); ++clock) train.Walk(body);
              w.rt.Fence(w.err);
              const std::string json = w.rt.stats(w.err);
              problem += CheckSums(json, reads ? 2 : 1) + Differs("now_ns", NumberOf(json, "now_ns"), 0);
              problem += Differs("landing_in_use", NumberOf(TableOf(json), "landing_in_use"), 0) +
                         Differs("landing_in_use_max", NumberOf(TableOf(json), "landing_in_use_max"), 2) +
                         Differs("log_in_use_max", NumberOf(TableOf(json), "log_in_use_max"), 2);
              if (w.rank == 1) return problem;
              const int64_t imbalance = NumberOf(OperationOf(json, 0), "imbalance_ns");
              const int64_t due = 1'000'000 + held.resumed_ns - held.seen_ns;
              if (imbalance < due)
                problem += "imbalance " + std::to_string(imbalance) + " < " + std::to_string(due) + "; ";
              if (mapped && reads && imbalance > held.fired_ns - begun_ns) {
                problem += "imbalance " + std::to_string(imbalance) + " goes on after the fire; ";
              }
              return problem;
            }) == "");
      CHECK(over);
    }
  }
}

TEST_CASE("what the last worker to fire waits is stall, all of it") {
  constexpr int kClocks = 30;
  for (const char* transport : {"inproc", "tcp"}) {
    CAPTURE(std::string(transport));
    Setup setup;
    setup.world = 2;
    setup.transport = transport;
    // Where the movers are quicker than the program it need not wait at all: then the job shows nothing, and is run
    // again.
    bool waited = false;
    for (int tries = 0; tries < 200 && !waited; ++tries) {
      CHECK(RunWorkers(setup, [&](Worker& w) -> std::string {
              geeps::Table table(w.rt, "t", kRows, kValues, GEEPS_F32, {{"partition_bytes", kPartitionBytes}}, w.err);
              geeps::Walker train(w.rt, "train", w.err);
              bool in_time = true, recording = true;
              const auto body = [&](geeps::Walker& walker) {
                walker.PostRead(walker.Read(table, geeps::Rows::All(), 0));
                // Rank 1's clock is there: rank 0 is the last one. It reads again right after its own clock.
                if (w.rank == 0 && !recording) in_time = in_time && Await(w.rt.get(), "landing_in_use", 1);
                walker.Update(walker.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED));
              };
              train.Record(body);
              recording = false;
              w.rt.Commit({train.plan()}, w.err);
              for (int clock = 0; clock < kClocks; ++clock) train.Walk(body);
              if (!in_time) return "rank 1's clock did not come";
              const std::string json = w.rt.stats(w.err);
              std::string problem = CheckSums(json, 2);
              if (w.rank == 1) return problem;
              const std::string waiting = After(json, "\"waiting\"");
              waited = NumberOf(waiting, "waits") > 0;
              return problem + Differs("imbalance_ns", NumberOf(waiting, "imbalance_ns"), 0);
            }) == "");
    }
    CHECK(waited);
  }
}

TEST_CASE("a wait that ended without the operation is imbalance") {
  Setup setup;
  setup.world = 2;
  setup.shut_down = false;
  CHECK(RunWorkers(setup, [&](Worker& w) -> std::string {
          geeps::Table table(w.rt, "t", kRows, kValues, GEEPS_F32, {}, w.err);
          geeps::Walker train(w.rt, "train", w.err);
          geeps_op read = 0;
          const auto body = [&](geeps::Walker& walker) {
            const geeps::Access access = walker.Read(table, geeps::Rows::All(), 0);
            read = access.op();
            walker.PostRead(access);
            walker.Update(walker.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED));
          };
          train.Record(body);
          w.rt.Commit({train.plan()}, w.err);
          if (w.rank == 1) return w.Meet() ? "" : "rank 0 has given up";
          train.Walk(body);
          // Clock 1 needs rank 1's clock 0, which has not begun.
          const std::string before = w.rt.stats(w.err);
          w.err.Take(geeps_pass_begin(w.rt.get(), train.plan(), w.err.raw()));
          geeps_view view = {};
          view.struct_size = sizeof view;
          const geeps_status status = geeps_read(w.rt.get(), read, nullptr, 3'000'000, &view, w.err.raw());
          const std::string after = StatsOf(w.rt.get());
          w.err.Clear();
          if (!w.Meet()) return "";
          const auto grown = [&](const char* key) {
            return NumberOf(OperationOf(after, 0), key) - NumberOf(OperationOf(before, 0), key);
          };
          std::string problem = CheckSums(after, 2) + Differs("status", status, GEEPS_E_TIMEOUT) +
                                Differs("waits", grown("waits"), 1) + Differs("stall_ns", grown("stall_ns"), 0);
          if (grown("imbalance_ns") < 3'000'000) problem += "3 ms were waited, and fewer are counted; ";
          return problem;
        }) == "");
}

TEST_CASE("what one worker has sent the others have received, and reads are counted by their staleness") {
  constexpr uint32_t kWorld = 3, kSlack = 2;
  constexpr int kClocks = 8;
  Setup setup;
  setup.world = kWorld;
  setup.transport = "tcp";
  std::atomic<int64_t> contributed{0}, published{0};  // sent - received
  std::atomic<int64_t> sent{0};
  CHECK(RunWorkers(setup, [&](Worker& w) -> std::string {
          geeps::Table table(w.rt, "t", kRows, kValues, GEEPS_F32, {{"partition_bytes", "4096"}}, w.err);
          geeps::Walker train(w.rt, "train", w.err);
          const auto body = [&](geeps::Walker& walker) {
            walker.PostRead(walker.Read(table, geeps::Rows::All(), kSlack));
            walker.Update(walker.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED));
          };
          train.Record(body);
          w.rt.Commit({train.plan()}, w.err);
          // Ranks 0 and 1 walk as far as they can without rank 2.
          if (w.rank == 2 && !w.Meet()) return "";
          std::string problem;
          for (int clock = 0; clock < kClocks; ++clock) {
            if (clock == kSlack + 1 && w.rank < 2) {
              const std::string ahead = After(w.rt.stats(w.err), "\"reads_by_staleness\"");
              if (ahead.find("\"reads_by_staleness\": [1, 1, 1]") != 0) problem += ahead.substr(0, 40) + "; ";
              problem += Differs("age_max", NumberOf(TableOf(w.rt.stats(w.err)), "age_max"), 0);
              if (!w.Meet()) return problem;
            }
            train.Walk(body);
          }
          w.rt.Fence(w.err);
          const std::string json = w.rt.stats(w.err), t = TableOf(json);
          contributed += NumberOf(t, "contribution_bytes_sent") - NumberOf(t, "contribution_bytes_received");
          published += NumberOf(t, "publish_bytes_sent") - NumberOf(t, "publish_bytes_received");
          sent += NumberOf(t, "contribution_bytes_sent");
          for (const char* key : {"contribution_bytes_received", "publish_bytes_received"}) {
            problem += Differs(key, NumberOf(t, key), NumberOf(json, key));  // one table: its share is the whole
          }
          return problem + Differs("age_max", NumberOf(t, "age_max"), kClocks) +
                 Differs("version_buffers", NumberOf(t, "version_buffers"), 1) +
                 Differs("log_entries", NumberOf(t, "log_entries"), kSlack + 2);
        }) == "");
  CHECK(contributed == 0);
  CHECK(published == 0);
  CHECK(sent == int64_t{kClocks} * (kWorld - 1) * kRows * kValues * 4);  // each row goes to its keeper from all but it
}

}  // namespace geeps::system_test
