// SPDX-License-Identifier: Apache-2.0
// Trial: a whole job over tcp, from start to destroy, one of whose workers dies or stops at a fault point (points.h) or
// at a moment; then everything that must hold of the others is looked at. Thread contract: one thread.
#ifndef GEEPS_TESTS_FAULTS_TRIAL_H_
#define GEEPS_TESTS_FAULTS_TRIAL_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace geeps::fault_test {

enum class Blow {
  kKill,   // dies: the others lose it
  kTear,   // dies with half a message sent; at points "send" only
  kPause,  // stops and goes on below the heartbeat limit: nothing is lost
  kStop,   // stops and goes on after the others have lost it
};
inline constexpr const char* kBlowNames[] = {"kill", "tear", "pause", "stop"};

struct TrialOptions {
  uint32_t world = 3;
  uint32_t victim = 1;
  Blow blow = Blow::kKill;
  std::string point;       // empty: at the moment
  uint64_t n = 1;          // the n-th time
  uint32_t after_ms = 0;   // the moment, after all have begun
  uint32_t pause_ms = 50;  // how long it is stopped
  uint64_t passes = 4;     // of each plan; many with a moment, so that it falls into them
};

struct TrialResult {
  bool hit = false;   // false: the job ended well before the fault came
  std::string where;  // what the point was
  std::string wrong;  // empty: all as promised
};

TrialResult RunTrial(const TrialOptions& options);

// What each worker of such a job passes when nothing fails: by rank, name -> count. Empty when the job fails; then
// *wrong says why.
std::vector<std::map<std::string, uint64_t>> CountPoints(uint32_t world, std::string* wrong);

}  // namespace geeps::fault_test

#endif  // GEEPS_TESTS_FAULTS_TRIAL_H_
