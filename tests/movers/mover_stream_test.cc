// SPDX-License-Identifier: Apache-2.0
// MoverStream over a deferred device that counts calls: what goes together, what goes before what, and what is told.
#include "runtime/movers/mover_stream.h"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <numeric>
#include <vector>

#include "runtime/base/status.h"

namespace geeps::movers {
namespace {

using Use = MoverStream::Use;

struct Calls {
  int copies = 0;
  int moves = 0;
  int applies = 0;
  int notices = 0;
};
Calls calls;
bool refuses_applies = false;

geeps_status Copy(geeps_dev_stream* stream, void* dst, const void* src, uint64_t bytes, geeps_error* err) {
  ++calls.copies;
  return device::DeferredDeviceTable()->copy(stream, dst, src, bytes, err);
}
geeps_status MoveRows(geeps_dev_stream* stream, const geeps_row_move* moves, uint64_t num_moves, geeps_error* err) {
  ++calls.moves;
  return device::DeferredDeviceTable()->move_rows(stream, moves, num_moves, err);
}
geeps_status Apply(geeps_dev_stream* stream, const geeps_apply* applies, uint64_t num_applies, geeps_error* err) {
  if (refuses_applies) return GEEPS_E_NOMEM;
  ++calls.applies;
  return device::DeferredDeviceTable()->apply(stream, applies, num_applies, err);
}
geeps_status Notify(geeps_dev_event* event, void (*fn)(void*, geeps_status), void* ctx, geeps_error* err) {
  ++calls.notices;
  return device::DeferredDeviceTable()->event_notify(event, fn, ctx, err);
}

const geeps_device* CountingTable() {
  static const geeps_device table = [] {
    geeps_device made = *device::DeferredDeviceTable();
    made.copy = Copy;
    made.move_rows = MoveRows;
    made.apply = Apply;
    made.event_notify = Notify;
    return made;
  }();
  return &table;
}

struct Fixture {
  Fixture() {
    calls = Calls();
    refuses_applies = false;
    CHECK(stream.Create(*device, &completions).ok());
    const geeps_row_run all = {0, 0, 4};
    index = device->CreateIndex(absl::MakeConstSpan(&all, 1), {}, 4, 4).value();
  }
  ~Fixture() { CHECK(Ended()); }

  bool Ended() { return completions.WaitUntilNoneIsDue(std::chrono::seconds(100)); }
  std::vector<uint32_t> Told() {
    CHECK(Ended());
    std::vector<Done> done;
    completions.Take(&done);
    std::vector<uint32_t> told;
    for (const Done& one : done) {
      CHECK(one.status == GEEPS_OK);
      told.push_back(one.first);
    }
    return told;
  }
  geeps_row_move Move(std::vector<float>* to, const std::vector<float>& from, uint32_t mode = GEEPS_MOVE_COPY) const {
    return device::MakeRowMove(mode, GEEPS_F32, to->size() / 4, to->data(), from.data(), index);
  }
  void Add(const geeps_row_move& move, uint32_t key, Use use, uint32_t number) {
    CHECK(stream.MoveRows(absl::MakeConstSpan(&move, 1), 4 * 4 * move.row_values, key, use).ok());
    CHECK(stream.Await("test", {Done::Kind::kFill, number}).ok());
  }

  std::unique_ptr<device::Device> device = device::Device::Create(CountingTable(), nullptr, -1, "seeded:5", 0).value();
  Completions completions{[] {}};
  MoverStream stream;
  device::RowIndex index;
};

TEST_CASE("MoverStream: independent moves of a thousand tables are one call and one notice, and each end is told") {
  Fixture f;
  const std::vector<float> from(8, 3);
  std::vector<std::vector<float>> to(1000, std::vector<float>(8, 0));
  for (uint32_t t = 0; t < 1000; ++t) f.Add(f.Move(&to[t], from), t, Use::kWrites, t);
  CHECK(calls.moves == 0);
  REQUIRE(f.stream.Flush().ok());
  std::vector<uint32_t> all(1000);
  std::iota(all.begin(), all.end(), 0);
  CHECK(f.Told() == all);
  CHECK(calls.moves == 1);
  CHECK(calls.notices == 1);
  for (const std::vector<float>& one : to) CHECK(one == from);
}

TEST_CASE("MoverStream: what depends on something collected sends that off first") {
  Fixture f;
  const std::vector<float> ones(4, 1);
  std::vector<float> cache(4, 0), other(4, 0), read(4, 0), again(4, 0);
  f.Add(f.Move(&cache, ones), 0, Use::kWrites, 0);
  f.Add(f.Move(&other, ones), 1, Use::kWrites, 1);
  CHECK(calls.moves == 0);
  f.Add(f.Move(&read, cache), 0, Use::kReads, 2);  // behind what writes it
  CHECK(calls.moves == 1);
  f.Add(f.Move(&again, cache), 0, Use::kReads, 3);  // beside another read
  CHECK(calls.moves == 1);
  f.Add(f.Move(&cache, ones, GEEPS_MOVE_ADD), 0, Use::kWrites, 4);
  CHECK(calls.moves == 2);
  f.Add(f.Move(&cache, ones, GEEPS_MOVE_ADD), 0, Use::kWrites, 5);  // writers do not go together
  CHECK(calls.moves == 3);
  REQUIRE(f.stream.Flush().ok());
  CHECK(calls.moves == 4);
  CHECK(f.Told() == std::vector<uint32_t>{0, 1, 2, 3, 4, 5});
  CHECK(read == ones);
  CHECK(again == ones);
  CHECK(cache == std::vector<float>(4, 3));
}

TEST_CASE("MoverStream: writers of parts of their own go together, a reader of the whole does not") {
  Fixture f;
  const std::vector<float> ones(4, 1);
  std::vector<float> first(4, 0), second(4, 0), read(4, 0);
  f.Add(f.Move(&first, ones), 7, Use::kWritesOwnPart, 0);
  f.Add(f.Move(&second, ones), 7, Use::kWritesOwnPart, 1);
  CHECK(calls.moves == 0);
  f.Add(f.Move(&read, second), 7, Use::kReads, 2);
  CHECK(calls.moves == 1);
  REQUIRE(f.stream.Flush().ok());
  CHECK(f.Told().size() == 3);
  CHECK(read == ones);
}

TEST_CASE("MoverStream: a copy runs at once, behind what uses the same; one behind a move follows it") {
  Fixture f;
  const std::vector<float> ones(4, 1), twos(4, 2);
  std::vector<float> cache(4, 0), read(4, 0), staged(4, 0), sent(4, 0);
  REQUIRE(f.stream.Copy(cache.data(), ones.data(), 16, 0, Use::kWritesOwnPart).ok());
  CHECK(calls.copies == 1);
  f.Add(f.Move(&read, cache), 0, Use::kReads, 0);
  REQUIRE(f.stream.Copy(cache.data(), twos.data(), 16, 0, Use::kWritesOwnPart).ok());
  CHECK(calls.moves == 1);  // the read was sent off before
  CHECK(calls.copies == 2);
  f.Add(f.Move(&staged, cache), 0, Use::kReads, 1);
  REQUIRE(f.stream.CopyBehind(sent.data(), staged.data(), 16, 0, Use::kReads).ok());
  REQUIRE(f.stream.Await("test", {Done::Kind::kGather, 2}).ok());
  CHECK(calls.copies == 2);
  REQUIRE(f.stream.Flush().ok());
  CHECK(f.Told() == std::vector<uint32_t>{0, 1, 2});
  CHECK(read == ones);
  CHECK(sent == twos);
}

TEST_CASE("MoverStream: applies keep their own segments and inputs") {
  Fixture f;
  constexpr int kTables = 50;
  std::vector<std::vector<float>> values(kTables, std::vector<float>(4, 1));
  std::vector<std::vector<float>> given;
  for (int t = 0; t < kTables; ++t) given.emplace_back(4, static_cast<float>(t));
  for (uint32_t t = 0; t < kTables; ++t) {
    // Of different lengths: row 0 alone, or rows 1 and 3 with two inputs.
    const bool one = t % 2 == 0;
    const geeps_apply_segment segments[2] = {{one ? 0u : 1u, 1, 0, 1}, {3, 1, 1, 2}};
    const geeps_apply_input inputs[3] = {{given[t].data(), 0, 0}, {given[t].data(), 0, 0}, {given[t].data(), 1, 0}};
    geeps_apply apply = device::MakeApply();
    apply.rule = GEEPS_RULE_ADD;
    apply.dtype = apply.input_dtype = GEEPS_F32;
    apply.reduce = GEEPS_REDUCE_SUM;
    apply.num_rows = 4;
    apply.row_values = 1;
    apply.values_in = apply.values_out = values[t].data();
    apply.segments = segments;
    apply.num_segments = one ? 1 : 2;
    apply.inputs = inputs;
    apply.num_inputs = one ? 1 : 3;
    CHECK(f.stream.Apply(apply, 16, t, Use::kWrites).ok());
    CHECK(f.stream.Await("test", {Done::Kind::kApply, t}).ok());
  }
  REQUIRE(f.stream.Flush().ok());
  CHECK(f.Told().size() == kTables);
  CHECK(calls.applies == 1);
  CHECK(calls.notices == 1);
  for (int t = 0; t < kTables; ++t) {
    const float g = static_cast<float>(t);
    const std::vector<float> odd = {1, 1 + g, 1, 1 + 2 * g};
    const std::vector<float> even = {1 + g, 1, 1, 1};
    CHECK(values[t] == (t % 2 == 0 ? even : odd));
  }
}

TEST_CASE("MoverStream: what has become large goes off by itself") {
  Fixture f;
  const std::vector<float> from(4 << 18, 2);  // 4 MiB
  const std::vector<float> ones(4, 1);
  std::vector<float> large(from.size(), 0), small(4, 0);
  f.Add(f.Move(&small, ones), 0, Use::kWrites, 0);
  CHECK(calls.moves == 0);
  f.Add(f.Move(&large, from), 1, Use::kWrites, 1);
  CHECK(calls.moves == 1);
  CHECK(f.Told() == std::vector<uint32_t>{0, 1});
  CHECK(large == from);
  REQUIRE(f.stream.Flush().ok());
  CHECK(calls.moves == 1);
  CHECK(calls.notices == 1);
}

TEST_CASE("MoverStream: where work is refused, what was put into the stream before is still waited for") {
  Fixture f;
  const std::vector<float> ones(4, 1);
  std::vector<float> to(4, 0);
  REQUIRE(f.stream.Copy(to.data(), ones.data(), 16).ok());
  geeps_apply apply = device::MakeApply();
  refuses_applies = true;
  CHECK(f.stream.Apply(apply, 16, 0, Use::kWrites).ok());
  CHECK(f.stream.Await("test", {Done::Kind::kUpload, 0}).ok());
  CHECK_FALSE(f.stream.Flush().ok());
  CHECK(calls.notices == 1);
  CHECK(f.Told() == std::vector<uint32_t>{0});
  CHECK(to == ones);
}

TEST_CASE("MoverStream: an event captures what is collected") {
  Fixture f;
  const std::vector<float> ones(4, 1);
  std::vector<float> to(4, 0);
  f.Add(f.Move(&to, ones), 0, Use::kWrites, 0);
  const device::Event event = f.device->CreateEvent().value();
  REQUIRE(f.stream.Record(event).ok());
  REQUIRE(event.Wait("test").ok());
  CHECK(to == ones);
  CHECK(f.Told().size() == 1);
}

}  // namespace
}  // namespace geeps::movers
