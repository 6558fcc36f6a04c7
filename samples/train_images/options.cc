// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/options.h"

#include <cerrno>
#include <cmath>
#include <cstdlib>

namespace train_images {
namespace {

bool ParseUnsigned(const char* text, uint64_t min, uint64_t max, uint64_t* out) {
  char* end = nullptr;
  errno = 0;
  const unsigned long long value = std::strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value < min || value > max) return false;
  *out = value;
  return true;
}

bool ParseReal(const char* text, double min, double max, double* out) {
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  if (end == text || *end != '\0' || !std::isfinite(value) || value < min || value > max) return false;
  *out = value;
  return true;
}

bool ParseU32(const char* text, uint32_t min, uint32_t max, uint32_t* out) {
  uint64_t value = 0;
  if (!ParseUnsigned(text, min, max, &value)) return false;
  *out = static_cast<uint32_t>(value);
  return true;
}

bool SetOption(const std::string& key, const char* value, TrainOptions* out, bool* known) {
  *known = true;
  if (key == "--data") return !(out->data = value).empty();
  if (key == "--save") return !(out->save = value).empty();
  if (key == "--epochs") return ParseU32(value, 1, 1000000, &out->epochs);
  if (key == "--batch") return ParseU32(value, 1, 1u << 20, &out->batch);
  if (key == "--slack") return ParseU32(value, 0, 64, &out->slack);
  if (key == "--lr") return ParseReal(value, 0, 1000, &out->lr);
  if (key == "--momentum") return ParseReal(value, 0, 1, &out->momentum);
  if (key == "--seed") return ParseUnsigned(value, 0, UINT64_MAX, &out->seed);
  if (key == "--limit-steps") return ParseUnsigned(value, 0, UINT64_MAX, &out->limit_steps);
  *known = false;
  return false;
}

}  // namespace

const char* Usage() {
  return "usage: train_images [OPTIONS]\n"
         "\n"
         "Trains a small convolutional net on images in IDX files, data-parallel over the workers that `geeps run`\n"
         "starts, or alone without it.\n"
         "\n"
         "  --data DIR         directory of the files    (/usr/share/datasets/fashion-mnist)\n"
         "  --epochs N         passes over the images    (5)\n"
         "  --batch N          images per step, over all workers    (256)\n"
         "  --slack N          clocks by which a read may be behind    (0)\n"
         "  --lr X             learning rate of the first epoch; falls in equal steps to X / epochs    (0.05)\n"
         "  --momentum X       (0.9)\n"
         "  --seed N           of the order of the images and the initial weights    (1)\n"
         "  --limit-steps N    ends after N steps; 0: no limit    (0)\n"
         "  --save FILE        writes the parameters at the end\n"
         "  --plain            plain buffers instead of tables, one worker: what the parameter server costs\n"
         "  --help\n"
         "\n"
         "example: geeps run -n 2 build/samples/train_images/train_images --epochs 3\n";
}

bool ParseOptions(int argc, char** argv, TrainOptions* out, std::string* error) {
  for (int i = 1; i < argc; ++i) {
    std::string key = argv[i];
    if (key == "--help" || key == "--plain") {
      (key == "--help" ? out->help : out->plain) = true;
      continue;
    }
    const char* value = nullptr;
    const size_t equals = key.find('=');
    if (equals != std::string::npos) {
      value = argv[i] + equals + 1;
      key.resize(equals);
    } else if (i + 1 < argc) {
      value = argv[++i];
    }
    bool known = false;
    const bool good = SetOption(key, value != nullptr ? value : "", out, &known);
    if (!known) {
      *error = "unknown option '" + key + "'; --help lists all";
      return false;
    }
    if (!good) {
      *error = value == nullptr ? "option " + key + " needs a value" : "option " + key + ": bad value '" + value + "'";
      return false;
    }
  }
  return true;
}

}  // namespace train_images
