// SPDX-License-Identifier: Apache-2.0
// TraceWriter: the thread that writes a runtime's trace to a file, in the JSON format of Chrome's trace viewer and
// Perfetto (Trace Event Format): one line of text per event, one track per mover, operation and partition. What
// overlaps on a track is shown on further tracks of the same name.
// Thread contract: one thread; TraceText has no thread of its own.
#ifndef GEEPS_RUNTIME_SESSION_TRACE_WRITER_H_
#define GEEPS_RUNTIME_SESSION_TRACE_WRITER_H_

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/log.h"
#include "runtime/base/mutex.h"
#include "runtime/base/thread.h"
#include "runtime/movers/trace.h"

namespace geeps::session {

// Events as text.
class TraceText {
 public:
  explicit TraceText(uint32_t rank) : rank_(rank) {}

  // The opening of the file.
  std::string Head() const;
  // The lines of one event, the names of new tracks before it; each begins with ",\n".
  std::string Lines(const movers::TraceEvent& event, const movers::TraceNames& names);
  // The end of the file.
  static std::string Tail(uint64_t num_dropped);

 private:
  struct Track {
    uint32_t number = 0;
    uint64_t end_ns = 0;  // of the last event on it
  };

  // A track of the group that is free from begin_ns on; a new one is named in *lines.
  uint32_t Place(const std::string& group, uint32_t order, uint64_t begin_ns, uint64_t end_ns, std::string* lines);
  void Add(const std::string& group, uint32_t order, const std::string& name, const movers::TraceEvent& event,
           const std::string& arguments, std::string* lines);

  const uint32_t rank_;
  uint32_t num_tracks_ = 0;
  std::map<std::string, std::vector<Track>> groups_;
};

class TraceWriter {
 public:
  // Opens the file and starts the thread. Errors: IoError; NoMemory. `log` outlives it.
  static absl::StatusOr<std::unique_ptr<TraceWriter>> Create(const std::string& path, uint32_t rank, Log* log);
  // Writes what is left. REQUIRES: nobody records any more.
  ~TraceWriter();

  movers::Trace* trace() { return &trace_; }

 private:
  TraceWriter(std::string path, uint32_t rank, Log* log) : path_(std::move(path)), log_(log), text_(rank) {}
  void Run();
  void WriteAll();
  void Write(const std::string& text);

  const std::string path_;
  Log* const log_;
  std::FILE* file_ = nullptr;
  bool failed_ = false;  // after an error nothing more is written
  TraceText text_;
  movers::Trace trace_;
  Mutex mutex_;
  CondVar changed_;
  bool stop_ GEEPS_GUARDED_BY(mutex_) = false;
  Thread thread_;
};

}  // namespace geeps::session

#endif  // GEEPS_RUNTIME_SESSION_TRACE_WRITER_H_
