// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <utility>

#include "absl/numeric/int128.h"
#include "runtime/base/status.h"
#include "runtime/plan/staging_parts.h"

namespace geeps::plan {
namespace {

// Passes until the times of a pass repeat, nearly always, and those that are measured then: two, since passes may take
// turns.
constexpr uint32_t kFirstPasses = 2;
constexpr uint32_t kMeasuredPasses = 2;

uint64_t TransferNs(uint64_t bytes, uint64_t bytes_per_s, uint64_t latency_ns) {
  const absl::uint128 ns = absl::uint128(bytes) * 1000000000u;
  return latency_ns + absl::Uint128Low64((ns + bytes_per_s - 1) / bytes_per_s);
}

}  // namespace

std::vector<StagingGap> FindGaps(const StagingProblem& problem) {
  const uint32_t n = static_cast<uint32_t>(problem.op_ns.size());
  std::vector<StagingGap> gaps;
  for (uint32_t i = 0; i < problem.items.size(); ++i) {
    const std::vector<StagingUse>& uses = problem.items[i].uses;
    for (uint32_t u = 0; u < uses.size(); ++u) {
      const bool is_last = u + 1 == uses.size();
      const StagingUse& next = uses[is_last ? 0 : u + 1];
      gaps.push_back(
          {i, u, uses[u].last, is_last ? n + next.first : next.first, next.before == StagingUse::Before::kKept});
    }
  }
  return gaps;
}

CutStaging CutItems(const std::vector<StagingItem>& items, uint64_t max_bytes, uint64_t align) {
  CutStaging cut;
  for (uint32_t i = 0; i < items.size(); ++i) {
    const uint64_t units = (items[i].bytes + align - 1) / align;
    const uint64_t num_pieces = (units + max_bytes / align - 1) / (max_bytes / align);
    uint64_t low = 0;
    for (uint64_t k = 0; k < num_pieces; ++k) {
      const uint64_t high =
          std::min(items[i].bytes, low + (units / num_pieces + (k < units % num_pieces ? 1 : 0)) * align);
      cut.items.push_back({high - low, items[i].uses});
      cut.pieces.push_back({i, low});
      low = high;
    }
  }
  return cut;
}

StagingTables::StagingTables(const StagingProblem& given) : problem(given), gaps(FindGaps(given)) {
  ends.resize(num_ops());
  begins.resize(num_ops());
  fresh_bytes.resize(num_ops());
  held_bytes.resize(num_ops() + 1);
  for (uint64_t ns : problem.op_ns) {
    begin_ns.push_back(busy_ns);
    busy_ns += ns;
  }
  for (const StagingItem& item : problem.items) {
    for (const StagingUse& use : item.uses) {
      if (use.before == StagingUse::Before::kNothing) fresh_bytes[use.first] += item.bytes;
      held_bytes[use.first] += item.bytes;
      held_bytes[use.last + 1] -= item.bytes;  // differences, summed below
    }
  }
  for (uint32_t q = 1; q < num_ops(); ++q) held_bytes[q] += held_bytes[q - 1];
  held_bytes.pop_back();
  peak_op = static_cast<uint32_t>(std::max_element(held_bytes.begin(), held_bytes.end()) - held_bytes.begin());
  for (uint32_t g = 0; g < num_gaps(); ++g) {
    ends[gaps[g].last].push_back(g);
    begins[gaps[g].first % num_ops()].push_back(g);
    in_ns.push_back(TransferNs(Bytes(g), problem.link.in_bytes_per_s, problem.link.latency_ns));
    out_ns.push_back(TransferNs(Bytes(g), problem.link.out_bytes_per_s, problem.link.latency_ns));
  }
}

void FindMoves(const StagingTables& tables, const StagingSchedule& schedule, StagingMoves* moves) {
  moves->fetched.assign(tables.num_gaps(), false);
  moves->written_back.assign(tables.num_gaps(), false);
  moves->fetches.resize(tables.num_ops());
  for (std::vector<uint32_t>& fetches : moves->fetches) fetches.clear();
  for (uint32_t g = 0; g < tables.num_gaps();) {
    const uint32_t first = g;
    const uint32_t item = tables.gaps[g].item;
    while (g < tables.num_gaps() && tables.gaps[g].item == item) ++g;
    // Twice around: what was changed in the last pass may leave in this one.
    bool changed = false;
    for (uint32_t i = 0; i < 2 * (g - first); ++i) {
      const uint32_t gap = first + i % (g - first);
      const StagingUse& use = tables.UseBefore(gap);
      if (use.after == StagingUse::After::kChanged) changed = true;
      if (use.after == StagingUse::After::kToHost) changed = false;
      const StagingUse::Before next = tables.UseAfter(gap).before;
      const bool leaves = next == StagingUse::Before::kHost ||
                          (next == StagingUse::Before::kKept && schedule.fetch_before[gap] != StagingSchedule::kStays);
      moves->fetched[gap] = leaves;
      moves->written_back[gap] =
          use.after == StagingUse::After::kToHost || (leaves && changed && next == StagingUse::Before::kKept);
      if (leaves || next == StagingUse::Before::kNothing) changed = false;
    }
  }
  for (uint32_t g = 0; g < tables.num_gaps(); ++g) {
    if (moves->fetched[g]) moves->fetches[schedule.fetch_before[g] % tables.num_ops()].push_back(g);
  }
  for (uint32_t q = 0; q < tables.num_ops(); ++q) {
    const auto key = [&](uint32_t g) { return std::make_pair(tables.gaps[g].first - schedule.fetch_before[g], g); };
    if (moves->fetches[q].size() > 1) {
      std::sort(moves->fetches[q].begin(), moves->fetches[q].end(),
                [&](uint32_t a, uint32_t b) { return key(a) < key(b); });
    }
  }
}

StagingClock::StagingClock(const StagingTables& tables)
    : tables_(tables),
      ready_ns_(tables.num_ops()),
      host_ns_(tables.num_gaps()),
      begin_ns_(tables.num_ops()),
      fetch_ns_(tables.num_gaps()) {}

// Gives out `bytes` as soon as all that was given out before, and these, fit.
bool StagingClock::Acquire(uint32_t op, uint64_t bytes) {
  held_ += bytes;
  while (held_ > tables_.problem.budget) {
    const bool has_op = ops_taken_ < by_ops_.size();
    const bool has_link = link_taken_ < by_link_.size();
    if (!has_op && !has_link) {
      failed_op_ = op;
      failed_bytes_ = held_;
      return false;
    }
    const bool takes_op = has_op && (!has_link || by_ops_[ops_taken_].at_ns <= by_link_[link_taken_].at_ns);
    const Release& release = takes_op ? by_ops_[ops_taken_++] : by_link_[link_taken_++];
    held_ -= release.bytes;
    given_ns_ = std::max(given_ns_, release.at_ns);
  }
  return true;
}

bool StagingClock::Time(const StagingSchedule& schedule, StagingTimes* times) {
  const uint32_t n = tables_.num_ops();
  FindMoves(tables_, schedule, &moves_);
  by_ops_.clear();
  by_link_.clear();
  ops_taken_ = link_taken_ = 0;
  std::fill(ready_ns_.begin(), ready_ns_.end(), 0);
  std::fill(host_ns_.begin(), host_ns_.end(), 0);
  held_ = given_ns_ = 0;
  times->in_bytes = times->out_bytes = 0;
  // At the begin: what stays, or was fetched, from the pass before.
  for (uint32_t g = 0; g < tables_.num_gaps(); ++g) {
    if (moves_.fetched[g]) times->in_bytes += tables_.Bytes(g);
    if (moves_.written_back[g]) times->out_bytes += tables_.Bytes(g);
    const bool is_kept = tables_.gaps[g].is_free && !moves_.fetched[g];
    if (tables_.gaps[g].first >= n && (is_kept || (moves_.fetched[g] && schedule.fetch_before[g] < n))) {
      held_ += tables_.Bytes(g);
    }
  }
  if (!Acquire(0, 0)) return false;
  times->wait_ns.assign(n, 0);
  uint64_t now = 0;
  uint64_t in_free = 0;
  uint64_t out_free = 0;
  uint64_t measured_from = 0;
  for (uint32_t pass = 0; pass < kFirstPasses + kMeasuredPasses; ++pass) {
    if (pass == kFirstPasses) measured_from = now;
    for (uint32_t q = 0; q < n; ++q) {
      for (uint32_t g : moves_.fetches[q]) {
        if (!Acquire(q, tables_.Bytes(g))) return false;
        const uint64_t begin = std::max({in_free, given_ns_, host_ns_[g]});
        fetch_ns_[g] = begin;
        in_free = begin + tables_.in_ns[g];
        uint64_t& ready = ready_ns_[tables_.gaps[g].first % n];
        ready = std::max(ready, in_free);
      }
      uint64_t begin = std::max(now, ready_ns_[q]);
      ready_ns_[q] = 0;
      if (tables_.fresh_bytes[q] > 0) {
        if (!Acquire(q, tables_.fresh_bytes[q])) return false;
        begin = std::max(begin, given_ns_);
      }
      times->wait_ns[q] = begin - now;
      begin_ns_[q] = begin;
      now = begin + tables_.problem.op_ns[q];
      for (uint32_t g : tables_.ends[q]) {
        if (moves_.written_back[g]) {
          out_free = std::max(out_free, now) + tables_.out_ns[g];
          host_ns_[g] = out_free;
        } else {
          host_ns_[g] = now;
        }
        if (tables_.gaps[g].is_free && !moves_.fetched[g]) {
          // Stays; what is being written back must not be changed.
          if (tables_.UseAfter(g).after == StagingUse::After::kUnchanged) continue;
          uint64_t& ready = ready_ns_[tables_.gaps[g].first % n];
          ready = std::max(ready, host_ns_[g]);
          continue;
        }
        (moves_.written_back[g] ? by_link_ : by_ops_).push_back({host_ns_[g], tables_.Bytes(g)});
      }
    }
  }
  times->pass_ns = (now - measured_from) / kMeasuredPasses;
  times->busy_ns = tables_.busy_ns;
  return true;
}

absl::Status TooSmall(const StagingTables& tables, uint32_t op, uint64_t bytes) {
  return MakeStatus(Code::kBudget,
                    absl::StrCat("operation ", op, " of ", tables.num_ops(), " needs ", bytes,
                                 " bytes of device memory at once; ", tables.problem.budget, " are available"));
}

absl::StatusOr<StagingTimes> TimeStaging(const StagingProblem& problem, const StagingSchedule& schedule) {
  const StagingTables tables(problem);
  StagingClock clock(tables);
  StagingTimes times;
  if (!clock.Time(schedule, &times)) return TooSmall(tables, clock.failed_op(), clock.failed_bytes());
  const std::vector<uint64_t> held = HeldBytes(tables, schedule);
  times.peak_bytes = *std::max_element(held.begin(), held.end());
  return times;
}

}  // namespace geeps::plan
