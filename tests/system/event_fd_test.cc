// SPDX-License-Identifier: Apache-2.0
// The walk without a blocked thread: calls with limit 0 and the runtime's event descriptor.
#include <doctest/doctest.h>
#include <poll.h>

#include "tests/system/threads.h"

namespace geeps::system_test {
namespace {

constexpr int kLimitMs = 20000;

bool IsReadable(int fd, int timeout_ms) {
  pollfd entry = {fd, POLLIN, 0};
  return poll(&entry, 1, timeout_ms) == 1 && (entry.revents & POLLIN) != 0;
}

// One table that every worker reads and updates as a whole, slack 0.
struct Job {
  explicit Job(Worker& w) : table(w.rt, "t", 300, 10, GEEPS_F64, {}, w.err), plan(w.rt, "train", w.err) {
    read = plan.Read(table, geeps::Rows::All(), 0, GEEPS_READ_COPY, w.err);
    plan.PostRead(read, w.err);
    update = plan.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED, w.err);
    plan.Update(update, w.err);
    plan.End(0, w.err);
    w.rt.Commit({plan.get()}, w.err);
    view.struct_size = sizeof view;
  }
  // The rest of a clock, after its read was handed out.
  void FinishClock(Worker& w) {
    geeps_runtime* const rt = w.rt.get();
    w.err.Take(geeps_post_read(rt, read, nullptr, w.err.raw()));
    w.err.Take(geeps_pre_update(rt, update, nullptr, GEEPS_NO_LIMIT, &view, w.err.raw()));
    for (uint64_t i = 0; w.err.ok() && i < view.num_rows * view.row_values; ++i) static_cast<double*>(view.data)[i] = 1;
    w.err.Take(geeps_update(rt, update, nullptr, w.err.raw()));
    w.err.Take(geeps_clock(rt, nullptr, w.err.raw()));
  }
  void WalkClock(Worker& w) {
    w.err.Take(geeps_pass_begin(w.rt.get(), plan.get(), w.err.raw()));
    w.err.Take(geeps_read(w.rt.get(), read, nullptr, GEEPS_NO_LIMIT, &view, w.err.raw()));
    FinishClock(w);
  }

  geeps::Table table;
  geeps::Plan plan;
  geeps_op read = 0;
  geeps_op update = 0;
  geeps_view view = {};
};

Setup OfTwo(const char* transport, const char* device) {
  Setup setup;
  setup.world = 2;
  setup.transport = transport;
  setup.device = device;
  return setup;
}

}  // namespace

TEST_CASE("after GEEPS_AGAIN the descriptor is readable when the very call has its rows, and not before") {
  for (const char* transport : {"inproc", "tcp"}) {
    for (const char* device : {"host", "deferred:eager"}) {
      CAPTURE(std::string(transport));
      CAPTURE(std::string(device));
      CHECK(RunWorkers(OfTwo(transport, device), [](Worker& w) -> std::string {
              Job job(w);
              if (w.rank == 1) {
                job.WalkClock(w);
                if (!w.Meet()) return "";
                job.WalkClock(w);
                return "";
              }
              std::string problem;
              const int fd = w.rt.event_fd(w.err);
              job.WalkClock(w);
              if (!w.Meet()) return "";  // both are past clock 0: version 1 comes
              w.err.Take(geeps_pass_begin(w.rt.get(), job.plan.get(), w.err.raw()));
              geeps_status status = GEEPS_AGAIN;
              while (w.err.ok() && problem.empty()) {
                status = geeps_read(w.rt.get(), job.read, nullptr, 0, &job.view, w.err.raw());
                if (status != GEEPS_AGAIN) break;
                if (!IsReadable(fd, kLimitMs)) problem += "the descriptor stays silent; ";
              }
              if (status != GEEPS_OK) return problem + geeps_status_name(status);
              const double first = static_cast<const double*>(job.view.data)[0];
              if (first != 2) problem += "the read holds " + std::to_string(first);
              job.FinishClock(w);
              // Version 2 needs worker 1's clock 1 only; version 3 needs what nobody does.
              w.err.Take(geeps_pass_begin(w.rt.get(), job.plan.get(), w.err.raw()));
              w.err.Take(geeps_read(w.rt.get(), job.read, nullptr, GEEPS_NO_LIMIT, &job.view, w.err.raw()));
              job.FinishClock(w);
              w.err.Take(geeps_pass_begin(w.rt.get(), job.plan.get(), w.err.raw()));
              status = geeps_read(w.rt.get(), job.read, nullptr, 0, &job.view, w.err.raw());
              if (status != GEEPS_AGAIN) problem += std::string("a read of the future: ") + geeps_status_name(status);
              if (IsReadable(fd, 20)) problem += "; the descriptor is readable for nothing";
              // Ends the job: worker 1 stands at its fence, which cannot come together any more.
              w.rt.Abort(problem.empty() ? "as wanted" : problem.c_str());
              if (!IsReadable(fd, kLimitMs)) problem += "; the descriptor does not tell the failure";
              geeps::Error err;
              status = err.Take(geeps_read(w.rt.get(), job.read, nullptr, 0, &job.view, err.raw()));
              if (status != GEEPS_E_ABORTED) problem += std::string("; after the abort: ") + geeps_status_name(status);
              return problem.empty() ? "done" : problem;
            }).find("rank 0: done") != std::string::npos);
    }
  }
}

TEST_CASE("a whole job runs on limits of 0 and one poll loop") {
  for (const char* transport : {"inproc", "tcp"}) {
    CAPTURE(std::string(transport));
    CHECK(RunWorkers(OfTwo(transport, "host"), [](Worker& w) -> std::string {
            Job job(w);
            const int fd = w.rt.event_fd(w.err);
            geeps_runtime* const rt = w.rt.get();
            const auto until_ready = [&](auto&& call) {
              geeps_status status = GEEPS_AGAIN;
              while (w.err.ok() && (status = w.err.Take(call())) == GEEPS_AGAIN && IsReadable(fd, kLimitMs)) {
              }
              return status == GEEPS_OK;
            };
            for (int clock = 0; clock < 50; ++clock) {
              w.err.Take(geeps_pass_begin(rt, job.plan.get(), w.err.raw()));
              if (!until_ready([&] { return geeps_read(rt, job.read, nullptr, 0, &job.view, w.err.raw()); })) {
                return "read at clock " + std::to_string(clock);
              }
              const double value = static_cast<const double*>(job.view.data)[0];
              if (value != 2.0 * clock) return "clock " + std::to_string(clock) + " reads " + std::to_string(value);
              w.err.Take(geeps_post_read(rt, job.read, nullptr, w.err.raw()));
              if (!until_ready([&] { return geeps_pre_update(rt, job.update, nullptr, 0, &job.view, w.err.raw()); })) {
                return "update at clock " + std::to_string(clock);
              }
              for (uint64_t i = 0; i < job.view.num_rows * job.view.row_values; ++i) {
                static_cast<double*>(job.view.data)[i] = 1;
              }
              w.err.Take(geeps_update(rt, job.update, nullptr, w.err.raw()));
              w.err.Take(geeps_clock(rt, nullptr, w.err.raw()));
            }
            return "";
          }) == "");
  }
}

}  // namespace geeps::system_test
