// SPDX-License-Identifier: Apache-2.0
// CheckApply: whether an apply is one that the kernels can do, with the statuses that every back end gives. Thread
// contract: pure functions.
#ifndef GEEPS_PLUGINS_CUDA_CHECK_APPLY_H_
#define GEEPS_PLUGINS_CUDA_CHECK_APPLY_H_

#include <cstdint>
#include <string>

#include "geeps_device.h"
#include "plugins/cuda/kernels/apply_table.h"

namespace geeps::cuda {

// Of the dtypes of an apply; 0 for others.
uint64_t ValueBytes(uint32_t dtype);

bool CountsSteps(Rule rule);

// "", or a sentence with the field and its value, and *code the status.
std::string CheckApply(const geeps_apply& apply, geeps_status* code);

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_CHECK_APPLY_H_
