// SPDX-License-Identifier: Apache-2.0
// Statistics: counters of one runtime: in all, by table, and by operation of the committed plans. Plain atomics, written
// where things happen, read as one picture by anybody: each counter is exact, and the picture is at most a few events
// skewed between counters. Those of a table live as long as the table, those of a plan until a commit without it.
// Thread contract: any thread, but for OwnCounter and Largest, which have one writer.
#ifndef GEEPS_RUNTIME_MOVERS_STATISTICS_H_
#define GEEPS_RUNTIME_MOVERS_STATISTICS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/base/mutex.h"
#include "runtime/plan/recorded_plan.h"
#include "runtime/protocol/types.h"
#include "runtime/table/schema.h"

namespace geeps::movers {

class Counter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// One thread writes: on the way of a ready access, without a locked instruction.
class OwnCounter {
 public:
  void Add(uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class Largest {
 public:
  void Note(uint64_t value) {
    if (value > value_.load(std::memory_order_relaxed)) value_.store(value, std::memory_order_relaxed);
  }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// How many there are now, and how many there were at most. One thread writes.
class Gauge {
 public:
  void Set(uint64_t value) {
    value_.store(value, std::memory_order_relaxed);
    largest_.Note(value);
  }
  void Add(uint64_t n = 1) { Set(Get() + n); }
  void Subtract(uint64_t n = 1) { value_.store(Get() - n, std::memory_order_relaxed); }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }
  uint64_t largest() const { return largest_.Get(); }

 private:
  std::atomic<uint64_t> value_{0};
  Largest largest_;
};

// Times in which the program waited, by cause. One thread writes.
struct WaitCounters {
  OwnCounter waits;         // calls that had to wait
  OwnCounter imbalance_ns;  // before the last of the others had fired
  OwnCounter stall_ns;      // after that
  std::atomic<uint64_t> begin_ns{0};  // of the wait under way; 0: none is
  void Begin(uint64_t ns) { begin_ns.store(ns, std::memory_order_relaxed); }
  void Note(uint64_t new_imbalance_ns, uint64_t new_stall_ns) {
    waits.Add();
    imbalance_ns.Add(new_imbalance_ns);
    stall_ns.Add(new_stall_ns);
    Begin(0);
  }
};

// What this worker holds for a table, in bytes of the device's memory. Mapped memory counts where it was reserved.
struct TableMemory {
  uint64_t cache = 0;
  uint64_t log = 0;
  uint64_t shard = 0;       // values that this worker keeps, outside of mapped memory
  uint64_t rule_state = 0;  // of those rows
  uint64_t landing = 0;     // contributions and versions on their way in
  uint64_t staging = 0;     // versions on their way out
  uint64_t kept_rows = 0;   // rows, not bytes
};

// The places of a table in which something may have to wait, as long as an epoch lasts.
struct TableSlots {
  uint64_t log_entries = 0;      // L
  uint64_t landing_slots = 0;    // of the partitions kept here, for all participants; mapped: entries of their logs
  uint64_t version_buffers = 0;  // V, of each partition
  Gauge log_filling;             // ready for the program, or being filled
  Gauge log_complete;            // filled, not fired
  Gauge log_fired;               // fired, and still needed: on their way, or waiting to leave
  Gauge log_in_use;              // the three together
  Gauge landed;                  // contributions that are there and not applied
  Gauge publishing;              // publishes on their way out of the version buffers
};

// Bytes and messages are those of values; what a message without values costs is the runtime's alone.
struct TableCounters {
  TableCounters(uint64_t object_id, const table::TableSchema& table_schema)
      : object(object_id), schema(table_schema) {}

  const uint64_t object;
  const table::TableSchema schema;
  Counter contribution_bytes_sent;
  Counter contribution_bytes_local;
  Counter contribution_bytes_received;
  Counter publish_bytes_sent;
  Counter publish_bytes_local;
  Counter publish_bytes_received;
  Counter applied;  // clocks, by partition kept here
  WaitCounters waiting;
  // Reads by clock - smallest age; the last one: and more.
  std::array<OwnCounter, protocol::kSlackMax + 2> reads_by_staleness;
  Largest age_max;  // newest version absorbed of any partition
};

struct OpCounters {
  OwnCounter calls;      // handed out
  WaitCounters waiting;
  OwnCounter staleness;  // reads: sum over the calls of clock - smallest age
  Largest staleness_max;
};

struct PlanCounters {
  explicit PlanCounters(std::shared_ptr<const plan::RecordedPlan> recorded_plan)
      : recorded(std::move(recorded_plan)), ops(new OpCounters[recorded->ops.size()]) {}

  const std::shared_ptr<const plan::RecordedPlan> recorded;
  OwnCounter passes;
  const std::unique_ptr<OpCounters[]> ops;
};

// What the epoch in force has: a copy shares the counters.
struct StatisticsScope {
  std::vector<std::shared_ptr<TableCounters>> tables;
  std::vector<TableMemory> memory;  // by table
  std::vector<std::shared_ptr<TableSlots>> slots;  // by table
  std::vector<std::shared_ptr<PlanCounters>> plans;
  uint64_t access_buffer_bytes = 0;
  uint64_t local_bytes = 0;
  uint64_t mapped_bytes = 0;  // reserved by this worker for logs and versions that peers map

  // Those of an earlier scope when it has them.
  std::shared_ptr<TableCounters> TableOf(uint64_t object, const table::TableSchema& schema) const;
  std::shared_ptr<PlanCounters> PlanOf(const std::shared_ptr<const plan::RecordedPlan>& recorded) const;
};

struct Statistics {
  // Values that crossed to another worker's memory by message, and those whose keeper or reader is this worker or maps
  // the memory.
  Counter contributions_sent;
  Counter contribution_bytes_sent;
  Counter contributions_local;
  Counter contribution_bytes_local;
  Counter contribution_bytes_received;
  Counter publishes_sent;
  Counter publish_bytes_sent;
  Counter publishes_local;
  Counter publish_bytes_local;
  Counter publish_bytes_received;
  Counter control_messages_sent;  // FIRE, CREDIT and messages without values
  Counter fills;                  // copied reads gathered
  Counter fill_bytes;
  Counter drains;  // copied updates stored
  Counter drain_bytes;
  Counter in_place_reads;
  Counter in_place_updates;
  Counter applied;  // clocks applied, by partition
  WaitCounters waiting;
  Counter clocks;
  Counter passes;

  StatisticsScope Scope() const;
  void SetScope(StatisticsScope scope);

 private:
  mutable Mutex mutex_;
  StatisticsScope scope_ GEEPS_GUARDED_BY(mutex_);
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_STATISTICS_H_
