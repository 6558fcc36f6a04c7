// SPDX-License-Identifier: Apache-2.0
// Runtimes leave nothing behind, and several in one process do not notice each other.
#include <doctest/doctest.h>

#include <atomic>

#include "tests/support/entries.h"
#include "tests/system/scenario.h"

namespace geeps::system_test {
namespace {

// One short job; leaves through a shutdown or, every second time, without.
std::string ShortJob(const char* transport, const char* device, bool shut_down) {
  Setup setup;
  setup.world = 3;
  setup.transport = transport;
  setup.device = device;
  setup.shut_down = shut_down;
  return RunWorkers(setup, [&](Worker& w) -> std::string {
    geeps::Table table(w.rt, "t", 100, 10, GEEPS_F32, {}, w.err);
    geeps::Local local(w.rt, "l", 10, 100, w.err);
    geeps::Walker train(w.rt, "train", w.err);
    const auto body = [&](geeps::Walker& walker) {
      walker.PostRead(walker.Read(table, geeps::Rows::All(), 0));
      walker.PostLocal(walker.AccessLocal(local, geeps::Rows::All()));
      walker.Update(walker.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED));
    };
    train.Record(body);
    w.rt.Commit({train.plan()}, w.err);
    for (int i = 0; i < 3; ++i) train.Walk(body);
    // Without a shutdown the first to be destroyed is a lost worker for the others: all must be past their last call.
    if (!shut_down) w.Meet();
    return "";
  });
}

}  // namespace

TEST_CASE("20 create/destroy cycles keep the number of descriptors and threads") {
  for (const char* transport : {"inproc", "tcp"}) {
    for (const char* device : {"host", "deferred:lazy", "deferred:lazy:separate"}) {
      CHECK(ShortJob(transport, device, true) == "");
      const int descriptors = test::NumDescriptors();
      const int threads = test::NumThreads();
      for (int i = 0; i < 20; ++i) CHECK(ShortJob(transport, device, i % 2 == 0) == "");
      CAPTURE(std::string(transport));
      CHECK(test::NumDescriptors() == descriptors);
      CHECK(test::NumThreads() == threads);
    }
  }
}

// The movers of the others still publish into the memory of the first that goes. Regions of this size are unmapped when
// they are freed: a late write ends the process.
TEST_CASE("memory is released only when no peer can write into it any more") {
  for (const char* transport : {"inproc", "tcp"}) {
    for (int i = 0; i < 10; ++i) {
      Setup setup;
      setup.world = 3;
      setup.transport = transport;
      setup.device = "deferred:lazy";  // not mapped: publishes are messages
      setup.shut_down = false;
      CHECK(RunWorkers(setup, [&](Worker& w) -> std::string {
              geeps::Table table(w.rt, "t", 5000, 100, GEEPS_F32, {}, w.err);
              geeps::Walker train(w.rt, "train", w.err);
              const auto body = [&](geeps::Walker& walker) {
                walker.PostRead(walker.Read(table, geeps::Rows::All(), 0));
                walker.Update(walker.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED));
              };
              train.Record(body);
              w.rt.Commit({train.plan()}, w.err);
              for (int clock = 0; clock < 2; ++clock) train.Walk(body);
              w.Meet();
              return "";
            }) == "");
    }
  }
}

TEST_CASE("20 runtimes created and destroyed without a start leave no descriptor and no thread") {
  geeps::Error err;
  Setup setup;
  { const geeps::Runtime first(WorkerOptions(setup, "inproc://unused", 0), err); }
  const int descriptors = test::NumDescriptors();
  const int threads = test::NumThreads();
  for (int i = 0; i < 20; ++i) {
    geeps::Runtime rt(WorkerOptions(setup, "inproc://unused", 0), err);
    REQUIRE(err.ok());
  }
  CHECK(test::NumDescriptors() == descriptors);
  CHECK(test::NumThreads() == threads);
}

TEST_CASE("a table that all workers have destroyed goes at the next commit, and its name is free for another shape") {
  for (const char* transport : {"inproc", "tcp"}) {
    Setup setup;
    setup.world = 3;
    setup.transport = transport;
    CHECK(RunWorkers(setup, [](Worker& w) -> std::string {
            std::string problem;
            geeps::Table kept(w.rt, "kept", 5, 5, GEEPS_F64, {}, w.err);
            for (uint64_t round = 0; round < 4 && w.err.ok() && problem.empty(); ++round) {
              geeps::Table table(w.rt, "t", 10 + 700 * round, 3 + 40 * round, GEEPS_F32, {},
                                 w.err);  // destroyed before the next commit
              geeps::Walker train(w.rt, "train", w.err);
              uint64_t clock = 0;
              const auto body = [&](geeps::Walker& walker) {
                for (const bool is_kept : {true, false}) {
                  const geeps::Table& t = is_kept ? kept : table;
                  const geeps::Access read = walker.Read(t, geeps::Rows::All(), 0);
                  const uint64_t clocks = is_kept ? 2 * round + clock : clock;
                  if (walker.live()) {
                    const double first = is_kept ? read.data<double>()[0] : static_cast<double>(read.data<float>()[0]);
                    if (first != 3.0 * static_cast<double>(clocks))
                      problem = "round " + std::to_string(round) + ": read " + std::to_string(first);
                  }
                  walker.PostRead(read);
                  const geeps::Access add = walker.PreUpdate(t, geeps::Rows::All());
                  for (uint64_t i = 0; walker.live() && i < add.view().num_rows * add.view().row_values; ++i) {
                    if (is_kept) add.data<double>()[i] = 1;
                    if (!is_kept) add.data<float>()[i] = 1;
                  }
                  walker.Update(add);
                }
              };
              train.Record(body);
              w.rt.Commit({train.plan()}, w.err);
              for (; clock < 2; ++clock) train.Walk(body);
            }
            return problem;
          }) == "");
  }
}

TEST_CASE("two jobs in one process, each of two workers, read their own bits") {
  CHECK(RunThreads(2, 120, [](uint32_t job) {
          ScenarioOptions options;
          options.seed = 900 + job;
          options.world = 2;
          Setup setup;
          setup.transport = job == 0 ? "inproc" : "tcp";
          return RunScenario(options, setup);
        }) == "");
}

TEST_CASE("an aborted job leaves another one in the same process alone") {
  Setup setup;
  geeps::Error err;
  geeps::Runtime good(WorkerOptions(setup, NewRendezvous("inproc"), 0), err),
      bad(WorkerOptions(setup, NewRendezvous("inproc"), 0), err);
  good.Start(err);
  bad.Start(err);
  REQUIRE(err.ok());
  bad.Abort("only this one");
  geeps::Error bad_err;
  bad.Fence(bad_err);
  CHECK(bad_err.status() == GEEPS_E_ABORTED);
  good.Fence(err);
  CHECK(err.ok());
  bad = geeps::Runtime();
  good.Fence(err);
  good.Shutdown(err);
  CHECK(err.ok());
}

TEST_CASE(
    "a worker of this process that is destroyed without shutdown is lost for the others; memory handed out stays "
    "readable") {
  Setup setup;
  setup.world = 3;
  for (const char* device : {"host", "deferred:lazy", "deferred:lazy:separate"}) {
    setup.device = device;
    const std::string complaints = RunWorkers(setup, [](Worker& w) -> std::string {
      geeps::Table table(w.rt, "t", 600, 128, GEEPS_F64, {{"init", "constant:3"}}, w.err);
      geeps::Plan plan(w.rt, "train", w.err);
      const geeps_op read = plan.Read(table, geeps::Rows::All(), 0, 0, w.err);
      plan.PostRead(read, w.err);
      const geeps_op update = plan.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED, w.err);
      plan.Update(update, w.err);
      plan.End(0, w.err);
      w.rt.Commit({plan.get()}, w.err);
      geeps_view view = {};
      view.struct_size = sizeof view;
      geeps_runtime* const rt = w.rt.get();
      w.err.Take(geeps_pass_begin(rt, plan.get(), w.err.raw()));
      w.err.Take(geeps_read(rt, read, nullptr, GEEPS_NO_LIMIT, &view, w.err.raw()));
      if (!w.err.ok() || !w.Meet()) return "";
      if (w.rank == 1) {
        geeps_runtime_destroy(rt);  // in the middle of a pass
        w.Meet();
        w.err.Clear();
        return "went";
      }
      if (!w.Meet()) return "";
      geeps_error err = {};
      err.struct_size = sizeof err;
      geeps_info info = {};
      info.struct_size = sizeof info;
      while (info.failure == GEEPS_OK) geeps_runtime_get_info(rt, &info, nullptr);
      const double* const values = static_cast<const double*>(view.data);
      for (uint64_t i = 0; i < view.num_rows * view.row_values; ++i) {
        if (values[i] != 3) return "the view changed";
      }
      const geeps_status status = geeps_post_read(rt, read, nullptr, &err);
      if (status != GEEPS_E_PEER_LOST || err.rank != 1 || (err.flags & GEEPS_ERROR_LATCHED) == 0) return err.message;
      return std::string(err.message).find("without a shutdown") == std::string::npos ? err.message : "told";
    });
    CAPTURE(complaints);
    CHECK(complaints.find("rank 0: told") != std::string::npos);
    CHECK(complaints.find("rank 1: went") != std::string::npos);
    CHECK(complaints.find("rank 2: told") != std::string::npos);
  }
}

TEST_CASE("log lines go to the callback of their own runtime") {
  struct Lines {
    static void Add(void* user, int32_t, const char*, const char*, uint64_t) {
      ++*static_cast<std::atomic<int>*>(user);
    }
    std::atomic<int> count{0};
  };
  Lines loud, silent;
  geeps::Error err;
  {
    Setup setup;
    setup.more = {{"log_level", "debug"}};
    geeps::Runtime a(WorkerOptions(setup, NewRendezvous("inproc"), 0), err, &Lines::Add, &loud.count);
    setup.more = {{"log_level", "error"}};
    const geeps::Runtime b(WorkerOptions(setup, NewRendezvous("inproc"), 0), err, &Lines::Add, &silent.count);
    a.Start(err);
    a.Shutdown(err);
    CHECK(err.ok());
  }
  CHECK(silent.count == 0);
}

}  // namespace geeps::system_test
