// SPDX-License-Identifier: Apache-2.0
// ProgramQueue: what the program did, in its order, on its way to the movers. One writer (the program, one call at a
// time), one reader (the mover thread), no lock.
#ifndef GEEPS_RUNTIME_MOVERS_PROGRAM_QUEUE_H_
#define GEEPS_RUNTIME_MOVERS_PROGRAM_QUEUE_H_

#include <atomic>
#include <cstdint>
#include <vector>

namespace geeps::movers {

struct ProgramEvent {
  enum class Kind : uint8_t { kPassBegin, kTaken, kPosted, kSkipped, kLocalAwaited, kLocalPosted, kPassEnd };
  Kind kind = Kind::kPosted;
  uint32_t set_id = 0;  // kPassBegin: the plan; kPassEnd: the plan expected next
  uint32_t op = 0;
  // kPosted, kSkipped, kLocalPosted: when the work is over that the operation's EpochPlan::posted has captured in the
  // program's stream.
  bool in_stream = false;
};

class ProgramQueue {
 public:
  // Room for at least `capacity` events.
  explicit ProgramQueue(uint64_t capacity) {
    uint64_t size = 16;
    while (size < capacity) size *= 2;
    events_.resize(size);
  }

  // Writer. False when there is no room.
  bool Push(const ProgramEvent& event) {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ >= events_.size()) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ >= events_.size()) return false;
    }
    events_[tail & (events_.size() - 1)] = event;
    // seq_cst: a writer that then looks whether the reader sleeps must not overtake this store.
    tail_.store(tail + 1, std::memory_order_seq_cst);
    return true;
  }

  // Reader. False when there is nothing.
  bool Pop(ProgramEvent* event) {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_seq_cst)) return false;
    *event = events_[head & (events_.size() - 1)];
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

  // Reader.
  bool IsEmpty() const { return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_seq_cst); }

 private:
  std::vector<ProgramEvent> events_;  // power of two
  alignas(64) std::atomic<uint64_t> head_{0};
  alignas(64) std::atomic<uint64_t> tail_{0};
  alignas(64) uint64_t head_seen_ = 0;  // the writer's last look at head_
};

// One operation as the program and the movers share it. word: pass number * 4 + state. The movers make it ready, the
// program takes it.
struct OpSlot {
  static constexpr uint64_t kNone = 0, kReady = 1, kTaken = 2;
  static uint64_t Word(uint64_t pass, uint64_t state) { return pass * 4 + state; }

  std::atomic<uint64_t> word{0};
  uint64_t min_age = 0;  // of what a read holds; written before ready
  uint64_t max_age = 0;
  // When the last of the others had fired what the operation waited for; written before ready (last_fire.h).
  std::atomic<uint64_t> fired_ns{0};
  // Written before ready; not 0: what a read holds is there when the work is over that EpochPlan::filled has captured. A
  // stream of the program's waits for that, the host until `over` has this number (FillOrder).
  uint64_t position = 0;
  std::atomic<uint64_t> over{0};
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_PROGRAM_QUEUE_H_
