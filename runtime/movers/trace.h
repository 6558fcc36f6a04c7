// SPDX-License-Identifier: Apache-2.0
// Trace: what happened when, as short records on their way from the threads where it happens to the thread that writes
// them to a file. Two rings, one for the program's calls, one for the mover thread: recording takes no lock and
// allocates nothing; a full ring drops the record and counts it.
// Thread contract: each ring has one writer and one reader; AddEpoch and Epochs from any thread.
#ifndef GEEPS_RUNTIME_MOVERS_TRACE_H_
#define GEEPS_RUNTIME_MOVERS_TRACE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/mutex.h"
#include "runtime/base/steady_ns.h"

namespace geeps::movers {

struct TraceEvent {
  enum class Kind : uint8_t {
    kPass,          // first: plan
    kWait,          // first: plan, second: operation
    kOperation,     // likewise: from hand-out to hand-back
    kFill,          // likewise: a copied read is gathered, an update zeroed
    kDrain,         // likewise
    kFired,         // first: table; a moment
    kDownload,      // first: partition: a contribution is copied to where the host reaches it
    kContribution,  // first: partition, second: keeper; until its bytes have left
    kArrived,       // first: partition, second: whose contribution; a moment
    kApply,         // first: partition
    kGather,        // first: partition, second: for whom
    kPublish,       // first: partition, second: subscriber; clock: the age. Mapped: a moment, second: the keeper itself
    kAbsorb,        // first: partition, second: keeper; clock: the age
  };
  Kind kind = Kind::kPass;
  uint32_t first = 0;
  uint32_t second = 0;
  uint64_t epoch = 0;
  uint64_t clock = 0;
  uint64_t begin_ns = 0;  // of SteadyNs
  uint64_t end_ns = 0;
};

class TraceRing {
 public:
  // size: a power of two.
  explicit TraceRing(size_t size) : events_(size) {}

  // Writer.
  void Push(const TraceEvent& event) {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) >= events_.size()) {
      num_dropped_.store(num_dropped_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      return;
    }
    events_[tail & (events_.size() - 1)] = event;
    tail_.store(tail + 1, std::memory_order_release);
  }
  // Reader. False when there is nothing.
  bool Pop(TraceEvent* event) {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return false;
    *event = events_[head & (events_.size() - 1)];
    head_.store(head + 1, std::memory_order_release);
    return true;
  }
  // [any-thread]
  uint64_t num_dropped() const { return num_dropped_.load(std::memory_order_relaxed); }

 private:
  std::vector<TraceEvent> events_;
  alignas(64) std::atomic<uint64_t> head_{0};
  alignas(64) std::atomic<uint64_t> tail_{0};
  std::atomic<uint64_t> num_dropped_{0};
};

// What the numbers in the events of an epoch mean.
struct TraceNames {
  uint64_t epoch = 0;
  std::vector<std::string> plans;
  std::vector<std::vector<std::string>> operations;  // by plan
  std::vector<std::string> tables;
  std::vector<std::string> partitions;  // by global id; empty: of a table that is gone
};

class Trace {
 public:
  Trace() : program(kRingSize), movers(kRingSize) {}

  // Before any event of the epoch is recorded. Those of old epochs are kept until their events have surely been read.
  void AddEpoch(std::shared_ptr<const TraceNames> names) {
    MutexLock lock(&mutex_);
    if (names_.size() == kEpochsMax) names_.pop_front();
    names_.push_back(std::move(names));
  }
  // nullptr: not known.
  std::shared_ptr<const TraceNames> NamesOf(uint64_t epoch) const {
    MutexLock lock(&mutex_);
    for (const std::shared_ptr<const TraceNames>& names : names_) {
      if (names->epoch == epoch) return names;
    }
    return nullptr;
  }

  TraceRing program;
  TraceRing movers;

 private:
  static constexpr size_t kEpochsMax = 256;
  static constexpr size_t kRingSize = size_t{1} << 16;  // 3.5 MiB each
  mutable Mutex mutex_;
  std::deque<std::shared_ptr<const TraceNames>> names_ GEEPS_GUARDED_BY(mutex_);
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_TRACE_H_
