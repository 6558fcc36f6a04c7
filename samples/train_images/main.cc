// SPDX-License-Identifier: Apache-2.0
// train_images - data-parallel training of a convolutional net on images, with its parameters in geeps.
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <geeps.hpp>
#include <memory>

#include "samples/train_images/compute.h"
#include "samples/train_images/options.h"
#include "samples/train_images/trainer.h"

namespace {

// Lines of the library: warnings, and more with `geeps run --log-level debug`. Errors come back as statuses, too.
void PrintLine(void*, int32_t level, const char* component, const char* text, uint64_t len) {
  if (level != GEEPS_LOG_ERROR)
    std::fprintf(stderr, "train_images: %s: %.*s\n", component, static_cast<int>(len), text);
}

}  // namespace

int main(int argc, char** argv) {
  train_images::TrainOptions options;
  std::string problem;
  if (!train_images::ParseOptions(argc, argv, &options, &problem)) {
    std::fprintf(stderr, "train_images: %s\n", problem.c_str());
    return 2;
  }
  if (options.help) {
    std::fputs(train_images::Usage(), stdout);
    return 0;
  }
  char absolute[PATH_MAX];
  if (realpath(options.data.c_str(), absolute) != nullptr) options.data = absolute;  // else the data source will tell

  geeps::Error err;
  // Rank, world and rendezvous from the launcher; alone without `geeps run`.
  geeps::Options runtime_options{{"launcher", options.launcher}, {"device", options.device}};
  if (!options.rendezvous.empty()) runtime_options.Set("rendezvous", options.rendezvous);
  std::unique_ptr<train_images::Compute> compute;  // before the runtime, which must not outlive its stream
  geeps::Runtime rt(runtime_options, err, PrintLine);
  compute = train_images::MakeCompute(rt, err);
  rt.Start(err);
  if (compute != nullptr) train_images::TrainImages(rt, *compute, options, err);
  rt.Shutdown(err);
  if (err.ok()) return 0;
  if (!err.latched()) rt.Abort(err.message());  // the other workers stop with this reason
  std::fprintf(stderr, "train_images: %s: %s\n", err.status_name(), err.message());
  return 1;
}
