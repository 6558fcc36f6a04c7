// SPDX-License-Identifier: Apache-2.0
// Contract cases: moving rows by prebuilt indexes, folding and applying contributions.
#include <algorithm>
#include <string>
#include <utility>

#include "runtime/table/segments.h"
#include "tests/device/contract.h"
#include "tests/table/random.h"
#include "tests/table/reference.h"

namespace geeps::test {
namespace {

using device::Device;
using device::Event;
using device::MakeApply;
using device::MakeRowMove;
using device::Memory;
using device::MemoryKind;
using device::RowIndex;
using device::Stream;
using table::RowSet;

// A random index: some rows of dst, each from a random row of src; stretches of neighbours as runs, the rest as pairs.
struct Plan {
  uint64_t dst_rows, src_rows;
  std::vector<geeps_row_run> runs;
  std::vector<geeps_row_pair> pairs;
};

Plan RandomPlan(Random* random) {
  Plan plan;
  plan.dst_rows = 1 + random->Below(200);
  plan.src_rows = 1 + random->Below(200);
  for (uint64_t row = 0; row < plan.dst_rows;) {
    if (random->OneIn(4)) {
      ++row;
    } else if (random->OneIn(3)) {
      const uint64_t num_rows = 1 + random->Below(std::min(plan.dst_rows - row, plan.src_rows));
      plan.runs.push_back({row, random->Below(plan.src_rows - num_rows + 1), num_rows});
      row += num_rows;
    } else {
      plan.pairs.push_back({static_cast<uint32_t>(row), static_cast<uint32_t>(random->Below(plan.src_rows))});
      ++row;
    }
  }
  // Order is no promise of the caller.
  if (random->OneIn(2)) std::reverse(plan.pairs.begin(), plan.pairs.end());
  if (random->OneIn(2)) std::reverse(plan.runs.begin(), plan.runs.end());
  return plan;
}

template <typename T>
void MoveRowsOf(const Device& device, Random* random, uint32_t dtype, uint32_t mode) {
  const Plan plan = RandomPlan(random);
  const uint64_t widths[] = {1, 2, 4, 8, 16, 32, 64, 1 + random->Below(100)};
  const uint64_t row_values = widths[random->Below(8)];
  const std::vector<T> src = random->Values<T>(plan.src_rows * row_values);
  std::vector<T> expected = random->Values<T>(plan.dst_rows * row_values);
  const Memory src_memory = Upload(device, src), dst_memory = Upload(device, expected);
  const auto move_row = [&](uint64_t dst_row, uint64_t src_row) {
    for (uint64_t i = 0; i < row_values; ++i) {
      T& to = expected[dst_row * row_values + i];
      const T from = src[src_row * row_values + i];
      to = mode == GEEPS_MOVE_ADD ? static_cast<T>(to + from) : from;
    }
  };
  for (const geeps_row_run& run : plan.runs) {
    for (uint64_t i = 0; i < run.num_rows; ++i) move_row(run.dst_row + i, run.src_row + i);
  }
  for (const geeps_row_pair& pair : plan.pairs) move_row(pair.dst_row, pair.src_row);

  const Stream stream = device.CreateStream().value();
  const RowIndex index = device.CreateIndex(plan.runs, plan.pairs, plan.dst_rows, plan.src_rows).value();
  const bool as_bytes = mode == GEEPS_MOVE_COPY && random->OneIn(3);
  const geeps_row_move move =
      as_bytes ? MakeRowMove(mode, GEEPS_U8, row_values * sizeof(T), dst_memory.data(), src_memory.data(), index)
               : MakeRowMove(mode, dtype, row_values, dst_memory.data(), src_memory.data(), index);
  GEEPS_CHECK_OK(stream.MoveRows({move}));
  CHECK(Download<T>(device, stream, dst_memory) == expected);
}

void RowMovesMatchALoop(const Device& device, uint64_t seed) {
  Random random(seed);
  for (const uint32_t mode : {GEEPS_MOVE_COPY, GEEPS_MOVE_ADD}) {
    MoveRowsOf<float>(device, &random, GEEPS_F32, mode);
    MoveRowsOf<double>(device, &random, GEEPS_F64, mode);
  }
}

void HalfRowsAreAddedInF32AndRounded(const Device& device, uint64_t seed) {
  Random random(seed);
  const uint64_t row_values = 1 + random.Below(40);
  for (const table::DType dtype : {table::DType::kF16, table::DType::kBf16}) {
    std::vector<float> sums = random.Values<float>(9 * row_values), added = random.Values<float>(9 * row_values);
    const Memory dst = Upload(device, BytesOf(dtype, sums)), src = Upload(device, BytesOf(dtype, added));
    const Stream stream = device.CreateStream().value();
    const RowIndex index = device.CreateIndex({{0, 2, 3}}, {{5, 0}, {8, 8}}, 9, 9).value();
    GEEPS_CHECK_OK(stream.MoveRows(
        {MakeRowMove(GEEPS_MOVE_ADD, static_cast<uint32_t>(dtype), row_values, dst.data(), src.data(), index)}));
    const std::pair<uint64_t, uint64_t> moved[] = {{0, 2}, {1, 3}, {2, 4}, {5, 0}, {8, 8}};
    for (const auto& [to, from] : moved) {
      for (uint64_t i = 0; i < row_values; ++i) {
        float& sum = sums[to * row_values + i];
        sum = RoundToDType(dtype, sum) + RoundToDType(dtype, added[from * row_values + i]);
      }
    }
    CHECK(Download<uint8_t>(device, stream, dst) == BytesOf(dtype, sums));
  }
}

void SeveralMovesGoInOneCall(const Device& device, uint64_t seed) {
  Random random(seed);
  const Stream stream = device.CreateStream().value();
  const std::vector<float> src = random.Values<float>(10 * 4);
  const Memory from = Upload(device, src);
  const Memory a = Upload(device, std::vector<float>(40, 1.0f)), b = Upload(device, std::vector<float>(40, 1.0f));
  const RowIndex all = device.CreateIndex({{0, 0, 10}}, {}, 10, 10).value();
  const RowIndex none = device.CreateIndex({}, {}, 10, 10).value();
  GEEPS_CHECK_OK(stream.MoveRows({MakeRowMove(GEEPS_MOVE_COPY, GEEPS_F32, 4, a.data(), from.data(), all),
                                  MakeRowMove(GEEPS_MOVE_ADD, GEEPS_F32, 4, b.data(), from.data(), all),
                                  MakeRowMove(GEEPS_MOVE_COPY, GEEPS_F32, 4, nullptr, nullptr, none)}));
  GEEPS_CHECK_OK(stream.MoveRows({}));
  CHECK(Download<float>(device, stream, a) == src);
  const std::vector<float> sum = Download<float>(device, stream, b);
  for (size_t i = 0; i < sum.size(); ++i) CHECK(sum[i] == 1.0f + src[i]);
}

void BadIndexesAreRefused(const Device& device, uint64_t /*seed*/) {
  const auto refused = [&](std::vector<geeps_row_run> runs, std::vector<geeps_row_pair> pairs) {
    const auto index = device.CreateIndex(runs, pairs, 10, 20);
    return !index.ok() && DetailOf(index.status()).code == Code::kInvalid;
  };
  CHECK(!refused({{0, 10, 10}}, {}));
  CHECK(refused({{1, 10, 10}}, {}));
  CHECK(refused({{0, 11, 10}}, {}));
  CHECK(refused({{0, 0, 0}}, {}));
  CHECK(refused({{~0ull, 0, 2}}, {}));
  CHECK(refused({{0, ~0ull, 2}}, {}));
  CHECK(refused({}, {{10, 0}}));
  CHECK(refused({}, {{0, 20}}));
  // A row of dst twice: in runs, in pairs, across both.
  CHECK(refused({{4, 0, 4}, {2, 8, 3}}, {}));
  CHECK(refused({}, {{3, 1}, {5, 1}, {3, 2}}));
  CHECK(refused({{4, 0, 4}}, {{7, 1}}));
  CHECK(!refused({{4, 0, 4}}, {{8, 1}, {3, 1}}));
}

void BadMovesAreRefused(const Device& device, uint64_t /*seed*/) {
  const Stream stream = device.CreateStream().value();
  const RowIndex index = device.CreateIndex({{0, 0, 2}}, {}, 2, 2).value();
  const Memory memory = Upload(device, std::vector<float>(64));
  const geeps_row_move good = MakeRowMove(GEEPS_MOVE_COPY, GEEPS_F32, 4, memory.data(), memory.bytes() + 128, index);
  const auto refused = [&](void (*spoil)(geeps_row_move*)) {
    geeps_row_move move = good;
    spoil(&move);
    return !stream.MoveRows({move}).ok();
  };
  CHECK(!refused([](geeps_row_move*) {}));
  CHECK(refused([](geeps_row_move* m) { m->mode = 3; }));
  CHECK(refused([](geeps_row_move* m) { m->dtype = GEEPS_I64; }));
  CHECK(!refused([](geeps_row_move* m) { m->dtype = GEEPS_BF16, m->mode = GEEPS_MOVE_ADD; }));
  CHECK(refused([](geeps_row_move* m) { m->dtype = GEEPS_U8, m->mode = GEEPS_MOVE_ADD; }));
  CHECK(refused([](geeps_row_move* m) { m->row_values = 0; }));
  CHECK(refused([](geeps_row_move* m) { m->index = nullptr; }));
  CHECK(refused([](geeps_row_move* m) { m->dst = nullptr; }));
  CHECK(refused([](geeps_row_move* m) { m->src = nullptr; }));
  CHECK(refused([](geeps_row_move* m) { m->dst = static_cast<char*>(m->dst) + 2; }));
  CHECK(refused([](geeps_row_move* m) { m->struct_size = 0; }));
  Finish(device, stream);
}

// One partition on the device, next to the reference.
template <typename T>
void ApplyMatchesReferenceOf(const Device& device, Random* random, table::DType dtype) {
  const std::string group = std::to_string(1 + random->Below(3));
  const auto rule_options = random->RuleOptions();
  std::vector<std::pair<absl::string_view, absl::string_view>> options(rule_options.begin(), rule_options.end());
  options.push_back({"reduce", random->OneIn(2) ? "sum" : "mean"});
  options.push_back({"sum_group", group});
  options.push_back({"init", "uniform:-1:1"});
  const auto schema = table::ParseTableOptions("t", 1 + random->Below(40),
                                               random->OneIn(6) ? 1500 : 1 + random->Below(70), dtype, options)
                          .value()
                          .schema;
  const uint64_t row_values = schema.row_values;
  ReferenceTable<T> reference(schema);
  const Memory versions[2] = {Upload(device, reference.values()), Upload(device, reference.values())};
  const std::vector<uint8_t> first_bytes = BytesOf(dtype, reference.values());
  const Memory rounded[2] = {Upload(device, first_bytes), Upload(device, first_bytes)};
  std::vector<Memory> states;
  for (int i = 0; i < schema.rule->num_states; ++i) {
    states.push_back(Upload(device, std::vector<T>(reference.values().size(), T{0})));
  }
  const Memory steps = Upload(device, std::vector<uint64_t>(schema.num_rows, 0));
  const Stream stream = device.CreateStream().value();
  table::SegmentSweep sweep;
  const uint32_t world = 1 + static_cast<uint32_t>(random->Below(6));
  int current = 0, current_rounded = 0;
  for (int clock = 0; clock < 3; ++clock) {
    std::vector<ReferenceContribution<T>> contributions;
    std::vector<Memory> uploads;
    std::vector<table::SegmentSource> sources;
    for (uint32_t rank = 0; rank < world; ++rank) {
      const RowSet rows = random->Rows(schema.num_rows);
      std::vector<T> values = random->Values<T>(rows.NumRows() * row_values);
      for (T& value : values) value = RoundToDType(dtype, value);
      contributions.push_back({rank, rows, std::move(values)});
    }
    for (const auto& contribution : contributions) {
      uploads.push_back(Upload(device, BytesOf(dtype, contribution.values)));
      sources.push_back({contribution.rows.runs()});
    }
    sweep.Build(sources);
    std::vector<geeps_apply_segment> segments;
    std::vector<geeps_apply_input> inputs;
    for (const table::Segment& segment : sweep.segments()) {
      segments.push_back({segment.first_row, segment.num_rows, segment.first_input, segment.num_inputs});
    }
    for (const table::SegmentInput& input : sweep.inputs()) {
      inputs.push_back({uploads[input.source].bytes() + input.row_offset * schema.row_bytes(),
                        contributions[input.source].rank / schema.sum_group, 0});
    }
    const int next = random->OneIn(2) ? current : 1 - current;
    const int next_rounded = random->OneIn(2) ? current_rounded : 1 - current_rounded;
    geeps_apply apply = MakeApply();
    apply.rule = static_cast<uint32_t>(schema.rule->id);
    apply.dtype = static_cast<uint32_t>(AccumulateDType(dtype));
    apply.input_dtype = static_cast<uint32_t>(dtype);
    apply.reduce = static_cast<uint32_t>(schema.reduce);
    apply.num_rows = schema.num_rows;
    apply.row_values = row_values;
    apply.values_in = versions[current].data();
    apply.values_out = versions[next].data();
    if (HasMasters(dtype)) {
      apply.rounded_in = rounded[current_rounded].data();
      apply.rounded_out = rounded[next_rounded].data();
    }
    for (size_t i = 0; i < states.size(); ++i) apply.states[i] = states[i].data();
    if (schema.rule->counts_steps) apply.steps = static_cast<uint64_t*>(steps.data());
    std::copy(schema.params, schema.params + schema.rule->num_params, apply.params);
    apply.segments = segments.data();
    apply.num_segments = segments.size();
    apply.inputs = inputs.data();
    apply.num_inputs = inputs.size();
    GEEPS_CHECK_OK(stream.Apply({apply}));
    // The descriptors are the back end's own by now.
    for (geeps_apply_segment& segment : segments) segment = {~0ull, ~0ull, ~0ull, ~0ull};
    inputs.assign(inputs.size(), {nullptr, 0, 0});
    reference.ApplyClock(contributions);
    current = next;
    const std::vector<T> values = Download<T>(device, stream, versions[current]);
    REQUIRE(std::memcmp(values.data(), reference.values().data(), values.size() * sizeof(T)) == 0);
    if (!HasMasters(dtype)) continue;
    current_rounded = next_rounded;
    REQUIRE(Download<uint8_t>(device, stream, rounded[current_rounded]) == BytesOf(dtype, reference.values()));
  }
}

void ApplyMatchesTheReference(const Device& device, uint64_t seed) {
  Random random(seed);
  ApplyMatchesReferenceOf<float>(device, &random, table::DType::kF16);
  ApplyMatchesReferenceOf<float>(device, &random, table::DType::kBf16);
  ApplyMatchesReferenceOf<float>(device, &random, table::DType::kF32);
  ApplyMatchesReferenceOf<double>(device, &random, table::DType::kF64);
}

void BadAppliesAreRefused(const Device& device, uint64_t /*seed*/) {
  const Stream stream = device.CreateStream().value();
  const Memory values = Upload(device, std::vector<float>(40)), grads = Upload(device, std::vector<float>(40));
  static geeps_apply_segment segments[2];
  static geeps_apply_input inputs[2];
  segments[0] = {0, 4, 0, 1};
  segments[1] = {6, 4, 0, 2};
  inputs[0] = {grads.data(), 0, 0};
  inputs[1] = {grads.data(), 1, 0};
  geeps_apply good = MakeApply();
  good.rule = GEEPS_RULE_ADD;
  good.dtype = good.input_dtype = GEEPS_F32;
  good.reduce = GEEPS_REDUCE_SUM;
  good.num_rows = 10;
  good.row_values = 4;
  good.values_in = good.values_out = values.data();
  good.segments = segments;
  good.num_segments = 2;
  good.inputs = inputs;
  good.num_inputs = 2;
  const auto refused = [&](void (*spoil)(geeps_apply*)) {
    const geeps_apply_segment saved_segments[] = {segments[0], segments[1]};
    const geeps_apply_input saved_inputs[] = {inputs[0], inputs[1]};
    geeps_apply apply = good;
    spoil(&apply);
    const bool is_refused = !stream.Apply({apply}).ok();
    std::copy_n(saved_segments, 2, segments);
    std::copy_n(saved_inputs, 2, inputs);
    return is_refused;
  };
  CHECK(!refused([](geeps_apply*) {}));
  CHECK(refused([](geeps_apply* a) { a->rule = 77; }));
  CHECK(refused([](geeps_apply* a) { a->dtype = GEEPS_U8; }));
  CHECK(refused([](geeps_apply* a) { a->input_dtype = GEEPS_F64; }));
  CHECK(refused([](geeps_apply* a) { a->input_dtype = GEEPS_F16; }));  // without what is rounded
  CHECK(refused([](geeps_apply* a) { a->reduce = 0; }));
  CHECK(refused([](geeps_apply* a) { a->row_values = 0; }));
  CHECK(refused([](geeps_apply* a) { a->values_in = nullptr; }));
  CHECK(refused([](geeps_apply* a) { a->values_out = static_cast<char*>(a->values_out) + 1; }));
  CHECK(refused([](geeps_apply* a) { a->rule = GEEPS_RULE_SGD; }));  // without its state
  CHECK(refused([](geeps_apply* a) {                                 // without its steps
    a->rule = GEEPS_RULE_ADAGRAD;
    a->states[0] = a->values_out;
  }));
  CHECK(refused([](geeps_apply* a) { a->segments = nullptr; }));
  CHECK(refused([](geeps_apply* a) { a->num_rows = 9; }));
  CHECK(refused([](geeps_apply*) { segments[1].first_row = 3; }));
  CHECK(refused([](geeps_apply*) { segments[1].num_rows = ~0ull; }));
  CHECK(refused([](geeps_apply*) { segments[1].num_inputs = 3; }));
  CHECK(refused([](geeps_apply*) { segments[1].num_inputs = 0; }));
  CHECK(refused([](geeps_apply*) { inputs[1].values = nullptr; }));
  CHECK(refused([](geeps_apply*) { inputs[0].group = 2; }));
  Finish(device, stream);
}

constexpr ContractCase kCases[] = {
    {"rows are copied and added as by a loop", RowMovesMatchALoop},
    {"rows of 16-bit numbers are added in f32 and rounded", HalfRowsAreAddedInF32AndRounded},
    {"several moves go in one call", SeveralMovesGoInOneCall},
    {"bad indexes are refused", BadIndexesAreRefused},
    {"bad moves are refused", BadMovesAreRefused},
    {"apply has the bits of the reference", ApplyMatchesTheReference},
    {"bad applies are refused", BadAppliesAreRefused},
};

}  // namespace

absl::Span<const ContractCase> KernelCases() { return kCases; }

void RunContract(const geeps_device* table, const char* variant, uint64_t num_seeds) {
  for (const auto& cases : {EventCases(), KernelCases(), QueueCases()}) {
    for (const ContractCase& contract_case : cases) {
      for (uint64_t seed = 1; seed <= num_seeds; ++seed) {
        CAPTURE(contract_case.name);
        CAPTURE(seed);
        auto opened = Device::Create(table, nullptr, -1, variant, 64 << 20);
        REQUIRE_MESSAGE(opened.ok(), opened.status().ToString());
        contract_case.run(**opened, seed);
      }
    }
  }
}

}  // namespace geeps::test
