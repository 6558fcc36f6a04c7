// SPDX-License-Identifier: Apache-2.0
// Payload bytes of a clock follow from the row sets: a worker sends each row that it updates once to the row's keeper,
// and a keeper sends each of its rows once to every worker that reads it; rows that a worker keeps itself do not
// travel.
#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/system/statistics.h"
#include "tests/system/threads.h"

namespace geeps::system_test {
namespace {

// Large enough for a shard on each worker: rank r keeps rows [r * kShare, (r + 1) * kShare).
constexpr uint32_t kWorld = 3;
constexpr uint64_t kShare = 256;
constexpr uint64_t kRows = kWorld * kShare;
constexpr uint64_t kRowValues = 128;
constexpr uint64_t kClocks = 20;

struct Range {
  uint64_t first;
  uint64_t end;
};

uint64_t RowsIn(const Range& a, const Range& b) {
  const uint64_t first = std::max(a.first, b.first);
  const uint64_t end = std::min(a.end, b.end);
  return first < end ? end - first : 0;
}

struct Bytes {
  int64_t contribution_sent = 0, contribution_local = 0, publish_sent = 0, publish_local = 0;
};

Bytes Take(Worker& w) {
  const std::string json = w.rt.stats(w.err);
  return {NumberOf(json, "contribution_bytes_sent"), NumberOf(json, "contribution_bytes_local"),
          NumberOf(json, "publish_bytes_sent"), NumberOf(json, "publish_bytes_local")};
}

// sets[rank]: the rows that it reads and updates. Empty, or which figure differs from the closed form.
std::string CompareBytes(const char* transport, const std::vector<Range>& sets, bool travels,
                         uint32_t dtype = GEEPS_F32) {
  Setup setup;
  setup.world = kWorld;
  setup.transport = transport;
  return RunWorkers(setup, [&](Worker& w) -> std::string {
    geeps::Table table(w.rt, "t", kRows, kRowValues, dtype, {{"partition_bytes", "16384"}}, w.err);
    const Range mine = sets[w.rank];
    const auto body = [&](geeps::Walker& walker) {
      const geeps::Access read = walker.Read(table, geeps::Rows::Range(mine.first, mine.end - mine.first), 0);
      walker.PostRead(read);
      const geeps::Access add =
          walker.PreUpdate(table, geeps::Rows::Range(mine.first, mine.end - mine.first), GEEPS_UPDATE_ZEROED);
      walker.Update(add);
    };
    const auto look = [&](geeps::Walker& walker) {
      walker.PostRead(walker.Read(table, geeps::Rows::Range(mine.first, mine.end - mine.first), 0));
    };
    geeps::Walker train(w.rt, "train", w.err), see(w.rt, "see", w.err);
    train.Record(body);
    see.Record(look, GEEPS_PLAN_NO_CLOCK);
    w.rt.Commit({train.plan(), see.plan()}, w.err);
    if (!w.Meet()) return "";  // every cache holds its first version: nothing of it is on its way any more
    const Bytes before = Take(w);
    if (!w.Meet()) return "";
    for (uint64_t clock = 0; clock < kClocks && w.err.ok(); ++clock) train.Walk(body);
    see.Walk(look);  // waits for the last version
    if (!w.Meet()) return "";
    const Bytes after = Take(w);
    if (!w.err.ok()) return "";

    Bytes wanted;
    const Range kept = {w.rank * kShare, (w.rank + 1) * kShare};
    const uint64_t row_bytes = kRowValues * (dtype == GEEPS_F32 ? 4 : 2);
    const auto bytes = [row_bytes](uint64_t rows) { return static_cast<int64_t>(rows * row_bytes * kClocks); };
    wanted.contribution_local = bytes(RowsIn(mine, kept));
    wanted.contribution_sent = bytes(mine.end - mine.first) - wanted.contribution_local;
    for (uint32_t rank = 0; rank < kWorld; ++rank) {
      (rank == w.rank ? wanted.publish_local : wanted.publish_sent) += bytes(RowsIn(sets[rank], kept));
    }
    if (!travels) {
      wanted.contribution_local += std::exchange(wanted.contribution_sent, 0);
      wanted.publish_local += std::exchange(wanted.publish_sent, 0);
    }
    std::string problem;
    const auto compare = [&](const char* what, int64_t old_bytes, int64_t new_bytes, int64_t want) {
      if (old_bytes < 0) problem += std::string(what) + " is not in the statistics; ";
      if (std::llabs(new_bytes - old_bytes - want) * 50 > want) {
        problem += std::string(what) + " grew by " + std::to_string(new_bytes - old_bytes) + ", wanted " +
                   std::to_string(want) + "; ";
      }
    };
    compare("contribution_bytes_sent", before.contribution_sent, after.contribution_sent, wanted.contribution_sent);
    compare("publish_bytes_sent", before.publish_sent, after.publish_sent, wanted.publish_sent);
    if (travels) {
      compare("contribution_bytes_local", before.contribution_local, after.contribution_local,
              wanted.contribution_local);
      compare("publish_bytes_local", before.publish_local, after.publish_local, wanted.publish_local);
    }
    return problem;
  });
}

}  // namespace

TEST_CASE("disjoint row sets: payload bytes per clock are the closed form") {
  CHECK(CompareBytes("tcp", {{0, 200}, {200, 500}, {500, 768}}, true) == "");
}

TEST_CASE("disjoint row sets that each worker keeps itself: nothing travels") {
  CHECK(CompareBytes("tcp", {{0, kShare}, {kShare, 2 * kShare}, {2 * kShare, 3 * kShare}}, true) == "");
}

TEST_CASE("overlapping row sets: payload bytes per clock are the closed form") {
  CHECK(CompareBytes("tcp", {{0, 400}, {150, 600}, {300, 768}}, true) == "");
}

TEST_CASE("equal row sets: payload bytes per clock are the closed form") {
  CHECK(CompareBytes("tcp", {{0, kRows}, {0, kRows}, {0, kRows}}, true) == "");
}

TEST_CASE("tables of 16-bit numbers: half of the bytes travel, both ways") {
  for (const uint32_t dtype : {GEEPS_F16, GEEPS_BF16}) {
    CHECK(CompareBytes("tcp", {{0, 400}, {150, 600}, {300, 768}}, true, dtype) == "");
  }
}

TEST_CASE("mapped memory: no values are sent at all") {
  CHECK(CompareBytes("inproc", {{0, 400}, {150, 600}, {300, 768}}, false) == "");
}

}  // namespace geeps::system_test
