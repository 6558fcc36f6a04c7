// SPDX-License-Identifier: Apache-2.0
// Membership: the shipped coordinator under virtual time, from one seed: workers that come in any order, some with a
// greeting that must be refused; heartbeats that are late or stay away; fences that fit, fail, or are not the same
// everywhere; and in most seeds one fault that ends the job: a connection that closes, silence, a goodbye, a suspicion,
// a fence that is not due, clocks that differ. The job of docs/protocol.md, section 11, is checked: one verdict at
// most, about a worker at fault, in time; none without a fault; nothing behind it; and without a fault every fence is
// passed.
#ifndef GEEPS_TESTS_SIM_MEMBERSHIP_H_
#define GEEPS_TESTS_SIM_MEMBERSHIP_H_

#include <cstdint>
#include <string>

namespace geeps::sim {

struct MembershipResult {
  std::string violation;  // empty: none
  uint64_t num_inputs = 0;
  bool verdict = false;
  uint64_t hash = 0;  // of every input, its time, and what came of it
};

MembershipResult RunMembership(uint64_t seed);

}  // namespace geeps::sim

#endif  // GEEPS_TESTS_SIM_MEMBERSHIP_H_
