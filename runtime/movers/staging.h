// SPDX-License-Identifier: Apache-2.0
// Staging: the local data of an epoch that does not fit into device memory: the memory that all of it shares, and the
// script of each plan.
// Thread contract: the mover thread, but for what the program's walk uses, which is marked [walk].
#ifndef GEEPS_RUNTIME_MOVERS_STAGING_H_
#define GEEPS_RUNTIME_MOVERS_STAGING_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "runtime/cache/last_use.h"
#include "runtime/device/device.h"
#include "runtime/plan/staging_locals.h"
#include "runtime/plan/staging_script.h"

namespace geeps::movers {

struct Epoch;
struct EpochInput;

// What the options say about memory, and what is known of the device's link.
struct MemoryLimits {
  uint64_t device_bytes = 0;  // 0: what there is
  plan::StagingLink link;
};

struct StagedPlan {
  plan::StagingScript script;
  std::vector<plan::StagedAccess> accesses;  // [walk] by operation
  std::vector<uint32_t> begin_points;        // by operation: the points of the script that its calls reach
  std::vector<uint32_t> end_points;
  std::vector<uint32_t> begins;             // local accesses with rows, by their begin
  std::vector<uint8_t*> homes;              // by item, on the host
  std::vector<uint64_t> bytes;              // by item
  std::vector<device::Event> fetched;       // by fetch of the script
  std::vector<device::Event> written_back;  // by write-back of the script
};

struct Staging {
  explicit Staging(device::Event use) : last_use(std::move(use)) {}

  device::Memory memory;
  std::vector<StagedPlan> plans;  // by set id
  device::Event all_in, all_out;  // behind all fetches and all write-backs that were given when a pass began cold
  cache::LastUse last_use;        // [walk] of `memory`; ends before it

  // [walk] Where the rows of a local access lie.
  uint8_t* DataOf(uint32_t set_id, uint32_t op) const {
    const StagedPlan& plan = plans[set_id];
    const plan::StagedAccess& access = plan.accesses[op];
    if (access.item == plan::StagedAccess::kNone) return memory.bytes();
    return memory.bytes() + plan.script.addresses[access.item][access.use] + access.offset;
  }
};

// Decides where the local data of the epoch lie: on the device, where all of it fits beside tables and access buffers,
// else on the host; then Epoch::staging is made. Prepares their memory. Everything else of the epoch has been
// allocated. Errors: Budget when a plan cannot run, with operation, bytes needed and available; NoMemory.
absl::Status BuildStaging(const EpochInput& input, Epoch* epoch);

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_STAGING_H_
