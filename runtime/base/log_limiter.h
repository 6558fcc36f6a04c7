// SPDX-License-Identifier: Apache-2.0
// LogLimiter: which lines of a log are written, so that a thing that happens a million times does not fill a disk.
//
// Lines are alike when component, level and text are the same but for numbers: "refused rank 3" and "refused rank 4".
// Of lines that are alike, the first so many of a period are written; the period begins with the first of them. Those
// above that are counted, and once the period is over one line says how many were left out. Time is what the caller
// passes in.
// Thread contract: none; the caller orders the calls.
#ifndef GEEPS_RUNTIME_BASE_LOG_LIMITER_H_
#define GEEPS_RUNTIME_BASE_LOG_LIMITER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace geeps {

class LogLimiter {
 public:
  static constexpr uint64_t kPeriodNs = 10'000'000'000;
  // Kinds of lines known at a time; the one whose period began first makes room for another.
  static constexpr size_t kKindsMax = 64;

  // Lines that were left out, to be told at their own level and under their own component.
  struct LeftOut {
    int32_t level = 0;
    std::string component;
    uint64_t num = 0;
    std::string example;  // the first line of the period
  };

  // Whether this line is written. max: so many alike are, in a period. Appends to *told what is to be told before it:
  // the periods that are over, and the one that made room.
  bool Admit(int32_t level, absl::string_view component, absl::string_view text, uint64_t max, uint64_t now_ns,
             std::vector<LeftOut>* told);

  // The log ends: everything that was left out and not told.
  std::vector<LeftOut> TakeAll();

 private:
  struct Kind {
    LeftOut left_out;
    std::string pattern;  // the text, each run of digits as one '#'
    uint64_t begun_ns = 0;
    uint64_t num_written = 0;
  };

  void Expire(uint64_t now_ns, std::vector<LeftOut>* told);

  std::vector<Kind> kinds_;  // in the order in which their periods began
};

// "37 more lines like this one were left out within 10 s: refused ..."
std::string LeftOutText(const LogLimiter::LeftOut& left_out);

}  // namespace geeps

#endif  // GEEPS_RUNTIME_BASE_LOG_LIMITER_H_
