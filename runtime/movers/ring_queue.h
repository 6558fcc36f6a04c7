// SPDX-License-Identifier: Apache-2.0
// RingQueue: first in, first out; grows, never shrinks: in steady state it does not allocate.
// Thread contract: one thread.
#ifndef GEEPS_RUNTIME_MOVERS_RING_QUEUE_H_
#define GEEPS_RUNTIME_MOVERS_RING_QUEUE_H_

#include <cstddef>
#include <utility>
#include <vector>

namespace geeps::movers {

template <typename T>
class RingQueue {
 public:
  // capacity: a power of two, before it first grows.
  explicit RingQueue(size_t capacity = 256) : ring_(capacity) {}

  template <typename U>
  void Push(U&& item) {
    if (size_ == ring_.size()) Grow();
    ring_[(head_ + size_) & (ring_.size() - 1)] = std::forward<U>(item);
    ++size_;
  }
  bool Pop(T* item) {
    if (size_ == 0) return false;
    *item = ring_[head_];
    head_ = (head_ + 1) & (ring_.size() - 1);
    --size_;
    return true;
  }
  // The i-th from the front. REQUIRES: i < size().
  T& at(size_t i) { return ring_[(head_ + i) & (ring_.size() - 1)]; }
  size_t size() const { return size_; }
  void Clear() { size_ = 0; }
  bool IsEmpty() const { return size_ == 0; }

 private:
  void Grow() {
    std::vector<T> bigger(ring_.size() * 2);
    for (size_t i = 0; i < size_; ++i) bigger[i] = std::move(ring_[(head_ + i) & (ring_.size() - 1)]);
    ring_ = std::move(bigger);
    head_ = 0;
  }
  std::vector<T> ring_;
  size_t head_ = 0;
  size_t size_ = 0;
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_RING_QUEUE_H_
