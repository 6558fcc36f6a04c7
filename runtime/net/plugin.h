// SPDX-License-Identifier: Apache-2.0
// PluginRegistry: the plugins of one runtime, loaded on demand and never unloaded, and the host table that each of them gets.
// A plugin is checked once, when it is loaded and when one of its tables is asked for the first time; later nobody doubts it.
// Thread contract: any thread; a plugin may call its host table from any thread until the registry is destroyed.
#ifndef GEEPS_RUNTIME_NET_PLUGIN_H_
#define GEEPS_RUNTIME_NET_PLUGIN_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "geeps_plugin.h"
#include "runtime/base/log.h"
#include "runtime/base/mutex.h"

namespace geeps::net {

class PluginRegistry {
 public:
  using QueryFunction = const geeps_plugin* (*)(uint32_t host_abi);

  // A table of functions and the host to hand to it. Both live as long as the registry.
  struct Interface {
    const void* table = nullptr;
    const geeps_host* host = nullptr;
    const char* name = "";     // the plugin's
    const char* version = "";  // as it gives it itself; "" when it gives none
  };

  // For listings. Texts are copies.
  struct Info {
    std::string name;
    std::string version;
    std::string license;
    std::string build_info;
    std::string path;  // empty: linked in
  };

  // log outlives the registry. plugin_path: directories separated by ':', searched first.
  PluginRegistry(Log* log, absl::string_view plugin_path);
  ~PluginRegistry();
  PluginRegistry(const PluginRegistry&) = delete;
  PluginRegistry& operator=(const PluginRegistry&) = delete;

  // Loads a plugin by path (it contains a '/') or by name: one that is built in, or geeps_KIND_NAME.so for the kinds transport,
  // source, device and rule, or geeps_NAME.so, in plugin_path, beside libgeeps in geeps/plugins and in plugins. Returns the
  // name it is known by: the one it gives itself. Loading twice is no error.
  // Errors: NotFound, whose text names each file tried with its reason; kAbi for a plugin that does not fit.
  absl::StatusOr<std::string> Load(absl::string_view name_or_path);

  // Adds a plugin that is linked into the program. Returns its name. Adding twice is no error.
  // Errors: Invalid; kAbi; WrongState when another plugin has that name.
  absl::StatusOr<std::string> Add(QueryFunction query);

  // The table `id` of a loaded plugin, checked: its size covers what this host requires and no required slot is NULL.
  // Errors: NotFound when the plugin is not loaded or has no such table; kAbi with path, versions and slot.
  absl::StatusOr<Interface> GetInterface(absl::string_view name, absl::string_view id);

  std::vector<Info> List() const;
  // The directories that Load searches, in order.
  std::vector<std::string> SearchPath() const;

 private:
  struct Plugin;

  absl::StatusOr<std::string> LoadFile(const std::string& path) GEEPS_REQUIRES(mutex_);
  absl::StatusOr<std::string> AddQuery(QueryFunction query, const std::string& path) GEEPS_REQUIRES(mutex_);
  Plugin* Find(absl::string_view name) const GEEPS_REQUIRES(mutex_);

  Log* const log_;
  const std::vector<std::string> directories_;
  mutable Mutex mutex_;
  std::vector<std::unique_ptr<Plugin>> plugins_ GEEPS_GUARDED_BY(mutex_);
};

}  // namespace geeps::net

#endif  // GEEPS_RUNTIME_NET_PLUGIN_H_
