// SPDX-License-Identifier: Apache-2.0
// The built-in back ends as plugins.
#include <cstring>

#include "runtime/device/device.h"

namespace geeps::device {
namespace {

template <const geeps_device* (*kTable)()>
const void* GetInterface(const char* id) {
  return std::strcmp(id, GEEPS_DEVICE_ID) == 0 ? kTable() : nullptr;
}

template <const geeps_device* (*kTable)()>
constexpr geeps_plugin PluginNamed(const char* name) {
  return {sizeof(geeps_plugin),  GEEPS_PLUGIN_ABI,     name, "1", "Apache-2.0",
          "built into libgeeps", &GetInterface<kTable>};
}

constexpr geeps_plugin kHost = PluginNamed<&HostDeviceTable>("host");
constexpr geeps_plugin kDeferred = PluginNamed<&DeferredDeviceTable>("deferred");

}  // namespace

const geeps_plugin* HostPlugin(uint32_t /*host_abi*/) { return &kHost; }
const geeps_plugin* DeferredPlugin(uint32_t /*host_abi*/) { return &kDeferred; }

}  // namespace geeps::device
