// SPDX-License-Identifier: Apache-2.0
// World: gets (R12): a second thread of each program reads rows of any table, while its passes go on.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/world.h"

namespace geeps::sim {

using protocol::GetPart;
using protocol::GetterEffect;
using protocol::Header;
using protocol::KeeperEffect;
using protocol::MessageType;

// The next get may begin: its clock has come, and none is under way.
void World::PokeGets(uint32_t w) {
  const WorkerState& worker = state_.workers[w];
  const std::vector<Get>& gets = worker.gets.list;
  if (worker.gets.next == gets.size() || worker.stopped || !worker.gets.machine.idle() || worker.gets.scheduled) return;
  if (worker.program.clock < gets[worker.gets.next].at) return;
  state_.workers[w].gets.scheduled = true;
  Schedule({Event::Kind::kGet, w});
}

void World::BeginGet(uint32_t w) {
  GetState& gets = state_.workers[w].gets;
  gets.scheduled = false;
  if (gets.next == gets.list.size()) return;  // it goes on in the next epoch
  const Get get = gets.list[gets.next];
  std::vector<GetPart> parts;
  for (uint32_t p = 0; p < spec_->partitions.size(); ++p) {
    const table::Partition& where = spec_->partitions[p].where;
    const uint64_t first = std::max(where.first_row, get.first_row);
    const uint64_t end = std::min(where.end_row(), get.first_row + get.num_rows);
    if (where.table != get.table || first >= end) continue;
    parts.push_back(
        {p, where.keeper, static_cast<uint32_t>(first - where.first_row), static_cast<uint32_t>(end - first)});
  }
  gets.values.assign(parts.size(), {});
  gets.ages.assign(parts.size(), protocol::kNoAge);
  protocol::Getter::Effects effects;
  const bool async = spec_->input.tables[get.table].async;
  gets.machine.Begin(++gets.call, async ? 0 : get.age, std::move(parts), &effects);
  RunGetter(w, effects);
}

void World::RunGetter(uint32_t w, const protocol::Getter::Effects& effects) {
  GetState& gets = state_.workers[w].gets;
  const Get get = gets.list[gets.next];
  for (const GetterEffect& effect : effects) {
    switch (effect.kind) {
      case GetterEffect::Kind::kAsk: {
        const GetPart& part = gets.machine.part(effect.index);
        Message message;
        message.header.type = MessageType::kGet;
        message.header.table = get.table;
        message.header.partition = part.partition;
        message.header.clock = effect.age;
        message.header.call = gets.call;
        message.header.first_row = part.first_row;
        message.header.num_rows = part.num_rows;
        Send(w, part.keeper, std::move(message));
        break;
      }
      case GetterEffect::Kind::kTake: {
        const GetPart& part = gets.machine.part(effect.index);
        const uint32_t num_values = part.num_rows * spec_->lanes(get.table);
        const uint32_t landing = spec_->workers[w].answers[part.partition];
        const double* values = state_.memory.at(landing);
        gets.values[effect.index].assign(values, values + num_values);
        gets.ages[effect.index] = effect.age;
        state_.memory.Poison(landing, num_values);
        break;
      }
      case GetterEffect::Kind::kDone:
        EndGet(w, effect.age);
        break;
    }
  }
}

// smallest: the age that the call returns.
void World::EndGet(uint32_t w, protocol::Age smallest) {
  GetState& gets = state_.workers[w].gets;
  const Get get = gets.list[gets.next];
  const bool async = spec_->input.tables[get.table].async;
  if (!async && smallest < get.age) {
    Fail(absl::StrCat("worker ", w, ": a get for version ", get.age, " returns version ", smallest));
  }
  ReadRecord record;
  record.reader = w;
  record.operation = kNone;
  record.table = get.table;
  record.clock = get.age;
  record.get = true;
  for (uint64_t row = get.first_row; row < get.first_row + get.num_rows; ++row) record.rows.push_back(row);
  for (const std::vector<double>& values : gets.values)
    record.values.insert(record.values.end(), values.begin(), values.end());
  if (!async) record.claimed = gets.ages;
  Judge(record);
  ++gets.next;
  PokeGets(w);
}

void World::DeliverGet(const Message& message, uint32_t from, uint32_t to) {
  const Header& header = message.header;
  const bool taken = state_.workers[to].waiting_gets->Add(
      {from, header.partition, header.call, header.clock, header.first_row, header.num_rows});
  if (!taken) return Fail(absl::StrCat("worker ", to, ": a GET of worker ", from, " is one too many"));
  std::vector<KeeperEffect> effects;
  state_.keepers[header.partition].machine->OnGet(header.clock, &effects);
  RunKeeper(header.partition, &effects);
}

void World::Answer(uint32_t p, const KeeperEffect& effect) {
  const PartitionSpec& partition = spec_->partitions[p];
  const uint32_t t = partition.where.table;
  std::vector<protocol::WaitingGet> served;
  state_.workers[partition.where.keeper].waiting_gets->Take(p, effect.clock, &served);
  state_.keepers[p].num_answers = static_cast<uint32_t>(served.size());
  if (served.empty()) Fail(absl::StrCat("partition ", p, ": an answer for nobody"));
  for (const protocol::WaitingGet& get : served) {
    Message message;
    message.header.type = MessageType::kGot;
    message.header.flags = effect.flags;
    message.header.table = t;
    message.header.partition = p;
    message.header.clock = effect.age;
    message.header.call = get.call;
    message.header.first_row = get.first_row;
    message.header.num_rows = get.num_rows;
    message.payload = true;
    message.source = partition.versions[effect.from] + get.first_row * spec_->lanes(t);
    message.destination = spec_->workers[get.rank].answers[p];
    message.num_values = get.num_rows * spec_->lanes(t);
    BeginRead(message.source, message.num_values, "an answer");
    BeginWrite(message.destination, message.num_values, "an answer");
    CopyHalf(message.source, message.destination, message.num_values, spec_->lanes(t), 0);
    Send(partition.where.keeper, get.rank, std::move(message));
  }
}

// One of the answers under way is out of the version buffer.
void World::AnswerSent(uint32_t p) {
  KeeperState& keeper = state_.keepers[p];
  if (--keeper.num_answers > 0) return;
  std::vector<KeeperEffect> effects;
  const uint32_t rank = spec_->partitions[p].where.keeper;
  keeper.machine->OnAnswered(state_.workers[rank].waiting_gets->Smallest(p), &effects);
  RunKeeper(p, &effects);
}

void World::DeliverGot(const Message& message, uint32_t from, uint32_t to) {
  protocol::Getter::Effects effects;
  if (!state_.workers[to].gets.machine.OnGot(from, message.header, &effects)) {
    return Fail(absl::StrCat("worker ", to, ": an answer of worker ", from, " for partition ", message.header.partition,
                             " with version ", message.header.clock, " was not asked for, or is too old"));
  }
  RunGetter(to, effects);
}

void World::MoveGets(uint32_t w, World* next) {
  GetState& gets = state_.workers[w].gets;
  GetState& out = next->state_.workers[w].gets;
  state_.workers[w].waiting_gets->Clear();
  gets.machine.OnEpoch();
  out.machine = gets.machine;
  out.list.insert(out.list.begin(), gets.list.begin() + static_cast<ptrdiff_t>(gets.next), gets.list.end());
  out.call = gets.call;
  gets.list.resize(gets.next);
}

}  // namespace geeps::sim
