// SPDX-License-Identifier: Apache-2.0
// Statistics: counters of one runtime. Plain atomics, written where things happen, read as one picture by anybody: each
// counter is exact, and the picture is at most a few events skewed between counters.
// Thread contract: any thread.
#ifndef GEEPS_RUNTIME_MOVERS_STATISTICS_H_
#define GEEPS_RUNTIME_MOVERS_STATISTICS_H_

#include <atomic>
#include <cstdint>

namespace geeps::movers {

class Counter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

struct Statistics {
  // Values that crossed to another worker's memory by message, and those whose keeper or reader is this worker or maps
  // the memory.
  Counter contributions_sent;
  Counter contribution_bytes_sent;
  Counter contributions_local;
  Counter contribution_bytes_local;
  Counter publishes_sent;
  Counter publish_bytes_sent;
  Counter publishes_local;
  Counter publish_bytes_local;
  Counter control_messages_sent;  // FIRE, CREDIT and messages without values
  Counter fills;                  // copied reads gathered
  Counter fill_bytes;
  Counter drains;  // copied updates stored
  Counter drain_bytes;
  Counter in_place_reads;
  Counter in_place_updates;
  Counter applied;  // clocks applied, by partition
  Counter waits;    // calls of the program that had to wait
  Counter wait_ns;  // and for how long
  Counter clocks;
  Counter passes;
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_STATISTICS_H_
