// SPDX-License-Identifier: Apache-2.0
// Connections that stay open while nothing passes any more: with the heartbeat limit all workers have an error. Where
// only data stand still the job ends when a worker's system can tell; else it waits, as it would for a slow worker, and
// the log says for whom.
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/network/job.h"
#include "tests/network/script.h"

namespace geeps::network_test {
namespace {

using Then = Passage::Then;

// Ten times a heartbeat limit of 1 s and its quarter of a second.
constexpr double kLimit_s = 13;

JobSpec EndlessJob() {
  JobSpec spec;
  spec.num_clocks = kForEver;
  spec.more = {{"heartbeat_ms", "1000"}};
  return spec;
}

bool Touches(const Way& way, uint32_t rank) { return way.from == rank || way.to == rank; }

void CheckLost(const std::vector<Ending>& endings, const Script& script, double limit_s = kLimit_s) {
  REQUIRE(script.struck());
  CHECK(NotOver(endings) == "");
  for (const Ending& ending : endings) CHECK(ending.status == GEEPS_E_PEER_LOST);
  CHECK(SecondsTo(endings, script.time()) < limit_s);
}

}  // namespace

TEST_CASE("nothing passes to and from one worker: the others lose it, and it loses rank 0") {
  for (const Deed& deed : {Break(Then::kStall), BreakWithin(Part::kBody, Then::kStall)}) {
    const Script script({{LinkKind::kData, 1, 0}, Sort::kPayload, 50, deed},
                        [](const Way& way) { return Touches(way, 1); });
    INFO(script.name());
    const std::vector<Ending> endings = RunJob(EndlessJob(), script.edit());
    CheckLost(endings, script);
    CHECK(Different(endings, {0, 2}) == "");
    CHECK(endings[0].rank == 1);
    CHECK(endings[0].message.find("nothing was heard from it") != std::string::npos);
    CHECK(endings[1].rank == 0);
  }
}

TEST_CASE("nothing passes between any workers: each has an error") {
  const Script script({{LinkKind::kData, 2, 0}, Sort::kPayload, 50, Break(Then::kStall)},
                      [](const Way&) { return true; });
  const std::vector<Ending> endings = RunJob(EndlessJob(), script.edit());
  CheckLost(endings, script);
  CHECK(endings[1].rank == 0);
  CHECK(endings[2].rank == 0);
}

TEST_CASE("a control connection falls silent in one direction, within a frame: all have an error") {
  for (const Way& way : {Way{LinkKind::kControl, 1, 0}, Way{LinkKind::kControl, 0, 1}}) {
    const Script script({way, Sort::kBeat, 1, BreakWithin(Part::kFront, Then::kStall)});
    INFO(script.name());
    const std::vector<Ending> endings = RunJob(EndlessJob(), script.edit());
    // Who hears nothing from rank 0 gives up first; then it is silent itself.
    CheckLost(endings, script, way.to == 0 ? kLimit_s : 2 * kLimit_s);
    CHECK(Different(endings, {0, 2}) == "");
    CHECK(endings[0].rank == 1);
    if (way.to == 0) CHECK(Different(endings, {0, 1, 2}) == "");
    if (way.to != 0) CHECK(endings[1].rank == 0);
  }
}

TEST_CASE("a data connection takes in nothing while heartbeats pass: the same error on all") {
  const Script script({{LinkKind::kData, 1, 0}, Sort::kPayload, 20, Break(Then::kStall)});
  JobSpec spec = EndlessJob();
  spec.world = 2;
  spec.rows_per_worker = 10000;  // 10 MB a clock: more than the systems keep for a connection
  const std::vector<Ending> endings = RunJob(spec, script.edit());
  CheckLost(endings, script);
  CHECK(Different(endings, {0, 1}) == "");
  CHECK(endings[0].message.find("data connection") != std::string::npos);
}

TEST_CASE("data that stand still on their way hold workers up, the log says where and for whom, and nothing is lost") {
  Deed late{"late", [](const Way&, Sort, const std::string& frame) {
              return Passage{{frame}, std::chrono::milliseconds(1000), Then::kGoOn};
            }};
  // Each worker keeps 7 partitions: first their first versions come, then contributions, then versions.
  for (const auto& [nth, says] : {std::pair{7, "kept by rank 0, has version 0; clock 0 is missing from rank 1"},
                                  std::pair{14, "kept by rank 1, does not come, and rank 1 has not answered"}}) {
    const Script script({{LinkKind::kData, 1, 0}, Sort::kPayload, static_cast<uint64_t>(nth), late});
    JobSpec spec;
    spec.world = 2;
    spec.more = {{"wait_warning_ms", "100"}};
    const std::vector<Ending> endings = RunJob(spec, script.edit());
    REQUIRE(script.struck());
    CHECK(NotWell(endings) == "");
    for (const char* part : {"(read of table 't') of plan 'train' has waited for 100 ms at clock 1", says}) {
      CHECK_MESSAGE(endings[0].log.find(part) != std::string::npos, endings[0].log);
    }
  }
}

TEST_CASE("after a stall no descriptor and no thread is left") {
  CHECK(Left([] {
          const Script script({{LinkKind::kData, 1, 2}, Sort::kPayload, 17, Break(Then::kStall)},
                              [](const Way&) { return true; });
          CHECK(NotOver(RunJob(EndlessJob(), script.edit())) == "");
        }) == "");
}

}  // namespace geeps::network_test
