// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan/staging_room.h"

#include <algorithm>

namespace geeps::plan {

StagingRoom::StagingRoom(const std::vector<uint64_t>& held) : num_ops_(static_cast<uint32_t>(held.size())) {
  while (size_ < num_ops_) size_ *= 2;
  max_.assign(2 * size_, 0);
  added_.assign(2 * size_, 0);
  std::copy(held.begin(), held.end(), max_.begin() + size_);
  for (uint32_t node = size_ - 1; node > 0; --node) max_[node] = std::max(max_[2 * node], max_[2 * node + 1]);
}

void StagingRoom::AddBelow(uint32_t node, uint32_t first, uint32_t size, uint32_t begin, uint32_t end, uint64_t bytes) {
  if (begin <= first && first + size <= end) {
    max_[node] += bytes;
    added_[node] += bytes;
    return;
  }
  const uint32_t half = size / 2;
  if (begin < first + half) AddBelow(2 * node, first, half, begin, end, bytes);
  if (end > first + half) AddBelow(2 * node + 1, first + half, half, begin, end, bytes);
  max_[node] = std::max(max_[2 * node], max_[2 * node + 1]) + added_[node];
}

uint32_t StagingRoom::LastAbove(uint32_t node, uint32_t first, uint32_t size, uint32_t begin, uint32_t end,
                                uint64_t limit) const {
  if (end <= first || first + size <= begin || max_[node] <= limit) return 0;
  if (size == 1) return first + 1;
  // What was added to the whole node counts for both halves.
  const uint64_t rest = limit - added_[node];
  if (added_[node] > limit) return std::min(end, first + size);
  const uint32_t half = size / 2;
  const uint32_t found = LastAbove(2 * node + 1, first + half, half, begin, end, rest);
  return found != 0 ? found : LastAbove(2 * node, first, half, begin, end, rest);
}

void StagingRoom::Add(uint32_t begin, uint32_t end, uint64_t bytes) {
  while (begin < end) {
    const uint32_t pass = begin / num_ops_ * num_ops_;
    const uint32_t to = std::min(end, pass + num_ops_);
    AddBelow(1, 0, size_, begin - pass, to - pass, bytes);
    begin = to;
  }
}

uint32_t StagingRoom::Reach(uint32_t from, uint32_t end, uint64_t limit) const {
  while (end > from) {
    const uint32_t pass = (end - 1) / num_ops_ * num_ops_;
    const uint32_t begin = std::max(from, pass);
    const uint32_t found = LastAbove(1, 0, size_, begin - pass, end - pass, limit);
    if (found != 0) return pass + found;
    end = begin;
  }
  return from;
}

}  // namespace geeps::plan
