// SPDX-License-Identifier: Apache-2.0
// What the suite of the transports is written with: an endpoint with its events by kind, and pairs of connected endpoints.
// Every wait sleeps on the endpoints' descriptors, armed, and has a deadline.
#ifndef GEEPS_TESTS_TRANSPORTS_TRANSPORT_HARNESS_H_
#define GEEPS_TESTS_TRANSPORTS_TRANSPORT_HARNESS_H_

#include <doctest/doctest.h>

#include <poll.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "geeps_transport.h"
#include "runtime/base/log.h"
#include "runtime/net/plugin.h"
#include "runtime/net/transport.h"

namespace geeps::net {

struct TpEvent {
  int32_t type = 0;
  geeps_tp_conn* conn = nullptr;
  uint64_t cookie = 0;
  std::string data;
  uint64_t payload_bytes = 0;
  uint32_t slot = 0;
  geeps_status status = GEEPS_OK;
};

// One endpoint and all events it has reported.
struct TpSide {
  Endpoint endpoint;
  std::vector<TpEvent> events;
  geeps_tp_conn* conn = nullptr;  // of a pair

  size_t Count(int32_t type) const {
    size_t count = 0;
    for (const TpEvent& event : events) count += event.type == type;
    return count;
  }
  const TpEvent& Last(int32_t type) const {
    const TpEvent* last = nullptr;
    for (const TpEvent& event : events) {
      if (event.type == type) last = &event;
    }
    REQUIRE(last != nullptr);
    return *last;
  }
  size_t Poll(uint64_t cap = 16) {
    geeps_tp_event polled[64];
    uint64_t num = 0;
    REQUIRE(endpoint.table().poll(endpoint.get(), polled, sizeof(polled[0]), cap, &num) == GEEPS_OK);
    for (uint64_t i = 0; i < num; ++i) {
      const geeps_tp_event& e = polled[i];
      const bool has_data = e.type == GEEPS_TP_CONN_REQUEST || e.type == GEEPS_TP_RECEIVED;
      events.push_back({e.type, e.conn, e.cookie,
                        has_data ? std::string(static_cast<const char*>(e.data), e.bytes) : std::string(), e.payload_bytes,
                        e.slot, e.status});
    }
    return num;
  }
  geeps_status Send(uint32_t slot, const std::string& header, const std::vector<std::string_view>& pieces, uint64_t cookie) {
    std::vector<geeps_tp_piece> list;
    for (const std::string_view piece : pieces) list.push_back({piece.data(), piece.size()});
    return endpoint.table().send(conn, slot, header.data(), header.size(), list.data(), list.size(), cookie);
  }
  geeps_status Open(uint32_t slot, std::string* memory) {
    const absl::Status set = endpoint.SetSlot(conn, slot, memory->data(), memory->size());
    return set.ok() ? endpoint.table().slot_arm(conn, slot) : GEEPS_E_INVALID;
  }
};

// Polls the sides until the condition holds, asleep in between. False at the deadline.
template <typename Condition>
bool RunUntil(const std::vector<TpSide*>& sides, Condition condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    size_t num = 0;
    for (TpSide* side : sides) num += side->Poll();
    if (num != 0) continue;
    std::vector<pollfd> polls;
    bool sleep = true;
    for (TpSide* side : sides) {
      sleep = sleep && side->endpoint.table().arm(side->endpoint.get()) == GEEPS_OK;
      polls.push_back({*side->endpoint.EventFd(), POLLIN, 0});
    }
    if (sleep) poll(polls.data(), polls.size(), 2000);
  }
  return true;
}

struct TpWorld {
  explicit TpWorld(const std::string& transport_name) : registry(&log, GEEPS_TEST_PLUGIN_DIR) {
    auto opened = OpenTransport(&registry, transport_name);
    REQUIRE_MESSAGE(opened.ok(), std::string(opened.status().message()));
    transport = *opened;
  }
  Endpoint::Options Options() const {
    Endpoint::Options options;
    options.job = "job";
    options.payload_max = kPayloadMax;
    return options;
  }
  std::unique_ptr<TpSide> Make() const {
    auto side = std::make_unique<TpSide>();
    auto endpoint = Endpoint::Create(transport, Options());
    REQUIRE_MESSAGE(endpoint.ok(), std::string(endpoint.status().message()));
    side->endpoint = std::move(*endpoint);
    return side;
  }
  // Connects a to b; private data "hello", cookies 7 and 9.
  void Connect(TpSide* a, TpSide* b) const {
    auto conn = a->endpoint.Connect(*b->endpoint.Address(), "hello", 7);
    REQUIRE_MESSAGE(conn.ok(), std::string(conn.status().message()));
    a->conn = *conn;
    const size_t requests = b->Count(GEEPS_TP_CONN_REQUEST);
    REQUIRE(RunUntil({a, b}, [&] { return b->Count(GEEPS_TP_CONN_REQUEST) > requests; }));
    CHECK(b->Last(GEEPS_TP_CONN_REQUEST).data == "hello");
    b->conn = b->Last(GEEPS_TP_CONN_REQUEST).conn;
    REQUIRE(b->endpoint.Accept(b->conn, 9).ok());
    REQUIRE(RunUntil({a, b}, [&] { return a->Count(GEEPS_TP_UP) == 1 && b->Count(GEEPS_TP_UP) > 0; }));
    CHECK(a->Last(GEEPS_TP_UP).cookie == 7);
    CHECK(b->Last(GEEPS_TP_UP).cookie == 9);
  }
  // What the log has taken in so far, joined.
  std::string LogText() {
    std::string all;
    std::string line;
    LogLevel level;
    while (log.PeekOldest(&level, &line)) {
      all += line + "\n";
      log.DropOldest();
    }
    return all;
  }

  static constexpr uint64_t kPayloadMax = 2 << 20;
  Log log{LogLevel::kDebug, nullptr, nullptr};
  PluginRegistry registry;
  Transport transport;
};

// Byte i of message m, in closed form.
inline std::string Contents(uint64_t message, size_t bytes) {
  std::string contents(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) contents[i] = static_cast<char>(message * 31 + i * 7 + (i >> 8));
  return contents;
}

}  // namespace geeps::net

#endif  // GEEPS_TESTS_TRANSPORTS_TRANSPORT_HARNESS_H_
