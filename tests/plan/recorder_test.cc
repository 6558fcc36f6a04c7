// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "runtime/base/status.h"
#include "tests/plan/builder.h"

namespace geeps::plan {
namespace {

Code CodeOf(const absl::Status& status) { return DetailOf(status).code; }

bool Says(const absl::Status& status, absl::string_view text) {
  return status.message().find(text) != absl::string_view::npos;
}

}  // namespace

TEST_CASE("PlanRecorder: operations and steps are kept in the order of the calls") {
  Recording r("train");
  const uint32_t read = r.Read(0, Rows(0, 4));
  const uint32_t update = r.Update(0, Rows(0, 4));
  r.Finish(read);
  r.Finish(update);
  r.End();
  const RecordedPlan& plan = *r.plan();
  CHECK(plan.name == "train");
  CHECK(plan.ops.size() == 2);
  CHECK(plan.steps.size() == 4);
  CHECK(plan.ops[read].begin_step == 0);
  CHECK(plan.ops[update].begin_step == 1);
  CHECK(plan.ops[read].end_step == 2);
  CHECK(plan.ops[update].end_step == 3);
  CHECK(plan.steps[2].op == read);
  CHECK(plan.steps[2].end);
  CHECK(NameOfOperation(plan, 1) == "operation 1 (update of table 't0')");
}

TEST_CASE("PlanRecorder: flags must fit the kind of operation") {
  PlanRecorder r("p");
  CHECK(CodeOf(r.Begin(OpKind::kRead, 1, "t", Rows(0, 1), 0, kUpdateZeroed).status()) == Code::kInvalid);
  CHECK(CodeOf(r.Begin(OpKind::kUpdate, 1, "t", Rows(0, 1), 0, kReadCopy).status()) == Code::kInvalid);
  CHECK(CodeOf(r.Begin(OpKind::kLocal, 1, "l", Rows(0, 1), 0, kReadCopy).status()) == Code::kInvalid);
  CHECK(CodeOf(r.Begin(OpKind::kRead, 1, "t", Rows(0, 1), 0, 0x80).status()) == Code::kInvalid);
  CHECK(r.plan().ops.empty());
  CHECK(r.Begin(OpKind::kRead, 1, "t", Rows(0, 1), 0, kOptional | kReadCopy).ok());
  CHECK(r.Begin(OpKind::kUpdate, 1, "t", Rows(0, 1), 0, kOptional | kUpdateZeroed).ok());
  CHECK(r.Begin(OpKind::kLocal, 1, "l", Rows(0, 1), 0, kOptional | kLocalFetch | kLocalKeep).ok());
}

TEST_CASE("PlanRecorder: only a read has slack, at most 64") {
  PlanRecorder r("p");
  CHECK(r.Begin(OpKind::kRead, 1, "t", Rows(0, 1), 64, 0).ok());
  const absl::Status much = r.Begin(OpKind::kRead, 1, "t", Rows(0, 1), 65, 0).status();
  CHECK(CodeOf(much) == Code::kInvalid);
  CHECK(Says(much, "slack 65"));
  CHECK(CodeOf(r.Begin(OpKind::kUpdate, 1, "t", Rows(0, 1), 1, 0).status()) == Code::kInvalid);
  CHECK(CodeOf(r.Begin(OpKind::kLocal, 1, "l", Rows(0, 1), 1, 0).status()) == Code::kInvalid);
}

TEST_CASE("PlanRecorder: a local access of several runs is refused, with their number") {
  PlanRecorder r("p");
  const absl::Status status = r.Begin(OpKind::kLocal, 1, "l", RowList({1, 3, 5}), 0, 0).status();
  CHECK(CodeOf(status) == Code::kUnsupported);
  CHECK(Says(status, "3 runs"));
}

TEST_CASE("PlanRecorder: the second call needs an open operation of its kind") {
  Recording r("p");
  const uint32_t read = r.Read(0, Rows(0, 1));
  CHECK(CodeOf(r.recorder.Finish(OpKind::kRead, 7)) == Code::kInvalid);
  CHECK(CodeOf(r.recorder.Finish(OpKind::kUpdate, read)) == Code::kInvalid);
  CHECK(r.recorder.Finish(OpKind::kRead, read).ok());
  const absl::Status again = r.recorder.Finish(OpKind::kRead, read);
  CHECK(CodeOf(again) == Code::kState);
  CHECK(Says(again, "operation 0 (read of table 't0')"));
}

TEST_CASE("PlanRecorder: a plan does not end with an open operation, and only once") {
  Recording r("p");
  const uint32_t read = r.Read(0, Rows(0, 1));
  const absl::Status open = r.recorder.End(false);
  CHECK(CodeOf(open) == Code::kState);
  CHECK(Says(open, "operation 0"));
  r.Finish(read);
  r.End();
  CHECK(r.recorder.ended());
  CHECK(CodeOf(r.recorder.End(false)) == Code::kState);
  CHECK(CodeOf(r.recorder.Begin(OpKind::kRead, 1, "t", Rows(0, 1), 0, 0).status()) == Code::kState);
  CHECK(CodeOf(r.recorder.Finish(OpKind::kRead, 0)) == Code::kState);
}

TEST_CASE("PlanRecorder: a plan without a clock cannot update") {
  Recording r("eval");
  r.UpdateAll(0, Rows(0, 1));
  const absl::Status status = r.recorder.End(true);
  CHECK(CodeOf(status) == Code::kState);
  CHECK(Says(status, "operation 0 (update of table 't0')"));
  CHECK_FALSE(r.recorder.ended());
}

TEST_CASE("PlanRecorder: of the updates of a table all are optional or none") {
  Recording r("p");
  r.UpdateAll(0, Rows(0, 1), kOptional);
  r.UpdateAll(1, Rows(0, 1));
  r.UpdateAll(1, Rows(0, 1));
  r.UpdateAll(0, Rows(1, 1));
  const absl::Status status = r.recorder.End(false);
  CHECK(CodeOf(status) == Code::kState);
  CHECK(Says(status, "operation 3"));
  CHECK(Says(status, "operation 0"));
}

}  // namespace geeps::plan
