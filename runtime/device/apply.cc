// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/apply.h"

#include <cstring>
#include <optional>

#include "absl/container/inlined_vector.h"
#include "runtime/base/status.h"
#include "runtime/device/plugin_rule.h"
#include "runtime/table/fold.h"
#include "runtime/table/rule.h"

namespace geeps::device {
namespace {

using table::DType;
using table::FoldInput;
using table::FoldTarget;
using table::Reduce;
using table::RuleId;
using table::UpdateRule;

static_assert(GEEPS_F32 == static_cast<uint32_t>(DType::kF32) && GEEPS_F64 == static_cast<uint32_t>(DType::kF64) &&
              GEEPS_F16 == static_cast<uint32_t>(DType::kF16) && GEEPS_BF16 == static_cast<uint32_t>(DType::kBf16));
static_assert(GEEPS_RULE_ADD == static_cast<uint32_t>(RuleId::kAdd) &&
              GEEPS_RULE_SGD == static_cast<uint32_t>(RuleId::kSgd) &&
              GEEPS_RULE_REPLACE == static_cast<uint32_t>(RuleId::kReplace) &&
              GEEPS_RULE_ADAM == static_cast<uint32_t>(RuleId::kAdam) &&
              GEEPS_RULE_ADAMW == static_cast<uint32_t>(RuleId::kAdamW) &&
              GEEPS_RULE_ADAGRAD == static_cast<uint32_t>(RuleId::kAdagrad) &&
              GEEPS_RULE_RMSPROP == static_cast<uint32_t>(RuleId::kRmsProp) &&
              GEEPS_RULE_LAMB == static_cast<uint32_t>(RuleId::kLamb) &&
              GEEPS_RULE_PLUGIN == static_cast<uint32_t>(RuleId::kPlugin));
static_assert(GEEPS_REDUCE_SUM == static_cast<uint32_t>(Reduce::kSum) &&
              GEEPS_REDUCE_MEAN == static_cast<uint32_t>(Reduce::kMean));
static_assert(GEEPS_DEVICE_MAX_STATES == table::kMaxRuleStates && GEEPS_DEVICE_MAX_PARAMS == table::kMaxRuleParams);

// A built-in rule, or the plugin's, which is put into *brought. Errors: Unsupported, Invalid, kAbi.
absl::StatusOr<const UpdateRule*> FindRule(const geeps_apply& apply, std::optional<UpdateRule>* brought) {
  if (apply.rule != GEEPS_RULE_PLUGIN) {
    const UpdateRule* const rule = table::FindRule(static_cast<RuleId>(apply.rule));
    if (rule == nullptr) return Unsupported("apply: rule ", apply.rule);
    return rule;
  }
  if (apply.functions == nullptr) return Invalid("apply: functions is NULL");
  GEEPS_RETURN_IF_ERROR(CheckFunctions(*apply.functions));
  *brought = RuleOf(*apply.functions);
  return &**brought;
}

absl::Status CheckMemory(const char* name, const void* memory, uint64_t value_bytes) {
  if (memory == nullptr) return Invalid("apply: ", name, " is NULL");
  if (reinterpret_cast<uintptr_t>(memory) % value_bytes != 0) {
    return Invalid("apply: ", name, " is not aligned to values of ", value_bytes, " bytes");
  }
  return absl::OkStatus();
}

absl::Status CheckSegments(const geeps_apply& apply, uint64_t value_bytes) {
  uint64_t end = 0;
  for (uint64_t i = 0; i < apply.num_segments; ++i) {
    const geeps_apply_segment& segment = apply.segments[i];
    if (segment.first_row < end || segment.num_rows == 0 || segment.num_rows > apply.num_rows ||
        segment.first_row > apply.num_rows - segment.num_rows) {
      return Invalid("apply: segment ", i, " has ", segment.num_rows, " rows from row ", segment.first_row,
                     " on, after row ", end, " of ", apply.num_rows);
    }
    end = segment.first_row + segment.num_rows;
    if (segment.num_inputs == 0 || segment.num_inputs > apply.num_inputs ||
        segment.first_input > apply.num_inputs - segment.num_inputs) {
      return Invalid("apply: segment ", i, " has ", segment.num_inputs, " inputs from input ", segment.first_input,
                     " of ", apply.num_inputs, " on");
    }
    for (uint64_t j = 0; j < segment.num_inputs; ++j) {
      const geeps_apply_input& input = apply.inputs[segment.first_input + j];
      GEEPS_RETURN_IF_ERROR(CheckMemory("an input", input.values, value_bytes));
      if (j > 0 && input.group < apply.inputs[segment.first_input + j - 1].group) {
        return Invalid("apply: segment ", i, ": group ", input.group, " after a later one");
      }
    }
  }
  return absl::OkStatus();
}

void CarryRows(const void* in, void* out, uint64_t row_bytes, uint64_t first, uint64_t end) {
  if (in == out || first == end) return;
  std::memcpy(static_cast<uint8_t*>(out) + first * row_bytes, static_cast<const uint8_t*>(in) + first * row_bytes,
              (end - first) * row_bytes);
}

// Rows first .. end - 1 as they were.
void CarryOver(const geeps_apply& apply, uint64_t first, uint64_t end) {
  const uint64_t value_bytes = table::ValueBytes(static_cast<DType>(apply.dtype));
  CarryRows(apply.values_in, apply.values_out, apply.row_values * value_bytes, first, end);
  if (apply.input_dtype == apply.dtype) return;
  const uint64_t rounded_bytes = table::ValueBytes(static_cast<DType>(apply.input_dtype));
  CarryRows(apply.rounded_in, apply.rounded_out, apply.row_values * rounded_bytes, first, end);
}

}  // namespace

absl::Status CheckApply(const geeps_apply& apply) {
  if (apply.dtype != GEEPS_F32 && apply.dtype != GEEPS_F64) return Unsupported("apply: dtype ", apply.dtype);
  const bool is_rounded =
      apply.dtype == GEEPS_F32 && (apply.input_dtype == GEEPS_F16 || apply.input_dtype == GEEPS_BF16);
  if (apply.input_dtype != apply.dtype && !is_rounded) {
    return Unsupported("apply: inputs of dtype ", apply.input_dtype, " for values of dtype ", apply.dtype);
  }
  std::optional<UpdateRule> brought;
  GEEPS_ASSIGN_OR_RETURN(const UpdateRule* const rule, FindRule(apply, &brought));
  if (apply.reduce != GEEPS_REDUCE_SUM && apply.reduce != GEEPS_REDUCE_MEAN)
    return Invalid("apply: reduce ", apply.reduce);
  if (apply.row_values == 0) return Invalid("apply: rows of 0 values");
  if (apply.num_rows == 0) return absl::OkStatus();
  const uint64_t value_bytes = table::ValueBytes(static_cast<DType>(apply.dtype));
  GEEPS_RETURN_IF_ERROR(CheckMemory("values_in", apply.values_in, value_bytes));
  GEEPS_RETURN_IF_ERROR(CheckMemory("values_out", apply.values_out, value_bytes));
  for (int i = 0; i < rule->num_states; ++i)
    GEEPS_RETURN_IF_ERROR(CheckMemory("a state", apply.states[i], value_bytes));
  if (rule->counts_steps) GEEPS_RETURN_IF_ERROR(CheckMemory("steps", apply.steps, sizeof(uint64_t)));
  const uint64_t input_bytes = table::ValueBytes(static_cast<DType>(apply.input_dtype));
  if (is_rounded) {
    GEEPS_RETURN_IF_ERROR(CheckMemory("rounded_in", apply.rounded_in, input_bytes));
    GEEPS_RETURN_IF_ERROR(CheckMemory("rounded_out", apply.rounded_out, input_bytes));
  }
  if (apply.num_segments > 0 && (apply.segments == nullptr || apply.inputs == nullptr)) {
    return Invalid("apply: ", apply.num_segments, " segments, but ", apply.segments ? "inputs" : "segments",
                   " is NULL");
  }
  return CheckSegments(apply, input_bytes);
}

void ApplyNow(const geeps_apply& apply) {
  const DType dtype = static_cast<DType>(apply.dtype);
  const DType input_dtype = static_cast<DType>(apply.input_dtype);
  const uint64_t row_bytes = apply.row_values * table::ValueBytes(dtype);
  const uint64_t input_row_bytes = apply.row_values * table::ValueBytes(input_dtype);
  std::optional<UpdateRule> brought;
  FoldTarget target;
  target.rule = *FindRule(apply, &brought);
  target.reduce = static_cast<Reduce>(apply.reduce);
  target.row_values = apply.row_values;
  target.params = absl::MakeConstSpan(apply.params, target.rule->num_params);
  // More contributors of one row than this cost an allocation.
  absl::InlinedVector<FoldInput, 64> inputs;
  uint64_t row = 0;
  for (uint64_t i = 0; i < apply.num_segments; ++i) {
    const geeps_apply_segment& segment = apply.segments[i];
    CarryOver(apply, row, segment.first_row);
    const uint64_t offset = segment.first_row * row_bytes;
    target.value_in = static_cast<const uint8_t*>(apply.values_in) + offset;
    target.value_out = static_cast<uint8_t*>(apply.values_out) + offset;
    for (int s = 0; s < target.rule->num_states; ++s)
      target.states[s] = static_cast<uint8_t*>(apply.states[s]) + offset;
    if (target.rule->counts_steps) target.steps = apply.steps + segment.first_row;
    if (input_dtype != dtype) {
      target.rounded_out = static_cast<uint8_t*>(apply.rounded_out) + segment.first_row * input_row_bytes;
    }
    inputs.clear();
    for (uint64_t j = 0; j < segment.num_inputs; ++j) {
      const geeps_apply_input& input = apply.inputs[segment.first_input + j];
      inputs.push_back({input.values, input.group});
    }
    table::FoldAndStep(input_dtype, segment.num_rows * apply.row_values, inputs, target);
    row = segment.first_row + segment.num_rows;
  }
  CarryOver(apply, row, apply.num_rows);
}

}  // namespace geeps::device
