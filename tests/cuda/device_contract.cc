// SPDX-License-Identifier: Apache-2.0
// device_contract: the device contract on a device as it is, real or not: a built-in back end, or the module of a
// plugin with the driver that the system has. Prints the cases that fail, with their seed and why. Exit status 0: none.
//
// usage: device_contract DEVICE SEEDS [--seconds S] [--only TEXT]
#define DOCTEST_CONFIG_IMPLEMENT
#include <dlfcn.h>
#include <doctest/doctest.h>

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/device/contract.h"

namespace geeps::test {
namespace {

constexpr uint64_t kMemoryLimit = 64 << 20;

// What DEVICE names.
struct BackEnd {
  const geeps_device* table = nullptr;
  int32_t device_id = -1;
  std::string variant;
};

struct Arguments {
  std::string device;
  uint64_t first_seed = 0, last_seed = 0;
  double seconds = 0;             // no new seed after them; 0: no limit
  std::vector<std::string> only;  // parts of names; none: all cases
};

bool ParseArguments(int argc, char** argv, Arguments* out) {
  if (argc < 3 || argc % 2 == 0) return false;
  out->device = argv[1];
  const std::vector<std::string> seeds = absl::StrSplit(argv[2], '-');
  if (seeds.size() > 2 || !absl::SimpleAtoi(seeds.front(), &out->first_seed) ||
      !absl::SimpleAtoi(seeds.back(), &out->last_seed) || out->last_seed < out->first_seed) {
    return false;
  }
  for (int i = 3; i < argc; i += 2) {
    if (std::string(argv[i]) == "--only") {
      out->only = absl::StrSplit(argv[i + 1], '|');
    } else if (std::string(argv[i]) != "--seconds" || !absl::SimpleAtod(argv[i + 1], &out->seconds)) {
      return false;
    }
  }
  return true;
}

bool IsChosen(const Arguments& arguments, const ContractCase& contract_case) {
  bool is_named = arguments.only.empty();
  for (const std::string& part : arguments.only) is_named = is_named || absl::StrContains(contract_case.name, part);
  return is_named;
}

// "host", "deferred:VARIANT", or the path of a module with ":N" behind it or without. "" or what is wrong.
std::string Find(const std::string& device, BackEnd* out) {
  if (device.find('/') == std::string::npos) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(device, absl::MaxSplits(':', 1));
    out->variant = parts.second;
    if (parts.first == "host") out->table = device::HostDeviceTable();
    if (parts.first == "deferred") out->table = device::DeferredDeviceTable();
    return out->table != nullptr ? "" : device + " is neither host nor deferred:VARIANT nor the path of a module";
  }
  std::string path = device;
  const size_t colon = device.rfind(':');
  if (colon != std::string::npos && absl::SimpleAtoi(device.substr(colon + 1), &out->device_id)) path.resize(colon);
  void* const module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) return dlerror();
  const auto query = reinterpret_cast<const geeps_plugin* (*)(uint32_t)>(dlsym(module, "geeps_plugin_query"));
  const geeps_plugin* const plugin = query == nullptr ? nullptr : query(GEEPS_PLUGIN_ABI);
  if (plugin != nullptr) out->table = static_cast<const geeps_device*>(plugin->get_interface(GEEPS_DEVICE_ID));
  return out->table != nullptr ? "" : path + " is no device back end";
}

absl::StatusOr<std::unique_ptr<device::Device>> Open(const BackEnd& back_end) {
  return device::Device::Create(back_end.table, nullptr, back_end.device_id, back_end.variant, kMemoryLimit);
}

const BackEnd* current_back_end = nullptr;
const ContractCase* current_case = nullptr;
uint64_t current_seed = 0;

TEST_CASE("one case of the contract") {
  auto opened = Open(*current_back_end);
  REQUIRE_MESSAGE(opened.ok(), opened.status().ToString());
  current_case->run(**opened, current_seed);
}

// "" or the first complaint.
std::string RunCase(const BackEnd& back_end, const ContractCase& contract_case, uint64_t seed) {
  current_back_end = &back_end;
  current_case = &contract_case;
  current_seed = seed;
  std::ostringstream output;
  doctest::Context context;
  context.setCout(&output);
  context.setOption("no-intro", true);
  if (context.run() == 0) return "";
  for (const absl::string_view line : absl::StrSplit(output.str(), '\n')) {
    const size_t at = line.find("ERROR: ");
    if (at != absl::string_view::npos) return std::string(line.substr(at + 7));
  }
  return "does not come to its end";
}

int Run(const Arguments& arguments) {
  BackEnd back_end;
  const std::string problem = Find(arguments.device, &back_end);
  if (!problem.empty()) {
    std::fprintf(stderr, "device_contract: %s\n", problem.c_str());
    return 1;
  }
  // It stays open, so that what the driver keeps for a device is not made anew for each case.
  const auto device = Open(back_end);
  if (!device.ok()) {
    std::fprintf(stderr, "device_contract: %s: %s\n", arguments.device.c_str(),
                 std::string(device.status().message()).c_str());
    return 1;
  }
  std::printf("%s\n", (*device)->info().name);
  std::fflush(stdout);
  const auto begun = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count(); };
  uint64_t num_run = 0, num_failed = 0, seed = arguments.first_seed;
  for (; seed <= arguments.last_seed; ++seed) {
    if (seed > arguments.first_seed && arguments.seconds > 0 && seconds() > arguments.seconds) break;
    for (const auto& cases : {EventCases(), KernelCases(), QueueCases()}) {
      for (const ContractCase& contract_case : cases) {
        if (!IsChosen(arguments, contract_case)) continue;
        ++num_run;
        const std::string why = RunCase(back_end, contract_case, seed);
        if (why.empty()) continue;
        ++num_failed;
        std::printf("seed %" PRIu64 ", \"%s\": %s\n", seed, contract_case.name, why.c_str());
        std::fflush(stdout);
      }
    }
  }
  std::printf("seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " cases, %" PRIu64 " failed, %.1f s\n", arguments.first_seed,
              seed - 1, num_run, num_failed, seconds());
  return num_failed == 0 && num_run > 0 ? 0 : 1;
}

}  // namespace
}  // namespace geeps::test

int main(int argc, char** argv) {
  geeps::test::Arguments arguments;
  if (!geeps::test::ParseArguments(argc, argv, &arguments)) {
    std::fprintf(
        stderr,
        "usage: device_contract DEVICE SEEDS [--seconds S] [--only TEXT]\n"
        "\n"
        "  DEVICE        host, deferred:lazy, deferred:eager, deferred:seeded:N, or the path of a module, with :N\n"
        "                behind it for its device number N\n"
        "  SEEDS         such as 1-1000 or 7\n"
        "  --seconds S   no new seed after so many\n"
        "  --only TEXT   cases whose name has this in it\n");
    return 2;
  }
  return geeps::test::Run(arguments);
}
