// SPDX-License-Identifier: Apache-2.0
// A small program on the CUDA back end that uses every function of the table: two streams, events, tables of launches
// that go by value and through the ring, a notice. It ends at its first error, gives everything back, and says what it
// saw. Thread contract: one thread per program.
#ifndef GEEPS_TESTS_CUDA_ON_FAKE_PROGRAM_H_
#define GEEPS_TESTS_CUDA_ON_FAKE_PROGRAM_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace geeps::test {

struct Seen {
  absl::Status status;             // the first error
  std::vector<std::string> wrong;  // sentences
};

// Runs it on a device of its own.
Seen RunProgram(int device_id);

}  // namespace geeps::test

#endif  // GEEPS_TESTS_CUDA_ON_FAKE_PROGRAM_H_
