// SPDX-License-Identifier: Apache-2.0
#include "runtime/protocol/coordinator.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace geeps::protocol {
namespace {

Cause MakeCause(Code code, int32_t rank, uint64_t clock, std::string text) {
  Cause cause;
  cause.code = static_cast<int32_t>(code);
  cause.rank = rank;
  cause.clock = clock;
  cause.text = std::move(text);
  return cause;
}

const char* FenceName(FenceKind kind) {
  switch (kind) {
    case FenceKind::kCommit:
      return "a commit";
    case FenceKind::kFence:
      return "a fence";
    case FenceKind::kShutdown:
      return "a shutdown";
  }
  return "an unknown fence";
}

bool ValidEnter(const Enter& enter) {
  const bool known =
      enter.kind == FenceKind::kCommit || enter.kind == FenceKind::kFence || enter.kind == FenceKind::kShutdown;
  return known && (enter.phase == 1 || (enter.phase == 2 && enter.kind != FenceKind::kShutdown));
}

}  // namespace

Coordinator::Coordinator(const Options& options, uint64_t now_ns)
    : options_(options), workers_(options.world), logged_ns_(now_ns) {}

// --- rendezvous ---

void Coordinator::OnHello(uint64_t connection, const Hello& hello, uint64_t now_ns, Effects* effects) {
  Cause refusal;
  if (!CheckHello(hello, &refusal)) return Reject(connection, refusal, effects);
  Worker& worker = workers_[hello.rank];
  worker.present = true;
  worker.hello = hello;
  worker.heard_ns = now_ns;
  if (AllPresent()) SendWelcome(now_ns, effects);
}

bool Coordinator::CheckHello(const Hello& hello, Cause* refusal) const {
  const std::string who = absl::StrCat("rank ", hello.rank, " (host ", hello.host, ", pid ", hello.pid, ")");
  const int32_t rank = static_cast<int32_t>(std::min<uint32_t>(hello.rank, std::numeric_limits<int32_t>::max()));
  const auto refuse = [&](Code code, const std::string& why) {
    *refusal = MakeCause(code, rank, 0, absl::StrCat(who, " was refused: ", why));
    return false;
  };
  if (hello.protocol_version != kProtocolVersion) {
    return refuse(Code::kAbi, absl::StrCat("it speaks version ", hello.protocol_version,
                                           " of the protocol, the coordinator version ", kProtocolVersion));
  }
  if (hello.world != options_.world) {
    return refuse(Code::kMismatch,
                  absl::StrCat("it expects ", hello.world, " workers, the coordinator ", options_.world));
  }
  if (hello.rank >= options_.world) {
    return refuse(Code::kInvalid, absl::StrCat("ranks of ", options_.world, " workers end at ", options_.world - 1));
  }
  if (down_) return refuse(Code::kState, absl::StrCat("the job has ended: ", verdict_.text));
  if (workers_[hello.rank].present) {
    const Hello& other = workers_[hello.rank].hello;
    return refuse(Code::kMismatch, absl::StrCat("the rank is taken by pid ", other.pid, " on host ", other.host));
  }
  for (uint32_t other = 0; other < workers_.size(); ++other) {
    if (!workers_[other].present || workers_[other].hello.transport == hello.transport) continue;
    return refuse(Code::kMismatch, absl::StrCat("it uses the transport '", hello.transport, "', ", NameOf(other),
                                                " uses '", workers_[other].hello.transport, "'"));
  }
  return true;
}

void Coordinator::Reject(uint64_t connection, Cause cause, Effects* effects) {
  CoordinatorEffect reject;
  reject.kind = CoordinatorEffect::Kind::kReject;
  reject.connection = connection;
  reject.cause = std::move(cause);
  effects->push_back(std::move(reject));
}

void Coordinator::SendWelcome(uint64_t now_ns, Effects* effects) {
  welcomed_ = true;
  CoordinatorEffect effect;
  effect.kind = CoordinatorEffect::Kind::kWelcome;
  effect.welcome.job = options_.job;
  for (Worker& worker : workers_) {
    worker.heard_ns = now_ns;
    effect.welcome.hosts.push_back(worker.hello.host);
    effect.welcome.addresses.push_back(worker.hello.address);
  }
  effects->push_back(std::move(effect));
}

bool Coordinator::AllPresent() const {
  return std::all_of(workers_.begin(), workers_.end(), [](const Worker& worker) { return worker.present; });
}

// --- fences ---

void Coordinator::OnEnter(uint32_t rank, const Enter& enter, uint64_t now_ns, Effects* effects) {
  if (Ignores(rank) || shut_down_ || !welcomed_) return;
  Worker& worker = workers_[rank];
  Heard(rank, enter.clock, now_ns);
  const bool repeated = worker.entered && worker.enter.kind == enter.kind && worker.enter.phase == enter.phase &&
                        worker.enter.clock == enter.clock;
  if (repeated) return;
  const bool fits = enter.phase == phase_ && (phase_ == 1 || enter.kind == kind_);
  if (!ValidEnter(enter) || worker.entered || !fits) {
    return Verdict(
        MakeCause(Code::kData, static_cast<int32_t>(rank), worker.clock,
                  absl::StrCat(NameOf(rank), " entered ", FenceName(enter.kind), " in phase ",
                               static_cast<int>(enter.phase), " at clock ", enter.clock, " while ",
                               worker.entered ? absl::StrCat("it stood in ", FenceName(worker.enter.kind))
                                              : absl::StrCat("phase ", static_cast<int>(phase_), " was expected"))),
        effects);
  }
  const bool first = std::none_of(workers_.begin(), workers_.end(), [](const Worker& other) { return other.entered; });
  if (first) logged_ns_ = now_ns;
  worker.entered = true;
  worker.enter = enter;
  CheckClocks(effects);
  if (!down_) CompleteFence(effects);
}

// A fence at clock k needs all workers at k. Nobody returns from a clock beyond it: that ends the job.
void Coordinator::CheckClocks(Effects* effects) {
  if (down_ || shut_down_) return;
  const Worker* lowest = nullptr;
  for (const Worker& worker : workers_) {
    if (worker.entered && (lowest == nullptr || worker.enter.clock < lowest->enter.clock)) lowest = &worker;
  }
  if (lowest == nullptr) return;
  for (uint32_t rank = 0; rank < workers_.size(); ++rank) {
    const Worker& worker = workers_[rank];
    if (worker.clock <= lowest->enter.clock || Broken(Mutant::kFenceClocksUnchecked)) continue;
    const uint32_t entered = static_cast<uint32_t>(lowest - workers_.data());
    return Verdict(MakeCause(Code::kMismatch, static_cast<int32_t>(rank), worker.clock,
                             absl::StrCat(NameOf(entered), " entered ", FenceName(lowest->enter.kind), " at clock ",
                                          lowest->enter.clock, ", but ", NameOf(rank), " is already at clock ",
                                          worker.clock, ": all workers must end the same number of clocks")),
                   effects);
  }
}

void Coordinator::CompleteFence(Effects* effects) {
  if (fetching_) return;
  const auto entered = [](const Worker& worker) { return worker.entered; };
  const auto num_entered = static_cast<size_t>(std::count_if(workers_.begin(), workers_.end(), entered));
  if (num_entered + (Broken(Mutant::kFenceNotAwaited) && phase_ == 2 ? 1 : 0) < workers_.size()) return;
  if (CheckKinds(effects) && CheckDigests(effects) && CheckFailures(effects)) GoOn(effects);
}

bool Coordinator::CheckKinds(Effects* effects) {
  for (uint32_t rank = 1; rank < workers_.size(); ++rank) {
    const Enter& first = workers_[0].enter;
    const Enter& other = workers_[rank].enter;
    std::string text;
    if (other.kind != first.kind) {
      text = absl::StrCat(NameOf(0), " entered ", FenceName(first.kind), " at clock ", first.clock, ", but ",
                          NameOf(rank), " entered ", FenceName(other.kind));
    } else if (other.maxima.size() != first.maxima.size() && other.digest == first.digest) {
      text = absl::StrCat(NameOf(0), " brought ", first.maxima.size(), " values to agree upon into ",
                          FenceName(first.kind), ", but ", NameOf(rank), " brought ", other.maxima.size());
    } else {
      continue;
    }
    FailFence(MakeCause(Code::kMismatch, static_cast<int32_t>(rank), other.clock, std::move(text)), effects);
    return false;
  }
  return true;
}

// False while the lines are on their way that tell what differs.
bool Coordinator::CheckDigests(Effects* effects) {
  if (phase_ != 1 || workers_[0].enter.kind != FenceKind::kCommit) return true;
  for (uint32_t rank = 1; rank < workers_.size(); ++rank) {
    if (workers_[rank].enter.digest == workers_[0].enter.digest) continue;
    fetching_ = true;
    fetch_a_ = 0;
    fetch_b_ = rank;
    for (uint32_t asked : {fetch_a_, fetch_b_}) {
      CoordinatorEffect fetch;
      fetch.kind = CoordinatorEffect::Kind::kFetch;
      fetch.rank = asked;
      effects->push_back(std::move(fetch));
    }
    return false;
  }
  return true;
}

bool Coordinator::CheckFailures(Effects* effects) {
  if (phase_ != 2) return true;
  for (uint32_t rank = 0; rank < workers_.size(); ++rank) {
    const Enter& enter = workers_[rank].enter;
    if (!enter.failed) continue;
    Cause cause = enter.cause;
    if (cause.code >= 0) cause.code = static_cast<int32_t>(Code::kInternal);
    cause.rank = static_cast<int32_t>(rank);
    cause.clock = enter.clock;
    cause.text = absl::StrCat(
        NameOf(rank),
        enter.kind == FenceKind::kCommit ? " could not carry out the commit" : " could not take part in the fence",
        " at clock ", enter.clock, ": ", enter.cause.text);
    FailFence(cause, effects);
    return false;
  }
  return true;
}

void Coordinator::GoOn(Effects* effects) {
  CoordinatorEffect effect;
  effect.kind = CoordinatorEffect::Kind::kGo;
  Go& go = effect.go;
  go.kind = workers_[0].enter.kind;
  go.phase = phase_;
  go.clock = workers_[0].enter.clock;
  go.maxima = workers_[0].enter.maxima;
  for (const Worker& worker : workers_) {
    const size_t num = std::min(go.maxima.size(), worker.enter.maxima.size());
    for (size_t i = 0; i < num; ++i) go.maxima[i] = std::max(go.maxima[i], worker.enter.maxima[i]);
  }
  go.sets = phase_ == 1 ? AnySets() : sets_;
  go.epoch = epoch_;
  const bool begins_epoch = HasTwoPhases() && !Broken(Mutant::kEpochNotRaised);
  if (begins_epoch && phase_ == 1) go.epoch = epoch_ + 1;
  if (begins_epoch && phase_ == 2) go.epoch = ++epoch_;
  const bool first_of_two = phase_ == 1 && HasTwoPhases();
  kind_ = go.kind;
  sets_ = go.sets;
  LeaveFence();
  if (first_of_two) phase_ = 2;
  shut_down_ = go.kind == FenceKind::kShutdown;
  effects->push_back(std::move(effect));
  CloseIfOver(effects);
}

bool Coordinator::AnySets() const {
  return workers_[0].enter.kind != FenceKind::kShutdown &&
         std::any_of(workers_.begin(), workers_.end(), [](const Worker& worker) { return worker.enter.sets; });
}

bool Coordinator::HasTwoPhases() const {
  return phase_ == 2 || workers_[0].enter.kind == FenceKind::kCommit || AnySets();
}

void Coordinator::FailFence(const Cause& cause, Effects* effects) {
  CoordinatorEffect effect;
  effect.kind = CoordinatorEffect::Kind::kFail;
  effect.cause = cause;
  effect.go.kind = workers_[0].enter.kind;
  effect.go.phase = phase_;
  effect.go.clock = workers_[0].enter.clock;
  effect.go.epoch = epoch_;
  LeaveFence();
  effects->push_back(std::move(effect));
}

void Coordinator::LeaveFence() {
  phase_ = 1;
  fetching_ = false;
  for (Worker& worker : workers_) {
    worker.entered = false;
    worker.fetched = false;
    worker.lines.clear();
  }
}

void Coordinator::OnLines(uint32_t rank, const std::vector<DeclarationLine>& lines, Effects* effects) {
  if (Ignores(rank) || !fetching_ || (rank != fetch_a_ && rank != fetch_b_)) return;
  workers_[rank].fetched = true;
  workers_[rank].lines = lines;
  if (workers_[fetch_a_].fetched && workers_[fetch_b_].fetched) CompareLines(effects);
}

void Coordinator::CompareLines(Effects* effects) {
  const std::vector<DeclarationLine>& a = workers_[fetch_a_].lines;
  const std::vector<DeclarationLine>& b = workers_[fetch_b_].lines;
  size_t i = 0;
  while (i < a.size() && i < b.size() && a[i].subject == b[i].subject && a[i].text == b[i].text) ++i;
  const std::string name_a = NameOf(fetch_a_), name_b = NameOf(fetch_b_);
  const Clock clock = workers_[fetch_b_].enter.clock;
  const int32_t rank = static_cast<int32_t>(fetch_b_);
  std::string text;
  if (i < a.size() && i < b.size() && a[i].subject == b[i].subject) {
    text = absl::StrCat("the workers disagree about ", a[i].subject, ": ", name_a, " declared ", a[i].text, ", ",
                        name_b, " declared ", b[i].text);
  } else if (i < a.size() && i < b.size()) {
    text = absl::StrCat("the workers disagree: ", name_a, " declared ", a[i].subject, " (", a[i].text, ") where ",
                        name_b, " declared ", b[i].subject, " (", b[i].text, ")");
  } else if (i < a.size()) {
    text = absl::StrCat("the workers disagree: ", name_a, " declared ", a[i].subject, " (", a[i].text, "), ", name_b,
                        " did not");
  } else if (i < b.size()) {
    text = absl::StrCat("the workers disagree: ", name_b, " declared ", b[i].subject, " (", b[i].text, "), ", name_a,
                        " did not");
  } else {
    return FailFence(MakeCause(Code::kInternal, rank, clock,
                               absl::StrCat(name_a, " and ", name_b, " made the same ", a.size(),
                                            " declarations, but their digests differ")),
                     effects);
  }
  FailFence(MakeCause(Code::kMismatch, rank, clock, std::move(text)), effects);
}

uint64_t Coordinator::StateDigest() const {
  uint64_t digest = MixDigest(epoch_ << 8 | phase_, static_cast<uint64_t>(kind_));
  digest = MixDigest(digest, uint64_t{down_} | uint64_t{shut_down_} << 1 | uint64_t{sets_} << 2);
  for (const Worker& worker : workers_) {
    digest = MixDigest(digest, worker.clock << 2 | uint64_t{worker.entered} << 1 | uint64_t{worker.closed});
    digest =
        MixDigest(digest, worker.enter.clock << 2 | uint64_t{worker.enter.sets} << 1 | uint64_t{worker.enter.failed});
  }
  return digest;
}

}  // namespace geeps::protocol
