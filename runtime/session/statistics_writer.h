// SPDX-License-Identifier: Apache-2.0
// StatisticsWriter: the thread that writes a runtime's statistics to a file, again and again, for `geeps top`. Each
// time a new file takes the place of the old one by renaming: nobody reads half of one. There is none unless the option
// stats asks for it.
// Thread contract: one thread of its own.
#ifndef GEEPS_RUNTIME_SESSION_STATISTICS_WRITER_H_
#define GEEPS_RUNTIME_SESSION_STATISTICS_WRITER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/log.h"
#include "runtime/base/mutex.h"
#include "runtime/base/thread.h"

namespace geeps::session {

class StatisticsWriter {
 public:
  // text(ended): the statistics; called by the thread until the destructor has returned, at last with `ended`. Writes
  // the file once and starts the thread. Errors: IoError; NoMemory. `log` outlives it.
  static absl::StatusOr<std::unique_ptr<StatisticsWriter>> Create(const std::string& path,
                                                                  std::function<std::string(bool)> text, Log* log);
  ~StatisticsWriter();

 private:
  StatisticsWriter(std::string path, std::function<std::string(bool)> text, Log* log)
      : path_(std::move(path)), text_(std::move(text)), log_(log) {}
  void Run();
  absl::Status Write(bool ended) const;

  const std::string path_;
  const std::function<std::string(bool)> text_;
  Log* const log_;
  Mutex mutex_;
  CondVar changed_;
  bool stop_ GEEPS_GUARDED_BY(mutex_) = false;
  Thread thread_;
};

}  // namespace geeps::session

#endif  // GEEPS_RUNTIME_SESSION_STATISTICS_WRITER_H_
