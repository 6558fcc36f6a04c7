// SPDX-License-Identifier: Apache-2.0
// geeps_device_counted.so: see counts.h.
#include <cstring>

#include "tools/geeps/counted/counts.h"

namespace geeps::tool {
namespace {

WorkCounts counts;
const geeps_device* real = nullptr;
const geeps_host* real_host = nullptr;
geeps_device counted = {};

geeps_status NoBackEnd(geeps_error* err) {
  if (err != nullptr && err->struct_size >= sizeof(geeps_error)) {
    err->code = GEEPS_E_STATE;
    err->rank = -1;
    std::strncpy(err->message, "the module that counts was given no back end", sizeof err->message - 1);
  }
  return GEEPS_E_STATE;
}

geeps_status List(const geeps_host* /*host*/, geeps_dev_info* out, uint64_t stride, uint64_t cap, uint64_t* num,
                  geeps_error* err) {
  return real == nullptr ? NoBackEnd(err) : real->list(real_host, out, stride, cap, num, err);
}

geeps_status Create(const geeps_host* /*host*/, const geeps_dev_config* config, geeps_dev** out, geeps_error* err) {
  return real == nullptr ? NoBackEnd(err) : real->create(real_host, config, out, err);
}

geeps_status Copy(geeps_dev_stream* stream, void* dst, const void* src, uint64_t bytes, geeps_error* err) {
  counts.copies.fetch_add(1, std::memory_order_relaxed);
  counts.copied_bytes.fetch_add(bytes, std::memory_order_relaxed);
  return real->copy(stream, dst, src, bytes, err);
}

geeps_status Fill(geeps_dev_stream* stream, void* dst, uint8_t value, uint64_t bytes, geeps_error* err) {
  counts.fills.fetch_add(1, std::memory_order_relaxed);
  return real->fill(stream, dst, value, bytes, err);
}

geeps_status MoveRows(geeps_dev_stream* stream, const geeps_row_move* moves, uint64_t num_moves, geeps_error* err) {
  counts.moves.fetch_add(1, std::memory_order_relaxed);
  return real->move_rows(stream, moves, num_moves, err);
}

geeps_status Apply(geeps_dev_stream* stream, const geeps_apply* applies, uint64_t num_applies, geeps_error* err) {
  counts.applies.fetch_add(1, std::memory_order_relaxed);
  return real->apply(stream, applies, num_applies, err);
}

void Use(const geeps_device* table, const geeps_host* host) {
  real = table;
  real_host = host;
  counted = *table;
  counted.struct_size = sizeof counted;
  counted.list = List;
  counted.create = Create;
  counted.copy = Copy;
  counted.fill = Fill;
  counted.move_rows = MoveRows;
  counted.apply = Apply;
}

const void* GetInterface(const char* id) {
  static const CountsInterface interface = {Use, &counts};
  if (std::strcmp(id, kCountsId) == 0) return &interface;
  return std::strcmp(id, GEEPS_DEVICE_ID) == 0 && real != nullptr ? &counted : nullptr;
}

}  // namespace
}  // namespace geeps::tool

extern "C" const geeps_plugin* geeps_plugin_query(uint32_t /*host_abi*/) {
  static const geeps_plugin plugin = {sizeof(geeps_plugin),     GEEPS_PLUGIN_ABI, "counted",
                                      GEEPS_COUNTED_VERSION,    "Apache-2.0",     "for geeps bench gpu",
                                      geeps::tool::GetInterface};
  return &plugin;
}
