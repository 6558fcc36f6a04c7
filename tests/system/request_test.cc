// SPDX-License-Identifier: Apache-2.0
// Long calls: waited for at once, or through a request with limits and a descriptor.
#include <doctest/doctest.h>
#include <poll.h>

#include "tests/system/threads.h"

namespace geeps::system_test {
namespace {

bool IsReadable(int fd, int timeout_ms) {
  pollfd entry = {fd, POLLIN, 0};
  return poll(&entry, 1, timeout_ms) == 1 && (entry.revents & POLLIN) != 0;
}

Setup OfTwo(const char* transport) {
  Setup setup;
  setup.world = 2;
  setup.transport = transport;
  return setup;
}

}  // namespace

TEST_CASE("a request is not done before the other worker is there, then stays done with the same result") {
  for (const char* transport : {"inproc", "tcp"}) {
    const std::string complaints = RunWorkers(OfTwo(transport), [](Worker& w) -> std::string {
      std::string problem;
      if (w.rank == 0) {
        geeps::Request request = w.rt.BeginFence(w.err);
        const int fd = request.event_fd(w.err);
        if (request.Wait(0, w.err) != GEEPS_AGAIN) problem += "limit 0 did not say AGAIN; ";
        if (request.Wait(20'000'000, w.err) != GEEPS_E_TIMEOUT) problem += "a limit of 20 ms did not pass; ";
        if (IsReadable(fd, 0)) problem += "the descriptor is readable too early; ";
        if (!w.Meet()) return problem;
        if (!IsReadable(fd, 10'000)) problem += "the descriptor is not readable at the end; ";
        for (int i = 0; i < 3; ++i) {
          if (request.Wait(0, w.err) != GEEPS_OK) problem += "a request that has ended did not say so; ";
          if (!IsReadable(fd, 0)) problem += "the descriptor is readable no more; ";
        }
        if (request.Wait(GEEPS_NO_LIMIT, w.err) != GEEPS_OK) problem += "no limit; ";
      } else {
        if (!w.Meet()) return problem;
        w.rt.Fence(w.err);
      }
      return problem;
    });
    CAPTURE(std::string(transport));
    CHECK(complaints == "");
  }
}

TEST_CASE("one long call at a time: another one is refused while a request is under way") {
  CHECK(RunWorkers(OfTwo("inproc"), [](Worker& w) -> std::string {
          std::string problem;
          if (w.rank == 0) {
            geeps::Request request = w.rt.BeginFence(w.err);
            geeps_error error = {};
            error.struct_size = sizeof error;
            if (geeps_fence(w.rt.get(), nullptr, &error) != GEEPS_E_STATE)
              problem += "a second fence was not refused; ";
            if (error.message[0] == 0) problem += "it was refused without a text; ";
            if (!w.Meet()) return problem;
            request.Wait(GEEPS_NO_LIMIT, w.err);
          } else {
            if (!w.Meet()) return problem;
            w.rt.Fence(w.err);
          }
          return problem;
        }) == "");
}

TEST_CASE("a fence goes on when its request is destroyed") {
  Setup setup = OfTwo("inproc");
  setup.shut_down = false;
  CHECK(RunWorkers(setup, [](Worker& w) -> std::string {
          if (w.rank == 0) {
            { const geeps::Request dropped = w.rt.BeginFence(w.err); }
            if (!w.Meet()) return "";
          } else {
            if (!w.Meet()) return "";
            w.rt.Fence(w.err);  // ends only if the dropped one is still there
          }
          geeps_status status = GEEPS_E_STATE;
          while (w.err.ok() && status == GEEPS_E_STATE) status = geeps_runtime_shutdown(w.rt.get(), nullptr, nullptr);
          return status == GEEPS_OK ? "" : geeps_status_name(status);
        }) == "");
}

TEST_CASE("start, commit and shutdown work through requests, too") {
  const std::string rendezvous = NewRendezvous("inproc");
  Setup setup = OfTwo("inproc");
  CHECK(RunThreads(2, 60, [&](uint32_t rank) -> std::string {
          geeps::Error err;
          geeps::Runtime rt(WorkerOptions(setup, rendezvous, rank), err);
          geeps::Request start = rt.BeginStart(err);
          if (IsReadable(start.event_fd(err), 30'000) && start.Wait(0, err) != GEEPS_OK) return "start";
          geeps::Table table(rt, "t", 8, 8, GEEPS_F32, {}, err);
          geeps::Walker train(rt, "train", err);
          const auto body = [&](geeps::Walker& walker) {
            walker.Update(walker.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED));
          };
          train.Record(body);
          geeps::Request commit = rt.BeginCommit({train.plan()}, err);
          if (commit.Wait(30'000'000'000, err) != GEEPS_OK) return "commit: " + std::string(err.message());
          train.Walk(body);
          geeps::Request shutdown = rt.BeginShutdown(err);
          if (shutdown.Wait(30'000'000'000, err) != GEEPS_OK) return "shutdown: " + std::string(err.message());
          return err.ok() ? "" : err.message();
        }) == "");
}

TEST_CASE("a request ends with the cause when the job is aborted") {
  const std::string complaints = RunWorkers(OfTwo("inproc"), [](Worker& w) -> std::string {
    if (w.rank == 1) {
      if (!w.Meet()) return "";
      w.rt.Abort("enough for today");
      return "";
    }
    geeps::Request request = w.rt.BeginFence(w.err);
    if (!w.Meet()) return "";
    geeps::Error err;
    const geeps_status status = request.Wait(10'000'000'000, err);
    if (status != GEEPS_E_ABORTED) return "the request ended with " + std::string(geeps_status_name(status));
    if (std::string(err.message()).find("enough for today") == std::string::npos) return err.message();
    return "as wanted";
  });
  // Both workers end with the abort; rank 0 has first seen it through its request.
  CHECK(complaints.find("rank 0: as wanted") != std::string::npos);
}

}  // namespace geeps::system_test
