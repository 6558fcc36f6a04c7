// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstring>
#include <thread>

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "tests/source/idx_fixture.h"

namespace geeps::source_test {
namespace {

constexpr uint32_t kSamples = 10, kRows = 2, kCols = 2, kBytes = kRows * kCols;

struct Opened {
  Opened() : source(host.table()) {
    WriteDataSet(dir, kSamples, kRows, kCols, false);
    REQUIRE(source.Open(dir.uri()) == GEEPS_OK);
  }
  geeps_status Enqueue(Slot* slot) { return Api()->enqueue(source.handle, slot->get(), &source.error); }
  geeps_status Dequeue(geeps_source_slot** out) { return Api()->dequeue(source.handle, 0, out, &source.error); }
  bool Readable() {
    pollfd entry = {};
    REQUIRE(Api()->get_event_fd(source.handle, &entry.fd, nullptr) == GEEPS_OK);
    entry.events = POLLIN;
    return poll(&entry, 1, 0) == 1;
  }
  TempDir dir;
  CountingHost host;
  Source source;
};

}  // namespace

TEST_CASE("idx: the descriptor names the plugin, and only geeps.source/1 is an interface of it") {
  const geeps_plugin* plugin = Plugin();
  CHECK(std::string(plugin->name) == "idx");
  CHECK(std::string(plugin->license) == "Apache-2.0");
  CHECK(plugin->struct_size == sizeof(geeps_plugin));
  CHECK(plugin->abi / 65536 == GEEPS_PLUGIN_ABI / 65536);
  CHECK(plugin->get_interface("geeps.source/2") == nullptr);
  CHECK(plugin->get_interface(nullptr) == nullptr);
  CHECK(Api()->struct_size == sizeof(geeps_source_api));
}

TEST_CASE("idx: slots come back in the order in which they were enqueued, with consecutive batches") {
  Opened o;
  REQUIRE(o.source.Configure(MakeConfig(0, 1, 4)) == GEEPS_OK);
  Slot a(4, kBytes), b(4, kBytes), c(4, kBytes);
  a.get()->user = 17;
  for (Slot* slot : {&a, &b, &c}) REQUIRE(o.Enqueue(slot) == GEEPS_OK);
  geeps_source_slot* out = nullptr;
  for (Slot* slot : {&a, &b, &c}) {
    REQUIRE(o.Dequeue(&out) == GEEPS_OK);
    CHECK(out == slot->get());
  }
  CHECK(a.get()->position == 4);
  CHECK(b.get()->position == 8);
  CHECK(c.get()->position == 10);
  CHECK(c.get()->num_samples == 2);
  CHECK(a.get()->user == 17);
}

TEST_CASE("idx: the end is told once per epoch, then the next epoch begins") {
  Opened o;
  REQUIRE(o.source.Configure(MakeConfig(0, 1, 10)) == GEEPS_OK);
  for (uint64_t epoch = 0; epoch < 3; ++epoch) {
    Slot slot(10, kBytes);
    geeps_source_slot* out = nullptr;
    REQUIRE(o.Enqueue(&slot) == GEEPS_OK);
    REQUIRE(o.Dequeue(&out) == GEEPS_OK);
    CHECK(out->epoch == epoch);
    out = nullptr;
    CHECK(o.Dequeue(&out) == GEEPS_END);
    CHECK(out == nullptr);
    CHECK(o.Dequeue(&out) == GEEPS_E_STATE);  // a batch of the next epoch is wanted and no slot is there
  }
}

TEST_CASE("idx: after cancel dequeue says so until seek; the slots stay enqueued") {
  Opened o;
  REQUIRE(o.source.Configure(MakeConfig(0, 1, 4)) == GEEPS_OK);
  Slot slot(4, kBytes);
  REQUIRE(o.Enqueue(&slot) == GEEPS_OK);
  std::thread([&] { Api()->cancel(o.source.handle); }).join();
  geeps_source_slot* out = nullptr;
  CHECK(o.Dequeue(&out) == GEEPS_E_CANCELLED);
  CHECK(o.Dequeue(&out) == GEEPS_E_CANCELLED);
  CHECK(out == nullptr);
  REQUIRE(Api()->seek(o.source.handle, 3, 8, nullptr) == GEEPS_OK);
  CHECK(o.Dequeue(&out) == GEEPS_OK);
  CHECK(out == slot.get());
  CHECK(out->epoch == 3);
  CHECK(out->position == 10);
}

TEST_CASE("idx: cancel and statistics from another thread end a consumer that never stops by itself") {
  Opened o;
  REQUIRE(o.source.Configure(MakeConfig(0, 1, 4)) == GEEPS_OK);
  std::thread other([&] {
    geeps_source_stats stats = {};
    stats.struct_size = sizeof stats;
    while (stats.samples < 1000) Api()->get_stats(o.source.handle, &stats, nullptr);
    Api()->cancel(o.source.handle);
  });
  Slot slot(4, kBytes);
  geeps_source_slot* out = nullptr;
  geeps_status status = GEEPS_OK;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (status != GEEPS_E_CANCELLED && std::chrono::steady_clock::now() < deadline) {
    if (status == GEEPS_OK && o.Enqueue(&slot) != GEEPS_OK) break;
    status = o.Dequeue(&out);
  }
  CHECK(status == GEEPS_E_CANCELLED);
  other.join();
  CHECK(o.Readable());
}

TEST_CASE("idx: the event descriptor is readable exactly while dequeue would tell a slot, the end or a cancellation") {
  Opened o;
  REQUIRE(o.source.Configure(MakeConfig(0, 1, 10)) == GEEPS_OK);
  CHECK(!o.Readable());
  Slot slot(10, kBytes);
  REQUIRE(o.Enqueue(&slot) == GEEPS_OK);
  CHECK(o.Readable());
  geeps_source_slot* out = nullptr;
  REQUIRE(o.Dequeue(&out) == GEEPS_OK);
  CHECK(o.Readable());  // the end of the epoch
  CHECK(o.Dequeue(&out) == GEEPS_END);
  CHECK(!o.Readable());
  Api()->cancel(o.source.handle);
  CHECK(o.Readable());
  REQUIRE(Api()->seek(o.source.handle, 0, 0, nullptr) == GEEPS_OK);
  CHECK(!o.Readable());
}

TEST_CASE("idx: enqueue refuses what it could not fill") {
  Opened o;
  Slot early(4, kBytes);
  CHECK(o.Enqueue(&early) == GEEPS_E_STATE);  // not configured
  REQUIRE(o.source.Configure(MakeConfig(0, 1, 4)) == GEEPS_OK);
  CHECK(Api()->enqueue(o.source.handle, nullptr, nullptr) == GEEPS_E_INVALID);
  CHECK(Api()->enqueue(nullptr, early.get(), nullptr) == GEEPS_E_INVALID);

  Slot small(3, kBytes);
  CHECK(o.Enqueue(&small) == GEEPS_E_INVALID);
  CHECK(o.source.message().find("expected 16 for 4 samples") != std::string::npos);
  Slot cuda(4, kBytes);
  cuda.buffers[1].mem_kind = GEEPS_MEM_CUDA;
  CHECK(o.Enqueue(&cuda) == GEEPS_E_INVALID);
  Slot null(4, kBytes);
  null.buffers[0].data = nullptr;
  CHECK(o.Enqueue(&null) == GEEPS_E_INVALID);
  Slot one(4, kBytes);
  one.get()->num_buffers = 1;
  CHECK(o.Enqueue(&one) == GEEPS_E_INVALID);
  Slot unversioned(4, kBytes);
  unversioned.get()->struct_size = 8;
  CHECK(o.Enqueue(&unversioned) == GEEPS_E_ABI);

  Slot good(4, kBytes);
  CHECK(o.Enqueue(&good) == GEEPS_OK);
  CHECK(o.Enqueue(&good) == GEEPS_E_STATE);  // it is there already
  // Configuring again hands every slot back.
  REQUIRE(o.source.Configure(MakeConfig(0, 1, 4)) == GEEPS_OK);
  CHECK(o.Enqueue(&good) == GEEPS_OK);
}

TEST_CASE("idx: configure refuses nonsense and then leaves everything as it was") {
  Opened o;
  REQUIRE(o.source.Configure(MakeConfig(0, 1, 4)) == GEEPS_OK);
  const auto refused = [&](void (*spoil)(geeps_source_config*)) {
    geeps_source_config config = MakeConfig(0, 2, 4);
    spoil(&config);
    return o.source.Configure(config) == GEEPS_E_INVALID;
  };
  CHECK(refused([](geeps_source_config* c) { c->world = 0; }));
  CHECK(refused([](geeps_source_config* c) { c->rank = 2; }));
  CHECK(refused([](geeps_source_config* c) { c->global_batch = 1; }));
  CHECK(refused([](geeps_source_config* c) { c->shuffle = 0; }));
  CHECK(refused([](geeps_source_config* c) { c->shuffle = GEEPS_SOURCE_SHUFFLE_WINDOW; }));
  CHECK(refused([](geeps_source_config* c) { c->shuffle_window = 5; }));
  CHECK(refused([](geeps_source_config* c) { c->remainder = 4; }));
  CHECK(refused([](geeps_source_config* c) { c->on_bad = -1; }));
  CHECK(refused([](geeps_source_config* c) {
    c->global_batch = 11;
    c->remainder = GEEPS_SOURCE_REMAINDER_DROP;
  }));
  CHECK(o.source.layout.slot_samples == 4);
}

TEST_CASE("idx: a larger struct of a later version is taken while its unknown tail is zero") {
  Opened o;
  struct Later {
    geeps_source_config config;
    uint64_t later;
  } config = {MakeConfig(0, 1, 4), 0};
  config.config.struct_size = sizeof config;
  CHECK(o.source.Configure(config.config) == GEEPS_OK);
  config.later = 1;
  CHECK(o.source.Configure(config.config) == GEEPS_E_ABI);
}

TEST_CASE("idx: a struct_size that was never set is refused, and nothing behind the struct is looked at") {
  Opened o;
  // The page behind the struct must not be touched.
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* const memory = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  REQUIRE(mprotect(static_cast<char*>(memory) + page, page, PROT_NONE) == 0);
  auto* const config = reinterpret_cast<geeps_source_config*>(static_cast<char*>(memory) + page) - 1;
  *config = MakeConfig(0, 1, 4);
  geeps_source_layout layout = {};
  layout.struct_size = sizeof layout;
  for (const uint32_t size : {4097u, 0x7fffffffu, 0xffffffffu}) {
    config->struct_size = size;
    CHECK(Api()->configure(o.source.handle, config, &layout, &o.source.error) == GEEPS_E_ABI);
  }
  munmap(memory, 2 * page);
}

TEST_CASE("idx: a state of another data set, seed or shuffle is refused, and so is a damaged one, bit by bit") {
  Opened o;
  REQUIRE(o.source.Configure(MakeConfig(0, 1, 4)) == GEEPS_OK);
  uint8_t blob[256];
  uint64_t length = 0;
  REQUIRE(Api()->save_state(o.source.handle, 2, 8, nullptr, 0, &length, nullptr) == GEEPS_OK);
  const uint64_t needed = length;
  REQUIRE(Api()->save_state(o.source.handle, 2, 8, blob, sizeof blob, &length, nullptr) == GEEPS_OK);
  CHECK(length == needed);
  CHECK(Api()->save_state(o.source.handle, 2, 11, blob, sizeof blob, &length, nullptr) == GEEPS_E_INVALID);

  for (uint64_t bit = 0; bit < length * 8; ++bit) {
    blob[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    CHECK(Api()->load_state(o.source.handle, blob, length, nullptr) == GEEPS_E_DATA);
    blob[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
  }
  for (uint64_t cut = 0; cut < length; ++cut) CHECK(Api()->load_state(o.source.handle, blob, cut, nullptr) < 0);

  geeps_source_config config = MakeConfig(0, 1, 4);
  config.seed = 8;
  REQUIRE(o.source.Configure(config) == GEEPS_OK);
  CHECK(Api()->load_state(o.source.handle, blob, length, &o.source.error) == GEEPS_E_DATA);
  CHECK(o.source.message().find("seed 7, configured is 8") != std::string::npos);
  config = MakeConfig(0, 1, 4);
  config.shuffle = GEEPS_SOURCE_SHUFFLE_NONE;
  REQUIRE(o.source.Configure(config) == GEEPS_OK);
  CHECK(Api()->load_state(o.source.handle, blob, length, nullptr) == GEEPS_E_DATA);

  TempDir other_dir;
  WriteDataSet(other_dir, kSamples + 1, kRows, kCols, false);
  Source other(o.host.table());
  REQUIRE(other.Open(other_dir.uri()) == GEEPS_OK);
  CHECK(Api()->load_state(other.handle, blob, length, nullptr) == GEEPS_E_STATE);
  REQUIRE(other.Configure(MakeConfig(0, 1, 4)) == GEEPS_OK);
  CHECK(Api()->load_state(other.handle, blob, length, &other.error) == GEEPS_E_DATA);
  CHECK(other.message().find("another data set") != std::string::npos);
}

TEST_CASE("idx: names and statistics tell which sample and how many") {
  Opened o;
  char name[256];
  uint64_t length = 0;
  REQUIRE(Api()->get_sample_name(o.source.handle, 3, name, sizeof name, &length, nullptr) == GEEPS_OK);
  CHECK(std::string(name) == o.dir.path() + "/train-images-idx3-ubyte[3]");
  CHECK(length == std::strlen(name) + 1);
  CHECK(Api()->get_sample_name(o.source.handle, kSamples, name, sizeof name, &length, nullptr) == GEEPS_E_INVALID);

  REQUIRE(o.source.Configure(MakeConfig(0, 1, 4)) == GEEPS_OK);
  Take(&o.source, kBytes, 2);
  geeps_source_stats stats = {};
  stats.struct_size = sizeof stats;
  REQUIRE(Api()->get_stats(o.source.handle, &stats, nullptr) == GEEPS_OK);
  CHECK(stats.samples == 8);
  CHECK(stats.bad_samples == 0);
  CHECK(stats.read_bytes == 16 + kSamples * kBytes + 8 + kSamples);
  CHECK(stats.slots_empty == 0);
}

TEST_CASE("idx: NULL is refused by every function of the table, and close takes it") {
  geeps_source_handle* none = nullptr;
  geeps_source_slot* slot = nullptr;
  uint64_t length = 0;
  int32_t fd = -1;
  CHECK(Api()->describe(none, nullptr, nullptr) == GEEPS_E_INVALID);
  CHECK(Api()->get_field(none, 0, nullptr, nullptr) == GEEPS_E_INVALID);
  CHECK(Api()->get_sample_name(none, 0, nullptr, 0, &length, nullptr) == GEEPS_E_INVALID);
  CHECK(Api()->configure(none, nullptr, nullptr, nullptr) == GEEPS_E_INVALID);
  CHECK(Api()->seek(none, 0, 0, nullptr) == GEEPS_E_INVALID);
  CHECK(Api()->enqueue(none, slot, nullptr) == GEEPS_E_INVALID);
  CHECK(Api()->dequeue(none, 0, &slot, nullptr) == GEEPS_E_INVALID);
  CHECK(Api()->get_event_fd(none, &fd, nullptr) == GEEPS_E_INVALID);
  CHECK(Api()->save_state(none, 0, 0, nullptr, 0, &length, nullptr) == GEEPS_E_INVALID);
  CHECK(Api()->load_state(none, nullptr, 0, nullptr) == GEEPS_E_INVALID);
  CHECK(Api()->get_stats(none, nullptr, nullptr) == GEEPS_E_INVALID);
  Api()->cancel(none);
  Api()->close(none);

  Opened o;
  CHECK(Api()->describe(o.source.handle, nullptr, nullptr) == GEEPS_E_INVALID);
  CHECK(Api()->configure(o.source.handle, nullptr, nullptr, nullptr) == GEEPS_E_INVALID);
  CHECK(Api()->dequeue(o.source.handle, 0, nullptr, nullptr) == GEEPS_E_INVALID);
  CHECK(Api()->get_stats(o.source.handle, nullptr, nullptr) == GEEPS_E_INVALID);
  CHECK(Api()->load_state(o.source.handle, nullptr, 0, nullptr) == GEEPS_E_STATE);
}

}  // namespace geeps::source_test
