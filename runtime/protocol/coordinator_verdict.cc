// SPDX-License-Identifier: Apache-2.0
// The part of the coordinator that watches workers and gives the verdict about a lost one (docs/protocol.md, section
// 11).
#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/protocol/coordinator.h"

namespace geeps::protocol {
namespace {

constexpr uint64_t kSuspicionNs = 100'000'000;
constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

uint64_t Later(uint64_t time_ns, uint64_t by_ns) { return by_ns > kNever - time_ns ? kNever : time_ns + by_ns; }
uint64_t Since(uint64_t then_ns, uint64_t now_ns) { return now_ns > then_ns ? now_ns - then_ns : 0; }

// ", after rank 1 (host a, pid 7) reported: connection reset"
std::string Evidence(const std::string& reporter, const std::string& text) {
  return absl::StrCat(", after ", reporter, " reported: ", text.empty() ? "no reason" : text);
}

}  // namespace

void Coordinator::OnBeat(uint32_t rank, Clock clock, uint64_t now_ns, Effects* effects) {
  if (Ignores(rank)) return;
  Heard(rank, clock, now_ns);
  CheckClocks(effects);
}

void Coordinator::OnBye(uint32_t rank, const Cause& cause, Effects* effects) {
  if (Ignores(rank) || shut_down_) return;
  Cause verdict = cause;
  if (verdict.code >= 0) verdict.code = static_cast<int32_t>(Code::kInternal);
  const bool names_another = cause.rank >= 0 && static_cast<uint32_t>(cause.rank) < workers_.size() &&
                             static_cast<uint32_t>(cause.rank) != rank;
  if (!names_another && cause.code == static_cast<int32_t>(Code::kPeerLost)) {
    workers_[rank].clock = std::max(cause.clock, workers_[rank].clock);
    return Lose(rank, cause.text, effects);
  }
  if (!names_another) {
    verdict.rank = static_cast<int32_t>(rank);
    verdict.clock = std::max(cause.clock, workers_[rank].clock);
  } else if (verdict.clock == 0) {
    verdict.clock = workers_[cause.rank].clock;
  }
  // What a program says when it aborts the job is passed on as it is.
  if (verdict.code != static_cast<int32_t>(Code::kAborted)) {
    verdict.text = absl::StrCat(NameOf(rank), " ended the job at clock ", std::max(cause.clock, workers_[rank].clock),
                                ": ", cause.text);
  }
  Verdict(verdict, effects);
}

void Coordinator::OnSuspect(uint32_t rank, uint32_t suspect, const std::string& text, uint64_t now_ns,
                            Effects* effects) {
  if (Ignores(rank) || Ignores(suspect) || shut_down_ || rank == suspect) return;
  Heard(rank, 0, now_ns);
  if (suspicion_.active) return;  // the first evidence is what counts
  suspicion_.active = true;
  suspicion_.reporter = rank;
  suspicion_.suspect = suspect;
  suspicion_.begun_ns = now_ns;
  suspicion_.deadline_ns = Later(now_ns, kSuspicionNs);
  suspicion_.text = text;
  JudgeSuspect(now_ns, effects);
}

void Coordinator::OnClosed(uint32_t rank, uint64_t, Effects* effects) {
  if (rank >= workers_.size() || !workers_[rank].present || workers_[rank].closed) return;
  workers_[rank].closed = true;
  if (shut_down_) return CloseIfOver(effects);
  if (down_ && !Broken(Mutant::kVerdictTwice)) return;
  std::string why = welcomed_ ? "its connection to the coordinator closed without a goodbye"
                              : "its connection to the coordinator closed before all workers had met";
  if (suspicion_.active && suspicion_.suspect == rank) why += Evidence(NameOf(suspicion_.reporter), suspicion_.text);
  Lose(rank, why, effects);
}

void Coordinator::OnTick(uint64_t now_ns, Effects* effects) {
  if (down_ || shut_down_) return;
  JudgeSuspect(now_ns, effects);
  JudgeSilence(now_ns, effects);
  LogMissing(now_ns, effects);
}

uint64_t Coordinator::NextTick() const {
  if (down_ || shut_down_) return kNever;
  uint64_t next_ns = kNever;
  if (suspicion_.active) next_ns = suspicion_.deadline_ns;
  if (Waiting() && !fetching_) next_ns = std::min(next_ns, Later(logged_ns_, options_.missing_period_ns));
  if (welcomed_ && options_.heartbeat_limit_ns > 0) {
    for (size_t rank = 1; rank < workers_.size(); ++rank) {
      next_ns = std::min(next_ns, Later(workers_[rank].heard_ns, options_.heartbeat_limit_ns));
    }
  }
  return next_ns;
}

// After the verdict nothing counts any more.
bool Coordinator::Ignores(uint32_t rank) const {
  return (down_ && !Broken(Mutant::kVerdictTwice)) || rank >= workers_.size() || !workers_[rank].present;
}

void Coordinator::Heard(uint32_t rank, Clock clock, uint64_t now_ns) {
  Worker& worker = workers_[rank];
  worker.heard_ns = std::max(worker.heard_ns, now_ns);
  worker.clock = std::max(worker.clock, clock);
}

std::string Coordinator::NameOf(uint32_t rank) const {
  if (rank >= workers_.size() || !workers_[rank].present) return absl::StrCat("rank ", rank);
  return absl::StrCat("rank ", rank, " (host ", workers_[rank].hello.host, ", pid ", workers_[rank].hello.pid, ")");
}

void Coordinator::Lose(uint32_t rank, const std::string& why, Effects* effects) {
  Cause cause;
  cause.code = static_cast<int32_t>(Code::kPeerLost);
  cause.rank = static_cast<int32_t>(rank);
  cause.clock = workers_[rank].clock;
  cause.text = absl::StrCat(NameOf(rank), " was lost at clock ", cause.clock, ": ", why);
  Verdict(cause, effects);
}

void Coordinator::Verdict(const Cause& cause, Effects* effects) {
  if ((down_ && !Broken(Mutant::kVerdictTwice)) || shut_down_) return;
  down_ = true;
  verdict_ = cause;
  CoordinatorEffect effect;
  effect.kind = CoordinatorEffect::Kind::kDown;
  effect.rank = static_cast<uint32_t>(std::max(cause.rank, 0));
  effect.cause = cause;
  effects->push_back(std::move(effect));
}

void Coordinator::JudgeSuspect(uint64_t now_ns, Effects* effects) {
  if (down_ || !suspicion_.active) return;
  const Worker& worker = workers_[suspicion_.suspect];
  const bool alive = worker.heard_ns > suspicion_.begun_ns;
  if (now_ns < suspicion_.deadline_ns && !worker.closed) return;
  const std::string evidence = Evidence(NameOf(suspicion_.reporter), suspicion_.text);
  Lose(suspicion_.suspect,
       alive ? absl::StrCat("the coordinator still heard it", evidence)
             : absl::StrCat("nothing was heard from it for ", Since(suspicion_.begun_ns, now_ns) / 1'000'000, " ms",
                            evidence),
       effects);
}

// Rank 0 shares a process with the coordinator: it cannot be silent alone.
void Coordinator::JudgeSilence(uint64_t now_ns, Effects* effects) {
  if (down_ || !welcomed_ || options_.heartbeat_limit_ns == 0) return;
  for (uint32_t rank = 1; rank < workers_.size(); ++rank) {
    const uint64_t silent_ns = Since(workers_[rank].heard_ns, now_ns);
    if (silent_ns < options_.heartbeat_limit_ns) continue;
    return Lose(rank,
                absl::StrCat("nothing was heard from it for ", silent_ns / 1'000'000, " ms, the limit is ",
                             options_.heartbeat_limit_ns / 1'000'000, " ms"),
                effects);
  }
}

bool Coordinator::Waiting() const {
  if (!welcomed_) return true;
  return std::any_of(workers_.begin(), workers_.end(), [](const Worker& worker) { return worker.entered; });
}

std::string Coordinator::NamesOfMissing() const {
  constexpr size_t kNamesMax = 8;
  std::string names;
  size_t num = 0;
  for (uint32_t rank = 0; rank < workers_.size(); ++rank) {
    const Worker& worker = workers_[rank];
    if (welcomed_ ? worker.entered : worker.present) continue;
    if (++num > kNamesMax) continue;
    absl::StrAppend(&names, num > 1 ? ", " : "", NameOf(rank));
    if (welcomed_) absl::StrAppend(&names, " at clock ", worker.clock);
  }
  if (num > kNamesMax) absl::StrAppend(&names, " and ", num - kNamesMax, " more");
  return names;
}

void Coordinator::LogMissing(uint64_t now_ns, Effects* effects) {
  if (down_ || !Waiting() || fetching_ || Since(logged_ns_, now_ns) < options_.missing_period_ns) return;
  logged_ns_ = now_ns;
  CoordinatorEffect effect;
  effect.kind = CoordinatorEffect::Kind::kLog;
  if (welcomed_) {
    const auto entered =
        std::find_if(workers_.begin(), workers_.end(), [](const Worker& worker) { return worker.entered; });
    effect.text = absl::StrCat(NameOf(static_cast<uint32_t>(entered - workers_.begin())), " waits in a fence at clock ",
                               entered->enter.clock, " for ", NamesOfMissing());
  } else {
    effect.text = absl::StrCat("the job of ", workers_.size(), " workers waits for ", NamesOfMissing());
  }
  effects->push_back(std::move(effect));
}

void Coordinator::CloseIfOver(Effects* effects) {
  if (!shut_down_ || over_) return;
  for (size_t rank = 1; rank < workers_.size(); ++rank) {
    if (!workers_[rank].closed) return;
  }
  over_ = true;
  CoordinatorEffect effect;
  effect.kind = CoordinatorEffect::Kind::kClosed;
  effects->push_back(std::move(effect));
}

}  // namespace geeps::protocol
