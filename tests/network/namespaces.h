// SPDX-License-Identifier: Apache-2.0
// TwoHosts: two network namespaces joined by a pair of virtual interfaces, as two machines are by a link. The transport
// listens at loopback addresses only; so the link's addresses are out of 127.0.0.0/8, which each namespace is told to
// send over the link. The namespaces, their interfaces and routes go with the processes that hold them, whatever
// becomes of the test. Needs root and `ip` (iproute2). Thread contract: one thread, of a process that has no other.
#ifndef GEEPS_TESTS_NETWORK_NAMESPACES_H_
#define GEEPS_TESTS_NETWORK_NAMESPACES_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace geeps::network_test {

// One namespace, held by a process that does nothing else.
class Namespace {
 public:
  Namespace();
  ~Namespace();
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;

  pid_t holder() const { return holder_; }
  const std::string& error() const { return error_; }
  // Runs a command, words separated by blanks, in it. Empty, or what went wrong.
  std::string Run(const std::string& command) const;
  // Writes a file, of /proc/sys say, as somebody in it.
  std::string Write(const std::string& path, const std::string& text) const;
  // Processes started by the body live in it.
  void Within(const std::function<void()>& body) const;

 private:
  std::string InChild(const std::string& what, const std::function<bool()>& body) const;

  pid_t holder_ = -1;
  int fd_ = -1;
  std::string error_;
};

class TwoHosts {
 public:
  TwoHosts();

  // Why there are none; empty: there are.
  const std::string& error() const { return error_; }
  const Namespace& host(int index) const { return hosts_[index]; }
  // Where the host is found by the other one for control connections, and for data.
  static std::string ControlAddress(int index) { return "127.1.0." + std::to_string(index + 1); }
  static std::string DataAddress(int index) { return "127.2.0." + std::to_string(index + 1); }

  // The host's end of the link.
  void SetLink(int index, bool up);
  // What the host sends to an address is lost without a word.
  void SetBlackhole(int index, const std::string& address, bool on);

 private:
  std::string Join();
  void Do(int index, const std::string& command);

  Namespace hosts_[2];
  std::string error_;
};

}  // namespace geeps::network_test

#endif  // GEEPS_TESTS_NETWORK_NAMESPACES_H_
