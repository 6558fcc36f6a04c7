// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/free_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <random>

namespace geeps::tool {
namespace {

constexpr int kTries = 100;
constexpr uint16_t kLowest = 10000;

bool IsFree(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool free = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return free;
}

}  // namespace

// The kernel gives ephemeral ports to outgoing connections: one of those, free now, may be taken before rank 0 listens,
// by a worker that looks for rank 0 there (a connection to itself), too.
std::optional<uint16_t> FindFreeLoopbackPort() {
  int first_ephemeral = 32768;
  std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> first_ephemeral;
  const int last = first_ephemeral > kLowest + kTries ? std::min(first_ephemeral, 65536) - 1 : 65535;
  std::random_device random;
  std::uniform_int_distribution<int> any(kLowest, last);
  for (int i = 0; i < kTries; ++i) {
    const uint16_t port = static_cast<uint16_t>(any(random));
    if (IsFree(port)) return port;
  }
  return std::nullopt;
}

}  // namespace geeps::tool
