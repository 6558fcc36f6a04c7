// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/trace_merge.h"

#include <string.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>

namespace geeps::tool {
namespace {

constexpr char kTime[] = "\"ts\":";

std::string SystemError(const std::string& what, const std::string& path) {
  return what + " " + path + ": " + strerror(errno);
}

// The event of a line, without the comma behind it; empty when the line holds none, or only a part of one.
std::string EventOf(std::string line) {
  if (!line.empty() && line.back() == ',') line.pop_back();
  return line.rfind("{\"ph\":", 0) == 0 && line.back() == '}' ? line : "";
}

// In nanoseconds: the traces give microseconds with three digits behind the point.
std::optional<uint64_t> TimeOf(const std::string& event, size_t* begin, size_t* end) {
  const size_t at = event.find(kTime);
  if (at == std::string::npos) return std::nullopt;
  *begin = at + sizeof(kTime) - 1;
  *end = event.find_first_not_of("0123456789.", *begin);
  const size_t point = event.find('.', *begin);
  if (*end == std::string::npos || point == std::string::npos || point + 4 != *end) return std::nullopt;
  return std::strtoull(event.c_str() + *begin, nullptr, 10) * 1000 +
         std::strtoull(event.c_str() + point + 1, nullptr, 10);
}

std::string Micros(uint64_t ns) {
  char text[32];
  std::snprintf(text, sizeof text, "%llu.%03llu", static_cast<unsigned long long>(ns / 1000),
                static_cast<unsigned long long>(ns % 1000));
  return text;
}

template <typename Fn>
bool ForEachEvent(const std::string& path, Fn fn) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    const std::string event = EventOf(std::move(line));
    if (!event.empty()) fn(event);
  }
  return file.eof();
}

}  // namespace

std::string TraceFileOf(const std::string& folder, int rank) {
  return folder + "/rank-" + std::to_string(rank) + ".json";
}

std::optional<std::string> PrepareTraceFolder(const std::string& folder, int num_workers) {
  if (mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) return SystemError("cannot create", folder);
  struct stat status;
  if (stat(folder.c_str(), &status) != 0) return SystemError("cannot use", folder);
  if (!S_ISDIR(status.st_mode)) return folder + " is no folder";
  for (int rank = 0; rank < num_workers; ++rank) std::remove(TraceFileOf(folder, rank).c_str());
  return std::nullopt;
}

std::optional<std::string> MergeTraces(const std::string& folder, int num_workers, int* num_merged) {
  uint64_t first = std::numeric_limits<uint64_t>::max();
  size_t begin = 0;
  size_t end = 0;
  *num_merged = 0;
  for (int rank = 0; rank < num_workers; ++rank) {
    *num_merged += ForEachEvent(TraceFileOf(folder, rank), [&](const std::string& event) {
      first = std::min(first, TimeOf(event, &begin, &end).value_or(first));
    });
  }
  const std::string path = folder + "/trace.json";
  std::ofstream out(path);
  out << "{\"traceEvents\":[";
  const char* before = "\n";
  for (int rank = 0; rank < num_workers; ++rank) {
    ForEachEvent(TraceFileOf(folder, rank), [&](std::string event) {
      if (const std::optional<uint64_t> time = TimeOf(event, &begin, &end)) {
        event.replace(begin, end - begin, Micros(*time - first));
      }
      out << before << event;
      before = ",\n";
    });
  }
  out << "\n]}\n";
  out.close();
  if (!out) return SystemError("cannot write", path);
  return std::nullopt;
}

}  // namespace geeps::tool
