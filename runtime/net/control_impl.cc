// SPDX-License-Identifier: Apache-2.0
// The control thread.
#include "runtime/net/control_impl.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace geeps::net {
namespace {

constexpr uint64_t kNever = ~uint64_t{0};
constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kRetryNs = 20 * kMs;
// The coordinator judges a suspicion within 100 ms. Who has heard nothing after three times that hears nothing any more.
constexpr uint64_t kVerdictLimitNs = 300 * kMs;
// A worker that is connected leaves it to the coordinator to say who is missing.
constexpr uint64_t kStartGraceNs = 1000 * kMs;
// For writing what is queued and, in rank 0, for the others to close first. Who is slower finds verdict or GO in its socket.
constexpr uint64_t kWindUpNs = 250 * kMs;
constexpr uint64_t kWriteLimitNs = 2000 * kMs;

uint64_t NowNs() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

std::string OwnHostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "unknown";
}

std::string Seconds(std::chrono::nanoseconds time) { return absl::StrCat(static_cast<double>(time.count()) / 1e9, " s"); }

}  // namespace

absl::Status ControlPlane::Impl::Begin() {
  GEEPS_ASSIGN_OR_RETURN(rendezvous_, ParseRendezvous(options_.rendezvous));
  GEEPS_RETURN_IF_ERROR(waker_.Open());
  const uint64_t now_ns = NowNs();
  start_deadline_ns_ = now_ns + static_cast<uint64_t>(options_.start_limit.count());
  if (options_.rank == 0) {
    CoordinatorHost::Options host_options;
    host_options.world = options_.world;
    host_options.job = options_.job;
    host_options.heartbeat_limit_ns = static_cast<uint64_t>(options_.heartbeat_limit.count());
    host_options.log = options_.log;
    host_options.clocks = clocks_.get();
    if (getrandom(&host_options.job_nonce, sizeof(host_options.job_nonce), 0) != sizeof(host_options.job_nonce)) {
      return Internal("the system gives no random numbers");
    }
    std::unique_ptr<Listener> listener;
    if (options_.world > 1) {
      GEEPS_ASSIGN_OR_RETURN(listener, Listen(rendezvous_));
    }
    Socket own;
    Socket other;
    GEEPS_RETURN_IF_ERROR(ConnectedPair(&own, &other));
    host_ = std::make_unique<CoordinatorHost>(host_options, std::move(listener), std::move(other), now_ns);
    channel_ = Channel(std::move(own));
    SayHello();
  }
  return thread_.Start("geeps-control", [this] { Run(); });
}

void ControlPlane::Impl::SayHello() {
  wire::Hello hello;
  hello.job = options_.job;
  hello.worker.rank = options_.rank;
  hello.worker.world = options_.world;
  hello.worker.pid = static_cast<uint64_t>(getpid());
  hello.worker.host = OwnHostName();
  hello.worker.transport = options_.transport;
  hello.worker.address = options_.transport_address;
  channel_.set_body_max(wire::kBodyMax);
  channel_.Send(wire::Type::kHello, wire::Encode(hello));
}

void ControlPlane::Impl::Run() {
  for (;;) {
    {
      MutexLock lock(&mutex_);
      if (stopping_) break;
    }
    RunOnce();
  }
  WindUp();
}

void ControlPlane::Impl::RunOnce() {
  uint64_t now_ns = NowNs();
  std::vector<pollfd> polls;
  polls.push_back({waker_.fd(), POLLIN, 0});
  const short events = connecting_ ? POLLOUT : channel_.flushed() ? POLLIN : POLLIN | POLLOUT;
  polls.push_back({channel_.fd(), events, 0});
  if (host_ != nullptr) host_->AppendPolls(&polls, now_ns);
  if (poll(polls.data(), polls.size(), PollTimeout(now_ns)) < 0) return;  // interrupted
  now_ns = NowNs();
  if (polls[0].revents != 0) waker_.Drain();
  TakeCommands(now_ns);
  if (phase_ == Phase::kMeeting && host_ == nullptr) {
    if (!channel_.open() || (connecting_ && polls[1].revents != 0)) Meet(now_ns);
  }
  if (!connecting_ && polls[1].revents != 0) ReadChannel(now_ns);
  if (host_ != nullptr) host_->Step(absl::MakeSpan(polls).subspan(2), now_ns);
  CheckTimes(now_ns);
  if (!connecting_) channel_.Flush();
}

int ControlPlane::Impl::PollTimeout(uint64_t now_ns) const {
  uint64_t next_ns = std::min(local_deadline_ns_, host_ != nullptr ? host_->NextStep() : kNever);
  if (phase_ == Phase::kMeeting) {
    // A connected worker of another rank than 0 sees the limit pass a little late, by its grace.
    next_ns = std::min(next_ns, now_ns < start_deadline_ns_ ? start_deadline_ns_ : start_deadline_ns_ + kStartGraceNs);
    if (!channel_.open()) next_ns = std::min(next_ns, retry_ns_);
  } else if (phase_ == Phase::kWorking && !shut_down_) {
    const uint64_t silent_ns = heard_ns_ + static_cast<uint64_t>(options_.heartbeat_limit.count());
    next_ns = std::min({next_ns, next_beat_ns_, host_ == nullptr ? silent_ns : kNever});
  }
  if (next_ns == kNever) return -1;
  if (next_ns <= now_ns) return 0;
  return static_cast<int>(std::min<uint64_t>((next_ns - now_ns) / kMs + 1, 60000));
}

void ControlPlane::Impl::TakeCommands(uint64_t now_ns) {
  std::vector<Command> commands;
  {
    MutexLock lock(&mutex_);
    commands.swap(commands_);
  }
  for (const Command& command : commands) {
    if (phase_ == Phase::kOver) return;
    const bool reachable = channel_.open() && !connecting_;
    if (command.type == wire::Type::kBye) {
      if (!reachable) {
        Down(command.cause);
        return;
      }
      local_cause_ = command.cause;
      suspects_coordinator_ = false;
      local_deadline_ns_ = std::min(local_deadline_ns_, now_ns + kVerdictLimitNs);
    } else if (command.type == wire::Type::kSuspect && command.suspect == 0 && options_.rank != 0 && local_cause_.ok() &&
               !shut_down_) {
      local_cause_ = CoordinatorLost("it gave no verdict about itself");
      suspects_coordinator_ = true;
      local_deadline_ns_ = now_ns + kVerdictLimitNs;
    }
    if (!channel_.Send(command.type, command.body)) {
      Down(MakeStatus(Code::kIo, absl::StrCat("the coordinator does not read: more than ", Channel::kQueuedBytesMax,
                                              " bytes wait for it")));
    }
  }
}

// --- meeting ---

void ControlPlane::Impl::RetryLater(const absl::Status& why, uint64_t now_ns) {
  if (why.message() != last_failure_) options_.log->Debug("control", "not met yet: ", why.message());
  last_failure_ = std::string(why.message());
  channel_ = Channel(Socket());
  connecting_ = false;
  retry_ns_ = now_ns + kRetryNs;
}

void ControlPlane::Impl::Meet(uint64_t now_ns) {
  if (!channel_.open()) {
    if (now_ns < retry_ns_) return;
    absl::StatusOr<Socket> socket = ConnectTo(rendezvous_);
    if (!socket.ok()) return RetryLater(socket.status(), now_ns);
    channel_ = Channel(*std::move(socket));
    connecting_ = rendezvous_.kind == Rendezvous::Kind::kTcp;
    if (connecting_) return;
  } else {
    const absl::Status connected = ConnectResult(channel_.socket());
    if (!connected.ok()) return RetryLater(connected, now_ns);
    connecting_ = false;
  }
  options_.log->Debug("control", "connected to rank 0 at ", options_.rendezvous);
  SayHello();
}

void ControlPlane::Impl::CheckStart(uint64_t now_ns) {
  if (now_ns < start_deadline_ns_) return;
  StatusDetail detail;
  detail.code = Code::kTimeout;
  if (host_ != nullptr) {
    if (host_->welcomed() || !local_cause_.ok()) return;
    uint32_t first = 0;
    const std::string names = host_->NamesOfMissing(&first);
    detail.rank = static_cast<int32_t>(first);
    const absl::Status cause = MakeStatus(
        detail, absl::StrCat(names, " of ", options_.world, " workers did not come within ", Seconds(options_.start_limit)));
    // The others hear it as the verdict.
    channel_.Send(wire::Type::kBye, wire::Encode(wire::CauseOf(cause)));
    local_cause_ = cause;
    local_deadline_ns_ = now_ns + kVerdictLimitNs;
    return;
  }
  const bool connected = channel_.open() && !connecting_;
  if (connected && now_ns < start_deadline_ns_ + kStartGraceNs) return;
  detail.rank = 0;
  Down(MakeStatus(detail, connected ? absl::StrCat("rank 0 at ", options_.rendezvous, " did not say within ",
                                                   Seconds(options_.start_limit), " that all workers have come")
                                    : absl::StrCat("nobody answered at ", options_.rendezvous, " within ",
                                                   Seconds(options_.start_limit), ": ", last_failure_)));
}

// --- working ---

void ControlPlane::Impl::ReadChannel(uint64_t now_ns) {
  if (channel_.Read()) heard_ns_ = now_ns;
  wire::Type type;
  std::string body;
  // After the end everything that still comes is read and dropped.
  while (channel_.Next(&type, &body)) {
    if (phase_ != Phase::kOver) Dispatch(type, body);
  }
  if (!channel_.failure().ok()) {
    Down(Prefixed(channel_.failure(), "control connection to rank 0"));
    channel_.Close();
  } else if (channel_.ended()) {
    OnChannelEnd(now_ns);
  }
}

void ControlPlane::Impl::Dispatch(wire::Type type, const std::string& body) {
  if (DispatchBody(type, body)) return;
  Down(BadData("control message ", static_cast<int>(type), " of ", body.size(), " bytes from rank 0 is malformed or out of place"));
}

bool ControlPlane::Impl::DispatchBody(wire::Type type, const std::string& body) {
  const bool working = phase_ == Phase::kWorking;
  switch (type) {
    case wire::Type::kBeat: {
      wire::Beat beat;
      if (!wire::Decode(body, &beat).ok()) return false;
      clocks_[0].store(beat.clock, std::memory_order_relaxed);
      return true;
    }
    case wire::Type::kWelcome: {
      protocol::Welcome welcome;
      if (working || !wire::Decode(body, &welcome).ok() || welcome.hosts.size() != options_.world) return false;
      phase_ = Phase::kWorking;
      coordinator_host_ = welcome.hosts[0];
      options_.log->Debug("control", "all ", options_.world, " workers have met; rank 0 is on host ", coordinator_host_);
      {
        MutexLock lock(&mutex_);
        has_welcome_ = true;
        welcome_ = welcome;
        changed_.NotifyAll();
      }
      events_->OnWelcome(welcome);
      return true;
    }
    case wire::Type::kGo: {
      protocol::Go go;
      if (!working || !wire::Decode(body, &go).ok()) return false;
      if (go.kind == protocol::FenceKind::kShutdown) shut_down_ = true;
      options_.log->Debug("control", "go on at clock ", go.clock, ", phase ", static_cast<int>(go.phase), ", epoch ", go.epoch);
      events_->OnGo(go);
      return true;
    }
    case wire::Type::kFetch:
      options_.log->Debug("control", "digests differ: the coordinator fetches the declarations of this worker");
      SendLines();
      return working;
    case wire::Type::kRelay: {
      wire::Relay relay;
      if (!working || !wire::Decode(body, &relay).ok()) return false;
      events_->OnRelay(relay.src, relay.kind, std::move(relay.bytes));
      return true;
    }
    case wire::Type::kFail:
    case wire::Type::kDown:
    case wire::Type::kRefused: {
      protocol::Cause cause;
      if (!wire::Decode(body, &cause).ok() || cause.code >= 0) return false;
      if (type == wire::Type::kFail) {
        events_->OnFail(wire::StatusOf(cause));
      } else if (!shut_down_) {
        Down(wire::StatusOf(cause));
      }
      return true;
    }
    default: return false;
  }
}

void ControlPlane::Impl::SendLines() {
  MutexLock lock(&mutex_);
  channel_.Send(wire::Type::kLines, wire::Encode(lines_));
}

// Everything that came before the end has been looked at: a verdict among it counts.
void ControlPlane::Impl::OnChannelEnd(uint64_t now_ns) {
  if (phase_ == Phase::kMeeting && host_ == nullptr) {
    return RetryLater(IoError(ECONNRESET, "rank 0 closed the connection before all workers had met"), now_ns);
  }
  channel_.Close();
  if (phase_ == Phase::kOver || shut_down_) return;
  // Whether a link to rank 0 was seen to close before makes no difference: all workers say the same.
  if (local_cause_.ok() || suspects_coordinator_) {
    Down(CoordinatorLost("its control connection closed"));
  } else {
    Down(local_cause_);
  }
}

absl::Status ControlPlane::Impl::CoordinatorLost(absl::string_view why) const {
  StatusDetail detail;
  detail.code = Code::kPeerLost;
  detail.rank = 0;
  detail.clock = clocks_[0].load(std::memory_order_relaxed);
  return MakeStatus(detail, absl::StrCat("rank 0 (host ", coordinator_host_, ", the coordinator) was lost at clock ", detail.clock,
                                         ": ", why));
}

void ControlPlane::Impl::Beat(uint64_t now_ns) {
  if (now_ns < next_beat_ns_) return;
  next_beat_ns_ = now_ns + static_cast<uint64_t>(options_.heartbeat_limit.count()) / 10;
  wire::Beat beat;
  if (options_.clock != nullptr) beat.clock = options_.clock->load(std::memory_order_relaxed);
  channel_.Send(wire::Type::kBeat, wire::Encode(beat));
}

void ControlPlane::Impl::CheckTimes(uint64_t now_ns) {
  if (phase_ == Phase::kMeeting) CheckStart(now_ns);
  if (phase_ == Phase::kWorking && !shut_down_) {
    Beat(now_ns);
    const uint64_t limit_ns = static_cast<uint64_t>(options_.heartbeat_limit.count());
    // In rank 0 the coordinator cannot be silent alone.
    if (host_ == nullptr && now_ns - heard_ns_ >= limit_ns) {
      // The same words on all workers: no measured time.
      Down(CoordinatorLost(absl::StrCat("nothing was heard from it for longer than the limit of ", limit_ns / kMs, " ms")));
    }
  }
  if (phase_ != Phase::kOver && now_ns >= local_deadline_ns_) Down(local_cause_);
}

void ControlPlane::Impl::Down(const absl::Status& cause) {
  if (phase_ == Phase::kOver) return;
  options_.log->Debug("control", "the job is over: ", cause.message());
  phase_ = Phase::kOver;
  local_deadline_ns_ = kNever;
  const absl::Status latched = Latched(cause);
  {
    MutexLock lock(&mutex_);
    failure_ = Detached(latched);
    changed_.NotifyAll();
  }
  events_->OnDown(latched);
}

// Writes what is queued and closes in order: every worker tells its end and waits for the coordinator's, rank 0 is the last.
void ControlPlane::Impl::WindUp() {
  TakeCommands(NowNs());
  phase_ = Phase::kOver;  // no event from here on
  if (connecting_) channel_.Close();
  channel_.Finish();
  const uint64_t begun_ns = NowNs();
  for (uint64_t now_ns = begun_ns; now_ns - begun_ns < kWriteLimitNs; now_ns = NowNs()) {
    const bool closed = !channel_.open() && (host_ == nullptr || host_->finished());
    const bool written = channel_.flushed() && (host_ == nullptr || host_->flushed());
    if (closed || (written && now_ns - begun_ns >= kWindUpNs)) break;
    std::vector<pollfd> polls;
    const short events = channel_.flushed() ? POLLIN : POLLIN | POLLOUT;
    polls.push_back({channel_.fd(), events, 0});
    if (host_ != nullptr) host_->AppendPolls(&polls, now_ns);
    if (poll(polls.data(), polls.size(), 10) < 0) continue;
    if (polls[0].revents != 0) {
      channel_.Read();
      wire::Type type;
      std::string body;
      while (channel_.Next(&type, &body)) {
      }
      if (channel_.ended() || !channel_.failure().ok()) channel_.Close();
    }
    channel_.Flush();
    if (host_ == nullptr) continue;
    host_->Step(absl::MakeSpan(polls).subspan(1), NowNs());
    // The own end has been taken in when the own connection is closed: then the verdict, if any, is queued for the others.
    if (!channel_.open()) host_->Finish();
  }
  channel_.Close();
  host_.reset();
}

}  // namespace geeps::net
