// SPDX-License-Identifier: Apache-2.0
// Mutants by name, in a build with GEEPS_MUTANTS; elsewhere there are none.
#ifndef GEEPS_TESTS_SIM_MUTANT_NAMES_H_
#define GEEPS_TESTS_SIM_MUTANT_NAMES_H_

#include <cstdint>
#include <string>

namespace geeps::sim {

uint32_t NumMutants();
// REQUIRES: index < NumMutants().
const char* MutantName(uint32_t index);
// From now on this rule is left out; "none": no rule. False when there is no mutant of that name.
bool SetMutant(const std::string& name);

}  // namespace geeps::sim

#endif  // GEEPS_TESTS_SIM_MUTANT_NAMES_H_
