// SPDX-License-Identifier: Apache-2.0
// `geeps bench gpu`, moves: rows at random places of a large table, gathered into a dense buffer and added from one,
// beside a copy of as many bytes within the device. Shares are of bandwidth: a gather and a copy read and write each
// byte once, an addition reads two and writes one.
#include <algorithm>
#include <cstdio>
#include <random>

#include "tools/geeps/bench_gpu.h"

namespace geeps::tool {
namespace {

constexpr uint64_t kRowBytes[] = {128, 256, 512, 1024, 2048, 4096};
constexpr double kGoalLong = 0.92, kGoalShort = 0.75;  // from 512 bytes on; at 128
constexpr uint64_t kTableBytesMin = uint64_t{1} << 20;

// The table's word `index` at the beginning: a whole number below 2^22, so that sums of small ones stay exact, and
// neighbours and rows differ.
float WordAt(uint64_t index) { return static_cast<float>((index * 0x9e3779b97f4a7c15u) >> 42); }

// What is added to word `index` of the dense rows.
float AddedAt(uint64_t index) { return static_cast<float>(1 + index % 7); }

struct Moves {
  GpuDevice* gpu;
  const BenchOptions* options;
  uint8_t* table = nullptr;
  uint8_t* dense = nullptr;
  uint8_t* other = nullptr;  // the copy goes from dense to it
  uint64_t table_bytes = 0, moved_bytes = 0;
};

// Device memory for the table: what is asked for, or half of it as often as needed. Leaves room for the rest.
void AllocateTable(Moves* moves) {
  GpuDevice& gpu = *moves->gpu;
  moves->table_bytes = moves->options->gpu_bytes;
  // Memory of the host is shared with everybody else.
  const uint64_t room = gpu.info().mem_kind == GEEPS_MEM_CUDA ? gpu.info().memory_bytes : gpu.info().memory_bytes / 8;
  while (moves->table_bytes / 16 * 17 > room && moves->table_bytes > kTableBytesMin) moves->table_bytes /= 2;
  std::string why;
  for (;;) {
    moves->table = static_cast<uint8_t*>(gpu.TryAllocate(GEEPS_DEV_MEMORY, moves->table_bytes, &why));
    if (moves->table != nullptr || !gpu.ok()) break;
    if (moves->table_bytes <= kTableBytesMin) {
      gpu.error().Fail(GEEPS_E_NOMEM, why);
      break;
    }
    moves->table_bytes /= 2;
  }
  moves->moved_bytes = moves->table_bytes / 32;
  moves->dense = static_cast<uint8_t*>(gpu.Allocate(GEEPS_DEV_MEMORY, moves->moved_bytes));
  moves->other = static_cast<uint8_t*>(gpu.Allocate(GEEPS_DEV_MEMORY, moves->moved_bytes));
}

void FillTable(const Moves& moves) {
  std::vector<float> piece(std::min<uint64_t>(moves.table_bytes, uint64_t{32} << 20) / sizeof(float));
  for (uint64_t at = 0; at < moves.table_bytes && moves.gpu->ok(); at += piece.size() * sizeof(float)) {
    for (uint64_t i = 0; i < piece.size(); ++i) piece[i] = WordAt(at / sizeof(float) + i);
    moves.gpu->Upload(moves.table + at, piece.data(), piece.size());
  }
}

// Rows of the table in a random order, each once, spread over all of it.
std::vector<uint32_t> DrawRows(uint64_t table_rows, uint64_t count) {
  std::mt19937_64 random(1);
  std::vector<uint32_t> rows(count);
  const uint64_t stretch = table_rows / count;
  for (uint64_t i = 0; i < count; ++i) rows[i] = static_cast<uint32_t>(i * stretch + random() % stretch);
  std::shuffle(rows.begin(), rows.end(), random);
  return rows;
}

// Compares the dense rows with the table's words, to which AddedAt was added `times` times.
GpuOutcome CheckDense(const Moves& moves, const std::vector<uint32_t>& rows, uint64_t row_values, uint64_t times,
                      const char* what) {
  const std::vector<float> found = moves.gpu->Download(moves.dense, moves.moved_bytes / sizeof(float));
  if (!moves.gpu->ok()) return OutcomeOf(moves.gpu->error());
  for (uint64_t i = 0; i < found.size(); ++i) {
    const float word = WordAt(rows[i / row_values] * row_values + i % row_values);
    const float expected = word + static_cast<float>(times) * AddedAt(i);
    if (found[i] != expected) {
      return WrongResult(
          std::string(what) + ", rows of " + std::to_string(row_values * 4) + " bytes, value " + std::to_string(i),
          found[i], expected);
    }
  }
  return {};
}

void Print(const Moves& moves, const char* what, uint64_t row_bytes, double bytes, double seconds, double copy_s) {
  const double bandwidth = GigaPerSecond(bytes, seconds);
  const double copy_bandwidth = GigaPerSecond(2 * static_cast<double>(moves.moved_bytes), copy_s);
  const double share = copy_bandwidth > 0 ? bandwidth / copy_bandwidth : 0;
  const double goal = row_bytes >= 512 ? kGoalLong : row_bytes == 128 ? kGoalShort : 0;
  char goal_text[40] = "";
  if (goal > 0) std::snprintf(goal_text, sizeof goal_text, " (goal %.2f)", goal);
  char text[300];
  std::snprintf(
      text, sizeof text,
      "%-11s rows of %4llu B, %s at random in %s: %8.1f GB/s; copy within the device %8.1f GB/s; share %.3f%s", what,
      static_cast<unsigned long long>(row_bytes), BytesText(static_cast<double>(moves.moved_bytes)).c_str(),
      BytesText(static_cast<double>(moves.table_bytes)).c_str(), bandwidth, copy_bandwidth, share, goal_text);
  PrintGpu(*moves.options, "moves", what,
           {{"row_bytes", static_cast<double>(row_bytes)},
            {"table_bytes", static_cast<double>(moves.table_bytes)},
            {"moved_bytes", static_cast<double>(moves.moved_bytes)},
            {"seconds", seconds},
            {"copy_seconds", copy_s},
            {"gb_per_s", bandwidth},
            {"copy_gb_per_s", copy_bandwidth},
            {"share", share},
            {"goal", goal}},
           text);
}

GpuOutcome MeasureRows(const Moves& moves, uint64_t row_bytes) {
  GpuDevice& gpu = *moves.gpu;
  const uint64_t row_values = row_bytes / sizeof(float);
  const uint64_t table_rows = moves.table_bytes / row_bytes, count = moves.moved_bytes / row_bytes;
  const std::vector<uint32_t> rows = DrawRows(table_rows, count);
  std::vector<geeps_row_pair> gathered(count), scattered(count);
  for (uint32_t i = 0; i < count; ++i) gathered[i] = {i, rows[i]}, scattered[i] = {rows[i], i};
  const geeps_dev_index* const gather = gpu.MakeIndex({}, gathered, count, table_rows);
  const geeps_dev_index* const scatter = gpu.MakeIndex({}, scattered, table_rows, count);
  const geeps_row_move read = RowMove(GEEPS_MOVE_COPY, row_values, moves.dense, moves.table, gather);
  const geeps_row_move add = RowMove(GEEPS_MOVE_ADD, row_values, moves.table, moves.dense, scatter);

  GpuVariant gathering, copying, adding, copying_again;
  gathering.work = [&] { gpu.Move({read}); };
  adding.work = [&] { gpu.Move({add}); };
  copying.work = copying_again.work = [&] { gpu.Copy(moves.other, moves.dense, moves.moved_bytes); };
  TakeSamples(&gpu, *moves.options, {&gathering, &copying});
  GpuOutcome outcome = CheckDense(moves, rows, row_values, 0, "gather");
  if (outcome.kind != GpuOutcome::kMeasured) return outcome;
  Print(moves, "gather", row_bytes, 2 * static_cast<double>(moves.moved_bytes), gathering.median(), copying.median());

  std::vector<float> added(moves.moved_bytes / sizeof(float));
  for (uint64_t i = 0; i < added.size(); ++i) added[i] = AddedAt(i);
  gpu.Upload(moves.dense, added.data(), added.size());
  TakeSamples(&gpu, *moves.options, {&adding, &copying_again});
  gpu.Move({read});
  outcome = CheckDense(moves, rows, row_values, adding.calls, "scatter-add");
  if (outcome.kind != GpuOutcome::kMeasured) return outcome;
  Print(moves, "scatter-add", row_bytes, 3 * static_cast<double>(moves.moved_bytes), adding.median(),
        copying_again.median());

  // The table's rows as they were.
  for (uint64_t i = 0; i < added.size(); ++i) added[i] = WordAt(rows[i / row_values] * row_values + i % row_values);
  gpu.Upload(moves.dense, added.data(), added.size());
  gpu.Move({RowMove(GEEPS_MOVE_COPY, row_values, moves.table, moves.dense, scatter)});
  gpu.Finish();
  return OutcomeOf(gpu.error());
}

}  // namespace

GpuOutcome BenchGpuMoves(const BenchOptions& options) {
  geeps::Error err;
  GpuDevice gpu(options.device, &err);
  if (!err.ok()) return OutcomeOf(err);
  Moves moves{&gpu, &options};
  AllocateTable(&moves);
  if (!err.ok()) return OutcomeOf(err);
  if (moves.table_bytes < options.gpu_bytes) {
    PrintNotMeasured(options, "moves", "a table of " + BytesText(static_cast<double>(options.gpu_bytes)),
                     "the memory of the device gives room for " + BytesText(static_cast<double>(moves.table_bytes)));
  }
  FillTable(moves);
  for (const uint64_t row_bytes : kRowBytes) {
    const GpuOutcome outcome = MeasureRows(moves, row_bytes);
    if (outcome.kind != GpuOutcome::kMeasured) return outcome;
  }
  return {};
}

}  // namespace geeps::tool
