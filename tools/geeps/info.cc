// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/info.h"

#include <cstdio>
#include <optional>

#include "tools/geeps/options.h"
#include "tools/geeps/report.h"

namespace geeps::tool {
namespace {

constexpr char kCommand[] = "geeps info";

constexpr char kHelp[] =
    "Usage: geeps info [OPTIONS]\n"
    "\n"
    "Shows version, devices, transports, plugins, cores and memory, and why something is not available.\n"
    "\n"
    "  --json               one JSON object instead of text\n"
    "  --plugin-path DIRS   directories, separated by ':', to look for plugins in before the usual ones\n"
    "  --help               this text\n"
    "\n"
    "Exit code: 0; 2 when the command line is wrong.\n"
    "\n"
    "Example:\n"
    "  geeps info --json\n";

}  // namespace

int InfoCommand(const std::vector<std::string>& arguments) {
  bool json = false;
  std::string plugin_path;
  OptionReader reader(arguments);
  while (const std::optional<std::string> option = reader.NextOption()) {
    if (*option == "--help" || *option == "-h") {
      std::fputs(kHelp, stdout);
      return 0;
    }
    if (*option == "--json") {
      json = true;
    } else if (*option == "--plugin-path") {
      const std::optional<std::string> value = reader.Value();
      if (!value.has_value()) return UsageError(kCommand, "--plugin-path wants a value");
      plugin_path = *value;
    } else {
      return UsageError(kCommand, "unknown option '" + *option + "'");
    }
    if (reader.has_unused_value()) return UsageError(kCommand, *option + " takes no value");
  }
  if (!reader.Rest().empty()) return UsageError(kCommand, "unexpected argument '" + reader.Rest().front() + "'");
  const Report report = MakeReport(plugin_path);
  std::fputs((json ? FormatJson(report) : FormatText(report)).c_str(), stdout);
  return 0;
}

}  // namespace geeps::tool
