// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/search.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace geeps::sim {
namespace {

// Digests seen: open addressing, no zero.
class DigestSet {
 public:
  DigestSet() : slots_(1 << 12, 0) {}

  // True when it was not there.
  bool Insert(uint64_t digest) {
    if (digest == 0) digest = 1;
    if (2 * ++size_ > slots_.size()) Grow();
    if (Put(digest)) return true;
    --size_;
    return false;
  }
  uint64_t size() const { return size_; }

 private:
  bool Put(uint64_t digest) {
    size_t i = digest & (slots_.size() - 1);
    while (slots_[i] != 0 && slots_[i] != digest) i = (i + 1) & (slots_.size() - 1);
    if (slots_[i] == digest) return false;
    slots_[i] = digest;
    return true;
  }
  void Grow() {
    std::vector<uint64_t> old(slots_.size() * 2, 0);
    old.swap(slots_);
    for (uint64_t digest : old) {
      if (digest != 0) Put(digest);
    }
  }

  std::vector<uint64_t> slots_;
  uint64_t size_ = 0;
};

// Everything that the programs will contribute, known before they run.
Reference FullReference(const WorldSpec& spec) {
  Reference reference(spec.checked);
  for (uint32_t w = 0; w < spec.world; ++w) {
    protocol::Clock clock = spec.input.first_clock;
    for (const Pass& pass : spec.input.workers[w].passes) {
      const plan::RecordedPlan& plan = spec.input.workers[w].plans[pass.set_id];
      if (plan.no_clock) continue;
      for (const plan::Step& step : plan.steps) {
        const plan::Operation& op = plan.ops[step.op];
        if (!step.end || op.kind != plan::OpKind::kUpdate || (!pass.skipped.empty() && pass.skipped[step.op] != 0))
          continue;
        const uint32_t t = static_cast<uint32_t>(op.object - TableObject(0));
        op.rows.ForEachRow([&](uint64_t row) {
          std::vector<double> values;
          for (uint32_t lane = 0; lane < spec.lanes(t); ++lane) {
            values.push_back(UpdateValue(spec, w, clock, HashOf(pass.set_id, step.op), t, row, lane));
          }
          reference.Add(w, t, clock, row, values);
        });
      }
      for (uint32_t t = 0; t < spec.input.tables.size(); ++t) reference.Fire(w, t, clock);
      ++clock;
    }
  }
  return reference;
}

class Searcher {
 public:
  Searcher(std::shared_ptr<const WorldSpec> spec, WorldMode mode, uint64_t num_states_max)
      : reference_(FullReference(*spec)),
        world_(std::move(spec), mode, nullptr, &reference_),
        num_states_max_(num_states_max) {}

  SearchResult Run() {
    world_.Start();
    nodes_.push_back({0, 0});
    seen_.Insert(world_.Digest());
    frontier_.push_back({world_.state(), 0});
    while (!frontier_.empty() && result_.violation.empty() && seen_.size() <= num_states_max_) Expand();
    result_.complete = frontier_.empty() && result_.violation.empty();
    result_.num_states = seen_.size();
    return std::move(result_);
  }

 private:
  struct Node {
    uint32_t parent = 0;
    uint32_t event = 0;  // place in the parent's pool
  };
  struct Open {
    WorldState state;
    uint32_t node = 0;
  };

  void Expand() {
    // Breadth first as long as that many states fit into memory.
    const bool deep = frontier_.size() > kFrontierMax;
    Open open = deep ? std::move(frontier_.back()) : std::move(frontier_.front());
    deep ? frontier_.pop_back() : frontier_.pop_front();
    bool any = false;
    for (uint32_t i = 0; i < open.state.events.size() && result_.violation.empty(); ++i) {
      if (open.state.events[i].kind == Event::Kind::kNone) continue;
      any = true;
      world_.Restore(open.state);
      world_.Execute(i);
      ++result_.num_steps;
      const uint32_t node = static_cast<uint32_t>(nodes_.size());
      if (!world_.violation().empty()) {
        nodes_.push_back({open.node, i});
        return Report(world_.violation(), node);
      }
      if (!seen_.Insert(world_.Digest())) continue;
      nodes_.push_back({open.node, i});
      frontier_.push_back({world_.state(), node});
    }
    if (any || !result_.violation.empty()) return;
    world_.Restore(open.state);
    world_.CheckEnd();
    if (!world_.violation().empty()) Report(world_.violation(), open.node);
  }

  // Walks the way to `node` once more and describes it.
  void Report(std::string violation, uint32_t node) {
    result_.violation = std::move(violation);
    std::vector<uint32_t> events;
    for (; node != 0; node = nodes_[node].parent) events.push_back(nodes_[node].event);
    World world(world_.spec_ptr(), world_.mode(), nullptr, &reference_);
    world.Start();
    for (auto event = events.rbegin(); event != events.rend(); ++event) {
      result_.trace.push_back(world.Describe(world.state().events[*event]));
      world.Execute(*event);
    }
  }

  static constexpr size_t kFrontierMax = 60'000;

  Reference reference_;
  World world_;
  const uint64_t num_states_max_;
  DigestSet seen_;
  std::vector<Node> nodes_;
  std::deque<Open> frontier_;
  SearchResult result_;
};

}  // namespace

SearchResult Search(const SearchWorld& world, uint64_t num_states_max) {
  absl::StatusOr<std::shared_ptr<const WorldSpec>> spec = BuildSpec(world.input);
  if (!spec.ok()) {
    SearchResult result;
    result.violation = absl::StrCat("the world cannot be built: ", spec.status().message());
    return result;
  }
  return Searcher(*std::move(spec), world.mode, num_states_max).Run();
}

}  // namespace geeps::sim
