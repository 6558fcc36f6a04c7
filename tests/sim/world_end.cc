// SPDX-License-Identifier: Apache-2.0
// World: a state as a whole: what must hold when nothing moves any more, and the digest by which states are told apart.
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/world.h"

namespace geeps::sim {

void World::CheckEnd() {
  if (!finished()) return Fail(absl::StrCat("deadlock: ", DescribeWaits()));
  CheckCopiesOfAll();
  if (!state_.memory.Idle(0, state_.memory.size())) Fail("at the end somebody still reads or writes");
}

void World::CheckCopiesOfAll() {
  for (uint32_t p = 0; p < spec_->partitions.size(); ++p) {
    const bool async = spec_->input.tables[spec_->partitions[p].where.table].async;
    std::string wrong = async ? CheckAsyncCopies(p) : CheckCopies(p);
    if (!wrong.empty()) return Fail(std::move(wrong));
  }
}

// Every copy of a bounded table is the last version.
std::string World::CheckCopies(uint32_t p) const {
  const PartitionSpec& partition = spec_->partitions[p];
  const uint32_t t = partition.where.table;
  const protocol::KeeperPartition& keeper = *state_.keepers[p].machine;
  std::vector<uint64_t> rows;
  for (uint64_t row = partition.where.first_row; row < partition.where.end_row(); ++row) rows.push_back(row);
  const Reference& reference = checker_ != nullptr ? checker_->reference() : *reference_;
  const uint32_t version = partition.versions[keeper.VersionBuffer(keeper.age())];
  std::string wrong = CheckCopy(reference, partition.where.keeper, t, keeper.age(), rows,
                                absl::MakeConstSpan(state_.memory.at(version), partition.num_values));
  for (const ParticipantSpec& participant : partition.participants) {
    if (!wrong.empty()) break;
    const SubscriptionSpec& subscription =
        spec_->workers[participant.rank].tables[t].subscriptions[participant.subscription];
    const protocol::Age age = state_.workers[participant.rank].subscribers[t][participant.subscription].absorbed();
    if (age != keeper.age()) {
      return absl::StrCat("at the end worker ", participant.rank, " has absorbed version ", age, " of partition ", p,
                          ", kept is ", keeper.age());
    }
    if (participant.mapped) continue;
    rows.clear();
    for (uint32_t row : participant.read_rows) rows.push_back(partition.where.first_row + row);
    wrong = CheckCopy(reference, participant.rank, t, age, rows,
                      absl::MakeConstSpan(state_.memory.at(subscription.cache), subscription.num_values));
  }
  return wrong;
}

// The keeper of an async table has every contribution; each participant has an answer to all of its own.
std::string World::CheckAsyncCopies(uint32_t p) const {
  const PartitionSpec& partition = spec_->partitions[p];
  const uint32_t t = partition.where.table;
  const Reference& reference = checker_ != nullptr ? checker_->reference() : *reference_;
  ReadRecord kept;
  kept.reader = partition.where.keeper;
  kept.table = t;
  for (uint64_t row = partition.where.first_row; row < partition.where.end_row(); ++row) kept.rows.push_back(row);
  const double* values = state_.memory.at(partition.versions[0]);
  kept.values.assign(values, values + partition.num_values);
  SeenAges seen;
  seen.partition = p;
  std::string wrong;
  if (spec_->checked.tables[t].lanes) {
    wrong = CheckCut(reference, kept, 0, kept.rows.size(), true, &seen);
  } else if (reference.NumPending(p) > 0) {
    wrong = absl::StrCat("partition ", p, ": ", reference.NumPending(p), " rows were added and not applied");
  } else {
    wrong = CheckCopy(reference, kept.reader, t, state_.keepers[p].machine->age(), kept.rows, kept.values);
  }
  if (!wrong.empty()) return absl::StrCat("at the end, at the keeper: ", wrong);
  for (const ParticipantSpec& participant : partition.participants) {
    const WorkerState& worker = state_.workers[participant.rank];
    const protocol::SubscriberPartition& subscriber = worker.subscribers[t][participant.subscription];
    const protocol::Clock own_clock = subscriber.own_clock();
    if (participant.observer) {
      const protocol::Age kept_age = state_.keepers[p].machine->age();
      if (subscriber.absorbed() == kept_age) continue;
      return absl::StrCat("at the end observer ", participant.rank, " has absorbed version ", subscriber.absorbed(),
                          " of partition ", p, ", kept is ", kept_age);
    }
    if (own_clock != worker.program.clock && !partition.options.frozen) {
      return absl::StrCat("at the end worker ", participant.rank, " at clock ", worker.program.clock,
                          " is answered up to clock ", own_clock, " at partition ", p);
    }
    ReadRecord copy;
    copy.reader = participant.rank;
    copy.table = t;
    copy.clock = worker.program.clock;
    for (uint32_t row : participant.read_rows) copy.rows.push_back(partition.where.first_row + row);
    values = state_.memory.at(spec_->workers[participant.rank].tables[t].subscriptions[participant.subscription].cache);
    copy.values.assign(values, values + copy.rows.size() * spec_->lanes(t));
    if (spec_->checked.tables[t].lanes) copy.claimed = {own_clock};
    std::vector<SeenAges> ages;
    wrong = CheckRead(reference, copy, &ages);
    if (!wrong.empty()) return absl::StrCat("at the end: ", wrong);
  }
  return "";
}

uint64_t World::Digest() const {
  Hasher hasher;
  for (const KeeperState& keeper : state_.keepers) {
    hasher.Add(keeper.machine->StateDigest());
    hasher.Add(keeper.age_word);
    hasher.Add(keeper.num_answers);
    for (protocol::Clock seen : keeper.seen_fired) hasher.Add(seen);
  }
  for (const WorkerState& worker : state_.workers) {
    for (const auto& table : worker.subscribers) {
      for (const protocol::SubscriberPartition& subscriber : table) hasher.Add(subscriber.StateDigest());
    }
    for (const protocol::Contributor& contributor : worker.contributors) hasher.Add(contributor.StateDigest());
    for (protocol::Clock fired : worker.fired_words) hasher.Add(fired);
    hasher.Add(worker.sequencer->StateDigest());
    for (const auto& plan : worker.ops) {
      for (const OpState& op : plan) {
        hasher.Add(op.ready_pass);
        hasher.Add(op.taken_pass * 4 + (op.filling ? 1 : 0) + (op.draining ? 2 : 0));
        for (protocol::Age age : op.ages) hasher.Add(age);
      }
    }
    hasher.Add(worker.gets.machine.StateDigest());
    hasher.Add(worker.gets.next * 4 + (worker.gets.scheduled ? 1 : 0) + (worker.stopped ? 2 : 0));
    hasher.Add(worker.gets.list.size());
    for (protocol::Age age : worker.gets.ages) hasher.Add(age);
    for (const std::vector<double>& values : worker.gets.values) {
      for (double value : values) hasher.AddDouble(value);
    }
    hasher.Add(worker.waiting_gets->StateDigest());
    const ProgramState& program = worker.program;
    hasher.Add(program.pass_number * 4096 + program.step * 4 + (program.in_pass ? 2 : 0) + (program.waiting ? 1 : 0));
    hasher.Add((program.finished ? 1 : 0) + (program.fenced ? 2 : 0));
    hasher.Add(program.pass_index);
    for (const Notice& notice : worker.notices) hasher.Add(static_cast<uint64_t>(notice.kind) * 65536 + notice.op);
    for (const protocol::SequencerEffect& drain : worker.drains) hasher.Add(drain.set_id * 65536 + drain.op);
  }
  for (const Channel& channel : state_.channels) {
    hasher.Add(channel.messages.size());
    for (const Message& message : channel.messages) {
      const protocol::Header& header = message.header;
      hasher.Add(static_cast<uint64_t>(header.type) + header.flags * 16 + uint64_t{header.partition} * 65536 +
                 (message.taken ? 1ull << 63 : 0));
      hasher.Add(HashOf(header.table, header.set_id, header.clock, header.own_clock, header.call));
    }
  }
  state_.memory.AddTo(&hasher);
  // Events are a set: their order in the pool says nothing.
  uint64_t events = 0;
  for (const Event& event : pool_->events) {
    if (event.kind == Event::Kind::kNone || event.stage != stage_) continue;
    const uint64_t relative = event.kind == Event::Kind::kTaken ? event.c - state_.channels[event.a].head : event.c;
    events += HashOf(static_cast<uint64_t>(event.kind), event.worker, event.a, event.b, relative);
  }
  hasher.Add(events);
  return hasher.value();
}

}  // namespace geeps::sim
