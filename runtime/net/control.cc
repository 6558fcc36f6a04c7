// SPDX-License-Identifier: Apache-2.0
// The part of the control plane that other threads call.
#include "runtime/net/control.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/net/control_impl.h"

namespace geeps::net {
namespace {

absl::Status CheckOptions(const ControlOptions& options, const Rendezvous& rendezvous) {
  if (options.world == 0 || options.world > wire::kWorldMax) {
    return Invalid("world ", options.world, " is not from 1 to ", wire::kWorldMax);
  }
  if (options.rank >= options.world) return Invalid("rank ", options.rank, " is not below world ", options.world);
  if (rendezvous.kind == Rendezvous::Kind::kNone && options.world != 1) {
    return Invalid("a rendezvous is needed for ", options.world, " workers");
  }
  if (options.transport_address.size() > wire::kAddressMax) {
    return Invalid("a transport address of ", options.transport_address.size(), " bytes, at most ", wire::kAddressMax, " are possible");
  }
  if (options.job.size() > wire::kNameMax) {
    return Invalid("a job name of ", options.job.size(), " bytes, at most ", wire::kNameMax, " are possible");
  }
  if (options.report_period <= std::chrono::nanoseconds(0)) return Invalid("the report period is not positive");
  if (options.heartbeat_limit < std::chrono::milliseconds(10)) return Invalid("the heartbeat limit is below 10 ms");
  if (options.start_limit <= std::chrono::nanoseconds(0)) return Invalid("the start limit is not positive");
  return absl::OkStatus();
}

absl::Status NoMemoryAt(uint32_t rank) {
  StatusDetail detail;
  detail.code = Code::kNoMemory;
  detail.rank = static_cast<int32_t>(rank);
  return MakeStatus(detail, absl::StrCat("rank ", rank, " found no memory left"));
}

}  // namespace

ControlPlane::ControlPlane() = default;
ControlPlane::~ControlPlane() { Stop(); }

absl::Status ControlPlane::Begin(const ControlOptions& options, ControlEvents* events) {
  if (impl_ != nullptr) return WrongState("the control plane was started before");
  GEEPS_ASSIGN_OR_RETURN(const Rendezvous rendezvous, ParseRendezvous(options.rendezvous));
  GEEPS_RETURN_IF_ERROR(CheckOptions(options, rendezvous));
  auto impl = std::make_unique<Impl>(options, events);
  GEEPS_RETURN_IF_ERROR(impl->Begin());
  impl_ = std::move(impl);
  return absl::OkStatus();
}

absl::StatusOr<protocol::Welcome> ControlPlane::AwaitWelcome() {
  if (impl_ == nullptr) return WrongState("the control plane is not started");
  return impl_->AwaitWelcome();
}

absl::StatusOr<protocol::Welcome> ControlPlane::Start(const ControlOptions& options, ControlEvents* events) {
  GEEPS_RETURN_IF_ERROR(Begin(options, events));
  return AwaitWelcome();
}

absl::Status ControlPlane::Enter(const protocol::Enter& enter, std::vector<protocol::DeclarationLine> lines) {
  if (impl_ == nullptr) return WrongState("the control plane is not started");
  return impl_->Enter(enter, std::move(lines));
}

absl::Status ControlPlane::Relay(uint32_t dst, uint32_t kind, absl::string_view bytes) {
  if (impl_ == nullptr) return WrongState("the control plane is not started");
  return impl_->Relay(dst, kind, bytes);
}

void ControlPlane::Suspect(uint32_t rank, absl::string_view text) {
  if (impl_ != nullptr) impl_->Suspect(rank, text);
}

void ControlPlane::Bye(const absl::Status& cause) noexcept {
  if (impl_ != nullptr && !cause.ok()) impl_->Bye(cause);
}

absl::Status ControlPlane::failure() const { return impl_ == nullptr ? absl::OkStatus() : impl_->failure(); }

std::vector<uint64_t> ControlPlane::clocks() const { return impl_ == nullptr ? std::vector<uint64_t>() : impl_->clocks(); }

void ControlPlane::Stop() {
  if (impl_ != nullptr) impl_->Stop();
}

// --- Impl, any thread ---

ControlPlane::Impl::Impl(const ControlOptions& options, ControlEvents* events)
    : options_(options),
      events_(events),
      clocks_(new std::atomic<uint64_t>[options.world]()),
      no_memory_(NoMemoryAt(options.rank)),
      no_memory_body_(wire::Encode(wire::CauseOf(no_memory_))) {}

ControlPlane::Impl::~Impl() {
  Stop();
  RemoveFile();
}

absl::Status ControlPlane::Impl::CheckWorking() const {
  if (!failure_.ok()) return Detached(failure_);
  if (stopping_) return WrongState("the control plane was stopped");
  if (!has_welcome_) return WrongState("the workers have not met yet");
  return absl::OkStatus();
}

void ControlPlane::Impl::Post(Command command) {
  MutexLock lock(&mutex_);
  commands_.push_back(std::move(command));
  waker_.Wake();
}

absl::StatusOr<protocol::Welcome> ControlPlane::Impl::AwaitWelcome() {
  MutexLock lock(&mutex_);
  // The control thread keeps the limit and ends in one of the three.
  while (!has_welcome_ && failure_.ok() && !stopping_) changed_.Wait(&mutex_);
  if (!failure_.ok()) return Detached(failure_);
  if (!has_welcome_) return WrongState("the control plane was stopped");
  return welcome_;
}

absl::Status ControlPlane::Impl::Enter(const protocol::Enter& enter, std::vector<protocol::DeclarationLine> lines) {
  Command command{wire::Type::kEnter, wire::Encode(enter), absl::OkStatus()};
  const size_t lines_bytes = wire::Encode(lines).size();
  if (command.body.size() > wire::kBodyMax || lines_bytes > wire::kBodyMax) {
    return Invalid("declarations of ", lines_bytes, " bytes, at most ", wire::kBodyMax, " are possible");
  }
  {
    MutexLock lock(&mutex_);
    GEEPS_RETURN_IF_ERROR(CheckWorking());
    lines_ = std::move(lines);
  }
  Post(std::move(command));
  return absl::OkStatus();
}

absl::Status ControlPlane::Impl::Relay(uint32_t dst, uint32_t kind, absl::string_view bytes) {
  if (dst >= options_.world) return Invalid("rank ", dst, " is not below world ", options_.world);
  wire::Relay relay;
  relay.dst = dst;
  relay.kind = kind;
  relay.bytes = std::string(bytes);
  Command command{wire::Type::kRelay, wire::Encode(relay), absl::OkStatus()};
  if (command.body.size() > wire::kBodyMax) {
    return Invalid("a relayed message of ", bytes.size(), " bytes, at most ", wire::kBodyMax - 12, " are possible");
  }
  {
    MutexLock lock(&mutex_);
    GEEPS_RETURN_IF_ERROR(CheckWorking());
  }
  Post(std::move(command));
  return absl::OkStatus();
}

void ControlPlane::Impl::Suspect(uint32_t rank, absl::string_view text) {
  wire::Suspect suspect;
  suspect.rank = rank;
  suspect.text = std::string(text);
  Command command{wire::Type::kSuspect, wire::Encode(suspect), absl::OkStatus()};
  command.suspect = rank;
  Post(std::move(command));
}

void ControlPlane::Impl::Bye(const absl::Status& cause) noexcept {
  const absl::Status posted = CatchOutOfMemory([&] { return PostBye(cause); });
  if (posted.ok()) return;
  MutexLock lock(&mutex_);
  out_of_memory_ = true;
  waker_.Wake();
}

absl::Status ControlPlane::Impl::PostBye(const absl::Status& cause) {
  protocol::Cause encoded = wire::CauseOf(cause);
  if (encoded.rank < 0) encoded.rank = static_cast<int32_t>(options_.rank);
  if (encoded.clock == 0 && static_cast<uint32_t>(encoded.rank) == options_.rank && options_.clock != nullptr) {
    encoded.clock = options_.clock->load(std::memory_order_relaxed);
  }
  Post({wire::Type::kBye, wire::Encode(encoded), wire::StatusOf(encoded)});
  return absl::OkStatus();
}

absl::Status ControlPlane::Impl::failure() const {
  MutexLock lock(&mutex_);
  return Detached(failure_);
}

std::vector<uint64_t> ControlPlane::Impl::clocks() const {
  std::vector<uint64_t> clocks(options_.world);
  for (size_t rank = 0; rank < clocks.size(); ++rank) clocks[rank] = clocks_[rank].load(std::memory_order_relaxed);
  if (options_.clock != nullptr) clocks[options_.rank] = options_.clock->load(std::memory_order_relaxed);
  return clocks;
}

void ControlPlane::Impl::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (!thread_.running()) return;
  waker_.Wake();
  thread_.Join();
}

}  // namespace geeps::net
