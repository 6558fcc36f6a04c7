// SPDX-License-Identifier: Apache-2.0
// Memory: device and pinned memory of the fake driver. Addresses come from two reserved ranges and are not used again
// for long. Those of device memory can never be touched by the host: the real bytes lie elsewhere. Those of pinned
// memory can be touched from allocation to free. Whoever touches one wrongly dies with a sentence (trap.h). Both are
// filled with 0xff, a NaN in every floating-point type, when allocated, and device memory with 0xdd before it goes.
// Thread contract: one thread at a time; the driver's mutex.
#ifndef GEEPS_TESTS_CUDA_FAKE_MEMORY_H_
#define GEEPS_TESTS_CUDA_FAKE_MEMORY_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "tests/cuda/fake/races.h"

namespace geeps::fake {

enum class Kind { kDevice, kPinned };

struct Region {
  Kind kind = Kind::kDevice;
  Bytes bytes;           // as the program sees them
  uint64_t context = 0;  // handle of the one that it was allocated in
  int device = 0;
  uint64_t number = 0;                 // counts allocations
  std::unique_ptr<uint8_t[]> storage;  // of device memory, with guards around
  Races races;

  std::string Name() const;  // "allocation 7 (64 bytes of device memory)"
};

class Memory {
 public:
  // Reserves the addresses. False: the system has none.
  bool Reserve();

  // Counts allocations from 1 again.
  void RestartNumbers() { num_allocated_ = 0; }
  // nullptr: no addresses or no memory.
  Region* Allocate(Kind kind, uint64_t bytes, uint64_t context, int device);
  void Free(Region* region);

  bool IsDeviceAddress(uint64_t address) const { return device_.Contains(address); }
  bool IsReserved(uint64_t address) const { return device_.Contains(address) || pinned_.Contains(address); }
  // The living one that the address lies in; nullptr: none.
  Region* Find(uint64_t address);
  // A sentence about an address that Find does not know: was freed, lies behind, was never allocated.
  std::string Describe(uint64_t address) const;
  // The real place of a byte in a region.
  static uint8_t* RealAddress(const Region& region, uint64_t address);
  // "" or a sentence: somebody wrote in front of it or behind it.
  static std::string CheckGuards(const Region& region);

  std::map<uint64_t, Region>& regions() { return regions_; }
  uint64_t used_bytes(int device) const;
  uint64_t pinned_bytes() const { return pinned_bytes_; }

 private:
  struct Range {
    uint64_t first = 0;
    uint64_t end = 0;
    uint64_t next = 0;
    bool Contains(uint64_t address) const { return address >= first && address < end; }
  };
  struct Freed {
    Bytes bytes;
    std::string name;
  };

  uint64_t TakeAddresses(Range* range, uint64_t bytes, uint64_t alignment);

  Range device_;
  Range pinned_;
  std::map<uint64_t, Region> regions_;  // by first address
  std::deque<Freed> freed_;             // the latest ones
  uint64_t num_allocated_ = 0;
  uint64_t pinned_bytes_ = 0;
};

}  // namespace geeps::fake

#endif  // GEEPS_TESTS_CUDA_FAKE_MEMORY_H_
