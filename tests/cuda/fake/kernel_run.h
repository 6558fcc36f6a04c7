// SPDX-License-Identifier: Apache-2.0
// KernelRun: one launch while it runs on the host: finds the memory behind device addresses, checks that every access
// lies in living memory, and collects what was read and written. Thread contract: one at a time; the driver's mutex.
#ifndef GEEPS_TESTS_CUDA_FAKE_KERNEL_RUN_H_
#define GEEPS_TESTS_CUDA_FAKE_KERNEL_RUN_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/cuda/fake/driver.h"

namespace geeps::fake {

class KernelRun {
 public:
  KernelRun(Driver* driver, const Op& op);
  ~KernelRun();
  KernelRun(const KernelRun&) = delete;
  KernelRun& operator=(const KernelRun&) = delete;

  // The one that runs on this thread now.
  static KernelRun* Current();

  // The memory behind an address. A wrong access is a fault; it gets memory that nobody uses, so that the kernel can go
  // on to its end.
  uint8_t* Access(uint64_t address, uint64_t bytes, bool writes);
  // Notes what was collected. kSuccess, or what breaks the context.
  cuda::Result Finish();

 private:
  // Accesses of one kind to one region, merged where they touch.
  struct Touched {
    std::vector<Bytes> ranges;
    size_t num_merged = 0;  // those in front are sorted and apart
    void Add(Bytes bytes);
    void Merge();
  };
  struct TouchedRegion {
    Touched reads;
    Touched writes;
  };

  Driver& driver_;
  const Op& op_;
  Region* last_ = nullptr;
  TouchedRegion* last_touched_ = nullptr;
  std::map<Region*, TouchedRegion> touched_;
  uint64_t num_faults_ = 0;
  std::vector<uint8_t> nowhere_;
};

}  // namespace geeps::fake

#endif  // GEEPS_TESTS_CUDA_FAKE_KERNEL_RUN_H_
