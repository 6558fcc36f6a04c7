// SPDX-License-Identifier: Apache-2.0
// The control thread until the welcome: rank 0 listens, the others look for it, again and again, until the start limit.
#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/net/control_impl.h"

namespace geeps::net {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kRetryNs = 20 * kMs;
// How often a worker looks at the file, whether it has found somebody by it or not: each look is work for a file
// server.
constexpr uint64_t kFileCheckNs = 100 * kMs;
// A worker that is connected leaves it to the coordinator to say who is missing.
constexpr uint64_t kStartGraceNs = 1000 * kMs;

std::string OwnHostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "unknown";
}

std::string Seconds(std::chrono::nanoseconds time) {
  return absl::StrCat(static_cast<double>(time.count()) / 1e9, " s");
}

}  // namespace

uint64_t ControlPlane::Impl::NowNs() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

absl::Status ControlPlane::Impl::Begin() {
  GEEPS_ASSIGN_OR_RETURN(rendezvous_, ParseRendezvous(options_.rendezvous));
  GEEPS_RETURN_IF_ERROR(waker_.Open());
  begun_ns_ = NowNs();
  start_deadline_ns_ = begun_ns_ + static_cast<uint64_t>(options_.start_limit.count());
  next_report_ns_ = begun_ns_ + static_cast<uint64_t>(options_.report_period.count());
  if (options_.rank == 0) {
    GEEPS_RETURN_IF_ERROR(Listen(begun_ns_));
  } else {
    finder_ = std::make_unique<Finder>(rendezvous_, options_.resolve);
  }
  return thread_.Start("geeps-control", [this] { Run(); });  // what was opened and written goes with this object
}

// Rank 0: the coordinator, and the place where the others find it; at a host's name that place is opened later.
absl::Status ControlPlane::Impl::Listen(uint64_t now_ns) {
  CoordinatorHost::Options host_options;
  host_options.world = options_.world;
  host_options.job = options_.job;
  host_options.rendezvous = options_.rendezvous;
  host_options.heartbeat_limit_ns = static_cast<uint64_t>(options_.heartbeat_limit.count());
  host_options.report_period_ns = static_cast<uint64_t>(options_.report_period.count());
  host_options.log = options_.log;
  host_options.clocks = clocks_.get();
  if (getrandom(&host_options.job_nonce, sizeof(host_options.job_nonce), 0) != sizeof(host_options.job_nonce)) {
    return Internal("the system gives no random numbers");
  }
  host_options.job_nonce |= 1;  // 0 means unknown
  std::unique_ptr<Listener> listener;
  uint16_t port = rendezvous_.port;
  if (options_.world > 1 && rendezvous_.kind == Rendezvous::Kind::kInproc) {
    GEEPS_ASSIGN_OR_RETURN(listener, ListenAtName(rendezvous_.name));
  } else if (options_.world > 1 && rendezvous_.host_is_name) {
    lookup_ = std::make_unique<HostLookup>(rendezvous_.host, options_.resolve);
  } else if (options_.world > 1 && rendezvous_.kind == Rendezvous::Kind::kTcp) {
    GEEPS_ASSIGN_OR_RETURN(listener, ListenAtAddress(rendezvous_.host, {port, port}, &port));
  } else if (options_.world > 1) {
    RendezvousFile file;
    file.address = options_.listen_address.empty() ? "127.0.0.1" : options_.listen_address;
    file.nonce = host_options.job_nonce;
    host_options.needs_nonce = true;
    nonce_ = file.nonce;
    GEEPS_ASSIGN_OR_RETURN(listener, ListenAtAddress(file.address, options_.listen_ports, &file.port));
    GEEPS_RETURN_IF_ERROR(WriteRendezvousFile(rendezvous_.path, file));
    file_ = std::move(file);
  }
  Socket own;
  Socket other;
  GEEPS_RETURN_IF_ERROR(ConnectedPair(&own, &other));
  host_ = std::make_unique<CoordinatorHost>(host_options, std::move(listener), std::move(other), now_ns);
  channel_ = Channel(std::move(own));
  SayHello();
  return absl::OkStatus();
}

void ControlPlane::Impl::RemoveFile() noexcept {
  if (file_.nonce != 0) RemoveRendezvousFile(rendezvous_.path, file_);
  file_ = RendezvousFile();
}

void ControlPlane::Impl::SayHello() {
  wire::Hello hello;
  hello.nonce = nonce_;
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

void ControlPlane::Impl::RetryLater(const absl::Status& why, uint64_t now_ns) {
  if (why.message() != last_failure_) {
    options_.log->Write(LogLevel::kDebug, "control", absl::StrCat("not met yet: ", why.message()));
  }
  last_failure_ = std::string(why.message());
  channel_ = Channel(Socket());
  connecting_ = false;
  retry_ns_ = now_ns + (rendezvous_.kind == Rendezvous::Kind::kFile ? kFileCheckNs : kRetryNs);
}

void ControlPlane::Impl::RetryElsewhere(const absl::Status& why, uint64_t now_ns) {
  finder_->Reject(why.message());
  RetryLater(why, now_ns);
}

void ControlPlane::Impl::Meet(uint64_t now_ns, bool channel_is_ready) {
  if (host_ != nullptr) {
    if (lookup_ != nullptr && now_ns >= retry_ns_) OpenListener(now_ns);
  } else if (!channel_.open()) {
    if (now_ns >= retry_ns_) Connect(now_ns);
  } else if (connecting_ && channel_is_ready) {
    const absl::Status connected = ConnectResult(channel_.socket());
    if (!connected.ok()) return RetryLater(connected, now_ns);
    connecting_ = false;
    options_.log->Write(LogLevel::kDebug, "control", absl::StrCat("connected to rank 0 at ", options_.rendezvous));
    SayHello();
  } else if (finder_->nonce() != 0 && now_ns >= next_file_check_ns_) {
    next_file_check_ns_ = now_ns + kFileCheckNs;
    if (finder_->Moved()) RetryLater(NotFound("the file was replaced"), now_ns);
  }
}

void ControlPlane::Impl::OpenListener(uint64_t now_ns) {
  retry_ns_ = now_ns + kRetryNs;
  const absl::StatusOr<HostAddresses> addresses = lookup_->Poll(now_ns);
  if (!addresses.ok()) {
    last_failure_ = std::string(addresses.status().message());
    if (DetailOf(addresses.status()).code != Code::kNotFound) Down(addresses.status());
    return;
  }
  absl::Status failure;
  for (const std::string& address : *addresses) {
    uint16_t port = 0;
    absl::StatusOr<std::unique_ptr<Listener>> listener =
        ListenAtAddress(address, {rendezvous_.port, rendezvous_.port}, &port);
    if (listener.ok()) {
      host_->SetListener(*std::move(listener));
      lookup_ = nullptr;
      return;
    }
    failure.Update(listener.status());
  }
  Down(failure);
}

void ControlPlane::Impl::Connect(uint64_t now_ns) {
  const absl::StatusOr<Place> place = finder_->Find(now_ns);
  if (!place.ok()) {
    if (DetailOf(place.status()).code != Code::kNotFound) return Down(place.status());
    return RetryLater(place.status(), now_ns);
  }
  nonce_ = finder_->nonce();
  absl::StatusOr<Socket> socket = ConnectTo(*place);
  if (!socket.ok()) return RetryLater(socket.status(), now_ns);
  channel_ = Channel(*std::move(socket));
  connecting_ = !place->host.empty();
  next_file_check_ns_ = now_ns + kFileCheckNs;
  if (!connecting_) SayHello();
}

// When Meet, CheckStart or ReportWaiting is due at the latest.
uint64_t ControlPlane::Impl::NextMeet(uint64_t now_ns) const {
  // A connected worker of another rank than 0 sees the limit pass a little late, by its grace.
  uint64_t next_ns = now_ns < start_deadline_ns_ ? start_deadline_ns_ : start_deadline_ns_ + kStartGraceNs;
  if (host_ != nullptr) return lookup_ != nullptr ? std::min(next_ns, retry_ns_) : next_ns;
  next_ns = std::min(next_ns, next_report_ns_);
  if (!channel_.open()) return std::min(next_ns, retry_ns_);
  return finder_->nonce() != 0 ? std::min(next_ns, next_file_check_ns_) : next_ns;
}

// The coordinator says who is missing; a worker can only say how far it has come itself.
void ControlPlane::Impl::ReportWaiting(uint64_t now_ns) {
  if (host_ != nullptr || now_ns < next_report_ns_) return;
  next_report_ns_ = now_ns + static_cast<uint64_t>(options_.report_period.count());
  const std::string waited = absl::StrCat(" for ", (now_ns - begun_ns_) / (1000 * kMs), " s");
  const bool connected = channel_.open() && !connecting_;
  options_.log->Write(LogLevel::kWarning, "control",
                      connected
                          ? absl::StrCat("rank ", options_.rank, " is connected to rank 0 at ", options_.rendezvous,
                                         " and waits", waited, " until all ", options_.world, " workers have come")
                          : absl::StrCat("rank ", options_.rank, " waits for rank 0 at ", options_.rendezvous, waited,
                                         ": ", last_failure_));
}

void ControlPlane::Impl::CheckStart(uint64_t now_ns) {
  ReportWaiting(now_ns);
  if (now_ns < start_deadline_ns_) return;
  StatusDetail detail;
  detail.code = Code::kTimeout;
  if (host_ != nullptr) {
    if (host_->welcomed() || !local_cause_.ok()) return;
    uint32_t first = 0;
    std::string missing = host_->NamesOfMissing(&first);
    detail.rank = static_cast<int32_t>(first);
    absl::StrAppend(&missing, " of ", options_.world, " workers did not come within ", Seconds(options_.start_limit));
    if (lookup_ != nullptr) absl::StrAppend(&missing, ": rank 0 does not listen: ", last_failure_);
    const absl::Status cause = MakeStatus(detail, missing);
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

}  // namespace geeps::net
