// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <utility>

#include "tools/geeps/report.h"

namespace geeps::tool {
namespace {

std::string Quote(const std::string& text) {
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof(escape), "\\u%04x", static_cast<unsigned>(c));
      quoted += escape;
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string JsonPart(const Part& part) {
  std::string json = "{\"name\": " + Quote(part.name) + ", \"available\": " + (part.reason.empty() ? "true" : "false");
  const std::pair<const char*, const std::string*> fields[] = {
      {"kind", &part.kind},       {"path", &part.path},     {"version", &part.version}, {"license", &part.license},
      {"build_info", &part.build_info}, {"about", &part.about}, {"reason", &part.reason}};
  for (const auto& [key, value] : fields) {
    if (!value->empty()) json += std::string(", \"") + key + "\": " + Quote(*value);
  }
  return json + "}";
}

// "  "name": [\n ... ],\n"
template <typename T, typename Format>
std::string JsonArray(const std::string& name, const std::vector<T>& items, Format format) {
  std::string json = "  " + Quote(name) + ": [";
  for (size_t i = 0; i < items.size(); ++i) json += (i == 0 ? "\n    " : ",\n    ") + format(items[i]);
  return json + (items.empty() ? "],\n" : "\n  ],\n");
}

std::string TextParts(const std::string& title, const std::vector<Part>& parts) {
  std::string text = title + "\n";
  size_t width = 0;
  for (const Part& part : parts) width = std::max(width, part.name.size());
  for (const Part& part : parts) {
    text += "  " + part.name + std::string(width - part.name.size() + 2, ' ');
    if (!part.reason.empty()) {
      text += "not available: " + part.reason + "\n";
    } else if (part.path.empty()) {
      text += "built in\n";
    } else {
      text += (part.about.empty() ? "" : part.about + "; plugin ") + part.version + (part.license.empty() ? "" : ", " + part.license) + ", " + part.path + "\n";
    }
  }
  if (parts.empty()) text += "  none\n";
  return text;
}

}  // namespace

std::string FormatText(const Report& report) {
  std::string text = "geeps " + report.version + ", ABI " + report.abi + "\n";
  text += "library  " + report.library + "\n";
  text += "cores    " + std::to_string(report.cores.size()) + " that this process may use\n";
  text += "memory   " + Gibibytes(report.memory.total_bytes) + ", " + Gibibytes(report.memory.available_bytes) +
          " available\n";
  text += TextParts("devices", report.devices);
  text += TextParts("transports", report.transports);
  text += TextParts("plugins", report.plugins);
  text += "plugin directories\n";
  for (const std::string& directory : report.plugin_directories) text += "  " + directory + "\n";
  if (report.plugin_directories.empty()) text += "  none\n";
  return text;
}

std::string FormatJson(const Report& report) {
  std::string json = "{\n";
  json += "  \"version\": " + Quote(report.version) + ",\n";
  json += "  \"abi\": " + Quote(report.abi) + ",\n";
  json += "  \"library\": " + Quote(report.library) + ",\n";
  json += JsonArray("devices", report.devices, JsonPart);
  json += JsonArray("transports", report.transports, JsonPart);
  json += JsonArray("plugins", report.plugins, JsonPart);
  json += JsonArray("plugin_directories", report.plugin_directories, Quote);
  json += "  \"cores\": " + std::to_string(report.cores.size()) + ",\n";
  json += "  \"memory_bytes\": " + std::to_string(report.memory.total_bytes) + ",\n";
  json += "  \"memory_available_bytes\": " + std::to_string(report.memory.available_bytes) + "\n";
  return json + "}\n";
}

}  // namespace geeps::tool
