// SPDX-License-Identifier: Apache-2.0
// The calls go on as bare system calls: nothing here may depend on which library comes next in the loader's list.
#include "tests/faults/points.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <string_view>
#include <vector>

#include "tests/faults/message_name.h"
#include "tests/support/failing.h"

namespace geeps::fault_test {
namespace {

class Points {
 public:
  static Points& Get() {
    static Points* const points = new Points;  // threads of the library may outlive static objects
    return *points;
  }

  void Arm(const std::string& name, uint64_t n, Action action, int report_fd) {
    const std::lock_guard<std::mutex> lock(mutex_);
    armed_ = name;
    left_ = n;
    wanted_ = n;
    action_ = action;
    report_fd_ = report_fd;
  }

  // Passes "verb" and, for each name, "verb name". True when the caller is to send half of what it has and then Strike.
  // From a hit on no other thread passes a point: what the report says of the moment stays true.
  bool Pass(const std::string& verb, const std::vector<std::string>& names) {
    const std::lock_guard<std::mutex> lock(mutex_);
    while (dying_) pause();
    bool hit = Count(verb);
    for (const std::string& name : names) hit = Count(verb + " " + name) || hit;
    if (!hit) return false;
    Report(names.empty() ? verb : verb + " " + names.front());
    dying_ = action_ == Action::kTear && verb == "send";
    if (!dying_) Strike();
    return dying_;
  }

  // Death takes this process at once; a stop lasts until SIGCONT. That one goes to the calling thread, which stops all
  // of them before it does anything else: given to the process, it waits for whichever thread the kernel has chosen to
  // take it, and meanwhile the others go on.
  void Strike() {
    if (action_ == Action::kStop) {
      syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGSTOP);
    } else {
      kill(getpid(), SIGKILL);
    }
  }

  std::vector<std::string> TakeControl(int fd, std::string_view bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return streams_[fd].Take(bytes);
  }

  std::string Passed() {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::string text;
    for (const auto& [name, count] : counts_) text += (text.empty() ? "" : ";") + name + "=" + std::to_string(count);
    return text;
  }

 private:
  // REQUIRES: mutex_.
  bool Count(const std::string& name) {
    ++counts_[name];
    return name == armed_ && left_ != 0 && --left_ == 0;
  }
  void Report(const std::string& what) {
    const char* const moment = counts_.count("send ENTER shutdown 1") != 0 ? "leaving"
                               : counts_.count("receive WELCOME") != 0     ? "working"
                                                                           : "meeting";
    const std::string line =
        std::string("! ") + moment + " " + armed_ + " " + std::to_string(wanted_) + " (" + what + ")\n";
    (void)!write(report_fd_, line.data(), line.size());
  }

  std::mutex mutex_;
  std::map<std::string, uint64_t> counts_;
  std::map<int, ControlStream> streams_;
  std::string armed_;
  uint64_t left_ = 0;
  uint64_t wanted_ = 0;
  Action action_ = Action::kKill;
  int report_fd_ = -1;
  bool dying_ = false;  // half a message is on its way, and then the end
};

std::vector<std::string> Named(std::string_view bytes) {
  std::string name = NameOfBytes(bytes);
  return name.empty() ? std::vector<std::string>() : std::vector<std::string>{std::move(name)};
}

// The first bytes of several pieces.
std::string FirstBytes(const iovec* places, size_t num, size_t bytes) {
  std::string first;
  for (size_t i = 0; i < num && first.size() < bytes; ++i) {
    first.append(static_cast<const char*>(places[i].iov_base), std::min(places[i].iov_len, bytes - first.size()));
  }
  return first;
}

constexpr size_t kNameBytes = 40;

}  // namespace

void ArmPoint(const std::string& name, uint64_t n, Action action, int report_fd) {
  Points::Get().Arm(name, n, action, report_fd);
}

std::string PassedPoints() { return Points::Get().Passed(); }

}  // namespace geeps::fault_test

using geeps::fault_test::Points;
using geeps::test::Outside;  // what is asked for here is the test's

extern "C" {

__attribute__((visibility("default"))) ssize_t send(int fd, const void* data, size_t bytes, int flags) {
  const Outside own;
  const std::vector<std::string> names = geeps::fault_test::Named({static_cast<const char*>(data), bytes});
  const bool tears = Points::Get().Pass("send", names);
  const ssize_t sent = syscall(SYS_sendto, fd, data, tears ? bytes / 2 : bytes, flags, nullptr, 0);
  const int error = errno;
  if (tears) Points::Get().Strike();
  if (sent > 0) Points::Get().Pass("sent", names);
  errno = error;
  return sent;
}

__attribute__((visibility("default"))) ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  const Outside own;
  const std::string first =
      geeps::fault_test::FirstBytes(message->msg_iov, message->msg_iovlen, geeps::fault_test::kNameBytes);
  const std::vector<std::string> names = geeps::fault_test::Named(first);
  if (Points::Get().Pass("send", names)) {
    size_t bytes = 0;
    for (size_t i = 0; i < message->msg_iovlen; ++i) bytes += message->msg_iov[i].iov_len;
    const std::string half = geeps::fault_test::FirstBytes(message->msg_iov, message->msg_iovlen, bytes / 2);
    (void)!syscall(SYS_sendto, fd, half.data(), half.size(), flags, nullptr, 0);
    Points::Get().Strike();
  }
  const ssize_t sent = syscall(SYS_sendmsg, fd, message, flags);
  const int error = errno;
  if (sent > 0) Points::Get().Pass("sent", names);
  errno = error;
  return sent;
}

__attribute__((visibility("default"))) ssize_t recv(int fd, void* data, size_t bytes, int flags) {
  const Outside own;
  const ssize_t got = syscall(SYS_recvfrom, fd, data, bytes, flags, nullptr, nullptr);
  const int error = errno;
  if (got > 0) {
    const std::string_view taken(static_cast<const char*>(data), static_cast<size_t>(got));
    Points::Get().Pass("receive", Points::Get().TakeControl(fd, taken));
  }
  errno = error;
  return got;
}

__attribute__((visibility("default"))) ssize_t readv(int fd, const iovec* places, int num) {
  const Outside own;
  const ssize_t got = syscall(SYS_readv, fd, places, num);
  const int error = errno;
  if (got > 0) {
    const size_t bytes = std::min(static_cast<size_t>(got), geeps::fault_test::kNameBytes);
    const std::string first = geeps::fault_test::FirstBytes(places, static_cast<size_t>(num), bytes);
    Points::Get().Pass("receive", geeps::fault_test::Named(first));
  }
  errno = error;
  return got;
}

__attribute__((visibility("default"))) int connect(int fd, const sockaddr* name, socklen_t bytes) {
  const Outside own;
  Points::Get().Pass("connect", {});
  return static_cast<int>(syscall(SYS_connect, fd, name, bytes));
}

__attribute__((visibility("default"))) int shutdown(int fd, int how) noexcept {
  const Outside own;
  Points::Get().Pass("half-close", {});
  return static_cast<int>(syscall(SYS_shutdown, fd, how));
}

}  // extern "C"
