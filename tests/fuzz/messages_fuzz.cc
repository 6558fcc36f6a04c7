// SPDX-License-Identifier: Apache-2.0
// Messages between workers: the header of every kind, what an epoch makes of it, and the row sets that are exchanged at
// a commit. What decodes is encoded to the same bytes again, and to no others.
#include <algorithm>

#include "runtime/base/status.h"
#include "runtime/plan/declaration.h"
#include "runtime/plan/layout.h"
#include "runtime/protocol/message.h"
#include "runtime/table/partition.h"
#include "tests/fuzz/fuzz.h"

namespace geeps::fuzz {
namespace {

using protocol::EpochVerdict;
using protocol::Header;
using protocol::MessageType;

constexpr uint32_t kPlansMax = 4;
// A run of rows takes two bytes there, and in memory 16 and its rank 8; a vector may have twice the room it needs, and
// a set is built from a vector of runs.
constexpr uint64_t kBytesPerByte = 64;
constexpr uint64_t kBytesAlways = 64 << 10;

void TryHeader(const std::string& bytes) {
  const absl::Span<const uint8_t> span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  Header header;
  header.table = 4711;
  const absl::Status status = protocol::DecodeHeader(span, &header);
  if (!status.ok()) {
    FUZZ_CHECK(DetailOf(status).code == Code::kData && !status.message().empty() && header.table == 4711);
    return;
  }
  FUZZ_CHECK(header.params.num <= protocol::kNumParamsMax);
  uint8_t again[protocol::kHeaderBytes];
  protocol::EncodeHeader(header, again);
  FUZZ_CHECK(std::memcmp(again, bytes.data(), sizeof again) == 0);
}

// A message is taken in the epoch that it names, and in no other one; what sets rows is of the next one.
void TryEpoch(Input* input) {
  const MessageType type = static_cast<MessageType>(1 + input->Below(10));
  const uint64_t own = input->Flag() ? input->Byte() : input->Number<uint64_t>() >> 1;
  const uint64_t epoch = input->Flag() ? own + input->Below(5) - 2 : input->Number<uint64_t>();
  const EpochVerdict verdict = protocol::JudgeEpoch(type, epoch, own);
  const bool sets = type == MessageType::kSet || type == MessageType::kAck;
  const bool takes = sets ? epoch == own + 1 : epoch == own && own > 0;
  FUZZ_CHECK((verdict == EpochVerdict::kTake) == takes);
  if (verdict == EpochVerdict::kWait) FUZZ_CHECK(epoch == own + 1);
  if (verdict == EpochVerdict::kDrop) FUZZ_CHECK(epoch > 0 && epoch < own);
}

table::PartitionMap MakeMap(Input* input) {
  table::PartitionMap map(1 + input->Below(3));
  const uint32_t num_tables = 1 + input->Below(3);
  for (uint32_t i = 0; i < num_tables; ++i) {
    table::TableSchema schema;
    schema.num_rows = 1 + input->Number<uint16_t>();
    schema.row_values = 1 + input->Below(4);
    schema.partition_bytes = table::kPartitionBytesMin;
    FUZZ_CHECK(map.Append(schema).ok());
  }
  return map;
}

void TrySets(Input* input) {
  const table::PartitionMap map = MakeMap(input);
  const uint32_t keeper = input->Below(map.world());
  const uint32_t num_plans = input->Below(kPlansMax);
  const std::string bytes = input->Rest();
  const Meter meter;
  const auto sets = plan::DecodeSets(bytes, map.partitions(), keeper, num_plans);
  FUZZ_CHECK(meter.peak_bytes() <= kBytesAlways + kBytesPerByte * bytes.size());
  if (!sets.ok()) {
    FUZZ_CHECK(DetailOf(sets.status()).code == Code::kData && !sets.status().message().empty());
    return;
  }
  // Each in a table of its own: the mark of an observer is the table's.
  plan::WorkerLayout layout;
  layout.plans.resize(num_plans);
  for (const plan::PartitionSets& set : *sets) {
    FUZZ_CHECK(map.partition(set.partition).keeper == keeper && set.updates.size() == num_plans);
    const table::Partition& partition = map.partition(set.partition);
    for (const table::RowRun& run : set.reads.runs()) {
      FUZZ_CHECK(run.first >= partition.first_row && run.end() <= partition.end_row());
    }
    FUZZ_CHECK(!plan::DescribeRows(set.reads).empty());
    layout.tables.emplace_back();
    layout.tables.back().observer = set.observer;
    layout.tables.back().subscriptions.emplace_back();
    plan::Subscription& subscription = layout.tables.back().subscriptions.back();
    subscription.partition = set.partition;
    subscription.reads = set.reads;
    subscription.updates = set.updates;
  }
  FUZZ_CHECK(plan::EncodeSets(layout, map.partitions(), keeper) == bytes);
}

// --- seeds ---

std::string Encoded(const Header& header) {
  uint8_t bytes[protocol::kHeaderBytes];
  protocol::EncodeHeader(header, bytes);
  return std::string(reinterpret_cast<const char*>(bytes), sizeof bytes);
}

// One of each type with all fields that it has.
std::string SampleHeader(MessageType type) {
  Header header;
  header.type = type;
  header.table = 1;
  header.partition = 2;
  header.set_id = 3;
  header.epoch = 4;
  header.sequence = 5;
  header.clock = 6;
  header.own_clock = 7;
  header.sent_ns = 8;
  header.fired_ns = 9;
  header.params.num = 2;
  header.params.values[0] = 0.5;
  header.num_missing = 3;
  header.missing[1] = 1;
  header.call = 10;
  header.first_row = 11;
  header.num_rows = 12;
  return Encoded(header);
}

// World 2 and one table of 2000 rows of 4 values: its partitions have 256 rows.
Seed SetsOf(uint32_t num_plans) {
  return Seed().Byte(2).Byte(1).Byte(0).Number(uint16_t{1999}).Byte(3).Byte(0).Byte(num_plans);
}

std::string SampleSets(bool observer) {
  table::PartitionMap map(2);
  table::TableSchema schema;
  schema.num_rows = 2000;
  schema.row_values = 4;
  schema.partition_bytes = table::kPartitionBytesMin;
  (void)map.Append(schema).ok();
  plan::WorkerLayout layout;
  layout.plans.resize(observer ? 1 : 2);
  layout.tables.emplace_back();
  layout.tables[0].observer = observer;
  for (uint32_t id = 0; id < map.num_partitions(); ++id) {
    const table::Partition& partition = map.partition(id);
    plan::Subscription subscription;
    subscription.partition = id;
    subscription.reads = table::RowSet::Union(table::RowSet::Range(partition.first_row, 3),
                                              table::RowSet::Range(partition.first_row + 5, 1));
    subscription.updates.resize(layout.plans.size());
    if (!observer) subscription.updates[1] = table::RowSet::Range(partition.first_row, partition.num_rows);
    layout.tables[0].subscriptions.push_back(subscription);
  }
  return plan::EncodeSets(layout, map.partitions(), 0);
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  for (uint32_t type = 1; type <= 10; ++type) {
    const std::string bytes = SampleHeader(static_cast<MessageType>(type));
    seeds.push_back(Seed().Byte(0).Raw(bytes));
    for (const size_t place : {size_t{1}, size_t{2}, size_t{110}, size_t{119}}) {
      std::string wrong = bytes;
      wrong[place] = '\x7f';
      seeds.push_back(Seed().Byte(0).Raw(wrong));
    }
    for (uint32_t distance = 0; distance < 5; ++distance) {
      seeds.push_back(Seed().Byte(1).Byte(type - 1).Byte(1).Byte(7).Byte(1).Byte(distance));
    }
  }
  seeds.push_back(Seed().Byte(0).Raw(std::string(127, '\1')));
  seeds.push_back(Seed().Byte(0).Raw(std::string(128, '\0')));
  const std::string sets = SampleSets(false);
  seeds.push_back(SetsOf(2).Raw(sets));
  seeds.push_back(SetsOf(1).Raw(sets));
  seeds.push_back(SetsOf(1).Raw(SampleSets(true)));
  for (size_t at = 0; at < std::min<size_t>(sets.size(), 16); ++at) {
    std::string wrong = sets;
    wrong[at] ^= 1;
    seeds.push_back(SetsOf(2).Raw(wrong));
  }
  seeds.push_back(SetsOf(2).Raw(sets.substr(0, sets.size() / 2)));
  seeds.push_back(SetsOf(2).Raw(sets + "x"));
  seeds.push_back(SetsOf(2).Raw(std::string(11, '\xff')));
  seeds.push_back(SetsOf(2).Raw(std::string("\x82\0", 2)));
  std::string nobody("\2\1\1\0\0\0\0", 7);
  seeds.push_back(SetsOf(1).Raw(nobody));
  std::string active("\2\1\1\0\1\1\0\3\1\0\3", 11);
  seeds.push_back(SetsOf(1).Raw(active));
  const std::string touching("\2\1\1\0\0\2\0\3\0\2\1\0\1", 13);
  seeds.push_back(SetsOf(1).Raw(touching));
  const std::string long_form("\2\1\1\0\0\1\x80\0\3\1\0\1", 12);
  seeds.push_back(SetsOf(1).Raw(long_form));
  return seeds;
}

}  // namespace geeps::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace geeps::fuzz;  // NOLINT
  Input input(data, size);
  switch (input.Below(3)) {
    case 0:
      TryHeader(input.Rest());
      break;
    case 1:
      TryEpoch(&input);
      break;
    default:
      TrySets(&input);
      break;
  }
  return 0;
}
