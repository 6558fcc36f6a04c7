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

class Searcher {
 public:
  Searcher(const SearchWorld& world, Job::Specs specs, uint64_t num_states_max)
      : search_world_(world),
        specs_(std::move(specs)),
        job_(world.input, specs_, world.mode, false),
        num_states_max_(num_states_max) {}

  SearchResult Run() {
    job_.Start();
    nodes_.push_back({0, 0});
    seen_.Insert(job_.Digest());
    frontier_.push_back({job_.Save(), 0});
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
    Job::State state;
    uint32_t node = 0;
  };

  void Expand() {
    // Breadth first as long as that many states fit into memory.
    const bool deep = frontier_.size() > kFrontierMax;
    Open open = deep ? std::move(frontier_.back()) : std::move(frontier_.front());
    deep ? frontier_.pop_back() : frontier_.pop_front();
    bool any = false;
    for (uint32_t i = 0; i < open.state.pool.events.size() && result_.violation.empty(); ++i) {
      if (open.state.pool.events[i].kind == Event::Kind::kNone) continue;
      any = true;
      job_.Restore(open.state);
      job_.Execute(i);
      ++result_.num_steps;
      const uint32_t node = static_cast<uint32_t>(nodes_.size());
      if (!job_.violation().empty()) {
        nodes_.push_back({open.node, i});
        return Report(job_.violation(), node);
      }
      if (!seen_.Insert(job_.Digest())) continue;
      nodes_.push_back({open.node, i});
      frontier_.push_back({job_.Save(), node});
    }
    if (any || !result_.violation.empty()) return;
    job_.Restore(open.state);
    job_.CheckEnd();
    if (!job_.violation().empty()) Report(job_.violation(), open.node);
  }

  // Walks the way to `node` once more and describes it.
  void Report(std::string violation, uint32_t node) {
    result_.violation = std::move(violation);
    std::vector<uint32_t> events;
    for (; node != 0; node = nodes_[node].parent) events.push_back(nodes_[node].event);
    Job job(search_world_.input, specs_, search_world_.mode, false);
    job.Start();
    for (auto event = events.rbegin(); event != events.rend(); ++event) {
      result_.trace.push_back(job.Describe(job.events()[*event]));
      job.Execute(*event);
    }
  }

  static constexpr size_t kFrontierMax = 60'000;

  const SearchWorld& search_world_;
  Job::Specs specs_;
  Job job_;
  const uint64_t num_states_max_;
  DigestSet seen_;
  std::vector<Node> nodes_;
  std::deque<Open> frontier_;
  SearchResult result_;
};

}  // namespace

SearchResult Search(const SearchWorld& world, uint64_t num_states_max) {
  absl::StatusOr<Job::Specs> specs = Job::BuildSpecs(world.input);
  if (!specs.ok()) {
    SearchResult result;
    result.violation = absl::StrCat("the world cannot be built: ", specs.status().message());
    return result;
  }
  return Searcher(world, *std::move(specs), num_states_max).Run();
}

}  // namespace geeps::sim
