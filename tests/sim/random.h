// SPDX-License-Identifier: Apache-2.0
// Chance and hashes of the simulator: integers only, the same with every compiler.
#ifndef GEEPS_TESTS_SIM_RANDOM_H_
#define GEEPS_TESTS_SIM_RANDOM_H_

#include <cstdint>
#include <cstring>

namespace geeps::sim {

// The finalizer of splitmix64: a bijection that spreads every bit.
inline uint64_t Mix(uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ull;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

class Hasher {
 public:
  explicit Hasher(uint64_t seed = 0) : state_(seed) {}
  void Add(uint64_t value) { state_ = Mix(state_ * 0x9e3779b97f4a7c15ull + value + 0x632be59bd9b4e019ull); }
  void AddDouble(double value) {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    Add(bits);
  }
  uint64_t value() const { return state_; }

 private:
  uint64_t state_;
};

// A hash of a few numbers, for decisions that depend on their place only.
template <typename... Args>
uint64_t HashOf(Args... args) {
  Hasher hasher;
  (hasher.Add(static_cast<uint64_t>(args)), ...);
  return hasher.value();
}

class Random {
 public:
  explicit Random(uint64_t seed) : state_(Mix(seed + 0x9e3779b97f4a7c15ull)) {}
  uint64_t Next() { return Mix(state_ += 0x9e3779b97f4a7c15ull); }
  // 0 .. n-1. REQUIRES: n >= 1.
  uint32_t Below(uint32_t n) { return static_cast<uint32_t>(((Next() >> 32) * n) >> 32); }
  uint32_t Between(uint32_t low, uint32_t high) { return low + Below(high - low + 1); }
  bool Chance(uint32_t percent) { return Below(100) < percent; }

 private:
  uint64_t state_;
};

}  // namespace geeps::sim

#endif  // GEEPS_TESTS_SIM_RANDOM_H_
