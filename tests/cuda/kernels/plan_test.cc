// SPDX-License-Identifier: Apache-2.0
// Descriptors that are refused, with the statuses and sentences of the host back end, and what plans are made of.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <string>

#include "plugins/cuda/kernels/kernels_host.h"
#include "plugins/cuda/kernels/target.h"
#include "plugins/cuda/launch.h"
#include "runtime/base/status.h"
#include "runtime/device/apply.h"
#include "runtime/device/row_index.h"
#include "tests/cuda/kernels/far_memory.h"
#include "tests/table/random.h"

namespace geeps::test {
namespace {

std::string Sentence(const absl::Status& status) { return std::string(status.message()); }

// The plan of one apply, as a sentence and its status.
std::pair<std::string, geeps_status> PlanOf(const geeps_apply& apply) {
  cuda::LaunchSet set;
  geeps_status code = GEEPS_OK;
  std::string error = cuda::PlanApplies({apply}, &set, &code);
  return {error, error.empty() ? GEEPS_OK : code};
}

struct ApplyParts {
  alignas(16) float memory[64] = {};
  geeps_apply_segment segments[2] = {{0, 4, 0, 1}, {6, 4, 0, 2}};
  geeps_apply_input inputs[2] = {{memory, 0, 0}, {memory, 1, 0}};
  geeps_apply apply = {};

  ApplyParts() {
    apply.struct_size = sizeof apply;
    apply.rule = GEEPS_RULE_ADD;
    apply.dtype = apply.input_dtype = GEEPS_F32;
    apply.reduce = GEEPS_REDUCE_SUM;
    apply.num_rows = 10;
    apply.row_values = 4;
    apply.values_in = apply.values_out = memory;
    apply.segments = segments;
    apply.num_segments = 2;
    apply.inputs = inputs;
    apply.num_inputs = 2;
  }
};

}  // namespace

TEST_CASE("cuda PlanApplies: what the host back end refuses is refused with its status and sentence") {
  using Spoil = void (*)(ApplyParts*);
  const Spoil spoils[] = {
      [](ApplyParts* p) { p->apply.rule = 77; },
      [](ApplyParts* p) { p->apply.rule = 0; },
      [](ApplyParts* p) { p->apply.dtype = GEEPS_U8; },
      [](ApplyParts* p) { p->apply.input_dtype = GEEPS_F64; },
      [](ApplyParts* p) { p->apply.input_dtype = GEEPS_F16; },
      [](ApplyParts* p) { p->apply.input_dtype = GEEPS_BF16, p->apply.rounded_in = p->memory; },
      [](ApplyParts* p) { p->apply.reduce = 0; },
      [](ApplyParts* p) { p->apply.row_values = 0; },
      [](ApplyParts* p) { p->apply.values_in = nullptr; },
      [](ApplyParts* p) { p->apply.values_out = reinterpret_cast<char*>(p->memory) + 1; },
      [](ApplyParts* p) { p->apply.rule = GEEPS_RULE_SGD; },
      [](ApplyParts* p) { p->apply.rule = GEEPS_RULE_ADAM, p->apply.states[0] = p->memory; },
      [](ApplyParts* p) { p->apply.rule = GEEPS_RULE_ADAGRAD, p->apply.states[0] = p->memory; },
      [](ApplyParts* p) { p->apply.segments = nullptr; },
      [](ApplyParts* p) { p->apply.inputs = nullptr; },
      [](ApplyParts* p) { p->apply.num_rows = 9; },
      [](ApplyParts* p) { p->segments[1].first_row = 3; },
      [](ApplyParts* p) { p->segments[1].num_rows = ~0ull; },
      [](ApplyParts* p) { p->segments[1].first_row = ~0ull; },
      [](ApplyParts* p) { p->segments[0].num_rows = 0; },
      [](ApplyParts* p) { p->segments[1].num_inputs = 3; },
      [](ApplyParts* p) { p->segments[1].num_inputs = 0; },
      [](ApplyParts* p) { p->segments[1].first_input = ~0ull; },
      [](ApplyParts* p) { p->inputs[1].values = nullptr; },
      [](ApplyParts* p) { p->inputs[1].values = reinterpret_cast<char*>(p->memory) + 2; },
      [](ApplyParts* p) { p->inputs[0].group = 2; },
  };
  int number = 0;
  for (const Spoil spoil : spoils) {
    CAPTURE(number++);
    ApplyParts parts;
    CHECK(PlanOf(parts.apply).first == "");
    spoil(&parts);
    const absl::Status expected = device::CheckApply(parts.apply);
    REQUIRE(!expected.ok());
    const auto [sentence, code] = PlanOf(parts.apply);
    CHECK(sentence == Sentence(expected));
    CHECK(code == static_cast<geeps_status>(DetailOf(expected).code));
  }
}

TEST_CASE("cuda PlanApplies: a rule of a plugin is unsupported, sizes beyond 64 bits are invalid") {
  ApplyParts parts;
  parts.apply.rule = GEEPS_RULE_PLUGIN;
  CHECK(PlanOf(parts.apply).second == GEEPS_E_UNSUPPORTED);
  ApplyParts large;
  large.apply.row_values = uint64_t{1} << 62;
  CHECK(PlanOf(large.apply) ==
        std::pair<std::string, geeps_status>("apply: 10 rows of 4611686018427387904 values", GEEPS_E_INVALID));
}

TEST_CASE("cuda PlanApplies: no rows or nothing to carry need no launch") {
  ApplyParts parts;
  parts.apply.num_rows = 0;
  parts.apply.inputs = nullptr;
  CHECK(PlanOf(parts.apply).first == "");
  ApplyParts in_place;
  in_place.apply.num_segments = 0;
  in_place.apply.inputs = nullptr;
  in_place.apply.segments = nullptr;
  cuda::LaunchSet set;
  geeps_status code = GEEPS_OK;
  CHECK(cuda::PlanApplies({parts.apply, in_place.apply}, &set, &code) == "");
  CHECK(set.launches.empty());
}

TEST_CASE("cuda BuildIndex: what the host back end refuses is refused with its sentence") {
  uint64_t num_refused = 0;
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    std::vector<geeps_row_run> runs(random.Below(4));
    std::vector<geeps_row_pair> pairs(random.Below(4));
    for (geeps_row_run& run : runs) {
      run = {random.Below(20), random.Below(20), random.OneIn(9) ? random.Below(30) : 1 + random.Below(3)};
    }
    for (geeps_row_pair& pair : pairs) {
      pair = {static_cast<uint32_t>(random.Below(21)), static_cast<uint32_t>(random.Below(21))};
    }
    if (random.OneIn(9) && !runs.empty()) runs[0].dst_row = ~0ull - random.Below(3);
    const auto expected = device::HostIndex::Build(runs, pairs, 20, 20);
    cuda::IndexImage image;
    const std::string sentence = cuda::BuildIndex(runs.data(), runs.size(), pairs.data(), pairs.size(), 20, 20, &image);
    REQUIRE(sentence == (expected.ok() ? "" : Sentence(expected.status())));
    num_refused += expected.ok() ? 0 : 1;
  }
  CHECK(num_refused > 200);
  CHECK(num_refused < 1800);
}

TEST_CASE("cuda BuildIndex: rows beyond 32 bits are moved by runs") {
  const uint64_t far_row = uint64_t{1} << 33;
  const geeps_row_run run = {far_row, 5, 1};
  cuda::IndexImage image;
  REQUIRE(cuda::BuildIndex(&run, 1, nullptr, 0, far_row + 1, 6, &image) == "");
  CHECK(image.num_runs == 1);
  CHECK(image.num_pairs == 0);
}

TEST_CASE("cuda PlanMoves: what the host back end refuses is refused with its status and sentence") {
  alignas(16) static float memory[64];
  const geeps_row_run run = {0, 0, 2};
  auto host_index = *device::HostIndex::Build({&run, 1}, {}, 2, 2);
  cuda::DeviceIndex index;
  REQUIRE(cuda::BuildIndex(&run, 1, nullptr, 0, 2, 2, &index.shape) == "");
  using Spoil = void (*)(geeps_row_move*);
  const Spoil spoils[] = {
      [](geeps_row_move* m) { m->mode = 3; },
      [](geeps_row_move* m) { m->dtype = GEEPS_I64; },
      [](geeps_row_move* m) { m->dtype = GEEPS_U8, m->mode = GEEPS_MOVE_ADD; },
      [](geeps_row_move* m) { m->row_values = 0; },
      [](geeps_row_move* m) { m->index = nullptr; },
      [](geeps_row_move* m) { m->dst = nullptr; },
      [](geeps_row_move* m) { m->src = nullptr; },
      [](geeps_row_move* m) { m->dst = reinterpret_cast<char*>(m->dst) + 2; },
  };
  for (const Spoil spoil : spoils) {
    geeps_row_move move = {};
    move.struct_size = sizeof move;
    move.mode = GEEPS_MOVE_COPY;
    move.dtype = GEEPS_F32;
    move.row_values = 4;
    move.dst = memory;
    move.src = memory + 32;
    move.index = reinterpret_cast<geeps_dev_index*>(&index);
    cuda::LaunchSet set;
    geeps_status code = GEEPS_OK;
    CHECK(cuda::PlanMoves({move}, &set, &code) == "");
    spoil(&move);
    const std::string sentence = cuda::PlanMoves({move}, &set, &code);
    CHECK(code == GEEPS_E_INVALID);
    if (move.index != nullptr) move.index = host_index->handle();
    CHECK(sentence == Sentence(device::CheckMove(move)));
  }
}

TEST_CASE("cuda plans: a second one of the same call allocates nothing") {
  std::vector<ApplyParts> parts(300);
  std::vector<geeps_apply> applies;
  for (ApplyParts& part : parts) {
    part.apply.segments = part.segments;
    part.apply.inputs = part.inputs;
    applies.push_back(part.apply);
  }
  cuda::LaunchSet set;
  geeps_status code = GEEPS_OK;
  REQUIRE(cuda::PlanApplies(applies, &set, &code) == "");
  const uint8_t* const table = set.table.data();
  const cuda::Launch* const launches = set.launches.data();
  const std::vector<uint8_t> first = set.table;
  REQUIRE(cuda::PlanApplies(applies, &set, &code) == "");
  CHECK(set.table.data() == table);
  CHECK(set.launches.data() == launches);
  CHECK(set.table == first);
}

TEST_CASE("cuda Divider: a multiplication divides every number of 32 bits") {
  Random random(1);
  const uint32_t most = std::numeric_limits<uint32_t>::max();
  for (int i = 0; i < 20000; ++i) {
    const uint32_t divisor = 1 + static_cast<uint32_t>(random.Bits() >> 33 >> random.Below(31));
    CAPTURE(divisor);
    const cuda::Divider divider = cuda::DividerOf(std::min(divisor, most / 2));
    const uint32_t multiple = most / divider.divisor * divider.divisor;
    const uint32_t any = static_cast<uint32_t>(random.Bits());
    for (const uint32_t x : {0u, divider.divisor - 1, divider.divisor, multiple - 1, multiple, most, any}) {
      REQUIRE(divider.Divide(x) == x / divider.divisor);
    }
  }
}

TEST_CASE("cuda kernels: the image has those that are listed, under both names") {
  std::ifstream file(GEEPS_CUDA_KERNELS_SOURCE);
  std::stringstream text;
  text << file.rdbuf();
  const std::string source = text.str();
  std::set<std::string> in_source, listed;
  const std::string entry = "\nGEEPS_CUDA_GLOBAL(";
  for (size_t at = source.find(entry); at != std::string::npos; at = source.find(entry, at + 1)) {
    const size_t begin = at + entry.size();
    in_source.insert(source.substr(begin, source.find(',', begin) - begin));
  }
  for (const char* const* name = cuda::kKernelNames; *name != nullptr; ++name) listed.insert(*name);
  CHECK(listed.size() == 7);
  CHECK(in_source == listed);
  void* parameters[2] = {};
  CHECK_FALSE(cuda::RunKernelOnHost("no_such_kernel", 1, 1, 0, parameters));
}

}  // namespace geeps::test
