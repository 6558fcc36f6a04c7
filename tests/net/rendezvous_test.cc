// SPDX-License-Identifier: Apache-2.0
// What the texts of options and files say about where workers meet.
#include "runtime/net/rendezvous.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "runtime/base/status.h"
#include "runtime/net/control_socket.h"
#include "runtime/net/rendezvous_file.h"
#include "tests/support/temporary_folder.h"
#include "tools/geeps/free_port.h"

namespace geeps::net {
namespace {

TEST_CASE("ParseRendezvous: each kind, its parts, and which hosts are names") {
  using Kind = Rendezvous::Kind;
  CHECK(ParseRendezvous("")->kind == Kind::kNone);
  CHECK(ParseRendezvous("inproc://a")->name == "a");
  CHECK(ParseRendezvous("file:///a/b c")->path == "/a/b c");
  for (const char* literal : {"127.0.0.1", "127.9.8.7", "[::1]", "::1", "localhost"}) {
    const auto rendezvous = ParseRendezvous(std::string("tcp://") + literal + ":4000");
    REQUIRE(rendezvous.ok());
    CHECK(rendezvous->kind == Kind::kTcp);
    CHECK(!rendezvous->host_is_name);
    CHECK(rendezvous->port == 4000);
    CHECK(IsLoopback(rendezvous->host));
  }
  for (const char* name : {"gpu1", "node-003.cluster_a.example", "2001db8"}) {
    const auto rendezvous = ParseRendezvous(std::string("tcp://") + name + ":4000");
    REQUIRE(rendezvous.ok());
    CHECK(rendezvous->host_is_name);
    CHECK(rendezvous->host == name);
  }
}

TEST_CASE("ParseRendezvous: literal addresses that are not loopback are denied, nonsense is invalid") {
  for (const char* text : {"tcp://10.0.0.1:1", "tcp://0.0.0.0:1", "tcp://[::]:1", "tcp://[2001:db8::1]:1"}) {
    CHECK(DetailOf(ParseRendezvous(text).status()).code == Code::kDenied);
  }
  for (const char* text :
       {"udp://a:1", "tcp://a", "tcp://a:", "tcp://a:0", "tcp://a:65536", "tcp://:1", "tcp://a b:1", "tcp://10.1:1",
        "tcp://-a:1", "tcp://a/b:1", "inproc://", "file://", "file://a", "file:///", "file:///a/", "file://host/a"}) {
    CAPTURE(text);
    const absl::Status status = ParseRendezvous(text).status();
    CHECK(DetailOf(status).code == Code::kInvalid);
    CHECK(std::string(status.message()).find(text) != std::string::npos);
  }
}

TEST_CASE("Addresses: nothing may stand behind a zero byte") {
  const std::string tail("127.0.0.1\0.example", 18);
  CHECK(!IsLoopback(tail));
  CHECK(DetailOf(ParseLoopback(tail).status()).code == Code::kInvalid);
  CHECK(DetailOf(ParseRendezvous("tcp://" + tail + ":4000").status()).code == Code::kInvalid);
  const RendezvousFile file{"127.0.0.1" + std::string(1, '\0'), 4000, 1};
  CHECK(!DecodeRendezvousFile(EncodeRendezvousFile(file)).ok());
}

TEST_CASE("ParsePortRange: a port or a range, each end from 1 to 65535") {
  CHECK(ParsePortRange("1")->low == 1);
  CHECK(ParsePortRange("1")->high == 1);
  CHECK(ParsePortRange("4000-65535")->low == 4000);
  CHECK(ParsePortRange("4000-65535")->high == 65535);
  CHECK(ParsePortRange("5-5").ok());
  for (const char* text :
       {"", "0", "65536", "-1", "1-", "-", "5-4", "0-1", "1-65536", "1-2-3", " 1", "+1", "0x1", "99999999999"}) {
    CAPTURE(text);
    CHECK(!ParsePortRange(text).ok());
  }
}

TEST_CASE("RendezvousFile: what is written is read again") {
  const RendezvousFile file{"127.0.0.2", 4000, 0xfedcba9876543210};
  CHECK(EncodeRendezvousFile(file) == "geeps rendezvous 1\naddress 127.0.0.2\nport 4000\nnonce fedcba9876543210\n");
  CHECK(*DecodeRendezvousFile(EncodeRendezvousFile(file)) == file);
  const RendezvousFile six{"::1", 65535, 1};
  CHECK(*DecodeRendezvousFile(EncodeRendezvousFile(six)) == six);
}

TEST_CASE("RendezvousFile: every prefix and every file with a part changed is refused") {
  const std::string good = EncodeRendezvousFile({"127.0.0.1", 4000, 7});
  for (size_t bytes = 0; bytes < good.size(); ++bytes) CHECK(!DecodeRendezvousFile(good.substr(0, bytes)).ok());
  for (const auto& [part, other] :
       std::vector<std::pair<std::string, std::string>>{{"geeps rendezvous 1", "geeps rendezvous 2"},
                                                        {"127.0.0.1", "host"},
                                                        {"4000", "0"},
                                                        {"4000", "4000-4001"},
                                                        {"4000", "x"},
                                                        {"0000000000000007", "7"},
                                                        {"0000000000000007", "0000000000000000"},
                                                        {"nonce", "once"},
                                                        {"address ", ""}}) {
    std::string bad = good;
    bad.replace(bad.find(part), part.size(), other);
    CAPTURE(bad);
    CHECK(DetailOf(DecodeRendezvousFile(bad).status()).code != Code::kOk);
  }
  CHECK(!DecodeRendezvousFile(good + "more\n").ok());
  const auto foreign = DecodeRendezvousFile(EncodeRendezvousFile({"10.0.0.1", 4000, 7}));
  CHECK(DetailOf(foreign.status()).code == Code::kDenied);
}

TEST_CASE("RendezvousFile: it is replaced as a whole, leaves nothing beside it, and only its own is removed") {
  TemporaryFolder folder;
  const std::string path = folder.File("job");
  const RendezvousFile first{"127.0.0.1", 4000, 7};
  const RendezvousFile second{"127.0.0.1", 4001, 8};
  CHECK(DetailOf(ReadRendezvousFile(path).status()).code == Code::kNotFound);
  REQUIRE(WriteRendezvousFile(path, first).ok());
  REQUIRE(WriteRendezvousFile(path, second).ok());
  CHECK(*ReadRendezvousFile(path) == second);
  CHECK(folder.NumFiles() == 1);
  RemoveRendezvousFile(path, first);
  CHECK(*ReadRendezvousFile(path) == second);
  RemoveRendezvousFile(path, second);
  CHECK(folder.NumFiles() == 0);
}

TEST_CASE("RendezvousFile: what is no such file is not written over; an empty one is") {
  TemporaryFolder folder;
  const std::string path = folder.File("notes");
  const RendezvousFile file{"127.0.0.1", 4000, 7};
  WriteFile(path, "dear diary\n");
  const absl::Status refused = WriteRendezvousFile(path, file);
  CHECK(DetailOf(refused).code == Code::kState);
  CHECK(refused.message().find(path) != absl::string_view::npos);
  CHECK(ReadFile(path) == "dear diary\n");
  REQUIRE(mkdir(folder.File("folder").c_str(), 0700) == 0);
  CHECK(!WriteRendezvousFile(folder.File("folder"), file).ok());
  REQUIRE(mkfifo(folder.File("pipe").c_str(), 0600) == 0);
  CHECK(!WriteRendezvousFile(folder.File("pipe"), file).ok());
  CHECK(!ReadRendezvousFile(folder.File("pipe")).ok());
  WriteFile(folder.File("empty"), "");
  CHECK(DetailOf(ReadRendezvousFile(folder.File("empty")).status()).code == Code::kNotFound);
  CHECK(WriteRendezvousFile(folder.File("empty"), file).ok());
  CHECK(DetailOf(WriteRendezvousFile(folder.File("missing/job"), file)).code == Code::kIo);
}

TEST_CASE("ListenAtAddress: the first free port of the range; when none is, the sentence has the numbers") {
  uint16_t low = 0;
  std::unique_ptr<Listener> first;
  std::unique_ptr<Listener> second;
  // Two ports beside one another.
  for (int i = 0; i < 100 && second == nullptr; ++i) {
    low = tool::FindFreeLoopbackPort().value_or(0);
    uint16_t port = 0;
    auto opened = ListenAtAddress("127.0.0.1", {low, static_cast<uint16_t>(low + 1)}, &port);
    if (!opened.ok() || port != low) continue;
    auto next = ListenAtAddress("127.0.0.1", {low, static_cast<uint16_t>(low + 1)}, &port);
    if (!next.ok()) continue;
    CHECK(port == low + 1);
    first = *std::move(opened);
    second = *std::move(next);
  }
  REQUIRE(second != nullptr);
  uint16_t port = 0;
  const absl::Status none = ListenAtAddress("127.0.0.1", {low, static_cast<uint16_t>(low + 1)}, &port).status();
  CHECK(DetailOf(none).code == Code::kIo);
  CHECK(std::string(none.message())
            .find("none of the 2 ports " + std::to_string(low) + " to " + std::to_string(low + 1) + " is free") !=
        std::string::npos);
  const absl::Status taken = ListenAtAddress("127.0.0.1", {low, low}, &port).status();
  CHECK(std::string(taken.message()).find("127.0.0.1 port " + std::to_string(low)) != std::string::npos);
  CHECK(ListenAtAddress("127.0.0.1", {}, &port).ok());
  CHECK(port != 0);
}

}  // namespace
}  // namespace geeps::net
