// SPDX-License-Identifier: Apache-2.0
#include "runtime/session/hostlist.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "runtime/base/status.h"

namespace geeps::session {
namespace {

using Names = std::vector<std::string>;

TEST_CASE("ExpandHostlist: names, numbers, ranges with their leading zeros, several brackets, text behind them") {
  const std::vector<std::pair<const char*, Names>> good = {
      {"gpu1", {"gpu1"}},
      {"a,b.c-d_e", {"a", "b.c-d_e"}},
      {"node[003-005,7],gpu1", {"node003", "node004", "node005", "node7", "gpu1"}},
      {"n[9-11]", {"n9", "n10", "n11"}},
      {"n[08-11]", {"n08", "n09", "n10", "n11"}},
      {"n[5]", {"n5"}},
      {"n[2,1,2]", {"n2", "n1", "n2"}},
      {"r[1-2]n[0-1]", {"r1n0", "r1n1", "r2n0", "r2n1"}},
      {"n[1-2]-ib,m", {"n1-ib", "n2-ib", "m"}},
      {"[1-2]", {"1", "2"}},
  };
  for (const auto& entry : good) {
    CAPTURE(entry.first);
    const auto hosts = ExpandHostlist(entry.first);
    REQUIRE(hosts.ok());
    CHECK(*hosts == entry.second);
  }
  CHECK(ExpandHostlist("n[1-65536]")->size() == 65536);
}

TEST_CASE("ExpandHostlist: what is no such list is refused, and so are lists without end") {
  for (const char* text : {"",
                           ",",
                           "a,",
                           ",a",
                           "a,,b",
                           "n[",
                           "n[1",
                           "n[1-2",
                           "n]",
                           "n[]",
                           "n[1-]",
                           "n[-1]",
                           "n[2-1]",
                           "n[a-b]",
                           "n[1,]",
                           "n[1-2-3]",
                           "n[[1]]",
                           "a b",
                           "n[ 1]",
                           "n[1-65537]",
                           "n[0-65535],a",
                           "n[0-999][0-999]",
                           "n[0-99999999999999999999]",
                           "n[1-999999999999999999]"}) {
    CAPTURE(text);
    const absl::Status status = ExpandHostlist(text).status();
    CHECK(DetailOf(status).code == Code::kInvalid);
    CHECK(!status.message().empty());
  }
}

TEST_CASE("ExpandHostlist: a name has at most 253 bytes, whatever it is made of") {
  const std::string name(253, 'n');
  CHECK(*ExpandHostlist(name) == std::vector<std::string>{name});
  CHECK(ExpandHostlist(name.substr(1) + "[0-9]").ok());
  for (const std::string& text : {name + "n", name + "[1]", name.substr(1) + "[9-10]", "[1-3]" + name}) {
    CHECK(DetailOf(ExpandHostlist(text).status()).code == Code::kInvalid);
  }
}

}  // namespace
}  // namespace geeps::session
