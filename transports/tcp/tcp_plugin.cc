// SPDX-License-Identifier: Apache-2.0
// The tables of the transport: conversions between handles and objects, checks of pointers, and a stop for exceptions.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <utility>

#include "geeps_transport.h"
#include "transports/tcp/endpoint.h"

namespace geeps::tcp {
namespace {

Endpoint* Of(geeps_tp* tp) { return reinterpret_cast<Endpoint*>(tp); }
Connection* Of(geeps_tp_conn* conn) { return reinterpret_cast<Connection*>(conn); }

// The standard library throws when memory ends; nothing may cross the C functions. broken: the endpoint that is left half
// done then; nullptr: nothing was changed.
template <typename Body>
geeps_status Guarded(Endpoint* broken, geeps_error* err, Body&& body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    if (broken != nullptr) broken->Break();
    if (err != nullptr && err->struct_size >= sizeof(*err)) {
      err->code = GEEPS_E_NOMEM;
      std::strcpy(err->message, "transport tcp: no memory");
    }
    return GEEPS_E_NOMEM;
  } catch (const std::exception&) {
    if (broken != nullptr) broken->Break();
    return GEEPS_E_INTERNAL;
  }
}
template <typename Body>
geeps_status Guarded(geeps_error* err, Body&& body) noexcept {
  return Guarded(nullptr, err, std::forward<Body>(body));
}

Endpoint* EndpointOf(geeps_tp_conn* conn) { return conn == nullptr ? nullptr : Of(conn)->endpoint(); }

geeps_status Create(const geeps_host* host, const geeps_tp_config* config, geeps_tp** out, geeps_error* err) {
  return Guarded(err, [&] {
    if (config == nullptr || out == nullptr) return SetError(err, GEEPS_E_INVALID, 0, "config or out is NULL");
    constexpr size_t kOldestBytes = offsetof(geeps_tp_config, silence_ns);
    if (config->struct_size < kOldestBytes) {
      return SetError(err, GEEPS_E_ABI, 0, "geeps_tp_config has " + std::to_string(config->struct_size) + " bytes, " +
                                               std::to_string(kOldestBytes) + " are required");
    }
    geeps_tp_config whole{};
    std::memcpy(&whole, config, std::min<size_t>(config->struct_size, sizeof(whole)));
    std::unique_ptr<Endpoint> endpoint;
    const geeps_status status = Endpoint::Create(host, whole, &endpoint, err);
    if (status == GEEPS_OK) *out = reinterpret_cast<geeps_tp*>(endpoint.release());
    return status;
  });
}

void Destroy(geeps_tp* tp) { delete Of(tp); }

geeps_status GetAddress(geeps_tp* tp, void* buf, uint64_t cap, uint64_t* len, geeps_error* err) {
  return Guarded(err, [&] {
    if (tp == nullptr || len == nullptr || (buf == nullptr && cap != 0)) return SetError(err, GEEPS_E_INVALID, 0, "a pointer is NULL");
    const Address& address = Of(tp)->address();
    *len = sizeof(address);
    if (cap >= sizeof(address)) std::memcpy(buf, &address, sizeof(address));
    return static_cast<geeps_status>(GEEPS_OK);
  });
}

geeps_status Connect(geeps_tp* tp, const void* address, uint64_t address_bytes, const void* private_data, uint64_t private_bytes,
                     uint64_t cookie, geeps_tp_conn** out, geeps_error* err) {
  return Guarded(err, [&] {
    if (tp == nullptr || out == nullptr || (private_data == nullptr && private_bytes != 0)) {
      return SetError(err, GEEPS_E_INVALID, 0, "a pointer is NULL");
    }
    if (private_bytes > GEEPS_TP_PRIVATE_MAX) {
      return SetError(err, GEEPS_E_INVALID, 0, "private data of " + std::to_string(private_bytes) + " bytes, at most 256 are possible");
    }
    Address decoded;
    if (!DecodeAddress(address, address_bytes, &decoded)) {
      return SetError(err, GEEPS_E_INVALID, 0, "these " + std::to_string(address_bytes) + " bytes are no address of transport tcp");
    }
    Connection* connection = nullptr;
    const geeps_status status = Of(tp)->Connect(decoded, private_data, private_bytes, cookie, &connection, err);
    if (status == GEEPS_OK) *out = reinterpret_cast<geeps_tp_conn*>(connection);
    return status;
  });
}

geeps_status Accept(geeps_tp_conn* conn, uint64_t cookie, geeps_error* err) {
  return Guarded(EndpointOf(conn), err, [&] {
    if (conn == nullptr) return SetError(err, GEEPS_E_INVALID, 0, "conn is NULL");
    const geeps_status status = Of(conn)->Accept(cookie);
    return status == GEEPS_OK ? status : SetError(err, status, 0, "the connection is no request that waits for an answer");
  });
}

void Close(geeps_tp_conn* conn, uint32_t linger) {
  Guarded(EndpointOf(conn), nullptr, [&] {
    if (conn != nullptr) Of(conn)->Close(linger != 0);
    return static_cast<geeps_status>(GEEPS_OK);
  });
}

geeps_status SlotSet(geeps_tp_conn* conn, uint32_t slot, void* memory, uint64_t bytes, geeps_error* err) {
  return Guarded(err, [&] {
    if (conn == nullptr) return SetError(err, GEEPS_E_INVALID, 0, "conn is NULL");
    return Of(conn)->SetSlot(slot, memory, bytes, err);
  });
}

geeps_status SlotArm(geeps_tp_conn* conn, uint32_t slot) {
  return conn == nullptr ? GEEPS_E_INVALID : Of(conn)->ArmSlot(slot);
}

geeps_status Send(geeps_tp_conn* conn, uint32_t slot, const void* header, uint64_t header_bytes, const geeps_tp_piece* pieces,
                  uint64_t num_pieces, uint64_t cookie) {
  return Guarded(EndpointOf(conn), nullptr, [&]() -> geeps_status {
    if (conn == nullptr) return GEEPS_E_INVALID;
    return Of(conn)->Send(slot, header, header_bytes, pieces, num_pieces, cookie);
  });
}

geeps_status Poll(geeps_tp* tp, geeps_tp_event* events, uint64_t stride, uint64_t cap, uint64_t* num) {
  return Guarded(tp == nullptr ? nullptr : Of(tp), nullptr, [&]() -> geeps_status {
    if (tp == nullptr || num == nullptr || (cap != 0 && (events == nullptr || stride < sizeof(geeps_tp_event)))) return GEEPS_E_INVALID;
    return Of(tp)->Poll(events, stride, cap, num);
  });
}

geeps_status EventFd(geeps_tp* tp, int32_t* fd, geeps_error* err) {
  if (tp == nullptr || fd == nullptr) return GEEPS_E_INVALID;
  *fd = Of(tp)->event_fd();
  return GEEPS_OK;
}

geeps_status Arm(geeps_tp* tp) { return tp == nullptr ? GEEPS_E_INVALID : Of(tp)->Arm(); }

void Wake(geeps_tp* tp) {
  if (tp != nullptr) Of(tp)->Wake();
}

geeps_status Stats(geeps_tp* tp, geeps_tp_stats* out, geeps_error* err) {
  if (tp == nullptr || out == nullptr || out->struct_size < sizeof(uint32_t)) return GEEPS_E_INVALID;
  Of(tp)->GetStats(out);
  return GEEPS_OK;
}

constexpr geeps_transport kTransport = {
    .struct_size = sizeof(geeps_transport),
    .reserved0 = 0,
    .caps = 0,
    .create = Create,
    .destroy = Destroy,
    .address = GetAddress,
    .connect = Connect,
    .accept = Accept,
    .close = Close,
    .slot_set = SlotSet,
    .slot_arm = SlotArm,
    .send = Send,
    .poll = Poll,
    .event_fd = EventFd,
    .arm = Arm,
    .wake = Wake,
    .stats = Stats,
};

const void* GetInterface(const char* id) {
  return id != nullptr && std::strcmp(id, GEEPS_TRANSPORT_ID) == 0 ? &kTransport : nullptr;
}

constexpr geeps_plugin kPlugin = {
    .struct_size = sizeof(geeps_plugin),
    .abi = GEEPS_PLUGIN_ABI,
    .name = "tcp",
    .version = GEEPS_RELEASE,
    .license = "Apache-2.0",
    .build_info = "plain sockets and epoll; " __VERSION__,
    .get_interface = GetInterface,
};

}  // namespace
}  // namespace geeps::tcp

extern "C" const geeps_plugin* GEEPS_PLUGIN_QUERY(uint32_t) { return &geeps::tcp::kPlugin; }
