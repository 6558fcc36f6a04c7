// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan/layout.h"

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/plan/layout_parts.h"
#include "runtime/protocol/types.h"

namespace geeps::plan {
namespace {

// Buffers begin at cache lines and at the alignment that devices copy best from.
constexpr uint64_t kBufferAlignment = 256;
constexpr uint64_t kBytesMax = uint64_t{1} << 62;

// a * b, or kBytesMax + 1 when it is more than kBytesMax.
uint64_t ClampedProduct(uint64_t a, uint64_t b) {
  if (a == 0 || b == 0) return 0;
  return a > kBytesMax / b ? kBytesMax + 1 : a * b;
}

absl::Status CheckTables(const LayoutInput& input) {
  for (size_t t = 0; t < input.tables.size(); ++t) {
    const LayoutInput::Table& table = input.tables[t];
    const uint64_t end = uint64_t{table.first_partition} + table.num_partitions;
    if (end > input.partitions.size()) {
      return Invalid("table '", table.schema.name, "': partitions ", table.first_partition, " to ", end, " of ",
                     input.partitions.size());
    }
    uint64_t row = 0;
    for (uint64_t p = table.first_partition; p < end; ++p) {
      if (input.partitions[p].first_row != row)
        return Invalid("table '", table.schema.name, "': no partition begins at row ", row);
      row = input.partitions[p].end_row();
    }
    if (row != table.schema.num_rows) {
      return Invalid("table '", table.schema.name, "': its partitions have ", row, " of ", table.schema.num_rows,
                     " rows");
    }
  }
  if (!input.slack_max.empty() && input.slack_max.size() != input.tables.size()) {
    return Invalid("slack maxima for ", input.slack_max.size(), " of ", input.tables.size(), " tables");
  }
  for (uint32_t slack_max : input.slack_max) {
    if (slack_max > protocol::kSlackMax)
      return Invalid("agreed slack ", slack_max, " is more than ", protocol::kSlackMax);
  }
  for (const LayoutInput::Local& local : input.locals) {
    if (ClampedProduct(local.num_rows, local.row_bytes) > kBytesMax) {
      return NoMemory("local data '", local.name, "': ", local.num_rows, " rows of ", local.row_bytes, " bytes");
    }
  }
  return absl::OkStatus();
}

// Every copied operation at its own offset.
absl::Status PlaceBuffers(const LayoutInput& input, WorkerLayout* layout) {
  uint64_t offset = 0;
  for (size_t q = 0; q < layout->plans.size(); ++q) {
    for (size_t i = 0; i < layout->plans[q].ops.size(); ++i) {
      PlannedOp& op = layout->plans[q].ops[i];
      if (op.in_place || op.kind == OpKind::kLocal) continue;
      op.buffer_offset = offset;
      op.buffer_bytes = ClampedProduct(op.num_rows, input.tables[op.table].schema.row_bytes());
      if (op.buffer_bytes > kBytesMax - kBufferAlignment - offset) {
        return NoMemory("plan '", layout->plans[q].name, "', ",
                        NameOfOperation(*input.plans[q], static_cast<uint32_t>(i)), ": access buffer of ", op.num_rows,
                        " rows of ", input.tables[op.table].schema.row_bytes(), " bytes behind ", offset,
                        " bytes of others");
      }
      offset += (op.buffer_bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
    }
  }
  layout->arena_bytes = offset;
  return absl::OkStatus();
}

}  // namespace

absl::Status ResolvePlans(const LayoutInput& input, WorkerLayout* layout) {
  // Looked up only. Not Abseil's: one that finds no memory to grow is not fit to be destroyed.
  std::unordered_map<uint64_t, uint32_t> tables, locals;
  for (uint32_t t = 0; t < input.tables.size(); ++t) tables[input.tables[t].object] = t;
  for (uint32_t l = 0; l < input.locals.size(); ++l) locals[input.locals[l].object] = l;
  layout->tables.resize(input.tables.size());
  for (size_t t = 0; t < input.tables.size(); ++t) {
    layout->tables[t].observer = input.tables[t].observer;
    if (input.tables[t].schema.async) layout->tables[t].slack_max = protocol::kAsyncSlack;
  }
  for (size_t q = 0; q < input.plans.size(); ++q) {
    const RecordedPlan& plan = *input.plans[q];
    if (q > 0 && input.plans[q - 1]->name == plan.name) return Invalid("two plans are named '", plan.name, "'");
    if (q > 0 && input.plans[q - 1]->name > plan.name)
      return Invalid("plan '", plan.name, "' is not in the order of the names");
    PlannedPass pass;
    pass.name = plan.name;
    pass.no_clock = plan.no_clock;
    pass.steps = plan.steps;
    pass.tables.resize(input.tables.size());
    for (uint32_t i = 0; i < plan.ops.size(); ++i) {
      const Operation& op = plan.ops[i];
      const bool is_local = op.kind == OpKind::kLocal;
      const auto& objects = is_local ? locals : tables;
      const auto found = objects.find(op.object);
      if (found == objects.end()) {
        return Invalid("plan '", plan.name, "', ", NameOfOperation(plan, i),
                       ": was destroyed, or belongs to another runtime");
      }
      const uint64_t num_rows =
          is_local ? input.locals[found->second].num_rows : input.tables[found->second].schema.num_rows;
      if (!op.rows.IsEmpty() && op.rows.runs().back().end() > num_rows) {
        return Invalid("plan '", plan.name, "', ", NameOfOperation(plan, i), ": row ", op.rows.runs().back().end() - 1,
                       " of ", num_rows);
      }
      PlannedOp planned;
      planned.kind = op.kind;
      planned.table = found->second;
      planned.slack = op.slack;
      planned.flags = op.flags;
      planned.num_rows = op.rows.NumRows();
      if (op.kind == OpKind::kRead) {
        const LayoutInput::Table& table = input.tables[planned.table];
        planned.any_version = table.schema.async || table.observer;
        uint32_t& slack_max = layout->tables[planned.table].slack_max;
        slack_max = std::max(slack_max, op.slack);
      }
      pass.ops.push_back(std::move(planned));
    }
    layout->plans.push_back(std::move(pass));
  }
  for (size_t t = 0; t < input.slack_max.size(); ++t) {
    if (input.slack_max[t] < layout->tables[t].slack_max) {
      return Invalid("table '", input.tables[t].schema.name, "': agreed slack ", input.slack_max[t],
                     " is less than that of the own reads, ", layout->tables[t].slack_max);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<WorkerLayout> BuildLayout(const LayoutInput& input) {
  WorkerLayout layout;
  GEEPS_RETURN_IF_ERROR(CheckTables(input));
  GEEPS_RETURN_IF_ERROR(ResolvePlans(input, &layout));
  for (uint32_t t = 0; t < input.tables.size(); ++t) {
    PlaceTable(input, t, &layout);
    if (input.tables[t].schema.read_my_writes) PlaceOwnRows(input, t, &layout);
  }
  PlaceLocals(input, &layout);
  GEEPS_RETURN_IF_ERROR(PlaceBuffers(input, &layout));
  for (size_t q = 0; q < input.plans.size(); ++q) FindFirePoints(*input.plans[q], &layout.plans[q]);
  return layout;
}

}  // namespace geeps::plan
