// SPDX-License-Identifier: Apache-2.0
// ByteWriter, ByteReader: little-endian encoding of what workers tell one another at commits. The reader checks every length against
// what is left before it is used; one failure makes all later reads fail, so that a decoder may check once.
// Thread contract: plain objects.
#ifndef GEEPS_RUNTIME_BASE_BYTES_H_
#define GEEPS_RUNTIME_BASE_BYTES_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace geeps {

class ByteWriter {
 public:
  void U32(uint32_t value) { Little(value, 4); }
  void U64(uint64_t value) { Little(value, 8); }
  // A length (u64), then the bytes.
  void Text(absl::string_view bytes) {
    U64(bytes.size());
    bytes_.append(bytes.data(), bytes.size());
  }
  std::string Take() { return std::move(bytes_); }

 private:
  void Little(uint64_t value, int count) {
    for (int i = 0; i < count; ++i) bytes_.push_back(static_cast<char>(value >> (8 * i)));
  }
  std::string bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(absl::string_view bytes) : rest_(bytes) {}

  uint32_t U32() { return static_cast<uint32_t>(Little(4)); }
  uint64_t U64() { return Little(8); }
  absl::string_view Text() {
    const uint64_t size = U64();
    if (!ok_ || size > rest_.size()) {
      ok_ = false;
      return absl::string_view();
    }
    const absl::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return text;
  }
  bool ok() const { return ok_; }
  // Everything was read and nothing is left.
  bool done() const { return ok_ && rest_.empty(); }
  uint64_t left() const { return rest_.size(); }

 private:
  uint64_t Little(int count) {
    if (!ok_ || rest_.size() < static_cast<size_t>(count)) {
      ok_ = false;
      return 0;
    }
    uint64_t value = 0;
    for (int i = 0; i < count; ++i) value |= static_cast<uint64_t>(static_cast<uint8_t>(rest_[i])) << (8 * i);
    rest_.remove_prefix(count);
    return value;
  }
  absl::string_view rest_;
  bool ok_ = true;
};

}  // namespace geeps

#endif  // GEEPS_RUNTIME_BASE_BYTES_H_
