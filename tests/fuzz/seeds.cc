// SPDX-License-Identifier: Apache-2.0
// `PROGRAM --seeds FOLDER` writes the seeds of a target into a folder and ends; anything else is left to the driver.
#include "tests/fuzz/seeds.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "tests/fuzz/fuzz.h"

namespace geeps::fuzz {

void WriteSeedsIfAsked(int argc, char** argv) {
  if (argc != 3 || std::strcmp(argv[1], "--seeds") != 0) return;
  int num = 0;
  bool written = true;
  for (const std::string& seed : FuzzSeeds()) {
    char name[32];
    std::snprintf(name, sizeof name, "/seed-%03d", num++);
    std::ofstream file(std::string(argv[2]) + name, std::ios::binary);
    file << seed;
    file.close();
    written = written && file.good();
  }
  std::printf("%d seeds%s\n", num, written ? "" : ", which could not be written");
  std::exit(written ? 0 : 1);
}

}  // namespace geeps::fuzz

// libFuzzer calls it first.
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  geeps::fuzz::WriteSeedsIfAsked(*argc, *argv);
  return 0;
}
