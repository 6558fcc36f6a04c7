// SPDX-License-Identifier: Apache-2.0
// Options: unknown keys, values that cannot be read, keys given twice; each is refused with a sentence that names the
// key.
#include <doctest/doctest.h>

#include <cstring>

#include "tests/misuse/situation.h"

namespace geeps::misuse_test {
namespace {

struct Bad {
  const char* key;
  const char* value;
  geeps_status wanted = GEEPS_E_INVALID;
  std::vector<geeps_kv> more = {};
};

std::vector<Bad> BadRuntimeOptions() {
  return {{"", "x"},
          {"devise", "host"},
          {"Device", "host"},
          {"device", ""},
          {"device", "cuda:x"},
          {"device", "warp", GEEPS_E_NOT_FOUND},
          {"device", "deferred:sometimes"},
          {"device", "deferred:seeded:"},
          {"device", "deferred:seeded:x"},
          {"transport", "nothing", GEEPS_E_NOT_FOUND},
          {"transport", "/nowhere/geeps_transport_x.so", GEEPS_E_NOT_FOUND},
          {"rank", ""},
          {"rank", "-1"},
          {"rank", "1"},
          {"rank", "x"},
          {"rank", "0x0"},
          {"rank", "99999999999999999999"},
          {"world", "0"},
          {"world", "-1"},
          {"world", "1.5"},
          {"world", "2"},  // without a rendezvous
          {"world", "99999999999999999999"},
          {"rendezvous", "nowhere"},
          {"rendezvous", "udp://127.0.0.1:1"},
          {"launcher", "pbs"},
          {"launcher", "slurm"},  // without its variables
          {"advertise", "here"},
          {"advertise", "127.0.0.1"},  // the transport is inproc
          {"advertise", "10.0.0.1", GEEPS_E_DENIED},
          {"port", "0"},
          {"port", "65536"},
          {"port", "5-4"},
          {"port", "4000"},  // the transport is inproc
          {"port", "4000-x", GEEPS_E_INVALID, {{"transport", "tcp"}}},
          {"rendezvous_port", "4000"},  // the rendezvous is no file
          {"rendezvous", "file://here"},
          {"rendezvous", "file:///"},
          {"rendezvous", "tcp://1.2:7000"},
          {"start_limit_s", "0"},
          {"start_limit_s", "soon"},
          {"heartbeat_ms", "0"},
          {"heartbeat_ms", "-5"},
          {"wait_warning_ms", "soon"},
          {"wait_warning_ms", "3600001"},
          {"log_level", "loud"},
          {"log_level", "2"},
          {"test.skip_wait", "keeper.aply"}};
}

std::vector<Bad> BadTableOptions() {
  return {{"", "x"},
          {"ruel", "add"},
          {"mode", "loose"},
          {"read_my_writes", "yes"},
          {"read_my_writes", "1", GEEPS_E_INVALID, {{"rule", "sgd"}}},
          {"read_my_writes", "1", GEEPS_E_INVALID, {{"reduce", "mean"}}},
          {"observer", "2"},
          {"shard", "disk"},
          {"observer", "1", GEEPS_E_INVALID, {{"rows", "same"}}},
          {"rule", ""},
          {"rule", "adam2", GEEPS_E_NOT_FOUND},
          {"param.lr", "0.1"},  // add has no such parameter
          {"param.lr", "x", GEEPS_E_INVALID, {{"rule", "sgd"}}},
          {"param.lr", "nan", GEEPS_E_INVALID, {{"rule", "sgd"}}},
          {"param.lr", "1e400", GEEPS_E_INVALID, {{"rule", "sgd"}}},
          {"param.", "1", GEEPS_E_INVALID, {{"rule", "sgd"}}},
          {"param.rate", "1", GEEPS_E_INVALID, {{"rule", "sgd"}}},
          {"reduce", "max"},
          {"rows", "some"},
          {"init", "one"},
          {"init", "zero:1"},
          {"init", "constant"},
          {"init", "constant:"},
          {"init", "constant:x"},
          {"init", "uniform:1"},
          {"init", "uniform:2:1"},
          {"init", "normal:0:-1"},
          {"seed", "-1"},
          {"seed", "x"},
          {"sum_group", "0"},
          {"sum_group", "-1"},
          {"partition_bytes", "0"},
          {"partition_bytes", "4095"},
          {"partition_bytes", "1048577"},
          {"partition_bytes", "4k"}};
}

// fn(options, num, err): the status.
template <typename Fn>
void ExpectRefused(const Bad& bad, const Fn& fn) {
  CAPTURE(std::string(bad.key));
  CAPTURE(std::string(bad.value));
  std::vector<geeps_kv> options = bad.more;
  options.push_back({bad.key, bad.value});
  geeps_error err = EmptyError();
  const geeps_status status = fn(options.data(), options.size(), &err);
  CHECK_MESSAGE(status == bad.wanted, Text(status, err));
  CHECK(err.code == status);
  CHECK(err.message[0] != 0);
  const bool names_it = std::strstr(err.message, bad.key) != nullptr || std::strstr(err.message, bad.value) != nullptr;
  CHECK_MESSAGE(names_it, std::string(err.message));
}

}  // namespace

TEST_CASE("every unknown key and bad value of a runtime's options is refused by name") {
  geeps_runtime* const canary = reinterpret_cast<geeps_runtime*>(uintptr_t{0x5a5a});
  geeps_runtime* out = canary;
  const auto create = [&](const geeps_kv* options, uint64_t num, geeps_error* err) {
    geeps_config config = {};
    config.struct_size = sizeof config;
    config.abi_version = GEEPS_ABI_VERSION;
    config.options = options;
    config.num_options = num;
    return geeps_runtime_create(&config, &out, err);
  };
  for (const Bad& bad : BadRuntimeOptions()) ExpectRefused(bad, create);
  ExpectRefused({"log_level", "info", GEEPS_E_INVALID, {{"log_level", "info"}}}, create);  // twice
  ExpectRefused({"transport", "inproc", GEEPS_E_INVALID, {{"rendezvous", "tcp://127.0.0.1:9"}, {"world", "2"}}},
                create);
  geeps_error err = EmptyError();
  const geeps_kv null_key = {nullptr, "x"}, null_value = {"device", nullptr};
  CHECK(create(&null_key, 1, &err) == GEEPS_E_INVALID);
  CHECK(create(&null_value, 1, &err) == GEEPS_E_INVALID);
  CHECK(create(nullptr, 1, &err) == GEEPS_E_INVALID);
  CHECK(out == canary);
}

TEST_CASE("an address that is not loopback is refused at once") {
  for (const char* address : {"tcp://0.0.0.0:7000", "tcp://192.0.2.1:7000", "tcp://[2001:db8::1]:7000"}) {
    const geeps_kv options[] = {{"rendezvous", address}, {"world", "2"}, {"rank", "0"}, {"start_limit_s", "2"}};
    geeps_config config = {};
    config.struct_size = sizeof config;
    config.abi_version = GEEPS_ABI_VERSION;
    config.options = options;
    config.num_options = 4;
    geeps_error err = EmptyError();
    geeps_runtime* rt = nullptr;
    const geeps_status status = geeps_runtime_create(&config, &rt, &err);
    CAPTURE(std::string(address));
    CHECK_MESSAGE(status == GEEPS_E_DENIED, Text(status, err));
    CHECK(err.message[0] != 0);
    geeps_runtime_destroy(rt);
  }
}

TEST_CASE("every unknown key and bad value of a table's options is refused by name") {
  Situation situation(kStarted);
  geeps_table* const canary = reinterpret_cast<geeps_table*>(uintptr_t{0x5a5a});
  geeps_table* out = canary;
  const auto create = [&](const geeps_kv* options, uint64_t num, geeps_error* err) {
    return geeps_table_create(situation.args.rt, "bad", 4, 4, GEEPS_F32, options, num, &out, err);
  };
  for (const Bad& bad : BadTableOptions()) ExpectRefused(bad, create);
  ExpectRefused({"rule", "add", GEEPS_E_INVALID, {{"rule", "add"}}}, create);  // twice
  geeps_error err = EmptyError();
  const geeps_kv null_key = {nullptr, "x"}, null_value = {"rule", nullptr};
  CHECK(create(&null_key, 1, &err) == GEEPS_E_INVALID);
  CHECK(create(&null_value, 1, &err) == GEEPS_E_INVALID);
  CHECK(create(nullptr, 1, &err) == GEEPS_E_INVALID);
  CHECK(out == canary);
  CHECK(create(nullptr, 0, &err) == GEEPS_OK);
}

}  // namespace geeps::misuse_test
