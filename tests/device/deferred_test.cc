// SPDX-License-Identifier: Apache-2.0
// What the deferred back end promises beyond the contract: that it defers, that forgotten waits show, that a lost
// device says so.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#include "runtime/base/status.h"
#include "tests/device/contract.h"
#include "tests/table/random.h"

namespace geeps::test {
namespace {

using device::Device;
using device::Event;
using device::Memory;
using device::MemoryKind;
using device::Stream;

std::unique_ptr<Device> OpenDevice(absl::string_view spec) {
  auto opened = device::Open(spec);
  REQUIRE_MESSAGE(opened.ok(), opened.status().ToString());
  return std::move(opened).value();
}

TEST_CASE("Deferred device: lazy runs nothing until somebody waits, and then only what that depends on") {
  const auto device = OpenDevice("deferred:lazy");
  const Stream a = device->CreateStream().value(), b = device->CreateStream().value();
  const Memory x = device->Allocate(MemoryKind::kDevice, 16).value(),
               y = device->Allocate(MemoryKind::kDevice, 16).value();
  const Event a_done = device->CreateEvent().value(), b_done = device->CreateEvent().value();
  GEEPS_CHECK_OK(a.Fill(x.data(), 1, 16));
  GEEPS_CHECK_OK(a.Record(a_done));
  GEEPS_CHECK_OK(b.Fill(y.data(), 2, 16));
  GEEPS_CHECK_OK(b.Record(b_done));
  CHECK(!a_done.IsComplete().value());
  GEEPS_CHECK_OK(b_done.Wait("test"));
  CHECK(y.bytes()[0] == 2);
  CHECK(!a_done.IsComplete().value());
  CHECK(x.bytes()[0] == 0xff);
  GEEPS_CHECK_OK(a_done.Wait("test"));
  CHECK(x.bytes()[0] == 1);
}

TEST_CASE("Deferred device: sources are read when the work runs, new memory is poisoned") {
  const auto device = OpenDevice("deferred:lazy");
  const Stream stream = device->CreateStream().value();
  const Memory x = device->Allocate(MemoryKind::kPinned, 8).value(),
               y = device->Allocate(MemoryKind::kDevice, 8).value();
  CHECK(x.bytes()[7] == 0xff);
  CHECK(y.bytes()[7] == 0xff);
  std::memset(x.data(), 1, 8);
  GEEPS_CHECK_OK(stream.Copy(y.data(), x.data(), 8));
  std::memset(x.data(), 2, 8);
  Finish(*device, stream);
  CHECK(y.bytes()[0] == 2);
}

// A producer refills a buffer that a consumer copies; each of the three waits is needed. True when the result is right.
bool PipelineIsRight(const Device& device) {
  const Stream producer = device.CreateStream().value(), consumer = device.CreateStream().value();
  const Memory buffer = device.Allocate(MemoryKind::kDevice, 64).value();
  const Memory results = device.Allocate(MemoryKind::kDevice, 3 * 64).value();
  const Event filled = device.CreateEvent().value(), taken = device.CreateEvent().value();
  for (uint8_t round = 0; round < 3; ++round) {
    GEEPS_CHECK_OK(producer.WaitFor("producer.taken", taken));
    GEEPS_CHECK_OK(producer.Fill(buffer.data(), round, 64));
    GEEPS_CHECK_OK(producer.Record(filled));
    GEEPS_CHECK_OK(consumer.WaitFor("consumer.filled", filled));
    GEEPS_CHECK_OK(consumer.Copy(results.bytes() + 64 * round, buffer.data(), 64));
    GEEPS_CHECK_OK(consumer.Record(taken));
  }
  GEEPS_CHECK_OK(taken.Wait("host.taken"));
  bool is_right = true;
  for (int i = 0; i < 3 * 64; ++i) is_right = is_right && results.bytes()[i] == i / 64;
  Finish(device, producer);
  Finish(device, consumer);
  return is_right;
}

std::vector<std::string> Schedules() {
  std::vector<std::string> specs = {"deferred:lazy", "deferred:eager"};
  for (int seed = 1; seed <= 100; ++seed) specs.push_back("deferred:seeded:" + std::to_string(seed));
  return specs;
}

TEST_CASE("Deferred device: with all its waits a pipeline is right under every schedule") {
  for (const std::string& spec : Schedules()) {
    CAPTURE(spec);
    CHECK(PipelineIsRight(*OpenDevice(spec)));
  }
}

TEST_CASE("Deferred device: each wait that is left out shows as wrong data under some schedule") {
  const auto recording = OpenDevice("deferred:lazy");
  recording->RecordWaitSites();
  CHECK(PipelineIsRight(*recording));
  const std::vector<std::string> sites = recording->WaitSites();
  REQUIRE(sites.size() == 4);
  for (const std::string& site : sites) {
    if (site == "test.finish") continue;
    CAPTURE(site);
    bool is_found = false;
    for (const std::string& spec : Schedules()) {
      const auto device = OpenDevice(spec);
      device->SkipWait(site);
      is_found = !PipelineIsRight(*device);
      CHECK(device->num_skipped_waits() > 0);
      if (is_found) break;
    }
    CHECK(is_found);
  }
}

TEST_CASE("Deferred device: memory given back under waiting work loses this device, and this one alone") {
  const auto device = OpenDevice("deferred:lazy"), other = OpenDevice("deferred:lazy");
  const Stream stream = device->CreateStream().value();
  const Event event = device->CreateEvent().value();
  Memory x = device->Allocate(MemoryKind::kDevice, 64).value();
  GEEPS_CHECK_OK(stream.Fill(x.data(), 1, 64));
  GEEPS_CHECK_OK(stream.Record(event));
  x.Reset();
  for (int i = 0; i < 2; ++i) {
    const absl::Status status = event.Wait("test");
    CHECK(DetailOf(status).code == Code::kDevice);
    CHECK(std::string(status.message()).find("64 bytes was given back while work in stream 1") != std::string::npos);
  }
  CHECK(!event.IsComplete().ok());
  CHECK(!stream.Record(event).ok());
  CHECK(!stream.Fill(nullptr, 0, 0).ok());
  CHECK(!device->CreateStream().ok());
  CHECK(!device->CreateEvent().ok());
  CHECK(!device->Allocate(MemoryKind::kDevice, 1).ok());
  geeps_status told = GEEPS_OK;
  GEEPS_CHECK_OK(event.Notify(
      "test", [](void* ctx, geeps_status status) { *static_cast<geeps_status*>(ctx) = status; }, &told));
  CHECK(told == GEEPS_E_DEVICE);
  CHECK(device->CurrentInfo().memory_used == 0);
  CHECK(PipelineIsRight(*other));
}

TEST_CASE("Deferred device: a notice under way when the device ends is given once") {
  struct Told {
    std::atomic<int> count{0};
    static void Call(void* ctx, geeps_status) { static_cast<Told*>(ctx)->count.fetch_add(1); }
  };
  for (const std::string& spec : Schedules()) {
    Told told;
    std::vector<uint8_t> target(1 << 16);
    {
      const auto device = OpenDevice(spec);
      const Stream stream = device->CreateStream().value();
      const Event event = device->CreateEvent().value();
      for (int i = 0; i < 20; ++i) GEEPS_CHECK_OK(stream.Fill(target.data(), 1, target.size()));
      GEEPS_CHECK_OK(stream.Record(event));
      GEEPS_CHECK_OK(event.Notify("test", Told::Call, &told));
    }
    CHECK(told.count.load() == 1);
  }
}

TEST_CASE("Deferred device: several threads use their own streams of one device") {
  for (const char* spec : {"deferred:lazy", "deferred:eager", "deferred:seeded:5"}) {
    const auto device = OpenDevice(spec);
    std::vector<std::thread> threads;
    std::atomic<int> num_right{0};
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 25; ++i) num_right.fetch_add(PipelineIsRight(*device));
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(num_right.load() == 100);
    CHECK(device->CurrentInfo().memory_used == 0);
  }
}

// Over this link a MiB takes a quarter of an hour in either direction.
constexpr const char* kSlowLink = "deferred:link:1KiB:1KiB:1000";

TEST_CASE("Modelled link: a copy takes its latency and its bytes' time, within the device neither") {
  const auto device = OpenDevice("deferred:link:256MiB:128MiB:100");
  CHECK(device->info().upload_bandwidth == 256 << 20);
  CHECK(device->info().download_bandwidth == 128 << 20);
  CHECK(device->info().link_latency_ns == 100000);
  CHECK(!device->is_host_accessible());
  CHECK(PipelineIsRight(*device));
  const Stream stream = device->CreateStream().value();
  constexpr uint64_t kBytes = 4 << 20;
  const Memory there = device->Allocate(MemoryKind::kDevice, 2 * kBytes).value();
  const Memory here = device->Allocate(MemoryKind::kPinned, 2 * kBytes).value();
  std::memset(here.data(), 5, kBytes);
  const auto begin = std::chrono::steady_clock::now();
  GEEPS_CHECK_OK(stream.Copy(there.data(), here.data(), kBytes));
  GEEPS_CHECK_OK(stream.Copy(there.bytes() + kBytes, there.data(), kBytes));
  GEEPS_CHECK_OK(stream.Copy(here.bytes() + kBytes, there.bytes() + kBytes, kBytes));
  Finish(*device, stream);
  const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  CHECK(ms >= 0.1 + 15.625 + 0.1 + 31.25);
  CHECK(std::memcmp(here.data(), here.bytes() + kBytes, kBytes) == 0);
}

TEST_CASE("Modelled link: one direction holds up neither the other nor the device") {
  for (const bool is_in_slow : {true, false}) {
    CAPTURE(is_in_slow);
    const auto device = OpenDevice(is_in_slow ? "deferred:link:1KiB:1GiB" : "deferred:link:1GiB:1KiB");
    const Stream slow = device->CreateStream().value(), fast = device->CreateStream().value();
    const Event slow_done = device->CreateEvent().value();
    const Memory there = device->Allocate(MemoryKind::kDevice, 2 << 20).value();
    const Memory here = device->Allocate(MemoryKind::kPinned, 2 << 20).value();
    uint8_t* const there_too = there.bytes() + (1 << 20);
    uint8_t* const here_too = here.bytes() + (1 << 20);
    const auto copy = [&](const Stream& stream, bool in, uint8_t* device_part, uint8_t* host_part) {
      GEEPS_CHECK_OK(in ? stream.Copy(device_part, host_part, 1 << 20) : stream.Copy(host_part, device_part, 1 << 20));
    };
    copy(slow, is_in_slow, there.bytes(), here.bytes());
    GEEPS_CHECK_OK(slow.Record(slow_done));
    GEEPS_CHECK_OK(fast.Fill(there_too, 7, 1 << 20));
    copy(fast, !is_in_slow, there_too, here_too);
    Finish(*device, fast);
    CHECK(!slow_done.IsComplete().value());
    CHECK(there_too[0] == here_too[0]);
    // The memory is given back under the copy, which does not go on.
  }
}

TEST_CASE("Modelled link: what reads before a copy is over sees poison, and nobody waits for the rest") {
  const auto device = OpenDevice(kSlowLink);
  const Memory there = device->Allocate(MemoryKind::kDevice, 2 << 20).value();
  const Memory here = device->Allocate(MemoryKind::kPinned, 2 << 20).value();
  std::memset(here.data(), 5, here.size());
  const Stream stream = device->CreateStream().value();
  GEEPS_CHECK_OK(stream.Copy(there.data(), here.data(), here.size()));
  CHECK(there.bytes()[there.size() - 1] == 0xff);
}

TEST_CASE("Modelled link: memory given back under copies that wait, or under the only one, loses the device") {
  for (const int num_copies : {1, 3}) {
    CAPTURE(num_copies);
    const auto device = OpenDevice(kSlowLink);
    const Stream stream = device->CreateStream().value();
    Memory there = device->Allocate(MemoryKind::kDevice, 1 << 20).value();
    const Memory here = device->Allocate(MemoryKind::kPinned, 1 << 20).value();
    const Event event = device->CreateEvent().value();
    for (int i = 0; i < num_copies; ++i) GEEPS_CHECK_OK(stream.Copy(there.data(), here.data(), there.size()));
    GEEPS_CHECK_OK(stream.Record(event));
    there.Reset();
    CHECK(DetailOf(event.Wait("test")).code == Code::kDevice);
    CHECK(device->CurrentInfo().memory_used == 0);
  }
}

}  // namespace
}  // namespace geeps::test
