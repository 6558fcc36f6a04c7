// SPDX-License-Identifier: Apache-2.0
// What tools/mutants puts in front of every source file of the copy in which the faults of mutants.txt are planted: the
// environment variable GEEPS_MUTANT names the one that is made.
#ifndef GEEPS_TESTS_MUTANTS_PLANTED_H_
#define GEEPS_TESTS_MUTANTS_PLANTED_H_

#include <cstdlib>
#include <cstring>

inline bool GeepsPlanted(const char* name) {
  static const char* const chosen = std::getenv("GEEPS_MUTANT");
  return chosen != nullptr && std::strcmp(chosen, name) == 0;
}

#endif  // GEEPS_TESTS_MUTANTS_PLANTED_H_
