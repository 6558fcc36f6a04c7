// SPDX-License-Identifier: Apache-2.0
#include "runtime/protocol/get.h"

#include <doctest/doctest.h>

#include "tests/protocol/keeper_bench.h"

namespace geeps::protocol {
namespace {

KeeperOptions AsyncWorld() {
  KeeperOptions options = World(2, kAsyncSlack);
  options.async = true;
  return options;
}

std::vector<uint64_t> CallsOf(const std::vector<WaitingGet>& gets) {
  std::vector<uint64_t> calls;
  for (const WaitingGet& get : gets) calls.push_back(get.call);
  return calls;
}

// "ask 0; take 1 v5; done 5"
std::string Describe(const GetterEffect& effect) {
  switch (effect.kind) {
    case GetterEffect::Kind::kAsk:
      return Numbered("ask ", effect.index);
    case GetterEffect::Kind::kTake:
      return Numbered("take ", effect.index) + Numbered(" v", effect.age);
    case GetterEffect::Kind::kDone:
      return Numbered("done ", effect.age);
  }
  return "?";
}

class GetterBench {
 public:
  std::string Begin(uint64_t call, Age age, std::vector<GetPart> parts) {
    effects_.clear();
    machine.Begin(call, age, std::move(parts), &effects_);
    return Said();
  }
  // The answer to part p of `call`, which keeper p kept: rows [p, p + 2).
  std::string Got(uint64_t call, uint32_t p, Age age, bool frozen = false) {
    return Got(p, Answer(call, p, age, frozen));
  }
  std::string Got(uint32_t rank, const Header& got) {
    effects_.clear();
    return machine.OnGot(rank, got, &effects_) ? Said() : "refused";
  }
  static Header Answer(uint64_t call, uint32_t p, Age age, bool frozen = false) {
    Header got;
    got.type = MessageType::kGot;
    got.flags = frozen ? kFlagFrozen : 0;
    got.partition = p;
    got.clock = age;
    got.call = call;
    got.first_row = p;
    got.num_rows = 2;
    return got;
  }
  static std::vector<GetPart> Parts(uint32_t count) {
    std::vector<GetPart> parts;
    for (uint32_t p = 0; p < count; ++p) parts.push_back({p, p, p, 2});
    return parts;
  }

  Getter machine;

 private:
  std::string Said() {
    CHECK(effects_.size() <= Getter::kEffectsMax);
    std::string text;
    for (const GetterEffect& effect : effects_) text += (text.empty() ? "" : "; ") + Describe(effect);
    return text;
  }

  Getter::Effects effects_;
};

}  // namespace

TEST_CASE("Get: a keeper answers at once when it has the age, and reads the newest version") {
  KeeperBench keeper = Ready(World(1));
  keeper.Data(0, 0);
  keeper.Applied();
  CHECK(keeper.Get(0) == "answer v1 b0 to 1");
}

TEST_CASE("Get: a keeper answers no earlier than the age asked for is there") {
  KeeperBench keeper = Ready(World(2));
  CHECK(keeper.Get(1) == "");
  keeper.Data(0, 0);
  CHECK(keeper.Data(1, 0) == "apply c0 b0>b0");
  CHECK(keeper.Applied() == "publish 0 v1 b0; publish 1 v1 b0; answer v1 b0 to 1");
}

TEST_CASE("Get: a version is not read while its only buffer is overwritten, another buffer may be") {
  KeeperBench one = Ready(World(1));
  CHECK(one.Data(0, 0) == "apply c0 b0>b0");
  CHECK(one.Get(0) == "");
  CHECK(one.Applied() == "publish 0 v1 b0; answer v1 b0 to 1");
  KeeperBench two = Ready(World(1, 1, 2));
  CHECK(two.Data(0, 0) == "apply c0 b0>b1");
  CHECK(two.Get(0) == "answer v0 b0 to 0");
}

TEST_CASE("Get: an apply waits until the buffer that it overwrites is read, and only for that one") {
  KeeperBench one = Ready(World(1));
  CHECK(one.Get(0) == "answer v0 b0 to 0");
  CHECK(one.Data(0, 0) == "");
  CHECK(one.Answered(kNoAge) == "apply c0 b0>b0");
  KeeperBench two = Ready(World(1, 1, 2));
  CHECK(two.Get(0) == "answer v0 b0 to 0");
  CHECK(two.Data(0, 0) == "apply c0 b0>b1");
  two.Applied();
  two.Absorbed(0, 1);
  CHECK(two.Data(0, 1) == "");
  CHECK(two.Answered(kNoAge) == "apply c1 b1>b0");
}

TEST_CASE("Get: one answer is under way at a time; who comes meanwhile is answered after what waits to be applied") {
  KeeperBench keeper = Ready(World(1, 1));
  CHECK(keeper.Get(0) == "answer v0 b0 to 0");
  CHECK(keeper.Get(0) == "");
  CHECK(keeper.Data(0, 0) == "");
  CHECK(keeper.Answered(0) == "apply c0 b0>b0");
  CHECK(keeper.Applied() == "publish 0 v1 b0; answer v1 b0 to 1");
}

TEST_CASE("Get: gets for several ages are answered one after another") {
  KeeperBench keeper = Ready(World(1, 2));
  keeper.Get(3);
  keeper.Get(1);
  keeper.Data(0, 0);
  CHECK(keeper.Applied() == "publish 0 v1 b0; answer v1 b0 to 1");
  keeper.Absorbed(0, 1);
  CHECK(keeper.Answered(3) == "");
  keeper.Data(0, 1);
  keeper.Applied();
  keeper.Absorbed(0, 2);
  keeper.Data(0, 2);
  CHECK(keeper.Applied() == "publish 0 v3 b0; answer v3 b0 to 3");
}

TEST_CASE("Get: clocks without data raise the age and answer") {
  KeeperBench keeper = Ready(World(1));
  CHECK(keeper.Get(1) == "");
  CHECK(keeper.Empty(0, 0) == "publish 0 v1 b0 unchanged; answer v1 b0 to 1");
}

TEST_CASE("Get: a frozen partition and an async table answer whatever is asked for") {
  KeeperOptions frozen = World(1);
  frozen.frozen = true;
  frozen.first_age = 4;
  CHECK(Ready(frozen).Get(9) == "answer v4 b0 all frozen");
  KeeperBench async = Ready(AsyncWorld());
  CHECK(async.Get(7) == "answer v0 b0 all");
}

TEST_CASE("Get: an async apply waits for the answer, and an answer for the apply under way") {
  KeeperBench keeper = Ready(AsyncWorld());
  CHECK(keeper.Get(0) == "answer v0 b0 all");
  CHECK(keeper.Data(0, 0) == "");
  CHECK(keeper.Answered(kNoAge) == "apply p0 c0");
  CHECK(keeper.Get(0) == "");
  CHECK(keeper.Applied() == "publish 0 v1 b0 own 1; answer v1 b0 all");
}

TEST_CASE("Get: a keeper that has failed answers nothing") {
  KeeperBench keeper = Ready(World(1));
  keeper.Data(0, 5);
  CHECK(keeper.machine.failed());
  CHECK(keeper.Get(0) == "");
}

TEST_CASE("WaitingGets: an answer takes those of its partition that ask for its age or less, in order of arrival") {
  WaitingGets waiting(2);
  CHECK(waiting.Smallest(7) == kNoAge);
  REQUIRE(waiting.Add({0, 7, 1, 5, 0, 1}));
  REQUIRE(waiting.Add({1, 7, 2, 3, 0, 1}));
  REQUIRE(waiting.Add({0, 8, 3, 1, 0, 1}));
  REQUIRE(waiting.Add({0, 7, 4, 4, 0, 1}));
  CHECK(waiting.Smallest(7) == 3);
  std::vector<WaitingGet> served;
  waiting.Take(7, 2, &served);
  CHECK(served.empty());
  waiting.Take(7, 4, &served);
  CHECK(CallsOf(served) == std::vector<uint64_t>{2, 4});
  CHECK(waiting.Smallest(7) == 5);
  served.clear();
  waiting.Take(7, kNoAge, &served);
  CHECK(CallsOf(served) == std::vector<uint64_t>{1});
  CHECK(waiting.Smallest(7) == kNoAge);
  CHECK(waiting.Smallest(8) == 1);
  waiting.Clear();
  CHECK(waiting.Smallest(8) == kNoAge);
}

TEST_CASE("WaitingGets: a rank that does not exist, or one GET more than a worker may have, is refused") {
  WaitingGets waiting(2);
  CHECK_FALSE(waiting.Add({2, 0, 1, 0, 0, 1}));
  for (uint32_t i = 0; i < kGetsInFlight; ++i) CHECK(waiting.Add({1, i, 1, 0, 0, 1}));
  CHECK_FALSE(waiting.Add({1, 99, 1, 0, 0, 1}));
  CHECK(waiting.Add({0, 99, 1, 0, 0, 1}));
}

TEST_CASE("Getter: every part is asked for, and the smallest version is told at the end") {
  GetterBench getter;
  CHECK(getter.Begin(1, 4, GetterBench::Parts(2)) == "ask 0; ask 1");
  CHECK_FALSE(getter.machine.idle());
  CHECK(getter.Got(1, 1, 6) == "take 1 v6");
  CHECK(getter.Got(1, 0, 5) == "take 0 v5; done 5");
  CHECK(getter.machine.idle());
}

TEST_CASE("Getter: a call that wants nothing is done at once; frozen partitions count as the age asked for") {
  GetterBench getter;
  CHECK(getter.Begin(1, 4, {}) == "done 4");
  CHECK(getter.Begin(2, 9, GetterBench::Parts(1)) == "ask 0");
  CHECK(getter.Got(2, 0, 3, true) == "take 0 v3; done 9");
  CHECK(getter.Begin(3, 9, GetterBench::Parts(2)) == "ask 0; ask 1");
  CHECK(getter.Got(3, 0, 3, true) == "take 0 v3");
  CHECK(getter.Got(3, 1, 11) == "take 1 v11; done 11");
}

TEST_CASE("Getter: no more GETs than allowed are under way, those of a call given up among them") {
  GetterBench getter;
  getter.Begin(1, 0, GetterBench::Parts(kGetsInFlight));
  getter.machine.GiveUp();
  CHECK(getter.machine.idle());
  CHECK(getter.Begin(2, 0, GetterBench::Parts(2)) == "");
  CHECK(getter.Got(1, 3, 0) == "ask 0");
  CHECK(getter.Got(1, 0, 0) == "ask 1");
  CHECK(getter.Got(1, 1, 0) == "");
  CHECK(getter.Got(2, 0, 0) == "take 0 v0");
  CHECK(getter.Got(2, 1, 0) == "take 1 v0; done 0");
}

TEST_CASE("Getter: answers that nobody asked for, or that are too old, are refused") {
  GetterBench getter;
  CHECK(getter.Got(1, 0, 5) == "refused");
  getter.Begin(1, 4, GetterBench::Parts(2));
  CHECK(getter.Got(1, 0, 3) == "refused");
  CHECK(getter.Got(1, 0, kNoAge) == "refused");
  CHECK(getter.Got(2, 0, 4) == "refused");
  CHECK(getter.Got(1, GetterBench::Answer(1, 0, 4)) == "refused");
  Header rows = GetterBench::Answer(1, 0, 4);
  rows.num_rows = 3;
  CHECK(getter.Got(0, rows) == "refused");
  CHECK(getter.Got(1, 0, 4) == "take 0 v4");
  CHECK(getter.Got(1, 0, 4) == "refused");
}

TEST_CASE("Getter: a call that an epoch interrupts is asked again from the beginning") {
  GetterBench getter;
  CHECK_FALSE(getter.machine.OnEpoch());
  getter.Begin(1, 4, GetterBench::Parts(kGetsInFlight));
  getter.Got(1, 0, 4);
  CHECK(getter.machine.OnEpoch());
  CHECK(getter.machine.idle());
  CHECK(getter.Begin(2, 4, GetterBench::Parts(2)) == "ask 0; ask 1");
  CHECK(getter.Got(1, 1, 4) == "refused");
  CHECK(getter.Got(2, 0, 4) == "take 0 v4");
}

}  // namespace geeps::protocol
