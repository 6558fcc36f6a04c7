// SPDX-License-Identifier: Apache-2.0
// raw_socket: the least that a clock of two processes over TCP has to do. Each sends as many bytes as the table has
// and receives as many (half of them contributions, half new values), both ways at once, then sums its half in place.
// No protocol: nothing is framed, checked or waited for in between. A process that has nothing to do sleeps in poll.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "tests/bench/limits/sum.h"
#include "tests/bench/measure.h"

namespace {

using geeps_bench::Arguments;

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// A connected pair: of the child to the parent's listener.
int Listen(sockaddr_in* address) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address->sin_port = 0;
  socklen_t length = sizeof *address;
  if (bind(listener, reinterpret_cast<sockaddr*>(address), length) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(address), &length) != 0) {
    Fail("listen");
  }
  return listener;
}

void Prepare(int fd) {
  const int one = 1;
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
    Fail("socket options");
  }
}

// Sends `bytes` of out and receives as many into in, at once.
void Exchange(int fd, const char* out, char* in, uint64_t bytes) {
  uint64_t sent = 0, received = 0;
  while (sent < bytes || received < bytes) {
    bool moved = false;
    if (sent < bytes) {
      const ssize_t n = send(fd, out + sent, bytes - sent, MSG_NOSIGNAL);
      if (n < 0 && errno != EAGAIN) Fail("send");
      if (n > 0) sent += static_cast<uint64_t>(n), moved = true;
    }
    if (received < bytes) {
      const ssize_t n = recv(fd, in + received, bytes - received, 0);
      if (n == 0 || (n < 0 && errno != EAGAIN)) Fail("recv");
      if (n > 0) received += static_cast<uint64_t>(n), moved = true;
    }
    if (moved) continue;
    pollfd poll_fd = {fd, static_cast<short>((sent < bytes ? POLLOUT : 0) | (received < bytes ? POLLIN : 0)), 0};
    if (poll(&poll_fd, 1, -1) < 0 && errno != EINTR) Fail("poll");
  }
}

geeps_bench::Times Run(const Arguments& arguments, int fd) {
  Prepare(fd);
  const uint64_t half = arguments.values / 2, bytes = arguments.values * sizeof(float);
  std::vector<float> own(arguments.values, 1.0f), other(arguments.values), value(half);
  const geeps_bench::Times times = geeps_bench::Measure(arguments, [&] {
    Exchange(fd, reinterpret_cast<const char*>(own.data()), reinterpret_cast<char*>(other.data()), bytes);
    geeps_bench::SumInPlace(half, own.data(), other.data(), value.data());
  });
  geeps_bench::Expect(value.back(), 2.0f * static_cast<float>(arguments.warm_up + arguments.clocks));
  return times;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  sockaddr_in address = {};
  const int listener = Listen(&address);
  int result[2];
  if (pipe(result) != 0) Fail("pipe");
  const pid_t child = fork();
  if (child < 0) Fail("fork");
  if (child == 0) {
    geeps_bench::BindToCore(arguments.cores[1]);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) Fail("connect");
    const double cpu_s = Run(arguments, fd).cpu_seconds;
    _exit(write(result[1], &cpu_s, sizeof cpu_s) == sizeof cpu_s ? 0 : 1);
  }
  geeps_bench::BindToCore(arguments.cores[0]);
  const int fd = accept(listener, nullptr, nullptr);
  if (fd < 0) Fail("accept");
  geeps_bench::Times times = Run(arguments, fd);
  double other_cpu_s = 0;
  int status = 1;
  close(result[1]);
  if (read(result[0], &other_cpu_s, sizeof other_cpu_s) != sizeof other_cpu_s || waitpid(child, &status, 0) != child ||
      status != 0) {
    std::fputs("the other process failed\n", stderr);
    return 1;
  }
  times.cpu_seconds += other_cpu_s;
  geeps_bench::Print(arguments, times);
  return 0;
}
