// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/top_picture.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>

#include "tools/geeps/json_value.h"
#include "tools/geeps/options.h"

namespace geeps::tool {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFileBytesMax = 64 << 20;
constexpr int kRankMax = 1 << 20;
constexpr std::chrono::seconds kSilence(3);  // a worker writes every half second

// The rank in "rank-R.json".
std::optional<int> RankOf(const std::string& name) {
  constexpr size_t kPrefix = 5, kSuffix = 5;
  if (name.size() <= kPrefix + kSuffix || name.rfind("rank-", 0) != 0 ||
      name.compare(name.size() - kSuffix, kSuffix, ".json") != 0) {
    return std::nullopt;
  }
  return ParseInt(name.substr(kPrefix, name.size() - kPrefix - kSuffix), 0, kRankMax);
}

// Files of workers in the folder, by rank. Returns what is wrong, or nothing.
std::optional<std::string> ListFiles(const std::string& folder, std::map<int, fs::path>* files) {
  std::error_code error;
  fs::directory_iterator it(folder, error);
  for (const fs::directory_iterator end; !error && it != end; it.increment(error)) {
    const std::optional<int> rank = RankOf(it->path().filename().string());
    if (rank.has_value()) (*files)[*rank] = it->path();
  }
  if (error) return "cannot look into " + folder + ": " + error.message();
  return std::nullopt;
}

// Text for a terminal: nothing in it moves the cursor.
std::string Printable(std::string text) {
  for (char& letter : text) {
    if (letter < 0x20 || letter > 0x7e) letter = '?';
  }
  return text;
}

// False when a number is missing.
bool AddUp(const JsonValue& from, const char* const (&keys)[2], uint64_t* sum) {
  for (const char* const key : keys) {
    const std::optional<uint64_t> number = from[key].number();
    if (!number.has_value()) return false;
    *sum += *number;
  }
  return true;
}

bool TakeNumber(const JsonValue& value, uint64_t* out) {
  const std::optional<uint64_t> number = value.number();
  if (number.has_value()) *out = *number;
  return number.has_value();
}

// False when it is not what a runtime writes.
bool Interpret(const JsonValue& json, uint64_t* rank, WorkerPicture* out) {
  const JsonValue& waiting = json["waiting"];
  const std::optional<std::string> state = json["state"].text();
  const bool complete =
      state.has_value() && TakeNumber(json["rank"], rank) && TakeNumber(json["world"], &out->world) &&
      TakeNumber(json["clock"], &out->clock) && TakeNumber(json["elapsed_ns"], &out->elapsed_ns) &&
      TakeNumber(json["process"], &out->process) && TakeNumber(waiting["imbalance_ns"], &out->imbalance_ns) &&
      TakeNumber(waiting["stall_ns"], &out->stall_ns) && TakeNumber(waiting["now_ns"], &out->now_ns) &&
      AddUp(waiting, {"wait_ns", "now_ns"}, &out->waited_ns) &&
      AddUp(json["bytes"], {"contribution_bytes_received", "publish_bytes_received"}, &out->bytes_in) &&
      AddUp(json["bytes"], {"contribution_bytes_sent", "publish_bytes_sent"}, &out->bytes_out);
  if (!complete) return false;
  if (*state == "ended") out->state = WorkerPicture::State::kEnded;
  if (*state == "lost") out->state = WorkerPicture::State::kLost;
  out->cause = Printable(json["cause"].text().value_or(""));
  for (const JsonValue& table : json["tables"].items()) {
    uint64_t waited_ns = 0;
    const std::optional<std::string> name = table["name"].text();
    if (!name.has_value() || !AddUp(table["waiting"], {"wait_ns", "now_ns"}, &waited_ns)) return false;
    out->tables.emplace_back(Printable(*name), waited_ns);
  }
  return true;
}

// Whether the process has ended, as far as this one can see.
bool IsGone(uint64_t process) {
  if (process == 0 || process > uint64_t{std::numeric_limits<pid_t>::max()}) return false;
  return kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH;
}

void NoteSilence(const fs::path& file, WorkerPicture* worker) {
  std::error_code error;
  const fs::file_time_type written = fs::last_write_time(file, error);
  const auto age = fs::file_time_type::clock::now() - written;
  if (error || age < kSilence || worker->state != WorkerPicture::State::kRunning) return;
  worker->silent_s = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(age).count());
  worker->state = IsGone(worker->process) ? WorkerPicture::State::kGone : WorkerPicture::State::kSilent;
}

}  // namespace

std::string StatsFileOf(const std::string& folder, int rank) {
  return folder + "/rank-" + std::to_string(rank) + ".json";
}

std::optional<std::string> PrepareStatsFolder(const std::string& folder) {
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return "cannot create " + folder + ": " + strerror(errno);
  std::map<int, fs::path> files;
  std::optional<std::string> trouble = ListFiles(folder, &files);
  if (trouble.has_value()) return trouble;
  for (const auto& [rank, file] : files) {
    std::error_code error;
    if (!fs::remove(file, error) && error) return "cannot remove " + file.string() + ": " + error.message();
  }
  return std::nullopt;
}

std::optional<std::string> ReadPictures(const std::string& folder, std::map<int, WorkerPicture>* workers) {
  std::map<int, fs::path> files;
  std::optional<std::string> trouble = ListFiles(folder, &files);
  if (trouble.has_value()) return trouble;
  for (const auto& [rank, file] : files) {
    std::error_code error;
    if (!fs::is_regular_file(file, error)) return file.string() + " is no regular file";
    if (fs::file_size(file, error) > kFileBytesMax) return file.string() + " is larger than 64 MiB";
    std::ifstream stream(file, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    if (!stream.is_open()) return "cannot read " + file.string() + ": " + strerror(errno);
    WorkerPicture worker;
    uint64_t written_rank = 0;
    const std::optional<JsonValue> json = JsonValue::Parse(text);
    if (!json.has_value() || !Interpret(*json, &written_rank, &worker)) {
      return file.string() + " does not hold the statistics of a runtime of this version";
    }
    if (written_rank != static_cast<uint64_t>(rank)) {
      return file.string() + " holds the statistics of rank " + std::to_string(written_rank);
    }
    NoteSilence(file, &worker);
    (*workers)[rank] = std::move(worker);
  }
  return std::nullopt;
}

}  // namespace geeps::tool
