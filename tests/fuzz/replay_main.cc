// SPDX-License-Identifier: Apache-2.0
// Runs a target on every file of the folders given, and on its own seeds: what the ordinary suite does in place of
// libFuzzer. The last name on standard error is the input that a crash belongs to.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds.h"

namespace {

void Run(const std::string& name, const std::string& bytes) {
  std::fprintf(stderr, "%s\n", name.c_str());
  // Of the very size, so that a sanitizer sees the first byte behind it.
  const std::vector<uint8_t> input(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

}  // namespace

int main(int argc, char** argv) {
  geeps::fuzz::WriteSeedsIfAsked(argc, argv);
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    std::error_code error;
    std::filesystem::directory_iterator it(argv[i], error);
    for (const std::filesystem::directory_iterator end; !error && it != end; it.increment(error)) files.push_back(*it);
    if (error) std::fprintf(stderr, "%s: %s\n", argv[i], error.message().c_str());
  }
  std::sort(files.begin(), files.end());
  size_t num_seeds = 0;
  for (const std::string& seed : geeps::fuzz::FuzzSeeds()) Run("seed " + std::to_string(num_seeds++), seed);
  for (const std::filesystem::path& path : files) {
    std::ifstream file(path, std::ios::binary);
    Run(path.string(), std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
  }
  std::printf("%zu seeds and %zu files of the corpus\n", num_seeds, files.size());
  return files.empty() || num_seeds == 0 ? 1 : 0;
}
