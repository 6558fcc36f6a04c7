// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/harness.h"

#include "absl/strings/str_cat.h"
#include "plugins/cuda/table.h"
#include "tests/cuda/fake/fake.h"

namespace geeps::test {
namespace {
const geeps_device* used_table = nullptr;
}

std::vector<ContractCase> AllCases() {
  std::vector<ContractCase> all;
  for (const auto& cases : {EventCases(), KernelCases(), QueueCases()})
    all.insert(all.end(), cases.begin(), cases.end());
  return all;
}

std::vector<std::string> DriverFindings() {
  std::vector<std::string> findings;
  char text[500];
  for (uint64_t i = 0; i < geeps_fake_findings(i, text, sizeof(text)); ++i) findings.push_back(text);
  return findings;
}

absl::StatusOr<std::unique_ptr<device::Device>> OpenCuda(int device_id, uint64_t memory_limit) {
  return device::Device::Create(used_table != nullptr ? used_table : cuda::DeviceTable(), nullptr, device_id, "",
                                memory_limit);
}

void UseTable(const geeps_device* table) { used_table = table; }

std::vector<std::string> RunOnFake(const ContractCase& contract_case, uint64_t seed, const std::string& words) {
  REQUIRE(geeps_fake_configure(absl::StrCat("quiet=1 ", words).c_str()));
  {
    auto opened = OpenCuda();
    REQUIRE_MESSAGE(opened.ok(), opened.status().ToString());
    contract_case.run(**opened, seed);
  }
  std::vector<std::string> wrong = DriverFindings();
  for (const char* what : {"contexts", "streams", "events", "modules", "allocations", "pinned"}) {
    const uint64_t num_left = geeps_fake_living(what);
    if (num_left > 0) wrong.push_back(absl::StrCat(num_left, " ", what, " are left"));
  }
  if (geeps_fake_count("legacy") > 0) wrong.push_back("work went into the legacy default stream");
  uint64_t depth = 0;
  if (geeps_fake_current_context(&depth) != nullptr)
    wrong.push_back(absl::StrCat(depth, " contexts are still current"));
  return wrong;
}

}  // namespace geeps::test
