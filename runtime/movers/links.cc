// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/links.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/bytes.h"
#include "runtime/base/status.h"

namespace geeps::movers {
namespace {

// Events looked at in one poll; more wait in the transport.
constexpr size_t kPollEvents = 64;

}  // namespace

Links::Links(MoverContext* context, net::Endpoint* endpoint, LinkEvents* events)
    : context_(context), endpoint_(endpoint), events_(events), links_(context->world), polled_(kPollEvents) {}

void Links::SetPeers(std::vector<std::string> addresses, uint64_t job) {
  addresses_ = std::move(addresses);
  job_ = job;
}

std::string Links::PrivateData() const {
  ByteWriter writer;
  writer.U64(job_);
  writer.U32(context_->rank);
  return writer.Take();
}

absl::Status Links::Connect(absl::Span<const uint32_t> ranks) {
  for (uint32_t rank : ranks) {
    Link* const link = &links_[rank];
    if (link->wanted) continue;
    if (rank > context_->rank && link->conn == nullptr) {
      context_->log->Debug("links", "connecting to rank ", rank);
      GEEPS_ASSIGN_OR_RETURN(link->conn, endpoint_->Connect(addresses_[rank], PrivateData(), rank));
    }
    link->wanted = true;  // now: a commit that fails here may be repeated
  }
  return absl::OkStatus();
}

absl::Status Links::SetSlot(uint32_t rank, uint32_t slot, void* memory, uint64_t bytes) {
  if (!links_[rank].up) return absl::OkStatus();
  absl::Status status = endpoint_->SetSlot(links_[rank].conn, slot, memory, bytes);
  if (DetailOf(status).code != Code::kState) return status;
  Lose(rank);
  return absl::OkStatus();
}

absl::Status Links::ArmSlot(uint32_t rank, uint32_t slot) {
  if (!links_[rank].up) return absl::OkStatus();
  const geeps_status code = endpoint_->table().slot_arm(links_[rank].conn, slot);
  if (code == GEEPS_E_STATE) {
    Lose(rank);
  } else if (code != GEEPS_OK) {
    return Internal("slot ", slot, " of the connection to rank ", rank, " cannot be armed: ", CodeName(code));
  }
  return absl::OkStatus();
}

uint64_t Links::Remember(const Sent& sent) {
  ++num_in_flight_;
  if (free_.empty()) {
    in_flight_.push_back(sent);
    return in_flight_.size() - 1;
  }
  const uint32_t cookie = free_.back();
  free_.pop_back();
  in_flight_[cookie] = sent;
  return cookie;
}

void Links::Send(uint32_t rank, uint32_t slot, protocol::Header header, const void* payload, uint64_t payload_bytes,
                 const Sent& sent) {
  Link* const link = &links_[rank];
  if (!link->up) return;  // its loss was reported; the verdict is on its way
  header.epoch = context_->epoch->number;
  header.sequence = link->sequence_out++;
  header.sent_ns = SteadyNs();
  Waiting message;
  message.slot = slot;
  protocol::EncodeHeader(header, message.header);
  message.piece = {payload, payload_bytes};
  message.cookie = Remember(sent);
  if (slot == GEEPS_TP_MAILBOX) context_->statistics->control_messages_sent.Add();
  if (!link->waiting.empty() || !Offer(link, message, rank)) link->waiting.push_back(message);
}

bool Links::Offer(Link* link, const Waiting& message, uint32_t rank) {
  const geeps_status code =
      endpoint_->table().send(link->conn, message.slot, message.header, protocol::kHeaderBytes, &message.piece,
                              message.slot == GEEPS_TP_MAILBOX ? 0 : 1, message.cookie);
  if (code == GEEPS_AGAIN) return false;
  if (code == GEEPS_E_STATE) {
    Lose(rank);
  } else if (code != GEEPS_OK) {
    StatusDetail detail;
    detail.code = static_cast<Code>(code);
    detail.rank = static_cast<int32_t>(rank);
    context_->fail(MakeStatus(
        detail, absl::StrCat("a message to rank ", rank, " was refused by the transport: ", CodeName(code))));
  }
  return true;
}

// The transport refuses in the connection's state: it is down, which GEEPS_TP_DOWN will say, or the peer sends where it
// must not. Closed, so that nothing lands any more; evidence against the peer, not a fault of this worker.
void Links::Lose(uint32_t rank) {
  Link* const link = &links_[rank];
  link->up = false;
  link->lost = true;
  endpoint_->table().close(link->conn, 0);
  events_->OnLinkDown(rank,
                      MakeStatus(Code::kPeerLost, absl::StrCat("the data connection to rank ", rank, " is down")));
}

void Links::Retry(uint32_t rank) {
  Link* const link = &links_[rank];
  while (link->up && !link->waiting.empty() && Offer(link, link->waiting.front(), rank)) link->waiting.pop_front();
}

void Links::Notify(uint32_t rank) {
  if (rank == context_->rank || !links_[rank].up) return;
  endpoint_->transport().map->notify(links_[rank].conn);
}

bool Links::Poll() {
  for (geeps_tp_event& event : polled_) event.struct_size = sizeof(geeps_tp_event);
  uint64_t num = 0;
  const geeps_status code =
      endpoint_->table().poll(endpoint_->get(), polled_.data(), sizeof(geeps_tp_event), polled_.size(), &num);
  if (code < 0 || num > polled_.size()) {
    const std::string text =
        absl::StrCat("the transport's poll of ", polled_.size(), " events failed: ", num, ", ", CodeName(code));
    context_->fail(MakeStatus(code < 0 ? static_cast<Code>(code) : Code::kInternal, text));
    return false;
  }
  for (uint64_t i = 0; i < num; ++i) {
    if (!silent_) Handle(polled_[i]);
  }
  return num > 0;
}

// The transport is a plugin: the cookies that it gives back are checked before they are used as indexes.
void Links::Handle(const geeps_tp_event& event) {
  const bool of_link = event.type == GEEPS_TP_UP || event.type == GEEPS_TP_RECEIVED;
  if ((of_link && (event.cookie >= links_.size() || links_[event.cookie].conn != event.conn)) ||
      (event.type == GEEPS_TP_SENT && event.cookie >= in_flight_.size())) {
    context_->fail(Internal("the transport gave back the unknown cookie ", event.cookie, " with event ", event.type));
    return;
  }
  switch (event.type) {
    case GEEPS_TP_CONN_REQUEST:
      OnRequest(event);
      break;
    case GEEPS_TP_UP:
      OnUp(event);
      break;
    case GEEPS_TP_DOWN:
      OnDown(event);
      break;
    case GEEPS_TP_SENT:
      OnSent(event);
      break;
    case GEEPS_TP_RECEIVED:
      OnReceived(event);
      break;
    case GEEPS_TP_NOTIFIED:
      events_->OnNotified();
      break;
    default:
      break;  // a newer transport may tell more
  }
}

// Accepted when it names this job and a rank that connects to us and has not yet. A request may come before this worker
// has found out that it needs the connection.
void Links::OnRequest(const geeps_tp_event& event) {
  ByteReader reader(absl::string_view(static_cast<const char*>(event.data), event.bytes));
  const uint64_t job = reader.U64();
  const uint32_t rank = reader.U32();
  const bool fits =
      reader.done() && !addresses_.empty() && job == job_ && rank < context_->rank && links_[rank].conn == nullptr;
  if (!fits) {
    context_->log->Write(LogLevel::kWarning, "links", "a connection that does not belong to this job was refused");
    endpoint_->table().close(event.conn, 0);
    return;
  }
  context_->log->Debug("links", "rank ", rank, " connects");
  links_[rank].conn = event.conn;
  if (!context_->Check(endpoint_->Accept(event.conn, rank))) links_[rank].conn = nullptr;
}

// Its slots are named when the fence finds all links up.
void Links::OnUp(const geeps_tp_event& event) {
  links_[event.cookie].up = true;
  context_->log->Debug("links", "the data connection to rank ", event.cookie, " is up");
}

void Links::OnDown(const geeps_tp_event& event) {
  for (uint32_t rank = 0; rank < links_.size(); ++rank) {
    Link* const link = &links_[rank];
    if (link->conn != event.conn) continue;
    link->conn = nullptr;
    link->up = false;
    link->waiting.clear();
    if (std::exchange(link->lost, true)) return;
    StatusDetail detail;
    detail.code = event.status < 0 ? static_cast<Code>(event.status) : Code::kPeerLost;
    detail.native_code = event.native_code;
    events_->OnLinkDown(rank, MakeStatus(detail, absl::StrCat("the data connection to rank ", rank, " went down (",
                                                              CodeName(event.status), ")")));
    return;
  }
}

void Links::OnReceived(const geeps_tp_event& event) {
  const uint32_t rank = static_cast<uint32_t>(event.cookie);
  protocol::Header header;
  absl::Status status =
      protocol::DecodeHeader(absl::MakeConstSpan(static_cast<const uint8_t*>(event.data), event.bytes), &header);
  if (status.ok() && header.sequence != links_[rank].sequence_in) {
    status = BadData("message ", header.sequence, " arrived where ", links_[rank].sequence_in, " was due");
  }
  if (!status.ok()) {
    StatusDetail detail = DetailOf(status);
    detail.rank = static_cast<int32_t>(rank);
    context_->fail(
        MakeStatus(detail, absl::StrCat("rank ", rank, " broke the protocol: ", absl::string_view(status.message()))));
    return;
  }
  ++links_[rank].sequence_in;
  PeerTime* const time = &links_[rank].time;
  time->Note(header.sent_ns, SteadyNs());
  header.sent_ns = time->ToOwn(header.sent_ns);
  if (header.fired_ns != 0) header.fired_ns = time->ToOwn(header.fired_ns);
  events_->OnMessage(rank, event.slot, header, event.payload_bytes);
}

void Links::OnSent(const geeps_tp_event& event) {
  const Sent sent = in_flight_[event.cookie];
  free_.push_back(static_cast<uint32_t>(event.cookie));
  --num_in_flight_;
  if (event.status == GEEPS_OK && sent.kind != Sent::Kind::kNothing) context_->actions.Push(sent);
  for (uint32_t rank = 0; rank < links_.size(); ++rank) {
    if (links_[rank].conn == event.conn && !links_[rank].waiting.empty()) Retry(rank);
  }
}

}  // namespace geeps::movers
