// SPDX-License-Identifier: Apache-2.0
// Completions: the ends of what the movers have asked of a device, on their way from the threads of its back end to the
// mover thread. One notice tells of many.
// Thread contract: the mover thread. OnNotice: any thread. Detach, WaitUntilNoneIsDue: when the mover thread has ended.
#ifndef GEEPS_RUNTIME_MOVERS_COMPLETIONS_H_
#define GEEPS_RUNTIME_MOVERS_COMPLETIONS_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "geeps_device.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status.h"
#include "runtime/device/device.h"

namespace geeps::movers {

// The end of a piece of work, and what it means to the movers. Small and copyable.
struct Done {
  enum class Kind : uint8_t {
    kFill,
    kDrain,
    kApply,
    kAbsorb,
    kGather,
    kUpload,
    kDownload,
    kPosted,
    kFillPut,
    kFillEnd,
    kFetch,
    kWriteBack
  };
  Kind kind = Kind::kFill;
  uint32_t first = 0;   // kFill.., kDrain, kPosted, kFetch, kWriteBack: plan; kApply, kGather, kUpload: index of the
                        // kept partition; kAbsorb, kDownload: table
  uint32_t second = 0;  // kFill.., kDrain, kPosted: operation; kGather: participant; kAbsorb: subscription;
                        // kDownload: lane; kFetch, kWriteBack: item; kApply: the one participant whose contribution it is, or kNone
  geeps_status status = GEEPS_OK;
  uint64_t clock = 0;     // clock or age that the work is for
  uint64_t begin_ns = 0;  // when it began, while there is a trace
  uint64_t position = 0;  // kFillEnd, kAbsorb: in FillOrder
};

class Completions {
 public:
  // What one notice tells. Used again once it has come.
  struct Notice {
    std::vector<Done> ends;
    device::Event event;
    Completions* owner = nullptr;
  };

  explicit Completions(std::function<void()> wake) : wake_(std::move(wake)) {}

  // One without ends; its event is empty, or was recorded before.
  Notice* New() {
    MutexLock lock(&mutex_);
    if (free_.empty()) {
      free_.reserve(notices_.size() + 1);
      notices_.push_back(std::make_unique<Notice>());
      notices_.back()->owner = this;
      return notices_.back().get();
    }
    Notice* const notice = free_.back();
    free_.pop_back();
    return notice;
  }
  // The device is going to be asked for the notice. Makes room for it: threads of the back end do not allocate here.
  void Expect(const Notice& notice) {
    MutexLock lock(&mutex_);
    MakeRoom(&arrived_, arrived_.size() + num_due_ + notice.ends.size());
    num_due_ += notice.ends.size();
  }
  // The notice will not come after all.
  void Cancel(Notice* notice) {
    MutexLock lock(&mutex_);
    num_due_ -= notice->ends.size();
    GiveBack(notice);
  }
  // It was not expected.
  void Drop(Notice* notice) {
    MutexLock lock(&mutex_);
    GiveBack(notice);
  }
  // Asks the device for the notice when what `event` has captured is over. On an error it will not come.
  absl::Status AskFor(device::WaitSite site, const device::Event& event, Notice* notice) {
    absl::Status expected = CatchOutOfMemory([&] {
      Expect(*notice);
      return absl::OkStatus();
    });
    if (!expected.ok()) {
      Drop(notice);
      return expected;
    }
    absl::Status asked = CatchOutOfMemory([&] { return event.Notify(site, &Completions::OnNotice, notice); });
    if (!asked.ok()) Cancel(notice);
    return asked;
  }
  // geeps_device's notice; ctx is a Notice.
  static void OnNotice(void* ctx, geeps_status status) {
    Notice* const notice = static_cast<Notice*>(ctx);
    notice->owner->Push(notice, status);
  }
  // From now on nobody is woken; what is still due is counted and kept. No call of `wake` is under way afterwards.
  void Detach() {
    MutexLock lock(&mutex_);
    detached_ = true;
  }
  bool HasAny() const { return any_.load(std::memory_order_seq_cst); }
  // False when `limit` has passed.
  bool WaitUntilNoneIsDue(std::chrono::nanoseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    MutexLock lock(&mutex_);
    while (num_due_ > 0) {
      if (!none_due_.WaitUntil(&mutex_, end)) return num_due_ == 0;
    }
    return true;
  }
  // Moves what has arrived to `out`; false when there was nothing.
  bool Take(std::vector<Done>* out) {
    if (!any_.load(std::memory_order_acquire)) return false;
    MutexLock lock(&mutex_);
    out->clear();
    MakeRoom(out, num_due_);
    out->swap(arrived_);
    any_.store(false, std::memory_order_relaxed);
    return !out->empty();
  }

 private:
  void Push(Notice* notice, geeps_status status) {
    MutexLock lock(&mutex_);
    for (Done& end : notice->ends) {
      end.status = status;
      arrived_.push_back(end);
    }
    num_due_ -= notice->ends.size();
    GiveBack(notice);
    any_.store(true, std::memory_order_seq_cst);
    // With the lock: whoever waits until nothing is due may end right after it.
    if (!detached_) wake_();
    if (num_due_ == 0) none_due_.NotifyAll();
  }
  void GiveBack(Notice* notice) GEEPS_REQUIRES(mutex_) {
    notice->ends.clear();
    free_.push_back(notice);
  }
  static void MakeRoom(std::vector<Done>* done, size_t wanted) {
    if (wanted > done->capacity()) done->reserve(2 * wanted);
  }

  const std::function<void()> wake_;
  std::atomic<bool> any_{false};
  Mutex mutex_;
  CondVar none_due_;
  uint64_t num_due_ GEEPS_GUARDED_BY(mutex_) = 0;  // ends
  std::vector<Done> arrived_ GEEPS_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Notice>> notices_ GEEPS_GUARDED_BY(mutex_);
  std::vector<Notice*> free_ GEEPS_GUARDED_BY(mutex_);  // has room for all
  bool detached_ GEEPS_GUARDED_BY(mutex_) = false;
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_COMPLETIONS_H_
