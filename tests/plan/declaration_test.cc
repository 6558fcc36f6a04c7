// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan/declaration.h"

#include <doctest/doctest.h>

#include "tests/plan/builder.h"

namespace geeps::plan {
namespace {

Declaration DeclarationOf(Job& job, std::vector<const RecordedPlan*> plans) {
  job.input.plans = std::move(plans);
  return Declare(job.input);
}

}  // namespace

TEST_CASE("Declaration: rows are named by their first runs") {
  CHECK(DescribeRows(table::RowSet()) == "no rows");
  CHECK(DescribeRows(Rows(7, 1)) == "row 7");
  CHECK(DescribeRows(Rows(0, 20)) == "rows 0..19");
  CHECK(DescribeRows(Runs({{0, 20}, {40, 10}, {60, 1}})) == "rows 0..19, 40..49, 60, 31 in all");
  CHECK(DescribeRows(RowList({1, 3, 5, 7, 9, 11, 13})) == "rows 1, 3, 5, 7 and 3 more runs, 7 in all");
}

TEST_CASE("Declaration: one line a table, one a plan, two for each plan on a table with rows = same") {
  Recording a("a"), b("b");
  a.ReadAll(0, Rows(0, 10));
  a.ReadAll(1, Rows(0, 10));
  a.ReadAll(1, Rows(5, 10));
  a.UpdateAll(1, Rows(3, 2));
  a.End();
  b.ReadAll(0, Rows(0, 10));
  b.End(true);
  Job job;
  job.Table(100).Table(100, 1, false, 4096, true);
  const Declaration declaration = DeclarationOf(job, {a.plan(), b.plan()});
  REQUIRE(declaration.lines.size() == 2 + 2 + 2 * 2);
  CHECK(declaration.lines[0].subject == "table 't0'");
  CHECK(declaration.lines[0].text == table::Describe(job.input.tables[0].schema));
  CHECK(declaration.lines[2].subject == "plan 'a'");
  CHECK(declaration.lines[2].text == "ends with a clock");
  CHECK(declaration.lines[3].subject == "plan 'a', table 't1' (rows = same)");
  CHECK(declaration.lines[3].text.rfind("reads rows 0..14 [", 0) == 0);
  CHECK(declaration.lines[4].text.rfind("updates rows 3..4 [", 0) == 0);
  CHECK(declaration.lines[5].text == "ends without a clock");
  CHECK(declaration.lines[6].text.rfind("reads no rows [", 0) == 0);
}

TEST_CASE("Declaration: row sets may differ where rows = any, and differ in the digest where rows = same") {
  Recording a("a"), other("a");
  a.ReadAll(0, Rows(0, 10));
  a.End();
  other.ReadAll(0, Rows(0, 11));
  other.End();
  Job any, same;
  any.Table(100);
  same.Table(100, 1, false, 4096, true);
  CHECK(DeclarationOf(any, {a.plan()}).digest == DeclarationOf(any, {other.plan()}).digest);
  CHECK(DeclarationOf(same, {a.plan()}).digest != DeclarationOf(same, {other.plan()}).digest);
}

TEST_CASE("Declaration: sets that differ behind the cut have different lines") {
  Recording a("a"), other("a");
  a.ReadAll(0, RowList({1, 3, 5, 7, 9}));
  a.End();
  other.ReadAll(0, RowList({1, 3, 5, 7, 11}));
  other.End();
  Job job;
  job.Table(100, 1, false, 4096, true);
  const Declaration one = DeclarationOf(job, {a.plan()});
  const Declaration two = DeclarationOf(job, {other.plan()});
  CHECK(one.lines[2].subject == two.lines[2].subject);
  CHECK(one.lines[2].text != two.lines[2].text);
  CHECK(one.lines[3].text == two.lines[3].text);
}

TEST_CASE("Declaration: how the same rows are spread over operations does not matter, the clock flag does") {
  Recording whole("a"), parts("a"), quiet("a");
  whole.ReadAll(0, Rows(0, 10));
  whole.End();
  parts.ReadAll(0, Rows(5, 5), 3);
  parts.ReadAll(0, Rows(0, 5));
  parts.End();
  quiet.ReadAll(0, Rows(0, 10));
  quiet.End(true);
  Job job;
  job.Table(100, 1, false, 4096, true);
  CHECK(DeclarationOf(job, {whole.plan()}).digest == DeclarationOf(job, {parts.plan()}).digest);
  CHECK(DeclarationOf(job, {whole.plan()}).digest != DeclarationOf(job, {quiet.plan()}).digest);
}

TEST_CASE("Declaration: the digest does not depend on compiler or machine") {
  Recording a("a");
  a.End();
  Job job;
  const uint64_t digest = DeclarationOf(job, {a.plan()}).digest;
  CHECK(digest == 6570635056812542851u);
}

}  // namespace geeps::plan
