// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "runtime/base/status.h"
#include "tests/transports/transport_harness.h"

namespace geeps::net {
namespace {

TEST_CASE("inproc: a segment is zeroed, shared by those who import it, and lives until the last release") {
  TpWorld world("inproc");
  REQUIRE(world.transport.map != nullptr);
  auto a = world.Make();
  auto b = world.Make();
  geeps_tp_segment* created = nullptr;
  void* memory = nullptr;
  REQUIRE(world.transport.map->segment_create(a->endpoint.get(), 10000, &created, &memory, nullptr) == GEEPS_OK);
  CHECK(reinterpret_cast<uintptr_t>(memory) % 4096 == 0);
  CHECK(std::string(static_cast<char*>(memory), 10000) == std::string(10000, '\0'));
  char blob[256];
  uint64_t length = 0;
  REQUIRE(world.transport.map->segment_export(created, blob, sizeof(blob), &length, nullptr) == GEEPS_OK);
  geeps_tp_segment* imported = nullptr;
  void* same = nullptr;
  uint64_t bytes = 0;
  REQUIRE(world.transport.map->segment_import(b->endpoint.get(), blob, length, &imported, &same, &bytes, nullptr) == GEEPS_OK);
  CHECK(bytes == 10000);
  std::memcpy(memory, "written", 7);
  world.transport.map->segment_release(created);
  CHECK(std::memcmp(same, "written", 7) == 0);
  geeps_tp_segment* late = nullptr;
  CHECK(world.transport.map->segment_import(b->endpoint.get(), blob, length, &late, &same, &bytes, nullptr) == GEEPS_E_NOT_FOUND);
  CHECK(world.transport.map->segment_import(b->endpoint.get(), blob, length - 1, &late, &same, &bytes, nullptr) == GEEPS_E_INVALID);
  CHECK(late == nullptr);
  world.transport.map->segment_release(imported);
  world.transport.map->segment_release(nullptr);
}

TEST_CASE("inproc: another job cannot import a segment") {
  TpWorld world("inproc");
  auto a = world.Make();
  Endpoint::Options options = world.Options();
  options.job = "another";
  TpSide b;
  b.endpoint = *Endpoint::Create(world.transport, options);
  geeps_tp_segment* segment = nullptr;
  void* memory = nullptr;
  REQUIRE(world.transport.map->segment_create(a->endpoint.get(), 1, &segment, &memory, nullptr) == GEEPS_OK);
  char blob[256];
  uint64_t length = 0;
  REQUIRE(world.transport.map->segment_export(segment, blob, sizeof(blob), &length, nullptr) == GEEPS_OK);
  geeps_tp_segment* imported = nullptr;
  uint64_t bytes = 0;
  CHECK(world.transport.map->segment_import(b.endpoint.get(), blob, length, &imported, &memory, &bytes, nullptr) == GEEPS_E_MISMATCH);
  world.transport.map->segment_release(segment);
}

TEST_CASE("inproc: notify is reported at the peer, several before its poll as one") {
  TpWorld world("inproc");
  auto a = world.Make();
  auto b = world.Make();
  world.Connect(a.get(), b.get());
  for (int i = 0; i < 5; ++i) world.transport.map->notify(a->conn);
  REQUIRE(RunUntil({b.get()}, [&] { return b->Count(GEEPS_TP_NOTIFIED) == 1; }));
  b->Poll();
  CHECK(b->Count(GEEPS_TP_NOTIFIED) == 1);
  world.transport.map->notify(a->conn);
  REQUIRE(RunUntil({b.get()}, [&] { return b->Count(GEEPS_TP_NOTIFIED) == 2; }));
  CHECK(b->Last(GEEPS_TP_NOTIFIED).cookie == 9);
}

}  // namespace
}  // namespace geeps::net
