// SPDX-License-Identifier: Apache-2.0
#include "runtime/session/trace_writer.h"

#include <cerrno>
#include <chrono>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/base/json.h"
#include "runtime/base/status.h"

namespace geeps::session {
namespace {

using movers::TraceEvent;
using movers::TraceNames;
using Kind = TraceEvent::Kind;

constexpr std::chrono::milliseconds kPeriod(100);
// Order of the tracks: the movers, the program, its operations, the partitions.
constexpr uint32_t kMovers = 0, kProgram = 10, kOperations = 100, kPartitions = 100000;

// Microseconds with three digits behind the point, as the format wants them.
std::string Micros(uint64_t ns) { return absl::StrFormat("%d.%03d", ns / 1000, ns % 1000); }

}  // namespace

std::string TraceText::Head() const {
  return absl::StrCat("{\"traceEvents\":[\n{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":", rank_,
                      ",\"args\":{\"name\":\"rank ", rank_,
                      "\"}},\n{\"ph\":\"M\",\"name\":\"process_sort_index\",\"pid\":", rank_,
                      ",\"args\":{\"sort_index\":", rank_, "}}");
}

std::string TraceText::Tail(uint64_t num_dropped) {
  return absl::StrCat("\n],\"otherData\":{\"events_dropped\":", num_dropped, "}}\n");
}

uint32_t TraceText::Place(const std::string& group, uint32_t order, uint64_t begin_ns, uint64_t end_ns,
                          std::string* lines) {
  std::vector<Track>& tracks = groups_[group];
  for (Track& track : tracks) {
    if (track.end_ns > begin_ns) continue;
    track.end_ns = end_ns;
    return track.number;
  }
  tracks.push_back({++num_tracks_, end_ns});
  for (const bool is_name : {true, false}) {
    absl::StrAppend(lines, ",\n{\"ph\":\"M\",\"name\":\"thread_", is_name ? "name" : "sort_index", "\",\"pid\":", rank_,
                    ",\"tid\":", num_tracks_, ",\"args\":{\"", is_name ? "name" : "sort_index", "\":");
    if (is_name) {
      absl::StrAppend(lines, JsonQuoted(group), "}}");
    } else {
      absl::StrAppend(lines, order, "}}");
    }
  }
  return num_tracks_;
}

void TraceText::Add(const std::string& group, uint32_t order, const std::string& name, const TraceEvent& event,
                    const std::string& arguments, std::string* lines) {
  const bool moment = event.begin_ns == event.end_ns;
  const uint32_t track = Place(group, order, event.begin_ns, event.end_ns, lines);
  absl::StrAppend(lines, ",\n{\"ph\":\"", moment ? "i" : "X", "\",\"name\":", JsonQuoted(name),
                  ",\"ts\":", Micros(event.begin_ns));
  if (moment) {
    absl::StrAppend(lines, ",\"s\":\"t\"");
  } else {
    absl::StrAppend(lines, ",\"dur\":", Micros(event.end_ns - event.begin_ns));
  }
  absl::StrAppend(lines, ",\"pid\":", rank_, ",\"tid\":", track, ",\"args\":{", arguments, "}}");
}

std::string TraceText::Lines(const TraceEvent& event, const TraceNames& names) {
  std::string lines;
  const std::string clock = absl::StrCat("\"clock\":", event.clock);
  const std::string age = absl::StrCat("\"age\":", event.clock);
  const auto with_rank = [&](const std::string& first, const char* role) {
    return absl::StrCat(first, ",\"", role, "\":", event.second);
  };
  const auto operation = [&] { return names.operations[event.first][event.second]; };
  const auto partition = [&] { return names.partitions[event.first]; };
  // A mover's work on a partition is shown on the mover's track and on the partition's.
  const auto travel = [&](const char* mover, uint32_t order, const char* what, const std::string& arguments) {
    Add(mover, kMovers + order, absl::StrCat(what, " ", partition()), event, arguments, &lines);
    Add(partition(), kPartitions + event.first, what, event, arguments, &lines);
  };
  switch (event.kind) {
    case Kind::kPass:
      Add("passes", kProgram, names.plans[event.first], event, clock, &lines);
      break;
    case Kind::kWait:
      Add("waits", kProgram + 1, operation(), event, clock, &lines);
      break;
    case Kind::kOperation:
      Add(absl::StrCat(names.plans[event.first], ": ", operation()), kOperations + event.second, operation(), event,
          clock, &lines);
      break;
    case Kind::kFill:
      Add("allocator", kMovers, absl::StrCat("fill ", operation()), event, clock, &lines);
      break;
    case Kind::kDrain:
      Add("reclaimer", kMovers + 1, absl::StrCat("drain ", operation()), event, clock, &lines);
      break;
    case Kind::kFired:
      Add("fired", kMovers + 2, absl::StrCat("table '", names.tables[event.first], "'"), event, clock, &lines);
      break;
    case Kind::kDownload:
      travel("pusher", 3, "download", clock);
      break;
    case Kind::kContribution:
      travel("pusher", 3, "contribution", with_rank(clock, "keeper"));
      break;
    case Kind::kArrived:
      travel("keeper", 4, "arrived", with_rank(clock, "from"));
      break;
    case Kind::kApply:
      travel("keeper", 4, "apply", clock);
      break;
    case Kind::kGather:
      travel("keeper", 4, "gather", with_rank(age, "for"));
      break;
    case Kind::kPublish:
      travel("keeper", 4, "publish", with_rank(age, "to"));
      break;
    case Kind::kAbsorb:
      travel("puller", 5, "absorb", with_rank(age, "keeper"));
      break;
  }
  return lines;
}

absl::StatusOr<std::unique_ptr<TraceWriter>> TraceWriter::Create(const std::string& path, uint32_t rank, Log* log) {
  std::unique_ptr<TraceWriter> writer(new TraceWriter(path, rank, log));
  writer->file_ = std::fopen(path.c_str(), "we");
  if (writer->file_ == nullptr) return IoError(errno, absl::StrCat("cannot write the trace to ", path));
  writer->Write(writer->text_.Head());
  GEEPS_RETURN_IF_ERROR(writer->thread_.Start("geeps-trace", [w = writer.get()] { w->Run(); }));
  return writer;
}

TraceWriter::~TraceWriter() {
  {
    MutexLock lock(&mutex_);
    stop_ = true;
    changed_.NotifyAll();
  }
  thread_.Join();
  if (file_ == nullptr) return;
  WriteAll();
  absl::Status end = CatchOutOfMemory([this] {
    Write(TraceText::Tail(trace_.program.num_dropped() + trace_.movers.num_dropped()));
    return absl::OkStatus();
  });
  if (std::fclose(file_) == 0 || failed_ || !end.ok()) return;
  end = CatchOutOfMemory([this] { return IoError(errno, absl::StrCat("cannot write the trace to ", path_)); });
  log_->Write(LogLevel::kWarning, "trace", end.message());
}

void TraceWriter::Run() {
  while (true) {
    WriteAll();
    MutexLock lock(&mutex_);
    if (stop_) return;
    changed_.WaitUntil(&mutex_, std::chrono::steady_clock::now() + kPeriod);
    if (stop_) return;
  }
}

void TraceWriter::WriteAll() {
  std::shared_ptr<const TraceNames> names;
  for (movers::TraceRing* ring : {&trace_.movers, &trace_.program}) {
    TraceEvent event;
    while (ring->Pop(&event)) {
      if (names == nullptr || names->epoch != event.epoch) names = trace_.NamesOf(event.epoch);
      if (names == nullptr || failed_) continue;
      try {
        Write(text_.Lines(event, *names));
      } catch (const std::exception&) {  // std::bad_alloc: the program matters more than its trace
        failed_ = true;
      }
    }
  }
}

void TraceWriter::Write(const std::string& text) {
  if (failed_ || std::fwrite(text.data(), 1, text.size(), file_) == text.size()) return;
  failed_ = true;
  log_->Write(LogLevel::kWarning, "trace",
              absl::StrCat(IoError(errno, absl::StrCat("cannot write the trace to ", path_)).message(),
                           "; it ends here"));
}

}  // namespace geeps::session
