// SPDX-License-Identifier: Apache-2.0
// The control thread.
#include "runtime/net/control_impl.h"

#include <errno.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace geeps::net {
namespace {

constexpr uint64_t kMs = 1'000'000;
// For writing what is queued and, in rank 0, for the others to close first. Who is slower finds verdict or GO in its socket.
constexpr uint64_t kWindUpNs = 250 * kMs;
constexpr uint64_t kWriteLimitNs = 2000 * kMs;
constexpr std::chrono::milliseconds kShortOfMemory(10);

}  // namespace

void ControlPlane::Impl::Run() {
  for (;;) {
    {
      MutexLock lock(&mutex_);
      if (stopping_) break;
    }
    try {
      RunOnce();
    } catch (const std::exception&) {  // std::bad_alloc: nothing of geeps has exceptions of its own
      OnOutOfMemory();
    }
  }
  CatchOutOfMemory([this] {
    WindUp();
    return absl::OkStatus();
  }).IgnoreError();
  channel_.Close();
  host_.reset();
}

void ControlPlane::Impl::OnOutOfMemory() noexcept {
  if (phase_ != Phase::kOver) {
    GoOver(no_memory_);
    const absl::Status said = CatchOutOfMemory([this] {
      SayOutOfMemory();
      return absl::OkStatus();
    });
    if (!said.ok()) {
      channel_.Close();
      host_.reset();
    }
  }
  // Memory may be short for long: no turn follows at once.
  MutexLock lock(&mutex_);
  if (!stopping_) changed_.WaitUntil(&mutex_, std::chrono::steady_clock::now() + kShortOfMemory);
}

void ControlPlane::Impl::SayOutOfMemory() {
  if (host_ != nullptr) host_->End(no_memory_body_);
  if (connecting_) channel_.Close();
  channel_.Send(wire::Type::kBye, no_memory_body_);
  channel_.Flush();
}

void ControlPlane::Impl::RunOnce() {
  uint64_t now_ns = NowNs();
  polls_.clear();
  polls_.push_back({waker_.fd(), POLLIN, 0});
  const short events = connecting_ ? POLLOUT : channel_.flushed() ? POLLIN : POLLIN | POLLOUT;
  polls_.push_back({channel_.fd(), events, 0});
  if (host_ != nullptr) host_->AppendPolls(&polls_, now_ns);
  if (poll(polls_.data(), polls_.size(), PollTimeout(now_ns)) < 0) return;  // interrupted
  now_ns = NowNs();
  if (polls_[0].revents != 0) waker_.Drain();
  bool out_of_memory;
  {
    MutexLock lock(&mutex_);
    out_of_memory = std::exchange(out_of_memory_, false);
  }
  if (out_of_memory) return OnOutOfMemory();
  TakeCommands(now_ns);
  if (phase_ == Phase::kMeeting) Meet(now_ns, polls_[1].revents != 0);
  if (channel_.open() && !connecting_ && polls_[1].revents != 0) ReadChannel(now_ns);
  if (host_ != nullptr) host_->Step(absl::MakeSpan(polls_).subspan(2), now_ns);
  CheckTimes(now_ns);
  if (!connecting_) channel_.Flush();
}

int ControlPlane::Impl::PollTimeout(uint64_t now_ns) const {
  uint64_t next_ns = std::min(local_deadline_ns_, host_ != nullptr ? host_->NextStep() : kNever);
  if (phase_ == Phase::kMeeting) {
    next_ns = std::min(next_ns, NextMeet(now_ns));
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

// --- working ---

void ControlPlane::Impl::ReadChannel(uint64_t now_ns) {
  if (channel_.Read()) heard_ns_ = now_ns;
  wire::Type type;
  std::string body;
  // After the end everything that still comes is read and dropped.
  while (channel_.Next(&type, &body)) {
    if (phase_ == Phase::kMeeting && type == wire::Type::kStranger && MeetsByFile()) {
      return RetryElsewhere(NotFound("it is rank 0 of another job"), now_ns);
    }
    if (phase_ != Phase::kOver) Dispatch(type, body);
  }
  if (!channel_.failure().ok()) {
    if (MeetsByFile()) return RetryElsewhere(channel_.failure(), now_ns);
    protocol::Cause cause = wire::CauseOf(Prefixed(channel_.failure(), "control connection to rank 0"));
    cause.rank = static_cast<int32_t>(options_.rank);
    if (options_.clock != nullptr) cause.clock = options_.clock->load(std::memory_order_relaxed);
    // What this worker says may still arrive: the others hear why.
    if (phase_ != Phase::kOver) channel_.Send(wire::Type::kBye, wire::Encode(cause));
    channel_.Flush();
    Down(wire::StatusOf(cause));
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
      if (nonce_ != 0 && welcome.job != nonce_) return false;
      phase_ = Phase::kWorking;
      RemoveFile();
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
  GoOver(cause);
}

void ControlPlane::Impl::GoOver(const absl::Status& cause) noexcept {
  phase_ = Phase::kOver;
  local_deadline_ns_ = kNever;
  RemoveFile();  // first: whoever hears of the end may look whether anything has stayed behind
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
  RemoveFile();
  if (connecting_) channel_.Close();
  channel_.Finish();
  const uint64_t begun_ns = NowNs();
  for (uint64_t now_ns = begun_ns; now_ns - begun_ns < kWriteLimitNs; now_ns = NowNs()) {
    const bool closed = !channel_.open() && (host_ == nullptr || host_->finished());
    const bool written = channel_.flushed() && (host_ == nullptr || host_->flushed());
    if (closed || (written && now_ns - begun_ns >= kWindUpNs)) break;
    polls_.clear();
    const short events = channel_.flushed() ? POLLIN : POLLIN | POLLOUT;
    polls_.push_back({channel_.fd(), events, 0});
    if (host_ != nullptr) host_->AppendPolls(&polls_, now_ns);
    if (poll(polls_.data(), polls_.size(), 10) < 0) continue;
    if (polls_[0].revents != 0) {
      channel_.Read();
      wire::Type type;
      std::string body;
      while (channel_.Next(&type, &body)) {
      }
      if (channel_.ended() || !channel_.failure().ok()) channel_.Close();
    }
    channel_.Flush();
    if (host_ == nullptr) continue;
    host_->Step(absl::MakeSpan(polls_).subspan(1), NowNs());
    // The own end has been taken in when the own connection is closed: then the verdict, if any, is queued for the others.
    if (!channel_.open()) host_->Finish();
  }
}

}  // namespace geeps::net
