// SPDX-License-Identifier: Apache-2.0
// The queues between program, mover thread and device: ProgramQueue, ActionQueue, Completions, ProgramWait.
#include <doctest/doctest.h>
#include <poll.h>

#include <atomic>
#include <thread>
#include <vector>

#include "runtime/movers/context.h"
#include "runtime/movers/program_queue.h"
#include "runtime/movers/program_wait.h"

namespace geeps::movers {
namespace {

ProgramEvent Posted(uint32_t op) { return {ProgramEvent::Kind::kPosted, 7, op}; }

TEST_CASE("a program queue gives back what was put in, in its order, round after round") {
  ProgramQueue queue(16);
  ProgramEvent event;
  uint32_t in = 0;
  uint32_t out = 0;
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 11; ++i) CHECK(queue.Push(Posted(in++)));
    while (queue.Pop(&event)) {
      CHECK(event.kind == ProgramEvent::Kind::kPosted);
      CHECK(event.set_id == 7);
      CHECK(event.op == out++);
    }
  }
  CHECK(out == 110);
  CHECK(queue.IsEmpty());
}

TEST_CASE("a program queue has room for the capacity asked for, rounded up to a power of two of at least 16") {
  for (const auto& [asked, room] : {std::pair<uint64_t, uint32_t>{0, 16}, {16, 16}, {17, 32}, {100, 128}}) {
    ProgramQueue queue(asked);
    uint32_t pushed = 0;
    while (queue.Push(Posted(pushed))) ++pushed;
    CHECK(pushed == room);
    ProgramEvent event;
    CHECK(queue.Pop(&event));
    CHECK(event.op == 0);
    CHECK(queue.Push(Posted(pushed)));
    CHECK_FALSE(queue.Push(Posted(pushed)));
  }
}

TEST_CASE("a program queue loses nothing between two threads") {
  ProgramQueue queue(16);
  constexpr uint32_t kEvents = 20000;
  std::thread writer([&] {
    for (uint32_t i = 0; i < kEvents; ++i) {
      while (!queue.Push(Posted(i))) std::this_thread::yield();
    }
  });
  uint32_t next = 0;
  bool in_order = true;
  while (next < kEvents) {
    ProgramEvent event;
    if (!queue.Pop(&event)) {
      std::this_thread::yield();
      continue;
    }
    in_order = in_order && event.op == next;
    ++next;
  }
  writer.join();
  CHECK(in_order);
  CHECK(queue.IsEmpty());
}

TEST_CASE("the words of an operation differ for each pass and state") {
  CHECK(OpSlot::Word(1, OpSlot::kReady) != OpSlot::Word(1, OpSlot::kTaken));
  CHECK(OpSlot::Word(1, OpSlot::kReady) != OpSlot::Word(2, OpSlot::kReady));
  CHECK(OpSlot::Word(2, OpSlot::kNone) != OpSlot::Word(1, OpSlot::kTaken));
  CHECK(OpSlot::Word(0, OpSlot::kNone) == 0);
}

TEST_CASE("an action queue keeps the order while it grows in the middle of a round") {
  ActionQueue queue;
  uint32_t in = 0;
  uint32_t out = 0;
  Action action;
  const auto pop = [&] {
    REQUIRE(queue.Pop(&action));
    REQUIRE(std::holds_alternative<Done>(action));
    CHECK(std::get<Done>(action).first == out++);
  };
  for (int i = 0; i < 200; ++i) queue.Push(Done{Done::Kind::kFill, in++, 0});
  for (int i = 0; i < 150; ++i) pop();
  for (int i = 0; i < 1000; ++i) queue.Push(Done{Done::Kind::kFill, in++, 0});
  while (!queue.IsEmpty()) pop();
  CHECK(out == 1200);
  CHECK_FALSE(queue.Pop(&action));
}

Completions::Notice* Expected(Completions* completions, const std::vector<uint32_t>& numbers) {
  Completions::Notice* const notice = completions->New();
  for (uint32_t number : numbers) notice->ends.push_back({Done::Kind::kDrain, number, 2 * number});
  completions->Expect(*notice);
  return notice;
}

TEST_CASE("completions arrive in order, each notice wakes, and none is due when all have come") {
  int woken = 0;
  Completions completions([&] { ++woken; });
  Completions::Notice* const notices[2] = {Expected(&completions, {0, 1}), Expected(&completions, {2})};
  std::vector<Done> done;
  CHECK_FALSE(completions.Take(&done));
  CHECK_FALSE(completions.WaitUntilNoneIsDue(std::chrono::nanoseconds(1)));
  for (Completions::Notice* notice : notices) Completions::OnNotice(notice, GEEPS_OK);
  CHECK(completions.HasAny());
  CHECK(completions.WaitUntilNoneIsDue(std::chrono::nanoseconds(1)));
  REQUIRE(completions.Take(&done));
  REQUIRE(done.size() == 3);
  for (uint32_t i = 0; i < 3; ++i) {
    CHECK(done[i].first == i);
    CHECK(done[i].second == 2 * i);
    CHECK(done[i].status == GEEPS_OK);
  }
  CHECK(woken == 2);
  CHECK_FALSE(completions.HasAny());
}

TEST_CASE("a notice that has come is used again, without what it told") {
  Completions completions([] {});
  Completions::Notice* const first = Expected(&completions, {1, 2, 3});
  CHECK(completions.New() != first);
  Completions::OnNotice(first, GEEPS_OK);
  CHECK(completions.New() == first);
  CHECK(first->ends.empty());
  completions.Drop(first);
  CHECK(completions.New() == first);
}

TEST_CASE("a notice carries the status of the device to all its ends, and a cancelled one is not waited for") {
  Completions completions([] {});
  Completions::Notice* const lost = Expected(&completions, {0, 1});
  completions.Cancel(Expected(&completions, {2, 3, 4}));
  Completions::OnNotice(lost, GEEPS_E_DEVICE);
  std::vector<Done> done;
  REQUIRE(completions.Take(&done));
  REQUIRE(done.size() == 2);
  for (const Done& one : done) CHECK(one.status == GEEPS_E_DEVICE);
  CHECK(completions.WaitUntilNoneIsDue(std::chrono::nanoseconds(1)));
}

TEST_CASE("detached completions wake nobody") {
  int woken = 0;
  Completions completions([&] { ++woken; });
  Completions::Notice* const notice = Expected(&completions, {0});
  completions.Detach();
  Completions::OnNotice(notice, GEEPS_E_CANCELLED);
  CHECK(woken == 0);
}

TEST_CASE("a program wait ends at once when it is over, and in time when it never is") {
  const std::atomic<bool> failed{false};
  ProgramWait wait(&failed);
  CHECK(wait.Until(ProgramWait::kNoLimit, [] { return true; }));
  CHECK_FALSE(wait.Until(1, [] { return false; }));
}

TEST_CASE("a program wait without a limit is ended by whoever changes the condition and notifies") {
  const std::atomic<bool> failed{false};
  ProgramWait wait(&failed);
  for (int i = 0; i < 200; ++i) {
    std::atomic<bool> ready{false};
    std::thread other([&] {
      ready.store(true, std::memory_order_seq_cst);
      wait.Notify();
    });
    CHECK(wait.Until(ProgramWait::kNoLimit, [&] { return ready.load(std::memory_order_seq_cst); }));
    other.join();
  }
}

bool IsReadable(int fd) {
  pollfd descriptor{fd, POLLIN, 0};
  return poll(&descriptor, 1, 0) == 1;
}

TEST_CASE("an armed descriptor is readable when its word has the value; after a failure it always is") {
  std::atomic<bool> failed{false};
  std::atomic<uint64_t> word{0};
  ProgramWait wait(&failed);
  const int fd = *wait.EventFd();
  CHECK(*wait.EventFd() == fd);
  wait.Notify();
  CHECK_FALSE(IsReadable(fd));  // nothing is armed
  wait.Arm(&word, 7);
  word = 6;
  wait.Notify();
  CHECK_FALSE(IsReadable(fd));
  word = 7;
  wait.Notify();
  CHECK(IsReadable(fd));
  wait.Arm(&word, 8);
  CHECK_FALSE(IsReadable(fd));
  wait.Disarm();
  CHECK_FALSE(IsReadable(fd));
  failed = true;
  wait.NotifyFailure();
  CHECK(IsReadable(fd));  // armed or not
  wait.Arm(&word, 8);
  CHECK(IsReadable(fd));
  failed = false;
  wait.Arm(&word, 7);  // there when it is armed
  CHECK(IsReadable(fd));
  wait.Arm(&word, 9);
  wait.Disarm();
  word = 9;
  wait.Notify();
  CHECK_FALSE(IsReadable(fd));
}

TEST_CASE("a descriptor that is asked for after the call was not ready misses nothing") {
  const std::atomic<bool> failed{false};
  std::atomic<uint64_t> word{0};
  ProgramWait wait(&failed);
  wait.Arm(&word, 1);
  word = 1;
  wait.Notify();
  CHECK(IsReadable(*wait.EventFd()));
}

TEST_CASE("a thread that polls an armed descriptor misses no change") {
  const std::atomic<bool> failed{false};
  std::atomic<uint64_t> word{0};
  ProgramWait wait(&failed);
  pollfd descriptor{*wait.EventFd(), POLLIN, 0};
  for (uint64_t i = 1; i <= 200; ++i) {
    wait.Arm(&word, i);
    std::thread other([&, i] {
      word.store(i, std::memory_order_seq_cst);
      wait.Notify();
    });
    CHECK(poll(&descriptor, 1, 20000) == 1);
    CHECK(word.load() == i);
    other.join();
  }
}

}  // namespace
}  // namespace geeps::movers
