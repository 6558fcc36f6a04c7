// SPDX-License-Identifier: Apache-2.0
// Stage: the job of one cell of the drill, and what the cells have in common: the workers are brought to where the
// fault finds them, and afterwards either all goes on to its end or what is left leaves. Judgements are texts as in
// job.h. Thread contract: one thread.
#ifndef GEEPS_TESTS_FAULTS_STAGE_H_
#define GEEPS_TESTS_FAULTS_STAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/faults/drill.h"
#include "tests/faults/job.h"
#include "tests/faults/runner.h"

namespace geeps::fault_test {

inline constexpr uint32_t kDrillWorld = 3;
// Who starts when the job is over already has this much time to see it.
inline constexpr int kDrillStartLimit_s = 2;

std::string Milliseconds(double seconds);  // "3 ms"
std::string NameOf(int32_t status);        // "PEER_LOST"

class Stage {
 public:
  Stage(Fault fault, const Phase& phase, bool in_process, uint32_t victim);

  // All have made their runtimes and what comes before the phase.
  std::string Begin();
  const std::string& text() const { return text_; }

 protected:
  const Stand& StandOf(uint32_t rank) const;
  // What is left of the phase for one who stands there.
  static std::vector<std::string> RestOf(const Stand& stand);
  bool IsAsleep(uint32_t rank) const;
  // Brings these to where they stand, all at once: one's pass may need another's.
  std::string Reach(const std::vector<uint32_t>& ranks, bool sleep);
  // One who goes before rank 0 has heard of it was never there: the others would wait for it until the start limit.
  std::string AwaitKnown();
  // Runners of the two others; those who are asleep already wait for their answer.
  void AddOthers(std::vector<Runner>* runners) const;

  // What a fence of one that is in no call says once geeps_info knows of the loss. Another call would first say what is
  // wrong with itself.
  Answer AnswerOfLoss(uint32_t rank, double limit_s);
  // All calls end well, and so does the job.
  std::string GoOn(std::vector<Runner>* runners);
  // Destroys beside one another, then looks at what is left, and whether these live.
  std::string Leave(const std::vector<uint32_t>& ranks, const std::vector<uint32_t>& alive);

  const Fault fault_;
  const Phase& phase_;
  const uint32_t victim_;
  uint32_t other_ = kDrillWorld;
  uint32_t late_ = kDrillWorld;
  Job job_;
  std::vector<uint32_t> asleep_;
  std::string text_;  // of the cell, when all is well
};

// The cells in which a worker is lost, and those after which the job goes on. *text: of the cell, when all is well.
std::string RunLoss(Fault fault, const Phase& phase, bool in_process, uint32_t victim, std::string* text);
std::string RunOn(Fault fault, const Phase& phase, bool in_process, uint32_t victim, std::string* text);

}  // namespace geeps::fault_test

#endif  // GEEPS_TESTS_FAULTS_STAGE_H_
