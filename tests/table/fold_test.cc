// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/fold.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "runtime/table/rule.h"
#include "runtime/table/segments.h"
#include "tests/table/random.h"
#include "tests/table/reference.h"

namespace geeps::table {
namespace {

using test::Random;
using test::ReferenceContribution;
using test::ReferenceTable;

template <typename T>
bool SameBits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

TableSchema RandomSchema(DType dtype, Random* random) {
  const std::string group = std::to_string(1 + random->Below(4));
  const auto rule_options = random->RuleOptions();
  std::vector<std::pair<absl::string_view, absl::string_view>> options(rule_options.begin(), rule_options.end());
  options.push_back({"reduce", random->OneIn(2) ? "sum" : "mean"});
  options.push_back({"sum_group", group});
  options.push_back({"init", random->OneIn(6) ? "zero" : "normal:0:1"});
  // Now and then a row longer than a piece.
  const uint64_t row_values = random->OneIn(8) ? 1000 + random->Below(1200) : 1 + random->Below(90);
  return ParseTableOptions("t", 1 + random->Below(row_values < 100 ? 60 : 9), row_values, dtype, options).value().schema;
}

// A table kept by segments, fold and rule: the product's road.
template <typename T>
class FoldedTable {
 public:
  explicit FoldedTable(const TableSchema& schema)
      : schema_(schema), values_(schema.num_rows * schema.row_values), steps_(schema.num_rows, 0) {
    states_.resize(static_cast<size_t>(schema.rule->num_states), std::vector<T>(values_.size(), T{0}));
    FillInitial(schema, 0, schema.num_rows, values_.data());
    published_ = test::BytesOf(schema.dtype, values_);
  }

  // in_place: versions overwrite each other; otherwise each is built beside the one before.
  void ApplyClock(const std::vector<ReferenceContribution<T>>& contributions, bool in_place) {
    std::vector<SegmentSource> sources;
    std::vector<std::vector<uint8_t>> bytes;
    for (const auto& contribution : contributions) {
      sources.push_back({contribution.rows.runs()});
      bytes.push_back(test::BytesOf(schema_.dtype, contribution.values));
    }
    sweep_.Build(sources);
    std::vector<T> next = values_;
    std::vector<T>& out = in_place ? values_ : next;
    for (const Segment& segment : sweep_.segments()) {
      std::vector<FoldInput> inputs;
      for (const SegmentInput& input : sweep_.InputsOf(segment)) {
        const auto& contribution = contributions[input.source];
        inputs.push_back({bytes[input.source].data() + input.row_offset * schema_.row_bytes(),
                          contribution.rank / schema_.sum_group});
      }
      FoldTarget target;
      const uint64_t first = segment.first_row * schema_.row_values;
      target.rule = schema_.rule;
      target.reduce = schema_.reduce;
      target.value_in = values_.data() + first;
      target.value_out = out.data() + first;
      if (HasMasters(schema_.dtype)) target.rounded_out = published_.data() + segment.first_row * schema_.row_bytes();
      for (size_t i = 0; i < states_.size(); ++i) target.states[i] = states_[i].data() + first;
      target.row_values = schema_.row_values;
      if (schema_.rule->counts_steps) target.steps = steps_.data() + segment.first_row;
      target.params = absl::MakeConstSpan(schema_.params, schema_.rule->num_params);
      FoldAndStep(schema_.dtype, segment.num_rows * schema_.row_values, inputs, target);
    }
    if (!in_place) values_.swap(next);
    if (!HasMasters(schema_.dtype)) published_ = test::BytesOf(schema_.dtype, values_);
  }

  const std::vector<T>& values() const { return values_; }
  const std::vector<uint8_t>& published() const { return published_; }

 private:
  TableSchema schema_;
  std::vector<T> values_;
  std::vector<uint8_t> published_;
  std::vector<std::vector<T>> states_;
  std::vector<uint64_t> steps_;
  SegmentSweep sweep_;
};

template <typename T>
void CheckAgainstReference(DType dtype, uint64_t seed) {
  CAPTURE(seed);
  CAPTURE(std::string(DTypeName(dtype)));
  Random random(seed);
  const TableSchema schema = RandomSchema(dtype, &random);
  ReferenceTable<T> reference(schema);
  FoldedTable<T> folded(schema);
  const uint32_t world = 1 + static_cast<uint32_t>(random.Below(9));
  for (int clock = 0; clock < 4; ++clock) {
    std::vector<ReferenceContribution<T>> contributions;
    for (uint32_t rank = 0; rank < world; ++rank) {
      const RowSet rows = random.Rows(schema.num_rows);
      std::vector<T> values = random.Values<T>(rows.NumRows() * schema.row_values);
      for (T& value : values) value = test::RoundToDType(dtype, value);
      contributions.push_back({rank, rows, std::move(values)});
    }
    reference.ApplyClock(contributions);
    folded.ApplyClock(contributions, random.OneIn(2));
    REQUIRE(SameBits(folded.values(), reference.values()));
    REQUIRE(SameBits(folded.published(), test::BytesOf(dtype, reference.values())));
  }
}

TEST_CASE("FoldAndStep: random tables, dtypes, rules, groups and row sets have the bits of one naive loop") {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    CheckAgainstReference<float>(DType::kF16, seed);
    CheckAgainstReference<float>(DType::kBf16, seed);
    CheckAgainstReference<float>(DType::kF32, seed);
    CheckAgainstReference<double>(DType::kF64, seed);
  }
}

TEST_CASE("Fold: the order of the sum is groups of ranks, from left to right") {
  // 2^24 + 1 is not an f32: where the ones are added decides whether they survive.
  const float big = 16777216.0f;
  const float one = 1.0f;
  const FoldInput flat[] = {{&big, 0}, {&one, 1}, {&one, 2}};
  const FoldInput grouped[] = {{&big, 0}, {&one, 1}, {&one, 1}};
  float out = 0;
  Fold(DType::kF32, 1, flat, Reduce::kSum, &out);
  CHECK(out == 16777216.0f);
  Fold(DType::kF32, 1, grouped, Reduce::kSum, &out);
  CHECK(out == 16777218.0f);
}

TEST_CASE("Fold: a sum starts with the first contribution, so that minus zero stays") {
  const float minus_zero = -0.0f;
  const FoldInput inputs[] = {{&minus_zero, 0}, {&minus_zero, 1}};
  float out = 1;
  Fold(DType::kF32, 1, absl::MakeConstSpan(inputs, 1), Reduce::kSum, &out);
  CHECK(std::signbit(out));
  Fold(DType::kF32, 1, inputs, Reduce::kMean, &out);
  CHECK(std::signbit(out));
}

TEST_CASE("Fold: the result may replace the first input, at any length") {
  for (const uint64_t n : {1, 15, 16, 17, 1023, 1024, 1025, 5000}) {
    CAPTURE(n);
    Random random(n);
    const std::vector<double> a = random.Values<double>(n), b = random.Values<double>(n), c = random.Values<double>(n);
    std::vector<double> sum = a, expected(n);
    for (uint64_t i = 0; i < n; ++i) expected[i] = (a[i] + b[i] + c[i]) / 3.0;
    const FoldInput inputs[] = {{sum.data(), 0}, {b.data(), 0}, {c.data(), 5}};
    Fold(DType::kF64, n, inputs, Reduce::kMean, sum.data());
    CHECK(SameBits(sum, expected));
  }
}

TEST_CASE("AddInto: adds value by value, at any length and alignment") {
  for (uint64_t n = 0; n < 70; ++n) {
    Random random(n);
    const std::vector<float> a = random.Values<float>(n + 1), b = random.Values<float>(n);
    std::vector<float> sum = a, expected = a;
    for (uint64_t i = 0; i < n; ++i) expected[i + 1] = a[i + 1] + b[i];
    AddInto(DType::kF32, n, b.data(), sum.data() + 1);
    CHECK(SameBits(sum, expected));
  }
}

TEST_CASE("FoldAndStep: a bf16 table sums in f32, rounds the sum of a group, and keeps its masters") {
  // 1 + 2^-8 is no bf16: the tie goes to 1.
  const uint16_t one = 0x3f80, tiny = 0x3b80;  // 2^-8
  float master = 0;
  uint16_t published = 0;
  FoldTarget target;
  target.rule = FindRule("add");
  target.value_in = target.value_out = &master;
  target.rounded_out = &published;
  const FoldInput apart[] = {{&one, 0}, {&tiny, 1}, {&tiny, 2}};
  FoldAndStep(DType::kBf16, 1, apart, target);
  CHECK(master == 1.0078125f);
  CHECK(published == 0x3f81);
  master = 0;
  const FoldInput together[] = {{&one, 0}, {&tiny, 0}, {&tiny, 1}};
  FoldAndStep(DType::kBf16, 1, together, target);
  CHECK(master == 1.00390625f);
  CHECK(published == 0x3f80);
  // A hundred steps that are each too small for the published value add up in the master.
  const FoldInput small[] = {{&tiny, 0}};
  master = 256;
  for (int i = 0; i < 100; ++i) FoldAndStep(DType::kBf16, 1, small, target);
  CHECK(master == 256.390625f);
  CHECK(published == 0x4380);
}

TEST_CASE("AddInto: an f16 sum of updates is rounded at each addition") {
  uint16_t sum[] = {0x6800, 0x7bff, 0x3c00};        // 2048, 65504, 1
  const uint16_t add[] = {0x3c00, 0x7bff, 0x0001};  // 1, 65504, 2^-24
  AddInto(DType::kF16, 3, add, sum);
  CHECK(sum[0] == 0x6800);
  CHECK(sum[1] == 0x7c00);
  CHECK(sum[2] == 0x3c00);
}

}  // namespace
}  // namespace geeps::table
