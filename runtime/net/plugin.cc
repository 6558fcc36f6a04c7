// SPDX-License-Identifier: Apache-2.0
#include "runtime/net/plugin.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "runtime/base/status.h"
#include "runtime/device/device.h"
#include "runtime/net/plugin_table.h"
#include "transports/inproc/inproc.h"

namespace geeps::net {
namespace {

constexpr const char* kKinds[] = {"transport_", "source_", "device_", "rule_", ""};
constexpr PluginRegistry::QueryFunction kBuiltIn[] = {&inproc::Query, &device::HostPlugin, &device::DeferredPlugin};
constexpr uint64_t kAlignmentMax = 1 << 21;

std::string VersionText(uint32_t abi) { return absl::StrCat(abi >> 16, ".", abi & 0xffff); }

// The directory of the library (or program) that holds this function, without links and "..", as it is printed to people;
// empty when the system does not say.
std::string OwnDirectory() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&OwnDirectory), &info) == 0 || info.dli_fname == nullptr) return "";
  const std::string path = info.dli_fname;
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash);
  const std::unique_ptr<char, decltype(&std::free)> resolved(realpath(directory.c_str(), nullptr), &std::free);
  return resolved == nullptr ? directory : resolved.get();
}

std::vector<std::string> Directories(absl::string_view plugin_path) {
  std::vector<std::string> directories;
  for (const absl::string_view directory : absl::StrSplit(plugin_path, ':', absl::SkipEmpty())) {
    directories.emplace_back(directory);
  }
  const std::string own = OwnDirectory();
  if (own.empty()) return directories;
  directories.push_back(own + "/geeps/plugins");
  directories.push_back(own + "/plugins");
  return directories;
}

void HostLog(void* ctx, int32_t level, const char* component, const char* text, uint64_t len) {
  if (level < GEEPS_LOG_ERROR || level > GEEPS_LOG_DEBUG || text == nullptr) return;
  static_cast<Log*>(ctx)->Write(static_cast<LogLevel>(level), component == nullptr ? "plugin" : component,
                                absl::string_view(text, len));
}

void* HostAlloc(void*, uint64_t bytes, uint64_t align) {
  if (align == 0 || (align & (align - 1)) != 0 || align > kAlignmentMax) return nullptr;
  void* memory = nullptr;
  return posix_memalign(&memory, align < sizeof(void*) ? sizeof(void*) : align, bytes == 0 ? 1 : bytes) == 0 ? memory : nullptr;
}

void HostFree(void*, void* memory, uint64_t, uint64_t) { std::free(memory); }

const void* HostExtension(void*, const char*) { return nullptr; }

// "DIRECTORY: only geeps_source_idx.so, geeps_transport_tcp.so": what is there in place of what was looked for.
std::string Contents(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::string file = it->path().filename().string();
    if (absl::StartsWith(file, "geeps_") && absl::EndsWith(file, ".so")) files.push_back(std::move(file));
  }
  if (error) return absl::StrCat(directory, ": ", error.message());
  std::sort(files.begin(), files.end());
  return absl::StrCat(directory, files.empty() ? ": no plugin" : ": only ", absl::StrJoin(files, ", "));
}

bool Exists(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0;
}

}  // namespace

struct PluginRegistry::Plugin {
  const geeps_plugin* descriptor = nullptr;
  QueryFunction query = nullptr;
  std::string path;  // empty: linked in
  geeps_host host{};
};

PluginRegistry::PluginRegistry(Log* log, absl::string_view plugin_path) : log_(log), directories_(Directories(plugin_path)) {}

PluginRegistry::~PluginRegistry() = default;

std::vector<std::string> PluginRegistry::SearchPath() const { return directories_; }

PluginRegistry::Plugin* PluginRegistry::Find(absl::string_view name) const {
  for (const auto& plugin : plugins_) {
    if (name == plugin->descriptor->name || (!plugin->path.empty() && name == plugin->path)) return plugin.get();
  }
  return nullptr;
}

absl::StatusOr<std::string> PluginRegistry::AddQuery(QueryFunction query, const std::string& path) {
  const std::string who = path.empty() ? std::string("the plugin that was added") : path;
  for (const auto& plugin : plugins_) {
    if (plugin->query == query) return std::string(plugin->descriptor->name);
  }
  const geeps_plugin* const descriptor = query(GEEPS_PLUGIN_ABI);
  if (descriptor == nullptr) {
    return MakeStatus(Code::kAbi, absl::StrCat(who, " does not work with plugin ABI ", VersionText(GEEPS_PLUGIN_ABI)));
  }
  if (descriptor->struct_size < sizeof(geeps_plugin)) {
    return MakeStatus(Code::kAbi, absl::StrCat(who, ": its descriptor has ", descriptor->struct_size, " bytes, ",
                                               sizeof(geeps_plugin), " are required"));
  }
  if (descriptor->abi >> 16 != GEEPS_PLUGIN_ABI >> 16) {
    return MakeStatus(Code::kAbi, absl::StrCat(who, " was built for plugin ABI ", VersionText(descriptor->abi), ", here is ",
                                               VersionText(GEEPS_PLUGIN_ABI)));
  }
  if (descriptor->name == nullptr || descriptor->name[0] == '\0' || descriptor->get_interface == nullptr) {
    return MakeStatus(Code::kAbi, absl::StrCat(who, ": its descriptor has no ",
                                               descriptor->get_interface == nullptr ? "get_interface" : "name"));
  }
  if (const Plugin* other = Find(descriptor->name); other != nullptr) {
    return WrongState(who, " is called ", descriptor->name, " like ", other->path.empty() ? "one that is built in" : other->path);
  }
  auto plugin = std::make_unique<Plugin>();
  plugin->descriptor = descriptor;
  plugin->query = query;
  plugin->path = path;
  plugin->host.struct_size = sizeof(geeps_host);
  plugin->host.abi = GEEPS_PLUGIN_ABI;
  plugin->host.ctx = log_;
  plugin->host.plugin_path = path.empty() ? nullptr : plugin->path.c_str();
  plugin->host.log = HostLog;
  plugin->host.alloc = HostAlloc;
  plugin->host.free = HostFree;
  plugin->host.get_extension = HostExtension;
  log_->Debug("plugin", "loaded ", descriptor->name, " ", descriptor->version == nullptr ? "" : descriptor->version, ", ",
              path.empty() ? "linked in" : path.c_str());
  plugins_.push_back(std::move(plugin));
  return std::string(descriptor->name);
}

absl::StatusOr<std::string> PluginRegistry::LoadFile(const std::string& path) {
  if (const Plugin* known = Find(path); known != nullptr) return std::string(known->descriptor->name);
  if (!Exists(path)) return NotFound(path, ": no such file");
  // NODELETE: libraries of a plugin may keep thread-local destructors that must not lose their code.
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const char* const why = dlerror();
    return MakeStatus(Code::kIo, why == nullptr ? path + ": cannot be loaded" : std::string(why));
  }
  const auto query = reinterpret_cast<QueryFunction>(dlsym(handle, "geeps_plugin_query"));
  if (query == nullptr) {
    dlclose(handle);
    return MakeStatus(Code::kAbi, absl::StrCat(path, " is no plugin: it does not export geeps_plugin_query"));
  }
  return AddQuery(query, path);
}

absl::StatusOr<std::string> PluginRegistry::Load(absl::string_view name_or_path) {
  if (name_or_path.empty()) return Invalid("the plugin's name is empty");
  MutexLock lock(&mutex_);
  if (name_or_path.find('/') != absl::string_view::npos) return LoadFile(std::string(name_or_path));
  if (const Plugin* known = Find(name_or_path); known != nullptr) return std::string(known->descriptor->name);
  for (const QueryFunction built_in : kBuiltIn) {
    if (name_or_path == built_in(GEEPS_PLUGIN_ABI)->name) return AddQuery(built_in, "");
  }
  std::vector<std::string> reasons;
  for (const std::string& directory : directories_) {
    if (!Exists(directory)) {
      reasons.push_back(absl::StrCat(directory, ": no such directory"));
      continue;
    }
    bool any = false;
    for (const char* const kind : kKinds) {
      const std::string path = absl::StrCat(directory, "/geeps_", kind, name_or_path, ".so");
      if (!Exists(path)) continue;
      any = true;
      absl::StatusOr<std::string> name = LoadFile(path);
      if (name.ok()) return name;
      reasons.emplace_back(name.status().message());
    }
    if (!any) reasons.push_back(Contents(directory));
  }
  return NotFound("plugin ", name_or_path, " not found; tried ", absl::StrJoin(reasons, "; "));
}

absl::StatusOr<std::string> PluginRegistry::Add(QueryFunction query) {
  if (query == nullptr) return Invalid("query is NULL");
  MutexLock lock(&mutex_);
  return AddQuery(query, "");
}

absl::StatusOr<PluginRegistry::Interface> PluginRegistry::GetInterface(absl::string_view name, absl::string_view id) {
  MutexLock lock(&mutex_);
  const Plugin* const plugin = Find(name);
  if (plugin == nullptr) return NotFound("plugin ", name, " is not loaded");
  const void* const table = plugin->descriptor->get_interface(std::string(id).c_str());
  if (table == nullptr) return NotFound("plugin ", name, " has no interface ", id);
  const char* const version = plugin->descriptor->version == nullptr ? "" : plugin->descriptor->version;
  const absl::Status fits = CheckTable(id, table);
  if (!fits.ok()) {
    return Prefixed(fits, absl::StrCat("plugin ", name, " ", version, " (",
                                       plugin->path.empty() ? "linked in" : plugin->path, ", plugin ABI ",
                                       VersionText(plugin->descriptor->abi), ", here ", VersionText(GEEPS_PLUGIN_ABI), ")"));
  }
  return Interface{table, &plugin->host, plugin->descriptor->name, version};
}

std::vector<PluginRegistry::Info> PluginRegistry::List() const {
  const auto text = [](const char* value) { return std::string(value == nullptr ? "" : value); };
  MutexLock lock(&mutex_);
  std::vector<Info> infos;
  for (const auto& plugin : plugins_) {
    const geeps_plugin& descriptor = *plugin->descriptor;
    infos.push_back({descriptor.name, text(descriptor.version), text(descriptor.license), text(descriptor.build_info), plugin->path});
  }
  return infos;
}

}  // namespace geeps::net
