// SPDX-License-Identifier: Apache-2.0
#include "plugins/cuda/check_apply.h"

#include <limits>

#include "plugins/cuda/kernels/rules.h"
#include "plugins/cuda/status.h"

namespace geeps::cuda {
namespace {

static_assert(GEEPS_RULE_ADD == static_cast<uint32_t>(Rule::kAdd) &&
              GEEPS_RULE_SGD == static_cast<uint32_t>(Rule::kSgd) &&
              GEEPS_RULE_REPLACE == static_cast<uint32_t>(Rule::kReplace) &&
              GEEPS_RULE_ADAM == static_cast<uint32_t>(Rule::kAdam) &&
              GEEPS_RULE_ADAMW == static_cast<uint32_t>(Rule::kAdamW) &&
              GEEPS_RULE_ADAGRAD == static_cast<uint32_t>(Rule::kAdagrad) &&
              GEEPS_RULE_RMSPROP == static_cast<uint32_t>(Rule::kRmsProp) &&
              GEEPS_RULE_LAMB == static_cast<uint32_t>(Rule::kLamb));

bool IsRounded(const geeps_apply& apply) {
  return apply.dtype == GEEPS_F32 && (apply.input_dtype == GEEPS_F16 || apply.input_dtype == GEEPS_BF16);
}

std::string CheckSupported(const geeps_apply& apply) {
  if (apply.dtype != GEEPS_F32 && apply.dtype != GEEPS_F64) return Text("apply: dtype ", apply.dtype);
  if (apply.input_dtype != apply.dtype && !IsRounded(apply)) {
    return Text("apply: inputs of dtype ", apply.input_dtype, " for values of dtype ", apply.dtype);
  }
  if (apply.rule == GEEPS_RULE_PLUGIN) {
    return "apply: the rule of a plugin is host code, which does not run on memory of a CUDA device";
  }
  if (apply.rule < GEEPS_RULE_ADD || apply.rule > GEEPS_RULE_LAMB) return Text("apply: rule ", apply.rule);
  return "";
}

std::string CheckMemory(const char* name, const void* memory, uint64_t value_bytes) {
  if (memory == nullptr) return Text("apply: ", name, " is NULL");
  if (reinterpret_cast<uintptr_t>(memory) % value_bytes != 0) {
    return Text("apply: ", name, " is not aligned to values of ", value_bytes, " bytes");
  }
  return "";
}

std::string CheckArrays(const geeps_apply& apply) {
  const uint64_t value_bytes = ValueBytes(apply.dtype);
  const Rule rule = static_cast<Rule>(apply.rule);
  std::string error = CheckMemory("values_in", apply.values_in, value_bytes);
  if (error.empty()) error = CheckMemory("values_out", apply.values_out, value_bytes);
  for (uint32_t i = 0; i < NumStatesOf(rule) && error.empty(); ++i) {
    error = CheckMemory("a state", apply.states[i], value_bytes);
  }
  if (error.empty() && CountsSteps(rule)) error = CheckMemory("steps", apply.steps, sizeof(uint64_t));
  if (!IsRounded(apply)) return error;
  const uint64_t input_bytes = ValueBytes(apply.input_dtype);
  if (error.empty()) error = CheckMemory("rounded_in", apply.rounded_in, input_bytes);
  if (error.empty()) error = CheckMemory("rounded_out", apply.rounded_out, input_bytes);
  return error;
}

std::string CheckInputs(const geeps_apply& apply, uint64_t segment_index) {
  const geeps_apply_segment& segment = apply.segments[segment_index];
  if (segment.num_inputs == 0 || segment.num_inputs > apply.num_inputs ||
      segment.first_input > apply.num_inputs - segment.num_inputs) {
    return Text("apply: segment ", segment_index, " has ", segment.num_inputs, " inputs from input ",
                segment.first_input, " of ", apply.num_inputs, " on");
  }
  for (uint64_t i = 0; i < segment.num_inputs; ++i) {
    const geeps_apply_input& input = apply.inputs[segment.first_input + i];
    std::string error = CheckMemory("an input", input.values, ValueBytes(apply.input_dtype));
    if (!error.empty()) return error;
    if (i > 0 && input.group < apply.inputs[segment.first_input + i - 1].group) {
      return Text("apply: segment ", segment_index, ": group ", input.group, " after a later one");
    }
  }
  return "";
}

std::string CheckSegments(const geeps_apply& apply) {
  if (apply.num_segments > 0 && (apply.segments == nullptr || apply.inputs == nullptr)) {
    return Text("apply: ", apply.num_segments, " segments, but ", apply.segments ? "inputs" : "segments", " is NULL");
  }
  uint64_t end = 0;
  for (uint64_t i = 0; i < apply.num_segments; ++i) {
    const geeps_apply_segment& segment = apply.segments[i];
    if (segment.first_row < end || segment.num_rows == 0 || segment.num_rows > apply.num_rows ||
        segment.first_row > apply.num_rows - segment.num_rows) {
      return Text("apply: segment ", i, " has ", segment.num_rows, " rows from row ", segment.first_row,
                  " on, after row ", end, " of ", apply.num_rows);
    }
    end = segment.first_row + segment.num_rows;
    if (std::string error = CheckInputs(apply, i); !error.empty()) return error;
  }
  return "";
}

}  // namespace

uint64_t ValueBytes(uint32_t dtype) {
  switch (dtype) {
    case GEEPS_F16:
    case GEEPS_BF16:
      return 2;
    case GEEPS_F32:
      return 4;
    case GEEPS_F64:
      return 8;
    default:
      return 0;
  }
}

bool CountsSteps(Rule rule) {
  return rule == Rule::kAdam || rule == Rule::kAdamW || rule == Rule::kAdagrad || rule == Rule::kLamb;
}

std::string CheckApply(const geeps_apply& apply, geeps_status* code) {
  *code = GEEPS_E_UNSUPPORTED;
  if (std::string error = CheckSupported(apply); !error.empty()) return error;
  *code = GEEPS_E_INVALID;
  if (apply.reduce != GEEPS_REDUCE_SUM && apply.reduce != GEEPS_REDUCE_MEAN) {
    return Text("apply: reduce ", apply.reduce);
  }
  if (apply.row_values == 0) return "apply: rows of 0 values";
  if (apply.num_rows == 0) return "";
  if (apply.row_values > std::numeric_limits<uint64_t>::max() / ValueBytes(apply.dtype) / apply.num_rows) {
    return Text("apply: ", apply.num_rows, " rows of ", apply.row_values, " values");
  }
  std::string error = CheckArrays(apply);
  if (error.empty()) error = CheckSegments(apply);
  return error;
}

}  // namespace geeps::cuda
