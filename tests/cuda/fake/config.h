// SPDX-License-Identifier: Apache-2.0
// Config: how the fake driver behaves, from words such as "devices=2 memory=1g schedule=seeded:7":
//   devices=N          0: cuInit says that there is none
//   memory=BYTES       of each device; k, m, g
//   pinned=BYTES       that the system pins in all
//   schedule=lazy|eager|seeded:SEED
//   version=N          as cuDriverGetVersion gives it
//   compute=MAJOR.MINOR
//   refuse=FUNCTION:N:RESULT    the N-th call of an exported function gives this CUresult, which breaks the context
//   where
//                      the driver would; N+: from the N-th on
//   break=N:RESULT     the N-th copy, fill or launch that runs breaks its context with this CUresult
//   kernels=PATH       a shared object with the kernels of a program (fake.h)
//   quiet=1            findings do not go to stderr
// Thread contract: a value.
#ifndef GEEPS_TESTS_CUDA_FAKE_CONFIG_H_
#define GEEPS_TESTS_CUDA_FAKE_CONFIG_H_

#include <cstdint>
#include <string>
#include <vector>

namespace geeps::fake {

enum class Schedule { kLazy, kEager, kSeeded };

struct Refusal {
  std::string function;
  uint64_t first = 0;
  bool goes_on = false;
  int result = 0;
};

struct Config {
  int num_devices = 1;
  uint64_t memory_bytes = uint64_t{1} << 30;
  uint64_t pinned_bytes = uint64_t{4} << 30;
  Schedule schedule = Schedule::kEager;
  uint64_t seed = 0;
  int version = 12040;
  int compute_major = 9;
  int compute_minor = 0;
  std::vector<Refusal> refusals;
  uint64_t break_at = 0;  // 0: never
  int break_result = 0;
  std::string kernels_path;  // "": none
  bool is_quiet = false;
};

// "" is success; *out is untouched on an error, which is a sentence.
std::string ParseConfig(const std::string& words, Config* out);

}  // namespace geeps::fake

#endif  // GEEPS_TESTS_CUDA_FAKE_CONFIG_H_
