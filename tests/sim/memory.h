// SPDX-License-Identifier: Apache-2.0
// Memory: every value of a simulated world (caches, logs, landing slots, versions, access buffers) in one array, and
// for each value who is reading or writing it. Effects that take time move half of the lanes at their begin and the
// other half at their end, and hold their marks in between; a write to something held, sent, summed or absorbed is seen
// at once. MemoryMap: where the buffers lie, and their names.
#ifndef GEEPS_TESTS_SIM_MEMORY_H_
#define GEEPS_TESTS_SIM_MEMORY_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/random.h"

namespace geeps::sim {

// What free memory holds: no sum that uses it equals an expected one.
inline constexpr double kPoison = -1.0e200;

class MemoryMap {
 public:
  // Returns the offset, in values.
  uint32_t Allocate(uint64_t num_values, std::string name);
  uint32_t size() const { return size_; }
  // "cache of table 1 at worker 2, value 17".
  std::string Describe(uint32_t offset) const;

 private:
  uint32_t size_ = 0;
  std::vector<std::pair<uint32_t, std::string>> buffers_;  // ascending offsets
};

class Memory {
 public:
  explicit Memory(uint32_t size) : values_(size, kPoison), marks_(size, 0) {}

  double* at(uint32_t offset) { return values_.data() + offset; }
  const double* at(uint32_t offset) const { return values_.data() + offset; }
  uint32_t size() const { return static_cast<uint32_t>(values_.size()); }

  // False when somebody writes (reads or writes) one of the values; the mark is set all the same.
  bool BeginRead(uint32_t offset, uint32_t count) {
    uint8_t seen = 0;
    for (uint32_t i = offset; i < offset + count; ++i) seen |= marks_[i]++;
    return (seen & kWriter) == 0;
  }
  void EndRead(uint32_t offset, uint32_t count) {
    for (uint32_t i = offset; i < offset + count; ++i) --marks_[i];
  }
  bool BeginWrite(uint32_t offset, uint32_t count) {
    uint8_t seen = 0;
    for (uint32_t i = offset; i < offset + count; ++i) {
      seen |= marks_[i];
      marks_[i] |= kWriter;
    }
    return seen == 0;
  }
  void EndWrite(uint32_t offset, uint32_t count) {
    for (uint32_t i = offset; i < offset + count; ++i) marks_[i] &= static_cast<uint8_t>(~kWriter);
  }
  bool Idle(uint32_t offset, uint32_t count) const {
    for (uint32_t i = offset; i < offset + count; ++i) {
      if (marks_[i] != 0) return false;
    }
    return true;
  }
  void Poison(uint32_t offset, uint32_t count) {
    for (uint32_t i = offset; i < offset + count; ++i) values_[i] = kPoison;
  }
  void AddTo(Hasher* hasher) const;

 private:
  static constexpr uint8_t kWriter = 0x80;  // below it: number of readers

  std::vector<double> values_;
  std::vector<uint8_t> marks_;
};

}  // namespace geeps::sim

#endif  // GEEPS_TESTS_SIM_MEMORY_H_
