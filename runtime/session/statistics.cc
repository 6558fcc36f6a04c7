// SPDX-License-Identifier: Apache-2.0
// Statistics of a runtime as JSON.
#include "absl/strings/str_cat.h"
#include "runtime/session/runtime.h"

namespace geeps::session {
namespace {

void Add(std::string* json, absl::string_view key, uint64_t value, bool last = false) {
  absl::StrAppend(json, "    \"", key, "\": ", value, last ? "\n" : ",\n");
}

}  // namespace

std::string Runtime::StatsJson() const {
  const movers::Statistics& stats = engine_.statistics();
  const geeps_dev_info memory = device_->CurrentInfo();
  std::string json = absl::StrCat("{\n  \"rank\": ", config_.rank, ",\n  \"world\": ", config_.world,
                                  ",\n  \"clock\": ", clock(), ",\n  \"bytes\": {\n");
  Add(&json, "contribution_bytes_sent", stats.contribution_bytes_sent.Get());
  Add(&json, "contribution_bytes_local", stats.contribution_bytes_local.Get());
  Add(&json, "publish_bytes_sent", stats.publish_bytes_sent.Get());
  Add(&json, "publish_bytes_local", stats.publish_bytes_local.Get());
  Add(&json, "fill_bytes", stats.fill_bytes.Get());
  Add(&json, "drain_bytes", stats.drain_bytes.Get(), true);
  json += "  },\n  \"messages\": {\n";
  Add(&json, "contributions_sent", stats.contributions_sent.Get());
  Add(&json, "contributions_local", stats.contributions_local.Get());
  Add(&json, "publishes_sent", stats.publishes_sent.Get());
  Add(&json, "publishes_local", stats.publishes_local.Get());
  Add(&json, "without_values_sent", stats.control_messages_sent.Get(), true);
  json += "  },\n  \"operations\": {\n";
  Add(&json, "fills", stats.fills.Get());
  Add(&json, "drains", stats.drains.Get());
  Add(&json, "in_place_reads", stats.in_place_reads.Get());
  Add(&json, "in_place_updates", stats.in_place_updates.Get());
  Add(&json, "clocks_applied", stats.applied.Get());
  Add(&json, "passes", stats.passes.Get(), true);
  json += "  },\n  \"waiting\": {\n";
  Add(&json, "waits", stats.waits.Get());
  Add(&json, "wait_ns", stats.wait_ns.Get(), true);
  json += "  },\n  \"memory\": {\n";
  Add(&json, "device_bytes", memory.memory_used);
  Add(&json, "pinned_bytes", memory.pinned_used, true);
  json += "  }\n}\n";
  return json;
}

}  // namespace geeps::session
