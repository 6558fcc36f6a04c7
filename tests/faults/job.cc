// SPDX-License-Identifier: Apache-2.0
#include "tests/faults/job.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "geeps.h"

namespace geeps::fault_test {
namespace {

std::string Named(uint32_t rank, const std::string& call, const Answer& answer) {
  return "rank " + std::to_string(rank) + ", " + call + ": " + answer.Cause();
}

std::vector<std::string> Words(const std::string& text) {
  std::istringstream words(text);
  std::vector<std::string> list;
  for (std::string word; words >> word;) list.push_back(word);
  return list;
}

// With a "C" for each number of a clock.
std::string WithoutClocks(const std::string& text) {
  static const std::string word = "clock ";
  std::string result;
  size_t at = 0;
  for (size_t found = text.find(word); found != std::string::npos; found = text.find(word, at)) {
    const size_t number = found + word.size();
    const size_t end = std::min(text.find_first_not_of("0123456789", number), text.size());
    result += text.substr(at, number - at) + (end > number ? "C" : "");
    at = end;
  }
  return result + text.substr(at);
}

}  // namespace

Host::Host(uint32_t num_workers) {
  signal(SIGPIPE, SIG_IGN);  // a worker that has died does not listen
  own_ = std::make_unique<Dialogue>();
  std::vector<const Dialogue*> all = {own_.get()};
  for (uint32_t i = 0; i < num_workers; ++i) {
    workers_.push_back(std::make_unique<Dialogue>());
    all.push_back(workers_.back().get());
  }
  std::vector<std::string> texts = {GEEPS_TEST_FAULT_WORKER, std::to_string(getpid())};
  for (const Dialogue* dialogue : all) {
    texts.push_back(std::to_string(dialogue->their_input()));
    texts.push_back(std::to_string(dialogue->their_output()));
  }
  std::vector<char*> arguments;
  for (std::string& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    signal(SIGPIPE, SIG_DFL);
    for (const Dialogue* dialogue : all) {
      fcntl(dialogue->their_input(), F_SETFD, 0);
      fcntl(dialogue->their_output(), F_SETFD, 0);
    }
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  own_->CloseTheirs();
  for (const auto& worker : workers_) worker->CloseTheirs();
}

Host::~Host() { Kill(); }

bool Host::AwaitSleep(uint32_t index, double limit_s) {
  const std::vector<std::string> threads = Words(own_->Call("threads").extra);
  if (index >= threads.size()) return false;
  return system_test::AwaitSleepOf(pid_, static_cast<pid_t>(std::stol(threads[index])), *workers_[index], limit_s);
}

std::map<std::string, uint64_t> Host::PassedPoints() {
  std::map<std::string, uint64_t> counts;
  std::istringstream list(own_->Call("points").extra);
  for (std::string entry; std::getline(list, entry, ';');) {
    const size_t at = entry.rfind('=');
    counts[entry.substr(0, at)] = std::strtoull(entry.c_str() + at + 1, nullptr, 10);
  }
  return counts;
}

void Host::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void Host::Stop() {
  if (pid_ <= 0) return;
  kill(pid_, SIGSTOP);
  int state = 0;
  waitpid(pid_, &state, WUNTRACED);
}

void Host::Resume() {
  if (pid_ > 0) kill(pid_, SIGCONT);
}

bool Host::IsStopped() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
  std::string text;
  std::getline(file, text);
  const size_t at = text.rfind(") ");
  return at != std::string::npos && text.compare(at + 2, 1, "T") == 0;
}

int Host::AwaitChange(double limit_s) {
  const Stopwatch watch;
  for (;;) {
    int state = 0;
    if (waitpid(pid_, &state, WUNTRACED | WNOHANG) == pid_) {
      if (!WIFSTOPPED(state)) pid_ = -1;
      return state;
    }
    if (watch.Seconds() >= limit_s) return -1;
    poll(nullptr, 0, 1);
  }
}

std::string Host::EndWell(double limit_s) {
  own_->Close();
  for (const auto& worker : workers_) worker->Close();
  const int state = AwaitChange(limit_s);
  if (state == -1) return "a process does not end";
  if (WIFEXITED(state) && WEXITSTATUS(state) == 0) return "";
  return WIFEXITED(state) ? "a process ended with code " + std::to_string(WEXITSTATUS(state))
                          : "a process died of signal " + std::to_string(WTERMSIG(state));
}

Job::Job(const JobOptions& options) : options_(options) {
  const uint32_t num_hosts = in_process() ? 1 : world();
  for (uint32_t i = 0; i < num_hosts; ++i) hosts_.push_back(std::make_unique<Host>(in_process() ? world() : 1));
  NewRound();
}

void Job::Replace(uint32_t rank) {
  hosts_[rank] = nullptr;
  hosts_[rank] = std::make_unique<Host>(1);
}

void Job::NewRound() { rendezvous_ = system_test::NewRendezvous(in_process() ? "inproc" : "tcp"); }

std::string Job::CreateCall(uint32_t rank) const {
  return std::string("create transport=") + (in_process() ? "inproc" : "tcp") + " rank=" + std::to_string(rank) +
         " world=" + std::to_string(world()) + " rendezvous=" + rendezvous_ +
         (options_.more.empty() ? "" : " " + options_.more);
}

std::string Job::CallAll(const std::string& call, double limit_s) {
  std::vector<uint32_t> ranks;
  for (uint32_t rank = 0; rank < world(); ++rank) ranks.push_back(rank);
  return CallSome(ranks, call, limit_s);
}

std::string Job::CallSome(const std::vector<uint32_t>& ranks, const std::string& call, double limit_s) {
  std::string wrong;
  for (const uint32_t rank : ranks) {
    if (!Begin(rank, call)) wrong += "rank " + std::to_string(rank) + " does not take '" + call + "'; ";
  }
  if (!wrong.empty()) return wrong;
  for (const uint32_t rank : ranks) {
    const Answer answer = End(rank, limit_s);
    if (!answer.arrived || answer.status != GEEPS_OK) wrong += Named(rank, call, answer) + "; ";
  }
  return wrong;
}

std::string Job::Create() {
  for (int round = 0; round < 2; ++round) {
    for (uint32_t rank = 0; rank < world(); ++rank) {
      const Answer answer = Call(rank, CreateCall(rank));
      if (!answer.arrived || answer.status != GEEPS_OK) return Named(rank, "create", answer);
    }
    if (round == 1) break;
    const std::string wrong = CallAll("destroy");
    if (!wrong.empty()) return wrong;
    for (uint32_t i = 0; i < num_hosts(); ++i) counts_.push_back(Call(in_process() ? 0 : i, "count").extra);
  }
  return "";
}

std::string Job::CheckNothingLeft(const std::vector<uint32_t>& ranks) {
  for (const uint32_t rank : ranks) {
    const std::string count = Call(rank, "count").extra;
    const std::string& before = counts_[in_process() ? 0 : rank];
    if (count != before) {
      return "rank " + std::to_string(rank) + " has descriptors and threads " + count + ", had " + before;
    }
  }
  return "";
}

std::string Job::CheckAlive(const std::vector<uint32_t>& ranks) {
  const std::string wrong =
      CallSome(ranks,
               "run create transport=inproc rank=0 world=1; start; table t 600 128 f64; plan train t; commit train; "
               "passes train 4 1 ? 3; shutdown; destroy");
  if (!wrong.empty()) return wrong;
  for (const uint32_t rank : ranks) {
    if (host(rank).pid() <= 0) continue;  // in process: ended with the first of them
    const std::string end = host(rank).EndWell(kCallLimit_s);
    if (!end.empty()) return end;
  }
  return "";
}

std::string CheckLossAnswer(const Answer& answer, const Loss& loss) {
  if (!answer.arrived) return "no answer within " + std::to_string(loss.limit_s) + " s";
  const std::string text = answer.Cause();
  if (answer.status != GEEPS_E_PEER_LOST) return "answers " + text;
  if (answer.rank != static_cast<int32_t>(loss.victim)) return "names the wrong rank: " + text;
  if ((answer.flags & GEEPS_ERROR_LATCHED) == 0) return "is not latched: " + text;
  if (answer.message.find("rank " + std::to_string(loss.victim)) == std::string::npos ||
      answer.message.find("clock " + std::to_string(answer.clock)) == std::string::npos) {
    return "rank or clock is not in the sentence: " + text;
  }
  return "";
}

std::string CheckSameCause(const std::vector<Answer>& answers, const Loss& loss) {
  std::string first;
  for (const Answer& answer : answers) {
    std::string cause = answer.Cause();
    if (loss.clock_may_differ) cause = WithoutClocks(cause);
    if (first.empty()) first = cause;
    if (cause != first) return "not the same words: '" + first + "' and '" + cause + "'";
  }
  return "";
}

std::string CheckEveryCall(Job* job, const std::vector<uint32_t>& ranks, const std::vector<Answer>& answers) {
  for (size_t i = 0; i < ranks.size(); ++i) {
    const Answer every = job->Call(ranks[i], "every");
    if (every.Cause() != answers[i].Cause() || !every.extra.empty()) {
      return Named(ranks[i], "every", every) + " " + every.extra + ", and before: " + answers[i].Cause();
    }
    const Answer info = job->Call(ranks[i], "info");
    if (info.status != GEEPS_OK || info.extra.find(" " + std::to_string(answers[i].status)) == std::string::npos) {
      return Named(ranks[i], "info", info) + " " + info.extra;
    }
  }
  return "";
}

Heap HeapOf(Job* job, uint32_t rank) {
  std::istringstream words(job->host(rank).own().Call("heap").extra);
  Heap heap;
  words >> heap.blocks >> heap.resident;
  return heap;
}

std::vector<std::string> FilesOf(pid_t pid) {
  std::vector<std::string> paths;
  const auto add = [&](const std::string& path) {
    const bool is_file = !path.empty() && path[0] == '/' && path.rfind("/dev/null", 0) != 0 &&
                         path.find("(deleted)") == std::string::npos && path.find("memfd:") == std::string::npos;
    if (is_file && std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
  };
  const std::string folder = "/proc/" + std::to_string(pid);
  DIR* const descriptors = opendir((folder + "/fd").c_str());
  while (const dirent* entry = descriptors == nullptr ? nullptr : readdir(descriptors)) {
    char target[4096];
    const ssize_t length = readlink((folder + "/fd/" + entry->d_name).c_str(), target, sizeof target);
    if (length > 0) add(std::string(target, static_cast<size_t>(length)));
  }
  if (descriptors != nullptr) closedir(descriptors);
  std::ifstream maps(folder + "/maps");
  for (std::string line; std::getline(maps, line);) {
    const std::vector<std::string> fields = Words(line);
    if (fields.size() > 5 && fields[1].find('s') != std::string::npos) add(fields[5]);
  }
  return paths;
}

}  // namespace geeps::fault_test
