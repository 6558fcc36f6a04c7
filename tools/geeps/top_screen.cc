// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/top_screen.h"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>

namespace geeps::tool {
namespace {

using State = WorkerPicture::State;

[[gnu::format(printf, 1, 2)]] std::string Format(const char* format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  return text;
}

uint64_t Grown(uint64_t before, uint64_t now) { return now > before ? now - before : 0; }

std::string Seconds(uint64_t ns) {
  const uint64_t s = ns / 1000000000;
  if (s < 60) return Format("%.1f s", static_cast<double>(ns) * 1e-9);
  return Format("%llu:%02llu:%02llu", static_cast<unsigned long long>(s / 3600),
                static_cast<unsigned long long>(s / 60 % 60), static_cast<unsigned long long>(s % 60));
}

std::string BytesPerSecond(double bytes) {
  static constexpr std::array<const char*, 4> kUnits = {"B/s", "kB/s", "MB/s", "GB/s"};
  size_t unit = 0;
  for (; bytes >= 1000 && unit + 1 < kUnits.size(); ++unit) bytes /= 1000;
  return Format("%.*f %s", unit == 0 || bytes >= 100 ? 0 : 1, bytes, kUnits[unit]);
}

std::string Percent(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  return Format("%.1f%%", 100.0 * static_cast<double>(std::min(part, whole)) / static_cast<double>(whole));
}

// What is to be said of the worker at the end of its line.
std::string NoteOf(const SeenWorker& worker, uint64_t elapsed_ns) {
  const WorkerPicture& now = worker.now;
  switch (now.state) {
    case State::kEnded:
      return "ended";
    case State::kLost:
      return "lost: " + now.cause;
    case State::kGone:
      return "process " + std::to_string(now.process) + " is gone without an end";
    case State::kSilent:
      return "silent for " + std::to_string(now.silent_s) + " s";
    case State::kRunning:
      break;
  }
  std::string name;
  uint64_t most_ns = 0;
  for (const auto& [table, waited_ns] : now.tables) {
    uint64_t before_ns = 0;
    for (const auto& [other, other_ns] : worker.before.tables) {
      if (other == table) before_ns = other_ns;
    }
    if (Grown(before_ns, waited_ns) <= most_ns) continue;
    most_ns = Grown(before_ns, waited_ns);
    name = table;
  }
  std::string note = most_ns == 0 ? "" : name + " " + Percent(most_ns, elapsed_ns);
  if (now.now_ns >= 1000000000) note += (note.empty() ? "now for " : ", now for ") + Seconds(now.now_ns);
  return note;
}

std::string LineOf(int rank, const SeenWorker& worker) {
  const WorkerPicture &before = worker.before, &now = worker.now;
  const uint64_t elapsed_ns = Grown(before.elapsed_ns, now.elapsed_ns);
  const double per_second = elapsed_ns == 0 ? 0 : 1e9 / static_cast<double>(elapsed_ns);
  const auto rate = [&](uint64_t from, uint64_t to) { return static_cast<double>(Grown(from, to)) * per_second; };
  const uint64_t imbalance_ns = Grown(before.imbalance_ns, now.imbalance_ns);
  const uint64_t stall_ns = Grown(before.stall_ns, now.stall_ns);
  return Format("%4d %10llu %9.1f %8s %10s %11s %11s  ", rank, static_cast<unsigned long long>(now.clock),
                rate(before.clock, now.clock), Percent(Grown(before.waited_ns, now.waited_ns), elapsed_ns).c_str(),
                Percent(imbalance_ns, imbalance_ns + stall_ns).c_str(),
                BytesPerSecond(rate(before.bytes_in, now.bytes_in)).c_str(),
                BytesPerSecond(rate(before.bytes_out, now.bytes_out)).c_str()) +
         NoteOf(worker, elapsed_ns);
}

uint64_t LongestOf(const std::map<int, SeenWorker>& workers) {
  uint64_t elapsed_ns = 0;
  for (const auto& [rank, worker] : workers) elapsed_ns = std::max(elapsed_ns, worker.now.elapsed_ns);
  return elapsed_ns;
}

uint64_t WorldOf(const std::map<int, SeenWorker>& workers) {
  uint64_t world = 0;
  for (const auto& [rank, worker] : workers) world = std::max(world, worker.now.world);
  return world;
}

}  // namespace

std::vector<std::string> ScreenOf(const std::map<int, SeenWorker>& workers) {
  uint64_t first = ~uint64_t{0}, last = 0;
  for (const auto& [rank, worker] : workers) {
    first = std::min(first, worker.now.clock);
    last = std::max(last, worker.now.clock);
  }
  const std::string clocks = first == last ? "clock " + std::to_string(last)
                                           : "clocks " + std::to_string(first) + " to " + std::to_string(last);
  std::vector<std::string> lines;
  lines.push_back(std::to_string(workers.size()) + " of " + std::to_string(WorldOf(workers)) + " workers, " +
                  Seconds(LongestOf(workers)) + ", " + clocks);
  lines.push_back("rank      clock  clocks/s  waiting  imbalance          in         out  waits most for");
  for (const auto& [rank, worker] : workers) lines.push_back(LineOf(rank, worker));
  return lines;
}

bool IsOver(const std::map<int, SeenWorker>& workers) {
  if (workers.empty() || workers.size() < WorldOf(workers)) return false;
  return std::none_of(workers.begin(), workers.end(), [](const auto& entry) {
    return entry.second.now.state == State::kRunning || entry.second.now.state == State::kSilent;
  });
}

std::string EndOf(const std::map<int, SeenWorker>& workers) {
  const auto count = [&](State state) {
    return std::count_if(workers.begin(), workers.end(),
                         [state](const auto& entry) { return entry.second.now.state == state; });
  };
  std::string text = "the job has ended after " + Seconds(LongestOf(workers)) + ":";
  const char* separator = " ";
  for (const auto& [state, name] : {std::pair{State::kEnded, "ended"}, {State::kLost, "lost"}, {State::kGone, "gone"}}) {
    if (count(state) == 0) continue;
    text += separator + std::to_string(count(state)) + " " + name;
    separator = ", ";
  }
  return text;
}

}  // namespace geeps::tool
