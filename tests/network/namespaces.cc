// SPDX-License-Identifier: Apache-2.0
#include "tests/network/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace geeps::network_test {
namespace {

constexpr char kLink[] = "geeps";

std::string ErrnoText(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

}  // namespace

Namespace::Namespace() {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) {
    error_ = ErrnoText("pipe");
    return;
  }
  const pid_t parent = getpid();
  holder_ = fork();
  if (holder_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int error = getppid() != parent ? ESRCH : unshare(CLONE_NEWNET) == 0 ? 0 : errno;
    if (write(ready[1], &error, sizeof error) != sizeof error || error != 0) _exit(1);
    for (;;) pause();
  }
  close(ready[1]);
  int error = EPIPE;
  if (read(ready[0], &error, sizeof error) != sizeof error) error = EPIPE;
  close(ready[0]);
  errno = error;
  if (error != 0) {
    error_ = ErrnoText("no network namespace");
    return;
  }
  fd_ = open(("/proc/" + std::to_string(holder_) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) error_ = ErrnoText("no network namespace");
}

Namespace::~Namespace() {
  if (fd_ >= 0) close(fd_);
  if (holder_ <= 0) return;
  kill(holder_, SIGKILL);
  waitpid(holder_, nullptr, 0);
}

std::string Namespace::InChild(const std::string& what, const std::function<bool()>& body) const {
  const pid_t child = fork();
  if (child == 0) _exit(setns(fd_, CLONE_NEWNET) == 0 && body() ? 0 : 1);
  int state = 0;
  if (child < 0 || waitpid(child, &state, 0) != child) return what + ": no process";
  return WIFEXITED(state) && WEXITSTATUS(state) == 0 ? "" : what + " failed";
}

std::string Namespace::Run(const std::string& command) const {
  return InChild(command, [&] {
    std::istringstream words(command);
    std::vector<std::string> parts;
    for (std::string word; words >> word;) parts.push_back(word);
    std::vector<char*> arguments;
    for (std::string& part : parts) arguments.push_back(part.data());
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    return false;
  });
}

std::string Namespace::Write(const std::string& path, const std::string& text) const {
  return InChild("writing " + text + " to " + path, [&] {
    std::ofstream file(path);
    file << text << std::flush;
    return file.good();
  });
}

void Namespace::Within(const std::function<void()>& body) const {
  const int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  const bool there = own >= 0 && setns(fd_, CLONE_NEWNET) == 0;
  body();
  if (there && setns(own, CLONE_NEWNET) == 0) {
    close(own);
    return;
  }
  std::perror("setns");  // what was started is in the wrong place
  std::_Exit(3);
}

TwoHosts::TwoHosts() {
  for (const Namespace& host : hosts_) error_ += host.error();
  if (error_.empty()) error_ = Join();
}

std::string TwoHosts::Join() {
  std::vector<std::string> problems;
  const auto note = [&](const std::string& problem) {
    if (!problem.empty()) problems.push_back(problem);
  };
  note(hosts_[0].Run("ip link add " + std::string(kLink) + " type veth peer name " + kLink + " netns " +
                     std::to_string(hosts_[1].holder())));
  for (int index = 0; index < 2; ++index) {
    const Namespace& host = hosts_[index];
    const std::string of_link = std::string(" dev ") + kLink;
    note(host.Run("ip link set lo up"));
    note(host.Run("ip link set" + of_link + " up"));
    for (const std::string& name : {std::string("all"), std::string("lo"), std::string(kLink)}) {
      note(host.Write("/proc/sys/net/ipv4/conf/" + name + "/route_localnet", "1"));
      note(host.Write("/proc/sys/net/ipv4/conf/" + name + "/rp_filter", "0"));
    }
    note(host.Run("ip address add " + ControlAddress(index) + "/24" + of_link));
    note(host.Run("ip address add " + DataAddress(index) + "/24" + of_link));
    // The rest of 127.0.0.0/8 stays at home.
    note(host.Run("ip route add local 127.0.0.0/16 dev lo table local"));
    note(host.Run("ip route delete local 127.0.0.0/8 dev lo table local"));
  }
  return problems.empty() ? "" : problems.front();
}

void TwoHosts::Do(int index, const std::string& command) {
  const std::string problem = hosts_[index].Run(command);
  if (error_.empty()) error_ = problem;
}

void TwoHosts::SetLink(int index, bool up) {
  Do(index, std::string("ip link set dev ") + kLink + (up ? " up" : " down"));
}

void TwoHosts::SetBlackhole(int index, const std::string& address, bool on) {
  Do(index, std::string("ip route ") + (on ? "add" : "delete") + " blackhole " + address + "/32");
}

}  // namespace geeps::network_test
