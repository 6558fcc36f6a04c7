// SPDX-License-Identifier: Apache-2.0
// What the fake driver finds: races, memory used outside of its bounds or life, host code that touches what it cannot.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "tests/cuda/fake/session.h"

namespace geeps::fake {
namespace {

using namespace api;  // NOLINT: the functions under test
using cuda::kIllegalAddress;
using cuda::kInvalidHandle;
using cuda::kInvalidValue;
using cuda::kSuccess;

// A copy behind a fill in another stream; true when an event orders them.
void FillThenCopy(Session* session, bool is_ordered) {
  const auto a = session->NewStream(), b = session->NewStream();
  const auto event = session->NewEvent();
  const auto x = session->NewMemory(64), y = session->NewMemory(64);
  CHECK(FakeMemsetD8Async(x, 1, 64, a) == kSuccess);
  CHECK(FakeEventRecord(event, a) == kSuccess);
  if (is_ordered) CHECK(FakeStreamWaitEvent(b, event, 0) == kSuccess);
  CHECK(FakeMemcpyAsync(y, x + 60, 4, b) == kSuccess);
  CHECK(FakeStreamSynchronize(b) == kSuccess);
  CHECK(FakeStreamSynchronize(a) == kSuccess);
}

TEST_CASE("Fake CUDA: a race is told under every schedule, and none where an event orders") {
  for (const std::string& schedule : Schedules()) {
    CAPTURE(schedule);
    Session session("schedule=" + schedule);
    FillThenCopy(&session, true);
    CHECK(Findings().empty());
    FillThenCopy(&session, false);
    CHECK(FoundOnly("over 4 bytes of allocation 3 (64 bytes of device memory of device 0): no event or wait orders"));
  }
}

TEST_CASE("Fake CUDA: two readers do not race, waits of the host order, neighbours do not race") {
  for (const std::string& schedule : Schedules()) {
    CAPTURE(schedule);
    Session session("schedule=" + schedule);
    const auto a = session.NewStream(), b = session.NewStream();
    const auto x = session.NewMemory(64), y = session.NewMemory(64), z = session.NewMemory(64);
    CHECK(FakeMemcpyAsync(y, x, 64, a) == kSuccess);
    CHECK(FakeMemcpyAsync(z, x, 64, b) == kSuccess);
    CHECK(FakeStreamSynchronize(a) == kSuccess);
    CHECK(FakeMemsetD8Async(y, 1, 64, b) == kSuccess);
    CHECK(FakeStreamSynchronize(b) == kSuccess);
    CHECK(FakeMemsetD8Async(x, 1, 32, a) == kSuccess);
    CHECK(FakeMemsetD8Async(x + 32, 1, 32, b) == kSuccess);
  }
}

TEST_CASE("Fake CUDA: a host access to pinned memory that a copy still uses shows as wrong data when lazy") {
  Session session("schedule=lazy");
  const auto stream = session.NewStream();
  const auto x = session.NewMemory(1);
  uint8_t* const pinned = session.NewPinned(1);
  *pinned = 1;
  CHECK(FakeMemcpyAsync(x, AddressOf(pinned), 1, stream) == kSuccess);
  *pinned = 2;  // early
  CHECK(Read(&session, x, 1, stream)[0] == 2);
}

TEST_CASE("Fake CUDA: memory freed while work uses it, freed twice, or not at its beginning is found") {
  for (const std::string& schedule : Schedules()) {
    CAPTURE(schedule);
    Session session("schedule=" + schedule);
    const auto stream = session.NewStream();
    const auto x = session.NewMemory(64);
    uint8_t* const pinned = session.NewPinned(64);
    session.Disown(x);
    CHECK(FakeMemFree(x + 1) == kInvalidValue);
    CHECK(FoundOnly("lies in allocation 1"));
    CHECK(FakeMemsetD8Async(x, 1, 64, stream) == kSuccess);
    CHECK(FakeStreamSynchronize(stream) == kSuccess);
    CHECK(FakeMemFree(x) == kSuccess);
    CHECK(FakeMemFree(x) == kInvalidValue);
    CHECK(FoundOnly("lies in allocation 1 (64 bytes of device memory of device 0), which was freed"));
    CHECK(FakeMemsetD8Async(x, 1, 64, stream) == kInvalidValue);
    CHECK(FoundOnly("the target of 64 bytes lies in allocation 1"));
    session.Disown(pinned);
    const auto y = session.NewMemory(64);
    CHECK(FakeMemcpyAsync(y, AddressOf(pinned), 64, stream) == kSuccess);
    CHECK(FakeMemFreeHost(pinned) == kSuccess);
    const auto findings = Findings();
    REQUIRE(findings.size() >= 1);
    CHECK(findings[0].find("cuMemFreeHost: allocation 2 (64 bytes of pinned memory) is freed") == 0);
    FakeStreamSynchronize(stream);
    geeps_fake_clear_findings();
  }
}

TEST_CASE("Fake CUDA: copies and fills out of bounds, of no memory, overlapping, and of destroyed handles are found") {
  Session session("");
  const auto stream = session.NewStream();
  const auto x = session.NewMemory(64);
  CHECK(FakeMemsetD8Async(x + 1, 1, 64, stream) == kInvalidValue);
  CHECK(FoundOnly("the target of 64 bytes ends 1 bytes behind allocation 1"));
  CHECK(FakeMemcpyAsync(x, 4096, 8, stream) == kInvalidValue);
  CHECK(FoundOnly("the source of 8 bytes is no memory of this process"));
  CHECK(FakeMemcpyAsync(x, x + 4, 8, stream) == kSuccess);
  CHECK(FoundOnly("source and target overlap: 8 bytes, 4 bytes apart"));
  uint8_t ordinary[8] = {};
  CHECK(FakeMemsetD8Async(AddressOf(ordinary), 1, 8, stream) == kInvalidValue);
  CHECK(FoundOnly("the target of 8 bytes is ordinary memory"));
  CHECK(FakeMemcpyAsync(x, AddressOf(ordinary), 8, stream) == kSuccess);
  CHECK(FakeStreamSynchronize(stream) == kSuccess);
  CHECK(FakeStreamDestroy(stream) == kSuccess);
  session.Disown(stream);
  CHECK(FakeStreamSynchronize(stream) == kInvalidHandle);
  CHECK(FoundOnly("is not there, or not any more"));
  cuda::NativeEvent event = nullptr;
  CHECK(FakeEventRecord(event, nullptr) == kInvalidHandle);
  CHECK(FoundOnly("cuEventRecord: event 0 is not there"));
}

// Adds 1 to every byte of the table's range; the table holds first address and size.
void AddOne(const uint8_t* table, uint64_t /*scratch*/, uint32_t num_blocks, uint32_t num_threads) {
  uint64_t range[2];
  std::memcpy(range, table, sizeof(range));
  CHECK(num_blocks * num_threads == 64);
  for (uint64_t i = 0; i < range[1]; ++i) {
    const uint8_t value = *static_cast<uint8_t*>(geeps_fake_address(range[0] + i, 1, false));
    *static_cast<uint8_t*>(geeps_fake_address(range[0] + i, 1, true)) = static_cast<uint8_t>(value + 1);
  }
}

struct Kernels {
  Kernels() {
    geeps_fake_add_kernel("add_one", &AddOne);
    REQUIRE(FakeModuleLoadData(&module, "image") == kSuccess);
    REQUIRE(FakeModuleGetFunction(&with_address, module, "add_one") == kSuccess);
    REQUIRE(FakeModuleGetFunction(&with_value, module, "add_one_inline") == kSuccess);
  }
  ~Kernels() { CHECK(FakeModuleUnload(module) == kSuccess); }
  cuda::Module module = nullptr;
  cuda::Function with_address = nullptr;
  cuda::Function with_value = nullptr;
};

int LaunchInline(cuda::Function function, cuda::DevicePointer first, uint64_t bytes, cuda::NativeStream stream) {
  std::vector<uint8_t> table(3840);
  const uint64_t range[2] = {first, bytes};
  std::memcpy(table.data(), range, sizeof(range));
  uint64_t scratch = 0;
  void* parameters[] = {table.data(), &scratch};
  return FakeLaunchKernel(function, 2, 1, 1, 32, 1, 1, 0, stream, parameters, nullptr);
}

// bytes [first, first + num) += addend; three parameters of three sizes.
void AddToRange(void* const* parameters, uint32_t num_blocks, uint32_t num_threads) {
  CHECK(num_blocks * num_threads == 64);
  uint64_t first = 0;
  uint32_t num = 0;
  uint8_t addend = 0;
  std::memcpy(&first, parameters[0], sizeof first);
  std::memcpy(&num, parameters[1], sizeof num);
  std::memcpy(&addend, parameters[2], sizeof addend);
  const auto* const from = static_cast<const uint8_t*>(geeps_fake_address(first, num, false));
  auto* const to = static_cast<uint8_t*>(geeps_fake_address(first, num, true));
  for (uint32_t i = 0; i < num; ++i) to[i] = static_cast<uint8_t>(from[i] + addend);
}

TEST_CASE("Fake CUDA: a program's kernel runs with copies of its parameters, and its accesses are judged") {
  constexpr uint32_t kSizes[] = {8, 4, 1};
  const geeps_fake_program_kernel kernel = {"add_to_range", kSizes, 3, &AddToRange};
  geeps_fake_add_program_kernel(&kernel);
  for (const std::string& schedule : Schedules()) {
    CAPTURE(schedule);
    Session session("schedule=" + schedule);
    cuda::Module module = nullptr;
    cuda::Function function = nullptr;
    REQUIRE(FakeModuleLoadData(&module, "image") == kSuccess);
    REQUIRE(FakeModuleGetFunction(&function, module, "add_to_range") == kSuccess);
    const auto stream = session.NewStream(), other = session.NewStream();
    const auto x = session.NewMemory(8);
    const auto launch = [&](uint64_t first, uint32_t num, uint8_t addend, cuda::NativeStream in) {
      void* parameters[] = {&first, &num, &addend};  // gone when this returns
      return FakeLaunchKernel(function, 2, 1, 1, 32, 1, 1, 0, in, parameters, nullptr);
    };
    CHECK(FakeMemsetD8Async(x, 1, 8, stream) == kSuccess);
    CHECK(launch(x, 8, 3, stream) == kSuccess);
    CHECK(launch(x + 2, 4, 100, stream) == kSuccess);
    CHECK(Read(&session, x, 8, stream) == std::vector<uint8_t>({4, 4, 104, 104, 104, 104, 4, 4}));
    CHECK(Findings().empty());
    CHECK(launch(x, 4, 1, stream) == kSuccess);
    CHECK(launch(x + 3, 4, 1, other) == kSuccess);
    CHECK(FakeStreamSynchronize(stream) == kSuccess);
    CHECK(FakeStreamSynchronize(other) == kSuccess);
    CHECK(FoundOnly("race between kernel add_to_range in stream"));
    CHECK(FakeModuleUnload(module) == kSuccess);
  }
}

TEST_CASE("Fake CUDA: kernels=PATH tells what is wrong with the shared object; a finding can be added") {
  CHECK(!geeps_fake_configure("kernels=/no/such/object.so"));
  CHECK(!geeps_fake_configure("kernels=libcuda.so.1"));  // no list of kernels in it
  CHECK(!geeps_fake_configure("kernels="));
  REQUIRE(geeps_fake_configure("quiet=1"));
  geeps_fake_add_finding("a finding of somebody else");
  CHECK(FoundOnly("a finding of somebody else"));
}

TEST_CASE("Fake CUDA: kernels run with the parameters of their launch, and race as copies do") {
  for (const std::string& schedule : Schedules()) {
    CAPTURE(schedule);
    Session session("schedule=" + schedule);
    const Kernels kernels;
    cuda::Function none = nullptr;
    CHECK(FakeModuleGetFunction(&none, kernels.module, "add_two") == 500);
    const auto stream = session.NewStream(), other = session.NewStream();
    const auto x = session.NewMemory(64), table = session.NewMemory(16);
    uint64_t* const pinned = reinterpret_cast<uint64_t*>(session.NewPinned(16));
    pinned[0] = x;
    pinned[1] = 64;
    CHECK(FakeMemsetD8Async(x, 1, 64, stream) == kSuccess);
    CHECK(LaunchInline(kernels.with_value, x, 64, stream) == kSuccess);
    CHECK(FakeMemcpyAsync(table, AddressOf(pinned), 16, stream) == kSuccess);
    cuda::DevicePointer table_address = table, scratch = 0;
    void* parameters[] = {&table_address, &scratch};
    CHECK(FakeLaunchKernel(kernels.with_address, 2, 1, 1, 32, 1, 1, 0, stream, parameters, nullptr) == kSuccess);
    table_address = 0;
    CHECK(Read(&session, x, 64, stream) == std::vector<uint8_t>(64, 3));
    CHECK(Findings().empty());
    CHECK(LaunchInline(kernels.with_value, x, 33, stream) == kSuccess);
    CHECK(FakeMemsetD8Async(x + 32, 1, 32, other) == kSuccess);
    CHECK(FakeStreamSynchronize(stream) == kSuccess);
    CHECK(FakeStreamSynchronize(other) == kSuccess);
    CHECK(FoundOnly("over 1 bytes of allocation 1"));
    CHECK(FakeLaunchKernel(kernels.with_address, 0, 1, 1, 32, 1, 1, 0, stream, parameters, nullptr) == kInvalidValue);
    CHECK(FoundOnly("add_one with grid 0 1 1, block 32 1 1"));
  }
}

TEST_CASE("Fake CUDA: a kernel that leaves its memory breaks the context") {
  Session session("");
  const auto stream = session.NewStream();
  const auto x = session.NewMemory(64);
  {
    const Kernels kernels;
    CHECK(LaunchInline(kernels.with_value, x, 64, stream) == kSuccess);
    CHECK(FakeStreamSynchronize(stream) == kSuccess);
  }
  cuda::Module module = nullptr;
  cuda::Function function = nullptr;
  CHECK(FakeModuleLoadData(&module, "image") == kSuccess);
  CHECK(FakeModuleGetFunction(&function, module, "add_one_inline") == kSuccess);
  CHECK(LaunchInline(function, x, 65, stream) == kSuccess);
  CHECK(FakeStreamSynchronize(stream) == kIllegalAddress);
  CHECK(FoundOnly("reads 1 bytes at an address that lies 0 bytes behind the end of allocation 1"));
  CHECK(FakeStreamQuery(stream) == kIllegalAddress);
}

// What a child process that runs fn says; *signal is what ended it.
template <typename Fn>
std::string DyingWords(Fn&& fn, int* signal) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    dup2(ends[1], STDOUT_FILENO);
    fn();
    _exit(0);
  }
  close(ends[1]);
  std::string words;
  char text[1000];
  for (ssize_t n; (n = read(ends[0], text, sizeof(text))) > 0;) words.append(text, static_cast<size_t>(n));
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  *signal = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) == 0 ? 0 : -1;
  return words;
}

TEST_CASE("Fake CUDA: host code that touches device memory, or pinned memory after its end, dies with a sentence") {
  Session session("");
  const auto x = session.NewMemory(64);
  uint8_t* const pinned = session.NewPinned(64);
  session.Disown(pinned);
  CHECK(FakeMemFreeHost(pinned) == kSuccess);
  int signal = 0;
  const auto touch = [](uint64_t address) { *reinterpret_cast<volatile uint8_t*>(address) = 1; };
  std::string words = DyingWords([&] { touch(x); }, &signal);
  CHECK(signal != 0);
  CHECK(words.find("which is device memory: only copies, fills and kernels reach it") != std::string::npos);
  words = DyingWords([&] { touch(AddressOf(pinned)); }, &signal);
  CHECK(signal != 0);
  CHECK(words.find("which is pinned memory that is not allocated, or not any more") != std::string::npos);
}

}  // namespace
}  // namespace geeps::fake
