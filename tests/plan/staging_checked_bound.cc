// SPDX-License-Identifier: Apache-2.0
// The lower bound from the problem alone: slow, short, and without a line of the planner's.
#include <algorithm>
#include <vector>

#include "tests/plan/staging_reference.h"

namespace geeps::test {
namespace {

using plan::StagingProblem;
using plan::StagingUse;

// Data between two uses; operations from .. to - 1 run meanwhile, counted on into the next pass.
struct Between {
  uint64_t from = 0;
  uint64_t to = 0;
  uint64_t bytes = 0;
  StagingUse::After after = StagingUse::After::kUnchanged;
  StagingUse::Before before = StagingUse::Before::kNothing;
  bool is_out_due = false;          // what was changed last is written back if it does not stay here
  uint64_t changed = ~uint64_t{0};  // the operation of the same pass that has changed it last; ~0: none
};

struct Problem {
  explicit Problem(const StagingProblem& given) : p(given), n(given.op_ns.size()), held(n), begin(n + 1) {
    for (uint64_t q = 0; q < n; ++q) begin[q + 1] = begin[q] + p.op_ns[q];
    for (const plan::StagingItem& item : p.items) {
      const size_t num_uses = item.uses.size();
      const size_t first = all.size();
      for (size_t u = 0; u < num_uses; ++u) {
        const StagingUse& use = item.uses[u];
        const StagingUse& next = item.uses[(u + 1) % num_uses];
        for (uint64_t q = use.first; q <= use.last; ++q) held[q] += item.bytes;
        all.push_back({use.last + 1u, next.first + (u + 1 == num_uses ? n : 0), item.bytes, use.after, next.before});
      }
      for (size_t u = 0; u < num_uses; ++u) {
        Between& b = all[first + u];
        const bool is_wanted = b.before == StagingUse::Before::kKept;
        const bool is_new =
            b.after == StagingUse::After::kToHost || (b.after == StagingUse::After::kChanged && is_wanted);
        if (is_new) b.changed = item.uses[u].last;
        if (b.after != StagingUse::After::kUnchanged || !is_wanted || u == 0) continue;
        const Between& before = all[first + u - 1];  // what it wants was changed before it
        if (before.before == StagingUse::Before::kKept && before.after != StagingUse::After::kToHost)
          b.changed = before.changed;
      }
      // The longest time between two uses, from one that changes to the next one that does.
      for (size_t u = 0; u < num_uses; ++u) {
        if (item.uses[u].after != StagingUse::After::kChanged) continue;
        size_t longest = all.size();
        for (size_t i = 0; i < num_uses; ++i) {
          const size_t at = first + (u + i) % num_uses;
          const bool is_same = i == 0 || all[at].after == StagingUse::After::kUnchanged;
          if (!is_same || all[at].before != StagingUse::Before::kKept) break;
          if (longest == all.size() || all[at].to - all[at].from > all[longest].to - all[longest].from) longest = at;
        }
        if (longest < all.size()) all[longest].is_out_due = true;
      }
    }
  }

  uint64_t Room(uint64_t q) const { return p.budget - std::min(p.budget, held[q]); }

  // Bytes of `may_stay` that cannot stay: from the first operation on, what is needed last goes where room lacks.
  uint64_t LeastMoved(std::vector<Between> may_stay) const {
    uint64_t moved = 0;
    for (uint64_t q = 0; q < n; ++q) {
      for (;;) {
        uint64_t here = 0;
        Between* last = nullptr;
        for (Between& b : may_stay) {
          if (b.from > q || b.to <= q || b.bytes == 0) continue;
          here += b.bytes;
          if (last == nullptr || b.to > last->to) last = &b;
        }
        if (here <= Room(q)) break;
        const uint64_t goes = std::min(last->bytes, here - Room(q));
        last->bytes -= goes;
        moved += goes;
      }
    }
    return moved;
  }
  // Of what reaches into the next pass only one of the two sides is counted.
  uint64_t LeastMovedOfEitherSide(const std::vector<Between>& may_stay) const {
    std::vector<Between> sides[2] = {may_stay, may_stay};
    for (Between& b : sides[0]) b.to = std::min(b.to, n);
    for (Between& b : sides[1]) {
      if (b.to > n) b = {0, b.to - n, b.bytes, b.after, b.before, b.is_out_due};
    }
    return std::max(LeastMoved(sides[0]), LeastMoved(sides[1]));
  }

  const StagingProblem& p;
  const uint64_t n;
  std::vector<uint64_t> held;   // by operation
  std::vector<uint64_t> begin;  // by operation
  std::vector<Between> all;
};

}  // namespace

uint64_t CheckedBoundNs(const StagingProblem& problem) {
  const Problem the(problem);
  const uint64_t n = the.n;
  uint64_t in_bytes = 0;
  uint64_t out_bytes = 0;
  std::vector<Between> may_be_fetched;
  std::vector<Between> may_be_written_back;
  for (const Between& b : the.all) {
    if (b.before == StagingUse::Before::kHost) in_bytes += b.bytes;
    if (b.after == StagingUse::After::kToHost) out_bytes += b.bytes;
    if (b.before == StagingUse::Before::kKept) may_be_fetched.push_back(b);
    if (b.is_out_due) may_be_written_back.push_back(b);
  }
  in_bytes += the.LeastMovedOfEitherSide(may_be_fetched);
  out_bytes += the.LeastMovedOfEitherSide(may_be_written_back);
  const auto link_ns = [](uint64_t bytes, uint64_t bytes_per_s) {
    return static_cast<uint64_t>(static_cast<long double>(bytes) * 1e9L / static_cast<long double>(bytes_per_s));
  };
  // Taken to begin at operation `start`; waits[v]: at least so long in all before operations start + 1 .. start + v.
  uint64_t wait = 0;
  for (const uint64_t start : {uint64_t{0}, n / 2}) {
    const auto begin = [&](uint64_t q) { return the.begin[n] * (q / n) + the.begin[q % n]; };
    std::vector<uint64_t> waits(n);
    for (uint64_t v = start + 1; v < start + n; ++v) {
      waits[v - start] = waits[v - start - 1];
      for (uint64_t u = start; u < v; ++u) {
        uint64_t wanted = 0;   // by operations u + 1 .. v, and last used before u
        uint64_t renewed = 0;  // by operations u + 1 .. v, used since u began, and new on the host
        uint64_t changed = 0;  // by operations u .. v - 1, and wanted after v began
        for (const Between& b : the.all) {
          // In this pass and in those before and after it; moved on by a pass to stay above zero.
          for (const uint64_t pass : {uint64_t{0}, n, 2 * n}) {
            const uint64_t from = b.from + pass;
            const uint64_t to = b.to + pass;
            if (to > u + n && to <= v + n && b.before != StagingUse::Before::kNothing) {
              if (from <= u + n) wanted += b.bytes;
              if (from > u + n && b.before == StagingUse::Before::kHost) renewed += b.bytes;
            }
            const bool is_changed = b.changed != ~uint64_t{0} && b.changed + pass >= u + n && b.changed + pass < v + n;
            if (is_changed && from <= v + n && to > v + n) changed += b.bytes;
          }
        }
        const auto beyond = [](uint64_t a, uint64_t b) { return a - std::min(a, b); };
        const uint64_t fetch_ns = link_ns(beyond(wanted, the.Room(u % n)), problem.link.in_bytes_per_s);
        const uint64_t renew_ns = link_ns(renewed, problem.link.in_bytes_per_s);
        const uint64_t write_ns = link_ns(beyond(changed, the.Room(v % n)), problem.link.out_bytes_per_s);
        const uint64_t after_begin = begin(v) - begin(u);
        const uint64_t after_end = begin(v) - begin(u + 1);
        const uint64_t here =
            std::max({beyond(fetch_ns, after_begin), beyond(renew_ns, after_end), beyond(write_ns, after_end)});
        waits[v - start] = std::max(waits[v - start], waits[u - start] + here);
      }
    }
    wait = std::max(wait, waits[n - 1]);
  }
  return std::max({the.begin[n] + wait, link_ns(in_bytes, problem.link.in_bytes_per_s),
                   link_ns(out_bytes, problem.link.out_bytes_per_s)});
}

}  // namespace geeps::test
