// SPDX-License-Identifier: Apache-2.0
// Contract cases: what a back end keeps in its queues: long calls one behind another, streams that end before their
// work, notices.
#include <chrono>
#include <memory>
#include <utility>

#include "runtime/base/mutex.h"
#include "tests/device/contract.h"
#include "tests/table/random.h"

namespace geeps::test {
namespace {

using device::Device;
using device::Event;
using device::MakeRowMove;
using device::Memory;
using device::MemoryKind;
using device::RowIndex;
using device::Stream;

constexpr uint64_t kBlockValues = 4;

// Blocks of values that calls with many moves add to, each from another place; and what they hold then.
struct Sums {
  Memory memory;
  std::vector<float> expected;

  Sums(const Device& device, uint64_t num_blocks) : expected(num_blocks * kBlockValues, 1.0f) {
    memory = Upload(device, expected);
  }
};

// Adds to the first num_moves blocks of `sums` as many blocks of `source`, beginning somewhere, in one call.
void AddBlocks(const Stream& stream, const RowIndex& one_row, const Memory& source, const std::vector<float>& values,
               uint64_t first, uint64_t num_moves, Sums* sums) {
  const uint64_t num_blocks = values.size() / kBlockValues;
  std::vector<geeps_row_move> moves;
  for (uint64_t i = 0; i < num_moves; ++i) {
    const uint64_t from = (first + i) % num_blocks;
    moves.push_back(MakeRowMove(GEEPS_MOVE_ADD, GEEPS_F32, kBlockValues,
                                sums->memory.bytes() + i * kBlockValues * sizeof(float),
                                source.bytes() + from * kBlockValues * sizeof(float), one_row));
    for (uint64_t k = 0; k < kBlockValues; ++k) sums->expected[i * kBlockValues + k] += values[from * kBlockValues + k];
  }
  GEEPS_CHECK_OK(stream.MoveRows(moves));
}

// Descriptors of many calls wait at once, of few moves and of many, in several streams; a back end that keeps them in
// memory uses none of it too early.
void LongCallsQueueUp(const Device& device, uint64_t seed) {
  Random random(seed);
  constexpr uint64_t kBlocks = 600;
  const std::vector<float> values = random.Values<float>(kBlocks * kBlockValues);
  const Memory source = Upload(device, values);
  const RowIndex one_row = device.CreateIndex({{0, 0, 1}}, {}, 1, 1).value();
  std::vector<Stream> streams;
  std::vector<Sums> sums;
  for (uint64_t i = 0; i < 2; ++i) {
    streams.push_back(device.CreateStream().value());
    sums.emplace_back(device, kBlocks);
  }
  const uint64_t num_calls = 40 + random.Below(20);
  for (uint64_t call = 0; call < num_calls; ++call) {
    const uint64_t which = call < 10 ? call % 2 : random.Below(2);
    // Ever longer ones at first, then short ones and long ones.
    const uint64_t num_moves = call < 10         ? 100 + call * 55
                               : random.OneIn(4) ? 1 + random.Below(10)
                                                 : 60 + random.Below(60);
    AddBlocks(streams[which], one_row, source, values, random.Below(kBlocks), num_moves, &sums[which]);
  }
  for (size_t i = 0; i < streams.size(); ++i) {
    CHECK(Download<float>(device, streams[i], sums[i].memory) == sums[i].expected);
  }
}

// What a stream was lent is not lent to another one before its work is done.
void StreamsEndBeforeTheirWork(const Device& device, uint64_t seed) {
  Random random(seed);
  constexpr uint64_t kBlocks = 130;
  const std::vector<float> values = random.Values<float>(kBlocks * kBlockValues);
  const Memory source = Upload(device, values);
  const RowIndex one_row = device.CreateIndex({{0, 0, 1}}, {}, 1, 1).value();
  const Stream last = device.CreateStream().value();
  std::vector<Sums> sums;
  for (int i = 0; i < 5; ++i) {
    sums.emplace_back(device, kBlocks);
    const Event done = device.CreateEvent().value();
    {
      const Stream stream = device.CreateStream().value();
      for (int call = 0; call < 2; ++call) {
        AddBlocks(stream, one_row, source, values, random.Below(kBlocks), kBlocks, &sums.back());
      }
      GEEPS_CHECK_OK(stream.Record(done));
    }
    GEEPS_CHECK_OK(last.WaitFor("test.ended", done));
  }
  for (const Sums& each : sums) CHECK(Download<float>(device, last, each.memory) == each.expected);
}

// What uses memory has been waited for; behind it streams wait for one another, and nobody for them: whoever ends the
// device does.
void DevicesEndBehindTheirWork(const Device& device, uint64_t /*seed*/) {
  constexpr uint64_t kBytes = 64;
  const Memory memory = device.Allocate(MemoryKind::kDevice, 8 * kBytes).value();
  const Event event = device.CreateEvent().value();
  std::vector<Stream> streams;
  for (uint64_t i = 0; i < 8; ++i) {
    streams.push_back(device.CreateStream().value());
    GEEPS_CHECK_OK(streams.back().Fill(memory.bytes() + i * kBytes, 1, kBytes));
  }
  for (const Stream& stream : streams) Finish(device, stream);
  for (size_t i = 0; i < 10 * streams.size(); ++i) {
    GEEPS_CHECK_OK(streams[i % streams.size()].Record(event));
    GEEPS_CHECK_OK(streams[(i + 1) % streams.size()].WaitFor("test.turn", event));
  }
}

// An index may be used as soon as it is there, on any stream.
void NewIndexesAreReady(const Device& device, uint64_t seed) {
  Random random(seed);
  const Stream stream = device.CreateStream().value();
  for (int round = 0; round < 4; ++round) {
    const std::vector<float> values = random.Values<float>(64);
    const Memory from = Upload(device, values), to = Upload(device, std::vector<float>(64, 0.0f));
    std::vector<geeps_row_pair> pairs;
    std::vector<float> expected(64);
    const uint64_t turned = random.Below(64);
    for (uint32_t i = 0; i < 64; ++i) {
      const uint32_t row = static_cast<uint32_t>((i + turned) % 64);
      pairs.push_back({i, row});
      expected[i] = values[row];
    }
    const RowIndex index = device.CreateIndex({}, pairs, 64, 64).value();
    GEEPS_CHECK_OK(stream.MoveRows({MakeRowMove(GEEPS_MOVE_COPY, GEEPS_F32, 1, to.data(), from.data(), index)}));
    CHECK(Download<float>(device, stream, to) == expected);
  }
}

// Lets one thread sleep until a notice has come.
struct Told {
  Mutex mutex;
  CondVar changed;
  int count GEEPS_GUARDED_BY(mutex) = 0;

  static void Call(void* ctx, geeps_status /*status*/) {
    Told* const self = static_cast<Told*>(ctx);
    const MutexLock lock(&self->mutex);
    ++self->count;
    self->changed.NotifyAll();
  }
  // False when it does not come within half a minute.
  bool WaitFor(int wanted) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    const MutexLock lock(&mutex);
    while (count < wanted) {
      if (!changed.WaitUntil(&mutex, until)) return count >= wanted;
    }
    return true;
  }
};

// The host may read what was copied as soon as the notice has come, round after round of one event.
void NoticesComeAfterTheWork(const Device& device, uint64_t /*seed*/) {
  constexpr uint64_t kBytes = 64;
  const Stream producer = device.CreateStream().value(), consumer = device.CreateStream().value();
  const Memory x = device.Allocate(MemoryKind::kDevice, kBytes).value(),
               pinned = device.Allocate(MemoryKind::kPinned, kBytes).value();
  const Event filled = device.CreateEvent().value(), copied = device.CreateEvent().value();
  Told told;
  for (uint8_t round = 1; round <= 12; ++round) {
    GEEPS_CHECK_OK(producer.Fill(x.data(), round, kBytes));
    GEEPS_CHECK_OK(producer.Record(filled));
    GEEPS_CHECK_OK(consumer.WaitFor("test.filled", filled));
    GEEPS_CHECK_OK(consumer.Copy(pinned.data(), x.data(), kBytes));
    GEEPS_CHECK_OK(consumer.Record(copied));
    GEEPS_CHECK_OK(copied.Notify("test.copied", Told::Call, &told));
    REQUIRE(told.WaitFor(round));
    CHECK(pinned.bytes()[kBytes - 1] == round);
  }
  Finish(device, consumer);
}

constexpr ContractCase kCases[] = {
    {"long calls queue up", LongCallsQueueUp},
    {"streams end before their work", StreamsEndBeforeTheirWork},
    {"a device ends behind its work", DevicesEndBehindTheirWork},
    {"a new index is ready on every stream", NewIndexesAreReady},
    {"notices come after the work, round after round", NoticesComeAfterTheWork},
};

}  // namespace

absl::Span<const ContractCase> QueueCases() { return kCases; }

}  // namespace geeps::test
