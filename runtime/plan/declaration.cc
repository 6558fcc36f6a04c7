// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan/declaration.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/plan/row_index.h"
#include "runtime/table/digest.h"

namespace geeps::plan {
namespace {

constexpr size_t kRunsNamed = 4;

// The rows of all operations of one kind on one table of a plan.
std::string RowsOf(const RecordedPlan& plan, const LayoutInput::Table& table, OpKind kind) {
  std::vector<const table::RowSet*> sets;
  for (const Operation& op : plan.ops) {
    if (op.kind == kind && op.object == table.object) sets.push_back(&op.rows);
  }
  const RowUnion rows(table.schema.num_rows, sets);
  // The digest tells sets apart whose texts are cut at the same place.
  return absl::StrCat(kind == OpKind::kRead ? "reads " : "updates ", DescribeRows(rows.rows()), " [",
                      absl::Hex(rows.rows().Digest(), absl::kZeroPad16), "]");
}

}  // namespace

std::string DescribeRows(const table::RowSet& rows) {
  if (rows.IsEmpty()) return "no rows";
  std::string text = rows.NumRows() == 1 ? "row " : "rows ";
  const size_t named = std::min(kRunsNamed, rows.num_runs());
  for (size_t i = 0; i < named; ++i) {
    const table::RowRun& run = rows.runs()[i];
    absl::StrAppend(&text, i > 0 ? ", " : "", run.first);
    if (run.count > 1) absl::StrAppend(&text, "..", run.end() - 1);
  }
  const size_t more = rows.num_runs() - named;
  if (more > 0) absl::StrAppend(&text, " and ", more, more == 1 ? " more run" : " more runs");
  if (rows.num_runs() > 1) absl::StrAppend(&text, ", ", rows.NumRows(), " in all");
  return text;
}

Declaration Declare(const LayoutInput& input) {
  Declaration declaration;
  for (const LayoutInput::Table& table : input.tables) {
    declaration.lines.push_back({absl::StrCat("table '", table.schema.name, "'"), table::Describe(table.schema)});
  }
  for (const RecordedPlan* plan : input.plans) {
    const std::string subject = absl::StrCat("plan '", plan->name, "'");
    declaration.lines.push_back({subject, plan->no_clock ? "ends without a clock" : "ends with a clock"});
    for (const LayoutInput::Table& table : input.tables) {
      if (!table.schema.rows_same) continue;
      const std::string same = absl::StrCat(subject, ", table '", table.schema.name, "' (rows = same)");
      declaration.lines.push_back({same, RowsOf(*plan, table, OpKind::kRead)});
      declaration.lines.push_back({same, RowsOf(*plan, table, OpKind::kUpdate)});
    }
  }
  table::Digester digest;
  for (const protocol::DeclarationLine& line : declaration.lines) {
    digest.Add(absl::string_view(line.subject));
    digest.Add(absl::string_view(line.text));
  }
  declaration.digest = digest.value();
  return declaration;
}

}  // namespace geeps::plan
