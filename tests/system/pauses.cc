// SPDX-License-Identifier: Apache-2.0
// pauses: four workers of one process, a clock of 30 ms of work each, and in each ten clocks one worker pauses for
// 50 ms, at a clock drawn from a seed. Prints what the workers lose with slack 0, with slack 3, and with an async table;
// fails unless the second is less than a quarter of the first, and the third less than a twentieth.
//
// Lost is the time in which a worker waits for others in its reads, summed over the workers. A worker's own pauses are
// not in it: no slack takes them off its own path, so that the run as a whole is always longer by the pauses of one
// worker. Who pauses is drawn without replacement, so that nobody falls behind for good: workers of different speed
// cannot be helped by slack either.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <numeric>
#include <thread>

#include "tests/system/scenario.h"

namespace geeps::system_test {
namespace {

constexpr uint32_t kWorld = 4;
constexpr uint64_t kClocks = 40;
constexpr uint64_t kPausePeriod = 10;
constexpr std::chrono::milliseconds kWork(30);
constexpr std::chrono::milliseconds kPause(50);
constexpr int kRounds = 5;

// pauses[rank][clock]
std::vector<std::vector<bool>> DrawPauses(uint64_t seed) {
  Random random(seed);
  std::vector<std::vector<bool>> pauses(kWorld, std::vector<bool>(kClocks));
  std::vector<uint32_t> bag;
  for (uint64_t first = 0; first < kClocks; first += kPausePeriod) {
    if (bag.empty()) {
      bag.resize(kWorld);
      std::iota(bag.begin(), bag.end(), 0u);
      for (size_t i = bag.size(); i > 1; --i) std::swap(bag[i - 1], bag[random.Below(i)]);
    }
    pauses[bag.back()][first + random.Below(kPausePeriod)] = true;
    bag.pop_back();
  }
  return pauses;
}

struct Result {
  double lost_ms = 0;   // waiting in reads, all workers
  double total_ms = 0;  // of the slowest worker
  std::string complaints;
};

Result Measure(const char* mode, uint32_t slack, uint64_t seed) {
  using Clock = std::chrono::steady_clock;
  const auto pauses = DrawPauses(seed);
  std::vector<double> lost(kWorld), total(kWorld);
  Setup setup;
  setup.world = kWorld;
  Result result;
  result.complaints = RunWorkers(setup, [&](Worker& w) -> std::string {
    geeps::Table table(w.rt, "t", 64, 64, GEEPS_F32, {{"mode", mode}}, w.err);
    uint64_t clock = 0;
    const auto body = [&](geeps::Walker& walker) {
      walker.PostRead(walker.Read(table, geeps::Rows::All(), slack));
      if (walker.live()) std::this_thread::sleep_for(pauses[w.rank][clock] ? kWork + kPause : kWork);
      walker.Update(walker.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED));
    };
    geeps::Walker train(w.rt, "train", w.err);
    train.Record(body);
    w.rt.Commit({train.plan()}, w.err);
    if (!w.Meet()) return "";
    const Clock::time_point begin = Clock::now();
    for (; clock < kClocks && w.err.ok(); ++clock) train.Walk(body);
    total[w.rank] = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    lost[w.rank] = static_cast<double>(train.wait_ns()) * 1e-6;
    return "";
  });
  result.lost_ms = std::accumulate(lost.begin(), lost.end(), 0.0);
  result.total_ms = *std::max_element(total.begin(), total.end());
  return result;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int Run() {
  std::vector<double> ahead_ratios;
  std::vector<double> async_ratios;
  std::printf("%u workers, %u clocks of %u ms, pauses of %u ms\n", kWorld, static_cast<unsigned>(kClocks),
              static_cast<unsigned>(kWork.count()), static_cast<unsigned>(kPause.count()));
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t seed = 1 + static_cast<uint64_t>(round);
    const Result none = Measure("bounded", 0, seed);
    const Result ahead = Measure("bounded", 3, seed);
    const Result async = Measure("async", 0, seed);
    const std::string complaints = none.complaints + ahead.complaints + async.complaints;
    if (!complaints.empty()) {
      std::printf("%s", complaints.c_str());
      return 1;
    }
    ahead_ratios.push_back(ahead.lost_ms / none.lost_ms);
    async_ratios.push_back(async.lost_ms / none.lost_ms);
    std::printf("seed %u: slack 0 waits %.0f ms (run %.0f ms), slack 3 %.0f ms (run %.0f ms), ratio %.3f, "
                "async %.1f ms (run %.0f ms), ratio %.4f\n",
                static_cast<unsigned>(seed), none.lost_ms, none.total_ms, ahead.lost_ms, ahead.total_ms,
                ahead_ratios.back(), async.lost_ms, async.total_ms, async_ratios.back());
  }
  const double ahead = Median(ahead_ratios);
  const double async = Median(async_ratios);
  std::printf("median ratio with slack 3 %.3f, must be below 0.25; async %.4f, must be below 0.05\n", ahead, async);
  return ahead < 0.25 && async < 0.05 ? 0 : 1;
}

}  // namespace
}  // namespace geeps::system_test

int main() { return geeps::system_test::Run(); }
