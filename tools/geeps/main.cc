// SPDX-License-Identifier: Apache-2.0
// The program `geeps`: finds the command and runs it.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "geeps.h"
#include "tools/geeps/bench.h"
#include "tools/geeps/info.h"
#include "tools/geeps/options.h"
#include "tools/geeps/run.h"
#include "tools/geeps/top.h"

namespace {

constexpr char kHelp[] =
    "Usage: geeps COMMAND [OPTIONS]\n"
    "\n"
    "Commands\n"
    "  run    start workers on this machine\n"
    "  top    show what the workers of a running job do\n"
    "  info   show version, devices, transports and plugins\n"
    "  bench  measure clocks, reads, commits and rules on this machine\n"
    "\n"
    "  --version, --help\n"
    "\n"
    "'geeps COMMAND --help' tells more about a command.\n"
    "\n"
    "Example: four workers\n"
    "  geeps run -n 4 build/samples/hello\n";

// A descriptor 0, 1 or 2 that is closed would become a pipe of a worker.
void OpenStandardDescriptors() {
  int fd;
  do {
    fd = open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  OpenStandardDescriptors();
  std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (arguments.empty()) return geeps::tool::UsageError("geeps", "the command is missing");
  const std::string command = arguments.front();
  arguments.erase(arguments.begin());
  if (command == "run") return geeps::tool::RunCommand(arguments);
  if (command == "top") return geeps::tool::TopCommand(arguments);
  if (command == "info") return geeps::tool::InfoCommand(arguments);
  if (command == "bench") return geeps::tool::BenchCommand(arguments);
  if (command == "--help" || command == "-h" || command == "help") {
    std::fputs(kHelp, stdout);
    return 0;
  }
  if (command == "--version") {
    const uint32_t abi = geeps_abi_version();
    std::printf("geeps %s (ABI %u.%u)\n", geeps_version(), abi >> 16, abi & 0xffff);
    return 0;
  }
  return geeps::tool::UsageError("geeps", "unknown " + std::string(command[0] == '-' ? "option" : "command") + " '" +
                                              command + "'");
}
