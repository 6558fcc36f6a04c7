// SPDX-License-Identifier: Apache-2.0
#include "transports/inproc/endpoint.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/base/status.h"

namespace geeps::inproc {

Endpoint::~Endpoint() {
  if (id_ != 0) Hub::Get().RemoveEndpoint(id_);
  // Requests that the host has not seen are refused like the others are closed. After RemoveEndpoint no further one is posted
  // by a thread that has not found the inbox before; such a late one is refused by its Connect, which looks again.
  delivered_.clear();
  inbox_->Close(&delivered_);
  for (const Event& event : delivered_) event.connection->Close();
  for (const auto& [key, connection] : connections_) connection->Close();
}

absl::Status Endpoint::Open() {
  GEEPS_RETURN_IF_ERROR(inbox_->Open());
  id_ = Hub::Get().AddEndpoint(inbox_, job_);
  return absl::OkStatus();
}

Address Endpoint::address() const {
  Address address;
  address.endpoint = id_;
  return address;
}

absl::Status Endpoint::Connect(const Address& address, absl::string_view private_data, uint64_t cookie, Connection** out) {
  bool same_job = false;
  const std::shared_ptr<Inbox> peer = Hub::Get().FindEndpoint(address.endpoint, job_, &same_job);
  if (peer == nullptr) return NotFound("no endpoint ", address.endpoint, " in this process");
  if (!same_job) return Mismatch("endpoint ", address.endpoint, " belongs to another job than ", job_);
  auto link = std::make_shared<Link>();
  auto own = std::make_shared<Connection>(link, 0);
  auto other = std::make_shared<Connection>(link, 1);
  Event request;
  request.event.struct_size = sizeof(request.event);
  request.event.type = GEEPS_TP_CONN_REQUEST;
  request.event.conn = reinterpret_cast<geeps_tp_conn*>(other.get());
  request.event.bytes = private_data.size();
  if (!private_data.empty()) std::memcpy(request.data.data(), private_data.data(), private_data.size());
  request.connection = other;
  {
    MutexLock lock(&link->mutex);
    Side& side = link->sides[0];
    side.inbox = inbox_;
    side.connection = own;
    side.cookie = cookie;
    side.payload_max = payload_max_;
    link->sides[1].inbox = peer;
    link->sides[1].connection = other;
    link->sides[1].payload_max = payload_max_;
  }
  connections_[own.get()] = own;
  *out = own.get();
  peer->Post(std::move(request));
  // The peer may have gone between the look-up and the post: then nobody will ever answer.
  if (Hub::Get().FindEndpoint(address.endpoint, job_, &same_job) == nullptr) other->Close();
  return absl::OkStatus();
}

geeps_status Endpoint::Poll(geeps_tp_event* events, uint64_t stride, uint64_t cap, uint64_t* num) {
  delivered_.clear();
  if (!inbox_->Take(cap, &delivered_)) return GEEPS_E_NOMEM;
  uint8_t* out = reinterpret_cast<uint8_t*>(events);
  for (Event& record : delivered_) {
    geeps_tp_event& event = record.event;
    if (event.type == GEEPS_TP_CONN_REQUEST) connections_[record.connection.get()] = record.connection;
    if (event.type == GEEPS_TP_DOWN) connections_.erase(record.connection.get());
    if (event.type == GEEPS_TP_CONN_REQUEST || event.type == GEEPS_TP_RECEIVED) event.data = record.data.data();
    record.connection->OnTaken(event);
    Count(event);
    std::memcpy(out, &event, sizeof(event));
    out += stride;
  }
  *num = delivered_.size();
  return GEEPS_OK;
}

void Endpoint::Count(const geeps_tp_event& event) {
  switch (event.type) {
    case GEEPS_TP_UP: ++stats_.num_conns; break;
    case GEEPS_TP_SENT:
      if (event.status != GEEPS_OK) break;
      ++stats_.sent_messages;
      stats_.sent_payload_bytes += event.payload_bytes;
      break;
    case GEEPS_TP_RECEIVED:
      ++stats_.received_messages;
      stats_.received_payload_bytes += event.payload_bytes;
      break;
    default: break;
  }
}

void Endpoint::GetStats(geeps_tp_stats* out) const {
  geeps_tp_stats stats = stats_;
  stats.num_conns = static_cast<uint32_t>(connections_.size());
  stats.struct_size = out->struct_size;
  std::memcpy(out, &stats, std::min<uint32_t>(out->struct_size, sizeof(stats)));
}

}  // namespace geeps::inproc
