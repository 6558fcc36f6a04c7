// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/options.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <initializer_list>
#include <sstream>
#include <vector>

namespace train_images {
namespace {

constexpr char kSynthetic[] = "synthetic:";

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

bool IsOneOf(const std::string& value, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* name) { return value == name; });
}

// Takes the value of an option. Returns what the option wants when the value is not that; *known: false for no option.
const char* SetOption(const std::string& key, const char* value, TrainOptions* out, bool* known) {
  const auto wants = [](bool good, const char* what) { return good ? nullptr : what; };
  *known = true;
  if (key == "--data") {
    out->data = value;
    SyntheticImages images;
    const bool is_synthetic = out->data.compare(0, sizeof kSynthetic - 1, kSynthetic) == 0;
    return wants(is_synthetic ? ParseSynthetic(out->data, &images) : !out->data.empty(),
                 "a directory, or synthetic:SIDE:CHANNELS:CLASSES:N with a side of 1 to 1024 pixels, 1 to 16 channels, "
                 "1 to 65536 classes and 1 to 16777216 images");
  }
  if (key == "--net") return wants(IsOneOf(out->net = value, {"lenet", "vgg"}), "lenet or vgg");
  if (key == "--narrower") return wants(ParseU32(value, 1, 64, &out->narrower), "a whole number from 1 to 64");
  if (key == "--device")
    return wants(!(out->device = value).empty(), "host, cuda, cuda:N, auto or the path of a plugin");
  if (key == "--save") return wants(!(out->save = value).empty(), "a file");
  if (key == "--launcher") return wants(!(out->launcher = value).empty(), "the name of a launcher");
  if (key == "--rendezvous") return wants(!(out->rendezvous = value).empty(), "a URL");
  if (key == "--epochs") return wants(ParseU32(value, 1, 1000000, &out->epochs), "a whole number from 1 to 1000000");
  if (key == "--batch") return wants(ParseU32(value, 1, 1u << 20, &out->batch), "a whole number from 1 to 1048576");
  if (key == "--slack") return wants(ParseU32(value, 0, 64, &out->slack), "a whole number from 0 to 64");
  if (key == "--rule") return wants(!(out->rule = value).empty(), "a rule or the path of a plugin");
  if (key == "--lr") return wants(ParseReal(value, 0, 1000, &out->lr), "a number from 0 to 1000");
  if (key == "--momentum") return wants(ParseReal(value, 0, 1, &out->momentum), "a number from 0 to 1");
  if (key == "--seed") return wants(ParseUnsigned(value, 0, UINT64_MAX, &out->seed), "a whole number below 2^64");
  if (key == "--limit-steps") {
    return wants(ParseUnsigned(value, 0, UINT64_MAX, &out->limit_steps), "a whole number below 2^64");
  }
  *known = false;
  return nullptr;
}

}  // namespace

bool ParseSynthetic(const std::string& text, SyntheticImages* out) {
  if (text.compare(0, sizeof kSynthetic - 1, kSynthetic) != 0) return false;
  std::vector<std::string> parts;
  std::istringstream rest(text.substr(sizeof kSynthetic - 1));
  for (std::string part; std::getline(rest, part, ':');) parts.push_back(part);
  return parts.size() == 4 && text.back() != ':' && ParseU32(parts[0].c_str(), 1, 1024, &out->side) &&
         ParseU32(parts[1].c_str(), 1, 16, &out->channels) && ParseU32(parts[2].c_str(), 1, 65536, &out->num_classes) &&
         ParseUnsigned(parts[3].c_str(), 1, uint64_t{1} << 24, &out->num_samples);
}

const char* Usage() {
  return "usage: train_images [OPTIONS]\n"
         "\n"
         "Trains a convolutional net on images, data-parallel over the workers that `geeps run` starts, or\n"
         "alone without it.\n"
         "\n"
         "  --net NAME         lenet: two convolutions; vgg: thirteen    (lenet)\n"
         "  --narrower N       the channels and units of vgg are divided by N    (1)\n"
         "  --data DIR         directory of IDX files    (lenet: /usr/share/datasets/fashion-mnist)\n"
         "  --data synthetic:SIDE:CHANNELS:CLASSES:N\n"
         "                     N images drawn from the seed, N / 8 to test with    (vgg: synthetic:224:3:1000:1024)\n"
         "  --device NAME      where parameters are kept and the net is calculated: host, cuda, cuda:N, auto, or the\n"
         "                     path of a device plugin; cuda needs the NVIDIA driver and cuBLAS    (host)\n"
         "  --epochs N         passes over the images    (5)\n"
         "  --batch N          images per step, over all workers    (256)\n"
         "  --slack N          clocks by which a read may be behind    (0)\n"
         "  --lr X             learning rate of the first epoch; falls in equal steps to X / epochs    (0.05)\n"
         "  --rule NAME        update rule: sgd, adam, another one with a learning rate, or a plugin's path    (sgd)\n"
         "  --momentum X       with the rule sgd    (0.9)\n"
         "  --seed N           of the order of the images and the initial weights    (1)\n"
         "  --limit-steps N    ends after N steps; 0: no limit    (0)\n"
         "  --save FILE        writes the parameters at the end\n"
         "  --launcher NAME    what starts the workers: geeps, slurm, mpi, torchrun    (geeps)\n"
         "  --rendezvous URL   where they meet, when the launcher does not say it: tcp://HOST:PORT, file:///PATH\n"
         "  --json             the last line of output: figures of the whole run as one JSON object\n"
         "  --plain            plain buffers instead of tables, one worker: what the parameter server costs\n"
         "  --help\n"
         "\n"
         "example: geeps run -n 2 build/samples/train_images/train_images --epochs 3\n";
}

bool ParseOptions(int argc, char** argv, TrainOptions* out, std::string* error) {
  for (int i = 1; i < argc; ++i) {
    std::string key = argv[i];
    const size_t equals = key.find('=');
    const char* value = equals != std::string::npos ? argv[i] + equals + 1 : nullptr;
    if (value != nullptr) key.resize(equals);
    bool* flag = key == "--help" ? &out->help : key == "--plain" ? &out->plain : key == "--json" ? &out->json : nullptr;
    if (flag != nullptr) {
      *flag = true;
      if (value == nullptr) continue;
      *error = "option " + key + " takes no value";
      return false;
    }
    if (value == nullptr && i + 1 < argc) value = argv[++i];
    bool known = false;
    const char* wanted = SetOption(key, value != nullptr ? value : "", out, &known);
    if (!known) {
      *error = "unknown option '" + key + "'; --help lists all";
      return false;
    }
    if (value != nullptr && wanted == nullptr) continue;
    *error = "option " + key + (value == nullptr ? " needs a value" : " = '" + std::string(value) + "': " + wanted);
    return false;
  }
  if (out->narrower != 1 && out->net != "vgg") {
    *error = "option --narrower is for the net vgg, not " + out->net;
    return false;
  }
  if (out->data.empty()) {
    out->data = out->net == "vgg" ? "synthetic:224:3:1000:1024" : "/usr/share/datasets/fashion-mnist";
  }
  return true;
}

}  // namespace train_images
