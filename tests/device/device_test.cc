// SPDX-License-Identifier: Apache-2.0
// Opening devices, owners, and the rules of the table of functions.
#include "runtime/device/device.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>

#include "runtime/base/status.h"
#include "runtime/device/abi_status.h"

namespace geeps::device {
namespace {

TEST_CASE("Open: names a back end and its variant, anything else is refused with a sentence") {
  CHECK(std::string(Open("host").value()->info().name) == "host");
  CHECK(Open("host").value()->is_synchronous());
  CHECK(!Open("deferred").value()->is_synchronous());
  for (const char* spec :
       {"deferred:lazy", "deferred:eager", "deferred:seeded:0", "deferred:seeded:18446744073709551615"}) {
    CHECK(std::string(Open(spec).value()->info().name) == "deferred");
  }
  const auto error = [](absl::string_view spec) { return std::string(Open(spec).status().message()); };
  CHECK(error("host:fast") == "device host:fast: the host back end has no variants");
  CHECK(error("deferred:seeded") ==
        "device deferred:seeded: the variants are lazy, eager and seeded:SEED, each of them with :separate behind it "
        "or without, and link:BYTES_PER_S");
  CHECK(error("deferred:link:1GB") ==
        "device deferred: link:1GB: the link's bytes per second to the device, from 1024 on, and behind a ':' each those "
        "from the device, and microseconds of latency from 1 to 1000000; 800MiB:800MiB:20, say");
  for (const char* link : {"", "1023", "1GiB:0", "1GiB:1GiB:-1", "1GiB:1GiB:0", "1GiB:1GiB:1000001", "1GiB:1GiB:1:1"}) {
    CHECK(!Open(std::string("deferred:link:") + link).ok());
  }
  CHECK(Open("deferred:link:1GiB").value()->info().download_bandwidth == 1 << 30);
  CHECK(Open("deferred:link:1GiB:2GiB:1").value()->info().link_latency_ns == 1000);
  CHECK(!Open("deferred:seeded:x").ok());
  CHECK(!Open("deferred:seeded:-1").ok());
  CHECK(DetailOf(Open("cuda").status()).code == Code::kNotFound);
  CHECK(DetailOf(Open("").status()).code == Code::kNotFound);
}

TEST_CASE("Device: the memory limit counts device memory alone") {
  for (const char* spec : {"host", "deferred:lazy"}) {
    const auto device = Open(spec, 1000).value();
    CHECK(device->info().memory_bytes == 1000);
    const Memory first = device->Allocate(MemoryKind::kDevice, 600).value();
    CHECK(device->Allocate(MemoryKind::kPinned, 100000).ok());
    const auto second = device->Allocate(MemoryKind::kDevice, 401);
    REQUIRE(!second.ok());
    CHECK(second.status().message() == "401 bytes of device memory wanted, 400 of 1000 are free");
    CHECK(device->Allocate(MemoryKind::kDevice, 400).ok());
    CHECK(device->CurrentInfo().memory_used == 600);
  }
}

TEST_CASE("Device: owners move, and an empty one owns nothing") {
  const auto device = Open("deferred:lazy").value();
  Memory a = device->Allocate(MemoryKind::kDevice, 10).value();
  void* data = a.data();
  Memory b = std::move(a);
  CHECK(!a);
  CHECK(a.size() == 0);
  CHECK(b.data() == data);
  a = std::move(b);
  CHECK(a.data() == data);
  a = Memory();
  CHECK(device->CurrentInfo().memory_used == 0);
  CHECK(!device->Allocate(MemoryKind::kDevice, 0).value());
  Stream stream = device->CreateStream().value();
  const Stream moved = std::move(stream);
  CHECK(!stream);
  CHECK(moved);
  Event event = device->CreateEvent().value();
  event = Event();
  CHECK(!event);
  RowIndex index = device->CreateIndex({}, {}, 0, 0).value();
  index = RowIndex();
  CHECK(!index);
}

TEST_CASE("Device: a stream handle that nobody has is refused") {
  for (const char* spec : {"host", "deferred:lazy"}) {
    const auto device = Open(spec).value();
    uint64_t handle = 0;
    {
      const Stream stream = device->CreateStream().value();
      handle = stream.NativeHandle().value();
      CHECK(handle != 0);
    }
    CHECK(!device->WrapStream(handle).ok());
    CHECK(!device->WrapStream(999).ok());
  }
}

TEST_CASE("Device table: list tells the one device, also to a caller with a shorter struct") {
  for (const geeps_device* table : {HostDeviceTable(), DeferredDeviceTable()}) {
    CHECK(table->struct_size == sizeof(geeps_device));
    uint64_t num = 0;
    CHECK(table->list(nullptr, nullptr, 0, 0, &num, nullptr) == GEEPS_OK);
    CHECK(num == 1);
    geeps_dev_info info = {};
    info.struct_size = offsetof(geeps_dev_info, memory_used);
    info.memory_used = 77;
    CHECK(table->list(nullptr, &info, sizeof(info), 1, &num, nullptr) == GEEPS_OK);
    CHECK(info.struct_size == offsetof(geeps_dev_info, memory_used));
    CHECK(info.memory_bytes > 0);
    CHECK(info.memory_used == 77);
    CHECK(info.device_id == -1);
  }
}

TEST_CASE("Device table: create checks its config and leaves out-parameters alone on errors") {
  for (const geeps_device* table : {HostDeviceTable(), DeferredDeviceTable()}) {
    geeps_dev* const untouched = reinterpret_cast<geeps_dev*>(&table);
    geeps_dev* dev = untouched;
    geeps_error err = EmptyError();
    CHECK(table->create(nullptr, nullptr, &dev, &err) == GEEPS_E_INVALID);
    geeps_dev_config config = {};
    CHECK(table->create(nullptr, &config, &dev, &err) == GEEPS_E_ABI);
    config.struct_size = sizeof(config);
    config.device_id = 1;
    CHECK(table->create(nullptr, &config, &dev, &err) == GEEPS_E_NOT_FOUND);
    CHECK(err.code == GEEPS_E_NOT_FOUND);
    CHECK(std::string(err.message).find("device 1 of back end") == 0);
    config.device_id = 0;
    config.variant = "nonsense";
    CHECK(table->create(nullptr, &config, &dev, nullptr) == GEEPS_E_INVALID);
    CHECK(dev == untouched);
    // A longer struct is fine while what this build does not know is zero.
    struct {
      geeps_dev_config known;
      uint64_t unknown;
    } longer = {};
    longer.known.struct_size = sizeof(longer);
    longer.unknown = 1;
    CHECK(table->create(nullptr, &longer.known, &dev, &err) == GEEPS_E_ABI);
    longer.unknown = 0;
    CHECK(table->create(nullptr, &longer.known, &dev, &err) == GEEPS_OK);
    table->destroy(dev);
  }
}

TEST_CASE("Device: the test switch leaves out the waits of one site and counts them") {
  const auto device = Open("deferred:lazy").value();
  const Stream stream = device->CreateStream().value();
  const Memory memory = device->Allocate(MemoryKind::kDevice, 8).value();
  const Event event = device->CreateEvent().value();
  CHECK(stream.Fill(memory.data(), 1, 8).ok());
  CHECK(stream.Record(event).ok());
  device->SkipWait("a");
  CHECK(event.Wait("a").ok());
  CHECK(device->num_skipped_waits() == 1);
  CHECK(!event.IsComplete().value());
  CHECK(event.Wait("b").ok());
  CHECK(event.IsComplete().value());
  device->SkipWait("");
  CHECK(event.Wait("a").ok());
  CHECK(device->num_skipped_waits() == 1);
}

}  // namespace
}  // namespace geeps::device
