// SPDX-License-Identifier: Apache-2.0
#include "tests/system/staged_job.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "tests/system/embedder.h"

namespace geeps::system_test {
namespace {

constexpr uint32_t kPasses = 10;
constexpr uint64_t kTableRows = 40;
constexpr uint64_t kTableValues = 6;

uint64_t Mix(uint64_t x) {
  x ^= x >> 31;
  x *= 0x9E3779B97F4A7C15ull;
  return x ^ x >> 29;
}

// The number behind `before` in `text`; 0: it is not there.
uint64_t NumberBehind(const std::string& text, const std::string& before) {
  const size_t at = text.find(before);
  return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + before.size(), nullptr, 10);
}

}  // namespace

StagedJob::StagedJob(uint64_t seed) : seed_(seed) {
  Random random(seed);
  const uint64_t num_data = 2 + random.Below(5);
  for (uint64_t i = 0; i < num_data; ++i) {
    // Some of several pieces, some of less than one.
    data_.push_back({1 + random.Below(8), 64 + 8 * random.Below(random.OneIn(4) ? 4000 : 300)});
  }
  plans_.resize(1 + random.Below(2));
  for (Plan& plan : plans_) DrawPlan(&random, &plan);
  DrawFetches(&random);
}

uint64_t StagedJob::local_bytes() const {
  uint64_t bytes = 0;
  for (const Data& data : data_) bytes += data.num_rows * data.row_bytes;
  return bytes;
}

void StagedJob::DrawPlan(Random* random, Plan* plan) const {
  const uint32_t num_accesses = 3 + static_cast<uint32_t>(random->Below(8));
  std::vector<uint32_t> open;
  const auto end_one = [&] {
    const auto it = open.begin() + static_cast<int64_t>(random->Below(open.size()));
    plan->calls.push_back({Call::Kind::kEnd, *it});
    open.erase(it);
  };
  for (uint32_t i = 0; i < num_accesses; ++i) {
    while (open.size() > 2 || (!open.empty() && !random->OneIn(3))) end_one();
    if (random->OneIn(5)) plan->calls.push_back({Call::Kind::kTable, 0});
    Access access;
    access.data = static_cast<uint32_t>(random->Below(data_.size()));
    const uint64_t num_rows = data_[access.data].num_rows;
    access.first = random->OneIn(2) ? 0 : random->Below(num_rows);
    access.count = random->OneIn(2) ? num_rows - access.first : 1 + random->Below(num_rows - access.first);
    if (!random->OneIn(3)) access.flags |= GEEPS_LOCAL_KEEP;
    if (random->OneIn(6)) access.flags |= GEEPS_OP_OPTIONAL;
    plan->accesses.push_back(access);
    plan->calls.push_back({Call::Kind::kBegin, i});
    open.push_back(i);
  }
  while (!open.empty()) end_one();
  plan->calls.push_back({Call::Kind::kTable, 0});
}

StagedJob::Kept StagedJob::KeptBehind(const Plan& plan, Kept kept) const {
  for (const Call& call : plan.calls) {
    if (call.kind != Call::Kind::kEnd) continue;
    const Access& access = plan.accesses[call.access];
    for (uint64_t row = access.first; row < access.first + access.count; ++row) {
      const bool keeps = (access.flags & GEEPS_LOCAL_KEEP) != 0;
      const bool may_be_skipped = (access.flags & GEEPS_OP_OPTIONAL) != 0;
      kept[access.data][row] = keeps && (!may_be_skipped || kept[access.data][row]);
    }
  }
  return kept;
}

// What may be fetched: all that is kept whichever plan was walked before.
void StagedJob::DrawFetches(Random* random) {
  Kept at_begin;
  for (const Data& data : data_) at_begin.emplace_back(data.num_rows, true);
  for (size_t i = 0; i <= plans_.size(); ++i) {
    for (const Plan& plan : plans_) {
      const Kept behind = KeptBehind(plan, at_begin);
      for (size_t data = 0; data < behind.size(); ++data) {
        for (size_t row = 0; row < behind[data].size(); ++row) {
          at_begin[data][row] = at_begin[data][row] && behind[data][row];
        }
      }
    }
  }
  for (Plan& plan : plans_) {
    Kept kept = at_begin;
    Plan so_far;
    so_far.accesses = plan.accesses;
    for (const Call& call : plan.calls) {
      so_far.calls.assign(1, call);
      kept = KeptBehind(so_far, kept);
      if (call.kind != Call::Kind::kBegin) continue;
      Access& access = plan.accesses[call.access];
      const auto begin = kept[access.data].begin() + static_cast<int64_t>(access.first);
      const bool all = std::all_of(begin, begin + static_cast<int64_t>(access.count), [](bool k) { return k; });
      if (all && !random->OneIn(4)) access.flags |= GEEPS_LOCAL_FETCH;
    }
  }
}

// One worker's walk.
class StagedJob::Player {
 public:
  Player(const StagedJob& job, Worker* worker, bool streams)
      : job_(job), worker_(worker), streams_(streams), random_(job.seed_ * 64 + worker->rank) {
    for (const Data& data : job.data_) {
      contents_.emplace_back(data.num_rows * data.row_bytes);
      known_.emplace_back(data.num_rows, false);
    }
  }

  std::string Play() {
    for (size_t i = 0; i < job_.data_.size(); ++i) {
      locals_.emplace_back(worker_->rt, ("data" + std::to_string(i)).c_str(), job_.data_[i].num_rows,
                           job_.data_[i].row_bytes, worker_->err);
    }
    table_ = geeps::Table(worker_->rt, "t", kTableRows, kTableValues, GEEPS_F32, {}, worker_->err);
    geeps::Walker first(worker_->rt, "first", worker_->err);
    const auto fill = [&](geeps::Walker& walker) { FillAll(walker); };
    first.Record(fill, GEEPS_PLAN_NO_CLOCK);
    std::vector<geeps::Walker> walkers;
    std::vector<geeps_plan*> handles = {first.plan()};
    walkers.reserve(job_.plans_.size());
    for (size_t p = 0; p < job_.plans_.size(); ++p) {
      walkers.emplace_back(worker_->rt, ("plan" + std::to_string(p)).c_str(), worker_->err);
      walkers.back().Record([&](geeps::Walker& walker) { Pass(job_.plans_[p], walker); });
      handles.push_back(walkers.back().plan());
    }
    worker_->rt.Commit(handles, worker_->err);
    first.Walk(fill);
    Random turns(job_.seed_);  // the same plans for all
    for (uint32_t pass = 0; pass < kPasses && problem_.empty() && worker_->err.ok(); ++pass) {
      const size_t p = turns.OneIn(3) ? turns.Below(walkers.size()) : 0;
      if (streams_ && embedder_.has_stream()) {
        walkers[p].set_stream({sizeof(geeps_stream), GEEPS_STREAM_DEVICE, embedder_.stream()});
      }
      walkers[p].Walk([&](geeps::Walker& walker) { Pass(job_.plans_[p], walker); });
      if (turns.OneIn(6)) worker_->rt.Fence(worker_->err);
      if (turns.OneIn(8)) worker_->rt.Commit(handles, worker_->err);
    }
    return problem_;
  }

 private:
  void FillAll(geeps::Walker& walker) {
    for (uint32_t i = 0; i < locals_.size(); ++i) {
      const geeps::Access access = walker.AccessLocal(locals_[i], geeps::Rows::All(), GEEPS_LOCAL_KEEP);
      if (walker.live()) Write(access, i, 0, job_.data_[i].num_rows);
      embedder_.Finish();  // no stream is named yet
      walker.PostLocal(access);
    }
  }

  void Pass(const Plan& plan, geeps::Walker& walker) {
    std::vector<geeps::Access> open(plan.accesses.size());
    std::vector<bool> is_skipped(plan.accesses.size());
    for (const Call& call : plan.calls) {
      if (!problem_.empty()) return;
      if (call.kind == Call::Kind::kTable) {
        WalkTable(walker);
        continue;
      }
      const Access& access = plan.accesses[call.access];
      const bool may_skip = (access.flags & GEEPS_OP_OPTIONAL) != 0 && walker.live();
      if (call.kind == Call::Kind::kEnd) {
        if (is_skipped[call.access]) continue;
        End(access, open[call.access], walker);
      } else if (may_skip && random_.OneIn(2)) {
        walker.SkipNext();
        is_skipped[call.access] = true;
      } else {
        open[call.access] =
            walker.AccessLocal(locals_[access.data], geeps::Rows::Range(access.first, access.count), access.flags);
        if (walker.live()) Begin(access, open[call.access]);
      }
    }
  }

  void Begin(const Access& access, const geeps::Access& view) {
    const bool fetches = (access.flags & GEEPS_LOCAL_FETCH) != 0;
    const uint64_t row_bytes = job_.data_[access.data].row_bytes;
    const uint8_t* const rows = fetches ? embedder_.Look(view.op(), view.view()) : nullptr;
    for (uint64_t row = access.first; fetches && row < access.first + access.count; ++row) {
      if (!known_[access.data][row]) continue;
      const uint8_t* const found = rows + (row - access.first) * row_bytes;
      if (std::memcmp(found, &contents_[access.data][row * row_bytes], row_bytes) == 0) continue;
      problem_ = "data " + std::to_string(access.data) + ", row " + std::to_string(row) + ": not what was kept";
    }
    // Some only look.
    if (fetches && (access.flags & GEEPS_LOCAL_KEEP) != 0 && random_.OneIn(2)) return;
    if (fetches && random_.OneIn(2)) return Write(view, access.data, access.first, 1);
    Write(view, access.data, access.first, access.count);
  }

  void End(const Access& access, const geeps::Access& view, geeps::Walker& walker) {
    if (walker.live()) {
      const bool keeps = (access.flags & GEEPS_LOCAL_KEEP) != 0;
      uint8_t* const rows = embedder_.Look(view.op(), view.view());
      for (uint64_t row = access.first; row < access.first + access.count; ++row) {
        if (!keeps || !known_[access.data][row]) WriteRow(rows, access.data, access.first, row);
        known_[access.data][row] = keeps;
      }
      embedder_.Put(view.op(), view.view());
      HandBack();
    }
    walker.PostLocal(view);
  }

  // Rows first .. first + count - 1 of the data, which the view begins with `first`.
  void Write(const geeps::Access& view, uint32_t data, uint64_t first, uint64_t count) {
    uint8_t* const rows = embedder_.Look(view.op(), view.view());
    for (uint64_t row = first; row < first + count; ++row) WriteRow(rows, data, first, row);
    embedder_.Put(view.op(), view.view());
  }

  // What is written may still be on its way in the own stream: unless that is passed on, it must be over.
  void HandBack() {
    if (!streams_) embedder_.Finish();
  }

  void WriteRow(uint8_t* rows, uint32_t data, uint64_t first, uint64_t row) {
    const uint64_t row_bytes = job_.data_[data].row_bytes;
    uint8_t* const contents = &contents_[data][row * row_bytes];
    const uint64_t stamp = Mix(++num_written_ + seed());
    for (uint64_t i = 0; i < row_bytes; i += 8) {
      const uint64_t word = stamp + i;
      std::memcpy(contents + i, &word, 8);
    }
    std::memcpy(rows + (row - first) * row_bytes, contents, row_bytes);
    known_[data][row] = true;
  }

  // Each worker adds 1 in each call: every number is known.
  void WalkTable(geeps::Walker& walker) {
    const geeps::Access read = walker.Read(table_, geeps::Rows::All(), 0);
    if (walker.live()) {
      const float* const values = reinterpret_cast<const float*>(embedder_.Look(read.op(), read.view()));
      for (uint64_t i = 0; i < kTableRows * kTableValues; ++i) {
        if (values[i] != values[0]) problem_ = "rows of the table differ";
      }
    }
    walker.PostRead(read);
    const geeps::Access update = walker.PreUpdate(table_, geeps::Rows::All());
    if (walker.live()) {
      float* const values = reinterpret_cast<float*>(embedder_.Look(update.op(), update.view()));
      std::fill(values, values + kTableRows * kTableValues, 1.0f);
      embedder_.Put(update.op(), update.view());
      HandBack();
    }
    walker.Update(update);
  }

  uint64_t seed() const { return job_.seed_ << 32 | uint64_t{worker_->rank} << 24; }

  const StagedJob& job_;
  Worker* const worker_;
  const bool streams_;
  Random random_;
  Embedder embedder_;
  std::vector<geeps::Local> locals_;
  geeps::Table table_;
  std::vector<std::vector<uint8_t>> contents_;  // by data
  std::vector<std::vector<bool>> known_;        // by data and row: contents_ is what was left there
  uint64_t num_written_ = 0;
  std::string problem_;
};

std::string StagedJob::Run(const Setup& setup, uint64_t device_memory, bool streams) const {
  Setup limited = setup;
  if (device_memory > 0) limited.more.emplace_back("device_memory", std::to_string(device_memory));
  return RunWorkers(limited, [&](Worker& worker) { return Player(*this, &worker, streams).Play(); });
}

MemoryNeeds FindMemoryNeeds(const StagedJob& job, const Setup& setup) {
  MemoryNeeds needs;
  // Of the workers and plans that something does not fit for one is told.
  for (bool is_refused = true; is_refused;) {
    const std::string complaints = job.Run(setup, needs.tables + std::max<uint64_t>(needs.local, 1));
    const uint64_t local = NumberBehind(complaints, " holds ");
    const std::string limit = "device_memory = " + std::to_string(NumberBehind(complaints, "device_memory = ")) + ": ";
    const uint64_t tables = NumberBehind(complaints, local > 0 ? limit : "tables and access buffers need ");
    is_refused = tables + local > 0;
    needs.tables = std::max(needs.tables, tables);
    needs.local = std::max(needs.local, local);
  }
  return needs;
}

}  // namespace geeps::system_test
