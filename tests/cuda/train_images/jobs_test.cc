// SPDX-License-Identifier: Apache-2.0
// train_images as a whole, its workers in one process, on the CUDA back end, the fake driver and the fake cuBLAS: the
// driver finds nothing, the parameters have the same bits under every schedule, and they are the host's but for
// rounding.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "samples/train_images/compute.h"
#include "samples/train_images/trainer.h"
#include "tests/cuda/train_images/fake_session.h"

namespace train_images {
namespace {

const std::vector<std::string> kLeNet = {"--data", "synthetic:16:1:4:60", "--batch", "16", "--epochs", "2", "--lr",
                                         "0.02"};
const std::vector<std::string> kVgg = {"--net",   "vgg", "--narrower", "16", "--data", "synthetic:32:3:4:24",
                                       "--batch", "8",   "--epochs",   "1",  "--lr",   "0.01"};

struct File {
  std::string path;
  File() {
    char name[] = "/tmp/train_images_XXXXXX";
    const int fd = mkstemp(name);
    REQUIRE(fd >= 0);
    close(fd);
    path = name;
  }
  ~File() { std::remove(path.c_str()); }
  std::string Read() const {
    std::string text;
    std::FILE* const file = std::fopen(path.c_str(), "rb");
    REQUIRE(file != nullptr);
    char part[4096];
    for (size_t n; (n = std::fread(part, 1, sizeof part, file)) > 0;) text.append(part, n);
    std::fclose(file);
    return text;
  }
};

struct Done {
  std::string parameters;           // the file of --save
  std::string error;                // of all workers
  std::vector<std::string> errors;  // by rank
};

void RunWorker(uint32_t rank, uint32_t world, const std::string& rendezvous, const TrainOptions& options,
               std::string* error) {
  geeps::Error err;
  std::unique_ptr<Compute> compute;
  {
    geeps::Options runtime_options{{"device", options.device}};
    if (world > 1) {
      runtime_options.Set("rank", std::to_string(rank)).Set("world", std::to_string(world));
      runtime_options.Set("rendezvous", rendezvous).Set("transport", "inproc");
    }
    geeps::Runtime rt(runtime_options, err);
    compute = MakeCompute(rt, err);
    rt.Start(err);
    if (compute != nullptr) TrainImages(rt, *compute, options, err);
    rt.Shutdown(err);
    if (!err.ok() && !err.latched()) rt.Abort(err.message());
    if (!err.ok()) *error = err.message();
  }
}

Done Train(uint32_t world, std::vector<std::string> arguments, const std::string& device) {
  const File file;
  arguments.insert(arguments.end(), {"--save", file.path, "--device", device});
  std::vector<char*> argv = {const_cast<char*>("train_images")};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  TrainOptions options;
  std::string problem;
  REQUIRE_MESSAGE(ParseOptions(static_cast<int>(argv.size()), argv.data(), &options, &problem), problem);
  static int job = 0;
  const std::string rendezvous = "inproc://train" + std::to_string(++job);
  std::vector<std::string> errors(world);
  std::vector<std::thread> workers;
  for (uint32_t rank = 0; rank < world; ++rank) {
    workers.emplace_back([&, rank] { RunWorker(rank, world, rendezvous, options, &errors[rank]); });
  }
  for (std::thread& worker : workers) worker.join();
  Done done;
  for (const std::string& error : errors) done.error += error;
  done.errors = std::move(errors);
  done.parameters = file.Read();
  return done;
}

Done TrainOnFake(uint32_t world, const std::vector<std::string>& arguments, const std::string& words) {
  ConfigureFake(words);
  Done done = Train(world, arguments, GEEPS_CUDA_MODULE);
  CheckFakeIsClean();
  return done;
}

// The largest difference between two files of --save, whose header lines must be the same; infinity for other shapes.
double LargestDifference(const std::string& a, const std::string& b) {
  if (a.size() != b.size() || a.empty()) return INFINITY;
  double largest = 0;
  for (size_t at = 0; at < a.size();) {
    const size_t end = a.find('\n', at);
    char name[64];
    unsigned rows = 0, values = 0;
    if (end == std::string::npos || b.compare(at, end - at, a, at, end - at) != 0 ||
        std::sscanf(a.c_str() + at, "%63s %u %u", name, &rows, &values) != 3) {
      return INFINITY;
    }
    at = end + 1;
    for (uint64_t i = 0; i < uint64_t{rows} * values; ++i, at += sizeof(float)) {
      float x = 0, y = 0;
      std::memcpy(&x, a.data() + at, sizeof x);
      std::memcpy(&y, b.data() + at, sizeof y);
      if (!std::isfinite(x) || !std::isfinite(y)) return INFINITY;
      largest = std::max(largest, std::abs(double{x} - y));
    }
  }
  return largest;
}

void CheckNet(const std::vector<std::string>& arguments, const std::vector<std::string>& schedules, double tolerance) {
  for (const uint32_t world : {1u, 2u}) {
    CAPTURE(world);
    const Done host = Train(world, arguments, "host");
    CHECK(host.error == "");
    std::string first;
    for (const std::string& schedule : schedules) {
      CAPTURE(schedule);
      const Done done = TrainOnFake(world, arguments, "schedule=" + schedule);
      CHECK(done.error == "");
      if (first.empty()) first = done.parameters;
      CHECK(done.parameters == first);  // the same bits
      CHECK(LargestDifference(done.parameters, host.parameters) < tolerance);
    }
  }
}

// Sums are made in other orders than OpenBLAS's, and training carries the differences on. Parameters are below 1, steps
// few: what is not rounding is larger by far.
TEST_CASE("train_images on a GPU: the LeNet has the same bits under every schedule, and the host's parameters") {
  CheckNet(kLeNet, {"lazy", "eager", "eager", "seeded:1", "seeded:2", "seeded:3"}, 1e-5);
}

TEST_CASE("train_images on a GPU: the VGG has the same bits under every schedule, and the host's parameters") {
  CheckNet(kVgg, {"lazy", "eager", "seeded:4"}, 1e-4);
}

TEST_CASE("train_images on a GPU: plain buffers there give the parameters of plain buffers on the host") {
  std::vector<std::string> arguments = kLeNet;
  arguments.push_back("--plain");
  const Done host = Train(1, arguments, "host");
  std::string first;
  for (const std::string schedule : {"lazy", "eager", "seeded:5"}) {
    CAPTURE(schedule);
    const Done done = TrainOnFake(1, arguments, "schedule=" + schedule);
    CHECK(done.error == "");
    if (first.empty()) first = done.parameters;
    CHECK(done.parameters == first);
    CHECK(LargestDifference(done.parameters, host.parameters) < 1e-5);
  }
}

TEST_CASE("train_images on a GPU: with slack, two workers train and the driver finds nothing") {
  std::vector<std::string> arguments = kLeNet;
  arguments.insert(arguments.end(), {"--slack", "2"});
  for (const std::string schedule : {"lazy", "eager", "seeded:6"}) {
    CAPTURE(schedule);
    CHECK(TrainOnFake(2, arguments, "schedule=" + schedule).error == "");
  }
}

// How often the program or the runtime has waited for all work of a stream.
uint64_t CountWaits(const std::vector<std::string>& arguments) {
  CHECK(TrainOnFake(1, arguments, "schedule=eager").error == "");
  return geeps_fake_count("cuStreamSynchronize");
}

TEST_CASE("train_images on a GPU: more steps wait for no stream more often") {
  std::vector<std::string> few = kLeNet, many = kLeNet;
  few[1] = "synthetic:16:1:4:32";
  many[1] = "synthetic:16:1:4:320";
  // 36 steps more. At its end a device waits for each of its side streams, of which there are as many as there were
  // notices under way at once: some more or fewer in each run.
  CHECK(CountWaits(many) < CountWaits(few) + 18);
}

TEST_CASE("train_images on a GPU: a kernel that cannot be launched ends the job with its sentence on both workers") {
  ConfigureFake("schedule=eager refuse=cuLaunchKernel:400:719");
  // Which launch is the 400th is a matter of time: one of geeps, of the sample, or of cuBLAS, which has words of its
  // own.
  for (const std::string& error : Train(2, kLeNet, GEEPS_CUDA_MODULE).errors) {
    const bool is_told = error.find("CUDA_ERROR_LAUNCH_FAILED") != std::string::npos ||
                         error.find("CUBLAS_STATUS_EXECUTION_FAILED") != std::string::npos;
    CHECK_MESSAGE(is_told, error);
  }
}

}  // namespace
}  // namespace train_images
