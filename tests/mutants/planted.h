// SPDX-License-Identifier: Apache-2.0
// What stands in front of every source file of a copy in which faults are planted (mutants.txt, tests/cuda/planted): the
// environment variable GEEPS_MUTANT names the one that is made, or the program does.
// Thread contract: named while nothing runs.
#ifndef GEEPS_TESTS_MUTANTS_PLANTED_H_
#define GEEPS_TESTS_MUTANTS_PLANTED_H_

#include <cstdlib>
#include <cstring>

// nullptr: none.
inline const char*& GeepsPlantedFault() {
  static const char* fault = std::getenv("GEEPS_MUTANT");
  return fault;
}

inline bool GeepsPlanted(const char* name) {
  const char* const fault = GeepsPlantedFault();
  return fault != nullptr && std::strcmp(fault, name) == 0;
}

#endif  // GEEPS_TESTS_MUTANTS_PLANTED_H_
