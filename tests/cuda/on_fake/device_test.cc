// SPDX-License-Identifier: Apache-2.0
// What the CUDA back end promises beyond the contract of all back ends, on the fake driver.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "plugins/cuda/driver.h"
#include "plugins/cuda/table.h"
#include "runtime/base/status.h"
#include "tests/cuda/fake/api.h"
#include "tests/cuda/fake/fake.h"
#include "tests/cuda/harness.h"
#include "tests/cuda/on_fake/program.h"

namespace geeps::test {
namespace {

using device::Device;
using device::Event;
using device::Memory;
using device::MemoryKind;
using device::Stream;

constexpr const char* kSchedules[] = {"lazy", "eager", "seeded:1", "seeded:2", "seeded:3"};

void Configure(const std::string& words) { REQUIRE(geeps_fake_configure(absl::StrCat("quiet=1 ", words).c_str())); }

void CheckClean() {
  for (const std::string& finding : DriverFindings()) FAIL_CHECK(finding);
  for (const char* what : {"contexts", "streams", "events", "modules", "allocations", "pinned"}) {
    CHECK_MESSAGE(geeps_fake_living(what) == 0, std::string(what));
  }
}

struct Notice {
  std::atomic<int> count{0};
  std::atomic<geeps_status> last{GEEPS_AGAIN};
  static void Call(void* ctx, geeps_status status) {
    Notice* const notice = static_cast<Notice*>(ctx);
    notice->last = status;
    notice->count.fetch_add(1);
  }
  // False when it does not come within half a minute.
  bool Wait() const {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (count == 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    return count > 0;
  }
};

// A host function in a stream of the driver's own that waits until the test lets go: what comes after it is held up.
class Gate {
 public:
  ~Gate() { Open(); }
  void Open() { is_open_ = true; }
  // At the end of a stream of device 0.
  void Put(const Stream& stream) {
    const auto native = reinterpret_cast<cuda::NativeStream>(static_cast<uintptr_t>(stream.NativeHandle().value()));
    cuda::Context context = nullptr;
    REQUIRE(fake::api::FakeDevicePrimaryCtxRetain(&context, 0) == cuda::kSuccess);
    REQUIRE(fake::api::FakeCtxPushCurrent(context) == cuda::kSuccess);
    REQUIRE(fake::api::FakeLaunchHostFunc(native, &Gate::Pass, this) == cuda::kSuccess);
    REQUIRE(fake::api::FakeCtxPopCurrent(&context) == cuda::kSuccess);
    REQUIRE(fake::api::FakeDevicePrimaryCtxRelease(0) == cuda::kSuccess);
  }

 private:
  static void Pass(void* self) {
    while (!static_cast<Gate*>(self)->is_open_) std::this_thread::yield();
  }

  std::atomic<bool> is_open_{false};
};

TEST_CASE("CUDA device: a notice comes when the context breaks while nobody calls") {
  Configure("devices=2 schedule=eager");
  Notice notice;
  Gate gate;
  {
    const auto device = OpenCuda(0).value(), other = OpenCuda(1).value();
    const Stream stream = device->CreateStream().value();
    const Event event = device->CreateEvent().value();
    gate.Put(stream);
    GEEPS_CHECK_OK(stream.Record(event));
    GEEPS_CHECK_OK(event.Notify("test.notice", Notice::Call, &notice));
    CHECK(notice.count == 0);
    geeps_fake_break(0, cuda::kIllegalAddress);
    CHECK(notice.Wait());
    CHECK(notice.last == GEEPS_E_DEVICE);
    gate.Open();
    // Every call has the same cause; that one was noticed while notices were awaited.
    const std::string cause =
        "device 0 (Fake GPU) is lost: cuStreamQuery, while notices were awaited: "
        "CUDA_ERROR_ILLEGAL_ADDRESS";
    for (const absl::Status& status :
         {event.Wait("test"), event.IsComplete().status(), stream.Record(event), stream.Fill(nullptr, 0, 0),
          stream.WaitFor("test", event), device->CreateStream().status(), device->CreateEvent().status(),
          device->Allocate(MemoryKind::kPinned, 1).status(), device->CreateIndex({}, {}, 0, 0).status()}) {
      CHECK(DetailOf(status).code == Code::kDevice);
      CHECK_MESSAGE(std::string(status.message()).find(cause) == 0, status.ToString());
    }
    Notice after;
    GEEPS_CHECK_OK(event.Notify("test.after", Notice::Call, &after));
    CHECK(after.last == GEEPS_E_DEVICE);
    CHECK(device->CurrentInfo().memory_bytes > 0);
    CHECK(other->CreateStream().ok());
  }
  CHECK(notice.count == 1);
  CheckClean();
}

TEST_CASE("CUDA device: a notice that is open when the device ends is given once") {
  for (const std::string schedule : kSchedules) {
    CAPTURE(schedule);
    Configure("schedule=" + schedule);
    std::vector<Notice> notices(20);
    std::vector<uint8_t> target(4096);
    {
      const auto device = OpenCuda().value();
      const Stream stream = device->CreateStream().value();
      const Event event = device->CreateEvent().value();
      const Memory memory = device->Allocate(MemoryKind::kDevice, target.size()).value();
      for (Notice& notice : notices) {
        GEEPS_CHECK_OK(stream.Copy(target.data(), target.data() + 2048, 2048));
        GEEPS_CHECK_OK(stream.Record(event));
        GEEPS_CHECK_OK(event.Notify("test", Notice::Call, &notice));
      }
    }
    for (const Notice& notice : notices) {
      CHECK(notice.count == 1);
      CHECK((notice.last == GEEPS_OK || notice.last == GEEPS_E_CANCELLED));
    }
    CheckClean();
  }
}

TEST_CASE("CUDA device: destroy gives an open notice as cancelled before it waits for the work") {
  Configure("schedule=eager");
  Notice notice;
  Gate gate;
  const auto owner = OpenCuda().value();  // of memory that outlives the other device's work
  const Memory memory = owner->Allocate(MemoryKind::kDevice, 64).value();
  auto device = OpenCuda().value();
  {
    const Stream stream = device->CreateStream().value();
    const Event event = device->CreateEvent().value();
    gate.Put(stream);
    GEEPS_CHECK_OK(stream.Fill(memory.data(), 7, 64));
    GEEPS_CHECK_OK(stream.Record(event));
    GEEPS_CHECK_OK(event.Notify("test", Notice::Call, &notice));
  }
  std::thread ender([&device] { device.reset(); });
  CHECK(notice.Wait());
  CHECK(notice.last == GEEPS_E_CANCELLED);
  gate.Open();
  ender.join();
  CHECK(notice.count == 1);
  CHECK(geeps_fake_count("fills") == 1);  // it was not dropped
  const Stream stream = owner->CreateStream().value();
  CHECK(Download<uint8_t>(*owner, stream, memory) == std::vector<uint8_t>(64, 7));
  for (const std::string& finding : DriverFindings()) FAIL_CHECK(finding);
}

TEST_CASE("CUDA device: without pinned memory everything has the same result, and one line says so") {
  for (const std::string schedule : kSchedules) {
    for (const ContractCase& contract_case : AllCases()) {
      CAPTURE(schedule);
      CAPTURE(contract_case.name);
      for (const std::string& wrong : RunOnFake(contract_case, 1, absl::StrCat("pinned=0 schedule=", schedule))) {
        FAIL_CHECK(wrong);
      }
    }
  }
  Configure("pinned=0 schedule=eager");
  const Seen seen = RunProgram(0);
  CHECK_MESSAGE(seen.status.ok(), seen.status.ToString());
  CheckClean();
}

TEST_CASE("CUDA device: what is current on the caller's thread stays, whatever the calls do") {
  Configure("devices=2 schedule=eager");
  cuda::Context mine = nullptr;
  REQUIRE(fake::api::FakeDevicePrimaryCtxRetain(&mine, 1) == cuda::kSuccess);
  REQUIRE(fake::api::FakeCtxPushCurrent(mine) == cuda::kSuccess);
  uint64_t depth = 0;
  const auto is_mine = [&] { return geeps_fake_current_context(&depth) == mine && depth == 1; };
  for (const int device_id : {0, 1, 2}) {
    const Seen seen = RunProgram(device_id);
    CHECK(seen.status.ok() == (device_id < 2));
    CHECK(is_mine());
  }
  {
    const auto device = OpenCuda(0).value();
    const Stream stream = device->CreateStream().value();
    CHECK(!stream.Copy(nullptr, &depth, 1).ok());
    CHECK(is_mine());
    const absl::Status foreign = device->WrapStream(12345).status();
    CHECK(DetailOf(foreign).code == Code::kInvalid);
    CHECK(foreign.message().find("12345") != std::string::npos);
    CHECK(DriverFindings().size() == 1);  // the driver's own complaint
    geeps_fake_clear_findings();
    CHECK(is_mine());
    CHECK(!device->Allocate(MemoryKind::kDevice, ~0ull).ok());
    CHECK(is_mine());
    geeps_fake_break(0, cuda::kIllegalAddress);
    CHECK(!device->CreateStream().ok());
    CHECK(is_mine());
  }
  CHECK(is_mine());
  CHECK(fake::api::FakeCtxPopCurrent(&mine) == cuda::kSuccess);
  CHECK(fake::api::FakeDevicePrimaryCtxRelease(1) == cuda::kSuccess);
  CheckClean();
}

TEST_CASE("CUDA device: several threads on two devices, two of them on one, do not disturb each other") {
  for (const std::string schedule : kSchedules) {
    CAPTURE(schedule);
    Configure("devices=2 schedule=" + schedule);
    std::vector<Seen> seen(4);
    std::vector<std::thread> threads;
    for (size_t t = 0; t < seen.size(); ++t) {
      threads.emplace_back([&seen, t] {
        for (int i = 0; i < 5 && seen[t].status.ok() && seen[t].wrong.empty(); ++i) {
          seen[t] = RunProgram(static_cast<int>(t % 2));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const Seen& one : seen) {
      CHECK_MESSAGE(one.status.ok(), one.status.ToString());
      for (const std::string& wrong : one.wrong) FAIL_CHECK(wrong);
    }
    CheckClean();
  }
}

TEST_CASE("CUDA device: list and info tell what the driver tells") {
  Configure("devices=3 memory=2g schedule=eager");
  std::vector<geeps_dev_info> infos(3);
  for (geeps_dev_info& info : infos) info.struct_size = sizeof(info);
  uint64_t num = 0;
  CHECK(cuda::DeviceTable()->list(nullptr, infos.data(), sizeof(geeps_dev_info), 2, &num, nullptr) == GEEPS_OK);
  CHECK(num == 3);
  CHECK(infos[1].device_id == 1);
  CHECK(infos[1].mem_kind == GEEPS_MEM_CUDA);
  CHECK(infos[1].flags == 0);
  CHECK(infos[1].memory_bytes == 2ull << 30);
  CHECK(infos[2].memory_bytes == 0);  // beyond cap
  const auto device = OpenCuda(2, 1000).value();
  CHECK(device->info().device_id == 2);
  CHECK(device->info().memory_bytes == 1000);
  CHECK(std::string(device->info().name) == std::string(infos[0].name));
  const Memory memory = device->Allocate(MemoryKind::kDevice, 600).value();
  CHECK(device->CurrentInfo().memory_used == 600);
  const auto second = device->Allocate(MemoryKind::kDevice, 401);
  REQUIRE(!second.ok());
  CHECK(second.status().message() == "401 bytes of device memory wanted, 400 of 1000 are free");
}

}  // namespace
}  // namespace geeps::test
