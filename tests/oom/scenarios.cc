// SPDX-License-Identifier: Apache-2.0
#include "tests/oom/scenarios.h"

#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>

#include "geeps_plugin.h"
#include "geeps_source.h"
#include "tests/oom/training.h"
#include "tools/geeps/free_port.h"

namespace geeps::oom_test {
namespace {

std::string folder;

std::string Unique() {
  static std::atomic<int> next{0};
  return "oom-" + std::to_string(getpid()) + "-" + std::to_string(next.fetch_add(1));
}

Job::Setup InProcess(uint32_t world) {
  Job::Setup setup;
  setup.world = world;
  setup.rendezvous = "inproc://" + Unique();
  return setup;
}

Job::Setup OverTcp() {
  Job::Setup setup;
  setup.world = 2;
  setup.transport = "tcp";
  setup.rendezvous =
      "file://" + folder + "/" + Unique();  // rank 0 chooses the port: no other program can take it before
  return setup;
}

// Everything but the calls of the next two: tables, plans, commits, passes, sets, gets and texts.
bool TrainAll(Worker& w, const Training::Options& options, std::initializer_list<geeps_kv> more) {
  Training training(&w, options);
  return w.Create(more) && w.Start() && training.Declare() && training.Commit(w.rank() == 0) && training.Train(3) &&
         training.Look() && training.Ask() && training.SetAndGet() && training.Train(2) && training.Replace() &&
         training.Commit(w.rank() == 1) && training.Train(2);
}

std::string RunTraining(const Fault& fault, const Job::Setup& setup, const Training::Options& options,
                        std::initializer_list<geeps_kv> more = {}) {
  return Job(setup, fault).Run([&](Worker& w) { return TrainAll(w, options, more); });
}

std::string RunAlone(const Fault& fault) { return RunTraining(fault, InProcess(1), {}, {{"log_level", "debug"}}); }

std::string RunTogether(const Fault& fault) {
  Training::Options options;
  options.slack = 1;
  options.skips = true;
  return RunTraining(fault, InProcess(2), options);
}

std::string RunTcp(const Fault& fault) {
  Training::Options options;
  options.polled = true;
  return RunTraining(fault, OverTcp(), options, {{"log_level", "debug"}});
}

std::string RunAsync(const Fault& fault) {
  Training::Options options;
  options.mode = "async";
  options.model_rule = GEEPS_RULE_LION;
  options.model_dtype = GEEPS_F32;
  return RunTraining(fault, InProcess(2), options);
}

std::string RunOwnWrites(const Fault& fault) {
  Training::Options options;
  options.read_my_writes = true;
  options.last_observes = true;
  Job::Setup setup = OverTcp();
  setup.device = "deferred:eager";
  return RunTraining(fault, setup, options);
}

// What a runtime writes into files of its own.
std::string RunFiles(const Fault& fault) {
  const std::string trace = folder + "/trace.json";
  const std::string stats = folder + "/stats.json";
  return Job(InProcess(1), fault).Run([&](Worker& w) {
    Training training(&w, {});
    return w.Create({{"trace", trace.c_str()}, {"stats", stats.c_str()}, {"log_level", "debug"}}) && w.Start() &&
           training.Declare() && training.Commit(false) && training.Train(2);
  });
}

// Workers that find each other by a file, and by the name of a host.
std::string RunMeeting(const Fault& fault) {
  Job::Setup setup = OverTcp();
  const auto meet = [](Worker& w) { return w.Create({}) && w.Start(); };
  setup.rendezvous = "tcp://localhost:" + std::to_string(tool::FindFreeLoopbackPort().value_or(0));
  std::string complaints = Job(setup, fault).Run(meet);
  setup.rendezvous = "file://" + folder + "/meeting";
  complaints += Job(setup, fault).Run(meet);
  // It is looked at before it is removed, which takes a descriptor; one that is left delays nobody.
  if (fault.resource != test::Resource::kDescriptor && access((folder + "/meeting").c_str(), F_OK) == 0) {
    complaints += "the rendezvous file was left\n";
  }
  return complaints;
}

const geeps_plugin kAdded = {
    sizeof(geeps_plugin), GEEPS_PLUGIN_ABI, "added", "1", "none", "part of the test", [](const char*) -> const void* {
      return nullptr;
    }};

// Plugins, texts of the library, and the end by an abort.
std::string RunPlugins(const Fault& fault) {
  return Job(InProcess(1), fault).Run([](Worker& w) {
    if (!w.Create({{"plugin_path", "/nowhere"}, {"launcher", "geeps"}, {"log_level", "debug"}})) return false;
    const auto load = [&](const char* name) {
      return w.Call("geeps_plugin_load", [&](geeps_error* e) { return geeps_plugin_load(w.rt(), name, e); });
    };
    const auto find = [&](const char* name, const char* id) {
      const void* table = nullptr;
      const geeps_host* host = nullptr;
      return w.Call("geeps_plugin_get_interface",
                    [&](geeps_error* e) { return geeps_plugin_get_interface(w.rt(), name, id, &table, &host, e); },
                    {{&table, sizeof table}, {&host, sizeof host}}) &&
             w.Check(table != nullptr && host != nullptr, "an interface is NULL");
    };
    w.Do("geeps_abi_version", [&] { w.Check(geeps_abi_version() == GEEPS_ABI_VERSION, "another ABI"); });
    w.Do("geeps_version", [&] { w.Check(geeps_version()[0] != '\0', "no version"); });
    const bool good =
        load("tcp") && load("idx") && load("idx") && load(GEEPS_RULE_LION) && find("idx", GEEPS_SOURCE_ID) &&
        w.Call("geeps_plugin_add",
               [&](geeps_error* e) {
                 return geeps_plugin_add(
                     w.rt(), [](uint32_t) { return &kAdded; }, e);
               }) &&
        w.Start() &&
        w.Call("geeps_runtime_abort", [&](geeps_error* e) { return geeps_runtime_abort(w.rt(), "it is over", e); });
    if (!good) return false;
    geeps_error err;
    const geeps_status status = w.Try(
        "geeps_fence after an abort", [&](geeps_error* e) { return geeps_fence(w.rt(), nullptr, e); }, &err);
    // Without memory for its text the cause is GEEPS_E_NOMEM.
    w.Check(status == GEEPS_E_ABORTED || (test::NumFailed() > 0 && status == GEEPS_E_NOMEM),
            "a call after an abort does not say so");
    return false;  // no shutdown
  });
}

}  // namespace

const std::vector<Scenario>& Scenarios() {
  static const std::vector<Scenario> scenarios = {
      {"alone", "one worker; all calls of a training job, debug lines", RunAlone},
      {"together", "two workers in one process, memory mapped; slack, skips", RunTogether},
      {"tcp", "two workers over tcp; reads with limit 0 and the event descriptor; debug lines", RunTcp},
      {"async", "two workers in one process, an async table, a rule of a plugin", RunAsync},
      {"own", "two workers over tcp, deferred device, read-my-writes, an observer", RunOwnWrites},
      {"files", "one worker that writes a trace and statistics", RunFiles},
      {"meeting", "two workers that meet by the name of a host, then by a file", RunMeeting},
      {"plugins", "plugins loaded, added and asked, an abort", RunPlugins},
      {"source", "the data source idx, compressed and plain files", RunSource},
  };
  return scenarios;
}

const Scenario* FindScenario(const std::string& name) {
  for (const Scenario& scenario : Scenarios()) {
    if (name == scenario.name) return &scenario;
  }
  return nullptr;
}

void SetFolder(const std::string& path) { folder = path; }
const std::string& Folder() { return folder; }

}  // namespace geeps::oom_test
