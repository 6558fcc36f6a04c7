// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/bench_gpu_runtime.h"

#include "tools/geeps/json_value.h"

namespace geeps::tool {

geeps::Runtime StartAlone(const std::string& device, geeps::Error& err) {
  geeps::Runtime rt(geeps::Options{{"device", device}}, err);
  rt.Start(err);
  return rt;
}

geeps::Options MomentumTable() {
  return {{"rule", "sgd"}, {"param.lr", std::to_string(kRate)}, {"param.momentum", std::to_string(kMomentum)}};
}

void UseStream(GpuDevice* gpu, geeps::Walker* walker) {
  if (gpu->shares_stream()) walker->set_stream(gpu->stream());
}

void FinishUnlessShared(GpuDevice* gpu) {
  if (!gpu->shares_stream()) gpu->Finish();
}

uint64_t StatOf(const geeps::Runtime& rt, const char* section, const char* key, geeps::Error& err) {
  const std::optional<JsonValue> stats = JsonValue::Parse(rt.stats(err));
  if (stats.has_value()) {
    if (const std::optional<uint64_t> number = (*stats)[section][key].number()) return *number;
  }
  err.Fail(GEEPS_E_INTERNAL, std::string("the statistics have no ") + section + "." + key);
  return 0;
}

GpuOutcome CheckRow(geeps::Table& table, uint64_t row, uint64_t row_values, float expected, const std::string& what,
                    geeps::Error& err) {
  std::vector<float> values(row_values);
  table.Get(geeps::Rows::Range(row, 1), &values, err);
  for (const float value : values) {
    if (err.ok() && value != expected) return WrongResult(what + ", row " + std::to_string(row), value, expected);
  }
  return OutcomeOf(err);
}

}  // namespace geeps::tool
