// SPDX-License-Identifier: Apache-2.0
// move_rows of the CUDA back end, its kernel run on the host, against the kernel of the host back end.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "plugins/cuda/kernels/kernels_host.h"
#include "plugins/cuda/launch.h"
#include "runtime/device/row_index.h"
#include "tests/cuda/kernels/far_memory.h"
#include "tests/table/random.h"

namespace geeps::test {
namespace {

constexpr std::pair<uint32_t, uint64_t> kDTypes[] = {
    {GEEPS_U8, 1}, {GEEPS_F16, 2}, {GEEPS_BF16, 2}, {GEEPS_F32, 4}, {GEEPS_F64, 8}};

struct Rows {
  uint64_t dst_rows, src_rows;
  std::vector<geeps_row_run> runs;
  std::vector<geeps_row_pair> pairs;
};

// Each row of dst at most once; rows of src at will. Runs of one row and of all.
Rows RandomRows(Random* random, uint64_t most_rows) {
  Rows rows;
  rows.dst_rows = 1 + random->Below(most_rows);
  rows.src_rows = 1 + random->Below(most_rows);
  const uint64_t longest = 1 + random->Below(std::min(rows.dst_rows, rows.src_rows));
  for (uint64_t row = 0; row < rows.dst_rows; ++row) {
    const uint64_t kind = random->Below(4);
    if (kind == 0) {
      const uint64_t num = 1 + random->Below(std::min({rows.dst_rows - row, rows.src_rows, longest}));
      rows.runs.push_back({row, random->Below(rows.src_rows - num + 1), num});
      row += num - 1;
    } else if (kind < 3) {
      rows.pairs.push_back({static_cast<uint32_t>(row), static_cast<uint32_t>(random->Below(rows.src_rows))});
    }
  }
  if (random->OneIn(2)) std::reverse(rows.pairs.begin(), rows.pairs.end());
  if (random->OneIn(2)) std::reverse(rows.runs.begin(), rows.runs.end());
  return rows;
}

// Any bits but those of a NaN, whose payload processors choose: numbers of every size, infinity left out as well.
std::vector<uint8_t> RandomBytes(Random* random, uint32_t dtype, uint64_t num_values, uint64_t value_bytes) {
  std::vector<uint8_t> bytes(num_values * value_bytes);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random->Bits());
  if (dtype == GEEPS_U8) return bytes;
  for (uint64_t i = 0; i < num_values; ++i) {
    uint8_t* const top = bytes.data() + i * value_bytes + value_bytes - 1;
    *top &= 0xbf;  // an exponent in its lower half: subnormal numbers among them
    if (random->OneIn(8)) *top &= 0x80;
    if (random->OneIn(8) && dtype == GEEPS_F16) *top = static_cast<uint8_t>(*top | 0x40), *top &= 0xfb;
  }
  return bytes;
}

// One move on both sides: what the device's needs, and where the host's result lies.
struct Move {
  std::unique_ptr<device::HostIndex> host_index;
  cuda::DeviceIndex device_index;
  std::vector<uint64_t> host_dst, host_src;  // aligned to every value
  uint64_t bytes = 0;
  uint64_t device_dst = 0;
  geeps_row_move on_host = {};
  geeps_row_move on_device = {};
};

std::vector<uint64_t> AsWords(const std::vector<uint8_t>& bytes) {
  std::vector<uint64_t> words(bytes.size() / 8 + 1);
  if (!bytes.empty()) std::memcpy(words.data(), bytes.data(), bytes.size());
  return words;
}

void MakeMove(Random* random, const Rows& rows, uint64_t row_values, FarMemory* far, Move* move) {
  const auto [dtype, value_bytes] = kDTypes[random->Below(5)];
  move->host_index = *device::HostIndex::Build(rows.runs, rows.pairs, rows.dst_rows, rows.src_rows);
  REQUIRE(cuda::BuildIndex(rows.runs.data(), rows.runs.size(), rows.pairs.data(), rows.pairs.size(), rows.dst_rows,
                           rows.src_rows, &move->device_index.shape) == "");
  if (!move->device_index.shape.image.empty()) {
    move->device_index.image_address = far->Put(move->device_index.shape.image);
  }
  const std::vector<uint8_t> dst = RandomBytes(random, dtype, rows.dst_rows * row_values, value_bytes);
  const std::vector<uint8_t> src = RandomBytes(random, dtype, rows.src_rows * row_values, value_bytes);
  move->bytes = dst.size();
  move->host_dst = AsWords(dst);
  move->host_src = AsWords(src);
  const auto offset = [random, unit = value_bytes] { return random->OneIn(2) ? 0 : random->Below(32 / unit) * unit; };
  move->device_dst = far->Put(dst, offset());
  geeps_row_move on_host = {};
  on_host.struct_size = sizeof on_host;
  on_host.mode = dtype == GEEPS_U8 || random->OneIn(2) ? GEEPS_MOVE_COPY : GEEPS_MOVE_ADD;
  on_host.dtype = dtype;
  on_host.row_values = row_values;
  move->on_device = move->on_host = on_host;
  move->on_host.dst = move->host_dst.data();
  move->on_host.src = move->host_src.data();
  move->on_host.index = move->host_index->handle();
  move->on_device.dst = PointerTo<void>(move->device_dst);
  move->on_device.src = PointerTo<void>(far->Put(src, offset()));
  move->on_device.index = reinterpret_cast<geeps_dev_index*>(&move->device_index);
}

void CheckMoves(uint64_t seed, uint64_t num_moves, uint64_t most_rows, uint64_t most_values) {
  CAPTURE(seed);
  Random random(seed);
  FarMemory far;
  std::vector<Move> moves(num_moves);
  std::vector<geeps_row_move> planned;
  for (Move& move : moves) {
    const uint64_t row_values = random.OneIn(2) ? uint64_t{1} << random.Below(8) : 1 + random.Below(most_values);
    MakeMove(&random, RandomRows(&random, most_rows), row_values, &far, &move);
    planned.push_back(move.on_device);
  }
  cuda::LaunchSet set;
  geeps_status code = GEEPS_OK;
  REQUIRE(cuda::PlanMoves(planned, &set, &code) == "");
  CHECK(set.launches.size() <= 2);
  cuda::SetHostOrder(random.OneIn(2));
  REQUIRE(far.Run(set, random.OneIn(2)));
  cuda::SetHostOrder(false);
  for (const Move& move : moves) {
    device::MoveRowsNow(move.on_host);
    CAPTURE(move.on_host.dtype);
    CAPTURE(move.on_host.mode);
    CAPTURE(move.on_host.row_values);
    const std::vector<uint8_t> bytes = far.Get(move.device_dst);
    REQUIRE(std::memcmp(bytes.data(), move.host_dst.data(), move.bytes) == 0);
  }
  CHECK(far.num_faults() == 0);
}

}  // namespace

TEST_CASE("cuda move_rows: every mode, dtype and alignment has the bits of the host's") {
  for (uint64_t seed = 1; seed <= 400; ++seed) CheckMoves(seed, 1, 200, 100);
}

TEST_CASE("cuda move_rows: rows and runs that fill many tiles have the bits of the host's") {
  for (uint64_t seed = 1; seed <= 20; ++seed) CheckMoves(seed, 1, 60, 9000);
}

TEST_CASE("cuda move_rows: many moves go in one launch for copies and one for additions") {
  for (uint64_t seed = 1; seed <= 5; ++seed) CheckMoves(seed, 200, 20, 20);
}

TEST_CASE("cuda move_rows: a move without rows needs no launch") {
  cuda::DeviceIndex index;
  REQUIRE(cuda::BuildIndex(nullptr, 0, nullptr, 0, 4, 4, &index.shape) == "");
  CHECK(index.shape.image.empty());
  geeps_row_move move = {};
  move.mode = GEEPS_MOVE_COPY;
  move.dtype = GEEPS_F32;
  move.row_values = 1;
  move.index = reinterpret_cast<geeps_dev_index*>(&index);
  cuda::LaunchSet set;
  geeps_status code = GEEPS_OK;
  CHECK(cuda::PlanMoves({move}, &set, &code) == "");
  CHECK(set.launches.empty());
}

}  // namespace geeps::test
