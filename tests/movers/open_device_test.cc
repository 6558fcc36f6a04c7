// SPDX-License-Identifier: Apache-2.0
#include "runtime/session/open_device.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "runtime/base/status.h"

namespace geeps::session {
namespace {

struct Fixture {
  std::vector<std::string> lines;
  Log log{LogLevel::kInfo,
          [](void* user, int32_t, const char*, const char* text, uint64_t len) {
            static_cast<Fixture*>(user)->lines.emplace_back(text, len);
          },
          this};
  net::PluginRegistry plugins{&log, "/nowhere"};

  std::string Name(const std::string& spec) {
    const auto device = OpenDevice(&plugins, &log, spec);
    return device.ok() ? (*device)->info().name : "";
  }
  absl::Status Refusal(const std::string& spec) { return OpenDevice(&plugins, &log, spec).status(); }
};

TEST_CASE("OpenDevice: the built-in back ends need no plugin") {
  Fixture fixture;
  CHECK(fixture.Name("host") == "host");
  CHECK(fixture.Name("deferred:seeded:3:separate") == "deferred");
  CHECK(fixture.lines.empty());
}

TEST_CASE("OpenDevice: a plugin that is not there is refused with the place that was looked at") {
  Fixture fixture;
  for (const char* spec : {"abacus", "abacus:1", "/nowhere/abacus.so", "/nowhere/abacus.so:0"}) {
    CAPTURE(std::string(spec));
    const absl::Status status = fixture.Refusal(spec);
    CHECK(DetailOf(status).code == Code::kNotFound);
    CHECK(absl::StartsWith(status.message(), absl::StrCat("device ", spec, ": ")));
    CHECK(absl::StrContains(status.message(), spec[0] == '/' ? "/nowhere/abacus.so" : "/nowhere: no such directory"));
  }
}

TEST_CASE("OpenDevice: what stands behind the last colon is the number of a device") {
  Fixture fixture;
  for (const char* spec : {"cuda:", "cuda:x", "cuda:-1", "cuda:1024", "cuda:0:x", "/some/file.so:"}) {
    CAPTURE(std::string(spec));
    const absl::Status status = fixture.Refusal(spec);
    CHECK(DetailOf(status).code == Code::kInvalid);
    CHECK(absl::StrContains(status.message(), spec));
  }
  CHECK(DetailOf(fixture.Refusal(":1")).code == Code::kInvalid);
  CHECK(DetailOf(fixture.Refusal("")).code == Code::kInvalid);
}

TEST_CASE("OpenDevice: auto is the host where cuda cannot be used, and says why") {
  Fixture fixture;
  if (OpenDevice(&fixture.plugins, &fixture.log, "cuda").ok()) return;  // a machine with a GPU
  fixture.lines.clear();
  CHECK(fixture.Name("auto") == "host");
  REQUIRE(fixture.lines.size() == 1);
  CHECK(absl::StartsWith(fixture.lines[0], "device auto: host, because cuda cannot be used: "));
}

}  // namespace
}  // namespace geeps::session
