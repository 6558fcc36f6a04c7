// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/top.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>

#include "tools/geeps/options.h"
#include "tools/geeps/top_picture.h"
#include "tools/geeps/top_screen.h"

namespace geeps::tool {
namespace {

constexpr char kCommand[] = "geeps top";
constexpr int kIntervalMax_ms = 3600000;

constexpr char kHelp[] =
    "Usage: geeps top [OPTIONS] DIR\n"
    "\n"
    "Shows what the workers of a running job do, until it has ended. DIR is the folder of 'geeps run --stats DIR', or\n"
    "where each worker writes rank-R.json by its option stats.\n"
    "\n"
    "  --interval MS   time between two looks, 10 to 3600000 milliseconds (default: 1000)\n"
    "  --once          one look, with averages since the start, and an end\n"
    "  --help          this text\n"
    "\n"
    "Columns, of the time since the last look\n"
    "  clock           clocks finished\n"
    "  waiting         share of the time in which the program waited\n"
    "  imbalance       share of the waits that have ended which was before the slowest other worker had fired;\n"
    "                  the rest was a stall: transfer, sum, apply\n"
    "  in, out         values that came from other workers, and went to them, in messages\n"
    "  waits most for  the table, and its share of the time\n"
    "\n"
    "Exit code: 0; 1 when DIR cannot be read, or --once finds no worker there; 2 when the command line is wrong.\n"
    "\n"
    "Example:\n"
    "  geeps run -n 2 --stats /tmp/job build/samples/hello &\n"
    "  geeps top /tmp/job\n";

struct TopOptions {
  std::string folder;
  std::chrono::milliseconds interval{1000};
  bool once = false;
  bool help = false;
};

// Returns what is wrong with the command line, or nothing.
std::optional<std::string> Parse(const std::vector<std::string>& arguments, TopOptions* options) {
  OptionReader reader(arguments);
  while (const std::optional<std::string> option = reader.NextOption()) {
    if (*option == "--help" || *option == "-h") {
      options->help = true;
      return std::nullopt;
    }
    if (*option == "--once") {
      options->once = true;
    } else if (*option == "--interval") {
      const std::optional<std::string> value = reader.Value();
      if (!value.has_value()) return "--interval wants a value";
      const std::optional<int> interval_ms = ParseInt(*value, 10, kIntervalMax_ms);
      if (!interval_ms.has_value()) return "--interval wants milliseconds from 10 to 3600000, not '" + *value + "'";
      options->interval = std::chrono::milliseconds(*interval_ms);
    } else {
      return "unknown option '" + *option + "'";
    }
    if (reader.has_unused_value()) return *option + " takes no value";
  }
  const std::vector<std::string> rest = reader.Rest();
  if (rest.empty()) return "the folder is missing";
  if (rest.size() > 1) return "unexpected argument '" + rest[1] + "'";
  options->folder = rest[0];
  return std::nullopt;
}

// Prints lines; on a terminal in the place of those before, as far as they fit.
class Display {
 public:
  void Show(std::vector<std::string> lines) {
    winsize size{};
    const bool known = terminal_ && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 2 && size.ws_col > 0;
    if (known && lines.size() >= size.ws_row) {
      const size_t num_hidden = lines.size() - (size.ws_row - 2u);
      lines.resize(size.ws_row - 2u);
      lines.push_back("... and " + std::to_string(num_hidden) + " more");
    }
    if (terminal_ && num_shown_ > 0) std::printf("\x1b[%zuA\x1b[J", num_shown_);
    if (!terminal_ && num_shown_ > 0) std::printf("\n");
    for (const std::string& line : lines) std::printf("%s\n", line.substr(0, known ? size.ws_col : line.size()).c_str());
    std::fflush(stdout);
    num_shown_ = lines.size();
  }

 private:
  const bool terminal_ = isatty(STDOUT_FILENO) == 1;
  size_t num_shown_ = 0;
};

// A worker whose file has not changed keeps its two pictures; one that has begun anew begins anew here, too.
void Take(const std::map<int, WorkerPicture>& pictures, std::map<int, SeenWorker>* workers) {
  for (const auto& [rank, picture] : pictures) {
    SeenWorker* const worker = &(*workers)[rank];
    const bool changed = picture.elapsed_ns != worker->now.elapsed_ns;
    const bool anew = picture.elapsed_ns < worker->now.elapsed_ns;
    if (changed) worker->before = anew ? WorkerPicture{} : std::move(worker->now);
    worker->now = picture;
  }
}

}  // namespace

int TopCommand(const std::vector<std::string>& arguments) {
  TopOptions options;
  const std::optional<std::string> error = Parse(arguments, &options);
  if (error.has_value()) return UsageError(kCommand, *error);
  if (options.help) {
    std::fputs(kHelp, stdout);
    return 0;
  }
  std::map<int, SeenWorker> workers;
  Display display;
  bool told = false;
  while (true) {
    std::map<int, WorkerPicture> pictures;
    const std::optional<std::string> trouble = ReadPictures(options.folder, &pictures);
    if (trouble.has_value()) {
      std::fprintf(stderr, "%s: %s\n", kCommand, trouble->c_str());
      return 1;
    }
    Take(pictures, &workers);
    if (!workers.empty()) display.Show(ScreenOf(workers));
    if (IsOver(workers)) {
      std::printf("%s\n", EndOf(workers).c_str());
      return 0;
    }
    if (workers.empty() && !std::exchange(told, true)) {
      std::fprintf(stderr, "%s: no worker has written into %s yet\n", kCommand, options.folder.c_str());
    }
    if (options.once) return workers.empty() ? 1 : 0;
    std::this_thread::sleep_for(options.interval);
  }
}

}  // namespace geeps::tool
