// SPDX-License-Identifier: Apache-2.0
// SeedRunner: the whole device contract on the fake driver with one seed, for programs that count. The program has
// doctest's implementation in it (seed_runner.cc) and a main of its own.
// Thread contract: one thread.
#ifndef GEEPS_TESTS_CUDA_SEED_RUNNER_H_
#define GEEPS_TESTS_CUDA_SEED_RUNNER_H_

#include <cstdint>
#include <string>

namespace geeps::test {

// Every case with this seed, work in orders drawn from it, up to the first that fails: "" or which one, and why.
std::string RunSeed(uint64_t seed);

// "1-1000" or "7". False: it is neither.
bool ParseSeeds(const std::string& text, uint64_t* first, uint64_t* last);

}  // namespace geeps::test

#endif  // GEEPS_TESTS_CUDA_SEED_RUNNER_H_
