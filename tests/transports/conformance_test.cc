// SPDX-License-Identifier: Apache-2.0
// The rules of include/geeps_transport.h, for every transport of the tree.
#include <sys/resource.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>

#include "runtime/base/status.h"
#include "tests/support/entries.h"
#include "tests/transports/transport_harness.h"

namespace geeps::net {
namespace {

constexpr const char* kTransports[] = {"inproc", "tcp"};

struct Pair {
  explicit Pair(const std::string& name) : world(name), a(world.Make()), b(world.Make()) { world.Connect(a.get(), b.get()); }
  std::vector<TpSide*> both() { return {a.get(), b.get()}; }
  TpWorld world;
  std::unique_ptr<TpSide> a;
  std::unique_ptr<TpSide> b;
};

TEST_CASE("transport: payloads of each size and count land unchanged in their slots, in order, each send completes once") {
  for (const char* name : kTransports) {
    for (const size_t bytes : {size_t{1}, size_t{4095}, size_t{4096}, size_t{4097}, size_t{1} << 20, size_t{2} << 20}) {
      for (const size_t count : {1, 3, 17}) {
        CAPTURE(name);
        CAPTURE(bytes);
        CAPTURE(count);
        Pair pair(name);
        std::vector<std::string> slots(count, std::string(bytes, '\0'));
        std::vector<std::string> sent;
        for (size_t i = 0; i < count; ++i) {
          sent.push_back(Contents(i, bytes));
          REQUIRE(pair.b->Open(static_cast<uint32_t>(i + 1), &slots[i]) == GEEPS_OK);
        }
        for (size_t i = 0; i < count; ++i) {
          const std::string_view whole = sent[i];
          const size_t cut = bytes / 3;  // an empty first piece when it is 0
          REQUIRE(pair.a->Send(static_cast<uint32_t>(i + 1), "header " + std::to_string(i),
                               {whole.substr(0, cut), whole.substr(cut)}, 100 + i) == GEEPS_OK);
        }
        REQUIRE(RunUntil(pair.both(), [&] {
          return pair.a->Count(GEEPS_TP_SENT) == count && pair.b->Count(GEEPS_TP_RECEIVED) == count;
        }));
        size_t next_received = 0;
        for (const TpEvent& event : pair.b->events) {
          if (event.type != GEEPS_TP_RECEIVED) continue;
          CHECK(event.slot == next_received + 1);
          CHECK(event.data == "header " + std::to_string(next_received));
          CHECK(event.payload_bytes == bytes);
          CHECK(event.cookie == 9);
          ++next_received;
        }
        size_t next_sent = 0;
        for (const TpEvent& event : pair.a->events) {
          if (event.type != GEEPS_TP_SENT) continue;
          CHECK(event.cookie == 100 + next_sent++);
          CHECK(event.status == GEEPS_OK);
        }
        CHECK(slots == sent);
      }
    }
  }
}

TEST_CASE("transport: headers of 1 to 192 bytes pass, of 0 and 193 are refused") {
  for (const char* name : kTransports) {
    CAPTURE(name);
    Pair pair(name);
    size_t count = 0;
    for (const size_t bytes : {1, 191, 192}) {
      REQUIRE(pair.a->Send(0, Contents(bytes, bytes), {}, bytes) == GEEPS_OK);
      ++count;
    }
    CHECK(pair.a->Send(0, "", {}, 1) == GEEPS_E_INVALID);
    CHECK(pair.a->Send(0, std::string(193, 'h'), {}, 1) == GEEPS_E_INVALID);
    REQUIRE(RunUntil(pair.both(), [&] { return pair.b->Count(GEEPS_TP_RECEIVED) == count; }));
    CHECK(pair.b->Last(GEEPS_TP_RECEIVED).data == Contents(192, 192));
  }
}

TEST_CASE("transport: what a message must not be is refused by send and changes nothing") {
  for (const char* name : kTransports) {
    CAPTURE(name);
    Pair pair(name);
    const std::string too_long(TpWorld::kPayloadMax + 1, 'x');
    CHECK(pair.a->Send(1, "h", {too_long}, 1) == GEEPS_E_INVALID);
    CHECK(pair.a->Send(1, "h", {}, 1) == GEEPS_E_INVALID);
    CHECK(pair.a->Send(1, "h", {""}, 1) == GEEPS_E_INVALID);
    CHECK(pair.a->Send(0, "h", {"payload"}, 1) == GEEPS_E_INVALID);
    CHECK(pair.a->Send(1, "h", std::vector<std::string_view>(9, "x"), 1) == GEEPS_E_INVALID);
    std::string slot(8, '\0');
    REQUIRE(pair.b->Open(1, &slot) == GEEPS_OK);
    REQUIRE(pair.a->Send(1, "h", std::vector<std::string_view>(8, "x"), 2) == GEEPS_OK);
    REQUIRE(RunUntil(pair.both(), [&] { return pair.b->Count(GEEPS_TP_RECEIVED) == 1; }));
    CHECK(slot == "xxxxxxxx");
    CHECK(pair.a->Count(GEEPS_TP_DOWN) == 0);
  }
}

TEST_CASE("transport: slots are armed for one message, refuse a second arm, and slot 0 has no memory") {
  for (const char* name : kTransports) {
    CAPTURE(name);
    Pair pair(name);
    std::string slot(4, '\0');
    REQUIRE(pair.b->Open(5, &slot) == GEEPS_OK);
    CHECK(pair.b->endpoint.table().slot_arm(pair.b->conn, 5) == GEEPS_E_STATE);
    CHECK(pair.b->endpoint.table().slot_arm(pair.b->conn, 6) == GEEPS_E_INVALID);
    CHECK(!pair.b->endpoint.SetSlot(pair.b->conn, 0, slot.data(), 4).ok());
    REQUIRE(pair.a->Send(5, "h", {"abcd"}, 1) == GEEPS_OK);
    REQUIRE(RunUntil(pair.both(), [&] { return pair.b->Count(GEEPS_TP_RECEIVED) == 1; }));
    CHECK(pair.b->endpoint.table().slot_arm(pair.b->conn, 5) == GEEPS_OK);
  }
}

TEST_CASE("transport: a message to a slot that is not armed, has no memory or is too short ends the connection for both") {
  for (const char* name : kTransports) {
    for (const std::string how : {"unarmed", "unknown", "short"}) {
      CAPTURE(name);
      CAPTURE(how);
      Pair pair(name);
      std::string slot(4, '-');
      REQUIRE(pair.b->Open(1, &slot) == GEEPS_OK);
      if (how == "unarmed") REQUIRE(pair.b->endpoint.SetSlot(pair.b->conn, 1, slot.data(), 4).ok());
      const std::string payload(how == "short" ? 5 : 4, 'x');
      CHECK(pair.a->Send(how == "unknown" ? 2 : 1, "h", {payload}, 1) == GEEPS_OK);
      REQUIRE(RunUntil(pair.both(), [&] { return pair.a->Count(GEEPS_TP_DOWN) == 1 && pair.b->Count(GEEPS_TP_DOWN) == 1; }));
      CHECK(pair.b->Last(GEEPS_TP_DOWN).status == GEEPS_E_DATA);
      CHECK(pair.a->Last(GEEPS_TP_DOWN).status != GEEPS_OK);
      CHECK(pair.a->Count(GEEPS_TP_SENT) == 1);
      CHECK(pair.b->Count(GEEPS_TP_RECEIVED) == 0);
      CHECK(slot == "----");
    }
  }
}

TEST_CASE("transport: under back-pressure send says AGAIN, a SENT follows, and every accepted message arrives once") {
  for (const char* name : kTransports) {
    CAPTURE(name);
    Pair pair(name);
    constexpr size_t kMessages = 3000;
    size_t accepted = 0;
    size_t refused = 0;
    REQUIRE(RunUntil(pair.both(), [&] {
      while (accepted < kMessages) {
        const geeps_status status = pair.a->Send(0, std::to_string(accepted), {}, accepted);
        if (status == GEEPS_AGAIN) ++refused;
        if (status != GEEPS_OK) break;
        ++accepted;
      }
      return pair.a->Count(GEEPS_TP_SENT) == kMessages && pair.b->Count(GEEPS_TP_RECEIVED) == kMessages;
    }));
    CHECK(refused > 0);
    size_t next = 0;
    for (const TpEvent& event : pair.b->events) {
      if (event.type == GEEPS_TP_RECEIVED) CHECK(event.data == std::to_string(next++));
    }
  }
}

TEST_CASE("transport: close completes each accepted send once, then DOWN once on both sides, OK") {
  for (const char* name : kTransports) {
    for (const uint32_t linger : {0u, 1u}) {
      CAPTURE(name);
      CAPTURE(linger);
      Pair pair(name);
      constexpr size_t kCount = 20;
      const std::string payload = Contents(1, 1 << 20);
      std::vector<std::string> slots(kCount, std::string(payload.size(), '\0'));
      for (size_t i = 0; i < kCount; ++i) REQUIRE(pair.b->Open(static_cast<uint32_t>(i + 1), &slots[i]) == GEEPS_OK);
      for (size_t i = 0; i < kCount; ++i) REQUIRE(pair.a->Send(static_cast<uint32_t>(i + 1), "h", {payload}, i) == GEEPS_OK);
      pair.a->Poll();
      pair.a->endpoint.table().close(pair.a->conn, linger);
      CHECK(pair.a->Send(0, "h", {}, 99) == GEEPS_E_STATE);
      REQUIRE(RunUntil(pair.both(), [&] { return pair.a->Count(GEEPS_TP_DOWN) == 1 && pair.b->Count(GEEPS_TP_DOWN) == 1; }));
      CHECK(pair.a->Last(GEEPS_TP_DOWN).status == GEEPS_OK);
      CHECK(pair.b->Last(GEEPS_TP_DOWN).status == GEEPS_OK);
      CHECK(pair.a->events.back().type == GEEPS_TP_DOWN);
      std::vector<int> completions(kCount);
      size_t completed_ok = 0;
      for (const TpEvent& event : pair.a->events) {
        if (event.type != GEEPS_TP_SENT) continue;
        ++completions[event.cookie];
        completed_ok += event.status == GEEPS_OK;
        CHECK((event.status == GEEPS_OK || event.status == GEEPS_E_CANCELLED));
      }
      CHECK(completions == std::vector<int>(kCount, 1));
      CHECK(pair.b->Count(GEEPS_TP_RECEIVED) == completed_ok);
      if (linger != 0) CHECK(completed_ok == kCount);
      pair.a->Poll();
      pair.b->Poll();
      CHECK(pair.a->Count(GEEPS_TP_DOWN) == 1);
    }
  }
}

TEST_CASE("transport: a peer that closes or is destroyed is seen, and own sends complete") {
  for (const char* name : kTransports) {
    CAPTURE(name);
    Pair pair(name);
    for (int i = 0; i < 10; ++i) REQUIRE(pair.a->Send(0, "h", {}, i) == GEEPS_OK);
    pair.b.reset();
    REQUIRE(RunUntil({pair.a.get()}, [&] { return pair.a->Count(GEEPS_TP_DOWN) == 1; }));
    CHECK(pair.a->Count(GEEPS_TP_SENT) == 10);
  }
}

TEST_CASE("transport: after its endpoint is destroyed nothing lands in a slot, though the peer has sent") {
  for (const char* name : kTransports) {
    for (const bool before : {false, true}) {
      CAPTURE(name);
      CAPTURE(before);
      Pair pair(name);
      std::string memory(TpWorld::kPayloadMax, '-');
      REQUIRE(pair.b->Open(5, &memory) == GEEPS_OK);
      const std::string payload(memory.size(), 'x');
      if (before) REQUIRE(pair.a->Send(5, "h", {payload}, 1) == GEEPS_OK);
      pair.b.reset();
      const std::string left = memory;
      if (!before) pair.a->Send(5, "h", {payload}, 1);  // refused or lost
      REQUIRE(RunUntil({pair.a.get()}, [&] { return pair.a->Count(GEEPS_TP_DOWN) == 1; }));
      CHECK(memory == left);
    }
  }
}

TEST_CASE("transport: a refused request goes down at the asker with DENIED, at the refuser with OK") {
  for (const char* name : kTransports) {
    CAPTURE(name);
    TpWorld world(name);
    auto a = world.Make();
    auto b = world.Make();
    a->conn = *a->endpoint.Connect(*b->endpoint.Address(), "", 7);
    REQUIRE(RunUntil({a.get(), b.get()}, [&] { return b->Count(GEEPS_TP_CONN_REQUEST) == 1; }));
    b->endpoint.table().close(b->Last(GEEPS_TP_CONN_REQUEST).conn, 0);
    REQUIRE(RunUntil({a.get(), b.get()}, [&] { return a->Count(GEEPS_TP_DOWN) == 1 && b->Count(GEEPS_TP_DOWN) == 1; }));
    CHECK(a->Last(GEEPS_TP_DOWN).status == GEEPS_E_DENIED);
    CHECK(b->Last(GEEPS_TP_DOWN).status == GEEPS_OK);
  }
}

TEST_CASE("transport: endpoints of different jobs never meet, and addresses that are none are refused") {
  for (const char* name : kTransports) {
    CAPTURE(name);
    TpWorld world(name);
    auto a = world.Make();
    Endpoint::Options options = world.Options();
    options.job = "another job";
    TpSide b;
    b.endpoint = *Endpoint::Create(world.transport, options);
    const auto conn = a->endpoint.Connect(*b.endpoint.Address(), "", 7);
    if (conn.ok()) {
      REQUIRE(RunUntil({a.get(), &b}, [&] { return a->Count(GEEPS_TP_DOWN) == 1; }));
      CHECK(a->Last(GEEPS_TP_DOWN).status == GEEPS_E_MISMATCH);
      CHECK(b.Count(GEEPS_TP_CONN_REQUEST) == 0);
    } else {
      CHECK(DetailOf(conn.status()).code == Code::kMismatch);
    }
    CHECK(DetailOf(a->endpoint.Connect("no address", "", 7).status()).code == Code::kInvalid);
    CHECK(DetailOf(a->endpoint.Connect("", "", 7).status()).code == Code::kInvalid);
    CHECK(!a->endpoint.Connect(*b.endpoint.Address(), std::string(257, 'p'), 7).ok());
  }
}

TEST_CASE("transport: create refuses unknown options, missing capabilities, a zero limit") {
  for (const char* name : kTransports) {
    CAPTURE(name);
    TpWorld world(name);
    Endpoint::Options options = world.Options();
    options.transport_options = {{"no_such_key", "1"}};
    CHECK(DetailOf(Endpoint::Create(world.transport, options).status()).code == Code::kInvalid);
    options = world.Options();
    options.required_caps = uint64_t{1} << 40;
    CHECK(DetailOf(Endpoint::Create(world.transport, options).status()).code == Code::kUnsupported);
    options = world.Options();
    options.payload_max = 0;
    CHECK(DetailOf(Endpoint::Create(world.transport, options).status()).code == Code::kInvalid);
  }
}

TEST_CASE("transport: 200 lives of a connected pair leave no descriptor behind") {
  for (const char* name : kTransports) {
    CAPTURE(name);
    { Pair warm_up(name); }
    const int before = test::NumDescriptors();
    for (int i = 0; i < 200; ++i) Pair pair(name);
    CHECK(test::NumDescriptors() == before);
  }
}

TEST_CASE("transport: a thread that sleeps on the descriptor misses neither message nor wake") {
  for (const char* name : kTransports) {
    CAPTURE(name);
    Pair pair(name);
    constexpr size_t kRounds = 500;
    std::atomic<bool> failed{false};
    // Ping-pong: each side sleeps before every message of the other, so one lost wake-up stops both.
    std::thread echo([&] {
      for (size_t i = 0; i < kRounds && !failed; ++i) {
        if (!RunUntil({pair.b.get()}, [&] { return pair.b->Count(GEEPS_TP_RECEIVED) == i + 1; })) failed = true;
        if (pair.b->Send(0, "pong", {}, i) != GEEPS_OK) failed = true;
      }
      if (!RunUntil({pair.b.get()}, [&] { return pair.b->Count(GEEPS_TP_SENT) == kRounds; })) failed = true;
    });
    for (size_t i = 0; i < kRounds && !failed; ++i) {
      if (pair.a->Send(0, "ping", {}, i) != GEEPS_OK) failed = true;
      if (!RunUntil({pair.a.get()}, [&] { return pair.a->Count(GEEPS_TP_RECEIVED) == i + 1; })) failed = true;
    }
    echo.join();
    CHECK(!failed);
    // Wake makes the descriptor readable from any thread, and the next poll takes it in.
    while (pair.a->Poll() != 0) {
    }
    REQUIRE(RunUntil({pair.a.get()}, [&] { return pair.a->endpoint.table().arm(pair.a->endpoint.get()) == GEEPS_OK; }));
    std::thread waker([&] { pair.a->endpoint.Wake(); });
    pollfd fd = {*pair.a->endpoint.EventFd(), POLLIN, 0};
    CHECK(poll(&fd, 1, 20000) == 1);
    waker.join();
    pair.a->Poll();
    REQUIRE(RunUntil({pair.a.get()}, [&] { return pair.a->endpoint.table().arm(pair.a->endpoint.get()) == GEEPS_OK; }));
    CHECK(poll(&fd, 1, 0) == 0);
  }
}

TEST_CASE("transport: an idle connection costs no processor time") {
  for (const char* name : kTransports) {
    CAPTURE(name);
    Pair pair(name);
    const auto cpu_us = [] {
      rusage usage;
      getrusage(RUSAGE_THREAD, &usage);
      return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    };
    REQUIRE(RunUntil({pair.a.get()}, [&] { return pair.a->endpoint.table().arm(pair.a->endpoint.get()) == GEEPS_OK; }));
    const auto before = cpu_us();
    pollfd fd = {*pair.a->endpoint.EventFd(), POLLIN, 0};
    CHECK(poll(&fd, 1, 300) == 0);
    CHECK(cpu_us() - before < 100000);
  }
}

TEST_CASE("transport: statistics count messages and payload bytes") {
  for (const char* name : kTransports) {
    CAPTURE(name);
    Pair pair(name);
    std::string slot(1000, '\0');
    REQUIRE(pair.b->Open(1, &slot) == GEEPS_OK);
    const std::string payload = Contents(1, 1000);
    REQUIRE(pair.a->Send(1, "h", {payload}, 1) == GEEPS_OK);
    REQUIRE(pair.a->Send(0, "h", {}, 2) == GEEPS_OK);
    REQUIRE(RunUntil(pair.both(), [&] { return pair.a->Count(GEEPS_TP_SENT) == 2; }));
    geeps_tp_stats stats;
    std::memset(&stats, 0, sizeof(stats));
    stats.struct_size = sizeof(stats);
    REQUIRE(pair.a->endpoint.table().stats(pair.a->endpoint.get(), &stats, nullptr) == GEEPS_OK);
    CHECK(stats.num_conns == 1);
    CHECK(stats.sent_messages == 2);
    CHECK(stats.sent_payload_bytes == 1000);
  }
}

}  // namespace
}  // namespace geeps::net
