// SPDX-License-Identifier: Apache-2.0
// What a correct peer never sends: each message is given to a machine that must refuse it.
#ifndef GEEPS_TESTS_SIM_REFUSALS_H_
#define GEEPS_TESTS_SIM_REFUSALS_H_

#include <cstdint>
#include <string>

namespace geeps::sim {

// The first message that is taken although it is wrong; empty when all are refused. *num_refused counts them.
std::string FirstAccepted(uint32_t* num_refused);

}  // namespace geeps::sim

#endif  // GEEPS_TESTS_SIM_REFUSALS_H_
