// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/bench.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>

#include "tools/geeps/bench_options.h"
#include "tools/geeps/options.h"

namespace geeps::tool {
namespace {

constexpr char kCommand[] = "geeps bench";

constexpr uint64_t kGpuBytesMin = uint64_t{1} << 20;

constexpr char kHelp[] =
    "Usage: geeps bench clock|access|plan|rules|gpu [OPTIONS]\n"
    "\n"
    "Measures geeps on this machine; each worker with all its threads is bound to one core, but for gpu. Wants a "
    "quiet\n"
    "machine.\n"
    "\n"
    "  clock     a clock of bounded consistency, slack 0: read a whole table, update it, end the clock. The time from\n"
    "            one clock's values to the next one's, and the CPU time of all workers per 1e9 bytes of table\n"
    "  access    a read that is ready, in place, and its post_read, while the movers are at work\n"
    "  plan      geeps_commit of a plan whose operations list single rows at random\n"
    "  rules     a clock of one worker, by update rule: time per value\n"
    "  gpu       a device: row moves, fused rules, small tables, a step with tables, two workers, each beside its "
    "limit\n"
    "\n"
    "  --transport NAME   clock, plan: tcp (processes; the default), or inproc (runtimes of one process)\n"
    "  --workers N        clock, plan: 1 to 64 (default: 2)\n"
    "  --bytes N[,N...]   clock, rules: sizes of the table (clock: 4096,409600,4194304,67108864; rules: 16777216)\n"
    "  --clocks N         clock, rules: measured clocks (default: by size); gpu: of a sample of two workers (50)\n"
    "  --passes N         access: measured passes (default: 200)\n"
    "  --operations N     access, plan: operations of the plan (default: 1000)\n"
    "  --ids N            plan: rows that all operations together list (default: 10000000)\n"
    "  --rows N           plan: rows of the table (default: 10000000)\n"
    "  --device NAME|PATH[:N]   gpu: as the option `device` of a runtime: cuda, the path of a plugin, host,\n"
    "                     deferred:eager, .. (default: cuda)\n"
    "  --bytes N          gpu: the table that rows are moved in; arrays of the other sections have 1/32 of it\n"
    "                     (default: 8589934592, less where the device has no room)\n"
    "  --samples N        gpu: the figures are medians of so many (default: 9)\n"
    "  --sample-us N      gpu: what one sample takes at least (default: 5000)\n"
    "  --tables N         gpu: small tables (default: 1000)\n"
    "  --work N           gpu: copies of the parameters that stand for the calculations of a step; of VGG-16 with 32\n"
    "                     images, 3 Tflop at 50 Tflop/s take about as long as 150 copies at 3 TB/s (default: 150)\n"
    "  --only A[,B...]    gpu: these sections of device, moves, rules, tables, step, workers\n"
    "  --json             one JSON object a line\n"
    "  --help             this text\n"
    "\n"
    "What cannot be measured, since there is no device or no memory, says `not measured` and why.\n"
    "\n"
    "Exit code: 0; 1 when a measurement failed or nothing could be measured; 2 when the command line is wrong.\n"
    "\n"
    "Example:\n"
    "  geeps bench clock --transport inproc --bytes 4194304\n";

std::optional<uint64_t> ParseCount(const std::string& text, uint64_t low, uint64_t high) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) return std::nullopt;
  return value;
}

bool ParseSizes(const std::string& text, std::vector<uint64_t>* sizes) {
  sizes->clear();
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::optional<uint64_t> size = ParseCount(text.substr(begin, end - begin), 4096, uint64_t{1} << 34);
    if (!size.has_value() || *size % 4096 != 0) return false;
    sizes->push_back(*size);
    begin = end + 1;
  }
  return true;
}

// Takes the value of `option`. Returns what is wrong with it, or nothing; *known becomes false for another option.
std::optional<std::string> SetValue(const std::string& option, const std::string& value, BenchOptions* options,
                                    bool* known) {
  const struct {
    const char* name;
    uint64_t* target;
    uint64_t low, high;
  } counts[] = {{"--clocks", &options->clocks, 1, 1000000},
                {"--passes", &options->passes, 1, 1000000},
                {"--operations", &options->operations, 1, 1000000},
                {"--ids", &options->ids, 1, 1000000000},
                {"--rows", &options->rows, 1, 1000000000},
                {"--samples", &options->samples, 1, 1000},
                {"--sample-us", &options->sample_us, 1, 10000000},
                {"--tables", &options->tables, 1, 100000},
                {"--work", &options->work, 1, 100000}};
  for (const auto& count : counts) {
    if (option != count.name) continue;
    const std::optional<uint64_t> number = ParseCount(value, count.low, count.high);
    if (number.has_value()) {
      *count.target = *number;
      return std::nullopt;
    }
    return option + " wants a number from " + std::to_string(count.low) + " to " + std::to_string(count.high) +
           ", not '" + value + "'";
  }
  if (option == "--workers") {
    const std::optional<int> number = ParseInt(value, 1, 64);
    if (!number.has_value()) return "--workers wants a number from 1 to 64, not '" + value + "'";
    options->workers = static_cast<uint32_t>(*number);
  } else if (option == "--transport") {
    if (value != "tcp" && value != "inproc") return "--transport wants tcp or inproc, not '" + value + "'";
    options->transport = value;
  } else if (option == "--bytes") {
    if (!ParseSizes(value, &options->bytes)) {
      return "--bytes wants multiples of 4096 up to 17179869184, separated by commas, not '" + value + "'";
    }
  } else if (option == "--device") {
    if (value.empty() || value == "auto") return "--device wants the name or path of a back end, not '" + value + "'";
    options->device = value;
  } else if (option == "--only") {
    for (size_t begin = 0; begin <= value.size();) {
      const size_t end = std::min(value.find(',', begin), value.size());
      options->sections.push_back(value.substr(begin, end - begin));
      if (!IsGpuSection(options->sections.back())) {
        return "--only wants some of " + GpuSectionNames() + ", separated by commas, not '" + value + "'";
      }
      begin = end + 1;
    }
  } else {
    *known = false;
  }
  return std::nullopt;
}

}  // namespace

int BenchCommand(const std::vector<std::string>& arguments) {
  const struct {
    const char* name;
    std::string (*run)(const BenchOptions&);
  } benches[] = {
      {"clock", BenchClock}, {"access", BenchAccess}, {"plan", BenchPlan}, {"rules", BenchRules}, {"gpu", BenchGpu}};
  if (arguments.empty())
    return UsageError(kCommand, "the name of a bench is missing: clock, access, plan, rules or gpu");
  const std::string name = arguments.front();
  if (name == "--help" || name == "-h") {
    std::fputs(kHelp, stdout);
    return 0;
  }
  std::string (*run)(const BenchOptions&) = nullptr;
  for (const auto& bench : benches) {
    if (name == bench.name) run = bench.run;
  }
  if (run == nullptr) return UsageError(kCommand, "'" + name + "' is none of clock, access, plan, rules and gpu");

  BenchOptions options;
  if (name == "rules") options.bytes = {uint64_t{16} << 20};
  if (name == "gpu") options.bytes = {options.gpu_bytes};
  OptionReader reader(std::vector<std::string>(arguments.begin() + 1, arguments.end()));
  while (const std::optional<std::string> option = reader.NextOption()) {
    if (*option == "--help" || *option == "-h") {
      std::fputs(kHelp, stdout);
      return 0;
    }
    if (*option == "--json") {
      options.json = true;
      if (reader.has_unused_value()) return UsageError(kCommand, "--json takes no value");
      continue;
    }
    bool known = true;
    const std::optional<std::string> value = reader.Value();
    const std::optional<std::string> problem = SetValue(*option, value.value_or(""), &options, &known);
    if (!known) return UsageError(kCommand, "unknown option '" + *option + "'");
    if (!value.has_value()) return UsageError(kCommand, *option + " wants a value");
    if (problem.has_value()) return UsageError(kCommand, *problem);
  }
  if (!reader.Rest().empty()) return UsageError(kCommand, "unexpected argument '" + reader.Rest().front() + "'");
  if (name == "gpu") {
    options.gpu_bytes = options.bytes.front();
    if (options.bytes.size() > 1 || options.gpu_bytes < kGpuBytesMin) {
      return UsageError(kCommand, "gpu takes one --bytes, " + std::to_string(kGpuBytesMin) + " or more");
    }
  }
  const std::string failure = run(options);
  if (failure.empty()) return 0;
  std::fprintf(stderr, "%s %s: %s\n", kCommand, name.c_str(), failure.c_str());
  return 1;
}

void PrintMeasurement(const BenchOptions& options, const std::string& name,
                      const std::vector<std::pair<std::string, std::string>>& labels, const BenchFields& fields,
                      const std::string& text) {
  std::string line = text;
  if (options.json) {
    line = "{\"bench\": \"" + name + "\"";
    for (const auto& [key, value] : labels) line += ", \"" + key + "\": \"" + value + "\"";
    for (const auto& [key, value] : fields) {
      char number[40];
      std::snprintf(number, sizeof number, "%.9g", value);
      line += ", \"" + key + "\": " + number;
    }
    line += "}";
  }
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

}  // namespace geeps::tool
