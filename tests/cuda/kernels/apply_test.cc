// SPDX-License-Identifier: Apache-2.0
// apply of the CUDA back end, its kernels run on the host, against the kernel of the host back end.
#include "runtime/device/apply.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "plugins/cuda/kernels/kernels_host.h"
#include "plugins/cuda/launch.h"
#include "runtime/table/fold.h"
#include "tests/cuda/kernels/far_memory.h"
#include "tests/table/random.h"

namespace geeps::test {
namespace {

// An array on both sides, the host's aligned to every value.
struct Twin {
  std::vector<uint64_t> host;
  uint64_t bytes = 0;
  uint64_t device = 0;

  bool IsEqual(const FarMemory& far) const {
    return bytes == 0 || std::memcmp(far.Get(device).data(), host.data(), bytes) == 0;
  }
};

struct Shape {
  uint32_t rule, dtype, input_dtype;
  uint64_t num_rows, row_values;
};

// One apply on both sides.
class TwinApply {
 public:
  TwinApply(Random* random, FarMemory* far, const Shape& shape) : random_(*random), far_(*far), shape_(shape) {
    apply_.struct_size = sizeof apply_;
    apply_.rule = shape.rule;
    apply_.dtype = shape.dtype;
    apply_.input_dtype = shape.input_dtype;
    apply_.reduce = random_.OneIn(2) ? GEEPS_REDUCE_SUM : GEEPS_REDUCE_MEAN;
    apply_.num_rows = shape.num_rows;
    apply_.row_values = shape.row_values;
    const table::UpdateRule& rule = *table::FindRule(static_cast<table::RuleId>(shape.rule));
    for (int i = 0; i < rule.num_params; ++i) {
      const bool is_eps = std::string(rule.params[i].name) == "eps";
      apply_.params[i] = is_eps ? 1e-6 : static_cast<double>(random_.Below(1000)) / 1001.0;
    }
    MakeArrays(rule);
    MakeSegments();
  }

  const geeps_apply& on_device() const { return on_device_; }

  // Applies on the host, and compares everything that an apply may have written.
  void CheckAgainstHost() {
    REQUIRE(device::CheckApply(on_host_).ok());
    device::ApplyNow(on_host_);
    CAPTURE(shape_.rule);
    CAPTURE(shape_.input_dtype);
    CAPTURE(shape_.num_rows);
    CAPTURE(shape_.row_values);
    REQUIRE(values_[out_].IsEqual(far_));
    REQUIRE(rounded_[out_].IsEqual(far_));
    for (const Twin& state : states_) REQUIRE(state.IsEqual(far_));
    REQUIRE(steps_.IsEqual(far_));
  }

 private:
  uint64_t ValueBytes(uint32_t dtype) const { return dtype == GEEPS_F64 ? 8 : dtype == GEEPS_F32 ? 4 : 2; }

  Twin MakeTwin(const void* data, uint64_t bytes, uint64_t value_bytes) {
    Twin twin;
    twin.bytes = bytes;
    twin.host.resize(bytes / 8 + 1);
    if (bytes > 0) std::memcpy(twin.host.data(), data, bytes);
    twin.device = far_.Put(data, bytes, random_.OneIn(4) ? random_.Below(16 / value_bytes) * value_bytes : 0);
    return twin;
  }

  // Numbers of `dtype`, which is not a 16-bit one; not below zero where a rule takes roots of them.
  Twin MakeNumbers(uint32_t dtype, uint64_t num, bool is_square) {
    if (dtype == GEEPS_F64) return MakeNumbersOf<double>(num, is_square);
    return MakeNumbersOf<float>(num, is_square);
  }
  template <typename T>
  Twin MakeNumbersOf(uint64_t num, bool is_square) {
    std::vector<T> numbers(num);
    for (T& number : numbers) {
      number = random_.OneIn(20) ? T{0} : random_.Value<T>();
      if (random_.OneIn(50)) number = number * std::numeric_limits<T>::min();  // subnormal
      if (is_square) number = number * number;
    }
    return MakeTwin(numbers.data(), num * sizeof(T), sizeof(T));
  }

  Twin MakeInputs(uint64_t num) {
    if (shape_.input_dtype == shape_.dtype) return MakeNumbers(shape_.dtype, num, false);
    std::vector<float> numbers = random_.Values<float>(num);
    std::vector<uint16_t> rounded(num);
    for (float& number : numbers) {
      if (random_.OneIn(30)) number = number * 0x1p-16f;
    }
    table::RoundInto(static_cast<table::DType>(shape_.input_dtype), num, numbers.data(), rounded.data());
    return MakeTwin(rounded.data(), num * 2, 2);
  }

  void MakeArrays(const table::UpdateRule& rule) {
    const uint64_t num = shape_.num_rows * shape_.row_values;
    out_ = random_.OneIn(2) ? 1 : 0;
    for (Twin& values : values_) values = MakeNumbers(shape_.dtype, num, false);
    for (Twin& rounded : rounded_) {
      if (shape_.input_dtype != shape_.dtype) rounded = MakeInputs(num);
    }
    for (int i = 0; i < rule.num_states; ++i) states_.push_back(MakeNumbers(shape_.dtype, num, true));
    if (!rule.counts_steps) return;
    std::vector<uint64_t> steps(shape_.num_rows);
    for (uint64_t& step : steps) step = random_.OneIn(2) ? random_.Below(4) : random_.Below(100000);
    steps_ = MakeTwin(steps.data(), steps.size() * 8, 8);
  }

  void MakeSegments() {
    for (uint64_t row = 0; row < shape_.num_rows;) {
      if (random_.OneIn(3)) row += 1 + random_.Below(3);
      if (row >= shape_.num_rows) break;
      const uint64_t most = std::min<uint64_t>(shape_.num_rows - row, random_.OneIn(2) ? 3 : shape_.num_rows);
      geeps_apply_segment segment = {row, 1 + random_.Below(most), inputs_.size(), 1 + random_.Below(9)};
      if (random_.OneIn(2)) segment.num_inputs = 1;
      uint32_t group = static_cast<uint32_t>(random_.Below(3));
      for (uint64_t i = 0; i < segment.num_inputs; ++i) {
        contributions_.push_back(MakeInputs(segment.num_rows * shape_.row_values));
        inputs_.push_back({nullptr, group, 0});
        if (random_.OneIn(2)) group += static_cast<uint32_t>(1 + random_.Below(2));
      }
      segments_.push_back(segment);
      row += segment.num_rows;
    }
    device_inputs_ = inputs_;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      inputs_[i].values = contributions_[i].host.data();
      device_inputs_[i].values = PointerTo<void>(contributions_[i].device);
    }
    apply_.segments = segments_.data();
    apply_.num_segments = segments_.size();
    apply_.num_inputs = inputs_.size();
    on_host_ = on_device_ = apply_;
    on_host_.inputs = inputs_.data();
    on_device_.inputs = device_inputs_.data();
    Point(&on_host_, [](Twin* twin) -> void* { return twin->host.data(); });
    Point(&on_device_, [](Twin* twin) { return PointerTo<void>(twin->device); });
  }

  void Point(geeps_apply* apply, void* (*address)(Twin* twin)) {
    apply->values_in = address(&values_[0]);
    apply->values_out = address(&values_[out_]);
    if (shape_.input_dtype != shape_.dtype) {
      apply->rounded_in = address(&rounded_[0]);
      apply->rounded_out = address(&rounded_[out_]);
    }
    for (size_t i = 0; i < states_.size(); ++i) apply->states[i] = address(&states_[i]);
    if (steps_.bytes > 0) apply->steps = static_cast<uint64_t*>(address(&steps_));
  }

  Random& random_;
  FarMemory& far_;
  const Shape shape_;
  geeps_apply apply_ = {}, on_host_ = {}, on_device_ = {};
  int out_ = 0;
  Twin values_[2], rounded_[2], steps_;
  std::vector<Twin> states_;
  std::vector<Twin> contributions_;
  std::vector<geeps_apply_segment> segments_;
  std::vector<geeps_apply_input> inputs_, device_inputs_;
};

void CheckApplies(uint64_t seed, const std::vector<Shape>& shapes) {
  CAPTURE(seed);
  Random random(seed);
  FarMemory far;
  std::vector<std::unique_ptr<TwinApply>> twins;
  std::vector<geeps_apply> applies;
  for (const Shape& shape : shapes) {
    twins.push_back(std::make_unique<TwinApply>(&random, &far, shape));
    applies.push_back(twins.back()->on_device());
  }
  cuda::LaunchSet set;
  geeps_status code = GEEPS_OK;
  REQUIRE(cuda::PlanApplies(applies, &set, &code) == "");
  CHECK(set.launches.size() <= 5);
  cuda::SetHostOrder(random.OneIn(2));
  REQUIRE(far.Run(set, random.OneIn(2)));
  cuda::SetHostOrder(false);
  for (const auto& twin : twins) twin->CheckAgainstHost();
  CHECK(far.num_faults() == 0);
}

constexpr std::pair<uint32_t, uint32_t> kDTypes[] = {
    {GEEPS_F32, GEEPS_F32}, {GEEPS_F64, GEEPS_F64}, {GEEPS_F32, GEEPS_F16}, {GEEPS_F32, GEEPS_BF16}};

uint64_t RowValues(Random* random) {
  switch (random->Below(4)) {
    case 0:
      return uint64_t{1} << random->Below(10);
    case 1:
      return 1 + random->Below(2500);
    default:
      return 1 + random->Below(80);
  }
}

}  // namespace

TEST_CASE("cuda apply: every rule, dtype and shape of rows has the bits of the host's") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed);
    for (uint32_t rule = GEEPS_RULE_ADD; rule <= GEEPS_RULE_LAMB; ++rule) {
      for (const auto& [dtype, input_dtype] : kDTypes) {
        const uint64_t row_values = RowValues(&random);
        const uint64_t num_rows = 1 + random.Below(row_values > 500 ? 6 : 40);
        CheckApplies(seed * 1000 + rule, {{rule, dtype, input_dtype, num_rows, row_values}});
      }
    }
  }
}

TEST_CASE("cuda apply: rows that several tiles share have the bits of the host's and one step more") {
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    for (uint32_t rule = GEEPS_RULE_ADD; rule <= GEEPS_RULE_LAMB; ++rule) {
      for (const auto& [dtype, input_dtype] : kDTypes) {
        CheckApplies(seed, {{rule, dtype, input_dtype, 3, seed == 1 ? 5000ull : 4097ull}});
      }
    }
  }
}

TEST_CASE("cuda apply: many rows of one value have the bits of the host's") {
  for (uint32_t rule = GEEPS_RULE_ADD; rule <= GEEPS_RULE_LAMB; ++rule) {
    CheckApplies(rule, {{rule, GEEPS_F32, GEEPS_F32, 1500, 1}});
  }
}

TEST_CASE("cuda apply: tables of all kinds in one call need as many launches as one of each") {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Random random(seed);
    std::vector<Shape> shapes;
    for (int i = 0; i < 150; ++i) {
      const auto& [dtype, input_dtype] = kDTypes[random.Below(4)];
      const uint64_t row_values = random.OneIn(30) ? 2100 : 1 + random.Below(20);
      shapes.push_back({static_cast<uint32_t>(1 + random.Below(8)), dtype, input_dtype, random.Below(5), row_values});
    }
    CheckApplies(seed, shapes);
  }
}

}  // namespace geeps::test
