// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan/staging_script.h"

#include <algorithm>
#include <map>
#include <utility>

#include "runtime/base/status.h"
#include "runtime/plan/staging_parts.h"

namespace geeps::plan {
namespace {

constexpr int64_t kNone = StagingScript::kNone;

// Passes that are gone through until all that a stay follows belongs to the steady state.
constexpr int64_t kLaps = 3;

// Of a stay, relative to the pass of its first use.
struct Stay {
  bool is_fetched = false;
  int64_t first_point = 0;  // begin of its first use
  int64_t end_point = 0;    // of its last one
  int64_t issue_point = 0;  // the fetch: relative to the same
  int64_t after_point = 0;  // the fetch: the least that issue_point may be by what it follows
  uint32_t fetch = 0;       // index in the pass that gives it to the link
};

class Writer {
 public:
  Writer(const StagingProblem& problem, const StagingPlan& plan) : problem_(problem), plan_(plan), tables_(problem) {}

  absl::StatusOr<StagingScript> Write() {
    FindMoves(tables_, plan_.schedule, &moves_);
    FindStays();
    NumberWriteBacks();
    FollowEarlierStays();
    GEEPS_RETURN_IF_ERROR(CheckOrder());
    NumberFetches();
    SetNeeds();
    FindLoadsAndSaves();
    SetPoints();
    return std::move(script_);
  }

 private:
  // What a stay, or a copy, waits for.
  struct Wait {
    uint32_t stay = 0;
    int64_t passes = 0;  // from the pass of its first use to the pass of the first use of the one that waits
  };

  int64_t num_ops() const { return tables_.num_ops(); }
  const StagingStay& Given(uint32_t s) const { return plan_.addresses.stays[s]; }
  const std::vector<StagingUse>& UsesOf(uint32_t s) const { return problem_.items[Given(s).item].uses; }
  uint32_t GapAfter(uint32_t s, uint32_t k) const {  // behind its k-th use
    return first_gap_[Given(s).item] + (Given(s).first_use + k) % static_cast<uint32_t>(UsesOf(s).size());
  }
  // The pass of its k-th use, relative to that of its first one.
  int64_t PassOf(uint32_t s, uint32_t k) const { return (Given(s).first_use + k) / UsesOf(s).size(); }

  void FindStays() {
    first_gap_.resize(problem_.items.size());
    script_.addresses.resize(problem_.items.size());
    for (uint32_t i = 0, gap = 0; i < problem_.items.size(); ++i) {
      first_gap_[i] = gap;
      gap += static_cast<uint32_t>(problem_.items[i].uses.size());
      script_.addresses[i].resize(problem_.items[i].uses.size());
    }
    stays_.resize(plan_.addresses.stays.size());
    waits_.resize(stays_.size());
    for (uint32_t s = 0; s < stays_.size(); ++s) {
      const StagingStay& given = Given(s);
      const uint32_t num_uses = static_cast<uint32_t>(UsesOf(s).size());
      const uint32_t last = given.first_use + given.num_uses - 1;
      stays_[s].is_fetched = moves_.fetched[first_gap_[given.item] + (given.first_use + num_uses - 1) % num_uses];
      stays_[s].first_point = UsesOf(s)[given.first_use].first;
      stays_[s].end_point = UsesOf(s)[last % num_uses].last + 1 + last / num_uses * num_ops();
      for (uint32_t k = 0; k < given.num_uses; ++k) {
        script_.addresses[given.item][(given.first_use + k) % num_uses] = given.address;
      }
    }
  }

  void NumberWriteBacks() {
    write_back_.resize(tables_.num_gaps());
    for (uint32_t q = 0; q < tables_.num_ops(); ++q) {
      for (const uint32_t gap : tables_.ends[q]) {
        if (!moves_.written_back[gap]) continue;
        const StagingGap& given = tables_.gaps[gap];
        write_back_[gap] = static_cast<int64_t>(script_.write_backs.size());
        script_.write_backs.push_back({given.item, script_.addresses[given.item][given.use], kNone});
      }
    }
  }

  int64_t num_out() const { return static_cast<int64_t>(script_.write_backs.size()); }

  // Write-backs that are over when the ones before and behind the k-th use of the stay are, counted from the begin of
  // the pass of its first use; kNone: it has none up to there.
  int64_t OutOf(uint32_t s, uint32_t k) const {
    for (uint32_t i = k + 1; i-- > 0;) {
      const uint32_t gap = GapAfter(s, i);
      if (moves_.written_back[gap]) return PassOf(s, i) * num_out() + write_back_[gap] + 1;
    }
    return kNone;
  }

  // Of the contents that a fetch brings: the same, of the last write-back before it.
  int64_t OutOfContents(uint32_t s) const {
    const uint32_t num_uses = static_cast<uint32_t>(UsesOf(s).size());
    for (uint32_t back = 1; back <= num_uses; ++back) {
      const uint32_t use = (Given(s).first_use + num_uses - back) % num_uses;
      const uint32_t gap = first_gap_[Given(s).item] + use;
      if (moves_.written_back[gap]) return (back > Given(s).first_use ? -num_out() : 0) + write_back_[gap] + 1;
    }
    return kNone;
  }

  // Goes through the stays in the order in which they begin, and keeps who held each byte last.
  void FollowEarlierStays() {
    struct Holder {
      uint64_t end = 0;
      uint32_t stay = 0;
      int64_t lap = 0;
    };
    std::vector<uint32_t> order(stays_.size());
    for (uint32_t s = 0; s < order.size(); ++s) order[s] = s;
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return Given(a).begin_ns < Given(b).begin_ns; });
    std::map<uint64_t, Holder> holders;  // by first byte
    int64_t issued_at = kNone;           // points of the fetches so far, counted over laps
    for (int64_t lap = 0; lap < kLaps; ++lap) {
      for (const uint32_t s : order) {
        const uint64_t begin = Given(s).address;
        const uint64_t end = begin + problem_.items[Given(s).item].bytes;
        const int64_t first_use_pass = lap + Given(s).passes_ahead;
        std::vector<Wait> waits;
        auto it = holders.upper_bound(begin);
        if (it != holders.begin() && std::prev(it)->second.end > begin) --it;
        while (it != holders.end() && it->first < end) {
          const Holder holder = it->second;
          const uint64_t holder_begin = it->first;
          it = holders.erase(it);
          waits.push_back({holder.stay, holder.lap + Given(holder.stay).passes_ahead - first_use_pass});
          if (holder_begin < begin) holders[holder_begin] = {begin, holder.stay, holder.lap};
          if (holder.end > end) {
            holders[end] = holder;
            break;
          }
        }
        holders[begin] = {end, s, lap};
        Stay& stay = stays_[s];
        stay.after_point = kNone;
        for (const Wait& wait : waits) {
          stay.after_point = std::max(stay.after_point, wait.passes * num_ops() + stays_[wait.stay].end_point);
        }
        waits_[s] = std::move(waits);
        if (!stay.is_fetched) continue;
        const uint32_t gap = GapAfter(s, static_cast<uint32_t>(UsesOf(s).size()) - 1);  // the one before its first use
        const int64_t last = tables_.gaps[gap].last;
        const bool in_pass_before = tables_.gaps[gap].first >= num_ops();
        const int64_t contents_point = last + 1 - (in_pass_before ? num_ops() : 0);
        // A fetch follows those that begin before it.
        issued_at =
            std::max({issued_at, std::max(stay.after_point, contents_point) + first_use_pass * num_ops(), int64_t{0}});
        stay.issue_point = issued_at - first_use_pass * num_ops();
      }
    }
  }

  absl::Status CheckOrder() const {
    for (uint32_t s = 0; s < stays_.size(); ++s) {
      const Stay& stay = stays_[s];
      const int64_t point = stay.is_fetched ? stay.issue_point : stay.after_point;
      if (point <= stay.first_point && point < num_ops() && (!stay.is_fetched || point > -num_ops())) continue;
      return Internal("item ", Given(s).item, " is wanted by operation ", stay.first_point,
                      " of the pass, where the memory planned for it is held up to operation ", point);
    }
    return absl::OkStatus();
  }

  // The pass that gives the fetch to the link, relative to that of the first use: -1 or 0; its point there is 1 ..
  // num_ops.
  int64_t FetchPass(uint32_t s) const { return stays_[s].issue_point >= 1 ? 0 : -1; }
  int64_t FetchPoint(uint32_t s) const { return stays_[s].issue_point - FetchPass(s) * num_ops(); }

  void NumberFetches() {
    for (uint32_t s = 0; s < stays_.size(); ++s) {
      if (stays_[s].is_fetched) fetched_.push_back(s);
    }
    // In their order: those of the next pass begin behind all of this one that are given to the link at the same point.
    std::stable_sort(fetched_.begin(), fetched_.end(),
                     [&](uint32_t a, uint32_t b) { return FetchKey(a) < FetchKey(b); });
    for (const uint32_t s : fetched_) {
      stays_[s].fetch = static_cast<uint32_t>(script_.fetches.size());
      int64_t after_out = OutOfContents(s);
      for (const Wait& wait : waits_[s]) after_out = std::max(after_out, OutOfWait(wait));
      // From the pass of the first use to the pass that gives it to the link.
      if (after_out != kNone) after_out -= FetchPass(s) * num_out();
      script_.fetches.push_back({Given(s).item, Given(s).address, after_out});
    }
  }

  // Point in the pass, then the time at which it begins, counted from the begin of that pass.
  std::pair<int64_t, int64_t> FetchKey(uint32_t s) const {
    const int64_t begins_in_pass = -static_cast<int64_t>(Given(s).passes_ahead) - FetchPass(s);
    return {FetchPoint(s),
            begins_in_pass * static_cast<int64_t>(plan_.times.pass_ns) + static_cast<int64_t>(Given(s).begin_ns)};
  }

  int64_t OutOfWait(const Wait& wait) const {
    const int64_t out = OutOf(wait.stay, Given(wait.stay).num_uses - 1);
    return out == kNone ? kNone : out + wait.passes * num_out();
  }

  // Fetches that are over when that of the stay is, counted from the begin of the pass of its first use.
  int64_t InOf(uint32_t s) const {
    if (!stays_[s].is_fetched) return kNone;
    return FetchPass(s) * static_cast<int64_t>(script_.fetches.size()) + stays_[s].fetch + 1;
  }

  void SetNeeds() {
    script_.points.resize(problem_.op_ns.size() + 1);
    const int64_t num_in = static_cast<int64_t>(script_.fetches.size());
    for (uint32_t s = 0; s < stays_.size(); ++s) {
      for (uint32_t k = 0; k < Given(s).num_uses; ++k) {
        const std::vector<StagingUse>& uses = UsesOf(s);
        const StagingUse& use = uses[(Given(s).first_use + k) % uses.size()];
        StagingScript::Point& point = script_.points[use.first];
        const int64_t passes = PassOf(s, k);
        const auto need = [&](int64_t in, int64_t out) {
          if (in != kNone) {
            point.needs_in = std::max(point.needs_in, in - passes * num_in);
          }
          if (out != kNone) point.needs_out = std::max(point.needs_out, out - passes * num_out());
        };
        need(InOf(s), kNone);
        const uint32_t gap = GapAfter(s, k);
        if (moves_.written_back[gap] && stays_[s].is_fetched) {
          script_.write_backs[static_cast<size_t>(write_back_[gap])].after = InOf(s) - passes * num_in;
        }
        // What is being written back must not be changed.
        if (k > 0 && use.after != StagingUse::After::kUnchanged) need(kNone, OutOf(s, k - 1));
        if (k > 0 || stays_[s].is_fetched) continue;
        for (const Wait& wait : waits_[s]) {
          const int64_t in = InOf(wait.stay);
          need(in == kNone ? kNone : in + wait.passes * num_in, OutOfWait(wait));
        }
      }
    }
  }

  void FindLoadsAndSaves() {
    std::vector<std::pair<int64_t, uint32_t>> loads;  // first point, stay
    for (uint32_t s = 0; s < stays_.size(); ++s) {
      const uint32_t num_uses = static_cast<uint32_t>(UsesOf(s).size());
      // Whether it stays from the last use of a pass to the first one of the next.
      const uint32_t last_gap = first_gap_[Given(s).item] + num_uses - 1;
      const bool has_last = (num_uses - 1 + num_uses - Given(s).first_use) % num_uses < Given(s).num_uses;
      if (has_last && tables_.gaps[last_gap].is_free && !moves_.fetched[last_gap]) {
        loads.emplace_back(UsesOf(s)[0].first, s);
        if (IsChangedAtEnd(s)) script_.saves.push_back({Given(s).item, Given(s).address, kNone});
      } else if (stays_[s].is_fetched && FetchPass(s) < 0) {
        loads.emplace_back(stays_[s].first_point, s);
      }
    }
    std::sort(loads.begin(), loads.end());
    for (const auto& [point, s] : loads) script_.loads.push_back({Given(s).item, Given(s).address, 0});
  }

  // Whether, at the end of a pass, it differs from what lies on the host.
  bool IsChangedAtEnd(uint32_t s) const {
    const uint32_t num_uses = static_cast<uint32_t>(UsesOf(s).size());
    const uint32_t first = first_gap_[Given(s).item];
    bool changed = false;
    for (uint32_t i = 0; i < 2 * num_uses; ++i) {
      const uint32_t gap = first + i % num_uses;
      if (tables_.UseBefore(gap).after == StagingUse::After::kChanged) changed = true;
      if (moves_.written_back[gap] || moves_.fetched[gap]) changed = false;
    }
    return changed;
  }

  void SetPoints() {
    for (const uint32_t s : fetched_) ++script_.points[static_cast<size_t>(FetchPoint(s))].num_in;
    for (uint32_t q = 0; q < tables_.num_ops(); ++q) {
      for (const uint32_t gap : tables_.ends[q]) {
        if (moves_.written_back[gap]) ++script_.points[q + size_t{1}].num_out;
      }
    }
    for (size_t k = 1; k < script_.points.size(); ++k) {
      script_.points[k].num_in += script_.points[k - 1].num_in;
      script_.points[k].num_out += script_.points[k - 1].num_out;
    }
  }

  const StagingProblem& problem_;
  const StagingPlan& plan_;
  const StagingTables tables_;
  StagingMoves moves_;
  std::vector<uint32_t> first_gap_;       // by item
  std::vector<Stay> stays_;               // as given
  std::vector<std::vector<Wait>> waits_;  // by stay: who held its memory before
  std::vector<int64_t> write_back_;       // by gap: index in a pass
  std::vector<uint32_t> fetched_;         // stays, in the order of their fetches
  StagingScript script_;
};

}  // namespace

absl::StatusOr<StagingScript> WriteStagingScript(const StagingProblem& problem, const StagingPlan& plan) {
  return Writer(problem, plan).Write();
}

}  // namespace geeps::plan
