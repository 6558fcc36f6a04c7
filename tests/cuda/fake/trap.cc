// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/fake/trap.h"

#include <signal.h>
#include <unistd.h>

#include <cstring>

namespace geeps::fake {
namespace {

Bytes device_range;
Bytes pinned_range;
struct sigaction former;
bool has_faulted = false;

void Say(const char* text) {
  if (write(STDERR_FILENO, text, std::strlen(text)) < 0) return;
}

void SayNumber(uint64_t number) {
  char text[19] = "0x0000000000000000";
  for (int i = 17; i > 1; --i, number >>= 4) text[i] = "0123456789abcdef"[number & 15];
  Say(text);
}

void OnFault(int /*signal*/, siginfo_t* info, void* /*context*/) {
  const uint64_t address = reinterpret_cast<uintptr_t>(info->si_addr);
  const bool is_device = address - device_range.first < device_range.num;
  if (is_device || address - pinned_range.first < pinned_range.num) {
    Say("fake CUDA driver: host code touches ");
    SayNumber(address);
    Say(is_device ? ", which is device memory: only copies, fills and kernels reach it\n"
                  : ", which is pinned memory that is not allocated, or not any more\n");
  }
  // The instruction runs once more, into the former handler; when that one hands back to us, the system ends the
  // process.
  struct sigaction by_default = {};
  by_default.sa_handler = SIG_DFL;
  sigaction(SIGSEGV, has_faulted ? &by_default : &former, nullptr);
  has_faulted = true;
}

}  // namespace

void SetTrapRanges(Bytes device, Bytes pinned) {
  device_range = device;
  pinned_range = pinned;
}

void SetTrap() {
  struct sigaction current = {};
  sigaction(SIGSEGV, nullptr, &current);
  if ((current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == &OnFault) return;
  former = current;
  struct sigaction action = {};
  action.sa_sigaction = &OnFault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, nullptr);
}

}  // namespace geeps::fake
