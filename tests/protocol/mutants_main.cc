// SPDX-License-Identifier: Apache-2.0
// Runs the unit tests of the protocol once for each rule left out (runtime/protocol/mutants.h), each time in a child
// process. A mutant that no test notices is a failure of this program. Built with -DGEEPS_MUTANTS, as are the machines
// it tests.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <iterator>

#include "runtime/protocol/mutants.h"

namespace {

namespace protocol = geeps::protocol;
using protocol::Mutant;

struct Named {
  const char* name;
  Mutant mutant;
};
constexpr Named kMutants[] = {
#include "mutant_list.inc"
};

constexpr unsigned kLimitS = 60;  // a mutant may loop for ever: found as well

// Exit code or signal of the tests with this rule left out; 0 when all passed.
int RunTests(Mutant mutant) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    alarm(kLimitS);
    const int null = open("/dev/null", O_WRONLY);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    geeps::protocol::g_mutant = mutant;
    doctest::Context context;
    context.setOption("abort-after", 1);
    _exit(context.run() == 0 ? 0 : 1);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

int main() {
  if (RunTests(Mutant::kNone) != 0) {
    std::printf("the tests fail with every rule in force\n");
    return 1;
  }
  size_t num_missed = 0;
  for (const Named& named : kMutants) {
    const bool found = RunTests(named.mutant) != 0;
    std::printf("%-24s %s\n", named.name, found ? "found" : "NOT FOUND");
    if (!found) ++num_missed;
  }
  std::printf("%zu of %zu mutants not found\n", num_missed, std::size(kMutants));
  return num_missed == 0 ? 0 : 1;
}
