// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/report.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <sstream>

#include "geeps.h"
#include "geeps_device.h"
#include "geeps_plugin.h"

namespace geeps::tool {
namespace {

namespace fs = std::filesystem;

struct RuntimeDestroyer {
  void operator()(geeps_runtime* rt) const { geeps_runtime_destroy(rt); }
};
using RuntimeOwner = std::unique_ptr<geeps_runtime, RuntimeDestroyer>;

geeps_error EmptyError() {
  geeps_error error = {};
  error.struct_size = sizeof(error);
  return error;
}

// "GEEPS_E_NOT_FOUND: no plugin ..."
std::string Reason(geeps_status status, const geeps_error& error) {
  const std::string text = error.message;
  return text.empty() ? geeps_status_name(status) : std::string(geeps_status_name(status)) + ": " + text;
}

// A runtime of one worker, or nullptr and why not.
RuntimeOwner MakeRuntime(const std::string& device, const std::string& plugin_path, std::string* reason) {
  std::vector<geeps_kv> options = {{"device", device.c_str()}, {"log_level", "error"}};
  if (!plugin_path.empty()) options.push_back({"plugin_path", plugin_path.c_str()});
  geeps_config config = {};
  config.struct_size = sizeof(config);
  config.abi_version = GEEPS_ABI_VERSION;
  config.options = options.data();
  config.num_options = options.size();
  geeps_error error = EmptyError();
  geeps_runtime* rt = nullptr;
  const geeps_status status = geeps_runtime_create(&config, &rt, &error);
  if (status != GEEPS_OK) *reason = Reason(status, error);
  return RuntimeOwner(rt);
}

std::string LibraryPath() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&geeps_version), &info) == 0 || info.dli_fname == nullptr) return "";
  std::error_code error;
  const fs::path path = fs::weakly_canonical(info.dli_fname, error);
  return error ? info.dli_fname : path.string();
}

std::vector<std::string> PluginDirectories(const std::string& plugin_path, const std::string& library) {
  std::vector<std::string> directories;
  std::stringstream stream(plugin_path);
  for (std::string directory; std::getline(stream, directory, ':');) directories.push_back(directory);
  const fs::path beside = fs::path(library).parent_path();
  directories.push_back((beside / "geeps" / "plugins").string());
  directories.push_back((beside / "plugins").string());
  std::vector<std::string> existing;
  for (const std::string& directory : directories) {
    std::error_code error;
    if (!directory.empty() && fs::is_directory(directory, error)) existing.push_back(directory);
  }
  return existing;
}

// Plugin files of one directory: geeps_KIND_NAME.so or geeps_NAME.so, sorted. Broken links are listed, too.
std::vector<Part> PluginFiles(const std::string& directory) {
  std::vector<Part> parts;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const fs::path file = it->path();
    const std::string stem = file.stem().string();
    if (file.extension() != ".so" || stem.rfind("geeps_", 0) != 0) continue;
    Part part;
    part.path = file.string();
    part.name = stem.substr(6);
    const size_t underscore = part.name.find('_');
    if (underscore != std::string::npos) {
      part.kind = part.name.substr(0, underscore);
      part.name = part.name.substr(underscore + 1);
    }
    parts.push_back(part);
  }
  std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.path < b.path; });
  return parts;
}

// What a plugin file that libgeeps has loaded gives when it is asked. It stays loaded, so this opens nothing anew.
const geeps_plugin* Query(const std::string& path) {
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (module == nullptr) return nullptr;
  using QueryFunction = const geeps_plugin* (*)(uint32_t host_abi);
  const auto query = reinterpret_cast<QueryFunction>(dlsym(module, "geeps_plugin_query"));
  return query == nullptr ? nullptr : query(GEEPS_PLUGIN_ABI);
}

// Fills in what the plugin says about itself.
void Describe(Part* part) {
  const geeps_plugin* const plugin = Query(part->path);
  if (plugin == nullptr) return;
  const auto text = [](const char* s) { return std::string(s == nullptr ? "" : s); };
  part->version = text(plugin->version);
  part->license = text(plugin->license);
  part->build_info = text(plugin->build_info);
}

// The devices that a plugin finds, each a part of its own: "cuda:0". None: one part that says why.
std::vector<Part> DevicesOf(const Part& part) {
  const geeps_plugin* const plugin = part.reason.empty() ? Query(part.path) : nullptr;
  const auto* const table =
      plugin == nullptr ? nullptr : static_cast<const geeps_device*>(plugin->get_interface(GEEPS_DEVICE_ID));
  if (table == nullptr) return {part};
  std::vector<geeps_dev_info> infos(64);
  for (geeps_dev_info& info : infos) info.struct_size = sizeof(info);
  uint64_t num = 0;
  geeps_error error = EmptyError();
  const geeps_status status = table->list(nullptr, infos.data(), sizeof(geeps_dev_info), infos.size(), &num, &error);
  if (status != GEEPS_OK || num == 0) {
    Part absent = part;
    absent.reason = status == GEEPS_OK ? "it finds no device" : Reason(status, error);
    return {absent};
  }
  std::vector<Part> devices;
  for (uint64_t i = 0; i < std::min<uint64_t>(num, infos.size()); ++i) {
    devices.push_back(part);
    devices.back().name = part.name + ":" + std::to_string(i);
    devices.back().about = std::string(infos[i].name) + ", " + Gibibytes(infos[i].memory_bytes);
  }
  return devices;
}

// Loads the plugin through libgeeps.
void Load(geeps_runtime* rt, const std::string& name_or_path, Part* part) {
  geeps_error error = EmptyError();
  const geeps_status status = geeps_plugin_load(rt, name_or_path.c_str(), &error);
  if (status != GEEPS_OK) {
    part->reason = Reason(status, error);
  } else if (!part->path.empty()) {
    Describe(part);
  }
}

// The parts of one kind: the one that is built in, the plugins found, and `usual`, so that its absence is explained.
std::vector<Part> PartsOfKind(geeps_runtime* rt, const std::string& kind, const Part& built_in, const std::string& usual,
                              const std::vector<Part>& plugins) {
  std::vector<Part> parts = {built_in};
  bool usual_found = false;
  for (const Part& plugin : plugins) {
    if (plugin.kind != kind) continue;
    for (Part& part : kind == "device" ? DevicesOf(plugin) : std::vector<Part>{plugin}) parts.push_back(std::move(part));
    usual_found = usual_found || plugin.name == usual;
  }
  if (!usual_found) {
    Part part;
    part.name = usual;
    part.kind = kind;
    if (rt == nullptr) {
      part.reason = "not tried, because no runtime could be created";
    } else {
      Load(rt, usual, &part);
    }
    parts.push_back(part);
  }
  return parts;
}

}  // namespace

std::string Gibibytes(uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f GiB", static_cast<double>(bytes) / (1ull << 30));
  return text;
}

Report MakeReport(const std::string& plugin_path) {
  Report report;
  report.version = geeps_version();
  report.abi = std::to_string(geeps_abi_version() >> 16) + "." + std::to_string(geeps_abi_version() & 0xffff);
  report.library = LibraryPath();
  report.plugin_directories = PluginDirectories(plugin_path, report.library);
  report.cores = AllowedCores();
  report.memory = HostMemory();

  Part host;
  host.name = "host";
  host.kind = "device";
  const RuntimeOwner rt = MakeRuntime("host", plugin_path, &host.reason);
  for (const std::string& directory : report.plugin_directories) {
    for (Part& part : PluginFiles(directory)) {
      if (rt == nullptr) {
        part.reason = "not tried, because no runtime could be created";
      } else {
        Load(rt.get(), fs::absolute(part.path).string(), &part);
      }
      report.plugins.push_back(part);
    }
  }
  Part inproc;
  inproc.name = "inproc";
  inproc.kind = "transport";
  inproc.reason = host.reason;
  report.devices = PartsOfKind(rt.get(), "device", host, "cuda", report.plugins);
  report.transports = PartsOfKind(rt.get(), "transport", inproc, "tcp", report.plugins);
  return report;
}

}  // namespace geeps::tool
