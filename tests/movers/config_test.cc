// SPDX-License-Identifier: Apache-2.0
#include "runtime/session/config.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/status.h"

namespace geeps::session {
namespace {

using Pairs = std::vector<std::pair<absl::string_view, absl::string_view>>;

// The text of the refusal; empty when the options are good.
std::string Refusal(const Pairs& options) {
  const absl::StatusOr<Config> config = ParseConfig(options);
  if (config.ok()) return std::string();
  CHECK(DetailOf(config.status()).code == Code::kInvalid);
  return std::string(config.status().message());
}

bool Names(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST_CASE("without options a runtime is alone, on the host, over inproc") {
  const absl::StatusOr<Config> config = ParseConfig({});
  REQUIRE(config.ok());
  CHECK(config->device == "host");
  CHECK(config->transport == "inproc");
  CHECK(config->rank == 0);
  CHECK(config->world == 1);
  CHECK(config->rendezvous.empty());
  CHECK(config->start_limit_s == 60);
  CHECK(config->first_clock == 0);
  CHECK(config->heartbeat_ms == 10000);
  CHECK(config->log_level == LogLevel::kWarning);
}

TEST_CASE("each option is read") {
  const absl::StatusOr<Config> config = ParseConfig({{"device", "deferred:lazy"},
                                                     {"rank", "2"},
                                                     {"world", "3"},
                                                     {"rendezvous", "tcp://127.0.0.1:4000"},
                                                     {"start_limit_s", "5"},
                                                     {"first_clock", "9223372036854775808"},
                                                     {"heartbeat_ms", "250"},
                                                     {"log_level", "debug"},
                                                     {"plugin_path", "/a:/b"},
                                                     {"test.skip_wait", "puller.absorb"}});
  REQUIRE(config.ok());
  CHECK(config->device == "deferred:lazy");
  CHECK(config->transport == "tcp");
  CHECK(config->rank == 2);
  CHECK(config->world == 3);
  CHECK(config->start_limit_s == 5);
  CHECK(config->first_clock == uint64_t{1} << 63);
  CHECK(config->heartbeat_ms == 250);
  CHECK(config->log_level == LogLevel::kDebug);
  CHECK(config->plugin_path == "/a:/b");
  CHECK(config->skipped_wait == "puller.absorb");
}

TEST_CASE("the rendezvous chooses the transport, unless one is named") {
  CHECK(ParseConfig({{"rendezvous", "inproc://a"}, {"world", "2"}})->transport == "inproc");
  CHECK(ParseConfig({{"rendezvous", "tcp://localhost:1"}, {"world", "2"}})->transport == "tcp");
  CHECK(ParseConfig({{"rendezvous", "inproc://a"}, {"world", "2"}, {"transport", "/x/t.so"}})->transport == "/x/t.so");
}

TEST_CASE("a refusal names the key and what would be right") {
  CHECK(Names(Refusal({{"wold", "2"}}), "'wold'"));
  CHECK(Names(Refusal({{"world", "2"}, {"world", "2"}}), "world is given twice"));
  CHECK(Names(Refusal({{"world", "0"}}), "from 1 to 4096"));
  CHECK(Names(Refusal({{"world", "4097"}}), "'4097'"));
  CHECK(Names(Refusal({{"world", "2x"}}), "'2x'"));
  CHECK(Names(Refusal({{"rank", "2"}, {"world", "2"}, {"rendezvous", "inproc://a"}}), "from 0 to 1"));
  CHECK(Names(Refusal({{"rank", "-1"}}), "'-1'"));
  CHECK(Names(Refusal({{"heartbeat_ms", "9"}}), "heartbeat_ms"));
  CHECK(Names(Refusal({{"start_limit_s", "86401"}}), "86400"));
  CHECK(Names(Refusal({{"first_clock", "9223372036854775809"}}), "9223372036854775808"));
  for (const char* bytes : {"0", "", "GiB", "1 GB", "-1", "1.5GiB", "4194305TiB", "4611686018427387905"}) {
    CHECK(Names(Refusal({{"device_memory", bytes}}), "from 1 to 2^62"));
  }
  CHECK(Names(Refusal({{"log_level", "loud"}}), "error, warning, info or debug"));
  CHECK(Names(Refusal({{"launcher", "auto"}}), "none, geeps, slurm, mpi or torchrun"));
  CHECK(Names(Refusal({{"rendezvous", "udp://a:1"}}), "'udp://a:1'"));
  CHECK(Names(Refusal({{"world", "2"}}), "rendezvous is missing"));
  CHECK(
      Names(Refusal({{"transport", "inproc"}, {"rendezvous", "tcp://localhost:1"}, {"world", "2"}}), "inproc://NAME"));
}

TEST_CASE("bytes are a number, or one of larger units") {
  CHECK(ParseConfig({})->device_memory == 0);
  CHECK(ParseConfig({{"device_memory", "1000"}})->device_memory == 1000);
  CHECK(ParseConfig({{"device_memory", "3KiB"}})->device_memory == 3 << 10);
  CHECK(ParseConfig({{"device_memory", "3 MiB"}})->device_memory == 3 << 20);
  CHECK(ParseConfig({{"device_memory", "16GiB"}})->device_memory == uint64_t{16} << 30);
  CHECK(ParseConfig({{"device_memory", "4194304TiB"}})->device_memory == uint64_t{1} << 62);
}

TEST_CASE("with the launcher the environment fills in what is not given, without it nothing is read") {
  ::setenv("GEEPS_RANK", "1", 1);
  ::setenv("GEEPS_WORLD", "4", 1);
  ::setenv("GEEPS_RENDEZVOUS", "tcp://127.0.0.1:4001", 1);
  CHECK(ParseConfig({})->world == 1);
  CHECK(ParseConfig({{"launcher", "none"}})->world == 1);
  const absl::StatusOr<Config> filled = ParseConfig({{"launcher", "geeps"}});
  REQUIRE(filled.ok());
  CHECK(filled->rank == 1);
  CHECK(filled->world == 4);
  CHECK(filled->rendezvous == "tcp://127.0.0.1:4001");
  CHECK(ParseConfig({{"launcher", "geeps"}, {"rank", "3"}})->rank == 3);
  ::unsetenv("GEEPS_RANK");
  ::unsetenv("GEEPS_WORLD");
  ::unsetenv("GEEPS_RENDEZVOUS");
}

}  // namespace
}  // namespace geeps::session
