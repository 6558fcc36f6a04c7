// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/context.h"

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/movers/wait_sites.h"

namespace geeps::movers {

void MoverContext::Queue(const protocol::Sequencer::Effects& effects) {
  using Kind = protocol::SequencerEffect::Kind;
  for (const protocol::SequencerEffect& effect : effects) {
    if (effect.kind == Kind::kFill || effect.kind == Kind::kDrain) {
      const plan::PlannedOp& op = epoch->layout.plans[effect.set_id].ops[effect.op];
      for (uint32_t i : op.subscriptions) {
        protocol::SubscriberPartition& subscriber = epoch->tables[op.table].subscribers[i];
        if (op.kind == plan::OpKind::kRead) subscriber.OnFillBegun();
        if (effect.kind == Kind::kDrain) subscriber.OnAddBegun();
      }
    }
    actions.Push(effect);
  }
}

void MoverContext::GoOn(uint32_t set_id, uint32_t op, uint64_t clock) {
  Done done{Done::Kind::kFillEnd, set_id, op, GEEPS_OK, clock, 0, fill_order.Put()};
  Await(&fill_stream, kWaitForFill, done);
  done.kind = Done::Kind::kFillPut;
  actions.Push(done);
}

absl::Status MoverContext::Flush() {
  absl::Status first;
  for (MoverStream* stream : {&fill_stream, &drain_stream, &keep_stream, &host_keep_stream}) {
    const absl::Status status = stream->Flush();
    if (first.ok()) first = status;
  }
  return first;
}

void MoverContext::Refuse(uint32_t rank, const std::string& text) {
  StatusDetail detail;
  detail.code = Code::kData;
  detail.rank = static_cast<int32_t>(rank);
  fail(MakeStatus(detail, absl::StrCat("rank ", rank, " broke the protocol: ", text)));
}

void MoverContext::TraceDone(const Done& done) {
  if (trace == nullptr) return;
  const auto end = [&](TraceEvent::Kind kind, uint32_t first, uint32_t second) {
    TraceEnd(kind, first, second, done.clock, done.begin_ns);
  };
  switch (done.kind) {
    case Done::Kind::kUpload:
    case Done::Kind::kPosted:
    case Done::Kind::kFillPut:
    case Done::Kind::kFetch:
    case Done::Kind::kWriteBack:
      return;
    case Done::Kind::kFill:
    case Done::Kind::kFillEnd:
      return end(TraceEvent::Kind::kFill, done.first, done.second);
    case Done::Kind::kDrain:
      return end(TraceEvent::Kind::kDrain, done.first, done.second);
    case Done::Kind::kApply:
      return end(TraceEvent::Kind::kApply, epoch->kept[done.first].partition, 0);
    case Done::Kind::kGather: {
      const Kept& kept = epoch->kept[done.first];
      return end(TraceEvent::Kind::kGather, kept.partition, kept.participants[done.second].rank);
    }
    case Done::Kind::kDownload: {
      const EpochTable& table = epoch->tables[done.first];
      return end(TraceEvent::Kind::kDownload, table.contributor->options().partitions[done.second].partition, 0);
    }
    case Done::Kind::kAbsorb: {
      const uint32_t partition = epoch->layout.tables[done.first].subscriptions[done.second].partition;
      return end(TraceEvent::Kind::kAbsorb, partition, epoch->keeper_of_partition[partition]);
    }
  }
}

void MoverContext::TraceSent(const Sent& sent) {
  if (trace == nullptr) return;
  if (sent.kind == Sent::Kind::kContribution) {
    const protocol::ContributorOptions& options = epoch->tables[sent.first].contributor->options();
    const protocol::ContributorOptions::Partition& lane = options.partitions[sent.second];
    TraceEnd(TraceEvent::Kind::kContribution, lane.partition, epoch->keeper_of_partition[lane.partition], sent.clock,
             sent.begin_ns);
  } else if (sent.kind == Sent::Kind::kPublish) {
    const Kept& kept = epoch->kept[sent.first];
    TraceEnd(TraceEvent::Kind::kPublish, kept.partition, kept.participants[sent.second].rank, sent.clock,
             sent.begin_ns);
  }
}

std::shared_ptr<const TraceNames> NamesForTrace(const Epoch& epoch,
                                                const std::vector<std::shared_ptr<const plan::RecordedPlan>>& plans) {
  auto names = std::make_shared<TraceNames>();
  names->epoch = epoch.number;
  for (const std::shared_ptr<const plan::RecordedPlan>& plan : plans) {
    names->plans.push_back(plan->name);
    names->operations.emplace_back();
    for (uint32_t op = 0; op < plan->ops.size(); ++op) {
      names->operations.back().push_back(plan::NameOfOperation(*plan, op));
    }
  }
  for (const EpochTable& table : epoch.tables) names->tables.push_back(table.schema.name);
  for (uint32_t p = 0; p < epoch.table_of_partition.size(); ++p) {
    const uint32_t t = epoch.table_of_partition[p];
    names->partitions.push_back(t == kNone ? ""
                                           : absl::StrCat("table '", epoch.tables[t].schema.name, "' partition ",
                                                          p - epoch.tables[t].first_partition));
  }
  return names;
}

}  // namespace geeps::movers
