// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/inquiry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/movers/keeper.h"
#include "runtime/movers/links.h"

namespace geeps::movers {
namespace {

// "rank 2", "ranks 2, 3", "ranks 0, 1, 2 and 61 more".
std::string NamesOf(const protocol::Header& header) {
  std::string names = header.num_missing == 1 ? "rank" : "ranks";
  const uint32_t num_listed = std::min(header.num_missing, protocol::kMissingListed);
  for (uint32_t i = 0; i < num_listed; ++i) absl::StrAppend(&names, i == 0 ? " " : ", ", header.missing[i]);
  if (header.num_missing > num_listed) absl::StrAppend(&names, " and ", header.num_missing - num_listed, " more");
  return names;
}

}  // namespace

// A read waits for versions, an update for a log entry, which goes on holding an old clock as long as a partition
// has not absorbed enough for it to leave.
uint32_t Inquiry::FindLate(const plan::PlannedOp& op, protocol::Clock clock) const {
  const EpochTable& table = context_->epoch->tables[op.table];
  const std::vector<plan::Subscription>& subscriptions = context_->epoch->layout.tables[op.table].subscriptions;
  uint32_t late = kNone;
  const auto age_of = [&](uint32_t i) {  // nothing absorbed is older than everything
    const protocol::Age age = table.subscribers[i].own_clock();
    return age == protocol::kNoAge ? 0 : age + 1;
  };
  const auto look_at = [&](uint32_t i) {
    if (late == kNone || age_of(i) < age_of(late)) late = i;
  };
  if (op.kind == plan::OpKind::kRead) {
    for (uint32_t i : op.subscriptions) {
      if (!table.subscribers[i].Serves(clock, op.slack)) look_at(i);
    }
  } else {
    for (uint32_t i = 0; i < subscriptions.size(); ++i) {
      if (table.lane_of[i] != kNone) look_at(i);
    }
  }
  return late == kNone ? kNone : subscriptions[late].partition;
}

void Inquiry::Ask(uint32_t set_id, uint32_t op, protocol::Clock clock, std::string what) {
  question_.reset();
  Epoch* const epoch = context_->epoch;
  if (epoch == nullptr || set_id >= epoch->layout.plans.size()) return;
  if (epoch->layout.plans[set_id].ops[op].kind == plan::OpKind::kLocal) {
    context_->log->Write(LogLevel::kWarning, "wait", absl::StrCat(what, ": its rows are being copied to the device"));
    return;
  }
  const uint32_t partition = FindLate(epoch->layout.plans[set_id].ops[op], clock);
  if (partition == kNone) return;
  question_ = Question{epoch->number, partition, std::move(what)};
  const uint32_t keeper = epoch->keeper_of_partition[partition];
  protocol::Header header;
  header.type = protocol::MessageType::kWho;
  header.partition = partition;
  if (keeper == context_->rank) {
    OnMissing(keeper, context_->keeper->MissingAt(partition));
  } else {
    context_->links->Send(keeper, GEEPS_TP_MAILBOX, header, nullptr, 0, Sent{});
  }
}

void Inquiry::OnMissing(uint32_t rank, const protocol::Header& header) {
  const Epoch& epoch = *context_->epoch;
  const bool is_asked = question_.has_value() && question_->epoch == epoch.number &&
                        question_->partition == header.partition &&
                        epoch.keeper_of_partition[question_->partition] == rank;
  if (!is_asked) return;
  std::string line = absl::StrCat(LineOf(*question_), "has version ", header.clock);
  if (header.num_missing > 0) {
    absl::StrAppend(&line, "; clock ", header.clock, " is missing from ", NamesOf(header));
  } else {
    absl::StrAppend(&line, "; nobody's clock is missing there: it is being applied or is on its way");
  }
  question_.reset();
  context_->log->Write(LogLevel::kWarning, "wait", line);
}

void Inquiry::OnNoAnswer() {
  if (!question_.has_value() || context_->epoch == nullptr || question_->epoch != context_->epoch->number) return;
  const uint32_t keeper = context_->epoch->keeper_of_partition[question_->partition];
  context_->log->Write(LogLevel::kWarning, "wait",
                       absl::StrCat(LineOf(*question_), "does not come, and rank ", keeper,
                                    " has not answered for as long again"));
}

std::string Inquiry::LineOf(const Question& question) const {
  const Epoch& epoch = *context_->epoch;
  const EpochTable& table = epoch.tables[epoch.table_of_partition[question.partition]];
  return absl::StrCat(question.what, ": partition ", question.partition - table.first_partition, " of table '",
                      table.schema.name, "', kept by rank ", epoch.keeper_of_partition[question.partition], ", ");
}

}  // namespace geeps::movers
