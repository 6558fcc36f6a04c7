// SPDX-License-Identifier: Apache-2.0
// The tables of the transport: conversions between handles and objects, and checks of pointers and sizes.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "geeps_transport.h"
#include "runtime/base/status.h"
#include "transports/inproc/endpoint.h"
#include "transports/inproc/inproc.h"

// A holder's reference to memory. Only the creator's names it for others.
struct geeps_tp_segment {
  std::shared_ptr<geeps::inproc::Memory> memory;
  uint64_t id = 0;
  bool created = false;
};

namespace geeps::inproc {
namespace {

struct SegmentBlob {
  uint32_t magic = 0x31535447;  // "GTS1"
  uint32_t reserved = 0;
  uint64_t id = 0;
};

Endpoint* Of(geeps_tp* tp) { return reinterpret_cast<Endpoint*>(tp); }
Connection* Of(geeps_tp_conn* conn) { return reinterpret_cast<Connection*>(conn); }

geeps_status Report(geeps_error* err, const absl::Status& status) {
  if (status.ok()) return GEEPS_OK;
  const StatusDetail detail = DetailOf(status);
  const geeps_status code = static_cast<geeps_status>(detail.code);
  if (err == nullptr || err->struct_size < sizeof(*err)) return code;
  err->code = code;
  err->native_code = detail.native_code;
  err->flags = 0;
  err->rank = -1;
  err->clock = 0;
  const size_t bytes = std::min(status.message().size(), sizeof(err->message) - 1);
  std::copy_n(status.message().data(), bytes, err->message);
  err->message[bytes] = '\0';
  return code;
}

geeps_status Create(const geeps_host* host, const geeps_tp_config* config, geeps_tp** out, geeps_error* err) {
  if (config == nullptr || out == nullptr) return Report(err, Invalid("config or out is NULL"));
  if (config->struct_size < sizeof(*config)) {
    return Report(err, MakeStatus(Code::kAbi, absl::StrCat("geeps_tp_config has ", config->struct_size, " bytes, ",
                                                           sizeof(*config), " are required")));
  }
  if ((config->required_caps & ~GEEPS_TP_CAP_MAP) != 0) {
    return Report(err, Unsupported("transport inproc lacks capabilities ", config->required_caps & ~GEEPS_TP_CAP_MAP));
  }
  if (config->payload_max == 0) return Report(err, Invalid("payload_max is 0"));
  if (config->job == nullptr) return Report(err, Invalid("job is NULL"));
  if (config->num_options != 0) return Report(err, Invalid("transport inproc has no options"));
  auto endpoint = std::make_unique<Endpoint>(config->job, config->payload_max);
  const absl::Status status = endpoint->Open();
  if (status.ok()) *out = reinterpret_cast<geeps_tp*>(endpoint.release());
  return Report(err, status);
}

void Destroy(geeps_tp* tp) { delete Of(tp); }

geeps_status GetAddress(geeps_tp* tp, void* buf, uint64_t cap, uint64_t* len, geeps_error* err) {
  if (tp == nullptr || len == nullptr || (buf == nullptr && cap != 0)) return Report(err, Invalid("a pointer is NULL"));
  const Address address = Of(tp)->address();
  *len = sizeof(address);
  if (cap >= sizeof(address)) std::memcpy(buf, &address, sizeof(address));
  return GEEPS_OK;
}

geeps_status Connect(geeps_tp* tp, const void* address, uint64_t address_bytes, const void* private_data, uint64_t private_bytes,
                     uint64_t cookie, geeps_tp_conn** out, geeps_error* err) {
  if (tp == nullptr || out == nullptr || (private_data == nullptr && private_bytes != 0)) {
    return Report(err, Invalid("a pointer is NULL"));
  }
  if (private_bytes > GEEPS_TP_PRIVATE_MAX) {
    return Report(err, Invalid("private data of ", private_bytes, " bytes, at most 256 are possible"));
  }
  Address decoded;
  const uint32_t magic = decoded.magic;
  if (address != nullptr && address_bytes == sizeof(decoded)) std::memcpy(&decoded, address, sizeof(decoded));
  if (decoded.magic != magic || decoded.endpoint == 0) {
    return Report(err, Invalid("these ", address_bytes, " bytes are no address of transport inproc"));
  }
  Connection* connection = nullptr;
  const absl::Status status = Of(tp)->Connect(
      decoded, absl::string_view(static_cast<const char*>(private_data), private_bytes), cookie, &connection);
  if (status.ok()) *out = reinterpret_cast<geeps_tp_conn*>(connection);
  return Report(err, status);
}

geeps_status Accept(geeps_tp_conn* conn, uint64_t cookie, geeps_error* err) {
  if (conn == nullptr) return Report(err, Invalid("conn is NULL"));
  if (Of(conn)->Accept(cookie) == GEEPS_OK) return GEEPS_OK;
  return Report(err, WrongState("the connection is no request that waits for an answer"));
}

void Close(geeps_tp_conn* conn, uint32_t) {
  if (conn != nullptr) Of(conn)->Close();
}

geeps_status SlotSet(geeps_tp_conn* conn, uint32_t slot, void* memory, uint64_t bytes, geeps_error* err) {
  if (conn == nullptr) return Report(err, Invalid("conn is NULL"));
  if (slot == GEEPS_TP_MAILBOX) return Report(err, Invalid("slot 0 is the mailbox and has no memory"));
  if (memory == nullptr && bytes != 0) return Report(err, Invalid("memory is NULL"));
  if (Of(conn)->SetSlot(slot, memory, bytes) == GEEPS_OK) return GEEPS_OK;
  return Report(err, WrongState("the connection is down"));
}

geeps_status SlotArm(geeps_tp_conn* conn, uint32_t slot) {
  return conn == nullptr ? GEEPS_E_INVALID : Of(conn)->ArmSlot(slot);
}

geeps_status Send(geeps_tp_conn* conn, uint32_t slot, const void* header, uint64_t header_bytes, const geeps_tp_piece* pieces,
                  uint64_t num_pieces, uint64_t cookie) {
  if (conn == nullptr) return GEEPS_E_INVALID;
  return Of(conn)->Send(slot, header, header_bytes, pieces, num_pieces, cookie);
}

geeps_status Poll(geeps_tp* tp, geeps_tp_event* events, uint64_t stride, uint64_t cap, uint64_t* num) {
  if (tp == nullptr || num == nullptr || (cap != 0 && (events == nullptr || stride < sizeof(*events)))) return GEEPS_E_INVALID;
  return Of(tp)->Poll(events, stride, cap, num);
}

geeps_status EventFd(geeps_tp* tp, int32_t* fd, geeps_error* err) {
  if (tp == nullptr || fd == nullptr) return Report(err, Invalid("tp or fd is NULL"));
  *fd = Of(tp)->event_fd();
  return GEEPS_OK;
}

geeps_status Arm(geeps_tp* tp) {
  if (tp == nullptr) return GEEPS_E_INVALID;
  return Of(tp)->Arm() ? GEEPS_OK : GEEPS_AGAIN;
}

void Wake(geeps_tp* tp) {
  if (tp != nullptr) Of(tp)->Wake();
}

geeps_status Stats(geeps_tp* tp, geeps_tp_stats* out, geeps_error* err) {
  if (tp == nullptr || out == nullptr || out->struct_size < sizeof(uint32_t)) return Report(err, Invalid("tp or out is NULL"));
  Of(tp)->GetStats(out);
  return GEEPS_OK;
}

geeps_status SegmentCreate(geeps_tp* tp, uint64_t bytes, geeps_tp_segment** out, void** memory, geeps_error* err) {
  if (tp == nullptr || out == nullptr || memory == nullptr || bytes == 0) {
    return Report(err, Invalid("a pointer is NULL or the size is 0"));
  }
  auto segment = std::make_unique<geeps_tp_segment>();
  segment->memory = Memory::Allocate(bytes, Of(tp)->job());
  if (segment->memory == nullptr) return Report(err, NoMemory("no memory for a segment of ", bytes, " bytes"));
  segment->id = Hub::Get().AddMemory(segment->memory);
  segment->created = true;
  *memory = segment->memory->data();
  *out = segment.release();
  return GEEPS_OK;
}

geeps_status SegmentExport(geeps_tp_segment* segment, void* buf, uint64_t cap, uint64_t* len, geeps_error* err) {
  if (segment == nullptr || len == nullptr || (buf == nullptr && cap != 0)) return Report(err, Invalid("a pointer is NULL"));
  SegmentBlob blob;
  blob.id = segment->id;
  *len = sizeof(blob);
  if (cap >= sizeof(blob)) std::memcpy(buf, &blob, sizeof(blob));
  return GEEPS_OK;
}

geeps_status SegmentImport(geeps_tp* tp, const void* blob, uint64_t blob_bytes, geeps_tp_segment** out, void** memory,
                           uint64_t* bytes, geeps_error* err) {
  if (tp == nullptr || blob == nullptr || out == nullptr || memory == nullptr || bytes == nullptr) {
    return Report(err, Invalid("a pointer is NULL"));
  }
  SegmentBlob decoded;
  const uint32_t magic = decoded.magic;
  if (blob_bytes == sizeof(decoded)) std::memcpy(&decoded, blob, sizeof(decoded));
  if (decoded.magic != magic || decoded.id == 0) {
    return Report(err, Invalid("these ", blob_bytes, " bytes name no segment of transport inproc"));
  }
  auto segment = std::make_unique<geeps_tp_segment>();
  segment->memory = Hub::Get().FindMemory(decoded.id);
  if (segment->memory == nullptr) return Report(err, NotFound("segment ", decoded.id, " is not there any more"));
  if (segment->memory->job() != Of(tp)->job()) return Report(err, Mismatch("segment ", decoded.id, " belongs to another job"));
  segment->id = decoded.id;
  *memory = segment->memory->data();
  *bytes = segment->memory->bytes();
  *out = segment.release();
  return GEEPS_OK;
}

void SegmentRelease(geeps_tp_segment* segment) {
  if (segment != nullptr && segment->created) Hub::Get().RemoveMemory(segment->id);
  delete segment;
}

void Notify(geeps_tp_conn* conn) {
  if (conn != nullptr) Of(conn)->Notify();
}

constexpr geeps_transport kTransport = {
    .struct_size = sizeof(geeps_transport),
    .reserved0 = 0,
    .caps = GEEPS_TP_CAP_MAP,
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

constexpr geeps_transport_map kTransportMap = {
    .struct_size = sizeof(geeps_transport_map),
    .reserved0 = 0,
    .segment_create = SegmentCreate,
    .segment_export = SegmentExport,
    .segment_import = SegmentImport,
    .segment_release = SegmentRelease,
    .notify = Notify,
};

const void* GetInterface(const char* id) {
  if (id == nullptr) return nullptr;
  if (std::strcmp(id, GEEPS_TRANSPORT_ID) == 0) return &kTransport;
  if (std::strcmp(id, GEEPS_TRANSPORT_MAP_ID) == 0) return &kTransportMap;
  return nullptr;
}

constexpr geeps_plugin kPlugin = {
    .struct_size = sizeof(geeps_plugin),
    .abi = GEEPS_PLUGIN_ABI,
    .name = "inproc",
    .version = "1",
    .license = "Apache-2.0",
    .build_info = "built into libgeeps",
    .get_interface = GetInterface,
};

}  // namespace

const geeps_plugin* Query(uint32_t) { return &kPlugin; }

}  // namespace geeps::inproc
