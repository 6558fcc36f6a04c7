// SPDX-License-Identifier: Apache-2.0
// `geeps bench access`: what the program pays for a read that is ready and in place. One worker alone; while it reads,
// its movers apply the update of another table that was handed over just before.
#include <algorithm>
#include <cstdio>

#include "tools/geeps/bench_job.h"
#include "tools/geeps/bench_options.h"

namespace geeps::tool {
namespace {

constexpr uint64_t kRowValues = 16;                  // a row of one cache line
constexpr uint64_t kBusyBytes = uint64_t{64} << 20;  // some 20 ms of work for the movers
constexpr uint64_t kWarmUpPasses = 5;

struct Read {
  geeps_op op;
  geeps_view view;
};

// Records read, post_read of row i, for every i, behind an update of the busy table; at the end all rows are updated,
// so that every read is of a new version.
struct AccessPlan {
  geeps::Plan plan;
  std::vector<Read> reads;
  geeps_op first = 0, busy = 0, update = 0;
};

AccessPlan Record(BenchWorker& worker, const geeps::Table& rows, const geeps::Table& busy, uint64_t num_reads) {
  geeps::Error& err = worker.err;
  AccessPlan out;
  out.plan = geeps::Plan(worker.rt, "access", err);
  out.first = out.plan.Read(rows, geeps::Rows::Range(0, 1), 0, 0, err);
  out.plan.PostRead(out.first, err);
  out.busy = out.plan.PreUpdate(busy, geeps::Rows::All(), 0, err);
  out.plan.Update(out.busy, err);
  for (uint64_t i = 0; i < num_reads; ++i) {
    Read read = {};
    read.view.struct_size = sizeof read.view;
    read.op = out.plan.Read(rows, geeps::Rows::Range(i, 1), 0, 0, err);
    out.plan.PostRead(read.op, err);
    out.reads.push_back(read);
  }
  out.update = out.plan.PreUpdate(rows, geeps::Rows::All(), GEEPS_UPDATE_ZEROED, err);
  out.plan.Update(out.update, err);
  out.plan.End(0, err);
  return out;
}

struct PassFigures {
  double ns_per_pair = 0;
  uint64_t not_ready = 0;  // reads that had to wait
};

// Walks one pass.
PassFigures WalkPass(geeps_runtime* rt, AccessPlan* plan, geeps::Error& err) {
  PassFigures figures;
  geeps_view view = {};
  view.struct_size = sizeof view;
  const auto take = [&](geeps_status status) { return err.Take(status) == GEEPS_OK; };
  if (!take(geeps_pass_begin(rt, plan->plan.get(), err.raw())) ||
      !take(geeps_read(rt, plan->first, nullptr, GEEPS_NO_LIMIT, &view, err.raw())) ||
      !take(geeps_post_read(rt, plan->first, nullptr, err.raw())) ||
      !take(geeps_pre_update(rt, plan->busy, nullptr, GEEPS_NO_LIMIT, &view, err.raw())) ||
      !take(geeps_update(rt, plan->busy, nullptr, err.raw()))) {
    return figures;
  }
  const double begin_s = SecondsNow();
  for (Read& read : plan->reads) {
    geeps_status status = geeps_read(rt, read.op, nullptr, 0, &read.view, err.raw());
    if (status == GEEPS_AGAIN) {
      ++figures.not_ready;
      status = geeps_read(rt, read.op, nullptr, GEEPS_NO_LIMIT, &read.view, err.raw());
    }
    if (!take(status) || !take(geeps_post_read(rt, read.op, nullptr, err.raw()))) return figures;
  }
  figures.ns_per_pair = (SecondsNow() - begin_s) * 1e9 / static_cast<double>(plan->reads.size());
  if (take(geeps_pre_update(rt, plan->update, nullptr, GEEPS_NO_LIMIT, &view, err.raw())) &&
      take(geeps_update(rt, plan->update, nullptr, err.raw()))) {
    take(geeps_clock(rt, nullptr, err.raw()));
  }
  return figures;
}

// {median, smallest, largest ns per pair of the passes in which every read was ready, such passes, reads in place}
BenchFigures RunAccess(const BenchOptions& options, BenchWorker& worker) {
  geeps::Error& err = worker.err;
  BindToRank(1);  // the program; the runtime's threads stay on the core where they were started
  geeps::Table rows(worker.rt, "rows", options.operations, kRowValues, GEEPS_F32, {}, err);
  geeps::Table busy(worker.rt, "busy", kBusyBytes / 4096, 1024, GEEPS_F32, {}, err);
  AccessPlan plan = Record(worker, rows, busy, options.operations);
  worker.rt.Commit({plan.plan.get()}, err);
  std::vector<double> samples;
  for (uint64_t pass = 0; pass < kWarmUpPasses + options.passes && err.ok(); ++pass) {
    const PassFigures figures = WalkPass(worker.rt.get(), &plan, err);
    if (pass >= kWarmUpPasses && figures.not_ready == 0) samples.push_back(figures.ns_per_pair);
  }
  if (!err.ok()) return {};
  if (samples.empty()) {
    err.Fail(GEEPS_E_INTERNAL, "in none of " + std::to_string(options.passes) + " passes were all reads ready");
    return {};
  }
  const auto in_place = std::count_if(plan.reads.begin(), plan.reads.end(),
                                      [](const Read& read) { return (read.view.flags & GEEPS_VIEW_IN_PLACE) != 0; });
  return {Median(samples), *std::min_element(samples.begin(), samples.end()),
          *std::max_element(samples.begin(), samples.end()), static_cast<double>(samples.size()),
          static_cast<double>(in_place)};
}

}  // namespace

std::string BenchAccess(const BenchOptions& options) {
  std::vector<BenchFigures> workers;
  const std::string problem = RunBenchJob(
      BenchJob(), [&](BenchWorker& worker) { return RunAccess(options, worker); }, &workers);
  if (!problem.empty()) return problem;
  const BenchFigures& f = workers[0];
  char text[200];
  std::snprintf(text, sizeof text,
                "%.0f of %llu reads in place: %.1f ns per read and post_read (%.1f to %.1f in %.0f passes)", f[4],
                static_cast<unsigned long long>(options.operations), f[0], f[1], f[2], f[3]);
  PrintMeasurement(options, "access", {},
                   {{"reads", static_cast<double>(options.operations)},
                    {"in_place", f[4]},
                    {"passes", static_cast<double>(options.passes)},
                    {"ready_passes", f[3]},
                    {"ns_per_pair", f[0]},
                    {"ns_per_pair_min", f[1]},
                    {"ns_per_pair_max", f[2]}},
                   text);
  return "";
}

}  // namespace geeps::tool
