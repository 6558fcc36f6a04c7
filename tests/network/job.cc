// SPDX-License-Identifier: Apache-2.0
#include "tests/network/job.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "tests/support/entries.h"

namespace geeps::network_test {
namespace {

using system_test::MeetingPoint;
using system_test::Worker;

constexpr uint64_t kRowValues = 128;  // of 8 bytes
constexpr double kDestroyLimit_s = 20;

// Calls `late` when it still lives after the limit.
class Watchdog {
 public:
  Watchdog(double limit_s, std::function<void()> late)
      : thread_([this, limit_s, late = std::move(late)] {
          std::unique_lock<std::mutex> lock(mutex_);
          if (!changed_.wait_for(lock, std::chrono::duration<double>(limit_s), [this] { return over_; })) late();
        }) {}
  ~Watchdog() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

// The lines of a runtime's log.
struct Lines {
  std::mutex mutex;
  std::string text;

  static void Keep(void* user, int32_t, const char* component, const char* text, uint64_t length) {
    Lines* const self = static_cast<Lines*>(user);
    const std::lock_guard<std::mutex> lock(self->mutex);
    self->text += std::string(component) + ": " + std::string(text, length) + "\n";
  }
};

// What a worker does until something fails: start, commit, clocks, shutdown.
class Life {
 public:
  Life(const JobSpec& spec, Worker* worker) : spec_(spec), w_(*worker) {}

  std::string Live() {
    w_.rt.Start(w_.err);
    geeps::Table table(w_.rt, "t", spec_.world * spec_.rows_per_worker, kRowValues, GEEPS_F64,
                       {{"partition_bytes", "16384"}}, w_.err);
    geeps::Walker train(w_.rt, "train", w_.err);
    const auto body = [&](geeps::Walker& walker) {
      const geeps::Access read = walker.Read(table, geeps::Rows::All(), 0);
      if (walker.live()) Look(read.view());
      walker.PostRead(read);
      const geeps::Access add = walker.PreUpdate(table, geeps::Rows::All());
      if (walker.live()) Add(add.view());
      walker.Update(add);
    };
    train.Record(body);
    w_.rt.Commit({train.plan()}, w_.err);
    for (; clock_ < spec_.num_clocks && w_.err.ok() && wrong_.empty(); ++clock_) train.Walk(body);
    w_.rt.Shutdown(w_.err);
    return wrong_;
  }

 private:
  void Look(const geeps_view& view) {
    const double sum = static_cast<double>(clock_) * spec_.world * (spec_.world + 1) / 2;
    const double* const values = static_cast<const double*>(view.data);
    for (uint64_t i = 0; i < view.num_rows * view.row_values; ++i) {
      if (values[i] == sum) continue;
      wrong_ = "value " + std::to_string(i) + " is " + std::to_string(values[i]) + " at clock " +
               std::to_string(clock_) + ", where it must be " + std::to_string(sum);
      return;
    }
  }
  void Add(const geeps_view& view) const {
    double* const values = static_cast<double*>(view.data);
    std::fill(values, values + view.num_rows * view.row_values, 1.0 + w_.rank);
  }

  const JobSpec& spec_;
  Worker& w_;
  uint64_t clock_ = 0;
  std::string wrong_;
};

// An error must stay: every later call returns it.
std::string SaysSomethingElse(Worker& w) {
  const auto differs = [&](const char* call, geeps_status status, const geeps::Error& later) -> std::string {
    if (status == w.err.status() && std::string(later.message()) == w.err.message()) return "";
    return std::string(call) + " says later: " + later.message() + "; ";
  };
  geeps::Error fence, table, clock;
  geeps_table* made = nullptr;
  std::string text = differs("fence", geeps_fence(w.rt.get(), nullptr, fence.raw()), fence);
  text += differs("table_create", geeps_table_create(w.rt.get(), "u", 1, 1, GEEPS_F32, nullptr, 0, &made, table.raw()),
                  table);
  return text + differs("clock", geeps_clock(w.rt.get(), nullptr, clock.raw()), clock);
}

Ending EndingOf(Worker& w, std::string wrong) {
  Ending ending;
  ending.time = std::chrono::steady_clock::now();
  ending.status = w.err.status();
  ending.rank = w.err.rank();
  ending.clock = w.err.clock();
  ending.latched = w.err.latched();
  ending.message = w.err.message();
  ending.wrong = std::move(wrong);
  if (!w.err.ok()) ending.wrong += SaysSomethingElse(w);
  return ending;
}

}  // namespace

std::string Ending::Cause() const {
  return std::string(geeps_status_name(status)) + " rank " + std::to_string(rank) + " clock " + std::to_string(clock) +
         ": " + message;
}

std::vector<Ending> RunJob(const JobSpec& spec, const system_test::Between::Edit& edit) {
  system_test::Between between(edit);
  system_test::Setup setup;
  setup.world = spec.world;
  setup.transport = "tcp";
  setup.more = spec.more;
  MeetingPoint all_have_ended(spec.world);
  std::vector<Lines> lines(spec.world);  // outlive the runtimes
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<Ending> endings(spec.world);
  for (uint32_t rank = 0; rank < spec.world; ++rank) {
    workers.push_back(std::make_unique<Worker>());
    Worker& w = *workers.back();
    w.rank = rank;
    w.world = spec.world;
    w.rt = geeps::Runtime(system_test::WorkerOptions(setup, between.RendezvousOf(rank), rank), w.err, Lines::Keep,
                          &lines[rank]);
    if (!w.err.ok()) {
      endings[0].wrong = std::string("create: ") + w.err.message();
      return endings;
    }
  }
  std::string hangs;
  {
    const Watchdog watchdog(spec.limit_s, [&] {
      hangs = "the job took longer than " + std::to_string(spec.limit_s) + " s";
      for (const auto& worker : workers) worker->rt.Abort("the test's time is over");
    });
    // A runtime that is destroyed tells the others by that: all look first.
    const std::string late = system_test::RunThreads(spec.world, spec.limit_s + 20, [&](uint32_t rank) {
      Worker& w = *workers[rank];
      Life life(spec, &w);
      const std::string wrong = life.Live();
      endings[rank] = EndingOf(w, wrong);
      all_have_ended.Meet();
      return std::string();
    });
    endings[0].wrong += late;
  }
  endings[0].wrong += hangs;
  const Time begun = std::chrono::steady_clock::now();
  system_test::RunThreads(spec.world, 60, [&](uint32_t rank) {
    workers[rank]->rt = geeps::Runtime();
    endings[rank].log = lines[rank].text;
    return std::string();
  });
  if (std::chrono::steady_clock::now() - begun > std::chrono::duration<double>(kDestroyLimit_s)) {
    endings[0].wrong += "destroy took longer than " + std::to_string(kDestroyLimit_s) + " s";
  }
  return endings;
}

std::string NotWell(const std::vector<Ending>& endings) {
  std::string text;
  for (size_t rank = 0; rank < endings.size(); ++rank) {
    const Ending& ending = endings[rank];
    if (ending.status == GEEPS_OK && ending.wrong.empty()) continue;
    text += "rank " + std::to_string(rank) + ": " + ending.wrong + " " + ending.Cause() + "\n";
  }
  return text;
}

std::string NotOver(const std::vector<Ending>& endings) {
  std::string text;
  for (size_t rank = 0; rank < endings.size(); ++rank) {
    const Ending& ending = endings[rank];
    const bool over =
        ending.status < 0 && ending.latched && !ending.message.empty() && ending.status != GEEPS_E_ABORTED;
    if (over && ending.wrong.empty()) continue;
    text += "rank " + std::to_string(rank) + ": " + ending.wrong + " " + ending.Cause() + "\n";
  }
  return text;
}

std::string Different(const std::vector<Ending>& endings, const std::vector<uint32_t>& ranks) {
  for (const uint32_t rank : ranks) {
    if (endings[rank].Cause() == endings[ranks[0]].Cause()) continue;
    return "rank " + std::to_string(ranks[0]) + ": " + endings[ranks[0]].Cause() + "\nrank " + std::to_string(rank) +
           ": " + endings[rank].Cause();
  }
  return "";
}

double SecondsTo(const std::vector<Ending>& endings, Time from) {
  double last = 0;
  for (const Ending& ending : endings) {
    last = std::max(last, std::chrono::duration<double>(ending.time - from).count());
  }
  return last;
}

std::string Left(const std::function<void()>& body) {
  body();
  const int descriptors = test::NumDescriptors();
  const int threads = test::NumThreads();
  body();
  std::string text;
  if (test::NumDescriptors() != descriptors) {
    text = std::to_string(test::NumDescriptors() - descriptors) + " more descriptors; ";
  }
  if (test::NumThreads() != threads) {
    text += std::to_string(test::NumThreads() - threads) + " more threads";
  }
  return text;
}

}  // namespace geeps::network_test
