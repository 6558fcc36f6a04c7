// SPDX-License-Identifier: Apache-2.0
#include "runtime/session/statistics_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace geeps::session {
namespace {

constexpr std::chrono::milliseconds kPeriod(500);

// A file that only its owner may read. Returns 0, or the number of the error.
int WriteFile(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  int error = 0;
  for (size_t done = 0; done < text.size() && error == 0;) {
    const ssize_t part = write(fd, text.data() + done, text.size() - done);
    if (part >= 0) {
      done += static_cast<size_t>(part);
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (close(fd) != 0 && error == 0) error = errno;
  return error;
}

}  // namespace

absl::StatusOr<std::unique_ptr<StatisticsWriter>> StatisticsWriter::Create(const std::string& path,
                                                                           std::function<std::string(bool)> text,
                                                                           Log* log) {
  std::unique_ptr<StatisticsWriter> writer(new StatisticsWriter(path, std::move(text), log));
  GEEPS_RETURN_IF_ERROR(writer->Write(false));
  GEEPS_RETURN_IF_ERROR(writer->thread_.Start("geeps-stats", [w = writer.get()] { w->Run(); }));
  return writer;
}

StatisticsWriter::~StatisticsWriter() {
  {
    MutexLock lock(&mutex_);
    stop_ = true;
    changed_.NotifyAll();
  }
  if (thread_.running()) thread_.Join();
}

// The first failure ends it: the program matters more than who looks at it.
void StatisticsWriter::Run() {
  bool ended = false;
  while (!ended) {
    {
      MutexLock lock(&mutex_);
      if (!stop_) changed_.WaitUntil(&mutex_, std::chrono::steady_clock::now() + kPeriod);
      ended = stop_;
    }
    absl::Status status;
    try {
      status = Write(ended);
    } catch (const std::exception&) {  // std::bad_alloc: the next time
      continue;
    }
    if (status.ok()) continue;
    log_->Write(LogLevel::kWarning, "stats", status.message());
    return;
  }
}

absl::Status StatisticsWriter::Write(bool ended) const {
  const std::string fresh = path_ + ".new";
  if (const int error = WriteFile(fresh, text_(ended)); error != 0) {
    return IoError(error, absl::StrCat("cannot write the statistics to ", fresh));
  }
  if (rename(fresh.c_str(), path_.c_str()) != 0) {
    return IoError(errno, absl::StrCat("cannot rename ", fresh, " to ", path_));
  }
  return absl::OkStatus();
}

}  // namespace geeps::session
