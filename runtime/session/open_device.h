// SPDX-License-Identifier: Apache-2.0
// OpenDevice: the device that the option `device` names: a built-in back end, one that a plugin brings, or the best that
// there is. Thread contract: any thread.
#ifndef GEEPS_RUNTIME_SESSION_OPEN_DEVICE_H_
#define GEEPS_RUNTIME_SESSION_OPEN_DEVICE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/base/log.h"
#include "runtime/device/device.h"
#include "runtime/net/plugin.h"

namespace geeps::session {

// spec: "host", "deferred:VARIANT", NAME or PATH of a plugin with ":N" behind it for its device number N (else 0), or "auto":
// cuda where it can be used, else host, with the reason as an info line. The registry outlives the device.
// Errors: those of the built-in ones, of the registry and of the back end, with the name in front.
absl::StatusOr<std::unique_ptr<device::Device>> OpenDevice(net::PluginRegistry* registry, Log* log,
                                                           const std::string& spec);

}  // namespace geeps::session

#endif  // GEEPS_RUNTIME_SESSION_OPEN_DEVICE_H_
