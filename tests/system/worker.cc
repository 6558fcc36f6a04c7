// SPDX-License-Identifier: Apache-2.0
// The worker that tests start as a process: it reads calls from stdin, one a line (interpreter.h), echoes each as
// "> CALL" when it begins, and answers when it returns. Its only argument is the parent's process id: it dies with it.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "tests/system/interpreter.h"

namespace geeps::system_test {
namespace {

int Run(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) return 1;
  Interpreter interpreter;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << "> " << line << std::endl;  // flushed: the parent waits for it
    std::cout << interpreter.Answer(line) << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace geeps::system_test

int main(int argc, char** argv) { return argc == 2 ? geeps::system_test::Run(std::atoi(argv[1])) : 2; }
