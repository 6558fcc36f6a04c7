// SPDX-License-Identifier: Apache-2.0
// What the workers of a job have written about themselves into a folder (option stats of a runtime), read for `geeps
// top`.
// Thread contract: any thread.
#ifndef GEEPS_TOOLS_GEEPS_TOP_PICTURE_H_
#define GEEPS_TOOLS_GEEPS_TOP_PICTURE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace geeps::tool {

struct WorkerPicture {
  enum class State : uint8_t { kRunning, kSilent, kEnded, kLost, kGone };
  State state = State::kRunning;
  std::string cause;        // kLost
  uint64_t silent_s = 0;    // kSilent, kGone: since it wrote
  uint64_t process = 0;
  uint64_t world = 0;
  uint64_t clock = 0;
  uint64_t elapsed_ns = 0;
  uint64_t waited_ns = 0;   // the wait under way included
  uint64_t imbalance_ns = 0;  // of the waits that have ended
  uint64_t stall_ns = 0;
  uint64_t now_ns = 0;      // the wait under way; 0: none is
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  std::vector<std::pair<std::string, uint64_t>> tables;  // name, waited_ns
};

// "FOLDER/rank-R.json"
std::string StatsFileOf(const std::string& folder, int rank);

// Creates the folder, for its owner alone, if need be, and removes what an earlier job has left in it. Returns what is
// wrong, or nothing.
std::optional<std::string> PrepareStatsFolder(const std::string& folder);

// *workers: by rank, those that have written. Returns what is wrong, or nothing.
std::optional<std::string> ReadPictures(const std::string& folder, std::map<int, WorkerPicture>* workers);

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_TOP_PICTURE_H_
