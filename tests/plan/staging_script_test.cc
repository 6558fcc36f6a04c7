// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan/staging_script.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/plan/draw.h"
#include "tests/plan/staging_reference.h"

namespace geeps::plan {
namespace {

using Before = StagingUse::Before;
using After = StagingUse::After;

constexpr uint64_t kUnknown = 0;
constexpr uint64_t kPoison = 1;

// Carries a script out over memory of stamps, one for each byte. The program and the two directions of the link go on
// in an order that is drawn; a copy is done in two halves, and what an operation changes it writes at its begin and
// end.
class Machine {
 public:
  Machine(const StagingProblem& problem, const StagingScript& script, Draw* draw)
      : problem_(problem), script_(script), draw_(draw), device_(problem.budget, kPoison) {
    for (const StagingItem& item : problem.items) host_.emplace_back(item.bytes, kUnknown);
    truth_.assign(problem.items.size(), kUnknown);
    for (const StagingItem& item : problem.items) skipped_.emplace_back(item.uses.size());
  }

  // What went wrong; empty: nothing.
  std::string Run(uint32_t num_passes) {
    for (uint32_t pass = 0; pass < num_passes && wrong_.empty(); ++pass) {
      const bool is_cold = pass == 0 || draw_->Below(4) == 0;
      if (is_cold) BeginCold();
      is_cold_ = is_cold;
      base_in_ = in_given_;
      base_out_ = out_given_;
      Pass();
      // The counters of the next pass begin with all that this one gives to the link.
      if (wrong_.empty() &&
          (in_given_ != base_in_ + script_.fetches.size() || out_given_ != base_out_ + script_.write_backs.size())) {
        wrong_ = "a pass that gives the link another number of copies than it has";
      }
    }
    return wrong_;
  }
  uint64_t num_checked() const { return num_checked_; }

 private:
  struct Copy {
    uint32_t item = 0;
    uint64_t address = 0;
    uint64_t after = 0;
    uint64_t done = 0;  // bytes
  };

  static uint64_t Absolute(uint64_t base, int64_t relative) {
    const int64_t sum = static_cast<int64_t>(base) + relative;
    return sum < 0 ? 0 : static_cast<uint64_t>(sum);
  }

  void GiveIn(const StagingScript::Copy& copy, uint64_t base_out) {
    in_.push_back({copy.item, copy.address, Absolute(base_out, copy.after)});
    ++in_given_;
  }
  void GiveOut(const StagingScript::Copy& copy, uint64_t after) {
    out_.push_back({copy.item, copy.address, after});
    ++out_given_;
  }

  void BeginCold() {
    for (const StagingScript::Copy& copy : script_.saves) {
      if (base_out_ + base_in_ > 0) GiveOut(copy, in_given_);
    }
    while (!in_.empty() || !out_.empty()) StepLink();
    // Nothing of the device counts any more.
    std::fill(device_.begin(), device_.end(), kPoison);
    for (uint32_t i = 0; i < problem_.items.size(); ++i) {
      if (problem_.items[i].uses[0].before == Before::kKept) Check(host_[i], 0, host_[i].size(), i, "on the host");
    }
    for (const StagingScript::Copy& copy : script_.loads) GiveIn(copy, out_given_);
  }

  void Pass() {
    for (uint32_t k = 0; k < script_.points.size() && wrong_.empty(); ++k) {
      const StagingScript::Point& point = script_.points[k];
      if (k > 0) EndUses(k - 1);
      while (out_given_ < base_out_ + point.num_out) {
        const StagingScript::Copy& copy = script_.write_backs[out_given_ - base_out_];
        GiveOut(copy, Absolute(base_in_, copy.after));
      }
      while (in_given_ < base_in_ + point.num_in) GiveIn(script_.fetches[in_given_ - base_in_], base_out_);
      if (k + 1 == script_.points.size()) return;
      for (uint64_t i = draw_->Below(6); i > 0; --i) StepLink();
      const uint64_t cold = is_cold_ ? base_in_ : 0;
      const bool is_awaited = ChooseSkipped(k);
      while (is_awaited && (in_done_ < std::max(cold, Absolute(base_in_, point.needs_in)) ||
                            out_done_ < Absolute(base_out_, point.needs_out))) {
        if (!StepLink()) {
          wrong_ = absl::StrCat("operation ", k, " waits for copies that are not given to the link");
          return;
        }
      }
      BeginUses(k);
    }
  }

  // Uses that want what is there may be left out by the program, which does not wait for them then. False when all of
  // the operation are.
  bool ChooseSkipped(uint32_t op) {
    bool any = false;
    ForUses([&](uint32_t i, uint32_t u, const StagingUse& use) {
      if (use.first != op) return;
      skipped_[i][u] = use.before == Before::kKept && draw_->Below(3) == 0;
      any = any || !skipped_[i][u];
    });
    return any;
  }

  // False when neither direction can go on.
  bool StepLink() {
    const bool in_first = draw_->Below(2) == 0;
    return in_first ? StepIn() || StepOut() : StepOut() || StepIn();
  }

  uint64_t Half(Copy* copy) {
    const uint64_t bytes = problem_.items[copy->item].bytes;
    return copy->done == 0 && bytes > 1 ? bytes / 2 : bytes;
  }

  bool StepIn() {
    if (in_.empty() || in_.front().after > out_done_) return false;
    Copy& copy = in_.front();
    for (const uint64_t to = Half(&copy); copy.done < to; ++copy.done) {
      device_[copy.address + copy.done] = host_[copy.item][copy.done];
    }
    if (copy.done < problem_.items[copy.item].bytes) return true;
    in_.pop_front();
    ++in_done_;
    return true;
  }

  bool StepOut() {
    if (out_.empty() || out_.front().after > in_done_) return false;
    Copy& copy = out_.front();
    for (const uint64_t to = Half(&copy); copy.done < to; ++copy.done) {
      host_[copy.item][copy.done] = device_[copy.address + copy.done];
    }
    if (copy.done < problem_.items[copy.item].bytes) return true;
    out_.pop_front();
    ++out_done_;
    return true;
  }

  void Check(const std::vector<uint64_t>& memory, uint64_t from, uint64_t bytes, uint32_t item, const char* where) {
    if (truth_[item] == kUnknown) return;
    ++num_checked_;
    for (uint64_t i = from; i < from + bytes && wrong_.empty(); ++i) {
      if (memory[i] != truth_[item]) {
        wrong_ = absl::StrCat("item ", item, " ", where, ": ", memory[i], " in place of ", truth_[item]);
      }
    }
  }

  template <typename Body>
  void ForUses(Body&& body) {
    for (uint32_t i = 0; i < problem_.items.size(); ++i) {
      for (uint32_t u = 0; u < problem_.items[i].uses.size(); ++u) body(i, u, problem_.items[i].uses[u]);
    }
  }

  void CheckUse(uint32_t item, uint32_t use, const char* when) {
    Check(device_, script_.addresses[item][use], problem_.items[item].bytes, item, when);
  }

  void Write(uint32_t item, uint32_t use) {
    truth_[item] = ++last_stamp_;
    for (uint64_t b = 0; b < problem_.items[item].bytes; ++b) {
      device_[script_.addresses[item][use] + b] = truth_[item];
    }
  }

  void BeginUses(uint32_t op) {
    ForUses([&](uint32_t i, uint32_t u, const StagingUse& use) {
      if (use.first != op || skipped_[i][u]) return;
      if (use.before == Before::kKept) CheckUse(i, u, "at the begin of a use");
      if (use.after != After::kUnchanged || use.before == Before::kNothing) Write(i, u);
    });
  }

  void EndUses(uint32_t op) {
    ForUses([&](uint32_t i, uint32_t u, const StagingUse& use) {
      if (use.last != op || skipped_[i][u]) return;
      CheckUse(i, u, "at the end of a use");
      if (use.after != After::kUnchanged) {
        Write(i, u);
      } else if (use.before == Before::kNothing) {
        truth_[i] = kUnknown;
      }
    });
  }

  const StagingProblem& problem_;
  const StagingScript& script_;
  Draw* const draw_;
  std::vector<uint64_t> device_;
  std::vector<std::vector<uint64_t>> host_;  // by item
  std::vector<uint64_t> truth_;              // by item
  std::vector<std::vector<bool>> skipped_;   // by item and use
  uint64_t last_stamp_ = kPoison;
  std::deque<Copy> in_, out_;
  uint64_t in_given_ = 0, in_done_ = 0, out_given_ = 0, out_done_ = 0;
  uint64_t base_in_ = 0, base_out_ = 0;
  bool is_cold_ = false;
  uint64_t num_checked_ = 0;
  std::string wrong_;
};

// A drawn problem in pieces, without uses that are filled from outside.
StagingProblem DrawProblem(uint64_t seed, std::vector<StagingPiece>* pieces) {
  StagingProblem problem = test::DrawStaging(seed, 8, 6);
  for (StagingItem& item : problem.items) {
    for (StagingUse& use : item.uses) {
      if (use.before == Before::kHost) use.before = Before::kKept;
    }
  }
  const CutStaging cut = CutItems(problem.items, seed % 3 == 0 ? uint64_t{1} << 60 : 128, 1);
  problem.items = cut.items;
  *pieces = cut.pieces;
  return problem;
}

TEST_CASE("StagingScript: drawn plans, carried out in any order, lose nothing") {
  Draw draw;
  uint32_t num_run = 0;
  uint64_t num_checked = 0, num_ahead = 0, num_loads = 0, num_saves = 0, num_fetches = 0, num_out = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    std::vector<StagingPiece> pieces;
    const StagingProblem problem = DrawProblem(seed, &pieces);
    const absl::StatusOr<StagingPlan> plan = StageAndPlace(problem, pieces, 1);
    if (!plan.ok()) continue;
    const absl::StatusOr<StagingScript> script = WriteStagingScript(problem, *plan);
    REQUIRE_MESSAGE(script.ok(), script.status().message());
    Machine machine(problem, *script, &draw);
    CHECK(machine.Run(12) == "");
    ++num_run;
    num_checked += machine.num_checked();
    num_loads += script->loads.size();
    num_saves += script->saves.size();
    num_fetches += script->fetches.size();
    num_out += script->write_backs.size();
    for (const StagingStay& stay : plan->addresses.stays) num_ahead += stay.passes_ahead;
  }
  CHECK(num_run > 15);
  CHECK(num_checked > 5000);
  CHECK(num_ahead > 10);
  CHECK(num_loads > 60);
  CHECK(num_saves > 40);
  CHECK(num_fetches > 30);
  CHECK(num_out > 40);
}

// Otherwise the test above could not fail.
TEST_CASE("StagingScript: what does not wait as the script says is found") {
  Draw draw;
  uint32_t num_found[5] = {};
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    std::vector<StagingPiece> pieces;
    const StagingProblem problem = DrawProblem(seed, &pieces);
    const absl::StatusOr<StagingPlan> plan = StageAndPlace(problem, pieces, 1);
    if (!plan.ok()) continue;
    for (uint32_t fault = 0; fault < 5; ++fault) {
      StagingScript script = WriteStagingScript(problem, *plan).value();
      for (StagingScript::Copy& copy : script.fetches) {
        if (fault == 0) copy.after = StagingScript::kNone;
      }
      for (StagingScript::Point& point : script.points) {
        if (fault == 1) point.needs_in = StagingScript::kNone;
        if (fault == 2) point.needs_out = StagingScript::kNone;
      }
      if (fault == 3) script.saves.clear();
      for (StagingScript::Copy& copy : script.write_backs) {
        if (fault == 4) copy.after = StagingScript::kNone;
      }
      if (!Machine(problem, script, &draw).Run(12).empty()) ++num_found[fault];
    }
  }
  for (const uint32_t found : num_found) CHECK(found > 1);
}

}  // namespace
}  // namespace geeps::plan
