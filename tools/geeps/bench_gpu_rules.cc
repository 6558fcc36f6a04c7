// SPDX-License-Identifier: Apache-2.0
// `geeps bench gpu`, rules: a step of sgd with momentum and of adam in one kernel, beside the passes that it takes
// without such a kernel, and beside a copy within the device. The passes are moves and sums that know no rule: as many
// launches, with as many operands each, as the separate kernels of a program would be, so their bytes without their
// arithmetic, which is in favour of them:
//   momentum   m times a number; m plus g; value plus m                                    8 arrays read or written
//   adam       m times a number; m plus g; v times a number; v plus g * g; a root of v;
//              value plus m / that                                                         16 arrays
// The fused ones read and write 5 and 7.
#include <cmath>
#include <cstdio>

#include "tools/geeps/bench_gpu.h"

namespace geeps::tool {
namespace {

constexpr uint64_t kRowValues = 1024;
constexpr double kGoalFaster = 1.5, kGoalShare = 0.9;
constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEps = 1e-8;

struct Arrays {
  uint64_t bytes = 0, values = 0, rows = 0;
  float *value = nullptr, *m = nullptr, *v = nullptr, *g = nullptr;
  float *passed = nullptr, *a = nullptr, *b = nullptr, *c = nullptr;  // of the separate passes
  void* steps = nullptr;
  const geeps_dev_index* all = nullptr;
};

Arrays MakeArrays(GpuDevice* gpu, const BenchOptions& options) {
  Arrays out;
  out.rows = WorkingBytes(options) / (kRowValues * sizeof(float));
  out.values = out.rows * kRowValues;
  out.bytes = out.values * sizeof(float);
  for (float** const array : {&out.value, &out.m, &out.v, &out.g, &out.passed, &out.a, &out.b, &out.c}) {
    *array = gpu->Floats(out.values);
  }
  out.steps = gpu->Allocate(GEEPS_DEV_MEMORY, out.rows * sizeof(uint64_t));
  out.all = gpu->MakeIndex({{0, 0, out.rows}}, {}, out.rows, out.rows);
  return out;
}

void Reset(GpuDevice* gpu, const Arrays& arrays) {
  for (float* const array : {arrays.value, arrays.m, arrays.v, arrays.passed}) gpu->Fill(array, 0, arrays.bytes);
  gpu->Fill(arrays.g, kGradientByte, arrays.bytes);
  gpu->Fill(arrays.steps, 0, arrays.rows * sizeof(uint64_t));
}

double Power(double base, uint64_t exponent) {
  double power = 1;
  for (; exponent > 0; exponent >>= 1, base *= base) {
    if ((exponent & 1) != 0) power *= base;
  }
  return power;
}

// A value after so many steps with the same gradient in each: docs/rules.md.
float AdamAfter(uint64_t steps) {
  const float beta1 = static_cast<float>(kBeta1), beta2 = static_cast<float>(kBeta2), eps = static_cast<float>(kEps);
  const float rest1 = static_cast<float>(1 - kBeta1), rest2 = static_cast<float>(1 - kBeta2);
  float value = 0, m = 0, v = 0;
  for (uint64_t t = 1; t <= steps; ++t) {
    m = beta1 * m + rest1 * kGradient;
    v = beta2 * v + rest2 * (kGradient * kGradient);
    const float rate = static_cast<float>(kRate / (1 - Power(kBeta1, t)));
    const float scale = static_cast<float>(1 / std::sqrt(1 - Power(kBeta2, t)));
    value = value - (rate * m) / (std::sqrt(v) * scale + eps);
  }
  return value;
}

// What the separate passes add to `passed` in one round, over and over: see MeasureRule.
float PassedAfter(uint64_t rounds, float added) {
  float value = 0;
  for (uint64_t i = 0; i < rounds; ++i) value = value + added;
  return value;
}

GpuOutcome CheckAll(GpuDevice* gpu, const Arrays& arrays, const float* array, float expected, const std::string& what) {
  for (const float found : gpu->Download(array, arrays.values)) {
    if (!gpu->ok()) return OutcomeOf(gpu->error());
    if (found != expected) return WrongResult(what, found, expected);
  }
  return {};
}

struct RuleFigures {
  const char* name;
  double fused_arrays, separate_arrays;  // read or written
  uint64_t separate_launches;
};

void Print(const BenchOptions& options, const RuleFigures& rule, const Arrays& arrays, const GpuVariant& fused,
           const GpuVariant& separate, const GpuVariant& copy) {
  const double bytes = static_cast<double>(arrays.bytes);
  const double step_bytes = rule.fused_arrays * bytes;
  const double bandwidth = GigaPerSecond(step_bytes, fused.median());
  const double copy_bandwidth = GigaPerSecond(2 * bytes, copy.median());
  const double share = copy_bandwidth > 0 ? bandwidth / copy_bandwidth : 0;
  const double faster = fused.median() > 0 ? separate.median() / fused.median() : 0;
  char text[400];
  std::snprintf(text, sizeof text,
                "%-8s %s of values: fused %.1f us, %llu separate passes %.1f us: %.2f times as long (goal %.1f); fused "
                "%.1f GB/s, copy %.1f GB/s: share %.3f (goal %.1f)",
                rule.name, BytesText(bytes).c_str(), fused.median() * 1e6,
                static_cast<unsigned long long>(rule.separate_launches), separate.median() * 1e6, faster, kGoalFaster,
                bandwidth, copy_bandwidth, share, kGoalShare);
  PrintGpu(options, "rules", rule.name,
           {{"bytes", bytes},
            {"seconds", fused.median()},
            {"separate_seconds", separate.median()},
            {"copy_seconds", copy.median()},
            {"gb_per_s", bandwidth},
            {"copy_gb_per_s", copy_bandwidth},
            {"faster", faster},
            {"goal_faster", kGoalFaster},
            {"share", share},
            {"goal_share", kGoalShare}},
           text);
}

GpuOutcome MeasureRule(GpuDevice* gpu, const BenchOptions& options, const Arrays& arrays, bool is_adam) {
  Reset(gpu, arrays);
  const std::vector<GpuStep> fused_step = {
      is_adam ? MakeStep(GEEPS_RULE_ADAM, {kRate, kBeta1, kBeta2, kEps, 0}, arrays.rows, kRowValues, arrays.value,
                         {arrays.m, arrays.v}, arrays.steps, {arrays.g})
              : MakeStep(GEEPS_RULE_SGD, {kRate, kMomentum}, arrays.rows, kRowValues, arrays.value, {arrays.m}, nullptr,
                         {arrays.g})};
  const std::vector<geeps_apply> fused_apply = AppliesOf(fused_step);
  const std::vector<GpuStep> sum_step = {
      MakeStep(GEEPS_RULE_ADD, {}, arrays.rows, kRowValues, arrays.passed, {}, nullptr, {arrays.a, arrays.c})};
  const std::vector<geeps_apply> sum_apply = AppliesOf(sum_step);
  const auto add = [&](float* to, const float* from) {
    gpu->Move({RowMove(GEEPS_MOVE_ADD, kRowValues, to, from, arrays.all)});
  };
  GpuVariant fused, separate, copy;
  fused.work = [&] { gpu->Apply(fused_apply); };
  copy.work = [&] { gpu->Copy(arrays.b, arrays.g, arrays.bytes); };
  if (is_adam) {
    separate.work = [&] {
      gpu->Copy(arrays.a, arrays.g, arrays.bytes);
      add(arrays.a, arrays.g);
      gpu->Copy(arrays.b, arrays.g, arrays.bytes);
      add(arrays.b, arrays.g);
      gpu->Copy(arrays.c, arrays.b, arrays.bytes);
      gpu->Apply(sum_apply);
    };
  } else {
    separate.work = [&] {
      gpu->Copy(arrays.a, arrays.g, arrays.bytes);
      add(arrays.a, arrays.g);
      add(arrays.passed, arrays.a);
    };
  }
  TakeSamples(gpu, options, {&fused, &separate, &copy});
  const std::string name = is_adam ? "adam" : "momentum";
  GpuOutcome outcome =
      CheckAll(gpu, arrays, arrays.value, is_adam ? AdamAfter(fused.calls) : MomentumAfter(fused.calls),
               name + " after " + std::to_string(fused.calls) + " steps");
  if (outcome.kind != GpuOutcome::kMeasured) return outcome;
  // m + g is twice the gradient here, and adam's last pass adds that of m to that of v.
  const float added = is_adam ? (kGradient + kGradient) + (kGradient + kGradient) : kGradient + kGradient;
  outcome = CheckAll(gpu, arrays, arrays.passed, PassedAfter(separate.calls, added), name + ", separate passes");
  if (outcome.kind != GpuOutcome::kMeasured) return outcome;
  Print(options, is_adam ? RuleFigures{"adam", 7, 16, 6} : RuleFigures{"momentum", 5, 8, 3}, arrays, fused, separate,
        copy);
  return OutcomeOf(gpu->error());
}

}  // namespace

GpuOutcome BenchGpuRules(const BenchOptions& options) {
  geeps::Error err;
  GpuDevice gpu(options.device, &err);
  if (!err.ok()) return OutcomeOf(err);
  const Arrays arrays = MakeArrays(&gpu, options);
  if (!err.ok()) return OutcomeOf(err);
  for (const bool is_adam : {false, true}) {
    const GpuOutcome outcome = MeasureRule(&gpu, options, arrays, is_adam);
    if (outcome.kind != GpuOutcome::kMeasured) return outcome;
  }
  return {};
}

}  // namespace geeps::tool
