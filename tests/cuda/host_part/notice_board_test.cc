// SPDX-License-Identifier: Apache-2.0
#include "plugins/cuda/notice_board.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace geeps::cuda {
namespace {

struct Told {
  std::atomic<int> count{0};
  std::atomic<geeps_status> last{GEEPS_AGAIN};
  static void Call(void* ctx, geeps_status status) {
    Told* const told = static_cast<Told*>(ctx);
    told->last = status;
    told->count.fetch_add(1);
  }
};

NativeStream Handle(uintptr_t number) { return reinterpret_cast<NativeStream>(number); }
void GiveByDriver(uint64_t number) { NoticeBoard::GiveByDriver(reinterpret_cast<void*>(number)); }

TEST_CASE("NoticeBoard: a side stream holds notices of one source, in the order of its records") {
  NoticeBoard board;
  Told told;
  SideStream* side = nullptr;
  CHECK(board.Post(1, 1, Told::Call, &told, &side) == 0);
  board.AddSide(Handle(10));
  const uint64_t first = board.Post(1, 5, Told::Call, &told, &side);
  CHECK(first != 0);
  CHECK(side->native == Handle(10));
  CHECK(board.Post(1, 5, Told::Call, &told, &side) != 0);  // the same record again
  CHECK(board.Post(1, 6, Told::Call, &told, &side) != 0);
  CHECK(board.Post(1, 4, Told::Call, &told, &side) == 0);  // would stand behind record 6
  CHECK(board.Post(2, 9, Told::Call, &told, &side) == 0);  // would stand behind another source
  board.AddSide(Handle(20));
  CHECK(board.Post(1, 7, Told::Call, &told, &side) != 0);  // the one in use, not the idle one
  CHECK(side->native == Handle(10));
  CHECK(board.Post(2, 9, Told::Call, &told, &side) != 0);
  CHECK(side->native == Handle(20));
  board.GiveAll(GEEPS_E_CANCELLED);
  CHECK(told.count == 5);
  // Both are idle again.
  CHECK(board.Post(3, 1, Told::Call, &told, &side) != 0);
  CHECK(board.Post(4, 1, Told::Call, &told, &side) != 0);
  board.GiveAll(GEEPS_E_CANCELLED);
  board.WaitUntilGiven();
}

TEST_CASE("NoticeBoard: a notice is given once, by whoever takes it off, on its own board alone") {
  NoticeBoard board, other;
  Told by_driver, by_all, withdrawn, of_other;
  board.AddSide(Handle(1));
  other.AddSide(Handle(2));
  SideStream* side = nullptr;
  const uint64_t first = board.Post(1, 1, Told::Call, &by_driver, &side);
  const uint64_t second = board.Post(1, 2, Told::Call, &by_all, &side);
  const uint64_t third = board.Post(1, 3, Told::Call, &withdrawn, &side);
  const uint64_t fourth = other.Post(1, 1, Told::Call, &of_other, &side);
  GiveByDriver(first);
  CHECK(by_driver.count == 1);
  CHECK(by_driver.last == GEEPS_OK);
  CHECK(board.Withdraw(third));
  CHECK(!board.Withdraw(third));
  board.GiveAll(GEEPS_E_DEVICE);
  CHECK(by_all.count == 1);
  CHECK(by_all.last == GEEPS_E_DEVICE);
  CHECK(of_other.count == 0);
  // What comes later finds nothing.
  for (const uint64_t number : {first, second, third}) GiveByDriver(number);
  CHECK(!board.Withdraw(second));
  CHECK(by_driver.count == 1);
  CHECK(by_all.count == 1);
  CHECK(withdrawn.count == 0);
  GiveByDriver(fourth);
  CHECK(of_other.count == 1);
}

TEST_CASE("NoticeBoard: driver and board race for each notice, one of them gives it") {
  constexpr int kNumNotices = 2000;
  NoticeBoard board;
  board.AddSide(Handle(1));
  std::vector<Told> told(kNumNotices);
  std::vector<uint64_t> numbers;
  SideStream* side = nullptr;
  for (int i = 0; i < kNumNotices; ++i) {
    numbers.push_back(board.Post(1, static_cast<uint64_t>(i) + 1, Told::Call, &told[static_cast<size_t>(i)], &side));
  }
  std::thread driver([&numbers] {
    for (const uint64_t number : numbers) GiveByDriver(number);
  });
  board.GiveAll(GEEPS_E_DEVICE);
  board.WaitUntilGiven();
  for (const Told& one : told) CHECK(one.count == 1);
  driver.join();
  for (const Told& one : told) CHECK(one.count == 1);
}

TEST_CASE("NoticeBoard: the watch sleeps while nothing is awaited, and is told which stream is") {
  NoticeBoard board;
  board.AddSide(Handle(1));
  board.AddSide(Handle(2));
  std::atomic<int> num_looks{0};
  std::atomic<NativeStream> looked_at{nullptr};
  std::thread watch([&] {
    for (NativeStream stream = nullptr; board.WaitForBusy(std::chrono::milliseconds(1), &stream);) {
      looked_at = stream;
      num_looks.fetch_add(1);
    }
  });
  Told told;
  SideStream* side = nullptr;
  REQUIRE(board.Post(1, 1, Told::Call, &told, &side) != 0);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (num_looks < 3 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  CHECK(num_looks >= 3);
  CHECK(looked_at == side->native);
  board.GiveAll(GEEPS_OK);
  board.StopWatch();
  watch.join();
  NativeStream stream = nullptr;
  CHECK(!board.WaitForBusy(std::chrono::milliseconds(1), &stream));
}

}  // namespace
}  // namespace geeps::cuda
