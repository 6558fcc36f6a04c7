// SPDX-License-Identifier: Apache-2.0
#include "runtime/net/plugin_table.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "geeps_device.h"
#include "geeps_rule.h"
#include "geeps_source.h"
#include "geeps_transport.h"
#include "runtime/base/status.h"

namespace geeps::net {
namespace {

struct TableSlot {
  const char* name;
  size_t offset;
};

#define GEEPS_SLOT(type, name) {#name, offsetof(type, name)}

constexpr TableSlot kTransportSlots[] = {
    GEEPS_SLOT(geeps_transport, create),   GEEPS_SLOT(geeps_transport, destroy),  GEEPS_SLOT(geeps_transport, address),
    GEEPS_SLOT(geeps_transport, connect),  GEEPS_SLOT(geeps_transport, accept),   GEEPS_SLOT(geeps_transport, close),
    GEEPS_SLOT(geeps_transport, slot_set), GEEPS_SLOT(geeps_transport, slot_arm), GEEPS_SLOT(geeps_transport, send),
    GEEPS_SLOT(geeps_transport, poll),     GEEPS_SLOT(geeps_transport, event_fd), GEEPS_SLOT(geeps_transport, arm),
    GEEPS_SLOT(geeps_transport, wake),     GEEPS_SLOT(geeps_transport, stats)};
constexpr TableSlot kMapSlots[] = {
    GEEPS_SLOT(geeps_transport_map, segment_create), GEEPS_SLOT(geeps_transport_map, segment_export),
    GEEPS_SLOT(geeps_transport_map, segment_import), GEEPS_SLOT(geeps_transport_map, segment_release),
    GEEPS_SLOT(geeps_transport_map, notify)};
// get_sample_name may be NULL.
constexpr TableSlot kSourceSlots[] = {
    GEEPS_SLOT(geeps_source_api, open),         GEEPS_SLOT(geeps_source_api, close),     GEEPS_SLOT(geeps_source_api, describe),
    GEEPS_SLOT(geeps_source_api, get_field),    GEEPS_SLOT(geeps_source_api, configure), GEEPS_SLOT(geeps_source_api, seek),
    GEEPS_SLOT(geeps_source_api, enqueue),      GEEPS_SLOT(geeps_source_api, dequeue),
    GEEPS_SLOT(geeps_source_api, get_event_fd), GEEPS_SLOT(geeps_source_api, cancel),
    GEEPS_SLOT(geeps_source_api, save_state),   GEEPS_SLOT(geeps_source_api, load_state),
    GEEPS_SLOT(geeps_source_api, get_stats)};
constexpr TableSlot kDeviceSlots[] = {
    GEEPS_SLOT(geeps_device, list),              GEEPS_SLOT(geeps_device, create),
    GEEPS_SLOT(geeps_device, destroy),           GEEPS_SLOT(geeps_device, get_info),
    GEEPS_SLOT(geeps_device, alloc),             GEEPS_SLOT(geeps_device, free),
    GEEPS_SLOT(geeps_device, stream_create),     GEEPS_SLOT(geeps_device, stream_destroy),
    GEEPS_SLOT(geeps_device, stream_get_native), GEEPS_SLOT(geeps_device, stream_wait),
    GEEPS_SLOT(geeps_device, event_create),      GEEPS_SLOT(geeps_device, event_destroy),
    GEEPS_SLOT(geeps_device, event_record),      GEEPS_SLOT(geeps_device, event_query),
    GEEPS_SLOT(geeps_device, event_wait),        GEEPS_SLOT(geeps_device, event_notify),
    GEEPS_SLOT(geeps_device, copy),              GEEPS_SLOT(geeps_device, fill),
    GEEPS_SLOT(geeps_device, index_create),      GEEPS_SLOT(geeps_device, index_destroy),
    GEEPS_SLOT(geeps_device, move_rows),         GEEPS_SLOT(geeps_device, apply)};
// The others may be NULL, or follow from numbers in the table: device::CheckFunctions.
constexpr TableSlot kRuleSlots[] = {GEEPS_SLOT(geeps_rule, step_f32), GEEPS_SLOT(geeps_rule, step_f64)};

#undef GEEPS_SLOT

absl::Span<const TableSlot> SlotsOf(absl::string_view id) {
  if (id == GEEPS_TRANSPORT_ID) return kTransportSlots;
  if (id == GEEPS_TRANSPORT_MAP_ID) return kMapSlots;
  if (id == GEEPS_SOURCE_ID) return kSourceSlots;
  if (id == GEEPS_DEVICE_ID) return kDeviceSlots;
  if (id == GEEPS_RULE_ID) return kRuleSlots;
  return {};
}

}  // namespace

absl::Status CheckTable(absl::string_view id, const void* table) {
  const uint8_t* const bytes = static_cast<const uint8_t*>(table);
  uint32_t table_bytes = 0;
  const absl::Span<const TableSlot> slots = SlotsOf(id);
  if (slots.empty()) return absl::OkStatus();
  std::memcpy(&table_bytes, bytes, sizeof(table_bytes));
  for (const TableSlot& slot : slots) {
    const size_t end = slot.offset + sizeof(void*);
    if (end > table_bytes) {
      return MakeStatus(Code::kAbi, absl::StrCat("its table ", id, " has ", table_bytes, " bytes and ends before the required slot ",
                                                 slot.name, ", which ends at ", end));
    }
    const void* function = nullptr;
    std::memcpy(&function, bytes + slot.offset, sizeof(function));
    if (function == nullptr) return MakeStatus(Code::kAbi, absl::StrCat("its table ", id, " has NULL in the required slot ", slot.name));
  }
  return absl::OkStatus();
}

}  // namespace geeps::net
