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
  std::vector<uint8_t> memory = std::vector<uint8_t>(UpdateLog::MappedBytes(kEntries, kEntryBytes));
  UpdateLog log{memory.data(), kEntries, kEntryBytes};
};

TEST_CASE("a log takes whole blocks of 256 bytes for each entry, and one for its header where it is mapped") {
  CHECK(UpdateLog::MappedBytes(3, 0) == 3 * 256);
  CHECK(UpdateLog::MappedBytes(3, 1) == 3 * 512);
  CHECK(UpdateLog::MappedBytes(3, 256) == 3 * 512);
  CHECK(UpdateLog::MappedBytes(2, 257) == 2 * 768);
  CHECK(UpdateLog::ValuesBytes(3, 0) == 0);
  CHECK(UpdateLog::ValuesBytes(3, 256) == 3 * 256);
  CHECK(UpdateLog::ValuesBytes(2, 257) == 2 * 512);
}

TEST_CASE("headers that lie by themselves are one for each entry, and the values begin where their memory does") {
  LogHeader headers[3] = {};
  std::vector<uint8_t> values(UpdateLog::ValuesBytes(3, 300));
  const UpdateLog log(headers, values.data(), 3, 300);
  for (uint64_t clock = 0; clock < 7; ++clock) {
    CHECK(log.header(clock) == &headers[clock % 3]);
    CHECK(log.values(clock) == values.data() + clock % 3 * 512);
    CHECK(log.values_offset(clock) == clock % 3 * 512);
  }
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
