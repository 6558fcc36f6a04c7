// SPDX-License-Identifier: Apache-2.0
// What the CUDA back end promises beyond the contract, on the fake driver: no waiting call on the per-clock path, the
// caller's context, streams of the embedder, several devices, what is left behind.
#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugins/cuda/table.h"
#include "tests/cuda/checked_table.h"
#include "tests/cuda/fake/api.h"
#include "tests/cuda/fake/fake.h"
#include "tests/cuda/harness.h"
#include "tests/support/entries.h"

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
namespace fake = geeps::fake::api;

const char* const kSchedules[] = {"lazy", "eager", "seeded:1", "seeded:2", "seeded:3"};

void Configure(const std::string& words) { REQUIRE(geeps_fake_configure(absl::StrCat("quiet=1 ", words).c_str())); }

void NothingIsWrong() {
  for (const std::string& finding : DriverFindings()) FAIL_CHECK(finding);
  for (const char* what : {"contexts", "streams", "events", "modules", "allocations", "pinned"}) {
    CAPTURE(what);
    CHECK(geeps_fake_living(what) == 0);
  }
}

// A step of the road as the runtime makes it: upload, gather, update, download, told by a notice.
class Clocks {
 public:
  explicit Clocks(const Device& device)
      : copies_(device.CreateStream().value()),
        work_(device.CreateStream().value()),
        host_(device.Allocate(MemoryKind::kPinned, kBytes).value()),
        gradients_(device.Allocate(MemoryKind::kDevice, kBytes).value()),
        gathered_(device.Allocate(MemoryKind::kDevice, kBytes).value()),
        pieces_(device.Allocate(MemoryKind::kDevice, 4 * kPieces).value()),
        values_(Upload(device, std::vector<float>(kRows * kRowValues, 1.0f))),
        uploaded_(device.CreateEvent().value()),
        updated_(device.CreateEvent().value()),
        index_(device.CreateIndex({{0, 32, 32}}, {{40, 1}, {50, 3}}, kRows, kRows).value()),
        one_row_(device.CreateIndex({{0, 0, 1}}, {}, 1, 1).value()) {}

  void RunOne() {
    GEEPS_CHECK_OK(copies_.WaitFor("test.updated", updated_));
    GEEPS_CHECK_OK(copies_.Fill(gradients_.data(), 0, kBytes));
    GEEPS_CHECK_OK(copies_.Copy(gradients_.data(), host_.data(), kBytes));
    GEEPS_CHECK_OK(copies_.Record(uploaded_));
    GEEPS_CHECK_OK(work_.WaitFor("test.uploaded", uploaded_));
    // So many moves that their description needs a buffer.
    std::vector<geeps_row_move> moves = {
        MakeRowMove(GEEPS_MOVE_COPY, GEEPS_F32, kRowValues, gathered_.data(), values_.data(), index_)};
    for (uint64_t i = 0; i < kPieces; ++i) {
      moves.push_back(MakeRowMove(GEEPS_MOVE_COPY, GEEPS_U8, 4, pieces_.bytes() + 4 * i, values_.data(), one_row_));
    }
    GEEPS_CHECK_OK(work_.MoveRows(moves));
    geeps_apply apply = MakeApply();
    const geeps_apply_segment segment = {0, kRows, 0, 1};
    const geeps_apply_input input = {gradients_.data(), 0, 0};
    apply.rule = GEEPS_RULE_ADD;
    apply.dtype = apply.input_dtype = GEEPS_F32;
    apply.reduce = GEEPS_REDUCE_SUM;
    apply.num_rows = kRows;
    apply.row_values = kRowValues;
    apply.values_in = apply.values_out = values_.data();
    apply.segments = &segment;
    apply.num_segments = apply.num_inputs = 1;
    apply.inputs = &input;
    GEEPS_CHECK_OK(work_.Apply({apply}));
    GEEPS_CHECK_OK(work_.Record(updated_));
    GEEPS_CHECK_OK(updated_.Notify("test.told", &Clocks::Tell, this));
  }
  void WaitForNotices(int wanted) {
    while (num_told_.load() < wanted) std::this_thread::yield();  // the test's limit ends this
  }
  void SetGradients(float value) { std::fill_n(static_cast<float*>(host_.data()), kRows * kRowValues, value); }
  std::vector<float> Values(const Device& device) { return Download<float>(device, work_, values_); }

 private:
  static constexpr uint64_t kRows = 64;
  static constexpr uint64_t kRowValues = 8;
  static constexpr uint64_t kPieces = 150;
  static constexpr uint64_t kBytes = kRows * kRowValues * sizeof(float);
  static void Tell(void* self, geeps_status /*status*/) { static_cast<Clocks*>(self)->num_told_.fetch_add(1); }

  Stream copies_, work_;
  Memory host_, gradients_, gathered_, pieces_, values_;
  Event uploaded_, updated_;
  RowIndex index_, one_row_;
  std::atomic<int> num_told_{0};
};

TEST_CASE("CUDA back end: in the steady state no call waits, allocates, or makes anything") {
  const char* const not_on_the_path[] = {
      "cuStreamSynchronize", "cuEventSynchronize",  "cuMemAlloc_v2",      "cuMemFree_v2",  "cuMemHostAlloc",
      "cuMemFreeHost",       "cuStreamCreate",      "cuStreamDestroy_v2", "cuEventCreate", "cuEventDestroy_v2",
      "cuModuleLoadData",    "cuModuleGetFunction", "cuMemGetInfo_v2"};
  for (const char* schedule : kSchedules) {
    CAPTURE(std::string(schedule));
    Configure(absl::StrCat("schedule=", schedule));
    {
      const auto device = OpenCuda().value();
      Clocks clocks(*device);
      clocks.SetGradients(0.5f);
      clocks.RunOne();
      clocks.RunOne();
      clocks.WaitForNotices(2);
      std::vector<uint64_t> before;
      for (const char* name : not_on_the_path) before.push_back(geeps_fake_count(name));
      for (int clock = 0; clock < 30; ++clock) {
        clocks.RunOne();
        clocks.WaitForNotices(3 + clock);
      }
      // Two copies a clock: the upload, and the description of the moves.
      CHECK(geeps_fake_count("cuMemcpyAsync") >= 2 * 30);
      for (size_t i = 0; i < before.size(); ++i) {
        CAPTURE(std::string(not_on_the_path[i]));
        CHECK(geeps_fake_count(not_on_the_path[i]) == before[i]);
      }
      CHECK(clocks.Values(*device)[0] == 1.0f + 32 * 0.5f);
      CHECK(geeps_fake_count("legacy") == 0);
    }
    NothingIsWrong();
  }
}

TEST_CASE("CUDA back end: every call leaves the caller's context current, and with none, none") {
  for (const bool has_context : {false, true}) {
    CAPTURE(has_context);
    Configure("devices=2 schedule=seeded:9");
    cuda::Context context = nullptr;
    REQUIRE(fake::FakeInit(0) == 0);
    REQUIRE(fake::FakeDevicePrimaryCtxRetain(&context, 1) == 0);
    if (has_context) REQUIRE(fake::FakeCtxPushCurrent(context) == 0);
    UseTable(CheckedTable(cuda::DeviceTable()));
    for (const ContractCase& contract_case : AllCases()) {
      CAPTURE(contract_case.name);
      const auto device = OpenCuda().value();
      contract_case.run(*device, 3);
    }
    UseTable(nullptr);
    CHECK(NumCheckedCalls() > 1000);
    CHECK(NumChangedContexts() == 0);
    if (has_context) CHECK(fake::FakeCtxPopCurrent(nullptr) == 0);
    CHECK(fake::FakeDevicePrimaryCtxRelease(1) == 0);
    NothingIsWrong();
  }
}

TEST_CASE(
    "CUDA back end: work joins the order of an embedder's stream, the legacy default stream and handle 0 included") {
  for (const char* schedule : kSchedules) {
    for (const int kind : {0, 1, 2}) {
      CAPTURE(std::string(schedule));
      CAPTURE(kind);
      Configure(absl::StrCat("schedule=", schedule));
      {
        const auto device = OpenCuda().value();
        const Memory x = device->Allocate(MemoryKind::kDevice, 64).value();
        cuda::Context context = nullptr;
        REQUIRE(fake::FakeDevicePrimaryCtxRetain(&context, 0) == 0);
        REQUIRE(fake::FakeCtxPushCurrent(context) == 0);
        cuda::NativeStream native = nullptr;  // kind 0: the legacy default stream
        if (kind > 0) REQUIRE(fake::FakeStreamCreate(&native, kind == 1 ? 0 : cuda::kStreamNonBlocking) == 0);
        {
          const Stream wrapped = device->WrapStream(reinterpret_cast<uintptr_t>(native)).value();
          const Event done = device->CreateEvent().value();
          const auto memory = reinterpret_cast<uintptr_t>(x.data());
          CHECK(fake::FakeMemsetD8Async(memory, 1, 64, native) == 0);
          GEEPS_CHECK_OK(wrapped.Fill(x.bytes() + 16, 2, 32));
          CHECK(fake::FakeMemsetD8Async(memory + 32, 3, 8, native) == 0);
          const std::vector<uint8_t> bytes = Download<uint8_t>(*device, wrapped, x);
          CHECK(bytes[0] == 1);
          CHECK(bytes[16] == 2);
          CHECK(bytes[32] == 3);
          CHECK(bytes[40] == 2);
          CHECK(bytes[63] == 1);
        }
        CHECK(geeps_fake_count("legacy") == (kind == 0 ? 6 : 0));  // with its last mark
        if (kind > 0) CHECK(fake::FakeStreamDestroy(native) == 0);
        CHECK(fake::FakeCtxPopCurrent(nullptr) == 0);
        CHECK(fake::FakeDevicePrimaryCtxRelease(0) == 0);
      }
      NothingIsWrong();
    }
  }
}

TEST_CASE("CUDA back end: several devices and several users of one work side by side, on threads of their own") {
  for (const char* schedule : kSchedules) {
    CAPTURE(std::string(schedule));
    Configure(absl::StrCat("devices=2 schedule=", schedule));
    {
      std::vector<std::unique_ptr<Device>> devices;
      for (const int device_id : {0, 1, 0, 1}) devices.push_back(OpenCuda(device_id).value());
      CHECK(geeps_fake_living("contexts") == 2);
      std::vector<std::thread> threads;
      std::atomic<int> num_right{0};
      for (const auto& device : devices) {
        threads.emplace_back([&] {
          Clocks clocks(*device);
          clocks.SetGradients(0.25f);
          for (int clock = 0; clock < 10; ++clock) clocks.RunOne();
          clocks.WaitForNotices(10);
          num_right.fetch_add(clocks.Values(*device)[9] == 3.5f);
        });
      }
      for (std::thread& thread : threads) thread.join();
      CHECK(num_right == 4);
    }
    NothingIsWrong();
  }
}

TEST_CASE("CUDA back end: fifty lives leave no memory, no descriptor, no thread behind") {
  Configure("schedule=eager");
  int num_files = 0, num_threads = 0;
  for (int life = 0; life < 50; ++life) {
    {
      const auto device = OpenCuda().value();
      Clocks clocks(*device);
      clocks.SetGradients(1.0f);
      for (int clock = 0; clock < 3; ++clock) clocks.RunOne();
      clocks.WaitForNotices(3);
      CHECK(clocks.Values(*device)[0] == 4.0f);
      CHECK(device->CurrentInfo().memory_used > 0);
    }
    NothingIsWrong();
    if (life == 0) num_files = test::NumDescriptors(), num_threads = test::NumThreads();
  }
  CHECK(test::NumDescriptors() == num_files);
  CHECK(test::NumThreads() == num_threads);
}

TEST_CASE("CUDA back end: when no memory can be pinned everything works with ordinary memory") {
  for (const char* schedule : kSchedules) {
    for (const ContractCase& contract_case : AllCases()) {
      CAPTURE(std::string(schedule));
      CAPTURE(contract_case.name);
      for (const std::string& wrong : RunOnFake(contract_case, 4, absl::StrCat("pinned=0 schedule=", schedule))) {
        FAIL_CHECK(wrong);
      }
    }
  }
}

TEST_CASE("CUDA back end: device memory that runs out is a status with the bytes wanted and free") {
  Configure("memory=1m");
  {
    const auto device = OpenCuda(0, 0).value();
    const Memory most = device->Allocate(MemoryKind::kDevice, 1000 << 10).value();
    const auto more = device->Allocate(MemoryKind::kDevice, 50000);
    REQUIRE(!more.ok());
    CHECK(DetailOf(more.status()).code == Code::kNoMemory);
    const std::string text(more.status().message());
    CAPTURE(text);
    CHECK(text.find("50000 bytes") != std::string::npos);
    CHECK(text.find(absl::StrCat((1 << 20) - (1000 << 10))) != std::string::npos);
    CHECK(device->Allocate(MemoryKind::kDevice, 1000).ok());
  }
  NothingIsWrong();
}

}  // namespace
}  // namespace geeps::test
