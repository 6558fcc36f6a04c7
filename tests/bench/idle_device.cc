// SPDX-License-Identifier: Apache-2.0
// geeps_device_idle.so: the host back end, whose additions of rows and steps of rules do nothing. What measures it and
// checks its sums must complain.
#include <cstring>

#include "geeps_device.h"
#include "runtime/device/device.h"

namespace {

geeps_status MoveRows(geeps_dev_stream* stream, const geeps_row_move* moves, uint64_t num_moves, geeps_error* err) {
  if (num_moves > 0 && moves[0].mode == GEEPS_MOVE_ADD) return GEEPS_OK;
  return geeps::device::HostDeviceTable()->move_rows(stream, moves, num_moves, err);
}

geeps_status Apply(geeps_dev_stream* /*stream*/, const geeps_apply* /*applies*/, uint64_t /*num_applies*/,
                   geeps_error* /*err*/) {
  return GEEPS_OK;
}

const void* GetInterface(const char* id) {
  static const geeps_device table = [] {
    geeps_device idle = *geeps::device::HostDeviceTable();
    idle.move_rows = MoveRows;
    idle.apply = Apply;
    return idle;
  }();
  return std::strcmp(id, GEEPS_DEVICE_ID) == 0 ? &table : nullptr;
}

}  // namespace

extern "C" GEEPS_PLUGIN_EXPORT const geeps_plugin* geeps_plugin_query(uint32_t /*host_abi*/) {
  static const geeps_plugin plugin = {sizeof(geeps_plugin), GEEPS_PLUGIN_ABI, "idle",      "1",
                                      "Apache-2.0",         "for tests",      GetInterface};
  return &plugin;
}
