// SPDX-License-Identifier: Apache-2.0
// What the targets of this folder share. A target reads one input, drives a decoder or a machine with it, and checks
// what must be true whatever the input is; FuzzSeeds gives inputs made by the real encoders, from which the corpus
// began. The same file is linked with libFuzzer (tools/fuzz) and with a driver that replays the corpus in the ordinary
// suite (replay_main.cc).
// Thread contract: one thread, but for the meter, which counts what all threads allocate.
#ifndef GEEPS_TESTS_FUZZ_FUZZ_H_
#define GEEPS_TESTS_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

// A statement that holds for every input.
#define FUZZ_CHECK(condition)                                                                  \
  do {                                                                                         \
    if (!(condition)) {                                                                        \
      std::fprintf(stderr, "%s:%d: this does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                            \
    }                                                                                          \
  } while (false)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace geeps::fuzz {

// Inputs to begin with, each of its own kind.
std::vector<std::string> FuzzSeeds();

// Takes an input apart. Behind its end everything is zero or empty. At most one call in an expression whose order is
// not settled: an input means the same whatever compiled its target.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : next_(data), end_(data + size) {}

  size_t left() const { return static_cast<size_t>(end_ - next_); }
  bool done() const { return next_ == end_; }

  template <typename T>
  T Number() {
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) value |= uint64_t{Byte()} << (8 * i);
    return static_cast<T>(value);
  }
  uint8_t Byte() { return done() ? 0 : *next_++; }
  bool Flag() { return (Byte() & 1) != 0; }
  // REQUIRES: 1 <= n <= 256.
  uint32_t Below(uint32_t n) { return Byte() % n; }
  std::string Bytes(size_t bytes) {
    if (bytes > left()) bytes = left();
    std::string taken(reinterpret_cast<const char*>(next_), bytes);
    next_ += bytes;
    return taken;
  }
  // A length of two bytes, then so many.
  std::string Text() { return Bytes(Number<uint16_t>()); }
  // The same, as a text of C: up to its first zero.
  std::string CText() { return std::string(Text().c_str()); }
  std::string Rest() { return Bytes(left()); }

 private:
  const uint8_t* next_;
  const uint8_t* const end_;
};

// Puts an input together: the reverse of Input.
class Seed {
 public:
  template <typename T>
  Seed& Number(T value) {
    for (size_t i = 0; i < sizeof(T); ++i) bytes_.push_back(static_cast<char>(static_cast<uint64_t>(value) >> (8 * i)));
    return *this;
  }
  Seed& Byte(uint32_t value) { return Number(static_cast<uint8_t>(value)); }
  Seed& Text(const std::string& text) {
    Number(static_cast<uint16_t>(text.size()));
    return Raw(text);
  }
  Seed& Raw(const std::string& bytes) {
    bytes_ += bytes;
    return *this;
  }
  operator std::string() const { return bytes_; }  // NOLINT: a seed is its bytes

 private:
  std::string bytes_;
};

// What C++ code allocates while it exists, by operator new: one at a time.
class Meter {
 public:
  Meter();
  // Bytes held at the worst moment, beyond those held at the beginning.
  uint64_t peak_bytes() const;
};

// The bytes of a value that is nothing but bytes.
template <typename T>
std::string BytesOf(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace geeps::fuzz

#endif  // GEEPS_TESTS_FUZZ_FUZZ_H_
