// SPDX-License-Identifier: Apache-2.0
// Epoch: what one commit has made: the layout of this worker's plans, the memory behind it, and the machines of the
// protocol. Built beside the epoch in force and put in its place by the last GO of the commit; not changed in shape
// afterwards.
// Thread contract: the mover thread, but for what the program's walk uses, which is marked [walk].
#ifndef GEEPS_RUNTIME_MOVERS_EPOCH_H_
#define GEEPS_RUNTIME_MOVERS_EPOCH_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/cache/local_data.h"
#include "runtime/cache/shard.h"
#include "runtime/cache/update_log.h"
#include "runtime/device/device.h"
#include "runtime/movers/last_fire.h"
#include "runtime/movers/program_queue.h"
#include "runtime/movers/ring_queue.h"
#include "runtime/movers/segment.h"
#include "runtime/movers/staging.h"
#include "runtime/movers/statistics.h"
#include "runtime/net/transport.h"
#include "runtime/plan/layout.h"
#include "runtime/protocol/contributor.h"
#include "runtime/protocol/keeper.h"
#include "runtime/protocol/sequencer.h"
#include "runtime/protocol/subscriber.h"
#include "runtime/table/segments.h"

namespace geeps::movers {

inline constexpr uint32_t kNone = ~uint32_t{0};

// What leaves for the keepers of a table whose log the host cannot reach, in the order in which the contributor said
// so: a contribution may go when it has been copied to where the host reaches it, and FIRE not before it.
struct Outgoing {
  protocol::ContributorEffect effect;  // kSend, kFire
  bool is_here = true;
};

// A subscriber's memory.
struct Landing {
  uint8_t* memory = nullptr;  // where a publish lands: `own`, or the cache itself
  device::Memory own;
  bool open = false;               // the slot waits for a publish
  const uint8_t* local = nullptr;  // a version of this worker's own shard, instead of a message
  protocol::Age age = 0;           // of what landed last
  uint64_t fired_ns = 0;           // the same: when the last of the others had fired its clock; 0: not known
  // A version of a shard on the same device goes into the cache by it.
  device::RowIndex place;
  protocol::SubscriberEffects after_absorb;  // EpochTable::in_stream_order: what waits for the end of the copy
};

struct EpochTable {
  uint64_t object = 0;
  TableCounters* counters = nullptr;  // in Epoch::statistics
  TableSlots* slots = nullptr;        // the same
  table::TableSchema schema;
  uint32_t first_partition = 0;
  uint32_t num_partitions = 0;
  uint32_t slack_max = 0;
  bool mapped = false;
  bool observer = false;  // this worker takes no part
  bool host_reaches_device = true;
  // What is put into the fill stream counts as done for the subscribers and the reads behind it: what they lead to
  // comes later in that stream. Only what leaves the stream waits for the end: the program, and the keeper, whose
  // version may be overwritten.
  bool in_stream_order = false;
  uint8_t* cache = nullptr;  // [walk] [cache_rows, row_values]
  device::Memory cache_memory;
  cache::UpdateLog log;              // [walk]
  protocol::Clock log_begun = 0;     // clocks below it have got their entry, if they update the table
  protocol::Clock log_complete = 0;  // clocks below it have all their updates in the log
  device::Memory log_memory;
  std::vector<cache::LogHeader> log_headers;  // unless mapped
  // Where the host cannot reach the log: by lane, whether its contributions go to another rank or to partitions kept on
  // the host; and as much pinned memory as the log has, which those leave from.
  std::vector<bool> leaves_device;
  device::Memory log_staging;
  RingQueue<Outgoing> outgoing{16};
  std::vector<protocol::SubscriberPartition> subscribers;  // by TableLayout::subscriptions
  std::vector<Landing> landings;                           // the same
  uint64_t fired_ns = 0;                                   // the largest one of the landings' that were absorbed
  std::vector<bool> frozen;                                // the same: nobody updates the partition
  std::vector<uint32_t> lane_of;          // subscription -> index in the contributor; kNone: frozen, or an observer's
  std::vector<uint32_t> subscription_of;  // the reverse
  std::vector<uint32_t> keepers;          // contributor's keeper index -> rank
  std::unique_ptr<protocol::Contributor> contributor;
  // Mapped tables. The cache is a ring of V versions of the whole table, version_bytes apart: partition p of version a
  // is in buffer a mod V.
  uint32_t num_versions = 1;
  uint64_t version_bytes = 0;
  std::vector<cache::UpdateLog> peer_logs;    // by rank; empty when it has none
  std::vector<uint64_t> peer_log_rows;        // by rank
  std::vector<std::atomic<uint64_t>*> fired;  // by rank
  std::vector<protocol::Clock> fired_seen;    // by rank
  // Ranks whose fired words matter here: they take part in partitions with clocks that this worker keeps. Nobody holds
  // back the others' logs.
  std::vector<uint32_t> watched;
  std::vector<std::atomic<uint64_t>*> ages;  // by partition of the table

  // A publish is received straight into the cache: no reader can hold an older version (R9).
  bool LandsInCache() const {
    return !mapped && host_reaches_device && slack_max == 0 && !schema.read_my_writes && !observer;
  }
};

// A partition that this worker keeps.
struct Kept {
  struct Participant {
    uint32_t rank = 0;
    bool observer = false;
    table::RowSet reads;                 // R(w,p), relative to the partition
    std::vector<table::RowSet> updates;  // U(w,p,q), relative, by plan
    std::vector<uint64_t> log_first;     // mapped: first row of U(w,p,q) in its log entry, by plan
    std::vector<uint8_t*> slots;         // [W] where its contributions land
    std::vector<device::Memory> slot_memory;
    std::vector<device::Memory> uploads;  // [W] where they go from there when the device cannot use them there
    std::vector<const uint8_t*> arrived;  // [W] where the contribution of clock mod W lies now
    device::RowIndex gather;              // rows of a publish that are not one run
    device::Memory staging;
    device::Memory download;               // what is sent to another rank, where the host cannot reach the shard
    protocol::KeeperEffect staged_effect;  // kPublish
  };
  uint32_t partition = 0;
  uint32_t table = 0;
  uint64_t first_row = 0;
  uint64_t num_rows = 0;
  std::unique_ptr<protocol::KeeperPartition> machine;
  std::vector<Participant> participants;
  std::shared_ptr<cache::ShardPartition> shard;
  std::unique_ptr<LastFires> last_fires;
};

// The part of a copied read that lies in one partition of a mapped table with several versions.
struct PartGather {
  uint32_t subscription = 0;
  device::RowIndex index;
};

// Read-my-writes: the rows of an update that are added again to one partition of the cache.
struct OwnPart {
  uint32_t subscription = 0;
  device::RowIndex again;
};

struct EpochPlan {
  PlanCounters* counters = nullptr;      // [walk] in Epoch::statistics
  std::unique_ptr<OpSlot[]> slots;       // [walk] by operation
  std::vector<device::RowIndex> gather;  // by operation
  std::vector<std::vector<PartGather>>
      part_gathers;  // by operation; instead of `gather` where partitions may differ in version
  std::vector<device::RowIndex> store;
  std::vector<device::RowIndex> add;
  std::vector<device::RowIndex> own_add;        // by operation
  std::vector<std::vector<OwnPart>> own_parts;  // by operation
  std::vector<device::Event> filled;            // [walk] by operation: OpSlot::position
  std::vector<device::Event> posted;  // [walk] by operation; the walk records, and tells by ProgramEvent::in_stream
};

struct Epoch {
  uint64_t number = 0;
  protocol::Clock first_clock = 0;
  plan::WorkerLayout layout;                         // [walk]
  std::vector<EpochTable> tables;                    // [walk] by layout
  std::vector<EpochPlan> plans;                      // [walk]
  std::vector<uint32_t> keeper_of_partition;         // by global id
  std::vector<uint32_t> table_of_partition;          // by global id; kNone: a table that is gone
  std::vector<uint32_t> subscription_of_partition;   // index in the table's subscriptions, or kNone
  std::vector<uint32_t> kept_of_partition;           // index in `kept`, or kNone
  std::vector<std::vector<uint32_t>> kept_of_table;  // indexes into `kept`
  std::vector<Kept> kept;
  device::Memory arena;                                   // [walk] access buffers
  std::vector<std::shared_ptr<cache::LocalData>> locals;  // [walk]
  std::unique_ptr<Staging> staging;                       // [walk] nullptr: all local data lies on the device
  std::shared_ptr<SharedSegment> own_segment;             // fired words and logs of the mapped tables
  std::shared_ptr<SharedSegment> version_segment;  // age words and values of the mapped tables; rank 0 has made it
  std::vector<std::shared_ptr<SharedSegment>> peer_segments;  // by rank
  StatisticsScope statistics;
  std::unique_ptr<protocol::Sequencer> sequencer;
  std::unique_ptr<ProgramQueue> queue;  // [walk]
  std::vector<uint32_t> peers;          // ranks that a connection is needed to
};

// What an epoch is built from. Everything is agreed upon or this worker's own.
struct EpochInput {
  uint32_t rank = 0;
  uint32_t world = 1;
  uint64_t number = 0;
  protocol::Clock clock = 0;
  plan::LayoutInput layout;  // slack_max: agreed
  std::vector<std::shared_ptr<cache::LocalData>> locals;
  const device::Device* device = nullptr;
  const cache::Home* device_home = nullptr;  // on the program's device
  const cache::Home* host_home = nullptr;    // the same where that is the host
  // Memory that transports write and read: the device's own where the host reaches it.
  device::MemoryKind WireMemory() const {
    return device->is_host_accessible() ? device::MemoryKind::kDevice : device::MemoryKind::kPinned;
  }
  MemoryLimits limits;
  const net::Endpoint* endpoint = nullptr;                       // for memory that is mapped
  const cache::ShardMap* shards = nullptr;                       // of the epoch in force
  std::vector<std::shared_ptr<const plan::RecordedPlan>> plans;  // those of `layout`
  StatisticsScope statistics;                                    // of the epoch in force
};

// Steps of BuildEpoch and FinishEpoch: the counters of its tables and plans, their slots, and what its memory is.
void AttachCounters(const EpochInput& input, Epoch* epoch);
void CountSlots(Epoch* epoch);
void CountMemory(const EpochInput& input, Epoch* epoch);
// The use of the table's log has changed, or may have.
void NoteLog(EpochTable* table);

// An epoch is built in three steps, between which the workers tell one another what they need (docs/architecture.md,
// "The road of a commit"). On an error the half-built epoch is dropped; nothing else has changed.
//
// 1. The own side: layout, cache, log, access buffers; memory that peers will map.
absl::StatusOr<std::unique_ptr<Epoch>> BuildEpoch(const EpochInput& input);
// What this worker tells `dst` after step 1: its row sets in the partitions that dst keeps, and how to map its memory.
absl::StatusOr<std::string> SetsFor(const EpochInput& input, const Epoch& epoch, uint32_t dst);
// 2. The kept partitions. sets: by rank, what each worker told (the own entry included). new_shards receives the
// epoch's shards.
absl::Status BuildKept(const EpochInput& input, absl::Span<const std::string> sets, Epoch* epoch,
                       cache::ShardMap* new_shards);
// What this worker tells `dst` after step 2: which partitions that it keeps nobody updates.
std::string FrozenFor(const Epoch& epoch, uint32_t dst);
// 3. The machines of the own side. frozen: by rank, what each worker told.
absl::Status FinishEpoch(const EpochInput& input, absl::Span<const std::string> frozen, Epoch* epoch);

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_EPOCH_H_
