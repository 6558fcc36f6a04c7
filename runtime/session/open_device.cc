// SPDX-License-Identifier: Apache-2.0
#include "runtime/session/open_device.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "runtime/base/status.h"

namespace geeps::session {
namespace {

constexpr int32_t kDevicesMax = 1024;

bool IsBuiltIn(absl::string_view spec) {
  const absl::string_view name = spec.substr(0, spec.find(':'));
  return name == "host" || name == "deferred";
}

absl::StatusOr<std::unique_ptr<device::Device>> OpenBroughtBy(net::PluginRegistry* registry,
                                                              absl::string_view name_or_path, int32_t device_id) {
  GEEPS_ASSIGN_OR_RETURN(const std::string name, registry->Load(name_or_path));
  GEEPS_ASSIGN_OR_RETURN(const net::PluginRegistry::Interface plugin, registry->GetInterface(name, GEEPS_DEVICE_ID));
  return device::Device::Create(static_cast<const geeps_device*>(plugin.table), plugin.host, device_id, "", 0);
}

absl::StatusOr<std::unique_ptr<device::Device>> OpenPlugin(net::PluginRegistry* registry, absl::string_view spec) {
  absl::string_view name_or_path = spec;
  int32_t device_id = -1;
  const size_t colon = spec.rfind(':');
  if (colon != absl::string_view::npos) {
    if (!absl::SimpleAtoi(spec.substr(colon + 1), &device_id) || device_id < 0 || device_id >= kDevicesMax) {
      return Invalid("device ", spec, ": behind the last ':' stands the number of a device, from 0 on");
    }
    name_or_path = spec.substr(0, colon);
  }
  if (name_or_path.empty()) return Invalid("device '", spec, "' names no back end");
  auto device = OpenBroughtBy(registry, name_or_path, device_id);
  if (!device.ok()) return Prefixed(device.status(), absl::StrCat("device ", spec));
  return device;
}

}  // namespace

absl::StatusOr<std::unique_ptr<device::Device>> OpenDevice(net::PluginRegistry* registry, Log* log,
                                                           const std::string& spec) {
  if (IsBuiltIn(spec)) return device::Open(spec);
  if (spec != "auto") return OpenPlugin(registry, spec);
  auto device = OpenPlugin(registry, "cuda");
  if (device.ok()) {
    log->Write(LogLevel::kInfo, "device", absl::StrCat("device auto: cuda, ", (*device)->info().name));
    return device;
  }
  log->Write(LogLevel::kInfo, "device",
             absl::StrCat("device auto: host, because cuda cannot be used: ", device.status().message()));
  return device::Open("host");
}

}  // namespace geeps::session
