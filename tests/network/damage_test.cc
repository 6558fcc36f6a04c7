// SPDX-License-Identifier: Apache-2.0
// Frames that are damaged, doubled, out of order, missing or cut off on their way between workers are noticed and never
// taken in: all workers get an error with a sentence at once, nobody hangs or dies, and nothing is left.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/network/drawn.h"
#include "tests/network/job.h"
#include "tests/network/script.h"

namespace geeps::network_test {
namespace {

using Then = Passage::Then;

// Ten times the goal of a quarter of a second.
constexpr double kLimit_s = 2.5;

JobSpec EndlessJob() {
  JobSpec spec;
  spec.num_clocks = kForEver;
  spec.more = {{"heartbeat_ms", "2000"}};
  return spec;
}

struct Case {
  Sort sort;
  uint64_t nth;
  Deed deed;
  const char* says;  // in some worker's error or log
};

// All that the endings and logs say.
std::string AllTexts(const std::vector<Ending>& endings) {
  std::string text;
  for (const Ending& ending : endings) text += ending.message + "\n" + ending.log;
  return text;
}

void CheckOver(const Way& way, const Case& fault, const std::vector<uint32_t>& agree) {
  const Script script({way, fault.sort, fault.nth, fault.deed});
  INFO(script.name());
  const std::vector<Ending> endings = RunJob(EndlessJob(), script.edit());
  REQUIRE(script.struck());
  CHECK(NotOver(endings) == "");
  CHECK(Different(endings, agree) == "");
  CHECK(SecondsTo(endings, script.time()) < kLimit_s);
  CHECK_MESSAGE(AllTexts(endings).find(fault.says) != std::string::npos, AllTexts(endings));
}

std::vector<Case> DamagedData() {
  const char* const front = "checksum of a frame header is wrong";
  const char* const magic = "no frame header where one is due";
  const char* const header = "checksum of a message header is wrong";
  const char* const payload = "checksum of a payload of";
  const char* const order = " is due";
  std::vector<Case> cases = {
      {Sort::kPayload, 5, Flip(Part::kHeader, 1), header},
      {Sort::kPayload, 40, Flip(Part::kBody, 2), payload},
      {Sort::kPayload, 0, Flip(Part::kTrailer, 3), payload},
      {Sort::kMessage, 5, Flip(Part::kHeader, 4), header},
      {Sort::kPayload, 30, Twice(), order},
      {Sort::kMessage, 3, Twice(), order},
      {Sort::kPayload, 2, Swap(), order},
      {Sort::kPayload, 2, Drop(), order},
      {Sort::kPayload, 3, Shorten(Part::kBody, 5), payload},
      {Sort::kPayload, 9, Noise(6), magic},
  };
  for (uint64_t seed = 0; seed < 4; ++seed) {
    cases.push_back({seed % 2 == 0 ? Sort::kMessage : Sort::kPayload, 7 * seed, Flip(Part::kFront, seed), ""});
  }
  cases[cases.size() - 1].says = front;
  return cases;
}

std::vector<Case> CutData() {
  std::vector<Case> cases;
  for (const Then then : {Then::kEnd, Then::kReset}) {
    cases.push_back({Sort::kPayload, 20, Break(then), "data connection"});
    for (const Part part : {Part::kFront, Part::kHeader, Part::kBody, Part::kTrailer}) {
      cases.push_back({Sort::kPayload, 11, BreakWithin(part, then), "data connection"});
    }
  }
  return cases;
}

std::vector<Case> DamagedControl() {
  const char* const header = "checksum of the header of a control message is wrong";
  const char* const body = "checksum of a control message of";
  const char* const order = " is due";
  return {
      {Sort::kBeat, 1, Flip(Part::kBody, 1), body},
      {Sort::kControl, 1, Flip(Part::kBody, 2), body},
      {Sort::kBeat, 1, Twice(), order},
      {Sort::kControl, 1, Twice(), order},
      {Sort::kBeat, 0, Swap(), order},
      {Sort::kBeat, 1, Drop(), order},
      {Sort::kBeat, 0, Shorten(Part::kBody, 3), body},
      {Sort::kControl, 0, Noise(4), "no control frame"},
      {Sort::kControl, 0, Flip(Part::kFront, 11), ""},
      {Sort::kBeat, 2, Flip(Part::kFront, 12), header},
  };
}

}  // namespace

TEST_CASE("a job whose connections all lead through somebody who changes nothing comes to its end and leaves nothing") {
  CHECK(Left([] {
          const auto pass = [](const Way&, const std::string& frame) { return Passage{{frame}, {}, Then::kGoOn}; };
          CHECK(NotWell(RunJob(JobSpec(), pass)) == "");
        }) == "");
}

TEST_CASE(
    "a data frame that is damaged, doubled, moved, missing or longer or shorter than it was: the same error on all") {
  for (const Way& way : {Way{LinkKind::kData, 0, 1}, Way{LinkKind::kData, 2, 1}}) {
    for (const Case& fault : DamagedData()) CheckOver(way, fault, {0, 1, 2});
  }
}

TEST_CASE("a data connection that is cut, between frames or anywhere in one: the same error on all, at once") {
  for (const Way& way : {Way{LinkKind::kData, 1, 0}, Way{LinkKind::kData, 1, 2}}) {
    for (const Case& fault : CutData()) CheckOver(way, fault, {0, 1, 2});
  }
}

TEST_CASE("a control frame that is damaged, doubled, moved, missing, longer or shorter: an error that says so on all") {
  for (const Way& way : {Way{LinkKind::kControl, 1, 0}, Way{LinkKind::kControl, 0, 1}}) {
    for (const Case& fault : DamagedControl()) {
      // What rank 1 cannot read cannot tell it what the others are told.
      if (way.to == 0) CheckOver(way, fault, {0, 1, 2});
      if (way.to != 0) CheckOver(way, fault, {0, 2});
    }
  }
}

TEST_CASE("a control connection that is cut, between frames or anywhere in one: the others name its worker, at once") {
  for (const Way& way : {Way{LinkKind::kControl, 1, 0}, Way{LinkKind::kControl, 0, 1}}) {
    for (const Then then : {Then::kEnd, Then::kReset}) {
      for (const Case& fault : {Case{Sort::kBeat, 1, Break(then), "rank 1"},
                                Case{Sort::kBeat, 0, BreakWithin(Part::kFront, then), "rank 1"},
                                Case{Sort::kControl, 1, BreakWithin(Part::kBody, then), "rank 1"}}) {
        CheckOver(way, fault, {0, 2});
      }
    }
  }
}

TEST_CASE("a data connection that begins with damage is refused, and the job ends for all with the same error") {
  // The lower rank greets, the higher one answers.
  for (const Way& way : {Way{LinkKind::kData, 0, 2}, Way{LinkKind::kData, 2, 0}}) {
    for (const Deed& deed : {Flip(Part::kFront, 1), Flip(Part::kFront, 2), Noise(3), Break(Then::kReset),
                             BreakWithin(Part::kFront, Then::kEnd)}) {
      CheckOver(way, {Sort::kOpening, 0, deed, "data connection"}, {0, 1, 2});
    }
  }
}

TEST_CASE("a WELCOME that is damaged ends the start for all; a worker whose HELLO is cut off comes again") {
  CheckOver({LinkKind::kControl, 0, 1}, {Sort::kOpening, 0, Flip(Part::kBody, 1), "checksum of a control message"},
            {0, 2});
  const Script script({{LinkKind::kControl, 1, 0}, Sort::kOpening, 0, BreakWithin(Part::kBody, Then::kEnd)});
  CHECK(NotWell(RunJob(JobSpec(), script.edit())) == "");
  CHECK(script.struck());
}

TEST_CASE("a HELLO that is damaged is refused, and the others' start fails at its limit") {
  for (const Part part : {Part::kFront, Part::kBody}) {
    const Script script({{LinkKind::kControl, 1, 0}, Sort::kOpening, 0, Flip(part, 9)});
    JobSpec spec;
    spec.more = {{"start_limit_s", "2"}};
    const std::vector<Ending> endings = RunJob(spec, script.edit());
    CHECK(NotOver(endings) == "");
    CHECK(endings[0].message.find("rank 1") != std::string::npos);
    CHECK(SecondsTo(endings, script.time()) < 20);
  }
}

TEST_CASE("after a cut, and after damage, no descriptor and no thread is left") {
  for (const Deed& deed : {BreakWithin(Part::kBody, Then::kReset), Flip(Part::kBody, 1)}) {
    CHECK(Left([&] {
            const Script script({{LinkKind::kData, 0, 1}, Sort::kPayload, 17, deed});
            CHECK(NotOver(RunJob(EndlessJob(), script.edit())) == "");
          }) == "");
  }
}

TEST_CASE("drawn faults of any kind at any place") {
  uint64_t num_struck = 0;
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    const Drawn drawn = RunDrawnFault(seed);
    CHECK(drawn.wrong == "");
    num_struck += drawn.struck ? 1 : 0;
  }
  CHECK(num_struck >= 15);
}

}  // namespace geeps::network_test
