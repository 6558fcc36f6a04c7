// SPDX-License-Identifier: Apache-2.0
// Harness: cases of the device contract on the CUDA back end and the fake driver. What is wrong is a list of sentences:
// failed checks of the case and findings of the driver alike.
// Thread contract: one thread.
#ifndef GEEPS_TESTS_CUDA_HARNESS_H_
#define GEEPS_TESTS_CUDA_HARNESS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/device/device.h"
#include "tests/device/contract.h"

namespace geeps::test {

// All cases of the contract.
std::vector<ContractCase> AllCases();

// What the driver has found since it was configured.
std::vector<std::string> DriverFindings();

// Device number `device_id` of the CUDA back end that is linked in.
absl::StatusOr<std::unique_ptr<device::Device>> OpenCuda(int device_id = 0, uint64_t memory_limit = 64 << 20);

// OpenCuda takes this table from now on; nullptr: the one that is linked in.
void UseTable(const geeps_device* table);

// Runs a case on a fresh device with the fake configured by these words, in the test case of doctest under way. What
// the driver says of it: findings, and whatever is left or changed when the device has gone.
std::vector<std::string> RunOnFake(const ContractCase& contract_case, uint64_t seed, const std::string& words);

}  // namespace geeps::test

#endif  // GEEPS_TESTS_CUDA_HARNESS_H_
