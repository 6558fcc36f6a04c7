// SPDX-License-Identifier: Apache-2.0
#include "tests/oom/attempt.h"

#include <errno.h>
#include <execinfo.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>

#include "tests/support/entries.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GEEPS_TEST_HAS_LSAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define GEEPS_TEST_HAS_LSAN 1
#endif
#ifdef GEEPS_TEST_HAS_LSAN
#include <sanitizer/lsan_interface.h>
#endif

namespace geeps::oom_test {
namespace {

// Both runs have 30 s each; then the process says where it hangs.
constexpr int kLimitMs = 90000;
constexpr std::chrono::seconds kResolverLimit(10);

// How the parent hears of it: this at the end of what the process has written.
struct Tail {
  uint64_t magic = 0x6f6f6d7461696c21;
  uint64_t num_requests = 0;
  uint64_t num_failed = 0;
  Holdings holdings;
};

// What is held when all threads but `threads` have ended: one that asks the system's resolver is left to itself, and
// ends by itself.
Holdings Hold(int threads) {
  const auto end = std::chrono::steady_clock::now() + kResolverLimit;
  while (test::NumThreads() > threads && std::chrono::steady_clock::now() < end) poll(nullptr, 0, 1);
  return {test::LiveBlocks(), test::NumDescriptors(), test::NumThreads()};
}

std::string CompareHoldings(const Holdings& found, const Holdings& expected) {
  std::string text;
  const auto compare = [&](const char* what, int64_t a, int64_t b) {
    if (a != b) text += std::to_string(a) + " " + what + " are held, " + std::to_string(b) + " were expected\n";
  };
  compare("blocks of memory", found.blocks, expected.blocks);
  compare("descriptors", found.descriptors, expected.descriptors);
  compare("threads", found.threads, expected.threads);
  return text;
}

// The process is about to be taken down, which must not be: says by what. Allocates, which is as good as the rest here.
void OnFatalSignal(int signal) {
  const test::Outside own;
  test::StopFailing();
  void* frames[64];
  const int num = backtrace(frames, 64);
  std::printf("%s\nthe request that failed:\n%s", strsignal(signal), test::FailureTrace().c_str());
  std::fflush(stdout);
  backtrace_symbols_fd(frames, num, STDOUT_FILENO);
  _exit(5);
}

// In the process of the attempt; does not return. With GEEPS_OOM_BLOCKS in the environment blocks that are left are
// told with who asked for them.
[[noreturn]] void Child(const Scenario& scenario, const Fault& fault, const Holdings* expected) {
  const bool keep = getenv("GEEPS_OOM_BLOCKS") != nullptr;
  for (const int fatal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE}) signal(fatal, OnFatalSignal);
  Tail tail;
  std::string report;
  const int threads = test::NumThreads();
  {
    const test::Outside own;
    test::KeepBlocks(keep);
    test::FailAt(fault.resource, fault.n, fault.lasting);
    report = scenario.run(fault);
    tail.num_requests = test::StopFailing();
    tail.num_failed = test::NumFailed();
    const std::string kept = keep ? test::BlockTraces(50) : "";
    test::FailAt(fault.resource, 0, false);
    const std::string second = scenario.run(Fault{fault.resource, 0, false});
    test::StopFailing();
    if (!second.empty()) report += "in the run after it, where nothing failed:\n" + second;
    tail.holdings = Hold(threads);
    const std::string held = expected == nullptr ? "" : CompareHoldings(tail.holdings, *expected);
    if (!held.empty()) report += held + kept;
#ifdef GEEPS_TEST_HAS_LSAN
    if (__lsan_do_recoverable_leak_check() != 0) report += "LeakSanitizer found a leak\n";
#endif
    if (!report.empty()) report += "the request that failed:\n" + test::FailureTrace();
  }
  std::fwrite(report.data(), 1, report.size(), stdout);
  std::fwrite(&tail, sizeof tail, 1, stdout);
  std::fflush(stdout);
  _exit(0);
}

// All that the child writes until it ends; false: it did not end in time.
bool ReadAll(int fd, std::string* text) {
  while (true) {
    pollfd descriptor{fd, POLLIN, 0};
    const int ready = poll(&descriptor, 1, kLimitMs);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    char piece[4096];
    const ssize_t got = read(fd, piece, sizeof piece);
    if (got == 0) return true;
    if (got > 0) text->append(piece, static_cast<size_t>(got));
  }
}

std::string EndOf(int status) {
  if (WIFSIGNALED(status)) return std::string("the process was killed: ") + strsignal(WTERMSIG(status)) + "\n";
  return "the process ended with code " + std::to_string(WEXITSTATUS(status)) + "\n";
}

}  // namespace

Outcome RunAttempt(const Scenario& scenario, const Fault& fault, const Holdings* expected) {
  const test::Outside own;
  Outcome outcome;
  int ends[2];
  if (pipe(ends) != 0) {
    outcome.report = "no pipe\n";
    return outcome;
  }
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    Child(scenario, fault, expected);
  }
  close(ends[1]);
  if (!ReadAll(ends[0], &outcome.report)) {
    kill(child, SIGKILL);
    outcome.report += "the process hangs\n";
  }
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  Tail tail;
  bool whole = outcome.report.size() >= sizeof tail;
  if (whole) {
    std::memcpy(&tail, outcome.report.data() + outcome.report.size() - sizeof tail, sizeof tail);
    whole = tail.magic == Tail().magic;
  }
  if (whole) {
    outcome.report.resize(outcome.report.size() - sizeof tail);
    outcome.num_requests = tail.num_requests;
    outcome.num_failed = tail.num_failed;
    outcome.holdings = tail.holdings;
  }
  if (!whole || status != 0) outcome.report += EndOf(status);
  return outcome;
}

const char* NameOf(test::Resource resource) {
  switch (resource) {
    case test::Resource::kMemory:
      return "memory";
    case test::Resource::kDescriptor:
      return "descriptor";
    case test::Resource::kThread:
      return "thread";
  }
  return "?";
}

bool ParseResource(const std::string& text, test::Resource* resource) {
  for (const test::Resource known : {test::Resource::kMemory, test::Resource::kDescriptor, test::Resource::kThread}) {
    if (text != NameOf(known)) continue;
    *resource = known;
    return true;
  }
  return false;
}

}  // namespace geeps::oom_test
