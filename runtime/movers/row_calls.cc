// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/row_calls.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/cache/shard.h"
#include "runtime/movers/keeper.h"

namespace geeps::movers {

using protocol::Header;
using protocol::kHeaderBytes;
using protocol::MessageType;

namespace {

// The header, and room for the payload.
std::string Message(Header header, uint64_t epoch, uint64_t bytes) {
  header.epoch = epoch;
  std::string message(kHeaderBytes + bytes, '\0');
  uint8_t encoded[kHeaderBytes];
  protocol::EncodeHeader(header, encoded);
  std::memcpy(message.data(), encoded, kHeaderBytes);
  return message;
}

}  // namespace

void RowCalls::Send(uint32_t rank, const Header& header, uint64_t epoch, const uint8_t* payload, uint64_t bytes) {
  std::string message = Message(header, epoch, bytes);
  if (bytes > 0) std::memcpy(message.data() + kHeaderBytes, payload, bytes);
  SendMessage(rank, std::move(message));
}

void RowCalls::SendRows(uint32_t rank, const Header& header, const cache::Home& home, const uint8_t* values,
                        uint64_t bytes) {
  std::string message = Message(header, context_->epoch->number, bytes);
  // The thread may sleep until the values are copied: what the turn has collected does not wait for that.
  if (!context_->Check(context_->Flush())) return;
  const absl::Status read = cache::ReadValues(home, values, bytes, message.data() + kHeaderBytes);
  if (context_->Check(read)) SendMessage(rank, std::move(message));
}

void RowCalls::SendMessage(uint32_t rank, std::string message) {
  if (rank == context_->rank) {
    post_([this, rank, message = std::move(message)] { OnRelay(rank, message); });
    return;
  }
  context_->Check(control_->Relay(rank, kRelayRows, message));
}

void RowCalls::OnRelay(uint32_t src, std::string bytes) {
  Header header;
  const size_t header_bytes = std::min(bytes.size(), kHeaderBytes);
  const absl::Status decoded = protocol::DecodeHeader(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes.data()), header_bytes), &header);
  if (!decoded.ok()) return context_->Refuse(src, std::string(decoded.message()));
  const uint64_t own = context_->epoch == nullptr ? 0 : context_->epoch->number;
  switch (protocol::JudgeEpoch(header.type, header.epoch, own)) {
    case protocol::EpochVerdict::kDrop:
      return;
    case protocol::EpochVerdict::kWait:
      if (early_[src].size() >= protocol::kGetsInFlight)
        return context_->Refuse(src, "too many messages of the next epoch");
      early_[src].push_back(std::move(bytes));
      return;
    case protocol::EpochVerdict::kRefuse:
      return context_->Refuse(src, absl::StrCat("a message about rows of epoch ", header.epoch, " in epoch ", own));
    case protocol::EpochVerdict::kTake:
      break;
  }
  const bool has_payload = header.type == MessageType::kGot || header.type == MessageType::kSet;
  if (!has_payload && bytes.size() > kHeaderBytes) {
    return context_->Refuse(
        src, absl::StrCat(bytes.size() - kHeaderBytes, " bytes behind a message about rows that has none"));
  }
  switch (header.type) {
    case MessageType::kGet:
      return OnGet(src, header);
    case MessageType::kGot:
      return OnGot(src, header, bytes);
    case MessageType::kSet:
      return OnSet(src, header, std::move(bytes));
    case MessageType::kAck:
      return OnAck(src, header);
    default:
      context_->Refuse(src,
                       absl::StrCat("a message of type ", static_cast<int>(header.type), " through the coordinator"));
  }
}

uint32_t RowCalls::FindKept(const Epoch& epoch, uint32_t rank, const Header& header) {
  const uint32_t index =
      header.partition < epoch.kept_of_partition.size() ? epoch.kept_of_partition[header.partition] : kNone;
  if (index == kNone || header.num_rows == 0 || header.first_row >= epoch.kept[index].num_rows ||
      header.num_rows > epoch.kept[index].num_rows - header.first_row) {
    context_->Refuse(rank, absl::StrCat(header.num_rows, " rows from row ", header.first_row, " on of partition ",
                                        header.partition, ", which rank ", context_->rank, " does not keep so"));
    return kNone;
  }
  return index;
}

// --- get ---

void RowCalls::Get(std::shared_ptr<RowsGet> get) {
  if (get_ != nullptr) GiveUp(get_);  // it was dropped when there was no memory to say so
  get_ = std::move(get);
  protocol::Getter::Effects effects;
  getter_.Begin(++num_gets_, get_->age, get_->parts, &effects);
  Execute(effects, nullptr);
}

void RowCalls::GiveUp(const std::shared_ptr<RowsGet>& get) {
  if (get_ != get) return;
  getter_.GiveUp();
  get_ = nullptr;
}

void RowCalls::Execute(const protocol::Getter::Effects& effects, const uint8_t* payload) {
  for (const protocol::GetterEffect& effect : effects) {
    switch (effect.kind) {
      case protocol::GetterEffect::Kind::kAsk: {
        const protocol::GetPart& part = getter_.part(effect.index);
        Header header;
        header.type = MessageType::kGet;
        header.partition = part.partition;
        header.clock = get_->age;
        header.call = num_gets_;
        header.first_row = part.first_row;
        header.num_rows = part.num_rows;
        Send(part.keeper, header, context_->epoch->number, nullptr, 0);
        break;
      }
      case protocol::GetterEffect::Kind::kTake:
        TakePart(effect.index, payload);
        break;
      case protocol::GetterEffect::Kind::kDone: {
        {
          MutexLock lock(&get_->mutex);
          if (get_->age_to != nullptr) *get_->age_to = effect.age;
        }
        EndGet(absl::OkStatus());
        break;
      }
    }
  }
}

void RowCalls::TakePart(uint32_t index, const uint8_t* payload) {
  MutexLock lock(&get_->mutex);
  if (get_->to == nullptr) return;
  for (const RowsGet::Piece& piece : get_->pieces[index]) {
    std::memcpy(get_->to + piece.to * get_->row_bytes, payload + piece.from * get_->row_bytes,
                piece.rows * get_->row_bytes);
  }
}

void RowCalls::EndGet(const absl::Status& status) {
  const std::shared_ptr<RowsGet> get = std::move(get_);
  get_ = nullptr;
  {
    MutexLock lock(&get->mutex);
    get->to = nullptr;
    get->age_to = nullptr;
  }
  get->done(status);
}

void RowCalls::OnGet(uint32_t rank, const Header& header) {
  const uint32_t index = FindKept(*context_->epoch, rank, header);
  if (index == kNone) return;
  if (!gets_.Add({rank, header.partition, header.call, header.clock, header.first_row, header.num_rows})) {
    return context_->Refuse(rank, absl::StrCat("more than ", protocol::kGetsInFlight, " gets under way"));
  }
  context_->keeper->OnGet(index, header.clock);
}

void RowCalls::Answer(uint32_t index, const protocol::KeeperEffect& effect) {
  const Kept& kept = context_->epoch->kept[index];
  const uint64_t row_bytes = context_->epoch->tables[kept.table].schema.row_bytes();
  const uint8_t* const values = context_->keeper->VersionValues(kept, effect.age);
  served_.clear();
  gets_.Take(kept.partition, effect.clock, &served_);
  for (const protocol::WaitingGet& get : served_) {
    Header header;
    header.type = MessageType::kGot;
    header.flags = effect.flags;
    header.partition = kept.partition;
    header.clock = effect.age;
    header.call = get.call;
    header.first_row = get.first_row;
    header.num_rows = get.num_rows;
    SendRows(get.rank, header, *kept.shard->home, values + get.first_row * row_bytes, get.num_rows * row_bytes);
  }
  context_->keeper->OnAnswered(index, gets_.Smallest(kept.partition));
}

void RowCalls::OnGot(uint32_t rank, const Header& header, const std::string& bytes) {
  const Epoch& epoch = *context_->epoch;
  const uint32_t table =
      header.partition < epoch.table_of_partition.size() ? epoch.table_of_partition[header.partition] : kNone;
  const uint64_t wanted = table == kNone ? 0 : header.num_rows * epoch.tables[table].schema.row_bytes();
  protocol::Getter::Effects effects;
  if (table == kNone || bytes.size() - kHeaderBytes != wanted || !getter_.OnGot(rank, header, &effects)) {
    return context_->Refuse(
        rank, absl::StrCat("it answered a get that was not made so: ", header.num_rows, " rows from row ",
                           header.first_row, " on of partition ", header.partition, " at version ", header.clock,
                           ", in ", bytes.size() - kHeaderBytes, " bytes"));
  }
  Execute(effects, reinterpret_cast<const uint8_t*>(bytes.data()) + kHeaderBytes);
}

// --- set ---

void RowCalls::Set(RowsSet set) { sets_[exchange_.OnSet()] = std::move(set); }

// What was offered is cut by partitions and runs of rows. A table that has gone meanwhile takes its sets with it.
void RowCalls::OnAllBuilt(const EpochInput& input) {
  std::vector<protocol::SetPart> parts;
  part_values_.clear();
  for (auto it = sets_.lower_bound(exchange_.first_offered()); it != sets_.end() && it->first < exchange_.end_offered();
       ++it) {
    const RowsSet& set = it->second;
    for (const plan::LayoutInput::Table& table : input.layout.tables) {
      if (table.object != set.object) continue;
      const uint64_t row_bytes = table.schema.row_bytes();
      for (uint32_t p = table.first_partition; p < table.first_partition + table.num_partitions; ++p) {
        const table::Partition& partition = input.layout.partitions[p];
        const table::RowSet here = set.rows.IntersectRange(partition.first_row, partition.num_rows);
        for (const table::RowRun& run : here.runs()) {
          parts.push_back({it->first, partition.keeper, p, static_cast<uint32_t>(run.first - partition.first_row),
                           static_cast<uint32_t>(run.count), set.keep_state});
          part_values_.push_back(
              {reinterpret_cast<const uint8_t*>(set.values.data()) + set.rows.RankOf(run.first) * row_bytes,
               run.count * row_bytes});
        }
      }
    }
  }
  std::vector<uint32_t> send;
  exchange_.Begin(std::move(parts), &send);
  SendSets(send);
}

void RowCalls::SendSets(const std::vector<uint32_t>& indexes) {
  for (uint32_t index : indexes) {
    const protocol::SetPart& part = exchange_.part(index);
    Header header;
    header.type = MessageType::kSet;
    header.flags = part.keep_state ? protocol::kFlagKeepState : 0;
    header.partition = part.partition;
    header.call = part.call;
    header.first_row = part.first_row;
    header.num_rows = part.num_rows;
    Send(part.keeper, header, next_->number, part_values_[index].values, part_values_[index].bytes);
  }
}

void RowCalls::OnSet(uint32_t rank, const Header& header, std::string bytes) {
  if (next_ == nullptr) return context_->Refuse(rank, "it sent rows that it has set, where no fence takes them in");
  const uint32_t index = FindKept(*next_, rank, header);
  if (index == kNone) return;
  const uint64_t wanted = header.num_rows * next_->tables[next_->kept[index].table].schema.row_bytes();
  if (bytes.size() - kHeaderBytes != wanted) {
    return context_->Refuse(rank,
                            absl::StrCat("it set ", header.num_rows, " rows of partition ", header.partition, " in ",
                                         bytes.size() - kHeaderBytes, " bytes, where ", wanted, " were due"));
  }
  const bool keep_state = (header.flags & protocol::kFlagKeepState) != 0;
  const uint32_t place = static_cast<uint32_t>(staged_.size());
  staged_.push_back(std::move(bytes));
  if (!exchange_.OnSetMessage(
          {rank, header.call, header.partition, header.first_row, header.num_rows, keep_state, place})) {
    return context_->Refuse(rank,
                            absl::StrCat("it sent rows of its set ", header.call, " behind those of a later one"));
  }
  Header ack;
  ack.type = MessageType::kAck;
  ack.partition = header.partition;
  ack.call = header.call;
  Send(rank, ack, next_->number, nullptr, 0);
}

void RowCalls::OnAck(uint32_t rank, const Header& header) {
  std::vector<uint32_t> send;
  if (next_ == nullptr || !exchange_.OnAck(rank, header.partition, header.call, &send)) {
    return context_->Refuse(
        rank, absl::StrCat("it acknowledged rows of partition ", header.partition, " that it was not sent"));
  }
  SendSets(send);
}

// No work of the device on the shard is under way: all clocks before the fence are applied, and the epoch has not
// begun.
void RowCalls::PutRows(const Epoch& epoch, const protocol::StagedSet& set) {
  const Kept& kept = epoch.kept[epoch.kept_of_partition[set.partition]];
  context_->Check(cache::WriteRows(epoch.tables[kept.table].schema, set.first_row, set.num_rows,
                                   staged_[set.place].data() + kHeaderBytes, set.keep_state, kept.shard.get()));
}

void RowCalls::OnBegin(Epoch* next) {
  for (const protocol::StagedSet& set : exchange_.OnGo()) PutRows(*next, set);
  sets_.erase(sets_.begin(), sets_.lower_bound(exchange_.done()));
  staged_.clear();
  part_values_.clear();
  next_ = nullptr;
  gets_.Clear();
  getter_.OnEpoch();  // no get is under way: this worker has entered a fence
  for (auto& [rank, messages] : std::exchange(early_, {})) {
    for (std::string& bytes : messages) {
      post_([this, rank = rank, bytes = std::move(bytes)] { OnRelay(rank, bytes); });
    }
  }
}

void RowCalls::OnFail() {
  exchange_.OnFail();
  staged_.clear();
  part_values_.clear();
  next_ = nullptr;
}

void RowCalls::OnLatched(const absl::Status& cause) {
  if (get_ != nullptr) EndGet(cause);
}

}  // namespace geeps::movers
