// SPDX-License-Identifier: Apache-2.0
// The sequencer, case by case. See sequencer_rig.h for the words of the expectations.
#include <doctest/doctest.h>

#include "tests/plan/sequencer_rig.h"

namespace geeps::protocol {

TEST_CASE("Sequencer: a copied read is filled when its version is absorbed, and its fill fires the table") {
  Rig rig({Plan({Read(0)})}, 1);
  rig.Begin(0);
  CHECK(rig.Take() == "");
  rig.Publish(0, 0);
  CHECK(rig.Take() == "fill 0.0#1");
  rig.FillDone(0, 0);
  CHECK(rig.Take() == "ready 0.0#1 fire 0@0");
}

TEST_CASE("Sequencer: a read of several partitions waits for the last of them") {
  Rig rig({Plan({Read(0, 0, {0, 2})})}, 1, 0, 3);
  rig.Begin(0);
  rig.Publish(0, 0, 1);
  rig.Publish(0, 0, 2);
  CHECK(rig.Take() == "");
  rig.Publish(0, 0, 0);
  CHECK(rig.Take() == "fill 0.0#1");
}

TEST_CASE("Sequencer: a read in place is ready without a fill and fires at its post") {
  Rig rig({Plan({InPlaceRead(0)})}, 1);
  rig.Publish(0, 0);
  rig.Begin(0);
  CHECK(rig.Take() == "ready 0.0#1");
  rig.Post(0);
  CHECK(rig.Take() == "fire 0@0");
}

TEST_CASE("Sequencer: data are announced at the last drain, and the table is fired when the read in place is posted") {
  Rig rig({Plan({InPlaceRead(0), Update(0), Update(0)})}, 1);
  rig.Publish(0, 0);
  rig.Begin(0);
  CHECK(rig.Take() == "ready 0.0#1 ready 0.1#1 ready 0.2#1");
  rig.Post(1);
  rig.Post(2);
  CHECK(rig.Take() == "drain 0.1#1 drain 0.2#1");
  rig.Drained(0, 1);
  CHECK(rig.Take() == "ready 0.1#2");  // its buffer is free for the next pass, the other log entry too
  rig.Drained(0, 2);
  CHECK(rig.Take() == "ready 0.2#2 data 0@0");
  rig.Post(0);
  CHECK(rig.Take() == "fire 0@0");
}

TEST_CASE("Sequencer: an update in place counts when it is posted, and data come before the fire") {
  Rig rig({Plan({InPlaceUpdate(0)})}, 1);
  rig.Begin(0);
  CHECK(rig.Take() == "ready 0.0#1");
  rig.Post(0);
  CHECK(rig.Take() == "ready 0.0#2 data 0@0 fire 0@0");
}

TEST_CASE("Sequencer: a table that the plan does not touch is fired at the clock") {
  Rig rig({Plan({InPlaceUpdate(1)})}, 3);
  rig.Begin(0);
  rig.Post(0);
  CHECK(rig.Take() == "ready 0.0#1 ready 0.0#2 data 1@0 fire 1@0");
  rig.End(0);
  CHECK(rig.Take() == "fire 0@0 fire 2@0");
}

TEST_CASE("Sequencer: the next pass is prepared while the current one runs, and reads wait for their age") {
  Rig rig({Plan({Read(0), Update(0)})}, 1);
  rig.Publish(0, 0);
  rig.Begin(0);
  rig.FillDone(0, 0);
  rig.Post(0);
  CHECK(rig.Take() == "fill 0.0#1 ready 0.1#1 ready 0.0#1");
  rig.Post(1);
  rig.Drained(0, 1);
  CHECK(rig.Take() == "drain 0.1#1 ready 0.1#2 data 0@0 fire 0@0");
  rig.Publish(0, 1);
  CHECK(rig.Take() == "fill 0.0#2");  // before the program has ended pass 1
  rig.End(0);
  rig.Begin(0);
  rig.FillDone(0, 0);
  CHECK(rig.Take() == "ready 0.0#2");
  CHECK(rig.sequencer().clock() == 1);
  CHECK(rig.sequencer().pass() == 2);
}

TEST_CASE("Sequencer: a table that is filled ahead is fired only when the pass has begun") {
  Rig rig({Plan({Read(0)})}, 1);
  rig.Publish(0, 0);
  rig.Resume(0);
  rig.FillDone(0, 0);
  CHECK(rig.Take() == "fill 0.0#1 ready 0.0#1");
  rig.Begin(0);
  CHECK(rig.Take() == "fire 0@0");
}

TEST_CASE("Sequencer: a drain that ends after its pass fires the older clock first") {
  Rig rig({Plan({Update(0)}), Plan({InPlaceUpdate(0)})}, 1);
  rig.Begin(0);
  rig.Post(0);
  rig.End(1);
  rig.Begin(1);
  rig.Post(0);
  CHECK(rig.Take() == "ready 0.0#1 drain 0.0#1 ready 1.0#2");
  rig.Drained(0, 0);
  CHECK(rig.Take() == "data 0@0 fire 0@0 data 0@1 fire 0@1");
}

TEST_CASE("Sequencer: a wrong guess drops what was ready, and the right plan is prepared") {
  Rig rig({Plan({InPlaceRead(0)}), Plan({InPlaceRead(1)})}, 2);
  rig.Publish(0, 0);
  rig.Publish(1, 0);
  rig.Resume(0);
  CHECK(rig.Take() == "ready 0.0#1");
  rig.Begin(1);
  CHECK(rig.Take() == "ready 1.0#1");
  rig.Post(0);
  rig.End(0);
  CHECK(rig.Take() == "fire 1@0 fire 0@0");  // nothing of plan 0 is ready at clock 1 before age 1
  rig.Publish(0, 1);
  CHECK(rig.Take() == "ready 0.0#2");
}

TEST_CASE("Sequencer: a fill of a wrong guess holds the fire of its table until it is done") {
  Rig rig({Plan({Read(0)}), Plan({InPlaceUpdate(0)})}, 1);
  rig.Publish(0, 0);
  rig.Resume(0);
  CHECK(rig.Take() == "fill 0.0#1");
  rig.Begin(1);
  rig.Post(0);
  CHECK(rig.Take() == "ready 1.0#1 ready 1.0#2 data 0@0");
  rig.End(1);
  CHECK(rig.Take() == "");
  rig.FillDone(0, 0);
  CHECK(rig.Take() == "fire 0@0");
}

TEST_CASE("Sequencer: a discarded fill is done again for the pass that needs it") {
  Rig rig({Plan({Read(0)}), Plan({}, true)}, 1);
  rig.Publish(0, 0);
  rig.Resume(0);
  rig.Begin(1);
  rig.End(0);
  CHECK(rig.Take() == "fill 0.0#1");
  rig.FillDone(0, 0);
  CHECK(rig.Take() == "fill 0.0#2");
  rig.FillDone(0, 0);
  rig.Begin(0);
  CHECK(rig.Take() == "ready 0.0#2 fire 0@0");
}

TEST_CASE("Sequencer: a guess that is dropped and comes after all holds and fires as if it had never been prepared") {
  Rig rig({Plan({Read(0)}), Plan({})}, 1);
  rig.Publish(0, 0);
  rig.Resume(0);
  rig.FillDone(0, 0);
  CHECK_FALSE(rig.sequencer().in_pass());
  CHECK(rig.sequencer().Discard());
  rig.Resume(1);
  CHECK(rig.Take() == "fill 0.0#1 ready 0.0#1");
  rig.Begin(0);
  CHECK(rig.Take() == "fill 0.0#1");
  rig.FillDone(0, 0);
  CHECK(rig.Take() == "ready 0.0#1 fire 0@0");
}

TEST_CASE("Sequencer: a pass without a clock reads at the same clock and fires nothing") {
  Rig rig({Plan({InPlaceUpdate(0)}), Plan({Read(0), InPlaceRead(0)}, true)}, 1);
  rig.Publish(0, 0);
  for (uint64_t pass = 1; pass <= 2; ++pass) {
    rig.Begin(1);
    rig.FillDone(1, 0);
    rig.Post(0);
    rig.Post(1);
    rig.End(1);
    CHECK(rig.sequencer().clock() == 0);
    CHECK(rig.Take().find("fire") == std::string::npos);
  }
  rig.Begin(0);
  rig.Post(0);
  // Of the third pass of plan 1, guessed wrong, a fill is still under way.
  CHECK(rig.Take() == "ready 0.0#3 ready 0.0#4 data 0@0");
  rig.FillDone(1, 0);
  CHECK(rig.Take() == "fire 0@0");
}

TEST_CASE("Sequencer: skipped operations count as done where they are skipped") {
  Rig rig({Plan({InPlaceRead(0), Update(0), Update(0)})}, 1);
  rig.Publish(0, 0);
  rig.Begin(0);
  rig.Take();
  rig.Skip(1);
  rig.Skip(2);
  CHECK(rig.Take().find("fire") == std::string::npos);
  rig.Skip(0);
  CHECK(rig.Take() == "fire 0@0");  // and no data: all updates were skipped
}

TEST_CASE("Sequencer: a read skipped while it is being filled holds the fire until the fill is done") {
  Rig rig({Plan({Read(0)})}, 1);
  rig.Publish(0, 0);
  rig.Begin(0);
  rig.Skip(0);
  CHECK(rig.Take() == "fill 0.0#1");
  rig.FillDone(0, 0);
  CHECK(rig.Take() == "fire 0@0");
}

TEST_CASE("Sequencer: a read skipped while it waits fires at once and is prepared for the next pass") {
  Rig rig({Plan({Read(0)})}, 1);
  rig.Begin(0);
  rig.Skip(0);
  CHECK(rig.Take() == "fire 0@0");
  rig.Publish(0, 1);
  CHECK(rig.Take() == "fill 0.0#2");
}

TEST_CASE("Sequencer: an operation may be skipped while its buffer still drains from the pass before") {
  Rig rig({Plan({Update(0)})}, 1);
  rig.Publish(0, 0);
  rig.Begin(0);
  rig.Post(0);
  rig.End(0);
  rig.Begin(0);
  rig.Skip(0);
  rig.End(0);
  CHECK(rig.Take() == "ready 0.0#1 drain 0.0#1");
  rig.Drained(0, 0);
  // Clock 1 was skipped, so it has no data; the slot serves pass 3 now.
  CHECK(rig.Take() == "data 0@0 fire 0@0 fire 0@1 ready 0.0#3");
}

TEST_CASE("Sequencer: pre-update waits until the log entry of its clock is free") {
  Rig rig({Plan({InPlaceUpdate(0)})}, 1);  // two entries
  rig.HoldSends(true);
  rig.Publish(0, 0);
  rig.Begin(0);
  rig.Post(0);
  rig.End(0);
  CHECK(rig.Take() == "ready 0.0#1 ready 0.0#2 data 0@0 fire 0@0");
  rig.Begin(0);
  rig.Post(0);
  CHECK(rig.Take() == "data 0@1 fire 0@1");  // not ready for pass 3: entry 0 is still being sent
  rig.SendsDone(0);
  CHECK(rig.Take() == "ready 0.0#3");
}

TEST_CASE("Sequencer: an entry that was never used needs no message to be free") {
  // Plan 0 drains late and then skips, so that clocks 0 and 1 are fired together and nobody says that entry 1 is free.
  Rig rig({Plan({Update(0), Read(0)}), Plan({}, true)}, 1);
  rig.Publish(0, 0);
  rig.Resume(0);
  rig.Begin(1);  // a wrong guess: the fill is discarded and holds the fire
  rig.End(0);
  rig.Begin(0);
  rig.Skip(0);
  rig.Skip(1);
  rig.End(0);
  rig.Begin(0);
  rig.Skip(0);
  rig.Skip(1);
  rig.Take();
  rig.End(0);
  CHECK(rig.Take() == "");  // clocks 0 and 1 are not fired, and the entry of clock 2 is that of clock 0
  rig.FillDone(0, 1);
  CHECK(rig.Take() == "fire 0@0 fire 0@1 ready 0.0#4");
}

TEST_CASE("Sequencer: a ready read with slack is filled again when a newer version was absorbed, until it is taken") {
  Rig rig({Plan({Read(0, 2)})}, 1, 2);
  rig.Publish(0, 0);
  rig.Begin(0);
  rig.FillDone(0, 0);
  CHECK(rig.Take() == "fill 0.0#1 ready 0.0#1");
  rig.Taken(0);
  CHECK(rig.Take() == "fire 0@0");  // a hand-out ends the hold
  rig.Post(0);
  CHECK(rig.Take() == "fill 0.0#2");  // clock 1 with slack 2: version 0 serves
  rig.FillDone(0, 0);
  CHECK(rig.Take() == "ready 0.0#2");
  rig.Publish(0, 1);
  CHECK(rig.Take() == "unready 0.0#2");
  rig.TakenBack(0, 0, true);
  CHECK(rig.Take() == "fill 0.0#2");
  rig.FillDone(0, 0);
  CHECK(rig.Take() == "ready 0.0#2");
  rig.End(0);
  rig.Begin(0);
  rig.Taken(0);
  CHECK(rig.Take() == "fire 0@1");
  rig.Publish(0, 2);
  CHECK(rig.Take() == "");
}

TEST_CASE("Sequencer: a read with slack is filled again when its oldest partition is newer, not for each") {
  Rig rig({Plan({Read(0, 1, {0, 1})})}, 1, 1, 2);
  rig.Publish(0, 0, 0);
  rig.Publish(0, 0, 1);
  rig.Resume(0);
  rig.FillDone(0, 0);
  rig.Begin(0);
  rig.Taken(0);
  rig.Post(0);
  rig.FillDone(0, 0);
  CHECK(rig.Take() == "fill 0.0#1 ready 0.0#1 fire 0@0 fill 0.0#2 ready 0.0#2");
  rig.Publish(0, 1, 1);
  CHECK(rig.Take() == "");
  rig.Publish(0, 1, 0);
  CHECK(rig.Take() == "unready 0.0#2");
}

TEST_CASE("Sequencer: a read that could not be taken back stays with the program") {
  Rig rig({Plan({Read(0, 1)})}, 1, 1);
  rig.Publish(0, 0);
  rig.Begin(0);
  rig.FillDone(0, 0);
  rig.Taken(0);
  rig.Post(0);
  rig.FillDone(0, 0);
  rig.End(0);
  rig.Publish(0, 1);
  rig.Begin(0);
  rig.Take();
  rig.TakenBack(0, 0, false);
  CHECK(rig.Take() == "");
  rig.Taken(0);
  CHECK(rig.Take() == "fire 0@1");
  rig.Post(0);
  CHECK(rig.Take() == "fill 0.0#3");
}

TEST_CASE("Sequencer: a slot whose taking back is not answered is not used again before the answer") {
  Rig rig({Plan({Read(0, 1)})}, 1, 1);
  rig.Publish(0, 0);
  rig.Begin(0);
  rig.FillDone(0, 0);
  rig.Taken(0);
  rig.Post(0);
  rig.FillDone(0, 0);
  rig.End(0);
  rig.Begin(0);
  rig.Publish(0, 1);
  rig.Take();
  rig.Taken(0);
  rig.Post(0);
  CHECK(rig.Take() == "fire 0@1");
  rig.TakenBack(0, 0, false);
  CHECK(rig.Take() == "fill 0.0#3");
}

TEST_CASE("Sequencer: a fill waits while the cache is being written") {
  Rig rig({Plan({Read(0, 1)}), Plan({})}, 1, 1);
  rig.Publish(0, 0);
  rig.Begin(1);
  rig.End(1);
  CHECK(rig.BeginPublish(0, 1));
  rig.Begin(0);  // clock 1, slack 1: version 0 would serve
  CHECK(rig.Take() == "fire 0@0");
  rig.Absorbed(0);
  CHECK(rig.Take() == "fill 0.0#2");
}

TEST_CASE("Sequencer: a discarded zeroing of the log holds the updates of its table") {
  Rig rig({Plan({InPlaceUpdate(0, true)}), Plan({InPlaceUpdate(0)})}, 1);
  rig.Resume(0);
  CHECK(rig.Take() == "fill 0.0#1");
  rig.Begin(1);
  CHECK(rig.Take() == "");  // the log entry of clock 0 is still being written
  rig.FillDone(0, 0);
  CHECK(rig.Take() == "ready 1.0#1");
}

TEST_CASE("Sequencer: a zeroed update is ready when it is zeroed") {
  Rig rig({Plan({InPlaceUpdate(0, true)})}, 1);
  rig.Begin(0);
  CHECK(rig.Take() == "fill 0.0#1");
  rig.FillDone(0, 0);
  CHECK(rig.Take() == "ready 0.0#1");
  rig.Post(0);
  CHECK(rig.Take() == "fill 0.0#2 data 0@0 fire 0@0");
}

TEST_CASE("Sequencer: a fence discards what is prepared and waits for fills in flight") {
  Rig rig({Plan({Read(0), InPlaceRead(0)})}, 1);
  rig.Publish(0, 0);
  rig.Resume(0);
  CHECK(rig.Take() == "fill 0.0#1 ready 0.1#1");
  CHECK_FALSE(rig.sequencer().Discard());
  rig.FillDone(0, 0);
  CHECK(rig.sequencer().Discard());
  CHECK(rig.Take() == "");
  rig.Resume(0);
  CHECK(rig.Take() == "fill 0.0#1 ready 0.1#1");
}

TEST_CASE("Sequencer: local accesses keep their numbers and are nobody's business") {
  Op local;
  local.is_local = true;
  Rig rig({Plan({local, InPlaceUpdate(0), local})}, 1);
  rig.Begin(0);
  CHECK(rig.Take() == "ready 0.1#1");
  rig.Post(0);
  rig.Skip(2);
  rig.Post(1);
  CHECK(rig.Take() == "ready 0.1#2 data 0@0 fire 0@0");
}

TEST_CASE("Sequencer: a copy goes its own way and equal states have equal digests") {
  Rig rig({Plan({InPlaceUpdate(0)})}, 1);
  rig.Begin(0);
  Sequencer copy = rig.sequencer();
  CHECK(copy.StateDigest() == rig.sequencer().StateDigest());
  std::vector<SequencerEffect> effects;
  copy.OnPosted(0, &effects);
  CHECK(copy.StateDigest() != rig.sequencer().StateDigest());
  CHECK(effects.back().kind == SequencerEffect::Kind::kFire);
  rig.Post(0);
  CHECK(copy.StateDigest() == rig.sequencer().StateDigest());
}

}  // namespace geeps::protocol
