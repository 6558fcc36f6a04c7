// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan/staging_locals.h"

#include <algorithm>
#include <utility>

namespace geeps::plan {
namespace {

// Rows of one local data that its accesses connect.
struct Whole {
  uint32_t local = 0;
  uint64_t first_row = 0;
  uint64_t end_row = 0;
  std::vector<uint32_t> ops;  // by begin
};

// Accesses that are open at once, by their begin.
struct Use {
  std::vector<uint32_t> ops;
  uint32_t begin_step = 0;
  uint32_t end_step = 0;
};

class Finder {
 public:
  Finder(const WorkerLayout& layout, uint32_t plan, const RecordedPlan& recorded)
      : layout_(layout), ops_(layout.plans[plan].ops), segments_(layout.local_segments[plan]), recorded_(recorded) {}

  StagedLocals Find(uint64_t max_bytes, uint64_t align) {
    StagedLocals found;
    found.accesses.resize(ops_.size());
    std::vector<StagingItem> items;
    const std::vector<Whole> wholes = FindWholes();
    for (uint32_t w = 0; w < wholes.size(); ++w) {
      const uint64_t row_bytes = layout_.locals[wholes[w].local].row_bytes;
      const std::vector<Use> uses = FindUses(wholes[w]);
      StagingItem item;
      item.bytes = (wholes[w].end_row - wholes[w].first_row) * row_bytes;
      item.uses = DescribeUses(wholes[w], uses);
      items.push_back(std::move(item));
      for (uint32_t u = 0; u < uses.size(); ++u) {
        for (const uint32_t op : uses[u].ops) {
          found.accesses[op] = {w, u, (ops_[op].place_row - wholes[w].first_row) * row_bytes};
        }
      }
    }
    CutStaging cut = CutItems(items, max_bytes, align);
    std::vector<uint32_t> first_piece(wholes.size());
    for (uint32_t i = static_cast<uint32_t>(cut.items.size()); i-- > 0;) first_piece[cut.pieces[i].whole] = i;
    for (const StagingPiece& piece : cut.pieces) {
      const Whole& whole = wholes[piece.whole];
      found.homes.push_back({whole.local, whole.first_row * layout_.locals[whole.local].row_bytes + piece.low});
    }
    for (StagedAccess& access : found.accesses) {
      if (access.item != StagedAccess::kNone) access.item = first_piece[access.item];
    }
    found.items = std::move(cut.items);
    found.pieces = std::move(cut.pieces);
    return found;
  }

 private:
  std::vector<Whole> FindWholes() const {
    std::vector<uint32_t> accesses;
    for (uint32_t op = 0; op < ops_.size(); ++op) {
      const bool moves = ops_[op].kind == OpKind::kLocal && ops_[op].num_rows > 0;
      if (moves && layout_.locals[ops_[op].table].row_bytes > 0) accesses.push_back(op);
    }
    std::stable_sort(accesses.begin(), accesses.end(), [&](uint32_t a, uint32_t b) {
      return std::make_pair(ops_[a].table, ops_[a].place_row) < std::make_pair(ops_[b].table, ops_[b].place_row);
    });
    std::vector<Whole> wholes;
    for (const uint32_t op : accesses) {
      const uint64_t first = ops_[op].place_row;
      const bool is_new = wholes.empty() || wholes.back().local != ops_[op].table || wholes.back().end_row <= first;
      if (is_new) wholes.push_back({ops_[op].table, first, first, {}});
      wholes.back().end_row = std::max(wholes.back().end_row, first + ops_[op].num_rows);
      wholes.back().ops.push_back(op);
    }
    for (Whole& whole : wholes) {
      std::sort(whole.ops.begin(), whole.ops.end(),
                [&](uint32_t a, uint32_t b) { return recorded_.ops[a].begin_step < recorded_.ops[b].begin_step; });
    }
    return wholes;
  }

  std::vector<Use> FindUses(const Whole& whole) const {
    std::vector<Use> uses;
    for (const uint32_t op : whole.ops) {
      const Operation& recorded = recorded_.ops[op];
      if (uses.empty() || uses.back().end_step < recorded.begin_step) {
        uses.push_back({{}, recorded.begin_step, recorded.end_step});
      }
      uses.back().ops.push_back(op);
      uses.back().end_step = std::max(uses.back().end_step, recorded.end_step);
    }
    return uses;
  }

  bool Has(uint32_t op, uint32_t flag) const { return (ops_[op].flags & flag) != 0; }

  // Goes through two passes; `kept`: segments that may hold something that was kept.
  std::vector<StagingUse> DescribeUses(const Whole& whole, const std::vector<Use>& uses) const {
    const LocalLayout& local = layout_.locals[whole.local];
    std::vector<uint32_t> all;
    for (uint32_t s = 0; s < local.segment_first.size(); ++s) {
      if (local.segment_first[s] >= whole.first_row && local.segment_first[s] < whole.end_row) all.push_back(s);
    }
    std::vector<bool> kept(local.segment_first.size());
    std::vector<StagingUse> described;
    for (uint32_t pass = 0; pass < 2; ++pass) {
      described.clear();
      // A pass may follow one of another plan, which has kept what is wanted here.
      std::vector<bool> touched(kept.size());
      for (const uint32_t op : whole.ops) {
        for (const uint32_t s : segments_[op]) {
          if (!touched[s] && Has(op, kLocalFetch)) kept[s] = true;
          touched[s] = true;
        }
      }
      for (const Use& use : uses) described.push_back(Describe(use, all, &kept));
    }
    // What is kept at the end of a pass and not wanted by the next one is for another plan.
    const bool keeps = std::any_of(all.begin(), all.end(), [&](uint32_t s) { return kept[s]; });
    if (keeps && described.front().before == StagingUse::Before::kNothing) {
      described.back().after = StagingUse::After::kToHost;
    }
    return described;
  }

  StagingUse Describe(const Use& use, const std::vector<uint32_t>& all, std::vector<bool>* kept) const {
    StagingUse described;
    described.first = use.begin_step;
    described.last = use.end_step - 1;
    std::vector<bool> is_new(kept->size());  // begins with other contents than those that were kept
    std::vector<bool> touched(kept->size());
    for (const uint32_t op : use.ops) {
      for (const uint32_t s : segments_[op]) {
        if (!touched[s]) is_new[s] = !Has(op, kLocalFetch) && !Has(op, kOptional);
        touched[s] = true;
      }
    }
    for (const uint32_t s : all) {
      if ((*kept)[s] && !is_new[s]) described.before = StagingUse::Before::kKept;
    }
    std::vector<uint32_t> by_end = use.ops;
    std::sort(by_end.begin(), by_end.end(),
              [&](uint32_t a, uint32_t b) { return recorded_.ops[a].end_step < recorded_.ops[b].end_step; });
    for (const uint32_t op : by_end) {
      const bool keeps = Has(op, kLocalKeep);
      if (keeps) described.after = StagingUse::After::kChanged;
      for (const uint32_t s : segments_[op]) (*kept)[s] = keeps || (Has(op, kOptional) && (*kept)[s]);
    }
    return described;
  }

  const WorkerLayout& layout_;
  const std::vector<PlannedOp>& ops_;
  const std::vector<std::vector<uint32_t>>& segments_;  // by operation
  const RecordedPlan& recorded_;
};

}  // namespace

StagedLocals FindStagedLocals(const WorkerLayout& layout, uint32_t plan, const RecordedPlan& recorded,
                              uint64_t max_bytes, uint64_t align) {
  return Finder(layout, plan, recorded).Find(max_bytes, align);
}

}  // namespace geeps::plan
