// SPDX-License-Identifier: Apache-2.0
// StagingRoom: how many bytes are held while each operation of a pass runs, for many changes of many operations at
// once: a tree of maxima. Ranges are counted on over passes and are no longer than one. Pure; one thread at a time.
#ifndef GEEPS_RUNTIME_PLAN_STAGING_ROOM_H_
#define GEEPS_RUNTIME_PLAN_STAGING_ROOM_H_

#include <cstdint>
#include <vector>

namespace geeps::plan {

class StagingRoom {
 public:
  explicit StagingRoom(const std::vector<uint64_t>& held);

  // Operations begin .. end - 1 hold `bytes` more.
  void Add(uint32_t begin, uint32_t end, uint64_t bytes);
  // The smallest begin >= from so that none of operations begin .. end - 1 holds more than `limit`.
  uint32_t Reach(uint32_t from, uint32_t end, uint64_t limit) const;
  uint64_t Max() const { return max_[1]; }

 private:
  // Of a node: operations first .. first + size - 1.
  void AddBelow(uint32_t node, uint32_t first, uint32_t size, uint32_t begin, uint32_t end, uint64_t bytes);
  // 1 + the last operation of begin .. end - 1 below the node that holds more than `limit`; 0: none.
  uint32_t LastAbove(uint32_t node, uint32_t first, uint32_t size, uint32_t begin, uint32_t end, uint64_t limit) const;

  uint32_t num_ops_;
  uint32_t size_ = 1;            // a power of two
  std::vector<uint64_t> max_;    // by node: of what lies below it, `added_` included
  std::vector<uint64_t> added_;  // by node: to all that lies below it
};

}  // namespace geeps::plan

#endif  // GEEPS_RUNTIME_PLAN_STAGING_ROOM_H_
