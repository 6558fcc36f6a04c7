// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/simulator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/generate.h"
#include "tests/sim/job.h"

namespace geeps::sim {
namespace {

// Delays of one kind of event, drawn per seed.
struct Delay {
  uint32_t most = 1;
  uint32_t tail_percent = 0;  // chance of up to 50 times as much
};

class Simulator : public EventSink {
 public:
  Simulator(uint64_t seed, const JobInput& input, Job::Specs specs, size_t trace_lines)
      : random_(HashOf(seed, 2)), job_(input, std::move(specs), ChooseMode(&random_), true), trace_lines_(trace_lines) {
    const uint32_t world = job_.worlds()[0]->spec().world;
    for (Delay& delay : delays_) {
      static constexpr uint32_t kMost[] = {1, 4, 20, 100, 500};
      delay.most = kMost[random_.Below(5)];
      delay.tail_percent = random_.Chance(40) ? random_.Between(1, 10) : 0;
    }
    paused_until_.assign(world, 0);
    for (uint32_t w = 0; w < world; ++w) slowness_.push_back(random_.Chance(20) ? random_.Between(2, 8) : 1);
    pauses_ = random_.Chance(85);
    result_.loses = input.lost != kNone;
    job_.set_sink(this);
    // About how many events the world has: some seeds have no liveness phase, most have one behind two thirds of the
    // run.
    uint64_t passes = 0;
    for (const WorldInput& stage : input.stages) {
      for (const WorldInput::Worker& worker : stage.workers) passes += worker.passes.size();
    }
    // A worker is lost early, late, or behind the end.
    lost_at_ = random_.Between(1, static_cast<uint32_t>(20 + passes * 20));
    safety_events_ = passes * random_.Between(5, 60);
    // A pass needs a few dozen steps one after another, of at most 4 units each, when nobody pauses; all passes one
    // after another at worst.
    liveness_time_max_ = 2000 + passes * 400;
  }

  SeedResult Run() {
    job_.Start();
    while (!heap_.empty() && job_.violation().empty()) {
      std::pop_heap(heap_.begin(), heap_.end());
      const Entry entry = heap_.back();
      heap_.pop_back();
      now_ = entry.time;
      const Event event = job_.events()[entry.index];
      if (Postpone(entry, event)) continue;
      MaybePause(event.worker);
      Record(event);
      job_.Execute(entry.index);
      ++result_.num_events;
      if (!calm_ && result_.num_events >= safety_events_) BeginLiveness();
      if (calm_) ++result_.num_late_events;
      // The states on the way, too, not only what came of them.
      if (result_.num_events % 1024 == 0) hash_.Add(job_.Digest());
      if (calm_ && now_ > calm_since_ + liveness_time_max_) {
        return Finish(absl::StrCat("not over ", liveness_time_max_,
                                   " time units after all faults stopped: ", job_.DescribeWaits()));
      }
    }
    if (job_.violation().empty()) job_.CheckEnd();
    return Finish(job_.violation());
  }

  void OnScheduled(uint32_t index) override {
    const Event& event = job_.events()[index];
    heap_.push_back({now_ + DelayOf(event), next_order_++, index});
    std::push_heap(heap_.begin(), heap_.end());
  }

 private:
  struct Entry {
    uint64_t time = 0;
    uint64_t order = 0;
    uint32_t index = 0;
    // std::push_heap keeps the greatest in front: the earliest must be it.
    bool operator<(const Entry& other) const { return time != other.time ? time > other.time : order > other.order; }
  };

  static WorldMode ChooseMode(Random* random) {
    WorldMode mode;
    mode.late_sent = random->Chance(60);
    mode.late_notices = random->Chance(70);
    return mode;
  }

  uint64_t DelayOf(const Event& event) {
    if (event.kind == Event::Kind::kKill) return lost_at_;
    if (calm_) return random_.Between(1, 4);
    const Delay& delay = delays_[static_cast<size_t>(event.kind)];
    uint64_t time = random_.Between(1, delay.most);
    if (delay.tail_percent > 0 && random_.Chance(delay.tail_percent)) time *= random_.Between(1, 50);
    return event.kind == Event::Kind::kTaken ? time : time * slowness_[event.worker];
  }

  // A paused worker does nothing; what its network adapter has begun goes on.
  bool Postpone(const Entry& entry, const Event& event) {
    if (event.kind == Event::Kind::kTaken || paused_until_[event.worker] <= now_) return false;
    heap_.push_back({paused_until_[event.worker], entry.order, entry.index});
    std::push_heap(heap_.begin(), heap_.end());
    return true;
  }

  void MaybePause(uint32_t worker) {
    if (calm_ || !pauses_ || !random_.Chance(1)) return;
    paused_until_[worker] = now_ + random_.Between(10, 5000);
    ++result_.num_pauses;
  }

  void BeginLiveness() {
    calm_ = true;
    std::fill(paused_until_.begin(), paused_until_.end(), 0);
    // What is on its way arrives soon, in the order in which it would have come.
    std::sort(heap_.begin(), heap_.end(), [](const Entry& a, const Entry& b) { return b < a; });
    calm_since_ = now_;
    for (size_t i = 0; i < heap_.size(); ++i) heap_[i].time = std::min<uint64_t>(heap_[i].time, now_ + 1 + i);
    std::make_heap(heap_.begin(), heap_.end());
  }

  void Record(const Event& event) {
    hash_.Add(HashOf(now_, static_cast<uint64_t>(event.kind), event.worker, event.a, event.b, event.c));
    if (trace_lines_ == 0) return;
    if (result_.trace.size() >= 2 * trace_lines_) {
      result_.trace.erase(result_.trace.begin(), result_.trace.end() - static_cast<ptrdiff_t>(trace_lines_));
    }
    result_.trace.push_back(absl::StrCat("t=", now_, " ", job_.Describe(event)));
  }

  SeedResult Finish(std::string violation) {
    hash_.Add(job_.Digest());
    result_.violation = std::move(violation);
    for (const std::unique_ptr<World>& world : job_.worlds()) {
      world->state().memory.AddTo(&hash_);
      result_.num_delivered += world->num_delivered();
    }
    result_.hash = hash_.value();
    result_.world = job_.worlds()[0]->spec().world;
    for (const std::unique_ptr<Checker>& checker : job_.checkers()) {
      result_.num_epochs += checker != nullptr ? 1 : 0;
      if (checker == nullptr) continue;
      result_.num_reads += checker->num_reads();
      result_.num_stale_reads += checker->num_stale_reads();
    }
    return std::move(result_);
  }

  Random random_;
  Job job_;
  const size_t trace_lines_;
  Delay delays_[static_cast<size_t>(Event::Kind::kCount)];
  std::vector<uint32_t> slowness_;
  std::vector<uint64_t> paused_until_;
  bool pauses_ = false;
  bool calm_ = false;
  uint64_t safety_events_ = 0;
  uint64_t calm_since_ = 0;
  uint64_t liveness_time_max_ = 0;
  uint64_t lost_at_ = 0;
  uint64_t now_ = 0;
  uint64_t next_order_ = 0;
  std::vector<Entry> heap_;
  Hasher hash_;
  SeedResult result_;
};

}  // namespace

SeedResult RunSeed(uint64_t seed, size_t trace_lines) {
  const JobInput input = GenerateJob(seed);
  absl::StatusOr<Job::Specs> specs = Job::BuildSpecs(input);
  if (!specs.ok()) {
    SeedResult result;
    result.violation = absl::StrCat("the world cannot be built: ", specs.status().message());
    return result;
  }
  return Simulator(seed, input, *std::move(specs), trace_lines).Run();
}

}  // namespace geeps::sim
