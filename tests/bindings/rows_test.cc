// SPDX-License-Identifier: Apache-2.0
#include <geeps.hpp>

#include <doctest/doctest.h>

namespace {

std::vector<std::pair<uint64_t, uint64_t>> Runs(const geeps::Rows& rows) {
  std::vector<std::pair<uint64_t, uint64_t>> runs;
  for (uint64_t i = 0; i < rows.size(); ++i) runs.emplace_back(rows.data()[i].first, rows.data()[i].count);
  return runs;
}

using Pairs = std::vector<std::pair<uint64_t, uint64_t>>;

}  // namespace

TEST_CASE("geeps.hpp: ids in any order, repeated or not, become the fewest ascending runs") {
  CHECK(Runs(geeps::Rows::FromIds({7, 3, 4, 3, 9, 8, 5})) == Pairs{{3, 3}, {7, 3}});
  CHECK(Runs(geeps::Rows::FromIds({5})) == Pairs{{5, 1}});
  CHECK(Runs(geeps::Rows::FromIds({})) == Pairs{});
  CHECK(geeps::Rows::FromIds({7, 3, 4, 3}).count() == 3);
}

TEST_CASE("geeps.hpp: runs that overlap, touch or are empty are merged") {
  CHECK(Runs(geeps::Rows::FromRuns({{10, 5}, {0, 2}, {12, 10}, {2, 1}, {30, 0}})) == Pairs{{0, 3}, {10, 12}});
  CHECK(Runs(geeps::Rows::FromRuns({{0, 10}, {2, 3}})) == Pairs{{0, 10}});
  CHECK(Runs(geeps::Rows::Range(4, 0)) == Pairs{});
  CHECK(Runs(geeps::Rows::All()) == Pairs{{0, GEEPS_TO_END}});
}

TEST_CASE("geeps.hpp: a limit that passed is a failure when the runtime is lost with it") {
  geeps::Error err;
  geeps::Runtime rt(geeps::Options{{"world", "2"}, {"rendezvous", "inproc://nobody-comes"}, {"start_limit_s", "1"}}, err);
  REQUIRE(err.ok());
  rt.Start(err);
  CHECK(err.status() == GEEPS_E_TIMEOUT);
  CHECK(err.latched());
  CHECK(std::string(err.message()).find("rank 1 of 2 workers did not come within 1 s") != std::string::npos);
}

TEST_CASE("geeps.hpp: an error keeps the first failure; a limit that passed is none") {
  geeps::Error err;
  CHECK(err.Take(GEEPS_AGAIN) == GEEPS_AGAIN);
  CHECK(err.Take(GEEPS_E_TIMEOUT) == GEEPS_E_TIMEOUT);
  CHECK(err.ok());
  err.Fail(GEEPS_E_IO, "first");
  err.Fail(GEEPS_E_DATA, "second");
  CHECK(!err.ok());
  CHECK(err.status() == GEEPS_E_IO);
  CHECK(std::string(err.message()) == "first");
  err.Clear();
  CHECK(err.ok());
}
