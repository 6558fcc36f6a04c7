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
  LocalData data{device::Memory()};
  data.Resegment(Segments({{0, 4}, {4, 4}}));
  CHECK_FALSE(Kept(data, 0));
  CHECK_FALSE(Kept(data, 1));
  CHECK(data.IsKept({}));
}

TEST_CASE("segments are kept and given up one by one; several are kept when each is") {
  LocalData data{device::Memory()};
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
  LocalData data{device::Memory()};
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
    LocalData data{device::Memory()};
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
  LocalData data{device::Memory()};
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

TEST_CASE("what a stream does to local data is over before host code or another stream has them") {
  const auto device = device::Open("deferred:lazy");
  REQUIRE(device.ok());
  device::Stream streams[] = {(*device)->CreateStream().value(), (*device)->CreateStream().value()};
  LocalData data((*device)->Allocate(device::MemoryKind::kDevice, 8).value(), (*device)->CreateEvent().value());
  REQUIRE(streams[0].Fill(data.data(), 1, 8).ok());
  REQUIRE(data.EndUse(&streams[0]).ok());
  CHECK(data.data()[0] == 0xff);  // it runs when it is waited for
  REQUIRE(data.BeginUse(nullptr).ok());
  CHECK(data.data()[0] == 1);
  // Two operations end in two streams; the host waits for both.
  REQUIRE(streams[0].Fill(data.data(), 2, 4).ok());
  REQUIRE(streams[1].Fill(data.data() + 4, 3, 4).ok());
  REQUIRE(data.EndUse(&streams[0]).ok());
  REQUIRE(data.EndUse(&streams[1]).ok());
  REQUIRE(data.BeginUse(nullptr).ok());
  CHECK(data.data()[0] == 2);
  CHECK(data.data()[4] == 3);
  // The other stream works on what the first one has left.
  REQUIRE(streams[0].Fill(data.data(), 4, 8).ok());
  REQUIRE(data.EndUse(&streams[0]).ok());
  REQUIRE(data.BeginUse(&streams[1]).ok());
  REQUIRE(streams[1].Copy(data.data(), data.data() + 4, 4).ok());
  REQUIRE(data.EndUse(&streams[1]).ok());
  REQUIRE(data.BeginUse(nullptr).ok());
  CHECK(data.data()[0] == 4);
  REQUIRE(streams[0].Fill(data.data(), 5, 8).ok());
  REQUIRE(data.EndUse(&streams[0]).ok());  // its memory goes after that is done: else the device would be lost
}

}  // namespace
}  // namespace geeps::cache
