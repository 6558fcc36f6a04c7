// SPDX-License-Identifier: Apache-2.0
// Inquiry: finds out why the program has waited long: asks the keeper of a partition that the operation waits for whose
// contributions are missing there (WHO, MISSING), and logs the answer. Nothing depends on it but the log.
// Thread contract: the mover thread.
#ifndef GEEPS_RUNTIME_MOVERS_INQUIRY_H_
#define GEEPS_RUNTIME_MOVERS_INQUIRY_H_

#include <cstdint>
#include <optional>
#include <string>

#include "runtime/movers/context.h"
#include "runtime/protocol/message.h"

namespace geeps::movers {

class Inquiry {
 public:
  explicit Inquiry(MoverContext* context) : context_(context) {}

  // The program waits for an operation of plan set_id at `clock`; `what` begins the line of the log. Nothing when the
  // operation has become ready since. It waits for one operation at a time: a new question takes the place of the last.
  void Ask(uint32_t set_id, uint32_t op, protocol::Clock clock, std::string what);
  // An answer. One to another question than the last is dropped.
  void OnMissing(uint32_t rank, const protocol::Header& header);
  // The program waits on, and should have been answered. Nothing when it was; an answer may still come.
  void OnNoAnswer();

 private:
  struct Question {
    uint64_t epoch = 0;
    uint32_t partition = 0;
    std::string what;
  };

  // The partition with the oldest version among those that keep the operation waiting, or kNone.
  uint32_t FindLate(const plan::PlannedOp& op, protocol::Clock clock) const;
  // "...: partition 3 of table 't', kept by rank 1, ": how each line about the question begins.
  std::string LineOf(const Question& question) const;

  MoverContext* const context_;
  std::optional<Question> question_;  // not answered
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_INQUIRY_H_
