// SPDX-License-Identifier: Apache-2.0
// `geeps bench gpu`, tables: one worker on the device. A table that is read in place, by the runtime's own count of
// what it moved; and many small tables in one clock, by time and by the work that the device is asked for, beside as
// many launches of one step each.
#include <cstdio>

#include "tools/geeps/bench_gpu_runtime.h"

namespace geeps::tool {
namespace {

constexpr uint64_t kRowValues = 1024;
constexpr uint64_t kReadClocks = 20;
constexpr uint64_t kSmallRows = 4, kSmallRowValues = 256;
constexpr uint64_t kSmallValues = kSmallRows * kSmallRowValues;

GpuOutcome MeasureReads(const BenchOptions& options) {
  geeps::Error err;
  GpuDevice gpu(options.device, &err);
  if (!err.ok()) return OutcomeOf(err);
  const uint64_t rows = WorkingBytes(options) / (kRowValues * sizeof(float));
  const uint64_t bytes = rows * kRowValues * sizeof(float);
  float* const gradient = gpu.Floats(rows * kRowValues);
  gpu.Fill(gradient, kGradientByte, bytes);
  gpu.Finish();
  geeps::Runtime rt = StartAlone(options.device, err);
  geeps::Table table(rt, "read", rows, kRowValues, GEEPS_F32, MomentumTable(), err);
  geeps::Walker walker(rt, "read", err);
  UseStream(&gpu, &walker);
  const auto body = [&](geeps::Walker& w) {
    const geeps::Access read = w.Read(table, geeps::Rows::All(), 0);
    w.PostRead(read);
    const geeps::Access update = w.PreUpdate(table, geeps::Rows::All());
    if (w.live()) {
      gpu.Copy(update.data<void>(), gradient, bytes);
      FinishUnlessShared(&gpu);
    }
    w.Update(update);
  };
  walker.Record(body);
  rt.Commit({walker.plan()}, err);
  for (uint64_t clock = 0; clock < kReadClocks && err.ok(); ++clock) walker.Walk(body);
  rt.Fence(err);
  if (!err.ok()) return OutcomeOf(err);
  const double fill_bytes = static_cast<double>(StatOf(rt, "bytes", "fill_bytes", err));
  const double in_place = static_cast<double>(StatOf(rt, "operations", "in_place_reads", err));
  GpuOutcome outcome = OutcomeOf(err);
  if (err.ok()) outcome = CheckRow(table, rows - 1, kRowValues, MomentumAfter(kReadClocks), "the table read", err);
  rt.Shutdown(err);
  if (outcome.kind != GpuOutcome::kMeasured) return outcome;
  char text[300];
  std::snprintf(text, sizeof text, "read in place: %.0f of %llu reads of %s; bytes moved for them: %.0f (goal 0)",
                in_place, static_cast<unsigned long long>(kReadClocks), BytesText(static_cast<double>(bytes)).c_str(),
                fill_bytes);
  PrintGpu(options, "tables", "read in place",
           {{"bytes", static_cast<double>(bytes)},
            {"reads", static_cast<double>(kReadClocks)},
            {"in_place_reads", in_place},
            {"moved_bytes", fill_bytes}},
           text);
  return OutcomeOf(err);
}

// The small tables of a runtime, a clock over all of them, and the same steps of plain arrays.
class SmallTables {
 public:
  SmallTables(GpuDevice* gpu, const BenchOptions& options, const std::string& device)
      : gpu_(gpu), rt_(StartAlone(device, gpu->error())), walker_(rt_, "small", gpu->error()) {
    geeps::Error& err = gpu->error();
    gradient_ = gpu->Floats(kSmallValues);
    plain_ = gpu->Floats(2 * options.tables * kSmallValues);
    gpu->Fill(gradient_, kGradientByte, kSmallValues * sizeof(float));
    gpu->Fill(plain_, 0, 2 * options.tables * kSmallValues * sizeof(float));
    gpu->Finish();
    all_ = gpu->MakeIndex({{0, 0, kSmallRows}}, {}, kSmallRows, kSmallRows);
    for (uint64_t i = 0; i < options.tables && err.ok(); ++i) {
      tables_.emplace_back(rt_, ("small" + std::to_string(i)).c_str(), kSmallRows, kSmallRowValues, GEEPS_F32,
                           MomentumTable(), err);
      float* const value = plain_ + 2 * i * kSmallValues;
      steps_.push_back(MakeStep(GEEPS_RULE_SGD, {kRate, kMomentum}, kSmallRows, kSmallRowValues, value,
                                {value + kSmallValues}, nullptr, {gradient_}));
    }
    applies_ = AppliesOf(steps_);
    UseStream(gpu, &walker_);
    walker_.Record([this](geeps::Walker& w) { Pass(w); });
    rt_.Commit({walker_.plan()}, err);
  }

  void Clock() {
    walker_.Walk([this](geeps::Walker& w) { Pass(w); });
  }
  // All steps in one call, and each in a call of its own.
  void StepTogether() { gpu_->Apply(applies_); }
  void StepSingly() {
    for (const geeps_apply& apply : applies_) gpu_->Apply({apply});
  }
  void Fence() { rt_.Fence(gpu_->error()); }
  void Shutdown() { rt_.Shutdown(gpu_->error()); }

  GpuOutcome Check(uint64_t clocks, uint64_t steps) {
    const geeps_apply& last = applies_.back();
    for (const float value : gpu_->Download(last.values_out, kSmallValues)) {
      if (gpu_->ok() && value != MomentumAfter(steps)) return WrongResult("a small array", value, MomentumAfter(steps));
    }
    for (geeps::Table* table : {&tables_.front(), &tables_.back()}) {
      const GpuOutcome outcome =
          CheckRow(*table, kSmallRows - 1, kSmallRowValues, MomentumAfter(clocks), "a small table", gpu_->error());
      if (outcome.kind != GpuOutcome::kMeasured) return outcome;
    }
    return OutcomeOf(gpu_->error());
  }

 private:
  void Pass(geeps::Walker& w) {
    for (const geeps::Table& table : tables_) w.PostRead(w.Read(table, geeps::Rows::All(), 0));
    std::vector<geeps::Access> updates;
    std::vector<geeps_row_move> moves;
    for (const geeps::Table& table : tables_) {
      updates.push_back(w.PreUpdate(table, geeps::Rows::All()));
      moves.push_back(RowMove(GEEPS_MOVE_COPY, kSmallRowValues, updates.back().data<void>(), gradient_, all_));
    }
    if (w.live()) {
      gpu_->Move(moves);
      FinishUnlessShared(gpu_);
    }
    for (const geeps::Access& update : updates) w.Update(update);
  }

  GpuDevice* const gpu_;
  geeps::Runtime rt_;
  std::vector<geeps::Table> tables_;
  geeps::Walker walker_;
  float *gradient_ = nullptr, *plain_ = nullptr;
  const geeps_dev_index* all_ = nullptr;
  std::vector<GpuStep> steps_;
  std::vector<geeps_apply> applies_;
};

struct Counted {
  double copies, fills, moves, applies;
};

Counted Snapshot(const WorkCounts* counts) {
  if (counts == nullptr) return {0, 0, 0, 0};
  return {static_cast<double>(counts->copies), static_cast<double>(counts->fills), static_cast<double>(counts->moves),
          static_cast<double>(counts->applies)};
}

void PrintSmall(const BenchOptions& options, const GpuVariant& clock, const GpuVariant& together,
                const GpuVariant& singly, const Counted& work, const std::string& no_counts) {
  char counted[200];
  std::snprintf(counted, sizeof counted, "%.2f calls of move_rows, %.2f of apply, %.2f copies, %.2f fills", work.moves,
                work.applies, work.copies, work.fills);
  char text[500];
  std::snprintf(text, sizeof text,
                "%llu tables of %s: %.1f us per clock, in which the device is asked for %s; their steps in one call of "
                "apply %.1f us, in %llu calls %.1f us",
                static_cast<unsigned long long>(options.tables), BytesText(kSmallValues * sizeof(float)).c_str(),
                clock.median() * 1e6, no_counts.empty() ? counted : ("(not counted: " + no_counts + ")").c_str(),
                together.median() * 1e6, static_cast<unsigned long long>(options.tables), singly.median() * 1e6);
  BenchFields fields = {{"tables", static_cast<double>(options.tables)},
                        {"table_bytes", static_cast<double>(kSmallValues * sizeof(float))},
                        {"seconds_per_clock", clock.median()},
                        {"seconds_together", together.median()},
                        {"seconds_singly", singly.median()}};
  if (no_counts.empty()) {
    fields.insert(fields.end(), {{"moves_per_clock", work.moves},
                                 {"applies_per_clock", work.applies},
                                 {"copies_per_clock", work.copies},
                                 {"fills_per_clock", work.fills}});
  }
  PrintGpu(options, "tables", "small tables", fields, text);
}

GpuOutcome MeasureSmall(const BenchOptions& options) {
  geeps::Error err;
  GpuDevice gpu(options.device, &err);
  if (!err.ok()) return OutcomeOf(err);
  std::string no_counts;
  const WorkCounts* counts = nullptr;
  const std::string counted_name = gpu.CountedName(&counts, &no_counts);
  SmallTables small(&gpu, options, counts != nullptr ? counted_name : options.device);
  if (!err.ok()) return OutcomeOf(err);
  small.Clock();
  small.Fence();
  const Counted before = Snapshot(counts);
  GpuVariant clock, together, singly;
  clock.work = [&] { small.Clock(); };
  together.work = [&] { small.StepTogether(); };
  singly.work = [&] { small.StepSingly(); };
  TakeSamples(&gpu, options, {&clock, &together, &singly});
  small.Fence();
  const Counted after = Snapshot(counts);
  const GpuOutcome outcome = small.Check(clock.calls + 1, together.calls + singly.calls);
  if (outcome.kind != GpuOutcome::kMeasured) return outcome;
  const double clocks = static_cast<double>(clock.calls);
  PrintSmall(options, clock, together, singly,
             {(after.copies - before.copies) / clocks, (after.fills - before.fills) / clocks,
              (after.moves - before.moves) / clocks, (after.applies - before.applies) / clocks},
             no_counts);
  small.Shutdown();
  return OutcomeOf(err);
}

}  // namespace

GpuOutcome BenchGpuTables(const BenchOptions& options) {
  const GpuOutcome outcome = MeasureReads(options);
  return outcome.kind != GpuOutcome::kMeasured ? outcome : MeasureSmall(options);
}

}  // namespace geeps::tool
