// SPDX-License-Identifier: Apache-2.0
#include "plugins/cuda/notice_board.h"

#include <mutex>
#include <unordered_map>

namespace geeps::cuda {

struct NoticeBoard::Posted {
  NoticeBoard* board;
  SideStream* side;
  NoticeFn fn;
  void* ctx;
};

// Of all boards of the process: what the driver knows is looked up here, also when its board has gone. Never destroyed,
// like the driver's threads.
struct NoticeBoard::Register {
  std::mutex mutex;
  std::unordered_map<uint64_t, Posted> posted;
  uint64_t last_number = 0;
};

NoticeBoard::Register& NoticeBoard::TheRegister() {
  static Register* const the_register = new Register;
  return *the_register;
}

uint64_t NoticeBoard::Post(uint64_t source, uint64_t record, NoticeFn fn, void* ctx, SideStream** side) {
  Register& all = TheRegister();
  const std::lock_guard<std::mutex> lock(all.mutex);
  *side = nullptr;
  for (const auto& candidate : sides_) {
    if (candidate->num_notices > 0 && (candidate->source != source || candidate->last_record > record)) continue;
    *side = candidate.get();
    if (candidate->num_notices > 0) break;  // one that is in use anyway, rather than another one
  }
  if (*side == nullptr) return 0;
  const uint64_t number = ++all.last_number;
  all.posted.emplace(number, Posted{this, *side, fn, ctx});
  (*side)->source = source;
  (*side)->last_record = record;
  ++(*side)->num_notices;
  ++num_posted_;
  if (watch_sleeps_) watch_.notify_one();
  return number;
}

void NoticeBoard::AddSide(NativeStream native) {
  auto side = std::make_unique<SideStream>();
  side->native = native;
  const std::lock_guard<std::mutex> lock(TheRegister().mutex);
  sides_.push_back(std::move(side));
}

bool NoticeBoard::Withdraw(uint64_t number) {
  Register& all = TheRegister();
  const std::lock_guard<std::mutex> lock(all.mutex);
  const auto it = all.posted.find(number);
  if (it == all.posted.end()) return false;
  --it->second.side->num_notices;
  --num_posted_;
  all.posted.erase(it);
  return true;
}

void NoticeBoard::GiveByDriver(void* number) {
  Register& all = TheRegister();
  std::unique_lock<std::mutex> lock(all.mutex);
  const auto it = all.posted.find(reinterpret_cast<uintptr_t>(number));
  if (it == all.posted.end()) return;
  const Posted posted = it->second;
  NoticeBoard* const board = posted.board;
  all.posted.erase(it);
  --posted.side->num_notices;
  --board->num_posted_;
  ++board->num_being_given_;  // WaitUntilGiven waits for it, so the board stays
  lock.unlock();
  posted.fn(posted.ctx, GEEPS_OK);
  lock.lock();
  --board->num_being_given_;
  board->given_.notify_all();
}

void NoticeBoard::GiveAll(geeps_status status) {
  Register& all = TheRegister();
  std::unique_lock<std::mutex> lock(all.mutex);
  while (num_posted_ > 0) {
    auto it = all.posted.begin();
    while (it->second.board != this) ++it;
    const Posted posted = it->second;
    all.posted.erase(it);
    --posted.side->num_notices;
    --num_posted_;
    ++num_being_given_;
    lock.unlock();
    posted.fn(posted.ctx, status);
    lock.lock();
    --num_being_given_;
    given_.notify_all();
  }
}

void NoticeBoard::WaitUntilGiven() {
  std::unique_lock<std::mutex> lock(TheRegister().mutex);
  while (num_being_given_ > 0) given_.wait(lock);
}

bool NoticeBoard::WaitForBusy(std::chrono::milliseconds period, NativeStream* out) {
  std::unique_lock<std::mutex> lock(TheRegister().mutex);
  while (!watch_stops_) {
    if (num_posted_ == 0) {
      watch_sleeps_ = true;
      watch_.wait(lock);
      watch_sleeps_ = false;
      continue;
    }
    const auto until = std::chrono::steady_clock::now() + period;
    while (!watch_stops_ && watch_.wait_until(lock, until) != std::cv_status::timeout) {
    }
    for (const auto& side : sides_) {
      if (side->num_notices == 0 || watch_stops_) continue;
      *out = side->native;
      return true;
    }
  }
  return false;
}

void NoticeBoard::StopWatch() {
  const std::lock_guard<std::mutex> lock(TheRegister().mutex);
  watch_stops_ = true;
  watch_.notify_all();
}

}  // namespace geeps::cuda
