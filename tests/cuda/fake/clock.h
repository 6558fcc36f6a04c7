// SPDX-License-Identifier: Apache-2.0
// Clock: a vector clock: of each stream, by its slot, how much of its work is known to be done. One piece of work
// happens before another exactly when the other's clock covers it. Source: Mattern, Virtual Time and Global States of
// Distributed Systems, 1988. Thread contract: as an int.
#ifndef GEEPS_TESTS_CUDA_FAKE_CLOCK_H_
#define GEEPS_TESTS_CUDA_FAKE_CLOCK_H_

#include <algorithm>
#include <cstdint>
#include <vector>

namespace geeps::fake {

class Clock {
 public:
  void Set(uint32_t slot, uint64_t time) {
    if (times_.size() <= slot) times_.resize(slot + 1);
    times_[slot] = time;
  }
  bool Covers(uint32_t slot, uint64_t time) const { return slot < times_.size() && times_[slot] >= time; }
  void Join(const Clock& other) {
    if (times_.size() < other.times_.size()) times_.resize(other.times_.size());
    for (size_t i = 0; i < other.times_.size(); ++i) times_[i] = std::max(times_[i], other.times_[i]);
  }

 private:
  std::vector<uint64_t> times_;
};

}  // namespace geeps::fake

#endif  // GEEPS_TESTS_CUDA_FAKE_CLOCK_H_
