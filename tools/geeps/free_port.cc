// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/free_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace geeps::tool {

std::optional<uint16_t> FindFreeLoopbackPort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::nullopt;
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t address_bytes = sizeof(address);
  std::optional<uint16_t> port;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), address_bytes) == 0 &&
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &address_bytes) == 0) {
    port = ntohs(address.sin_port);
  }
  close(fd);
  return port;
}

}  // namespace geeps::tool
