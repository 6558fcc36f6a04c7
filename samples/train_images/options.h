// SPDX-License-Identifier: Apache-2.0
// The command line of train_images.
#ifndef SAMPLES_TRAIN_IMAGES_OPTIONS_H_
#define SAMPLES_TRAIN_IMAGES_OPTIONS_H_

#include <cstdint>
#include <string>

namespace train_images {

struct TrainOptions {
  std::string data = "/usr/share/datasets/fashion-mnist";  // directory of the IDX files
  std::string save;                                        // file for the parameters; empty: none
  std::string launcher = "geeps";                          // what has started the workers (docs/options.md)
  std::string rendezvous;                                  // where they meet; empty: the launcher says it
  uint32_t epochs = 5;
  uint32_t batch = 256;      // over all workers
  uint32_t slack = 0;        // of the reads in training
  std::string rule = "sgd";  // of the layers' tables; a path brings a plugin's
  double lr = 0.05;          // in the first epoch
  double momentum = 0.9;     // with sgd
  uint64_t seed = 1;
  uint64_t limit_steps = 0;  // clocks after which training ends; 0: no limit
  bool plain = false;        // plain buffers instead of tables
  bool json = false;         // figures of the whole run as a last line on stdout
  bool help = false;
};

// The text of --help.
const char* Usage();

// Fills *out from the arguments; false with a sentence in *error when one is unknown or bad.
bool ParseOptions(int argc, char** argv, TrainOptions* out, std::string* error);

}  // namespace train_images

#endif  // SAMPLES_TRAIN_IMAGES_OPTIONS_H_
