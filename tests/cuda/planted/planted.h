// SPDX-License-Identifier: Apache-2.0
// Which fault of planted.txt is made, in the copy of the host part that they are planted into.
// Thread contract: set while nothing runs.
#ifndef GEEPS_TESTS_CUDA_PLANTED_PLANTED_H_
#define GEEPS_TESTS_CUDA_PLANTED_PLANTED_H_

#include <cstring>

// nullptr: none.
inline const char* geeps_planted_fault = nullptr;

inline bool GeepsPlanted(const char* name) {
  return geeps_planted_fault != nullptr && std::strcmp(geeps_planted_fault, name) == 0;
}

#endif  // GEEPS_TESTS_CUDA_PLANTED_PLANTED_H_
