// SPDX-License-Identifier: Apache-2.0
// A CUDA device that is lost, on the fake driver: the first cause for everybody, notices once, others go on.
#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/cuda/fake/fake.h"
#include "tests/cuda/harness.h"

namespace geeps::test {
namespace {

using device::Device;
using device::Event;
using device::Memory;
using device::MemoryKind;
using device::Stream;

const char* const kSchedules[] = {"lazy", "eager", "seeded:1", "seeded:2", "seeded:3", "seeded:4", "seeded:5"};

struct Told {
  std::atomic<int> num{0};
  std::atomic<int> num_lost{0};
  static void Call(void* ctx, geeps_status status) {
    Told* const self = static_cast<Told*>(ctx);
    if (status == GEEPS_E_DEVICE) self->num_lost.fetch_add(1);
    self->num.fetch_add(1);
  }
};

void IsLost(const absl::Status& status, const std::string& cause) {
  CAPTURE(status.ToString());
  CHECK(DetailOf(status).code == Code::kDevice);
  CHECK(std::string(status.message()).find(cause) != std::string::npos);
}

TEST_CASE("CUDA back end: a lost device gives the first cause to every call, its notices once; another goes on") {
  for (const char* schedule : kSchedules) {
    CAPTURE(std::string(schedule));
    REQUIRE(geeps_fake_configure(absl::StrCat("quiet=1 devices=2 break=7:719 schedule=", schedule).c_str()));
    {
      const auto device = OpenCuda(0).value(), other = OpenCuda(1).value();
      Told told;
      {
        const Stream a = device->CreateStream().value(), b = device->CreateStream().value();
        const Memory x = device->Allocate(MemoryKind::kDevice, 64).value();
        const Event first = device->CreateEvent().value(), second = device->CreateEvent().value();
        for (int i = 0; i < 20; ++i) {
          if (!a.Fill(x.data(), 1, 64).ok()) break;  // known by now
        }
        // Asked for before the loss is known, or behind it: told in any case.
        const absl::Status recorded = a.Record(first);
        GEEPS_CHECK_OK(first.Notify("test", Told::Call, &told));
        if (b.WaitFor("test", first).ok()) (void)b.Record(second).ok();
        GEEPS_CHECK_OK(second.Notify("test", Told::Call, &told));
        // Without a record that succeeded the event is complete.
        if (recorded.ok()) IsLost(first.Wait("test"), "CUDA_ERROR_LAUNCH_FAILED");
        geeps_fake_break(0, 700);
        for (int i = 0; i < 2; ++i) IsLost(a.Fill(x.data(), 1, 64), "CUDA_ERROR_LAUNCH_FAILED");
        IsLost(b.Copy(x.data(), x.bytes() + 32, 8), "CUDA_ERROR_LAUNCH_FAILED");
        IsLost(device->Allocate(MemoryKind::kDevice, 8).status(), "CUDA_ERROR_LAUNCH_FAILED");
        IsLost(device->CreateStream().status(), "CUDA_ERROR_LAUNCH_FAILED");
        IsLost(device->CreateEvent().status(), "CUDA_ERROR_LAUNCH_FAILED");
        while (told.num < 2) std::this_thread::yield();  // the test's limit ends this
        GEEPS_CHECK_OK(first.Notify("test", Told::Call, &told));
        CHECK(told.num == 3);
        CHECK(told.num_lost >= 1);
      }
      const Memory y = Upload(*other, std::vector<uint8_t>(64, 5));
      const Stream stream = other->CreateStream().value();
      CHECK(Download<uint8_t>(*other, stream, y) == std::vector<uint8_t>(64, 5));
      CHECK(told.num == 3);
    }
    for (const std::string& finding : DriverFindings()) FAIL_CHECK(finding);
    CHECK(geeps_fake_living("contexts") == 0);
    // The same device can be had again when everybody has let go of it.
    REQUIRE(geeps_fake_configure("quiet=1 devices=2"));
    const auto again = OpenCuda(0).value();
    CHECK(Upload(*again, std::vector<uint8_t>(8, 1)).size() == 8);
  }
}

TEST_CASE("CUDA back end: notices come although nobody else asks a lost device anything") {
  for (const char* schedule : kSchedules) {
    CAPTURE(std::string(schedule));
    REQUIRE(geeps_fake_configure(absl::StrCat("quiet=1 schedule=", schedule).c_str()));
    const auto device = OpenCuda().value();
    const Stream stream = device->CreateStream().value();
    const Memory x = device->Allocate(MemoryKind::kDevice, 64).value();
    const Event event = device->CreateEvent().value();
    Told told;
    GEEPS_CHECK_OK(stream.Fill(x.data(), 1, 64));
    GEEPS_CHECK_OK(stream.Record(event));
    GEEPS_CHECK_OK(event.Notify("test", Told::Call, &told));
    geeps_fake_break(0, 700);
    while (told.num < 1) std::this_thread::yield();  // the test's limit ends this
    CHECK(told.num == 1);
  }
}

TEST_CASE("CUDA back end: a device that ends with notices due gives each once") {
  for (const char* schedule : kSchedules) {
    CAPTURE(std::string(schedule));
    REQUIRE(geeps_fake_configure(absl::StrCat("quiet=1 schedule=", schedule).c_str()));
    Told told;
    {
      const auto device = OpenCuda().value();
      const Memory x = device->Allocate(MemoryKind::kDevice, 4096).value();
      const Stream stream = device->CreateStream().value();
      const Event event = device->CreateEvent().value();
      for (int i = 0; i < 20; ++i) {
        GEEPS_CHECK_OK(stream.Fill(x.data(), 1, 4096));
        GEEPS_CHECK_OK(stream.Record(event));
        GEEPS_CHECK_OK(event.Notify("test", Told::Call, &told));
      }
      GEEPS_CHECK_OK(event.Wait("test"));
    }
    CHECK(told.num == 20);
    CHECK(told.num_lost == 0);
    for (const std::string& finding : DriverFindings()) FAIL_CHECK(finding);
  }
}

}  // namespace
}  // namespace geeps::test
