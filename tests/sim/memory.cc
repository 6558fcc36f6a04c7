// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/memory.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace geeps::sim {

uint32_t MemoryMap::Allocate(uint64_t num_values, std::string name) {
  const uint32_t offset = size_;
  buffers_.emplace_back(offset, std::move(name));
  size_ += static_cast<uint32_t>(num_values);
  return offset;
}

std::string MemoryMap::Describe(uint32_t offset) const {
  auto it = std::upper_bound(buffers_.begin(), buffers_.end(), offset,
                             [](uint32_t value, const auto& buffer) { return value < buffer.first; });
  if (it == buffers_.begin()) return absl::StrCat("value ", offset);
  --it;
  return absl::StrCat(it->second, ", value ", offset - it->first);
}

void Memory::AddTo(Hasher* hasher) const {
  for (double value : values_) hasher->AddDouble(value);
  uint64_t word = 0;
  for (size_t i = 0; i < marks_.size(); ++i) {
    word = (word << 8) | marks_[i];
    if (i % 8 == 7) hasher->Add(word);
  }
  hasher->Add(word);
}

}  // namespace geeps::sim
