// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <queue>
#include <utility>

#include "absl/numeric/int128.h"
#include "runtime/plan/staging_parts.h"

namespace geeps::plan {
namespace {

// Windows that are looked at begin (or end) at so many operations of a pass at most: a bound of a large problem must
// not cost more than its plan.
constexpr uint32_t kWindowsMax = 256;

uint64_t LinkNs(uint64_t bytes, uint64_t bytes_per_s) {
  return absl::Uint128Low64(absl::uint128(bytes) * 1000000000u / bytes_per_s);
}

// Data that need not move when they stay while operations begin .. end - 1 run.
struct Stay {
  uint32_t begin = 0;
  uint32_t end = 0;
  uint64_t bytes = 0;
};

// The fewest bytes of `stays` that cannot stay, counting parts of an item, too: where they do not fit, what ends last
// goes first. Only what lies in one pass is looked at, and of what reaches over its end one side.
uint64_t LeastMoved(const StagingTables& tables, std::vector<Stay> stays, bool second_side) {
  const uint32_t n = tables.num_ops();
  for (Stay& stay : stays) {
    if (stay.end <= n) continue;
    if (second_side) {
      stay = {0, stay.end - n, stay.bytes};
    } else {
      stay.end = n;
    }
  }
  std::sort(stays.begin(), stays.end(), [](const Stay& a, const Stay& b) { return a.begin < b.begin; });
  std::vector<uint64_t> ending(n + 1);
  std::priority_queue<std::pair<uint32_t, uint64_t>> here;  // end, bytes
  uint64_t held = 0;
  uint64_t moved = 0;
  size_t next = 0;
  for (uint32_t q = 0; q < n; ++q) {
    held -= ending[q];
    for (; next < stays.size() && stays[next].begin == q; ++next) {
      if (stays[next].end <= q) continue;
      here.push({stays[next].end, stays[next].bytes});
      ending[stays[next].end] += stays[next].bytes;
      held += stays[next].bytes;
    }
    const uint64_t available = tables.problem.budget - std::min(tables.problem.budget, tables.held_bytes[q]);
    while (held > available) {
      auto [end, bytes] = here.top();
      here.pop();
      const uint64_t goes = std::min(bytes, held - available);
      held -= goes;
      moved += goes;
      ending[end] -= goes;
      if (goes < bytes) here.push({end, bytes - goes});
    }
  }
  return moved;
}

uint64_t LeastMoved(const StagingTables& tables, const std::vector<Stay>& stays) {
  return std::max(LeastMoved(tables, stays, false), LeastMoved(tables, stays, true));
}

uint64_t LeastIn(const StagingTables& tables) {
  uint64_t forced = 0;
  std::vector<Stay> stays;
  for (uint32_t g = 0; g < tables.num_gaps(); ++g) {
    if (tables.UseAfter(g).before == StagingUse::Before::kHost) forced += tables.Bytes(g);
    if (tables.gaps[g].is_free) stays.push_back({tables.gaps[g].last + 1, tables.gaps[g].first, tables.Bytes(g)});
  }
  return forced + LeastMoved(tables, stays);
}

// What a use has changed is written back unless it stays until the contents are changed again, or wanted no more: in
// the longest of the gaps until then at least.
uint64_t LeastOut(const StagingTables& tables) {
  uint64_t forced = 0;
  std::vector<Stay> stays;
  for (uint32_t g = 0; g < tables.num_gaps(); ++g) {
    const StagingUse::After after = tables.UseBefore(g).after;
    if (after == StagingUse::After::kToHost) forced += tables.Bytes(g);
    if (after != StagingUse::After::kChanged) continue;
    const uint32_t num_uses = static_cast<uint32_t>(tables.problem.items[tables.gaps[g].item].uses.size());
    const uint32_t first_gap = g - tables.gaps[g].use;
    Stay longest;
    for (uint32_t i = 0; i < num_uses; ++i) {
      const uint32_t gap = first_gap + (g - first_gap + i) % num_uses;
      if ((i > 0 && tables.UseBefore(gap).after != StagingUse::After::kUnchanged) || !tables.gaps[gap].is_free) break;
      const Stay stay{tables.gaps[gap].last + 1, tables.gaps[gap].first, tables.Bytes(gap)};
      if (stay.end - stay.begin > longest.end - longest.begin) longest = stay;
    }
    if (longest.end > longest.begin) stays.push_back(longest);
  }
  return forced + LeastMoved(tables, stays);
}

// By window, how long the pass waits at least within it; windows that do not overlap add up. What is waited for
// before operation q lies in all windows whose begin is below q and whose end is not. A pass may be taken to begin at
// any operation: operations are counted on from there.
class Windows {
 public:
  Windows(const StagingTables& tables, uint32_t pass_begin)
      : tables_(tables), pass_begin_(pass_begin), waits_(tables.num_ops()) {}

  // What must pass the link after operation `begin` has begun, or is over, and before operation `end` begins.
  void Add(uint32_t begin, uint32_t end, bool is_over, uint64_t bytes, uint64_t room, uint64_t bytes_per_s) {
    if (bytes <= room) return;
    uint64_t busy_ns = tables_.BeginNs(end) - tables_.BeginNs(begin);
    if (is_over) busy_ns -= tables_.problem.op_ns[begin % tables_.num_ops()];
    const uint64_t link_ns = LinkNs(bytes - room, bytes_per_s);
    if (link_ns > busy_ns) waits_[end - pass_begin_].push_back({begin - pass_begin_, link_ns - busy_ns});
  }
  uint64_t Longest() const {
    std::vector<uint64_t> best(waits_.size());
    for (uint32_t end = 1; end < waits_.size(); ++end) {
      best[end] = best[end - 1];
      for (const auto& [begin, wait] : waits_[end]) best[end] = std::max(best[end], best[begin] + wait);
    }
    return best.back();
  }

 private:
  const StagingTables& tables_;
  const uint32_t pass_begin_;
  std::vector<std::vector<std::pair<uint32_t, uint64_t>>> waits_;  // by end
};

uint64_t Room(const StagingTables& tables, uint32_t op) {
  return tables.problem.budget - std::min(tables.problem.budget, tables.held_bytes[op % tables.num_ops()]);
}

// At the begin of operation u memory holds a part of what operations up to v want that was last used before; the rest
// is fetched until v begins. What is used by operations from u on and comes from the host anew until v is fetched after
// u.
void FetchWindows(const StagingTables& tables, uint32_t pass_begin, uint32_t step, Windows* windows) {
  const uint32_t n = tables.num_ops();
  for (uint32_t u = pass_begin; u < pass_begin + n; u += step) {
    uint64_t wanted = 0;
    uint64_t renewed = 0;
    const uint64_t room = Room(tables, u);
    for (uint32_t v = u + 1; v < pass_begin + n; ++v) {
      for (uint32_t g : tables.begins[v % n]) {
        const StagingUse::Before before = tables.UseAfter(g).before;
        if (before == StagingUse::Before::kNothing) continue;
        const uint32_t length = tables.gaps[g].first - tables.gaps[g].last;
        if (v - std::min(v, length) < u || length > v) {
          wanted += tables.Bytes(g);
        } else if (before == StagingUse::Before::kHost) {
          renewed += tables.Bytes(g);
        }
      }
      windows->Add(u, v, false, wanted, room, tables.problem.link.in_bytes_per_s);
      windows->Add(u, v, true, renewed, 0, tables.problem.link.in_bytes_per_s);
    }
  }
}

// What an operation has changed and a later one wants, or the host: while operations begin .. end - 1 run, counted from
// that operation, it lies in device memory, or has been written back since it was changed.
struct Change {
  uint32_t begin = 0;
  uint32_t end = 0;
  uint64_t bytes = 0;
};

// By the operation that ends the use that changes.
std::vector<std::vector<Change>> FindChanges(const StagingTables& tables) {
  std::vector<std::vector<Change>> changes(tables.num_ops());
  for (uint32_t g = 0; g < tables.num_gaps(); ++g) {
    const StagingUse::After after = tables.UseBefore(g).after;
    const uint32_t use_end = tables.gaps[g].last;
    if (after == StagingUse::After::kToHost) {
      changes[use_end].push_back({1, tables.gaps[g].first - use_end, tables.Bytes(g)});
    }
    if (after != StagingUse::After::kChanged) continue;
    // Until it is changed again, or nobody wants it, at most until the end of the pass.
    const uint32_t num_uses = static_cast<uint32_t>(tables.problem.items[tables.gaps[g].item].uses.size());
    for (uint32_t gap = g; tables.gaps[gap].is_free; ++gap) {
      changes[use_end].push_back(
          {tables.gaps[gap].last + 1 - use_end, tables.gaps[gap].first - use_end, tables.Bytes(gap)});
      const bool is_last = tables.gaps[gap].use + 1 == num_uses;
      if (is_last || tables.UseAfter(gap).after != StagingUse::After::kUnchanged) break;
    }
  }
  return changes;
}

// When operation v begins memory holds a part of what operations from u on have changed and others will want; the rest
// has been written back since u was over.
void WriteBackWindows(const StagingTables& tables, uint32_t pass_begin, uint32_t step, Windows* windows) {
  const uint32_t n = tables.num_ops();
  const std::vector<std::vector<Change>> changes = FindChanges(tables);
  for (uint32_t v = pass_begin + n - 1; v > pass_begin; v = v > pass_begin + step ? v - step : pass_begin) {
    uint64_t changed = 0;
    const uint64_t room = Room(tables, v);
    for (uint32_t u = v; u-- > pass_begin;) {
      for (const Change& change : changes[u % n]) {
        if (u + change.begin <= v && v < u + change.end) changed += change.bytes;
      }
      windows->Add(u, v, true, changed, room, tables.problem.link.out_bytes_per_s);
    }
  }
}

// Of passes that are taken to begin at operation 0 and half a pass later, the one that waits longer: most windows lie
// in one of them.
uint64_t WaitBound(const StagingTables& tables) {
  const uint32_t step = (tables.num_ops() + kWindowsMax - 1) / kWindowsMax;
  uint64_t longest = 0;
  for (const uint32_t pass_begin : {uint32_t{0}, tables.num_ops() / 2}) {
    Windows windows(tables, pass_begin);
    FetchWindows(tables, pass_begin, step, &windows);
    WriteBackWindows(tables, pass_begin, step, &windows);
    longest = std::max(longest, windows.Longest());
  }
  return longest;
}

}  // namespace

uint64_t LinkBound(const StagingTables& tables) {
  return std::max({tables.busy_ns, LinkNs(LeastIn(tables), tables.problem.link.in_bytes_per_s),
                   LinkNs(LeastOut(tables), tables.problem.link.out_bytes_per_s)});
}

uint64_t BoundStaging(const StagingProblem& problem) {
  const StagingTables tables(problem);
  return std::max(tables.busy_ns + WaitBound(tables), LinkBound(tables));
}

}  // namespace geeps::plan
