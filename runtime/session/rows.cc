// SPDX-License-Identifier: Apache-2.0
// Rows that the program reads and sets outside plans (docs/protocol.md, R12).
#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/base/status.h"
#include "runtime/session/runtime.h"

namespace geeps::session {
namespace {

// What travels through the coordinator fits into one message, header included.
constexpr uint64_t kRowBytesMax = 32ull << 20;

absl::StatusOr<table::RowSet> CheckRows(const Table& table, absl::Span<const table::RowRun> rows, uint64_t bytes) {
  GEEPS_ASSIGN_OR_RETURN(table::RowSet set, table::RowSet::FromRuns(rows, table.schema.num_rows));
  const uint64_t row_bytes = table.schema.row_bytes();
  if (row_bytes > kRowBytesMax) {
    return Unsupported("rows of table '", table.schema.name, "' have ", row_bytes,
                       " bytes; outside plans rows of at most ", kRowBytesMax, " bytes are read and set");
  }
  if (bytes != set.NumRows() * row_bytes) {
    return Invalid(set.NumRows(), " rows of table '", table.schema.name, "' have ", set.NumRows() * row_bytes,
                   " bytes, not ", bytes);
  }
  return set;
}

// The smallest run of each partition that holds the wanted rows.
void Cut(const table::RowSet& rows, const table::PartitionMap& map, uint32_t map_index, movers::RowsGet* get) {
  const uint32_t first = map.FirstPartition(map_index);
  for (uint32_t p = first; p < first + map.NumPartitions(map_index); ++p) {
    const table::Partition& partition = map.partition(p);
    const table::RowSet here = rows.IntersectRange(partition.first_row, partition.num_rows);
    if (here.IsEmpty()) continue;
    const uint64_t begin = here.runs().front().first;
    const uint64_t end = here.runs().back().end();
    get->parts.push_back(
        {p, partition.keeper, static_cast<uint32_t>(begin - partition.first_row), static_cast<uint32_t>(end - begin)});
    get->pieces.emplace_back();
    for (const table::RowRun& run : here.runs()) {
      get->pieces.back().push_back({run.first - begin, rows.RankOf(run.first), run.count});
    }
  }
}

}  // namespace

absl::Status Runtime::SetRows(Table* table, absl::Span<const table::RowRun> rows, bool keep_state,
                              absl::string_view values) {
  GEEPS_RETURN_IF_ERROR(Settle());
  if (state_ == State::kShutDown) return WrongState("the runtime is shut down");
  movers::RowsSet set;
  GEEPS_ASSIGN_OR_RETURN(set.rows, CheckRows(*table, rows, values.size()));
  if (set.rows.IsEmpty()) return absl::OkStatus();
  set.object = table->object;
  set.keep_state = keep_state;
  set.values = std::string(values);
  engine_.Set(std::move(set));
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Request>> Runtime::GetRows(Table* table, absl::Span<const table::RowRun> rows,
                                                          uint64_t min_age, void* to, uint64_t to_bytes,
                                                          uint64_t* age) {
  GEEPS_RETURN_IF_ERROR(ReadyWalk().status());
  if (get_ != nullptr && !get_->done()) return WrongState("another get is under way: wait for its request first");
  GEEPS_ASSIGN_OR_RETURN(const table::RowSet set, CheckRows(*table, rows, to_bytes));
  const auto& committed = commit_job_->layout.tables;
  const bool exists = std::any_of(committed.begin(), committed.end(),
                                  [&](const plan::LayoutInput::Table& other) { return other.object == table->object; });
  if (!exists) return WrongState("table '", table->schema.name, "' is not committed yet");
  if (min_age != kAgeNow && min_age > clock()) {
    return Invalid("version ", min_age, " of table '", table->schema.name, "' at clock ", clock(),
                   ": the get would wait for this worker itself");
  }
  auto get = std::make_shared<movers::RowsGet>();
  get->age = table->schema.async ? 0 : std::min(min_age, clock());
  get->row_bytes = table->schema.row_bytes();
  Cut(set, *partitions_, table->map_index, get.get());
  {
    MutexLock lock(&get->mutex);
    get->to = static_cast<uint8_t*>(to);
    get->age_to = age;
  }
  auto request = std::make_shared<Request>();
  GEEPS_RETURN_IF_ERROR(request->Open());
  get->done = [request](const absl::Status& status) { request->Complete(status); };
  // The get owns the request until its end, not the other way round.
  const std::weak_ptr<movers::RowsGet> under_way = get;
  request->SetOnDrop([this, under_way] {
    const std::shared_ptr<movers::RowsGet> dropped = under_way.lock();
    if (dropped == nullptr) return;
    {
      MutexLock lock(&dropped->mutex);
      dropped->to = nullptr;
      dropped->age_to = nullptr;
    }
    engine_.GiveUp(dropped);
    dropped->done(MakeStatus(Code::kCancelled, "the get was dropped"));
  });
  if (get->parts.empty()) {
    if (age != nullptr) *age = clock();
    request->Complete(absl::OkStatus());
  } else {
    engine_.Get(std::move(get));  // the last that may fail
  }
  get_ = request;
  return request;
}

}  // namespace geeps::session
