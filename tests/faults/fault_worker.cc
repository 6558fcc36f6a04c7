// SPDX-License-Identifier: Apache-2.0
// A process of one or several workers that is made to fail: each worker a thread with a conversation of its own
// (tests/system/interpreter.h), and a first conversation with the process itself:
//
//   arm kill|stop|tear N POINT   the fault point (points.h); "!" lines come on this conversation
//   points                       extra: what has been passed so far
//   threads                      extra: the thread ids of the workers
//   heap                         extra: blocks that geeps has allocated; bytes resident, after giving back what is free
//   fail N [lasting]             the N-th allocation from now on fails, but for those of the conversations
//   heal                         ends that; extra: how many were asked for since
//   exit                         the C library's exit, with workers in whatever they do
//
// A worker's conversation has one call more: run CALL; CALL; ..  makes them in turn up to the first that fails and
// answers with it, its name in the extra; "CALL ? TEXT" also wants TEXT as the extra of that call's answer.
//
// Arguments: the parent's process id, then INPUT OUTPUT, two descriptors, for each conversation. Thread contract: main.
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "geeps.h"
#include "tests/faults/points.h"
#include "tests/support/failing.h"
#include "tests/system/interpreter.h"

namespace geeps::fault_test {
namespace {

class Conversation {
 public:
  Conversation(int input, int output) : input_(fdopen(input, "r")), output_(output) {}
  ~Conversation() { fclose(input_); }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  // The next line, echoed; false at the end.
  bool Hear(std::string* line) {
    char* text = nullptr;
    size_t capacity = 0;
    const ssize_t length = getline(&text, &capacity, input_);
    if (length > 0) line->assign(text, static_cast<size_t>(length) - (text[length - 1] == '\n'));
    free(text);
    if (length > 0) Say("> " + *line);
    return length > 0;
  }
  void Say(const std::string& text) const {
    const std::string line = text + "\n";
    for (size_t done = 0; done < line.size();) {
      const ssize_t n = write(output_, line.data() + done, line.size() - done);
      if (n <= 0) return;  // the parent is gone, and so is this process soon
      done += static_cast<size_t>(n);
    }
  }
  int output() const { return output_; }

 private:
  FILE* const input_;
  const int output_;
};

std::string Answered(geeps_status status, const std::string& message, const std::string& extra) {
  return "= " + std::to_string(status) + " -1 0 0 " + message + "\t" + extra;
}

std::string WithoutBlanksAround(const std::string& text) {
  const size_t first = text.find_first_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

std::string Interpret(system_test::Interpreter* interpreter, const std::string& line) {
  if (line.rfind("run ", 0) != 0) return interpreter->Answer(line);
  std::istringstream calls(line.substr(4));
  std::string last;
  for (std::string part; std::getline(calls, part, ';');) {
    const size_t wants = part.find('?');
    const std::string call = WithoutBlanksAround(part.substr(0, wants));
    last = interpreter->Answer(call);
    if (last.rfind("= 0 ", 0) != 0) return last + "at " + call;
    const std::string extra = last.substr(last.find('\t') + 1);
    if (wants == std::string::npos || extra == WithoutBlanksAround(part.substr(wants + 1))) continue;
    return Answered(GEEPS_E_DATA, "the extra of '" + call + "' is '" + extra + "'", "at " + call);
  }
  return last;
}

class Process {
 public:
  int Run(int argc, char** argv) {
    const test::Outside own_thread;
    mallopt(M_ARENA_MAX, 1);  // else what is resident depends on which threads have met in the allocator
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != std::atoi(argv[1])) return 1;
    Conversation own(std::atoi(argv[2]), std::atoi(argv[3]));
    threads_.resize(static_cast<size_t>(argc - 4) / 2);  // before anybody looks
    std::vector<std::thread> workers;
    for (size_t i = 0; i < threads_.size(); ++i) {
      const int input = std::atoi(argv[4 + 2 * i]);
      const int output = std::atoi(argv[5 + 2 * i]);
      workers.emplace_back([this, i, input, output] { Work(i, input, output); });
    }
    for (std::string line; own.Hear(&line);) own.Say(Answer(line, own.output()));
    for (std::thread& worker : workers) worker.join();
    return 0;
  }

 private:
  // What the conversation needs is the test's; what geeps asks for inside of it is not (calls_inside.cc).
  void Work(size_t index, int input, int output) {
    const test::Outside own;
    threads_[index].store(gettid());
    Conversation conversation(input, output);
    system_test::Interpreter interpreter;
    for (std::string line; conversation.Hear(&line);) conversation.Say(Interpret(&interpreter, line));
  }

  std::string Answer(const std::string& line, int report_fd) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    if (verb == "arm") return Arm(words, report_fd);
    if (verb == "points") return Answered(GEEPS_OK, "", PassedPoints());
    if (verb == "threads") {
      std::string ids;
      for (const std::atomic<pid_t>& id : threads_) ids += (ids.empty() ? "" : " ") + std::to_string(id.load());
      return Answered(GEEPS_OK, "", ids);
    }
    if (verb == "heap") return Answered(GEEPS_OK, "", Heap());
    if (verb == "fail") {
      uint64_t n = 0;
      std::string lasting;
      words >> n >> lasting;
      test::FailAt(test::Resource::kMemory, n, lasting == "lasting");
      return Answered(GEEPS_OK, "", "");
    }
    if (verb == "heal") return Answered(GEEPS_OK, "", std::to_string(test::StopFailing()));
    if (verb == "exit") std::exit(0);
    return Answered(GEEPS_E_INVALID, "no such call", "");
  }

  static std::string Arm(std::istringstream& words, int report_fd) {
    std::string action, point;
    uint64_t n = 0;
    words >> action >> n;
    std::getline(words >> std::ws, point);
    const Action kind = action == "stop" ? Action::kStop : action == "tear" ? Action::kTear : Action::kKill;
    ArmPoint(point, n, kind, report_fd);
    return Answered(GEEPS_OK, "", "");
  }

  static std::string Heap() {
    malloc_trim(0);
    uint64_t pages = 0;
    std::ifstream statm("/proc/self/statm");
    statm >> pages >> pages;  // the second number: resident
    return std::to_string(test::LiveBlocks()) + " " + std::to_string(pages * 4096);
  }

  std::deque<std::atomic<pid_t>> threads_;
};

}  // namespace
}  // namespace geeps::fault_test

int main(int argc, char** argv) {
  if (argc < 6 || argc % 2 != 0) return 2;
  geeps::fault_test::Process process;
  return process.Run(argc, argv);
}
