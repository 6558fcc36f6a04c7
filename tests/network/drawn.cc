// SPDX-License-Identifier: Apache-2.0
#include "tests/network/drawn.h"

#include <memory>
#include <vector>

#include "tests/network/job.h"
#include "tests/network/script.h"
#include "tests/system/scenario_expect.h"

namespace geeps::network_test {
namespace {

using system_test::Random;

// Ten times the goal of a quarter of a second.
constexpr double kLimit_s = 2.5;
constexpr int kStartLimit_s = 3;

Way DrawWay(Random* random, uint32_t world, LinkKind kind) {
  Way way;
  way.kind = kind;
  way.from = static_cast<uint32_t>(random->Below(world));
  way.to = static_cast<uint32_t>((way.from + 1 + random->Below(world - 1)) % world);
  if (kind == LinkKind::kControl && way.from != 0) way.to = 0;
  return way;
}

Part DrawPart(Random* random, Sort sort) {
  if (sort == Sort::kPayload) return static_cast<Part>(random->Below(4));
  if (sort == Sort::kMessage) return random->OneIn(2) ? Part::kFront : Part::kHeader;
  return random->OneIn(2) ? Part::kFront : Part::kBody;
}

// A fault that must be noticed, of any kind and at any place of a job of `world` workers.
Fault DrawFault(uint64_t seed, uint32_t world) {
  Random random(seed);
  Fault fault;
  const LinkKind kind = random.OneIn(2) ? LinkKind::kControl : LinkKind::kData;
  fault.way = DrawWay(&random, world, kind);
  const Sort of_control[] = {Sort::kOpening, Sort::kBeat, Sort::kControl};
  const Sort of_data[] = {Sort::kOpening, Sort::kMessage, Sort::kPayload};
  fault.sort = (kind == LinkKind::kControl ? of_control : of_data)[random.OneIn(8) ? 0 : 1 + random.Below(2)];
  // Control messages before the first clock: after the last one a fault is no fault any more.
  const uint64_t nth_max[] = {1, 4, 2, 60, 60};  // by sort
  fault.nth = random.Below(nth_max[static_cast<size_t>(fault.sort)]);
  const Part part = DrawPart(&random, fault.sort);
  const uint64_t detail = random.Next();
  // What is only noticed by what follows is aimed at frames that others follow: beats, and the first contributions.
  const bool followed = fault.sort == Sort::kBeat || (fault.sort == Sort::kPayload && fault.nth < 4);
  switch (random.Below(followed ? 9 : 6)) {
    case 0:
    case 1:
      fault.deed = Flip(part, detail);
      break;
    case 2:
      fault.deed = fault.sort == Sort::kOpening ? Flip(part, detail) : Twice();
      break;
    case 3:
      fault.deed = Break(random.OneIn(2) ? Passage::Then::kEnd : Passage::Then::kReset);
      break;
    case 4:
      fault.deed = BreakWithin(part, random.OneIn(2) ? Passage::Then::kEnd : Passage::Then::kReset);
      break;
    case 5:
      fault.deed = Noise(detail);
      break;
    case 6:
      fault.deed = Swap();
      break;
    case 7:
      fault.deed = Drop();
      break;
    default:
      fault.deed = Shorten(part, detail);
      break;
  }
  return fault;
}

// Who says the same: all but the worker whose control connection it was, which may hear nothing any more.
std::vector<uint32_t> RanksThatAgree(const Fault& fault, uint32_t world) {
  std::vector<uint32_t> ranks;
  for (uint32_t rank = 0; rank < world; ++rank) {
    const bool apart =
        fault.way.kind == LinkKind::kControl && rank != 0 && (rank == fault.way.from || rank == fault.way.to);
    if (!apart) ranks.push_back(rank);
  }
  return ranks;
}

}  // namespace

Drawn RunDrawnFault(uint64_t seed) {
  Random random(seed);
  JobSpec spec;
  spec.world = 2 + static_cast<uint32_t>(random.Below(3));
  spec.num_clocks = 200;
  spec.rows_per_worker = 80;
  spec.more = {{"heartbeat_ms", "2000"}, {"start_limit_s", std::to_string(kStartLimit_s)}};
  const Fault fault = DrawFault(random.Next(), spec.world);
  const Script script(fault);
  const std::vector<Ending> endings = RunJob(spec, script.edit());
  Drawn drawn;
  drawn.struck = script.struck();
  const bool says_hello = fault.way.kind == LinkKind::kControl && fault.sort == Sort::kOpening && fault.way.to == 0;
  // A worker whose HELLO did not get through comes again.
  if (!drawn.struck || (says_hello && NotWell(endings).empty())) {
    drawn.wrong = NotWell(endings);
  } else if (!script.was_last()) {  // else the job may be over for the others before anybody notices
    drawn.wrong = NotOver(endings);
    const double limit_s = says_hello ? 10 * kStartLimit_s : kLimit_s;
    if (SecondsTo(endings, script.time()) > limit_s) {
      drawn.wrong += "the last worker's error came after " + std::to_string(SecondsTo(endings, script.time())) + " s\n";
    }
    if (fault.sort != Sort::kOpening) drawn.wrong += Different(endings, RanksThatAgree(fault, spec.world));
  }
  if (!drawn.wrong.empty()) {
    drawn.wrong = "seed " + std::to_string(seed) + ", " + std::to_string(spec.world) + " workers, " + script.name() +
                  (drawn.struck ? "" : " (which did not come)") + ":\n" + drawn.wrong;
  }
  return drawn;
}

std::string RunDrawnDelays(uint64_t seed) {
  Random random(seed);
  system_test::ScenarioOptions options;
  options.seed = seed;
  options.world = 2 + static_cast<uint32_t>(random.Below(3));
  options.slack_max = static_cast<uint32_t>(random.Below(3));
  options.num_clocks = 10;
  options.modes = random.OneIn(2);
  options.row_calls = random.OneIn(2);
  const system_test::Scenario scenario = system_test::MakeScenario(options);
  const system_test::Expected expected(scenario);
  system_test::Between between(Delays(random.Next(), 4 + random.Below(12), std::chrono::milliseconds(4)));
  system_test::Setup setup;
  setup.world = options.world;
  setup.transport = "tcp";
  const std::string complaints = system_test::RunThreads(options.world, 120, [&](uint32_t rank) {
    system_test::Worker w;
    w.rank = rank;
    w.world = options.world;
    w.rt = geeps::Runtime(system_test::WorkerOptions(setup, between.RendezvousOf(rank), rank), w.err);
    w.rt.Start(w.err);
    std::string text = w.err.ok() ? system_test::WalkScenario(scenario, expected, w) : "";
    if (text.empty()) w.rt.Shutdown(w.err);
    if (!w.err.ok()) text += std::string("; ") + w.err.message();
    if (!text.empty()) w.rt.Abort(text.c_str());
    return text.empty() ? text : "rank " + std::to_string(rank) + ": " + text;
  });
  return complaints.empty() ? "" : "seed " + std::to_string(seed) + ":\n" + complaints;
}

}  // namespace geeps::network_test
