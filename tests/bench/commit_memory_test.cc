// SPDX-License-Identifier: Apache-2.0
// What a commit keeps for the operations of a plan, by the books of the C library's malloc.
#include <doctest/doctest.h>
#include <malloc.h>

#include <geeps.hpp>
#include <string>
#include <vector>

namespace {

constexpr uint64_t kRows = 600000;
constexpr uint64_t kOperationRows = 50000;
constexpr uint64_t kOperations = 4;

double HeapBytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

// Rows of an operation: every third one from another first row, so that none touch each other and the union of all
// operations is not what one of them reads; or as many rows in one run.
geeps::Rows RowsOf(uint64_t operation, bool scattered) {
  if (!scattered) return geeps::Rows::Range(operation * kOperationRows, kOperationRows);
  std::vector<uint64_t> ids;
  for (uint64_t i = 0; i < kOperationRows; ++i) ids.push_back(operation * kOperationRows + 3 * i);
  return geeps::Rows::FromIds(ids);
}

// Bytes by which the heap grows over a commit of reads, each of which is listed `times` times.
double BytesOfCommit(uint64_t times, bool scattered) {
  geeps::Error err;
  geeps::Runtime rt(geeps::Options(), err);
  rt.Start(err);
  geeps::Table table(rt, "table", kRows, 1, GEEPS_F32, {}, err);
  geeps::Plan plan(rt, "plan", err);
  for (uint64_t i = 0; i < times * kOperations; ++i) {
    plan.PostRead(plan.Read(table, RowsOf(i % kOperations, scattered), 0, GEEPS_READ_COPY, err), err);
  }
  const geeps_op update = plan.PreUpdate(table, geeps::Rows::All(), 0, err);
  plan.Update(update, err);
  plan.End(0, err);
  const double before_bytes = HeapBytes();
  rt.Commit({plan.get()}, err);
  const double bytes = HeapBytes() - before_bytes;
  rt.Shutdown(err);
  CHECK_MESSAGE(err.ok(), std::string(err.message()));
  return bytes;
}

// What is kept for each row that an operation lists once more: caches, logs and row sets stay what they were, so it is
// the index of the operation and its access buffer.
double BytesPerRow(bool scattered) {
  constexpr uint64_t kTimes = 5;
  const double more_bytes = BytesOfCommit(kTimes, scattered) - BytesOfCommit(1, scattered);
  return more_bytes / static_cast<double>((kTimes - 1) * kOperations * kOperationRows);
}

TEST_CASE("a commit keeps for a row of a run its access buffer alone, for a scattered row 8 bytes more") {
  const double run_bytes = BytesPerRow(false);
  CHECK(run_bytes > 3.9);
  CHECK(run_bytes < 4.1);
  const double scattered_bytes = BytesPerRow(true);
  CHECK(scattered_bytes > run_bytes + 7.9);
  CHECK(scattered_bytes < run_bytes + 8.1);
}

}  // namespace
