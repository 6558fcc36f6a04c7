// SPDX-License-Identifier: Apache-2.0
// What `geeps info` finds out about this installation and this machine, and how it is printed. Any thread.
#ifndef GEEPS_TOOLS_GEEPS_REPORT_H_
#define GEEPS_TOOLS_GEEPS_REPORT_H_

#include <string>
#include <vector>

#include "tools/geeps/cores.h"

namespace geeps::tool {

// A device, a transport or a plugin.
struct Part {
  std::string name;
  std::string kind;     // "device", "transport", "source", ...: from the name of the file
  std::string path;     // empty: built in, or not found
  std::string version;
  std::string license;
  std::string build_info;
  std::string about;    // of a device: what the driver calls it, and its memory
  std::string reason;   // why it is not available; empty: it is
};

struct Report {
  std::string version;
  std::string abi;      // "0.1"
  std::string library;  // the file of libgeeps
  std::vector<Part> devices;
  std::vector<Part> transports;
  std::vector<Part> plugins;  // every plugin file found, those that are devices and transports included
  std::vector<std::string> plugin_directories;  // in the order of search; existing ones
  std::vector<int> cores;
  Memory memory;
};

// Loads every plugin in `plugin_path` (directories separated by ':') and in the directories where libgeeps looks.
Report MakeReport(const std::string& plugin_path);

std::string Gibibytes(uint64_t bytes);  // "23.5 GiB"

std::string FormatText(const Report& report);
std::string FormatJson(const Report& report);  // one object, on several lines

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_REPORT_H_
