// SPDX-License-Identifier: Apache-2.0
// The log of a runtime as a program meets it: what comes by default, and that nothing comes another way.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include "tests/system/threads.h"

namespace geeps::system_test {
namespace {

// While it lives, descriptors 1 and 2 lead to a file without a name. No check of doctest may be made meanwhile.
class CapturedOutput {
 public:
  CapturedOutput() : file_(std::tmpfile()) {
    std::fflush(nullptr);
    for (int fd : {1, 2}) {
      saved_[fd - 1] = dup(fd);
      dup2(fileno(file_), fd);
    }
  }
  ~CapturedOutput() { std::fclose(file_); }
  // Puts the descriptors back; returns what was written.
  std::string End() {
    std::fflush(nullptr);
    for (int fd : {1, 2}) {
      dup2(saved_[fd - 1], fd);
      close(saved_[fd - 1]);
    }
    std::string text(static_cast<size_t>(lseek(fileno(file_), 0, SEEK_END)), '\0');
    if (pread(fileno(file_), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) text = "unreadable";
    return text;
  }

 private:
  std::FILE* const file_;
  int saved_[2] = {-1, -1};
};

struct Line {
  int32_t level;
  std::string component;
  std::string text;
};

struct Lines {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Line> lines;

  static void Keep(void* user, int32_t level, const char* component, const char* text, uint64_t len) {
    Lines* const self = static_cast<Lines*>(user);
    const std::lock_guard<std::mutex> lock(self->mutex);
    self->lines.push_back({level, component, std::string(text, len)});
    self->changed.notify_all();
  }
  // False when no line with `part` comes in time.
  bool Await(const std::string& part) {
    std::unique_lock<std::mutex> lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(30), [&] {
      for (const Line& line : lines) {
        if (line.text.find(part) != std::string::npos) return true;
      }
      return false;
    });
  }
};

// Connects to 127.0.0.1 like somebody who speaks another protocol. Returns the socket.
int SayNonsense(const std::string& rendezvous) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(rendezvous.c_str() + rendezvous.rfind(':') + 1)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const char kText[] =
      "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n........................................................";
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return fd;
  if (send(fd, kText, sizeof(kText), MSG_NOSIGNAL) < 0) return fd;
  return fd;
}

}  // namespace

TEST_CASE("by default warnings reach the callback, nothing less does, and the terminal gets nothing") {
  Setup setup;
  setup.world = 2;
  setup.transport = "tcp";
  const std::string rendezvous = NewRendezvous("tcp");
  Lines lines;
  CapturedOutput output;
  bool warned;
  {
    geeps::Error err;
    geeps::Runtime rt(WorkerOptions(setup, rendezvous, 0), err, Lines::Keep, &lines);
    geeps_request* request = nullptr;
    geeps_runtime_start(rt.get(), &request, nullptr);
    const int stranger = SayNonsense(rendezvous);
    warned = lines.Await("no control frame");
    close(stranger);
    geeps_request_destroy(request);
  }
  const std::string written = output.End();
  CHECK(warned);
  CHECK(written == "");
  for (const Line& line : lines.lines) CHECK(line.level <= GEEPS_LOG_WARNING);
  REQUIRE(!lines.lines.empty());
  CHECK(lines.lines[0].component == "control");
}

TEST_CASE("a whole job at level debug writes nothing to the terminal, and without a callback its lines can be taken") {
  CapturedOutput output;
  std::vector<std::string> texts;
  std::string problem;
  {
    geeps::Error err;
    geeps::Runtime rt(geeps::Options{{"log_level", "debug"}}, err);
    rt.Start(err);
    rt.Shutdown(err);
    char text[512];
    uint64_t len = 0;
    int32_t level = 0;
    while (geeps_log_take(rt.get(), &level, text, sizeof(text), &len, nullptr) == GEEPS_OK) texts.push_back(text);
    problem = err.message();
  }
  const std::string written = output.End();
  CHECK(written == "");
  CHECK(problem == "");
  const auto has = [&](const std::string& wanted) {
    for (const std::string& text : texts) {
      if (text == wanted) return true;
    }
    return false;
  };
  CHECK(has("runtime: rank 0 of 1, device host, transport inproc"));
  CHECK(has("fence: start at clock 0 ended"));
  CHECK(has("fence: shutdown at clock 0 ended"));
}

}  // namespace geeps::system_test
