// SPDX-License-Identifier: Apache-2.0
#include "tests/plan/staging_reference.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <vector>

#include "tests/table/random.h"

namespace geeps::test {
namespace {

using plan::StagingGap;
using plan::StagingItem;
using plan::StagingProblem;
using plan::StagingSchedule;
using plan::StagingUse;
using Before = StagingUse::Before;
using After = StagingUse::After;

StagingItem DrawItem(uint32_t num_ops, Random* random) {
  StagingItem item;
  item.bytes = 100 + random->Below(900);
  std::vector<uint32_t> begins(1 + random->Below(3));
  for (uint32_t& begin : begins) begin = static_cast<uint32_t>(random->Below(num_ops));
  std::sort(begins.begin(), begins.end());
  begins.erase(std::unique(begins.begin(), begins.end()), begins.end());
  for (size_t i = 0; i < begins.size(); ++i) {
    const uint32_t end = i + 1 < begins.size() ? begins[i + 1] : num_ops;
    StagingUse use;
    use.first = use.last = begins[i];
    if (random->OneIn(4)) use.last += static_cast<uint32_t>(random->Below(end - begins[i]));
    const bool is_new = random->OneIn(i == 0 ? 2 : 4);
    use.before = is_new ? Before::kNothing : random->OneIn(8) ? Before::kHost : Before::kKept;
    use.after = random->OneIn(2) ? After::kChanged : random->OneIn(8) ? After::kToHost : After::kUnchanged;
    item.uses.push_back(use);
  }
  return item;
}

const StagingUse& UseBefore(const StagingProblem& problem, const StagingGap& gap) {
  return problem.items[gap.item].uses[gap.use];
}
const StagingUse& UseAfter(const StagingProblem& problem, const StagingGap& gap) {
  const std::vector<StagingUse>& uses = problem.items[gap.item].uses;
  return uses[(gap.use + 1) % uses.size()];
}

uint64_t TransferNs(uint64_t bytes, uint64_t bytes_per_s, uint64_t latency_ns) {
  return latency_ns + (bytes * 1000000000 + bytes_per_s - 1) / bytes_per_s;
}

bool IsFetched(const StagingProblem& problem, const StagingSchedule& schedule, const std::vector<StagingGap>& gaps,
               size_t g) {
  const Before before = UseAfter(problem, gaps[g]).before;
  return before == Before::kHost || (before == Before::kKept && schedule.fetch_before[g] != StagingSchedule::kStays);
}

// Whether the host lacks the contents that gap g begins with: they were changed since they went there, or were new.
bool IsChanged(const StagingProblem& problem, const StagingSchedule& schedule, const std::vector<StagingGap>& gaps,
               size_t g) {
  const uint32_t num_uses = static_cast<uint32_t>(problem.items[gaps[g].item].uses.size());
  const size_t first = g - gaps[g].use;
  for (uint32_t back = 0; back < num_uses; ++back) {
    const size_t at = first + (gaps[g].use + num_uses - back) % num_uses;
    const After after = UseBefore(problem, gaps[at]).after;
    if (after != After::kUnchanged) return after == After::kChanged;
    const size_t gap_before = first + (gaps[at].use + num_uses - 1) % num_uses;
    if (IsFetched(problem, schedule, gaps, gap_before) || UseBefore(problem, gaps[at]).before == Before::kNothing)
      return false;
  }
  return false;
}

}  // namespace

StagingProblem DrawStaging(uint64_t seed, uint32_t max_ops, uint32_t max_items) {
  Random random(seed);
  StagingProblem problem;
  const uint32_t num_ops = 3 + static_cast<uint32_t>(random.Below(max_ops - 2));
  for (uint32_t q = 0; q < num_ops; ++q) problem.op_ns.push_back(1000 + random.Below(9000));
  const uint64_t num_items = 2 + random.Below(max_items - 1);
  uint64_t all = 0;
  for (uint64_t i = 0; i < num_items; ++i) {
    problem.items.push_back(DrawItem(num_ops, &random));
    all += problem.items.back().bytes;
  }
  problem.link.in_bytes_per_s = (50 + random.Below(400)) * 1000000;
  problem.link.out_bytes_per_s = random.OneIn(2) ? problem.link.in_bytes_per_s : (50 + random.Below(400)) * 1000000;
  problem.link.latency_ns = random.Below(200);
  uint64_t largest = 0;
  for (uint32_t q = 0; q < num_ops; ++q) {
    uint64_t held = 0;
    for (const StagingItem& item : problem.items) {
      for (const StagingUse& use : item.uses) held += use.first <= q && q <= use.last ? item.bytes : 0;
    }
    largest = std::max(largest, held);
  }
  problem.budget = largest + random.Below(all - largest + 1);
  return problem;
}

std::optional<uint64_t> PassNs(const StagingProblem& problem, const StagingSchedule& schedule,
                               const std::vector<uint32_t>& fetch_order) {
  const std::vector<StagingGap> gaps = plan::FindGaps(problem);
  const uint64_t n = problem.op_ns.size();
  std::vector<uint64_t> fetched_ns(gaps.size());        // end of the last fetch
  std::vector<uint64_t> host_ns(gaps.size());           // end of the last use, and of its write-back
  std::vector<std::pair<uint64_t, uint64_t>> releases;  // time, bytes
  uint64_t held = 0;
  uint64_t given_ns = 0;
  const auto give = [&](uint64_t bytes) {
    held += bytes;
    while (held > problem.budget) {
      const auto first = std::min_element(releases.begin(), releases.end());
      if (first == releases.end()) return false;
      given_ns = std::max(given_ns, first->first);
      held -= first->second;
      releases.erase(first);
    }
    return true;
  };
  for (size_t g = 0; g < gaps.size(); ++g) {
    const bool is_fetched = IsFetched(problem, schedule, gaps, g);
    const bool is_there =
        is_fetched ? schedule.fetch_before[g] < n : UseAfter(problem, gaps[g]).before == Before::kKept;
    if (gaps[g].first >= n && is_there) held += problem.items[gaps[g].item].bytes;
  }
  if (!give(0)) return std::nullopt;
  uint64_t now = 0;
  uint64_t in_free = 0;
  uint64_t out_free = 0;
  uint64_t second_pass = 0;
  constexpr uint64_t kPasses = 4;
  for (uint64_t at = 0; at < kPasses * n; ++at) {
    const uint64_t q = at % n;
    if (at == 2 * n) second_pass = now;
    std::vector<std::pair<uint32_t, size_t>> fetches;
    for (size_t g = 0; g < gaps.size(); ++g) {
      if (IsFetched(problem, schedule, gaps, g) && schedule.fetch_before[g] % n == q)
        fetches.push_back({fetch_order[g], g});
    }
    std::sort(fetches.begin(), fetches.end());
    for (const auto& [order, g] : fetches) {
      const uint64_t bytes = problem.items[gaps[g].item].bytes;
      if (!give(bytes)) return std::nullopt;
      in_free = std::max({in_free, given_ns, host_ns[g]}) +
                TransferNs(bytes, problem.link.in_bytes_per_s, problem.link.latency_ns);
      fetched_ns[g] = in_free;
    }
    uint64_t fresh = 0;
    uint64_t begin = now;
    for (size_t g = 0; g < gaps.size(); ++g) {
      if (gaps[g].first % n != q) continue;
      const StagingUse& use = UseAfter(problem, gaps[g]);
      if (use.before == Before::kNothing) fresh += problem.items[gaps[g].item].bytes;
      if (IsFetched(problem, schedule, gaps, g)) begin = std::max(begin, fetched_ns[g]);
      if (use.before == Before::kKept && !IsFetched(problem, schedule, gaps, g) && use.after != After::kUnchanged) {
        begin = std::max(begin, host_ns[g]);
      }
    }
    if (fresh > 0) {
      if (!give(fresh)) return std::nullopt;
      begin = std::max(begin, given_ns);
    }
    now = begin + problem.op_ns[q];
    for (size_t g = 0; g < gaps.size(); ++g) {
      if (gaps[g].last != q) continue;
      const uint64_t bytes = problem.items[gaps[g].item].bytes;
      const bool is_fetched = IsFetched(problem, schedule, gaps, g);
      const Before next = UseAfter(problem, gaps[g]).before;
      host_ns[g] = now;
      if (UseBefore(problem, gaps[g]).after == After::kToHost ||
          (is_fetched && next == Before::kKept && IsChanged(problem, schedule, gaps, g))) {
        out_free = std::max(out_free, now) + TransferNs(bytes, problem.link.out_bytes_per_s, problem.link.latency_ns);
        host_ns[g] = out_free;
      }
      if (is_fetched || next == Before::kNothing) releases.push_back({host_ns[g], bytes});
    }
  }
  return (now - second_pass) / 2;
}

std::optional<uint64_t> ShortestPassNs(const StagingProblem& problem, uint64_t max_schedules, uint64_t* tried) {
  const std::vector<StagingGap> gaps = plan::FindGaps(problem);
  std::vector<std::vector<uint32_t>> options(gaps.size());
  std::vector<uint32_t> orders;  // of the gaps that may be fetched; all permutations of it
  double count = 1;
  for (size_t g = 0; g < gaps.size(); ++g) {
    const Before next = UseAfter(problem, gaps[g]).before;
    if (next != Before::kHost) options[g].push_back(StagingSchedule::kStays);
    if (next != Before::kNothing) {
      for (uint32_t q = gaps[g].last + 1; q <= gaps[g].first; ++q) options[g].push_back(q);
      orders.push_back(static_cast<uint32_t>(g));
      count *= static_cast<double>(orders.size());
    }
    count *= static_cast<double>(options[g].size());
  }
  *tried = static_cast<uint64_t>(std::min(count, 1e18));
  if (count > static_cast<double>(max_schedules)) return std::nullopt;
  std::optional<uint64_t> shortest;
  StagingSchedule schedule;
  do {
    std::vector<uint32_t> fetch_order(gaps.size());
    for (size_t i = 0; i < orders.size(); ++i) fetch_order[orders[i]] = static_cast<uint32_t>(i);
    std::vector<size_t> choice(gaps.size());
    for (size_t g = 0; g < gaps.size();) {
      schedule.fetch_before.clear();
      for (size_t i = 0; i < gaps.size(); ++i) schedule.fetch_before.push_back(options[i][choice[i]]);
      const std::optional<uint64_t> pass = PassNs(problem, schedule, fetch_order);
      if (pass && (!shortest || *pass < *shortest)) shortest = pass;
      for (g = 0; g < gaps.size() && ++choice[g] == options[g].size(); ++g) choice[g] = 0;
    }
  } while (std::next_permutation(orders.begin(), orders.end()));
  return shortest;
}

StagingSchedule PaperStaging(const StagingProblem& problem) {
  const std::vector<StagingGap> gaps = plan::FindGaps(problem);
  const uint32_t n = static_cast<uint32_t>(problem.op_ns.size());
  std::vector<uint64_t> held(n);
  for (const StagingItem& item : problem.items) {
    for (const StagingUse& use : item.uses) {
      for (uint32_t q = use.first; q <= use.last; ++q) held[q] += item.bytes;
    }
  }
  const uint64_t peak = *std::max_element(held.begin(), held.end());
  uint64_t left = problem.budget > 2 * peak ? problem.budget - 2 * peak : 0;
  std::vector<bool> stays(problem.items.size());
  std::vector<uint32_t> by_first_use(problem.items.size());
  std::iota(by_first_use.begin(), by_first_use.end(), 0);
  std::stable_sort(by_first_use.begin(), by_first_use.end(), [&](uint32_t a, uint32_t b) {
    return problem.items[a].uses[0].first < problem.items[b].uses[0].first;
  });
  for (uint32_t i : by_first_use) {
    stays[i] = problem.items[i].bytes <= left;
    if (stays[i]) left -= problem.items[i].bytes;
  }
  StagingSchedule schedule;
  for (const StagingGap& gap : gaps) {
    // With less than two operations' memory nothing is fetched ahead.
    const bool is_ahead = problem.budget >= 2 * peak && gap.first > gap.last + 1;
    const bool is_kept = gap.is_free && (stays[gap.item] || gap.first == gap.last + 1);
    schedule.fetch_before.push_back(is_kept ? StagingSchedule::kStays : is_ahead ? gap.first - 1 : gap.first);
  }
  return schedule;
}

}  // namespace geeps::test
