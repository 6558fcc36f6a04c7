// SPDX-License-Identifier: Apache-2.0
// The text of geeps_plan_explain. First an Explanation is derived from layout and plan, then it is written as text or
// as JSON, so that both say the same.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/json.h"
#include "runtime/base/status.h"
#include "runtime/plan/declaration.h"
#include "runtime/plan/layout.h"
#include "runtime/plan/layout_parts.h"
#include "runtime/protocol/types.h"

namespace geeps::plan {
namespace {

struct ExplainedOp {
  std::string name;  // "operation 3 (read of table 'conv1')"
  std::string rows;
  uint64_t bytes = 0;  // handed out
  uint32_t slack = 0;
  bool in_place = false;
  std::string why_copied;
  uint64_t index_runs = 0;
  uint64_t index_pairs = 0;
};

struct ExplainedTable {
  std::string name;
  uint64_t cache_bytes = 0;
  uint64_t log_bytes = 0;       // all entries
  uint64_t sent_bytes = 0;      // contributions of one pass
  uint64_t received_bytes = 0;  // one version of the rows read
  std::string fired;            // when
  bool late = false;            // later than at the last update
};

struct Explanation {
  std::string name;
  bool no_clock = false;
  std::vector<ExplainedOp> ops;
  std::vector<ExplainedTable> tables;
  uint64_t local_bytes = 0;
  uint64_t buffer_bytes = 0;  // of this plan
  uint64_t copied_bytes = 0;  // moved between cache, buffers and log in one pass
};

// Why the access is copied: the first condition of R9 that does not hold.
std::string WhyCopied(const LayoutInput::Table& table, uint32_t slack_max, const PlannedOp& op) {
  if (op.kind == OpKind::kUpdate) {
    if (!op.add.empty()) return "an earlier update of the pass has some of its rows";
    return "its rows are not contiguous in the update log";
  }
  if ((op.flags & kReadCopy) != 0) return "COPY was asked for";
  if (table.observer) return "this worker observes the table, whose versions do not wait for it";
  if (table.schema.async) return "the table is async, so versions arrive while it is held";
  if (table.schema.read_my_writes) return "the table has read-my-writes, so own updates arrive while it is held";
  if (op.gather.runs.size() + op.gather.pairs.size() > 1) return "its rows are not contiguous in the parameter cache";
  if (table.mapped)
    return absl::StrCat("it touches ", op.subscriptions.size(), " partitions and the table is read with slack ",
                        slack_max);
  return absl::StrCat("the table is read with slack ", slack_max, ", so versions arrive while it is held");
}

ExplainedOp ExplainOp(const LayoutInput& input, const WorkerLayout& layout, const RecordedPlan& plan,
                      const PlannedOp& op, uint32_t i) {
  ExplainedOp out;
  out.name = NameOfOperation(plan, i);
  out.rows = DescribeRows(plan.ops[i].rows);
  out.slack = op.slack;
  out.in_place = op.in_place;
  if (op.kind == OpKind::kLocal) {
    out.bytes = op.num_rows * input.locals[op.table].row_bytes;
    return out;
  }
  const uint32_t slack_max = input.slack_max.empty() ? layout.tables[op.table].slack_max : input.slack_max[op.table];
  out.bytes = op.num_rows * input.tables[op.table].schema.row_bytes();
  if (!op.in_place) out.why_copied = WhyCopied(input.tables[op.table], slack_max, op);
  const auto count = [&](const RowIndex& index) {
    out.index_runs += index.runs.size();
    out.index_pairs += index.pairs.size();
  };
  for (const RowIndex* index : {&op.gather, &op.store, &op.add, &op.own_add}) count(*index);
  for (const OwnPart& part : op.own_parts) count(part.again);
  return out;
}

// R1, in words.
std::string WhenFired(const RecordedPlan& plan, const PlannedPass& pass, const PlannedTable& table) {
  if (pass.no_clock) return "never: the plan ends without a clock";
  if (table.fire_step >= pass.steps.size()) return "at the clock";
  const Step& step = pass.steps[table.fire_step];
  const PlannedOp& op = pass.ops[step.op];
  const std::string name = NameOfOperation(plan, step.op);
  if (op.kind == OpKind::kUpdate) return absl::StrCat("at its last update, ", name);
  const absl::string_view what = op.holds_until_post               ? "read in place until its post-read"
                                 : op.slack > 0 || op.any_version ? "held until it is handed out"
                                                                  : "held until it is filled";
  if (table.num_updates == 0) return absl::StrCat("after ", name, ", ", what);
  const uint32_t last = pass.steps[table.last_update_step].op;
  return absl::StrCat("after ", name, ", ", what, "; its last update is ", NameOfOperation(plan, last));
}

ExplainedTable ExplainTable(const LayoutInput& input, const WorkerLayout& layout, const RecordedPlan& plan,
                            const PlannedPass& pass, uint32_t t) {
  const TableLayout& what = layout.tables[t];
  const PlannedTable& planned = pass.tables[t];
  const uint64_t row_bytes = input.tables[t].schema.row_bytes();
  const uint32_t slack_max = input.slack_max.empty() ? what.slack_max : input.slack_max[t];
  ExplainedTable out;
  out.name = input.tables[t].schema.name;
  out.cache_bytes = what.cache_rows * row_bytes;
  out.log_bytes = what.log_rows_max * row_bytes * protocol::NumLogEntries(slack_max);
  out.sent_bytes = planned.log_rows * row_bytes;
  for (const Subscription& subscription : what.subscriptions)
    out.received_bytes += subscription.reads.NumRows() * row_bytes;
  out.fired = WhenFired(plan, pass, planned);
  out.late = planned.num_updates > 0 && planned.fire_step > planned.last_update_step;
  return out;
}

Explanation Derive(const WorkerLayout& layout, const PlannedPass& pass, const RecordedPlan& plan,
                   const LayoutInput& input) {
  Explanation out;
  out.name = plan.name;
  out.no_clock = plan.no_clock;
  std::vector<bool> used(layout.tables.size());
  std::vector<bool> local_used(layout.locals.size());
  for (uint32_t i = 0; i < pass.ops.size(); ++i) {
    const PlannedOp& op = pass.ops[i];
    out.ops.push_back(ExplainOp(input, layout, plan, op, i));
    (op.kind == OpKind::kLocal ? local_used : used)[op.table] = true;
    out.buffer_bytes += op.buffer_bytes;
    if (!op.in_place) out.copied_bytes += out.ops.back().bytes;
  }
  for (uint32_t t = 0; t < layout.tables.size(); ++t) {
    if (used[t]) out.tables.push_back(ExplainTable(input, layout, plan, pass, t));
  }
  for (size_t l = 0; l < layout.locals.size(); ++l) {
    if (local_used[l]) out.local_bytes += layout.locals[l].num_rows * layout.locals[l].row_bytes;
  }
  return out;
}

template <typename Get>
uint64_t Total(const Explanation& e, Get get) {
  uint64_t total = 0;
  for (const ExplainedTable& table : e.tables) total += get(table);
  return total;
}

struct Totals {
  explicit Totals(const Explanation& e)
      : cache(Total(e, [](const ExplainedTable& t) { return t.cache_bytes; })),
        log(Total(e, [](const ExplainedTable& t) { return t.log_bytes; })),
        sent(e.no_clock ? 0 : Total(e, [](const ExplainedTable& t) { return t.sent_bytes; })),
        received(e.no_clock ? 0 : Total(e, [](const ExplainedTable& t) { return t.received_bytes; })) {}
  uint64_t cache, log, sent, received;
};

std::string AsText(const Explanation& e) {
  const Totals totals(e);
  std::string out =
      absl::StrCat("plan '", e.name, "': ", e.ops.size(), e.ops.size() == 1 ? " operation" : " operations", ", ends ",
                   e.no_clock ? "without a clock" : "with a clock", "\n");
  absl::StrAppend(&out, "memory: parameter cache ", totals.cache, " bytes, update log ", totals.log,
                  ", access buffers ", e.buffer_bytes, ", local data ", e.local_bytes, "\n");
  absl::StrAppend(&out, "moved per pass: sent ", totals.sent, " bytes, received ", totals.received, ", copied ",
                  e.copied_bytes, "\n");
  for (const ExplainedOp& op : e.ops) {
    absl::StrAppend(&out, "  ", op.name, ": ", op.rows, ", ", op.bytes, " bytes");
    if (op.slack > 0) absl::StrAppend(&out, ", slack ", op.slack);
    if (op.in_place) {
      absl::StrAppend(&out, ", in place\n");
    } else {
      absl::StrAppend(&out, ", copied by ", op.index_runs, " runs and ", op.index_pairs,
                      " single rows: ", op.why_copied, "\n");
    }
  }
  for (const ExplainedTable& table : e.tables) {
    absl::StrAppend(&out, "  table '", table.name, "': cache ", table.cache_bytes, " bytes, update log ",
                    table.log_bytes, ", sent ", table.sent_bytes, ", received ", table.received_bytes, ", fired ",
                    table.fired, table.late ? " (late)" : "", "\n");
  }
  return out;
}

std::string AsJson(const Explanation& e) {
  const Totals totals(e);
  const auto boolean = [](bool value) { return value ? "true" : "false"; };
  std::string out = absl::StrCat("{\"plan\":", JsonQuoted(e.name), ",\"clock\":", boolean(!e.no_clock),
                                 ",\"memory_bytes\":{\"cache\":", totals.cache, ",\"log\":", totals.log,
                                 ",\"buffers\":", e.buffer_bytes, ",\"local\":", e.local_bytes,
                                 "},\"moved_bytes\":{\"sent\":", totals.sent, ",\"received\":", totals.received,
                                 ",\"copied\":", e.copied_bytes, "},\"operations\":[");
  absl::StrAppend(&out,
                  absl::StrJoin(e.ops, ",",
                                [&](std::string* to, const ExplainedOp& op) {
                                  absl::StrAppend(to, "{\"name\":", JsonQuoted(op.name), ",\"rows\":", JsonQuoted(op.rows),
                                                  ",\"bytes\":", op.bytes, ",\"slack\":", op.slack,
                                                  ",\"in_place\":", boolean(op.in_place));
                                  if (!op.in_place) {
                                    absl::StrAppend(to, ",\"why_copied\":", JsonQuoted(op.why_copied),
                                                    ",\"index_runs\":", op.index_runs,
                                                    ",\"index_pairs\":", op.index_pairs);
                                  }
                                  absl::StrAppend(to, "}");
                                }),
                  "],\"tables\":[");
  absl::StrAppend(&out,
                  absl::StrJoin(e.tables, ",",
                                [&](std::string* to, const ExplainedTable& table) {
                                  absl::StrAppend(
                                      to, "{\"name\":", JsonQuoted(table.name), ",\"cache_bytes\":", table.cache_bytes,
                                      ",\"log_bytes\":", table.log_bytes, ",\"sent_bytes\":", table.sent_bytes,
                                      ",\"received_bytes\":", table.received_bytes, ",\"fired\":", JsonQuoted(table.fired),
                                      ",\"late\":", boolean(table.late), "}");
                                }),
                  "]}");
  return out;
}

}  // namespace

absl::StatusOr<std::string> Explain(const WorkerLayout& layout, const RecordedPlan& plan, const LayoutInput& input,
                                    absl::string_view format) {
  if (format != "text" && format != "json") return Invalid("format '", format, "' is neither text nor json");
  const auto pass =
      std::find_if(layout.plans.begin(), layout.plans.end(), [&](const PlannedPass& p) { return p.name == plan.name; });
  if (pass == layout.plans.end() || pass->ops.size() != plan.ops.size())
    return NotFound("plan '", plan.name, "' is not in the layout");
  const Explanation explanation = Derive(layout, *pass, plan, input);
  return format == "text" ? AsText(explanation) : AsJson(explanation);
}

}  // namespace geeps::plan
