// SPDX-License-Identifier: Apache-2.0
// The command line of train_images.
#ifndef SAMPLES_TRAIN_IMAGES_OPTIONS_H_
#define SAMPLES_TRAIN_IMAGES_OPTIONS_H_

#include <cstdint>
#include <string>

namespace train_images {

// Images and labels that are drawn: synthetic:SIDE:CHANNELS:CLASSES:N.
struct SyntheticImages {
  uint32_t side;
  uint32_t channels;
  uint32_t num_classes;
  uint64_t num_samples;  // to train with; an eighth as many to test with
};

// False: the text does not name such images.
bool ParseSynthetic(const std::string& text, SyntheticImages* out);

struct TrainOptions {
  std::string data;                // directory of the IDX files, or synthetic images
  std::string net = "lenet";       // or vgg
  uint32_t narrower = 1;           // of vgg: what its widths are divided by
  std::string device = "host";     // of the runtime (docs/options.md)
  std::string save;                // file for the parameters; empty: none
  std::string launcher = "geeps";  // what has started the workers (docs/options.md)
  std::string rendezvous;          // where they meet; empty: the launcher says it
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
