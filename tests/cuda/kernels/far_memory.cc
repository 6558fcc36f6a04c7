// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/kernels/far_memory.h"

#include <algorithm>
#include <cstring>

#include "plugins/cuda/kernels/kernels_host.h"

namespace geeps::test {
namespace {

constexpr uint64_t kBase = uint64_t{1} << 60;  // no address of a process
constexpr uint64_t kGapBytes = 128;            // between two blocks
constexpr uint8_t kPoison = 0xcd;

FarMemory* current = nullptr;
alignas(16) uint8_t nowhere[16];

}  // namespace

FarMemory::FarMemory() : next_(kBase) {
  current = this;
  cuda::SetHostAddress(Find);
}

FarMemory::~FarMemory() {
  cuda::SetHostAddress(nullptr);
  current = nullptr;
}

uint64_t FarMemory::Put(const void* data, uint64_t bytes, uint64_t offset) {
  Block block = {next_ + offset, bytes, std::make_unique<uint8_t[]>(bytes)};
  std::memset(block.memory.get(), kPoison, bytes);
  if (data != nullptr && bytes > 0) std::memcpy(block.memory.get(), data, bytes);
  next_ = (block.first + bytes + kGapBytes + 255) / 256 * 256;
  blocks_.push_back(std::move(block));
  return blocks_.back().first;
}

uint64_t FarMemory::Reserve(uint64_t bytes) { return Put(nullptr, bytes); }

const FarMemory::Block* FarMemory::BlockOf(uint64_t address) const {
  const auto holds = [address](const Block& block) {
    return address >= block.first && address - block.first < std::max<uint64_t>(block.bytes, 1);
  };
  if (last_ < blocks_.size() && holds(blocks_[last_])) return &blocks_[last_];
  const auto next = std::upper_bound(blocks_.begin(), blocks_.end(), address,
                                     [](uint64_t a, const Block& block) { return a < block.first; });
  if (next == blocks_.begin() || !holds(*(next - 1))) return nullptr;
  last_ = static_cast<size_t>(next - 1 - blocks_.begin());
  return &blocks_[last_];
}

void* FarMemory::Find(uint64_t address, uint64_t bytes, bool /*is_written*/) {
  const Block* const block = current->BlockOf(address);
  const bool is_aligned = bytes == 0 || address % bytes == 0;
  if (block != nullptr && is_aligned && address + bytes <= block->first + block->bytes) {
    return block->memory.get() + (address - block->first);
  }
  ++current->num_faults_;
  return nowhere;
}

std::vector<uint8_t> FarMemory::Get(uint64_t address) const {
  const Block* const block = BlockOf(address);
  return {block->memory.get(), block->memory.get() + block->bytes};
}

bool FarMemory::Run(const cuda::LaunchSet& set, bool by_value) {
  cuda::InlineTable inline_table;
  std::memset(&inline_table, 0, sizeof inline_table);
  const bool is_inline = by_value && set.table.size() <= sizeof inline_table;
  uint64_t table = 0;
  if (is_inline) {
    std::copy(set.table.begin(), set.table.end(), inline_table.bytes);
  } else {
    table = Put(set.table);
  }
  uint64_t scratch = set.scratch_bytes > 0 ? Reserve(set.scratch_bytes) : 0;
  void* parameters[] = {is_inline ? static_cast<void*>(&inline_table) : &table, &scratch};
  for (const cuda::Launch& launch : set.launches) {
    const std::string name = std::string(launch.kernel) + (is_inline ? "_inline" : "");
    if (!cuda::RunKernelOnHost(name.c_str(), launch.num_blocks, launch.num_threads, launch.shared_bytes, parameters)) {
      return false;
    }
  }
  return true;
}

}  // namespace geeps::test
