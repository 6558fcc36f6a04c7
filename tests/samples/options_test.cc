// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/options.h"

#include <vector>

#include <doctest/doctest.h>

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
}

TEST_CASE("train_images: a value may follow its option or an equals sign") {
  TrainOptions options;
  std::string error;
  REQUIRE(Parse({"--slack", "3", "--batch=64", "--lr", "0.125", "--save=a=b", "--limit-steps", "7", "--launcher", "mpi",
                 "--rendezvous=file:///a", "--rule", "./r.so"}, &options, &error));
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
  const std::vector<std::vector<std::string>> bad = {
      {"--slak", "3"}, {"--slack"}, {"--slack", "65"}, {"--slack", "-1"}, {"--epochs", "0"}, {"--batch", "1e3"},
      {"--lr", "nan"}, {"--lr", ""}, {"--momentum", "2"}, {"--data", ""}, {"--launcher", ""}, {"--rendezvous"}, {"--rule", ""}, {"file"},
      {"--json=1"}};
  for (const std::vector<std::string>& args : bad) {
    TrainOptions options;
    std::string error;
    CHECK(!Parse(args, &options, &error));
    CHECK(error.find(args[0].substr(0, args[0].find('='))) != std::string::npos);
  }
}

TEST_CASE("train_images: a number out of range is told the range") {
  TrainOptions options;
  std::string error;
  CHECK(!Parse({"--batch", "0"}, &options, &error));
  CHECK(error == "option --batch = '0': a whole number from 1 to 1048576");
}

TEST_CASE("train_images: the help names every option") {
  const std::string usage = Usage();
  for (const char* option : {"--data", "--epochs", "--batch", "--slack", "--lr", "--momentum", "--seed",
                             "--limit-steps", "--save", "--json", "--plain", "--help"}) {
    CHECK(usage.find(option) != std::string::npos);
  }
}

}  // namespace train_images
