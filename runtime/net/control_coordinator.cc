// SPDX-License-Identifier: Apache-2.0
#include "runtime/net/control_coordinator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace geeps::net {
namespace {

constexpr size_t kStrangersMax = 256;                     // connections that have not said who they are
constexpr uint64_t kGreetingLimitNs = 5'000'000'000;      // for saying so
constexpr uint64_t kRefusalLimitNs = 1'000'000'000;       // for reading why not
constexpr uint64_t kListenerRestNs = 100'000'000;

protocol::Coordinator::Options CoordinatorOptions(const CoordinatorHost::Options& options) {
  protocol::Coordinator::Options result;
  result.world = options.world;
  result.job = options.job_nonce;
  result.heartbeat_limit_ns = options.heartbeat_limit_ns;
  result.missing_period_ns = options.report_period_ns;
  return result;
}

protocol::Cause MakeCause(Code code, int32_t rank, std::string text) {
  protocol::Cause cause;
  cause.code = static_cast<int32_t>(code);
  cause.rank = rank;
  cause.text = std::move(text);
  return cause;
}

}  // namespace

CoordinatorHost::CoordinatorHost(const Options& options, std::unique_ptr<Listener> listener, Socket own, uint64_t now_ns)
    : options_(options),
      begun_ns_(now_ns),
      coordinator_(CoordinatorOptions(options), now_ns),
      listener_(std::move(listener)),
      id_of_rank_(options.world) {
  Add(std::move(own), now_ns);
}

void CoordinatorHost::Add(Socket socket, uint64_t now_ns) {
  connections_.emplace(next_id_++, Connection{Channel(std::move(socket)), -1, false, now_ns});
}

void CoordinatorHost::AppendPolls(std::vector<pollfd>* polls, uint64_t now_ns) const {
  const bool listens = listener_ != nullptr && now_ns >= listener_rests_until_ns_;
  polls->push_back({listens ? listener_->fd() : -1, POLLIN, 0});
  for (const auto& [id, connection] : connections_) {
    const short events = connection.channel.flushed() ? POLLIN : POLLIN | POLLOUT;
    polls->push_back({connection.channel.fd(), events, 0});
  }
}

void CoordinatorHost::Step(absl::Span<const pollfd> polls, uint64_t now_ns) {
  size_t index = 1;
  for (auto& [id, connection] : connections_) {
    if (polls[index++].revents != 0) Serve(id, &connection, now_ns);
  }
  if (polls[0].revents != 0 && listener_ != nullptr) {
    std::vector<Socket> sockets = listener_->Accept();
    if (sockets.empty()) listener_rests_until_ns_ = now_ns + kListenerRestNs;
    for (Socket& socket : sockets) {
      const auto strangers = std::count_if(connections_.begin(), connections_.end(),
                                           [](const auto& entry) { return entry.second.rank < 0; });
      if (static_cast<size_t>(strangers) < kStrangersMax) Add(std::move(socket), now_ns);
    }
  }
  coordinator_.OnTick(now_ns, &effects_);
  Execute(now_ns);
  if (now_ns >= next_beat_ns_) {
    next_beat_ns_ = now_ns + options_.heartbeat_limit_ns / 10;
    wire::Beat beat;  // the clock of rank 0, in which the coordinator lives
    beat.clock = options_.clocks[0].load(std::memory_order_relaxed);
    if (welcomed_) Broadcast(wire::Type::kBeat, wire::Encode(beat));
  }
  for (auto it = connections_.begin(); it != connections_.end();) {
    Connection& connection = it->second;
    connection.channel.Flush();
    if (connection.broken) OnEnd(&connection, now_ns);
    const uint64_t limit_ns = connection.refused ? kRefusalLimitNs : kGreetingLimitNs;
    if (connection.rank < 0 && now_ns - connection.since_ns >= limit_ns) connection.channel.Close();
    it = connection.channel.open() ? std::next(it) : connections_.erase(it);
  }
}

uint64_t CoordinatorHost::NextStep() const {
  return std::min(coordinator_.NextTick(), next_beat_ns_);
}

void CoordinatorHost::Serve(uint64_t id, Connection* connection, uint64_t now_ns) {
  Channel& channel = connection->channel;
  // Whatever a worker sends shows that it is alive.
  if (channel.Read() && connection->rank >= 0) {
    coordinator_.OnBeat(static_cast<uint32_t>(connection->rank), 0, now_ns, &effects_);
  }
  wire::Type type;
  std::string body;
  while (channel.Next(&type, &body)) {
    if (connection->refused || finishing_) continue;
    if (Dispatch(id, connection, type, body, now_ns)) continue;
    const std::string text = absl::StrCat("it sent control message ", static_cast<int>(type), " of ", body.size(),
                                          " bytes that is malformed or out of place");
    if (connection->rank < 0) {
      Refuse(connection, MakeCause(Code::kData, -1, text));
    } else {
      coordinator_.OnBye(static_cast<uint32_t>(connection->rank), MakeCause(Code::kData, -1, text), &effects_);
    }
    break;
  }
  if (!channel.failure().ok() && connection->rank >= 0) {
    // It can still be told the verdict.
    const absl::Status failure = Prefixed(channel.failure(), "its control connection");
    coordinator_.OnBye(static_cast<uint32_t>(connection->rank), wire::CauseOf(failure), &effects_);
    connection->broken = true;
  } else if (!channel.failure().ok()) {
    const protocol::Cause cause = wire::CauseOf(channel.failure());
    options_.log->Write(LogLevel::kWarning, "control", absl::StrCat("refused a connection: ", cause.text));
    Refuse(connection, cause);
    channel.Flush();
    OnEnd(connection, now_ns);
  } else if (channel.ended()) {
    OnEnd(connection, now_ns);
  }
}

void CoordinatorHost::OnEnd(Connection* connection, uint64_t now_ns) {
  connection->channel.Close();
  if (connection->rank < 0) return;
  id_of_rank_[connection->rank] = 0;
  coordinator_.OnClosed(static_cast<uint32_t>(connection->rank), now_ns, &effects_);
}

bool CoordinatorHost::Dispatch(uint64_t id, Connection* connection, wire::Type type, const std::string& body,
                               uint64_t now_ns) {
  if (type == wire::Type::kHello) return connection->rank < 0 && OnHello(id, connection, body, now_ns);
  if (connection->rank < 0) return false;
  const uint32_t rank = static_cast<uint32_t>(connection->rank);
  switch (type) {
    case wire::Type::kBeat: {
      wire::Beat beat;
      if (!wire::Decode(body, &beat).ok()) return false;
      options_.clocks[rank].store(beat.clock, std::memory_order_relaxed);
      coordinator_.OnBeat(rank, beat.clock, now_ns, &effects_);
      return true;
    }
    case wire::Type::kEnter: {
      protocol::Enter enter;
      if (!wire::Decode(body, &enter).ok()) return false;
      options_.log->Debug("control", "rank ", rank, " stands at a fence at clock ", enter.clock, ", phase ",
                          static_cast<int>(enter.phase), enter.failed ? ", and could not carry it out" : "");
      coordinator_.OnEnter(rank, enter, now_ns, &effects_);
      return true;
    }
    case wire::Type::kLines: {
      std::vector<protocol::DeclarationLine> lines;
      if (!wire::Decode(body, &lines).ok()) return false;
      coordinator_.OnLines(rank, lines, &effects_);
      return true;
    }
    case wire::Type::kSuspect: {
      wire::Suspect suspect;
      if (!wire::Decode(body, &suspect).ok()) return false;
      coordinator_.OnSuspect(rank, suspect.rank, suspect.text, now_ns, &effects_);
      return true;
    }
    case wire::Type::kBye: {
      protocol::Cause cause;
      if (!wire::Decode(body, &cause).ok()) return false;
      coordinator_.OnBye(rank, cause, &effects_);
      return true;
    }
    case wire::Type::kRelay: return OnRelay(connection, body);
    default: return false;
  }
}

// Before anything else: what another job would refuse in this worker, or accept, means nothing.
bool CoordinatorHost::IsStranger(const wire::Hello& hello, Connection* connection) {
  if (hello.nonce == options_.job_nonce || (hello.nonce == 0 && !options_.needs_nonce)) return false;
  const std::string who = absl::StrCat("rank ", hello.worker.rank, " (host ", hello.worker.host, ", pid ", hello.worker.pid, ")");
  if (hello.nonce == 0) {
    Refuse(connection, MakeCause(Code::kMismatch, -1, absl::StrCat(who, " was refused: it does not come by the file of ",
                                                                   options_.rendezvous)));
    return true;
  }
  options_.log->Write(LogLevel::kWarning, "control",
                      absl::StrCat(who, " was sent away: it looks for another job, whose rendezvous file is out of date"));
  connection->refused = true;
  connection->channel.Send(wire::Type::kStranger, "");
  connection->channel.Finish();
  return true;
}

bool CoordinatorHost::OnHello(uint64_t id, Connection* connection, const std::string& body, uint64_t now_ns) {
  wire::Hello hello;
  if (!wire::Decode(body, &hello).ok()) return false;
  const protocol::Hello& worker = hello.worker;
  if (IsStranger(hello, connection)) return true;
  if (hello.job != options_.job) {
    Refuse(connection, MakeCause(Code::kMismatch, -1,
                                 absl::StrCat("rank ", worker.rank, " (host ", worker.host, ", pid ", worker.pid,
                                              ") was refused: it belongs to job '", hello.job, "', this is job '",
                                              options_.job, "'")));
    return true;
  }
  const size_t first_effect = effects_.size();
  coordinator_.OnHello(id, worker, now_ns, &effects_);
  for (size_t i = first_effect; i < effects_.size(); ++i) {
    const protocol::CoordinatorEffect& effect = effects_[i];
    if (effect.kind == protocol::CoordinatorEffect::Kind::kReject && effect.connection == id) return true;
  }
  options_.log->Debug("control", "rank ", worker.rank, " (host ", worker.host, ", pid ", worker.pid, ") has come");
  connection->rank = worker.rank;
  connection->channel.set_body_max(wire::kBodyMax);
  id_of_rank_[worker.rank] = id;
  return true;
}

bool CoordinatorHost::OnRelay(Connection* connection, const std::string& body) {
  wire::Relay relay;
  if (!welcomed_ || !wire::Decode(body, &relay).ok() || relay.dst >= options_.world) return false;
  relay.src = static_cast<uint32_t>(connection->rank);
  const auto it = connections_.find(id_of_rank_[relay.dst]);
  if (it != connections_.end()) Queue(&it->second, wire::Type::kRelay, wire::Encode(relay));
  return true;
}

void CoordinatorHost::Refuse(Connection* connection, const protocol::Cause& cause) {
  options_.log->Write(LogLevel::kWarning, "control", cause.text);
  connection->refused = true;
  connection->channel.Send(wire::Type::kRefused, wire::Encode(cause));
  connection->channel.Finish();
}

void CoordinatorHost::Queue(Connection* connection, wire::Type type, const std::string& body) {
  if (connection->channel.Send(type, body) || connection->rank < 0) return;
  coordinator_.OnBye(static_cast<uint32_t>(connection->rank),
                     MakeCause(Code::kIo, -1, absl::StrCat("it does not read: more than ", Channel::kQueuedBytesMax,
                                                           " bytes wait for it on its control connection")),
                     &effects_);
}

void CoordinatorHost::Broadcast(wire::Type type, const std::string& body) {
  for (auto& [id, connection] : connections_) {
    if (connection.rank >= 0) Queue(&connection, type, body);
  }
}

void CoordinatorHost::Execute(uint64_t now_ns) {
  using Kind = protocol::CoordinatorEffect::Kind;
  for (size_t i = 0; i < effects_.size(); ++i) {  // grows when a queue overflows
    const protocol::CoordinatorEffect effect = std::move(effects_[i]);
    switch (effect.kind) {
      case Kind::kWelcome:
        welcomed_ = true;
        options_.log->Debug("control", "all ", options_.world, " workers have come");
        next_beat_ns_ = now_ns;
        Broadcast(wire::Type::kWelcome, wire::Encode(effect.welcome));
        break;
      case Kind::kReject: {
        const auto it = connections_.find(effect.connection);
        if (it != connections_.end()) Refuse(&it->second, effect.cause);
        break;
      }
      case Kind::kGo: Broadcast(wire::Type::kGo, wire::Encode(effect.go)); break;
      case Kind::kFail: Broadcast(wire::Type::kFail, wire::Encode(effect.cause)); break;
      case Kind::kFetch: {
        const auto it = connections_.find(id_of_rank_[effect.rank]);
        if (it != connections_.end()) Queue(&it->second, wire::Type::kFetch, "");
        break;
      }
      case Kind::kDown: Broadcast(wire::Type::kDown, wire::Encode(effect.cause)); break;
      case Kind::kLog: {
        uint32_t first = 0;
        const std::string missing = absl::StrCat("waiting for ", NamesOfMissing(&first), " of ", options_.world, " at ",
                                                 options_.rendezvous, " for ", (now_ns - begun_ns_) / 1'000'000'000, " s");
        options_.log->Write(welcomed_ ? LogLevel::kInfo : LogLevel::kWarning, "control", welcomed_ ? effect.text : missing);
        break;
      }
      case Kind::kClosed: break;
    }
  }
  effects_.clear();
}

std::string CoordinatorHost::NamesOfMissing(uint32_t* first) const {
  constexpr size_t kNamesMax = 8;
  std::string names;
  size_t num = 0;
  for (uint32_t rank = 0; rank < options_.world; ++rank) {
    if (id_of_rank_[rank] != 0) continue;
    if (num == 0) *first = rank;
    if (num++ < kNamesMax) absl::StrAppend(&names, names.empty() ? "" : ", ", rank);
  }
  if (num > kNamesMax) absl::StrAppend(&names, " and ", num - kNamesMax, " more");
  return absl::StrCat(num == 1 ? "rank " : "ranks ", names);
}

void CoordinatorHost::Finish() {
  finishing_ = true;
  listener_.reset();
  for (auto& [id, connection] : connections_) connection.channel.Finish();
}

void CoordinatorHost::End(absl::string_view cause) {
  for (auto& [id, connection] : connections_) {
    if (connection.rank >= 0) connection.channel.Send(wire::Type::kDown, cause);
  }
  Finish();
}

bool CoordinatorHost::finished() const {
  return std::all_of(connections_.begin(), connections_.end(),
                     [](const auto& entry) { return entry.second.channel.fd() < 0; });
}

bool CoordinatorHost::flushed() const {
  return std::all_of(connections_.begin(), connections_.end(), [](const auto& entry) { return entry.second.channel.flushed(); });
}

}  // namespace geeps::net
