// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/fake/kernel_run.h"

#include <algorithm>

namespace geeps::fake {
namespace {

thread_local KernelRun* current = nullptr;

// Ranges that are collected before they are merged: bounds the memory that a launch needs.
constexpr size_t kMostUnmerged = 4096;

}  // namespace

KernelRun::KernelRun(Driver* driver, const Op& op) : driver_(*driver), op_(op) { current = this; }
KernelRun::~KernelRun() { current = nullptr; }
KernelRun* KernelRun::Current() { return current; }

void KernelRun::Touched::Add(Bytes bytes) {
  if (!ranges.empty()) {
    Bytes& last = ranges.back();
    if (ranges.size() > num_merged && bytes.first <= last.end() && bytes.first >= last.first) {
      last.num = std::max(last.end(), bytes.end()) - last.first;
      return;
    }
  }
  ranges.push_back(bytes);
  if (ranges.size() - num_merged > kMostUnmerged) Merge();
}

void KernelRun::Touched::Merge() {
  std::sort(ranges.begin(), ranges.end(), [](Bytes a, Bytes b) { return a.first < b.first; });
  size_t num = 0;
  for (const Bytes& bytes : ranges) {
    if (num > 0 && bytes.first <= ranges[num - 1].end()) {
      ranges[num - 1].num = std::max(ranges[num - 1].end(), bytes.end()) - ranges[num - 1].first;
    } else {
      ranges[num++] = bytes;
    }
  }
  ranges.resize(num);
  num_merged = num;
}

uint8_t* KernelRun::Access(uint64_t address, uint64_t bytes, bool writes) {
  if (last_ == nullptr || address < last_->bytes.first || address + bytes > last_->bytes.end()) {
    Region* const region = driver_.memory.Find(address);
    if (region == nullptr || address + bytes > region->bytes.end()) {
      if (++num_faults_ == 1) {
        driver_.findings.Add(
            Text(op_.actor->text, " ", writes ? "writes " : "reads ", bytes, " bytes at an address that ",
                 region != nullptr ? Text("ends behind ", region->Name()) : driver_.memory.Describe(address)));
      }
      nowhere_.resize(std::max<size_t>(nowhere_.size(), bytes));
      return nowhere_.data();
    }
    last_ = region;
    last_touched_ = &touched_[region];
  }
  (writes ? last_touched_->writes : last_touched_->reads).Add({address, bytes});
  return Memory::RealAddress(*last_, address);
}

cuda::Result KernelRun::Finish() {
  for (auto& [region, touched] : touched_) {
    touched.reads.Merge();
    touched.writes.Merge();
    for (const Bytes& bytes : touched.reads.ranges) driver_.NoteAccess(op_, bytes, false);
    for (const Bytes& bytes : touched.writes.ranges) driver_.NoteAccess(op_, bytes, true);
  }
  return num_faults_ == 0 ? cuda::kSuccess : cuda::kIllegalAddress;
}

}  // namespace geeps::fake
