// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/options.h"

#include <doctest/doctest.h>

#include <vector>

namespace train_images {
namespace {

bool Parse(std::vector<std::string> args, TrainOptions* out, std::string* error) {
  std::vector<char*> argv = {const_cast<char*>("train_images")};
  for (std::string& arg : args) argv.push_back(arg.data());
  return ParseOptions(static_cast<int>(argv.size()), argv.data(), out, error);
}

}  // namespace

TEST_CASE("train_images: without arguments the defaults hold") {
  TrainOptions options;
  std::string error;
  REQUIRE(Parse({}, &options, &error));
  CHECK(options.batch == 256);
  CHECK(options.slack == 0);
  CHECK(options.epochs <= 5);
  CHECK(options.save.empty());
  CHECK(options.device == "host");
  CHECK(options.net == "lenet");
  CHECK(options.data == "/usr/share/datasets/fashion-mnist");
}

TEST_CASE("train_images: the net vgg has images of its own unless told otherwise") {
  TrainOptions options;
  std::string error;
  REQUIRE(Parse({"--net", "vgg"}, &options, &error));
  CHECK(options.data == "synthetic:224:3:1000:1024");
  SyntheticImages images;
  REQUIRE(ParseSynthetic(options.data, &images));
  CHECK(images.side == 224);
  CHECK(images.channels == 3);
  CHECK(images.num_classes == 1000);
  CHECK(images.num_samples == 1024);
  REQUIRE(Parse({"--data", "/images", "--net=vgg", "--narrower", "4", "--device", "cuda:1"}, &options, &error));
  CHECK(options.data == "/images");
  CHECK(options.narrower == 4);
  CHECK(options.device == "cuda:1");
  CHECK(!ParseSynthetic(options.data, &images));
}

TEST_CASE("train_images: a value may follow its option or an equals sign") {
  TrainOptions options;
  std::string error;
  REQUIRE(Parse({"--slack", "3", "--batch=64", "--lr", "0.125", "--save=a=b", "--limit-steps", "7", "--launcher", "mpi",
                 "--rendezvous=file:///a", "--rule", "./r.so"},
                &options, &error));
  CHECK(options.slack == 3);
  CHECK(options.batch == 64);
  CHECK(options.lr == 0.125);
  CHECK(options.save == "a=b");
  CHECK(options.limit_steps == 7);
  CHECK(options.launcher == "mpi");
  CHECK(options.rendezvous == "file:///a");
  CHECK(options.rule == "./r.so");
}

TEST_CASE("train_images: unknown options, missing and bad values are named") {
  const std::vector<std::vector<std::string>> bad = {{"--slak", "3"},
                                                     {"--slack"},
                                                     {"--slack", "65"},
                                                     {"--slack", "-1"},
                                                     {"--epochs", "0"},
                                                     {"--batch", "1e3"},
                                                     {"--lr", "nan"},
                                                     {"--lr", ""},
                                                     {"--momentum", "2"},
                                                     {"--data", ""},
                                                     {"--launcher", ""},
                                                     {"--rendezvous"},
                                                     {"--rule", ""},
                                                     {"file"},
                                                     {"--json=1"},
                                                     {"--net", "alexnet"},
                                                     {"--narrower", "0"},
                                                     {"--narrower", "65"},
                                                     {"--device", ""},
                                                     {"--data", "synthetic:"},
                                                     {"--data", "synthetic:8:1:2"},
                                                     {"--data", "synthetic:8:1:2:3:4"},
                                                     {"--data", "synthetic:8:1:2:"},
                                                     {"--data", "synthetic:0:1:2:3"},
                                                     {"--data", "synthetic:8:17:2:3"},
                                                     {"--data", "synthetic:8:1:x:3"},
                                                     {"--data", "synthetic:8:1:2:0"}};
  for (const std::vector<std::string>& args : bad) {
    TrainOptions options;
    std::string error;
    CHECK(!Parse(args, &options, &error));
    CHECK(error.find(args[0].substr(0, args[0].find('='))) != std::string::npos);
  }
}

TEST_CASE("train_images: the LeNet has one width") {
  TrainOptions options;
  std::string error;
  CHECK(!Parse({"--narrower", "2"}, &options, &error));
  CHECK(error == "option --narrower is for the net vgg, not lenet");
}

TEST_CASE("train_images: a number out of range is told the range") {
  TrainOptions options;
  std::string error;
  CHECK(!Parse({"--batch", "0"}, &options, &error));
  CHECK(error == "option --batch = '0': a whole number from 1 to 1048576");
}

TEST_CASE("train_images: the help names every option") {
  const std::string usage = Usage();
  for (const char* option :
       {"--net", "--narrower", "--data", "--data synthetic:", "--device", "--epochs", "--batch", "--slack", "--lr",
        "--momentum", "--seed", "--limit-steps", "--save", "--json", "--plain", "--help"}) {
    CHECK(usage.find(option) != std::string::npos);
  }
}

}  // namespace train_images
