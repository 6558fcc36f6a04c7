// SPDX-License-Identifier: Apache-2.0
// Whole jobs on the CUDA back end and the fake driver, which carries out work late, keeps device memory out of the
// host's reach, and finds races, accesses out of bounds and use after the end.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/cuda/fake/fake.h"
#include "tests/system/embedder.h"
#include "tests/system/scenario.h"
#include "tests/system/staged_job.h"

namespace geeps::system_test {
namespace {

std::string Findings() {
  std::string findings;
  char text[500];
  for (uint64_t i = 0; i < geeps_fake_findings(i, text, sizeof text); ++i) findings += std::string(text) + "\n";
  return findings;
}

// Also what is left in the driver.
std::string FindingsAtEnd() {
  std::string wrong = Findings();
  for (const char* what : {"contexts", "streams", "events", "modules", "allocations", "pinned"}) {
    if (geeps_fake_living(what) != 0) wrong += std::to_string(geeps_fake_living(what)) + " " + what + " are left\n";
  }
  return wrong;
}

// What is wrong with the job and with its use of the driver.
std::string RunOnFake(const ScenarioOptions& options, const std::string& words, const std::string& transport) {
  if (!geeps_fake_configure(("quiet=1 " + words).c_str())) return "the fake driver refuses: " + words;
  Setup setup;
  setup.transport = transport;
  setup.device = GEEPS_CUDA_MODULE;
  return RunScenario(options, setup) + FindingsAtEnd();
}

void CheckJobs(const std::string& schedule, uint64_t first_seed, bool streams) {
  for (uint64_t seed = first_seed; seed < first_seed + 6; ++seed) {
    ScenarioOptions options;
    options.seed = seed;
    options.world = 1 + static_cast<uint32_t>(seed % 3);
    options.slack_max = seed % 4 == 0 ? 2 : 0;
    options.num_clocks = 6;
    options.large_tables = seed % 3 == 0;
    options.row_calls = seed % 2 == 0;
    options.streams = streams;
    CAPTURE(seed);
    CHECK(RunOnFake(options, "schedule=" + (schedule == "seeded:" ? schedule + std::to_string(seed) : schedule),
                    seed % 2 == 0 ? "inproc" : "tcp") == "");
  }
}

// One worker that steps a table of 256 KiB with adam, whose shard takes four times that.
std::string StepAdam(const char* shard, const char* memory) {
  if (!geeps_fake_configure((std::string("quiet=1 memory=") + memory).c_str())) return "the fake driver refuses";
  Setup setup;
  setup.device = GEEPS_CUDA_MODULE;
  return RunWorkers(setup,
                    [&](Worker& w) -> std::string {
                      geeps::Table table(w.rt, "t", 64, 1024, GEEPS_F32,
                                         {{"rule", "adam"}, {"param.lr", "0.5"}, {"shard", shard}}, w.err);
                      geeps::Walker train(w.rt, "train", w.err);
                      Embedder embedder;
                      std::string wrong;
                      float wanted = 0;
                      const auto body = [&](geeps::Walker& walker) {
                        const geeps::Access read = walker.Read(table, geeps::Rows::All(), 0);
                        if (walker.live()) {
                          const float found = *reinterpret_cast<const float*>(embedder.Look(0, read.view()));
                          if (std::abs(found - wanted) > 1e-3f) wrong = "found " + std::to_string(found);
                        }
                        walker.PostRead(read);
                        const geeps::Access update = walker.PreUpdate(table, geeps::Rows::All(), 0);
                        if (walker.live()) {
                          float* const grad = reinterpret_cast<float*>(embedder.Look(1, update.view()));
                          for (uint64_t i = 0; i < uint64_t{64} * 1024; ++i) grad[i] = 1;
                          embedder.Put(1, update.view());
                          embedder.Finish();
                        }
                        walker.Update(update);
                      };
                      train.Record(body);
                      w.rt.Commit({train.plan()}, w.err);
                      for (int clock = 0; clock < 3 && w.err.ok(); ++clock) {
                        train.Walk(body);
                        wanted -= 0.5f;
                      }
                      return wrong;
                    }) +
         Findings();
}

// With slack the first of these calls takes the read, and the later ones find it taken.
void ReadWhileHeld(uint32_t slack) {
  REQUIRE(geeps_fake_configure("quiet=1 schedule=lazy"));
  Setup setup;
  setup.device = GEEPS_CUDA_MODULE;
  const std::string wrong = RunWorkers(setup, [&](Worker& w) -> std::string {
    geeps_runtime* const rt = w.rt.get();
    geeps_error* const err = w.err.raw();
    const geeps::Table table(w.rt, "t", 8, 4, GEEPS_F32, {{"rule", "add"}, {"init", "constant:3"}}, w.err);
    geeps::Plan plan(w.rt, "look", w.err);
    const geeps_rows all = {0, 8};
    geeps_op op = 0;
    geeps_plan_read(plan.get(), table.get(), &all, 1, slack, GEEPS_READ_COPY, &op, err);
    plan.PostRead(op, w.err);
    plan.End(GEEPS_PLAN_NO_CLOCK, w.err);
    w.rt.Commit({plan.get()}, w.err);
    Embedder embedder;
    geeps_view view = {};
    view.struct_size = sizeof view;
    constexpr uint64_t kLimitNs = 60'000'000'000;
    const auto value = [&] { return *reinterpret_cast<const float*>(embedder.Look(0, view)); };

    geeps_pass_begin(rt, plan.get(), err);
    CHECK(geeps_read(rt, op, nullptr, kLimitNs, &view, err) == GEEPS_OK);
    CHECK(value() == 3);
    // What is filled for the next pass stays undone.
    geeps_fake_hold(true);
    CHECK(geeps_post_read(rt, op, nullptr, err) == GEEPS_OK);
    CHECK(geeps_pass_end(rt, plan.get(), err) == GEEPS_OK);
    const uint64_t copies = geeps_fake_count("copies") + geeps_fake_count("launches");
    CHECK(geeps_read(rt, op, nullptr, 0, &view, err) == GEEPS_AGAIN);
    CHECK(geeps_read(rt, op, nullptr, 1'000'000, &view, err) == GEEPS_E_TIMEOUT);
    const geeps_stream stream = {sizeof(geeps_stream), GEEPS_STREAM_DEVICE, embedder.stream()};
    CHECK(geeps_read(rt, op, &stream, kLimitNs, &view, err) == GEEPS_OK);
    CHECK(geeps_fake_count("copies") + geeps_fake_count("launches") == copies);
    geeps_fake_hold(false);
    CHECK(value() == 3);
    CHECK(geeps_post_read(rt, op, &stream, err) == GEEPS_OK);
    CHECK(geeps_pass_end(rt, nullptr, err) == GEEPS_OK);
    return "";
  });
  CHECK(wrong == "");
  CHECK(Findings() == "");
}

}  // namespace

TEST_CASE("jobs on the CUDA back end read the bits of the sequential reference: work at once") {
  CheckJobs("eager", 1, false);
}

TEST_CASE("jobs on the CUDA back end read the bits of the sequential reference: work when it is waited for") {
  CheckJobs("lazy", 11, false);
}

TEST_CASE("jobs on the CUDA back end read the bits of the sequential reference: work in drawn orders") {
  CheckJobs("seeded:", 21, false);
}

TEST_CASE(
    "programs that work on rows in a stream of their own, and hand back before that is done, read the same bits") {
  CheckJobs("seeded:", 31, true);
  CheckJobs("lazy", 41, true);
}

TEST_CASE("a read is handed out for a stream before it holds anything; without one the call waits for that") {
  ReadWhileHeld(0);
  ReadWhileHeld(1);
}

TEST_CASE(
    "local data staged on the CUDA back end is what was left there, in any order of work, with streams and without") {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const StagedJob job(seed);
    Setup setup;
    setup.world = 1 + seed % 2;
    setup.device = GEEPS_CUDA_MODULE;
    CAPTURE(seed);
    REQUIRE(geeps_fake_configure("quiet=1 schedule=eager"));
    const MemoryNeeds needs = FindMemoryNeeds(job, setup);
    CHECK(needs.local > 0);
    const std::string schedule = seed % 3 == 0 ? "lazy" : "seeded:" + std::to_string(seed);
    REQUIRE(geeps_fake_configure(("quiet=1 schedule=" + schedule).c_str()));
    CHECK(job.Run(setup, needs.tables + needs.local + job.local_bytes() / 8, seed % 2 == 0) == "");
    CHECK(FindingsAtEnd() == "");
  }
}

TEST_CASE("tables of every mode on the CUDA back end: async, read-my-writes, observers") {
  for (uint64_t seed = 51; seed < 57; ++seed) {
    ScenarioOptions options;
    options.seed = seed;
    options.world = 2 + static_cast<uint32_t>(seed % 2);
    options.num_clocks = 6;
    options.modes = true;
    options.streams = seed % 3 == 0;
    CAPTURE(seed);
    CHECK(RunOnFake(options, "schedule=seeded:" + std::to_string(seed), seed % 2 == 0 ? "tcp" : "inproc") == "");
  }
}

TEST_CASE("a shard that finds no room on the device lies on the host, where the table leaves that open") {
  CHECK(StepAdam("auto", "64m") == "");
  CHECK(StepAdam("device", "64m") == "");
  CHECK(StepAdam("auto", "1200k") == "");
  CHECK(StepAdam("host", "1200k") == "");
  const std::string refused = StepAdam("device", "1200k");
  CHECK(refused.find("bytes of device memory wanted") != std::string::npos);
}

#ifdef GEEPS_RULE_LION
TEST_CASE("a rule that a plugin brings keeps its shard on the host; a shard on a GPU is refused with the reason") {
  REQUIRE(geeps_fake_configure("quiet=1"));
  Setup setup;
  setup.device = GEEPS_CUDA_MODULE;
  const auto create = [&](const char* shard) {
    return RunWorkers(setup, [&](Worker& w) -> std::string {
      geeps::Table table(w.rt, "t", 4, 4, GEEPS_F32, {{"rule", GEEPS_RULE_LION}, {"shard", shard}}, w.err);
      return "";
    });
  };
  CHECK(create("auto") == "");
  CHECK(create("host") == "");
  CHECK(create("device").find("table 't': shard = device with rule lion, which a plugin brings as host code") !=
        std::string::npos);
}
#endif

}  // namespace geeps::system_test
