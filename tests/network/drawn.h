// SPDX-License-Identifier: Apache-2.0
// A job with a drawn fault of the network: its size, the fault and its place follow from the seed. Thread contract: one
// thread.
#ifndef GEEPS_TESTS_NETWORK_DRAWN_H_
#define GEEPS_TESTS_NETWORK_DRAWN_H_

#include <cstdint>
#include <string>

namespace geeps::network_test {

struct Drawn {
  std::string wrong;  // empty, or what should not be, with the seed
  bool struck = false;
};

// A fault that must be noticed: all workers have the same error within its limits, or, when it did not come to it, all
// end well.
Drawn RunDrawnFault(uint64_t seed);
// A drawn job of any kind (tests/system/scenario.h) whose frames come late and in pieces: every read and get shows what
// it may. Empty, or what else one showed, with the seed.
std::string RunDrawnDelays(uint64_t seed);

}  // namespace geeps::network_test

#endif  // GEEPS_TESTS_NETWORK_DRAWN_H_
