// SPDX-License-Identifier: Apache-2.0
// The device contract through the loaded module, as libgeeps uses it.
#include <dlfcn.h>
#include <doctest/doctest.h>

#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/cuda/harness.h"

namespace geeps::test {
namespace {

TEST_CASE("CUDA module: what is loaded keeps the contract on the fake driver") {
  std::istringstream paths(GEEPS_CUDA_MODULES);
  for (std::string path; std::getline(paths, path, ':');) {
    CAPTURE(path);
    void* const module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    REQUIRE_MESSAGE(module != nullptr, dlerror());
    const auto query = reinterpret_cast<const geeps_plugin* (*)(uint32_t)>(dlsym(module, "geeps_plugin_query"));
    REQUIRE((query != nullptr));
    UseTable(static_cast<const geeps_device*>(query(GEEPS_PLUGIN_ABI)->get_interface(GEEPS_DEVICE_ID)));
    for (const ContractCase& contract_case : AllCases()) {
      CAPTURE(std::string(contract_case.name));
      for (uint64_t seed = 1; seed <= 3; ++seed) {
        for (const std::string& wrong : RunOnFake(contract_case, seed, absl::StrCat("schedule=seeded:", seed))) {
          FAIL_CHECK(wrong);
        }
      }
    }
    UseTable(nullptr);
    dlclose(module);
  }
}

}  // namespace
}  // namespace geeps::test
