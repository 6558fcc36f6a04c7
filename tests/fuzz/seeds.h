// SPDX-License-Identifier: Apache-2.0
// Thread contract: main alone.
#ifndef GEEPS_TESTS_FUZZ_SEEDS_H_
#define GEEPS_TESTS_FUZZ_SEEDS_H_

namespace geeps::fuzz {

// Ends the process when the command line asks for seeds.
void WriteSeedsIfAsked(int argc, char** argv);

}  // namespace geeps::fuzz

#endif  // GEEPS_TESTS_FUZZ_SEEDS_H_
