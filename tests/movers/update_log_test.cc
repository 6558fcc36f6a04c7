// SPDX-License-Identifier: Apache-2.0
#include "runtime/cache/update_log.h"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

namespace geeps::cache {
namespace {

struct Fixture {
  static constexpr uint32_t kEntries = 3;
  static constexpr uint64_t kEntryBytes = 300;
  std::vector<uint8_t> memory = std::vector<uint8_t>(UpdateLog::BytesFor(kEntries, kEntryBytes));
  UpdateLog log{memory.data(), kEntries, kEntryBytes};
};

TEST_CASE("a log takes a header and whole blocks of 256 bytes for each entry") {
  CHECK(UpdateLog::BytesFor(3, 0) == 3 * 256);
  CHECK(UpdateLog::BytesFor(3, 1) == 3 * 512);
  CHECK(UpdateLog::BytesFor(3, 256) == 3 * 512);
  CHECK(UpdateLog::BytesFor(2, 257) == 2 * 768);
}

TEST_CASE("the entries of a ring do not overlap, lie inside its memory, and come again after as many clocks") {
  Fixture fixture;
  for (uint64_t clock = 0; clock < 7; ++clock) {
    uint8_t* const values = fixture.log.values(clock);
    CHECK(values >= fixture.memory.data() + UpdateLog::kHeaderBytes);
    CHECK(values + Fixture::kEntryBytes <= fixture.memory.data() + fixture.memory.size());
    CHECK(values == fixture.log.values(clock + Fixture::kEntries));
    CHECK(reinterpret_cast<uint8_t*>(fixture.log.header(clock)) + UpdateLog::kHeaderBytes == values);
    if (clock % Fixture::kEntries != 0) CHECK(values >= fixture.log.values(clock - 1) + Fixture::kEntryBytes);
  }
}

TEST_CASE("the parameters of a clock come back bit by bit and leave other entries alone") {
  Fixture fixture;
  protocol::RuleParams a;
  a.num = 2;
  a.values = {0.1, -0.0};
  protocol::RuleParams b;
  b.num = 1;
  b.values = {1e-300};
  fixture.log.SetParams(4, a);
  fixture.log.SetParams(5, b);
  CHECK(protocol::SameBits(fixture.log.Params(4), a));
  CHECK(protocol::SameBits(fixture.log.Params(5), b));
  fixture.log.SetParams(7, b);  // the entry of clock 4
  CHECK(protocol::SameBits(fixture.log.Params(4), b));
}

TEST_CASE("a number of parameters that no rule has reads as the largest there can be") {
  Fixture fixture;
  fixture.log.header(0)->num_params = 0xffffffff;
  CHECK(fixture.log.Params(0).num == protocol::kNumParamsMax);
}

}  // namespace
}  // namespace geeps::cache
