// SPDX-License-Identifier: Apache-2.0
// drill: every fault in every phase over every transport (drill.h), as a table for each transport: what the workers
// were told and when the last of them was, or what is wrong. Fails unless all is well.
//
// usage: drill [--victim RANK] [--cell FAULT/PHASE/TRANSPORT] [--without FAULT] [--json FILE]
#include <sys/prctl.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "tests/faults/drill.h"

namespace geeps::fault_test {
namespace {

constexpr size_t kNumFaults = std::size(kFaultNames);

struct Arguments {
  uint32_t victim = 1;
  std::string cell;
  std::string without;
  std::string json;
  bool ok = true;
};

Arguments Parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = i + 1 < argc ? argv[i + 1] : "";
    if (value.empty()) {
      arguments.ok = false;
    } else if (name == "--victim") {
      arguments.victim = static_cast<uint32_t>(std::atoi(value.c_str()));
      arguments.ok = arguments.ok && arguments.victim < 3;
    } else if (name == "--cell") {
      arguments.cell = value;
    } else if (name == "--without") {
      arguments.without = value;
    } else if (name == "--json") {
      arguments.json = value;
    } else {
      arguments.ok = false;
    }
  }
  return arguments;
}

struct Totals {
  int cells = 0;
  int wrong = 0;
};

// Prints the table of one transport; what is wrong comes below it in full.
Totals DrillTransport(const Arguments& arguments, bool in_process) {
  const char* const transport = in_process ? "inproc" : "tcp";
  Totals totals;
  std::string complaints;
  std::printf("\n%s, three workers, the fault at rank %u\n%-8s", transport, arguments.victim, "");
  for (const Phase& phase : Phases()) std::printf("%-27s", phase.name);
  std::printf("\n");
  for (size_t f = 0; f < kNumFaults; ++f) {
    std::printf("%-8s", kFaultNames[f]);
    for (const Phase& phase : Phases()) {
      const std::string name = std::string(kFaultNames[f]) + "/" + phase.name + "/" + transport;
      if (arguments.without == kFaultNames[f] || (!arguments.cell.empty() && arguments.cell != name)) {
        std::printf("%-27s", "-");
        continue;
      }
      const Stopwatch watch;
      const Cell cell = RunCell(static_cast<Fault>(f), phase, in_process, arguments.victim);
      ++totals.cells;
      totals.wrong += !cell.ok;
      std::printf("%-27s", cell.ok ? cell.text.c_str() : "WRONG");
      std::fflush(stdout);
      if (!cell.ok) complaints += "  " + name + ": " + cell.text + "\n";
    }
    std::printf("\n");
  }
  std::printf("%s", complaints.c_str());
  return totals;
}

int Run(const Arguments& arguments) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const Stopwatch watch;
  const Totals tcp = DrillTransport(arguments, false);
  const Totals inproc = DrillTransport(arguments, true);
  const int cells = tcp.cells + inproc.cells;
  const int wrong = tcp.wrong + inproc.wrong;
  std::printf("\n%d cells, %d wrong, %.1f s\n", cells, wrong, watch.Seconds());
  if (!arguments.json.empty()) {
    std::ofstream(arguments.json) << "{\"cells\": " << cells << ", \"wrong\": " << wrong << "}\n";
  }
  return cells > 0 && wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace geeps::fault_test

int main(int argc, char** argv) {
  const geeps::fault_test::Arguments arguments = geeps::fault_test::Parse(argc, argv);
  if (!arguments.ok) {
    std::fprintf(stderr,
                 "usage: drill [--victim RANK] [--cell FAULT/PHASE/TRANSPORT] [--without FAULT] [--json FILE]\n");
    return 2;
  }
  return geeps::fault_test::Run(arguments);
}
