// SPDX-License-Identifier: Apache-2.0
#include "transports/tcp/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

namespace geeps::crc32c {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78u;  // reflected

using Table = std::array<std::array<uint32_t, 256>, 8>;

constexpr Table MakeTable() {
  Table table{};
  for (uint32_t n = 0; n < 256; ++n) {
    uint32_t crc = n;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ kPolynomial : crc >> 1;
    table[0][n] = crc;
  }
  for (uint32_t n = 0; n < 256; ++n) {
    for (size_t k = 1; k < 8; ++k) table[k][n] = (table[k - 1][n] >> 8) ^ table[0][table[k - 1][n] & 0xff];
  }
  return table;
}

constexpr Table kTable = MakeTable();

// The instruction has a latency of three cycles and a throughput of one: three independent streams keep it busy. Their
// checksums are joined by advancing one over the zeros that stand for the length of the next, which is linear and hence four
// table look-ups.
constexpr size_t kLong = 8192;
constexpr size_t kShort = 256;

using Zeros = std::array<std::array<uint32_t, 256>, 4>;

// The checksum register after one zero bit, as a matrix over GF(2) applied to a vector.
constexpr uint32_t Multiply(const std::array<uint32_t, 32>& matrix, uint32_t vector) {
  uint32_t sum = 0;
  for (size_t i = 0; vector != 0; ++i, vector >>= 1) {
    if ((vector & 1) != 0) sum ^= matrix[i];
  }
  return sum;
}

// Advances over `bytes` zero bytes; bytes is a power of two.
constexpr Zeros MakeZeros(size_t bytes) {
  std::array<uint32_t, 32> matrix{};
  matrix[0] = kPolynomial;
  for (size_t i = 1; i < 32; ++i) matrix[i] = 1u << (i - 1);
  for (size_t bits = 1; bits < bytes * 8; bits *= 2) {
    std::array<uint32_t, 32> square{};
    for (size_t i = 0; i < 32; ++i) square[i] = Multiply(matrix, matrix[i]);
    matrix = square;
  }
  Zeros zeros{};
  for (uint32_t n = 0; n < 256; ++n) {
    for (size_t k = 0; k < 4; ++k) zeros[k][n] = Multiply(matrix, n << (8 * k));
  }
  return zeros;
}

[[maybe_unused]] constexpr Zeros kLongZeros = MakeZeros(kLong);
[[maybe_unused]] constexpr Zeros kShortZeros = MakeZeros(kShort);

[[maybe_unused]] inline uint32_t Shift(const Zeros& zeros, uint32_t crc) {
  return zeros[0][crc & 0xff] ^ zeros[1][(crc >> 8) & 0xff] ^ zeros[2][(crc >> 16) & 0xff] ^ zeros[3][crc >> 24];
}

[[maybe_unused]] inline uint64_t Load(const uint8_t* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof(word));
  return word;
}

#if defined(__x86_64__)
#define GEEPS_CRC_TARGET __attribute__((target("sse4.2")))
GEEPS_CRC_TARGET inline uint64_t Step8(uint64_t crc, uint64_t word) { return _mm_crc32_u64(crc, word); }
GEEPS_CRC_TARGET inline uint32_t Step1(uint32_t crc, uint8_t byte) { return _mm_crc32_u8(crc, byte); }
bool HasInstruction() { return __builtin_cpu_supports("sse4.2") != 0; }
#elif defined(__aarch64__) && defined(__linux__)
#define GEEPS_CRC_TARGET __attribute__((target("+crc")))
GEEPS_CRC_TARGET inline uint64_t Step8(uint64_t crc, uint64_t word) {
  return __crc32cd(static_cast<uint32_t>(crc), word);
}
GEEPS_CRC_TARGET inline uint32_t Step1(uint32_t crc, uint8_t byte) { return __crc32cb(crc, byte); }
bool HasInstruction() { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#endif

#if defined(GEEPS_CRC_TARGET)
template <size_t kStream>
GEEPS_CRC_TARGET uint32_t ThreeStreams(const Zeros& zeros, uint32_t crc, const uint8_t** p, size_t* bytes) {
  while (*bytes >= 3 * kStream) {
    uint64_t a = crc;
    uint64_t b = 0;
    uint64_t c = 0;
    const uint8_t* q = *p;
    for (size_t i = 0; i < kStream; i += 8) {
      a = Step8(a, Load(q + i));
      b = Step8(b, Load(q + kStream + i));
      c = Step8(c, Load(q + 2 * kStream + i));
    }
    crc = Shift(zeros, static_cast<uint32_t>(a)) ^ static_cast<uint32_t>(b);
    crc = Shift(zeros, crc) ^ static_cast<uint32_t>(c);
    *p += 3 * kStream;
    *bytes -= 3 * kStream;
  }
  return crc;
}

GEEPS_CRC_TARGET uint32_t ExtendByInstruction(uint32_t crc, const void* data, size_t bytes) {
  const uint8_t* p = static_cast<const uint8_t*>(data);
  crc = ~crc;
  crc = ThreeStreams<kLong>(kLongZeros, crc, &p, &bytes);
  crc = ThreeStreams<kShort>(kShortZeros, crc, &p, &bytes);
  for (; bytes >= 8; p += 8, bytes -= 8) crc = static_cast<uint32_t>(Step8(crc, Load(p)));
  for (; bytes != 0; ++p, --bytes) crc = Step1(crc, *p);
  return ~crc;
}
#endif

}  // namespace

uint32_t ExtendByTable(uint32_t crc, const void* data, size_t bytes) {
  const uint8_t* p = static_cast<const uint8_t*>(data);
  crc = ~crc;
  for (; bytes >= 8; p += 8, bytes -= 8) {
    const uint32_t low = crc ^ (p[0] | p[1] << 8 | p[2] << 16 | static_cast<uint32_t>(p[3]) << 24);
    crc = kTable[7][low & 0xff] ^ kTable[6][(low >> 8) & 0xff] ^ kTable[5][(low >> 16) & 0xff] ^ kTable[4][low >> 24] ^
          kTable[3][p[4]] ^ kTable[2][p[5]] ^ kTable[1][p[6]] ^ kTable[0][p[7]];
  }
  for (; bytes != 0; ++p, --bytes) crc = (crc >> 8) ^ kTable[0][(crc ^ *p) & 0xff];
  return ~crc;
}

uint32_t Extend(uint32_t crc, const void* data, size_t bytes) {
#if defined(GEEPS_CRC_TARGET)
  static const bool has_instruction = HasInstruction();
  if (has_instruction) return ExtendByInstruction(crc, data, bytes);
#endif
  return ExtendByTable(crc, data, bytes);
}

}  // namespace geeps::crc32c
