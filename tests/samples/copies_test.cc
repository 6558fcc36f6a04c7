// SPDX-License-Identifier: Apache-2.0
// The passes of train_images in workers of one process: what the runtime copies for them.
#include <doctest/doctest.h>

#include <geeps.hpp>
#include <string>
#include <thread>
#include <vector>

#include "samples/train_images/host_compute.h"
#include "samples/train_images/model.h"
#include "samples/train_images/nets.h"
#include "samples/train_images/storage.h"

namespace {

using train_images::Batch;
using train_images::InTables;

constexpr uint32_t kWorkers = 2;
constexpr uint32_t kImages = 4;  // of a worker
constexpr uint32_t kSide = 28;
constexpr uint64_t kSteps = 3;

// The statistics of one worker after a few steps of training, an evaluation and a look at all parameters.
std::string Train(uint32_t rank, const std::string& rendezvous, geeps::Error& err) {
  geeps::Runtime rt(geeps::Options{{"rank", std::to_string(rank)},
                                   {"world", std::to_string(kWorkers)},
                                   {"rendezvous", rendezvous},
                                   {"transport", "inproc"}},
                    err);
  rt.Start(err);
  train_images::HostCompute compute(err);
  InTables storage(rt, compute, err);
  train_images::Model<InTables> model(storage, compute, train_images::LeNet({kSide, 1, 10}), kImages,
                                      {"sgd", 0.01, 0.9, 0, 1});
  const std::vector<uint8_t> images(kImages * kSide * kSide, 100);
  const std::vector<int64_t> labels(kImages, 3);
  const std::vector<uint64_t> ids(kImages);
  const Batch batch = {images.data(), labels.data(), ids.data(), kImages, kWorkers * kImages};
  const auto train = [&](geeps::Walker& w) { model.Train(w, batch, 0); };
  const auto evaluate = [&](geeps::Walker& w) { model.Evaluate(w, batch); };
  const auto look = [&](geeps::Walker& w) { model.ReadAll(w, [](const train_images::Layer&, const float*) {}); };
  geeps::Walker train_walker = storage.MakeWalker("train"), evaluate_walker = storage.MakeWalker("evaluate"),
                look_walker = storage.MakeWalker("look");
  train_walker.Record(train);
  evaluate_walker.Record(evaluate, GEEPS_PLAN_NO_CLOCK);
  look_walker.Record(look, GEEPS_PLAN_NO_CLOCK);
  storage.Commit({&train_walker, &evaluate_walker, &look_walker});
  for (uint64_t step = 0; step < kSteps; ++step) train_walker.Walk(train);
  storage.Fence();
  evaluate_walker.Walk(evaluate);
  look_walker.Walk(look);
  const std::string statistics = rt.stats(err);
  rt.Shutdown(err);
  return statistics;
}

TEST_CASE("train_images in one process copies no byte between caches and access buffers") {
  std::string statistics[kWorkers];
  geeps::Error errors[kWorkers];
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < kWorkers; ++rank) {
    threads.emplace_back([&, rank] { statistics[rank] = Train(rank, "inproc://copies", errors[rank]); });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint32_t rank = 0; rank < kWorkers; ++rank) {
    CAPTURE(statistics[rank]);
    CHECK_MESSAGE(errors[rank].ok(), std::string(errors[rank].message()));
    for (const char* zero : {"fill_bytes", "drain_bytes", "contribution_bytes_sent", "publish_bytes_sent"}) {
      CHECK(statistics[rank].find("\"" + std::string(zero) + "\": 0") != std::string::npos);
    }
    CHECK(statistics[rank].find("\"passes\": " + std::to_string(kSteps + 2)) != std::string::npos);
  }
}

}  // namespace
