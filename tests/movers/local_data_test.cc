// SPDX-License-Identifier: Apache-2.0
#include "runtime/cache/local_data.h"

#include <doctest/doctest.h>

namespace geeps::cache {
namespace {

plan::LocalLayout Segments(std::initializer_list<table::RowRun> runs) {
  plan::LocalLayout layout;
  for (const table::RowRun& run : runs) {
    layout.segment_first.push_back(run.first);
    layout.segment_rows.push_back(run.count);
  }
  return layout;
}

bool Kept(const LocalData& data, uint32_t segment) { return data.IsKept(absl::MakeConstSpan(&segment, 1)); }

TEST_CASE("new local data keeps nothing") {
  LocalData data(0);
  data.Resegment(Segments({{0, 4}, {4, 4}}));
  CHECK_FALSE(Kept(data, 0));
  CHECK_FALSE(Kept(data, 1));
  CHECK(data.IsKept({}));
}

TEST_CASE("segments are kept and given up one by one; several are kept when each is") {
  LocalData data(0);
  data.Resegment(Segments({{0, 4}, {4, 4}, {8, 2}}));
  const uint32_t both[] = {0, 2};
  data.SetKept(both, true);
  CHECK(data.IsKept(both));
  const uint32_t all[] = {0, 1, 2};
  CHECK_FALSE(data.IsKept(all));
  const uint32_t last[] = {2};
  data.SetKept(last, false);
  CHECK(Kept(data, 0));
  CHECK_FALSE(data.IsKept(both));
}

TEST_CASE("what was kept stays kept when a commit cuts the rows anew, and nothing else does") {
  LocalData data(0);
  data.Resegment(Segments({{0, 4}, {4, 4}, {8, 4}}));
  const uint32_t first_two[] = {0, 1};
  data.SetKept(first_two, true);
  data.Resegment(Segments({{0, 2}, {2, 4}, {6, 4}, {10, 2}}));
  CHECK(Kept(data, 0));
  CHECK(Kept(data, 1));
  CHECK_FALSE(Kept(data, 2));  // half of it was never kept
  CHECK_FALSE(Kept(data, 3));
}

TEST_CASE("a part of a segment that was kept is known again after a commit that cuts it off, unless it was accessed") {
  for (const bool accessed : {false, true}) {
    LocalData data(0);
    data.Resegment(Segments({{0, 4}}));
    const uint32_t only[] = {0};
    data.SetKept(only, true);
    data.Resegment(Segments({{0, 8}}));
    CHECK_FALSE(Kept(data, 0));
    if (accessed) data.SetKept(only, false);
    data.Resegment(Segments({{0, 4}, {4, 4}}));
    CHECK(Kept(data, 0) == !accessed);
    CHECK_FALSE(Kept(data, 1));
  }
}

TEST_CASE("rows that no plan of a commit uses stay kept for the next one") {
  LocalData data(0);
  data.Resegment(Segments({{0, 4}}));
  const uint32_t only[] = {0};
  data.SetKept(only, true);
  data.Resegment(Segments({}));
  data.Resegment(Segments({{0, 2}}));
  data.SetKept(only, false);
  data.Resegment(Segments({{0, 2}, {2, 2}}));
  CHECK_FALSE(Kept(data, 0));
  CHECK(Kept(data, 1));
}

// The memory of local data that a program uses where it lies.
struct Used {
  explicit Used(const device::Device& device) : data(8, device.CreateEvent().value()) {
    REQUIRE(data.Prepare(device, device::MemoryKind::kDevice).ok());
    REQUIRE(data.Adopt(device).ok());
  }
  uint8_t* bytes() { return data.data(); }
  absl::Status Begin(const device::Stream* in) { return data.last_use()->Begin(in); }
  absl::Status End(const device::Stream* in) { return data.last_use()->End(in); }

  LocalData data;
};

TEST_CASE("what a stream does to local data is over before host code or another stream has them") {
  const auto device = device::Open("deferred:lazy");
  REQUIRE(device.ok());
  device::Stream streams[] = {(*device)->CreateStream().value(), (*device)->CreateStream().value()};
  Used data(**device);
  REQUIRE(streams[0].Fill(data.bytes(), 1, 8).ok());
  REQUIRE(data.End(&streams[0]).ok());
  CHECK(data.bytes()[0] == 0xff);  // it runs when it is waited for
  REQUIRE(data.Begin(nullptr).ok());
  CHECK(data.bytes()[0] == 1);
  // Two operations end in two streams; the host waits for both.
  REQUIRE(streams[0].Fill(data.bytes(), 2, 4).ok());
  REQUIRE(streams[1].Fill(data.bytes() + 4, 3, 4).ok());
  REQUIRE(data.End(&streams[0]).ok());
  REQUIRE(data.End(&streams[1]).ok());
  REQUIRE(data.Begin(nullptr).ok());
  CHECK(data.bytes()[0] == 2);
  CHECK(data.bytes()[4] == 3);
  // The other stream works on what the first one has left.
  REQUIRE(streams[0].Fill(data.bytes(), 4, 8).ok());
  REQUIRE(data.End(&streams[0]).ok());
  REQUIRE(data.Begin(&streams[1]).ok());
  REQUIRE(streams[1].Copy(data.bytes(), data.bytes() + 4, 4).ok());
  REQUIRE(data.End(&streams[1]).ok());
  REQUIRE(data.Begin(nullptr).ok());
  CHECK(data.bytes()[0] == 4);
  REQUIRE(streams[0].Fill(data.bytes(), 5, 8).ok());
  REQUIRE(data.End(&streams[0]).ok());  // its memory goes after that is done: else the device would be lost
}

TEST_CASE("contents move with the memory, once what was prepared is adopted, and what a stream still does comes before") {
  const auto device = device::Open("deferred:lazy");
  REQUIRE(device.ok());
  const device::Stream stream = (*device)->CreateStream().value();
  Used data(**device);
  uint8_t* const before = data.bytes();
  REQUIRE(stream.Fill(before, 7, 8).ok());
  REQUIRE(data.End(&stream).ok());
  REQUIRE(data.data.Prepare(**device, device::MemoryKind::kPinned).ok());
  uint8_t* const next = data.data.next_data();
  CHECK(next != before);
  CHECK(data.bytes() == before);
  REQUIRE(data.data.Adopt(**device).ok());
  CHECK(data.bytes() == next);
  CHECK(data.bytes()[0] == 7);
  CHECK(data.bytes()[7] == 7);
  // The same kind again: nothing moves.
  REQUIRE(data.data.Prepare(**device, device::MemoryKind::kPinned).ok());
  REQUIRE(data.data.Adopt(**device).ok());
  CHECK(data.bytes() == next);
}

}  // namespace
}  // namespace geeps::cache
