// SPDX-License-Identifier: Apache-2.0
// Statistics of a runtime as JSON; docs/statistics.md says what each number means.
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/json.h"
#include "runtime/session/runtime.h"

namespace geeps::session {
namespace {

using Fields = std::vector<std::pair<absl::string_view, uint64_t>>;

std::string Object(const Fields& fields) {
  return absl::StrCat("{", absl::StrJoin(fields, ", ", [](std::string* out, const Fields::value_type& field) {
                        absl::StrAppend(out, "\"", field.first, "\": ", field.second);
                      }), "}");
}

// The fields as lines of their own, at the end of the text.
void AddSection(absl::string_view name, const Fields& fields, std::string* json) {
  absl::StrAppend(json, "  \"", name, "\": {\n",
                  absl::StrJoin(fields, ",\n", [](std::string* out, const Fields::value_type& field) {
                    absl::StrAppend(out, "    \"", field.first, "\": ", field.second);
                  }), "\n  },\n");
}

// The time is the sum of its causes at any moment, however far the counters have come.
Fields WaitFields(const movers::WaitCounters& waiting) {
  const uint64_t imbalance_ns = waiting.imbalance_ns.Get();
  const uint64_t stall_ns = waiting.stall_ns.Get();
  const uint64_t begin_ns = waiting.begin_ns.load(std::memory_order_relaxed);
  return {{"waits", waiting.waits.Get()},
          {"wait_ns", imbalance_ns + stall_ns},
          {"imbalance_ns", imbalance_ns},
          {"stall_ns", stall_ns},
          {"now_ns", begin_ns == 0 ? 0 : SteadyNs() - begin_ns}};
}

// Reads by staleness, up to the largest one that there was.
std::string StalenessJson(const movers::TableCounters& table) {
  size_t num = table.reads_by_staleness.size();
  while (num > 0 && table.reads_by_staleness[num - 1].Get() == 0) --num;
  std::string json = "[";
  for (size_t i = 0; i < num; ++i) absl::StrAppend(&json, i == 0 ? "" : ", ", table.reads_by_staleness[i].Get());
  return json + "]";
}

std::string SlotsJson(const movers::TableSlots& slots) {
  return Object({{"log_entries", slots.log_entries},
                 {"log_filling", slots.log_filling.Get()},
                 {"log_complete", slots.log_complete.Get()},
                 {"log_fired", slots.log_fired.Get()},
                 {"log_in_use_max", slots.log_in_use.largest()},
                 {"landing_slots", slots.landing_slots},
                 {"landing_in_use", slots.landed.Get()},
                 {"landing_in_use_max", slots.landed.largest()},
                 {"version_buffers", slots.version_buffers},
                 {"publishes_in_flight", slots.publishing.Get()},
                 {"publishes_in_flight_max", slots.publishing.largest()}});
}

std::string TableJson(const movers::TableCounters& table, const movers::TableMemory& memory,
                      const movers::TableSlots& slots) {
  return absl::StrCat(
      "    {\"name\": ", JsonQuoted(table.schema.name), ", \"num_rows\": ", table.schema.num_rows,
      ", \"row_values\": ", table.schema.row_values, ", \"dtype\": ", JsonQuoted(DTypeName(table.schema.dtype)),
      ", \"rule\": ", JsonQuoted(table.schema.rule->name), ", \"kept_rows\": ", memory.kept_rows,
      ",\n     \"contribution_bytes_sent\": ", table.contribution_bytes_sent.Get(),
      ", \"contribution_bytes_local\": ", table.contribution_bytes_local.Get(),
      ", \"contribution_bytes_received\": ", table.contribution_bytes_received.Get(),
      ", \"publish_bytes_sent\": ", table.publish_bytes_sent.Get(),
      ", \"publish_bytes_local\": ", table.publish_bytes_local.Get(),
      ", \"publish_bytes_received\": ", table.publish_bytes_received.Get(),
      ", \"clocks_applied\": ", table.applied.Get(), ",\n     \"waiting\": ", Object(WaitFields(table.waiting)),
      ",\n     \"age_max\": ", table.age_max.Get(), ", \"reads_by_staleness\": ", StalenessJson(table),
      ",\n     \"slots\": ", SlotsJson(slots), ",\n     \"memory\": ",
      Object({{"cache", memory.cache},
              {"log", memory.log},
              {"shard", memory.shard},
              {"rule_state", memory.rule_state},
              {"landing", memory.landing},
              {"staging", memory.staging}}),
      "}");
}

const char* KindName(plan::OpKind kind) {
  switch (kind) {
    case plan::OpKind::kRead:
      return "read";
    case plan::OpKind::kUpdate:
      return "update";
    case plan::OpKind::kLocal:
      return "local";
  }
  return "?";
}

std::string PlanJson(const movers::PlanCounters& plan) {
  std::string json = absl::StrCat("    {\"name\": ", JsonQuoted(plan.recorded->name), ", \"passes\": ", plan.passes.Get(),
                                  ", \"operations\": [");
  for (size_t i = 0; i < plan.recorded->ops.size(); ++i) {
    const plan::Operation& op = plan.recorded->ops[i];
    const movers::OpCounters& counters = plan.ops[i];
    absl::StrAppend(&json, i == 0 ? "\n" : ",\n", "      {\"operation\": ", i, ", \"kind\": \"", KindName(op.kind),
                    "\", \"of\": ", JsonQuoted(op.object_name), ", \"rows\": ", op.rows.NumRows(),
                    ", \"calls\": ", counters.calls.Get(), ", \"waiting\": ", Object(WaitFields(counters.waiting)),
                    ", \"staleness\": ", counters.staleness.Get(),
                    ", \"staleness_max\": ", counters.staleness_max.Get(), "}");
  }
  return json + "]}";
}

}  // namespace

std::string Runtime::StatsJson(bool ended) const {
  const movers::Statistics& stats = engine_.statistics();
  const movers::StatisticsScope scope = stats.Scope();
  const geeps_dev_info memory = device_->CurrentInfo();
  const absl::Status lost = engine_.failure();
  std::string json = absl::StrCat(
      "{\n  \"rank\": ", config_.rank, ",\n  \"world\": ", config_.world, ",\n  \"clock\": ", clock(),
      ",\n  \"elapsed_ns\": ", SteadyNs() - created_ns_, ",\n  \"process\": ", getpid(), ",\n  \"state\": \"",
      !lost.ok() ? "lost" : ended ? "ended" : "running", "\",\n  \"cause\": ", JsonQuoted(lost.message()), ",\n");
  AddSection("bytes",
             {{"contribution_bytes_sent", stats.contribution_bytes_sent.Get()},
              {"contribution_bytes_local", stats.contribution_bytes_local.Get()},
              {"contribution_bytes_received", stats.contribution_bytes_received.Get()},
              {"publish_bytes_sent", stats.publish_bytes_sent.Get()},
              {"publish_bytes_local", stats.publish_bytes_local.Get()},
              {"publish_bytes_received", stats.publish_bytes_received.Get()},
              {"fill_bytes", stats.fill_bytes.Get()},
              {"drain_bytes", stats.drain_bytes.Get()}},
             &json);
  AddSection("messages",
             {{"contributions_sent", stats.contributions_sent.Get()},
              {"contributions_local", stats.contributions_local.Get()},
              {"publishes_sent", stats.publishes_sent.Get()},
              {"publishes_local", stats.publishes_local.Get()},
              {"without_values_sent", stats.control_messages_sent.Get()}},
             &json);
  AddSection("operations",
             {{"fills", stats.fills.Get()},
              {"drains", stats.drains.Get()},
              {"in_place_reads", stats.in_place_reads.Get()},
              {"in_place_updates", stats.in_place_updates.Get()},
              {"clocks_applied", stats.applied.Get()},
              {"passes", stats.passes.Get()}},
             &json);
  AddSection("waiting", WaitFields(stats.waiting), &json);
  AddSection("memory",
             {{"device_bytes", memory.memory_used},
              {"pinned_bytes", memory.pinned_used},
              {"mapped_bytes", scope.mapped_bytes},
              {"access_buffer_bytes", scope.access_buffer_bytes},
              {"local_bytes", scope.local_bytes}},
             &json);
  json += "  \"tables\": [";
  for (size_t t = 0; t < scope.tables.size(); ++t) {
    absl::StrAppend(&json, t == 0 ? "\n" : ",\n", TableJson(*scope.tables[t], scope.memory[t], *scope.slots[t]));
  }
  json += "],\n  \"plans\": [";
  for (size_t q = 0; q < scope.plans.size(); ++q) {
    absl::StrAppend(&json, q == 0 ? "\n" : ",\n", PlanJson(*scope.plans[q]));
  }
  return json + "]\n}\n";
}

}  // namespace geeps::session
