// SPDX-License-Identifier: Apache-2.0
// Launcher: what the program that starts the workers says in the environment: `geeps run`, Slurm, MPI, torchrun. Read
// only when the option launcher asks for it by name, and only for options that are not given: variables of several
// launchers may be set at the same time (mpirun within a Slurm job), so nothing is guessed. Thread contract: pure, but
// for the environment that is passed in.
#ifndef GEEPS_RUNTIME_SESSION_LAUNCHER_H_
#define GEEPS_RUNTIME_SESSION_LAUNCHER_H_

#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"

namespace geeps::session {

// The value of an option and where it was found, for sentences: "option rank" or "SLURM_PROCID".
struct OptionValue {
  std::string text;
  std::string source;
};
using OptionValues = std::map<std::string, OptionValue>;  // by key

// The value of a variable, or nullptr.
using Environment = std::function<const char*(const char*)>;

// With launcher = slurm the workers of a job meet at one of these ports: kSlurmPortMin + (16 * job + step) mod
// kSlurmPorts.
inline constexpr unsigned kSlurmPortMin = 12000;
inline constexpr unsigned kSlurmPorts = 20000;

// Adds what the launcher that `values` name says for rank, world, rendezvous and, with geeps, transport and log_level.
// Errors: Invalid: an unknown launcher; a variable that is missing or malformed, with its value and what is expected.
absl::Status AddLauncherValues(const Environment& environment, OptionValues* values);

}  // namespace geeps::session

#endif  // GEEPS_RUNTIME_SESSION_LAUNCHER_H_
