// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/run.h"

#include <string.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>

#include "tools/geeps/cores.h"
#include "tools/geeps/free_port.h"
#include "tools/geeps/launcher.h"
#include "tools/geeps/options.h"
#include "tools/geeps/top_picture.h"
#include "tools/geeps/trace_merge.h"

namespace geeps::tool {
namespace {

constexpr char kCommand[] = "geeps run";
constexpr int kWorkersMax = 1024;
constexpr int kGraceSecondsMax = 3600;

constexpr char kHelp[] =
    "Usage: geeps run -n N [OPTIONS] PROGRAM [ARGS...]\n"
    "\n"
    "Starts N workers on this machine: N processes that run PROGRAM and meet each other.\n"
    "\n"
    "  -n N               number of workers, 1 to 1024\n"
    "  --bind             each worker on a core of its own; refused when there are fewer cores than workers\n"
    "  --no-bind          leave it to the kernel where workers run\n"
    "                     (neither: bound when there are enough cores)\n"
    "  --transport NAME   tcp, or the path of a transport plugin (default: tcp)\n"
    "  --log-level LEVEL  least important lines of libgeeps that workers get: error, warning, info or debug\n"
    "  --trace DIR        each worker writes DIR/rank-R.json, and at the end all of them are DIR/trace.json, for\n"
    "                     chrome://tracing or https://ui.perfetto.dev\n"
    "  --stats DIR        each worker writes its statistics to DIR/rank-R.json, for 'geeps top DIR'\n"
    "  --grace SECONDS    how long the others may go on after a worker has failed (default: 5)\n"
    "  --help             this text\n"
    "\n"
    "PROGRAM calls geeps_runtime_create with launcher=geeps; it then finds its rank, the number of workers, the\n"
    "transport and the rendezvous in GEEPS_RANK, GEEPS_WORLD, GEEPS_TRANSPORT and GEEPS_RENDEZVOUS.\n"
    "\n"
    "Each line of output gets its worker's rank in front: \"[1] \". Of a line rewritten with carriage returns only the\n"
    "last state is shown. When standard error is a terminal, rank 0 writes to it directly, so that its progress bar\n"
    "works. Standard input of the workers is empty.\n"
    "\n"
    "Signals are passed on; a second SIGINT kills the workers. When a worker fails, the others get the grace time to end\n"
    "by themselves, then SIGTERM, then SIGKILL. Processes that a worker leaves behind are killed.\n"
    "\n"
    "Exit code: that of the first worker that failed, 128 + N when signal N ended it; 0 when none failed; 127 or 126\n"
    "when PROGRAM is not found or cannot be executed; 2 when the command line is wrong.\n"
    "\n"
    "Example:\n"
    "  geeps run -n 4 build/samples/hello\n";

enum class Binding { kIfEnoughCores, kAlways, kNever };

struct RunOptions {
  int num_workers = 0;
  Binding binding = Binding::kIfEnoughCores;
  std::string transport = "tcp";
  std::optional<std::string> log_level;
  int grace_s = 5;
  std::string trace_folder;
  std::string stats_folder;
  std::vector<std::string> command;
  bool help = false;
};

// Takes the value of `option` into *options. Returns what is wrong with it, or nothing.
std::optional<std::string> SetValue(const std::string& option, const std::string& value, RunOptions* options) {
  if (option == "-n") {
    const std::optional<int> number = ParseInt(value, 1, kWorkersMax);
    if (!number.has_value()) return "-n wants a number of workers from 1 to 1024, not '" + value + "'";
    options->num_workers = *number;
  } else if (option == "--grace") {
    const std::optional<int> seconds = ParseInt(value, 0, kGraceSecondsMax);
    if (!seconds.has_value()) return "--grace wants a number of seconds from 0 to 3600, not '" + value + "'";
    options->grace_s = *seconds;
  } else if (option == "--trace") {
    if (value.empty()) return "--trace wants a folder";
    options->trace_folder = value;
  } else if (option == "--stats") {
    if (value.empty()) return "--stats wants a folder";
    options->stats_folder = value;
  } else if (option == "--transport") {
    if (value.empty()) return "--transport wants a name or a path";
    if (value == "inproc") return "--transport inproc joins workers of one process; 'geeps run' starts several";
    options->transport = value;
  } else {
    const std::string levels[] = {"error", "warning", "info", "debug"};
    if (std::find(std::begin(levels), std::end(levels), value) == std::end(levels)) {
      return "--log-level wants error, warning, info or debug, not '" + value + "'";
    }
    options->log_level = value;
  }
  return std::nullopt;
}

// Returns what is wrong with the command line, or nothing.
std::optional<std::string> Parse(const std::vector<std::string>& arguments, RunOptions* options) {
  OptionReader reader(arguments);
  while (const std::optional<std::string> option = reader.NextOption()) {
    if (*option == "--help" || *option == "-h") {
      options->help = true;
      return std::nullopt;
    }
    if (*option == "--bind") {
      options->binding = Binding::kAlways;
    } else if (*option == "--no-bind") {
      options->binding = Binding::kNever;
    } else if (*option == "-n" || *option == "--grace" || *option == "--transport" || *option == "--log-level" ||
               *option == "--trace" || *option == "--stats") {
      const std::optional<std::string> value = reader.Value();
      if (!value.has_value()) return *option + " wants a value";
      const std::optional<std::string> error = SetValue(*option, *value, options);
      if (error.has_value()) return error;
    } else {
      return "unknown option '" + *option + "'";
    }
    if (reader.has_unused_value()) return *option + " takes no value";
  }
  options->command = reader.Rest();
  if (options->num_workers == 0) return "the number of workers is missing: -n N";
  if (options->command.empty()) return "the program is missing";
  return std::nullopt;
}

// Chooses the cores of the workers. Returns false when they must be bound and cannot be.
bool ChooseCores(const RunOptions& options, std::vector<int>* cores) {
  if (options.binding == Binding::kNever) return true;
  std::vector<int> allowed = AllowedCores();
  const size_t num_workers = static_cast<size_t>(options.num_workers);
  if (allowed.size() < num_workers) {
    if (options.binding == Binding::kIfEnoughCores) return true;
    std::fprintf(stderr, "%s: --bind needs a core for each of the %zu workers, but this process may use %zu\n", kCommand,
                 num_workers, allowed.size());
    return false;
  }
  allowed.resize(num_workers);
  *cores = std::move(allowed);
  return true;
}

}  // namespace

int RunCommand(const std::vector<std::string>& arguments) {
  RunOptions options;
  const std::optional<std::string> error = Parse(arguments, &options);
  if (error.has_value()) return UsageError(kCommand, *error);
  if (options.help) {
    std::fputs(kHelp, stdout);
    return 0;
  }
  Job job;
  if (!ChooseCores(options, &job.cores)) return kExitUsage;
  const std::optional<uint16_t> port = FindFreeLoopbackPort();
  if (!port.has_value()) {
    std::fprintf(stderr, "%s: no free port on 127.0.0.1: %s\n", kCommand, strerror(errno));
    return 1;
  }
  job.num_workers = options.num_workers;
  job.command = options.command;
  job.grace = std::chrono::seconds(options.grace_s);
  job.environment = {{"GEEPS_WORLD", std::to_string(options.num_workers)},
                     {"GEEPS_RENDEZVOUS", "tcp://127.0.0.1:" + std::to_string(*port)},
                     {"GEEPS_TRANSPORT", options.transport}};
  if (options.log_level.has_value()) job.environment.emplace_back("GEEPS_LOG_LEVEL", *options.log_level);
  if (!options.stats_folder.empty()) {
    const std::optional<std::string> trouble = PrepareStatsFolder(options.stats_folder);
    if (trouble.has_value()) {
      std::fprintf(stderr, "%s: --stats: %s\n", kCommand, trouble->c_str());
      return 1;
    }
    job.stats_folder = options.stats_folder;
  }
  if (options.trace_folder.empty()) return Launcher(std::move(job)).Run();
  job.trace_folder = options.trace_folder;
  std::optional<std::string> trouble = PrepareTraceFolder(options.trace_folder, options.num_workers);
  if (trouble.has_value()) {
    std::fprintf(stderr, "%s: --trace: %s\n", kCommand, trouble->c_str());
    return 1;
  }
  const int exit_code = Launcher(std::move(job)).Run();
  int num_merged = 0;
  trouble = MergeTraces(options.trace_folder, options.num_workers, &num_merged);
  if (trouble.has_value()) {
    std::fprintf(stderr, "%s: --trace: %s\n", kCommand, trouble->c_str());
    return exit_code != 0 ? exit_code : 1;
  }
  std::fprintf(stderr, "%s: %s/trace.json holds the traces of %d of %d workers; open it in chrome://tracing or "
               "https://ui.perfetto.dev\n",
               kCommand, options.trace_folder.c_str(), num_merged, options.num_workers);
  return exit_code;
}

}  // namespace geeps::tool
