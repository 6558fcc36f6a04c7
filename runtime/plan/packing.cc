// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan/packing.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/plan/draw.h"

namespace geeps::plan {
namespace {

// Work that a packing may cost, in held bytes that are looked at: about 60 ms.
constexpr uint64_t kWorkMax = 3'000'000;

struct Range {
  uint64_t low = 0;
  uint64_t high = 0;
};

// Ranges of addresses, found by the steps at which they are held. A binary tree over the steps: a range lies at the
// nodes that its steps cover and whose parents they do not, and is known to all nodes above those.
class RangesByStep {
 public:
  explicit RangesByStep(uint32_t num_steps) : num_steps_(num_steps) {
    while (num_leaves_ < num_steps) num_leaves_ *= 2;
    covering_.resize(2 * size_t{num_leaves_});
    below_.resize(2 * size_t{num_leaves_});
  }

  void Clear() {
    for (std::vector<Range>& ranges : covering_) ranges.clear();
    for (std::vector<Range>& ranges : below_) ranges.clear();
  }

  void Add(const PackingSpan& held, Range range) {
    Add(1, 0, num_leaves_, held.begin, std::min(held.end, num_steps_), range);
    if (held.end > num_steps_) Add(1, 0, num_leaves_, 0, held.end - num_steps_, range);
  }

  // Calls found(Range) for each range held at one of the steps; for some more than once.
  template <typename Found>
  void Find(const PackingSpan& held, Found found) const {
    Find(1, 0, num_leaves_, held.begin, std::min(held.end, num_steps_), found);
    if (held.end > num_steps_) Find(1, 0, num_leaves_, 0, held.end - num_steps_, found);
  }

 private:
  void Add(size_t node, uint32_t first, uint32_t size, uint32_t begin, uint32_t end, Range range) {
    if (begin <= first && first + size <= end) {
      covering_[node].push_back(range);
      return;
    }
    below_[node].push_back(range);
    const uint32_t half = size / 2;
    if (begin < first + half) Add(2 * node, first, half, begin, end, range);
    if (end > first + half) Add(2 * node + 1, first + half, half, begin, end, range);
  }

  template <typename Found>
  void Find(size_t node, uint32_t first, uint32_t size, uint32_t begin, uint32_t end, Found& found) const {
    for (const Range& range : covering_[node]) found(range);
    if (begin <= first && first + size <= end) {
      for (const Range& range : below_[node]) found(range);
      return;
    }
    if (below_[node].empty()) return;
    const uint32_t half = size / 2;
    if (begin < first + half) Find(2 * node, first, half, begin, end, found);
    if (end > first + half) Find(2 * node + 1, first + half, half, begin, end, found);
  }

  const uint32_t num_steps_;
  uint32_t num_leaves_ = 1;
  std::vector<std::vector<Range>> covering_, below_;
};

// What orders of blocks are made of.
struct Shape {
  uint64_t height = 0;
  uint64_t steps = 0;  // longest that a part is held
  double area = 0;     // bytes times steps
  uint32_t begin = 0;
};

Shape ShapeOf(const PackingBlock& block) {
  Shape shape;
  shape.begin = block.held[0].begin;
  for (const PackingSpan& held : block.held) {
    shape.height = std::max(shape.height, held.high);
    shape.steps = std::max<uint64_t>(shape.steps, held.end - held.begin);
    shape.area += static_cast<double>(held.high - held.low) * (held.end - held.begin);
  }
  return shape;
}

class Packer {
 public:
  Packer(const PackingProblem& problem, uint64_t enough_bytes);

  void TryOrders();
  void Improve();
  Packing best() && { return std::move(best_); }

 private:
  bool IsDone() const { return best_.bytes <= enough_bytes_ || work_ > kWorkMax; }
  void Place(uint32_t block);
  // Each block at the lowest address that those before it leave.
  void Try(const std::vector<uint32_t>& order);

  const PackingProblem& problem_;
  const uint64_t enough_bytes_;
  std::vector<Shape> shapes_;
  std::vector<uint32_t> some_of_time_;  // blocks that are not held all the time
  uint64_t always_bytes_ = 0;
  RangesByStep placed_;
  std::vector<Range> taken_;
  Packing now_, best_;
  std::vector<uint32_t> best_order_;
  uint64_t work_ = 0;
  Draw draw_;
};

// Blocks held all the time lie below all others, one after the other.
Packer::Packer(const PackingProblem& problem, uint64_t enough_bytes)
    : problem_(problem), enough_bytes_(enough_bytes), placed_(problem.num_steps) {
  now_.offset.resize(problem.blocks.size());
  for (uint32_t i = 0; i < problem.blocks.size(); ++i) {
    const PackingBlock& block = problem.blocks[i];
    shapes_.push_back(ShapeOf(block));
    if (block.held.size() > 1 || shapes_[i].steps < problem.num_steps) {
      some_of_time_.push_back(i);
    } else {
      now_.offset[i] = always_bytes_;
      always_bytes_ += block.held[0].high;
    }
  }
  best_.bytes = ~uint64_t{0};
}

void Packer::Place(uint32_t block) {
  // Addresses that the block cannot have: first .. last - 1.
  taken_.clear();
  for (const PackingSpan& held : problem_.blocks[block].held) {
    placed_.Find(held, [&](const Range& other) {
      ++work_;
      if (other.high <= held.low) return;
      taken_.push_back({other.low >= held.high ? other.low - held.high + 1 : 0, other.high - held.low});
    });
  }
  std::sort(taken_.begin(), taken_.end(), [](const Range& a, const Range& b) { return a.low < b.low; });
  uint64_t offset = always_bytes_;
  for (const Range& range : taken_) {
    if (range.low > offset) break;
    offset = std::max(offset, range.high);
  }
  now_.offset[block] = offset;
  now_.bytes = std::max(now_.bytes, offset + shapes_[block].height);
  for (const PackingSpan& held : problem_.blocks[block].held) {
    placed_.Add(held, {offset + held.low, offset + held.high});
  }
}

void Packer::Try(const std::vector<uint32_t>& order) {
  placed_.Clear();
  work_ += problem_.num_steps / 8 + order.size();
  now_.bytes = always_bytes_;
  for (uint32_t block : order) Place(block);
  if (now_.bytes >= best_.bytes) return;
  best_ = now_;
  best_order_ = order;
}

void Packer::TryOrders() {
  std::vector<uint32_t> order = some_of_time_;
  const auto try_by = [&](auto before) {
    if (IsDone()) return;
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return before(shapes_[a], shapes_[b]); });
    Try(order);
  };
  try_by([](const Shape& a, const Shape& b) { return a.steps > b.steps; });
  try_by([](const Shape& a, const Shape& b) { return a.area > b.area; });
  try_by([](const Shape& a, const Shape& b) { return a.height > b.height; });
  try_by([](const Shape& a, const Shape& b) { return a.begin < b.begin; });
}

// What lies on top in the best packing goes first, or some way ahead, in the next one.
void Packer::Improve() {
  std::vector<uint32_t> order = best_order_;
  uint64_t bytes = best_.bytes;
  Packing packing = best_;
  while (!IsDone()) {
    std::vector<uint32_t> changed = order;
    std::vector<uint32_t> on_top;
    for (uint32_t i = 0; i < order.size(); ++i) {
      if (packing.offset[order[i]] + shapes_[order[i]].height == bytes) on_top.push_back(i);
    }
    const uint32_t from = on_top[draw_.Below(on_top.size())];
    const uint32_t to = draw_.Below(from + 1);
    if (from == to || draw_.Below(4) == 0) {
      std::swap(changed[draw_.Below(order.size())], changed[draw_.Below(order.size())]);
    } else {
      std::rotate(changed.begin() + to, changed.begin() + from, changed.begin() + from + 1);
    }
    Try(changed);
    // What is worse is left, but not always: an order that no single change improves must be left, too.
    if (now_.bytes > bytes && draw_.Below(64) != 0) continue;
    order = std::move(changed);
    bytes = now_.bytes;
    packing = now_;
  }
}

}  // namespace

uint64_t PeakBytes(const PackingProblem& problem) {
  std::vector<uint64_t> more(problem.num_steps + size_t{1}), less(problem.num_steps + size_t{1});
  for (const PackingBlock& block : problem.blocks) {
    for (const PackingSpan& held : block.held) {
      const uint64_t bytes = held.high - held.low;
      more[held.begin] += bytes;
      less[std::min(held.end, problem.num_steps)] += bytes;
      if (held.end <= problem.num_steps) continue;
      more[0] += bytes;
      less[held.end - problem.num_steps] += bytes;
    }
  }
  uint64_t now = 0, peak = 0;
  for (uint32_t step = 0; step < problem.num_steps; ++step) {
    now += more[step];
    now -= less[step];
    peak = std::max(peak, now);
  }
  return peak;
}

Packing PackBlocks(const PackingProblem& problem, uint64_t enough_bytes) {
  Packer packer(problem, std::max(enough_bytes, PeakBytes(problem)));
  packer.TryOrders();
  packer.Improve();
  return std::move(packer).best();
}

}  // namespace geeps::plan
