// SPDX-License-Identifier: Apache-2.0
// Contract cases: memory, copies, fills, streams, events.
#include <atomic>
#include <string>
#include <utility>

#include "runtime/base/mutex.h"
#include "tests/device/contract.h"
#include "tests/table/random.h"

namespace geeps::test {
namespace {

using device::Device;
using device::Event;
using device::Memory;
using device::MemoryKind;
using device::Stream;

std::vector<uint8_t> Bytes(Random* random, uint64_t n) {
  std::vector<uint8_t> bytes(n);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random->Bits());
  return bytes;
}

void MemoryIsCounted(const Device& device, uint64_t seed) {
  Random random(seed);
  const geeps_dev_info before = device.CurrentInfo();
  {
    std::vector<Memory> regions;
    uint64_t device_bytes = 0, pinned_bytes = 0;
    for (int i = 0; i < 8; ++i) {
      const uint64_t bytes = 1 + random.Below(100000);
      const bool pinned = random.OneIn(2);
      regions.push_back(device.Allocate(pinned ? MemoryKind::kPinned : MemoryKind::kDevice, bytes).value());
      (pinned ? pinned_bytes : device_bytes) += bytes;
      CHECK(reinterpret_cast<uintptr_t>(regions.back().data()) % 256 == 0);
      CHECK(regions.back().size() == bytes);
    }
    CHECK(device.CurrentInfo().memory_used - before.memory_used >= device_bytes);
    CHECK(device.CurrentInfo().pinned_used - before.pinned_used >= pinned_bytes);
  }
  CHECK(device.CurrentInfo().memory_used == before.memory_used);
  CHECK(device.CurrentInfo().pinned_used == before.pinned_used);
}

void TooMuchMemoryIsAStatus(const Device& device, uint64_t /*seed*/) {
  const uint64_t bytes = device.info().memory_bytes + 1;
  const auto memory = device.Allocate(MemoryKind::kDevice, bytes);
  REQUIRE(!memory.ok());
  CHECK(DetailOf(memory.status()).code == Code::kNoMemory);
  CHECK(std::string(memory.status().message()).find(std::to_string(bytes)) != std::string::npos);
  CHECK(device.Allocate(MemoryKind::kDevice, 1).ok());
}

void CopiesMoveBytes(const Device& device, uint64_t seed) {
  Random random(seed);
  const std::vector<uint8_t> source = Bytes(&random, 1 + random.Below(5000));
  const Memory first = Upload(device, source);
  const Memory second = device.Allocate(MemoryKind::kDevice, source.size()).value();
  const Stream stream = device.CreateStream().value();
  const uint8_t value = static_cast<uint8_t>(random.Bits());
  GEEPS_CHECK_OK(stream.Fill(second.data(), value, second.size()));
  const uint64_t from = random.Below(source.size());
  const uint64_t bytes = random.Below(source.size() - from + 1);
  const uint64_t to = random.Below(source.size() - bytes + 1);
  GEEPS_CHECK_OK(stream.Copy(second.bytes() + to, first.bytes() + from, bytes));
  std::vector<uint8_t> expected(source.size(), value);
  std::copy_n(source.begin() + from, bytes, expected.begin() + to);
  CHECK(Download<uint8_t>(device, stream, second) == expected);
  CHECK(!stream.Copy(nullptr, first.data(), 1).ok());
  CHECK(!stream.Copy(second.data(), nullptr, 1).ok());
  CHECK(!stream.Fill(nullptr, 0, 1).ok());
  GEEPS_CHECK_OK(stream.Copy(nullptr, nullptr, 0));
}

void AStreamRunsInOrder(const Device& device, uint64_t seed) {
  Random random(seed);
  const Memory memory = device.Allocate(MemoryKind::kDevice, 100).value();
  const Stream stream = device.CreateStream().value();
  std::vector<uint8_t> expected(100, 1);
  GEEPS_CHECK_OK(stream.Fill(memory.data(), 1, 100));
  for (int i = 0; i < 30; ++i) {
    const uint64_t first = random.Below(100);
    const uint64_t bytes = random.Below(100 - first + 1);
    const uint8_t value = static_cast<uint8_t>(random.Bits());
    GEEPS_CHECK_OK(stream.Fill(memory.bytes() + first, value, bytes));
    std::fill_n(expected.begin() + first, bytes, value);
  }
  CHECK(Download<uint8_t>(device, stream, memory) == expected);
}

void AnEventOrdersTwoStreams(const Device& device, uint64_t /*seed*/) {
  const Stream a = device.CreateStream().value(), b = device.CreateStream().value();
  const Memory x = device.Allocate(MemoryKind::kDevice, 64).value(),
               y = device.Allocate(MemoryKind::kDevice, 64).value();
  const Event event = device.CreateEvent().value();
  GEEPS_CHECK_OK(a.Fill(x.data(), 7, 64));
  GEEPS_CHECK_OK(a.Record(event));
  GEEPS_CHECK_OK(b.WaitFor("test.order", event));
  GEEPS_CHECK_OK(b.Copy(y.data(), x.data(), 64));
  CHECK(Download<uint8_t>(device, b, y) == std::vector<uint8_t>(64, 7));
  CHECK(event.IsComplete().value());
}

void AnEventNeverRecordedIsComplete(const Device& device, uint64_t /*seed*/) {
  const Event event = device.CreateEvent().value();
  CHECK(event.IsComplete().value());
  GEEPS_CHECK_OK(event.Wait("test.never"));
  const Stream stream = device.CreateStream().value();
  GEEPS_CHECK_OK(stream.WaitFor("test.never", event));
  Finish(device, stream);
  geeps_status told = GEEPS_AGAIN;
  GEEPS_CHECK_OK(event.Notify(
      "test.never", [](void* ctx, geeps_status status) { *static_cast<geeps_status*>(ctx) = status; }, &told));
  CHECK(told == GEEPS_OK);
}

void AWaitIsForWhatWasCaptured(const Device& device, uint64_t /*seed*/) {
  // The second record lies behind work that waits for stream b itself: a wait that followed it would never end.
  const Stream a = device.CreateStream().value(), b = device.CreateStream().value();
  const Memory x = device.Allocate(MemoryKind::kDevice, 64).value(),
               y = device.Allocate(MemoryKind::kDevice, 64).value();
  const Event event = device.CreateEvent().value(), b_done = device.CreateEvent().value();
  GEEPS_CHECK_OK(a.Fill(x.data(), 1, 64));
  GEEPS_CHECK_OK(a.Record(event));
  GEEPS_CHECK_OK(b.WaitFor("test.capture", event));
  GEEPS_CHECK_OK(b.Copy(y.data(), x.data(), 64));
  GEEPS_CHECK_OK(b.Record(b_done));
  GEEPS_CHECK_OK(a.WaitFor("test.capture", b_done));
  GEEPS_CHECK_OK(a.Fill(x.data(), 2, 64));
  GEEPS_CHECK_OK(a.Record(event));
  GEEPS_CHECK_OK(b_done.Wait("test.capture"));
  CHECK(Download<uint8_t>(device, b, y) == std::vector<uint8_t>(64, 1));
  // And the latest record is what counts from now on.
  GEEPS_CHECK_OK(event.Wait("test.capture"));
  CHECK(Download<uint8_t>(device, b, x) == std::vector<uint8_t>(64, 2));
}

void WaitsOutliveTheEvent(const Device& device, uint64_t /*seed*/) {
  const Stream b = device.CreateStream().value();
  const Memory x = device.Allocate(MemoryKind::kDevice, 64).value(),
               y = device.Allocate(MemoryKind::kDevice, 64).value();
  {
    const Stream a = device.CreateStream().value();
    const Event event = device.CreateEvent().value();
    GEEPS_CHECK_OK(a.Fill(x.data(), 9, 64));
    GEEPS_CHECK_OK(a.Record(event));
    GEEPS_CHECK_OK(b.WaitFor("test.outlive", event));
  }
  GEEPS_CHECK_OK(b.Copy(y.data(), x.data(), 64));
  CHECK(Download<uint8_t>(device, b, y) == std::vector<uint8_t>(64, 9));
}

// Counts notices and lets a thread sleep until there are enough.
struct Notices {
  Mutex mutex;
  CondVar changed;
  int count GEEPS_GUARDED_BY(mutex) = 0;
  geeps_status last GEEPS_GUARDED_BY(mutex) = GEEPS_AGAIN;

  static void Call(void* ctx, geeps_status status) {
    Notices* self = static_cast<Notices*>(ctx);
    const MutexLock lock(&self->mutex);
    ++self->count;
    self->last = status;
    self->changed.NotifyAll();
  }
  // False when they do not come within half a minute.
  bool WaitFor(int wanted) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    const MutexLock lock(&mutex);
    while (count < wanted) {
      if (!changed.WaitUntil(&mutex, until)) return count >= wanted;
    }
    return true;
  }
};

void ANoticeComesOnce(const Device& device, uint64_t /*seed*/) {
  const Stream a = device.CreateStream().value(), b = device.CreateStream().value();
  const Memory x = device.Allocate(MemoryKind::kPinned, 64).value(),
               y = device.Allocate(MemoryKind::kPinned, 64).value();
  const Event first = device.CreateEvent().value();
  Notices notices;
  {
    const Event event = device.CreateEvent().value();
    GEEPS_CHECK_OK(a.Fill(x.data(), 3, 64));
    GEEPS_CHECK_OK(a.Record(first));
    GEEPS_CHECK_OK(b.WaitFor("test.notice", first));
    GEEPS_CHECK_OK(b.Copy(y.data(), x.data(), 64));
    GEEPS_CHECK_OK(b.Record(event));
    // Two notices of one event; the event may go.
    GEEPS_CHECK_OK(event.Notify("test.notice", Notices::Call, &notices));
    GEEPS_CHECK_OK(event.Notify("test.notice", Notices::Call, &notices));
  }
  REQUIRE(notices.WaitFor(2));
  CHECK(y.bytes()[63] == 3);
  GEEPS_CHECK_OK(first.Notify("test.notice", Notices::Call, &notices));
  REQUIRE(notices.WaitFor(3));
  Finish(device, b);
  const MutexLock lock(&notices.mutex);
  CHECK(notices.count == 3);
  CHECK(notices.last == GEEPS_OK);
}

void AnEmbeddersStreamIsTheSameQueue(const Device& device, uint64_t /*seed*/) {
  const Stream ours = device.CreateStream().value();
  const uint64_t handle = ours.NativeHandle().value();
  const Memory x = device.Allocate(MemoryKind::kDevice, 64).value();
  Stream wrapped = device.WrapStream(handle).value();
  CHECK(wrapped.NativeHandle().value() == handle);
  GEEPS_CHECK_OK(ours.Fill(x.data(), 1, 64));
  GEEPS_CHECK_OK(wrapped.Fill(x.data(), 2, 64));
  wrapped = Stream();
  CHECK(Download<uint8_t>(device, ours, x) == std::vector<uint8_t>(64, 2));
  // 0 is a stream like others.
  CHECK(device.WrapStream(0).ok());
}

// A random program over several streams and regions with every wait that it needs has the result of running it line by
// line.
void RandomProgramsRunAsWritten(const Device& device, uint64_t seed) {
  constexpr uint64_t kBytes = 64;
  Random random(seed);
  const size_t num_streams = 1 + random.Below(4);
  struct Region {
    Memory memory;
    std::vector<uint8_t> expected;
    Event written;            // by its last writer
    std::vector<Event> read;  // by those who read it since
  };
  std::vector<Stream> streams;
  for (size_t i = 0; i < num_streams; ++i) streams.push_back(device.CreateStream().value());
  std::vector<Region> regions(2 + random.Below(5));
  for (Region& region : regions) {
    region.expected = Bytes(&random, kBytes);
    region.memory = Upload(device, region.expected);
    region.written = device.CreateEvent().value();
  }
  const int num_steps = static_cast<int>(20 + random.Below(60));
  for (int i = 0; i < num_steps; ++i) {
    const Stream& stream = streams[random.Below(num_streams)];
    Region& to = regions[random.Below(regions.size())];
    Region& from = regions[random.Below(regions.size())];
    GEEPS_CHECK_OK(stream.WaitFor("test.write_after_write", to.written));
    for (const Event& event : to.read) GEEPS_CHECK_OK(stream.WaitFor("test.write_after_read", event));
    to.read.clear();
    if (&to == &from) {
      const uint8_t value = static_cast<uint8_t>(random.Bits());
      GEEPS_CHECK_OK(stream.Fill(to.memory.data(), value, kBytes / 2));
      std::fill_n(to.expected.begin(), kBytes / 2, value);
    } else {
      GEEPS_CHECK_OK(stream.WaitFor("test.read_after_write", from.written));
      GEEPS_CHECK_OK(stream.Copy(to.memory.data(), from.memory.data(), kBytes));
      to.expected = from.expected;
      from.read.push_back(device.CreateEvent().value());
      GEEPS_CHECK_OK(stream.Record(from.read.back()));
    }
    GEEPS_CHECK_OK(stream.Record(to.written));
  }
  const Stream last = device.CreateStream().value();
  for (Region& region : regions) {
    GEEPS_CHECK_OK(last.WaitFor("test.last", region.written));
    CHECK(Download<uint8_t>(device, last, region.memory) == region.expected);
  }
  for (const Stream& stream : streams) Finish(device, stream);
}

constexpr ContractCase kCases[] = {
    {"memory is aligned, counted, and given back", MemoryIsCounted},
    {"more memory than there is is a status with the bytes wanted", TooMuchMemoryIsAStatus},
    {"copies and fills move exactly their bytes", CopiesMoveBytes},
    {"work of a stream runs in order", AStreamRunsInOrder},
    {"an event orders two streams", AnEventOrdersTwoStreams},
    {"an event that was never recorded is complete", AnEventNeverRecordedIsComplete},
    {"a wait is for what the event had captured, a later record changes later waits", AWaitIsForWhatWasCaptured},
    {"waits outlive event and stream", WaitsOutliveTheEvent},
    {"a notice comes once, after the work", ANoticeComesOnce},
    {"an embedder's stream is the same queue", AnEmbeddersStreamIsTheSameQueue},
    {"random programs with all their waits run as written", RandomProgramsRunAsWritten},
};

}  // namespace

absl::Span<const ContractCase> EventCases() { return kCases; }

}  // namespace geeps::test
