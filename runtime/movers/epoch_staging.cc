// SPDX-License-Identifier: Apache-2.0
// Where the local data of an epoch lie.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/movers/epoch.h"
#include "runtime/plan/staging_addresses.h"

namespace geeps::movers {
namespace {

// Addresses of staged data are multiples of it, as those of device memory are.
constexpr uint64_t kAlign = 256;
// What is staged moves in pieces of at most this part of the memory for it, but of no fewer bytes than a transfer is
// worth.
constexpr uint64_t kPiecesOfMemory = 64;
constexpr uint64_t kPieceBytesMin = 64 << 10;
// Of an operation that nobody has told the time of.
constexpr uint64_t kOperationNs = 1000000;

uint64_t RoundUp(uint64_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

uint64_t IfOnDevice(const device::Memory& memory) {
  return memory && memory.kind() == device::MemoryKind::kDevice ? memory.size() : 0;
}

// Device memory of tables and access buffers.
uint64_t TableBytes(const EpochInput& input, const Epoch& epoch) {
  uint64_t bytes = epoch.arena.size();
  for (const EpochTable& table : epoch.tables) {
    bytes += IfOnDevice(table.cache_memory) + IfOnDevice(table.log_memory);
    for (const Landing& landing : table.landings) bytes += IfOnDevice(landing.own);
  }
  for (const Kept& kept : epoch.kept) {
    for (const Kept::Participant& participant : kept.participants) {
      bytes += IfOnDevice(participant.staging);
      for (const device::Memory& slot : participant.slot_memory) bytes += IfOnDevice(slot);
      for (const device::Memory& upload : participant.uploads) bytes += IfOnDevice(upload);
    }
    if (kept.shard->home != input.device_home) continue;
    bytes += IfOnDevice(kept.shard->memory);
    for (const auto& memory : {kept.shard->masters, kept.shard->steps}) {
      if (memory != nullptr) bytes += IfOnDevice(*memory);
    }
    for (const std::shared_ptr<device::Memory>& state : kept.shard->states) {
      if (state != nullptr) bytes += IfOnDevice(*state);
    }
  }
  return bytes;
}

// The step behind which the most is held, and how much.
struct Peak {
  uint32_t step = 0;
  uint64_t bytes = 0;
};

Peak FindPeak(const std::vector<plan::StagingItem>& items, size_t num_steps) {
  std::vector<uint64_t> change(num_steps + 1);  // sums of it are what is held
  for (const plan::StagingItem& item : items) {
    for (const plan::StagingUse& use : item.uses) {
      change[use.first] += RoundUp(item.bytes);
      change[use.last + size_t{1}] -= RoundUp(item.bytes);
    }
  }
  Peak peak;
  uint64_t held = 0;
  for (uint32_t step = 0; step < num_steps; ++step) {
    held += change[step];
    if (held > peak.bytes) peak = {step, held};
  }
  return peak;
}

// available: bytes for local data; tables: those of tables and access buffers.
absl::Status TooSmall(const EpochInput& input, const plan::RecordedPlan& recorded, const Peak& peak, uint64_t available,
                      uint64_t tables) {
  return MakeStatus(Code::kBudget,
                    absl::StrCat("plan '", recorded.name, "' holds ", peak.bytes, " bytes of local data at once from ",
                                 plan::NameOfOperation(recorded, recorded.steps[peak.step].op), " on; ", available,
                                 " are left for it of device_memory = ", input.limits.device_bytes, ": ", tables,
                                 " are those of tables and access buffers"));
}

absl::Status CreateEvents(const device::Device& device, size_t count, std::vector<device::Event>* events) {
  events->resize(count);
  for (device::Event& event : *events) {
    GEEPS_ASSIGN_OR_RETURN(event, device.CreateEvent());
  }
  return absl::OkStatus();
}

absl::Status StagePlan(const EpochInput& input, uint32_t set_id, uint64_t available, uint64_t tables,
                       const Epoch& epoch, StagedPlan* staged, uint64_t* bytes) {
  const plan::RecordedPlan& recorded = *input.plans[set_id];
  const uint64_t piece_bytes = std::max(available / kPiecesOfMemory / kAlign * kAlign, kPieceBytesMin);
  plan::StagedLocals locals = plan::FindStagedLocals(epoch.layout, set_id, recorded, piece_bytes, kAlign);
  staged->accesses = std::move(locals.accesses);
  for (const plan::Operation& op : recorded.ops) {
    staged->begin_points.push_back(op.begin_step);
    staged->end_points.push_back(op.end_step);
  }
  for (uint32_t op = 0; op < recorded.ops.size(); ++op) {
    if (staged->accesses[op].item != plan::StagedAccess::kNone) staged->begins.push_back(op);
  }
  std::sort(staged->begins.begin(), staged->begins.end(),
            [&](uint32_t a, uint32_t b) { return recorded.ops[a].begin_step < recorded.ops[b].begin_step; });
  if (locals.items.empty()) return absl::OkStatus();

  const Peak peak = FindPeak(locals.items, recorded.steps.size());
  if (peak.bytes > available) return TooSmall(input, recorded, peak, available, tables);
  plan::StagingProblem problem;
  problem.op_ns.assign(recorded.steps.size(), kOperationNs);
  problem.items = std::move(locals.items);
  problem.budget = available;
  problem.link = input.limits.link;
  absl::StatusOr<plan::StagingPlan> plan = plan::StageAndPlace(problem, locals.pieces, kAlign);
  if (!plan.ok()) return Prefixed(plan.status(), absl::StrCat("plan '", recorded.name, "'"));
  GEEPS_ASSIGN_OR_RETURN(staged->script, plan::WriteStagingScript(problem, *plan));
  *bytes = std::max(*bytes, plan->addresses.bytes);
  for (uint32_t i = 0; i < problem.items.size(); ++i) {
    const plan::StagedHome& home = locals.homes[i];
    staged->homes.push_back(epoch.locals[home.local]->next_data() + home.offset);
    staged->bytes.push_back(problem.items[i].bytes);
  }
  GEEPS_RETURN_IF_ERROR(CreateEvents(*input.device, staged->script.fetches.size(), &staged->fetched));
  return CreateEvents(*input.device, staged->script.write_backs.size(), &staged->written_back);
}

}  // namespace

absl::Status BuildStaging(const EpochInput& input, Epoch* epoch) {
  uint64_t local_bytes = 0;
  for (const std::shared_ptr<cache::LocalData>& local : epoch->locals) local_bytes += RoundUp(local->bytes());
  const uint64_t tables = TableBytes(input, *epoch);
  const uint64_t limit = input.limits.device_bytes;
  if (limit > 0 && tables > limit) {
    return MakeStatus(Code::kBudget, absl::StrCat("tables and access buffers need ", tables,
                                                  " bytes of device memory; device_memory = ", limit));
  }
  const bool all_fit = limit == 0 || local_bytes <= limit - tables;
  const auto kind = all_fit ? device::MemoryKind::kDevice : device::MemoryKind::kPinned;
  for (const std::shared_ptr<cache::LocalData>& local : epoch->locals) {
    GEEPS_RETURN_IF_ERROR(local->Prepare(*input.device, kind));
  }
  if (all_fit) return absl::OkStatus();
  GEEPS_ASSIGN_OR_RETURN(device::Event last_use, input.device->CreateEvent());
  epoch->staging = std::make_unique<Staging>(std::move(last_use));
  epoch->staging->plans.resize(epoch->plans.size());
  GEEPS_ASSIGN_OR_RETURN(epoch->staging->all_in, input.device->CreateEvent());
  GEEPS_ASSIGN_OR_RETURN(epoch->staging->all_out, input.device->CreateEvent());
  uint64_t bytes = 0;
  for (uint32_t set_id = 0; set_id < epoch->plans.size(); ++set_id) {
    GEEPS_RETURN_IF_ERROR(StagePlan(input, set_id, (limit - tables) / kAlign * kAlign, tables, *epoch,
                                    &epoch->staging->plans[set_id], &bytes));
    for (const uint32_t op : epoch->staging->plans[set_id].begins) {
      GEEPS_ASSIGN_OR_RETURN(epoch->plans[set_id].posted[op], input.device->CreateEvent());
    }
  }
  GEEPS_ASSIGN_OR_RETURN(epoch->staging->memory, input.device->Allocate(device::MemoryKind::kDevice, bytes));
  return absl::OkStatus();
}

}  // namespace geeps::movers
