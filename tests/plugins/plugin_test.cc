// SPDX-License-Identifier: Apache-2.0
// PluginRegistry with good plugins, none, and those of broken.c.
#include <doctest/doctest.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "geeps_device.h"
#include "geeps_transport.h"
#include "runtime/base/status.h"
#include "runtime/net/plugin.h"
#include "runtime/net/transport.h"
#include "transports/inproc/inproc.h"

namespace geeps::net {
namespace {

struct Fixture {
  Log log{LogLevel::kDebug, nullptr, nullptr};
  PluginRegistry registry{&log, GEEPS_BROKEN_PLUGIN_DIR ":" GEEPS_TEST_PLUGIN_DIR};
};

std::string BrokenPath(const char* how) { return absl::StrCat(GEEPS_BROKEN_PLUGIN_DIR, "/broken_", how, ".so"); }

TEST_CASE_FIXTURE(Fixture, "PluginRegistry: a plugin is found by name, loading twice is no error, and its host names its path") {
  CHECK(*registry.Load("tcp") == "tcp");
  CHECK(*registry.Load("tcp") == "tcp");
  REQUIRE(registry.List().size() == 1);
  const std::string path = registry.List()[0].path;
  CHECK(absl::EndsWith(path, "/geeps_transport_tcp.so"));
  CHECK(*registry.Load(path) == "tcp");
  const auto transport = registry.GetInterface("tcp", GEEPS_TRANSPORT_ID);
  REQUIRE(transport.ok());
  CHECK(transport->host->plugin_path == path);
  CHECK(transport->host->abi == GEEPS_PLUGIN_ABI);
  CHECK(transport->host->get_extension(transport->host->ctx, "any") == nullptr);
  void* const memory = transport->host->alloc(transport->host->ctx, 100, 4096);
  CHECK(reinterpret_cast<uintptr_t>(memory) % 4096 == 0);
  transport->host->free(transport->host->ctx, memory, 100, 4096);
  CHECK(transport->host->alloc(transport->host->ctx, 100, 3) == nullptr);
}

TEST_CASE_FIXTURE(Fixture, "PluginRegistry: what is built in is found by its name, with the tables of a loaded one") {
  struct BuiltIn {
    std::string name;
    const char* id;
  };
  const BuiltIn kBuiltIn[] = {{"inproc", GEEPS_TRANSPORT_ID}, {"host", GEEPS_DEVICE_ID}, {"deferred", GEEPS_DEVICE_ID}};
  for (const BuiltIn& built_in : kBuiltIn) {
    const std::string& name = built_in.name;
    CAPTURE(name);
    REQUIRE(registry.Load(name).ok());
    CHECK(*registry.Load(name) == name);
    const auto table = registry.GetInterface(name, built_in.id);
    REQUIRE(table.ok());
    CHECK(table->host->plugin_path == nullptr);
    CHECK_FALSE(registry.GetInterface(name, "geeps.nothing/1").ok());
  }
  CHECK(registry.List().size() == 3);
}

TEST_CASE_FIXTURE(Fixture, "PluginRegistry: a name that is nowhere is NOT_FOUND with every directory tried") {
  const absl::Status status = registry.Load("nowhere").status();
  CHECK(DetailOf(status).code == Code::kNotFound);
  for (const std::string& directory : registry.SearchPath()) CHECK(absl::StrContains(status.message(), directory));
  // And with what there is instead.
  CHECK(absl::StrContains(status.message(), "geeps_transport_tcp.so"));
  CHECK(DetailOf(registry.Load("/no/such/file.so").status()).code == Code::kNotFound);
  CHECK(DetailOf(registry.Load("").status()).code == Code::kInvalid);
}

TEST_CASE_FIXTURE(Fixture, "PluginRegistry: what is not loaded, or lacks the interface, is NOT_FOUND") {
  CHECK(DetailOf(registry.GetInterface("tcp", GEEPS_TRANSPORT_ID).status()).code == Code::kNotFound);
  REQUIRE(registry.Load("tcp").ok());
  CHECK(DetailOf(registry.GetInterface("tcp", "geeps.nothing/1").status()).code == Code::kNotFound);
}

TEST_CASE_FIXTURE(Fixture, "PluginRegistry: each broken plugin is refused with its path and what is wrong, and others still load") {
  const struct {
    const char* how;
    const char* text;
  } kCases[] = {{"no_entry", "does not export geeps_plugin_query"},
                {"null", "does not work with plugin ABI 1.0"},
                {"short_descriptor", "its descriptor has 8 bytes"},
                {"major", "was built for plugin ABI 2.0, here is 1.0"},
                {"no_name", "has no name"}};
  for (const auto& broken : kCases) {
    CAPTURE(std::string(broken.how));
    const absl::Status status = registry.Load(BrokenPath(broken.how)).status();
    CHECK(DetailOf(status).code == Code::kAbi);
    CHECK(absl::StrContains(status.message(), broken.text));
    CHECK(absl::StrContains(status.message(), BrokenPath(broken.how)));
  }
  CHECK(registry.Load("tcp").ok());
}

TEST_CASE("PluginRegistry: a table that ends early or has NULL in a required slot is refused with the slot's name") {
  for (const char* how : {"short_table", "null_slot"}) {
    Fixture fixture;
    REQUIRE(fixture.registry.Load(BrokenPath(how)).ok());
    const absl::Status status = OpenTransport(&fixture.registry, BrokenPath(how)).status();
    CAPTURE(std::string(status.message()));
    CHECK(DetailOf(status).code == Code::kAbi);
    CHECK(absl::StrContains(status.message(), std::string(how) == "null_slot" ? "NULL in the required slot create"
                                                                               : "has 16 bytes and ends before"));
  }
}

TEST_CASE_FIXTURE(Fixture, "PluginRegistry: a linked-in plugin is added under its own name, once; a second plugin of that name is refused") {
  CHECK(*registry.Add(&inproc::Query) == "inproc");
  CHECK(*registry.Add(&inproc::Query) == "inproc");
  CHECK(registry.List().size() == 1);
  REQUIRE(registry.Load(BrokenPath("null_slot")).ok());
  CHECK(DetailOf(registry.Load(BrokenPath("short_table")).status()).code == Code::kState);
  CHECK(DetailOf(registry.Add(nullptr).status()).code == Code::kInvalid);
}

}  // namespace
}  // namespace geeps::net
