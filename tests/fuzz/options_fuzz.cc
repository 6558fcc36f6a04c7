// SPDX-License-Identifier: Apache-2.0
// Options as programs and launchers give them: those of a runtime and of a table, the variables of launchers, and lists
// of hosts. What is refused is refused with a sentence; what is accepted keeps the limits that others build on.
#include <algorithm>
#include <iterator>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "runtime/base/status.h"
#include "runtime/net/rendezvous.h"
#include "runtime/session/config.h"
#include "runtime/session/hostlist.h"
#include "runtime/session/launcher.h"
#include "runtime/table/schema.h"
#include "tests/fuzz/fuzz.h"

namespace geeps::fuzz {
namespace {

constexpr size_t kHostsMax = 65536;
constexpr size_t kOptionsMax = 12;

const char* const kRuntimeKeys[] = {
    "device",          "transport", "rank",      "world",         "rendezvous",     "launcher",
    "advertise",       "port",      "log_level", "start_limit_s", "heartbeat_ms",   "wait_warning_ms",
    "rendezvous_port", "trace",     "stats",     "plugin_path",   "test.skip_wait", "device_memory",
    "first_clock",     "unknown"};
const char* const kTableKeys[] = {
    "mode", "read_my_writes", "observer",        "rule",           "param.lr",      "reduce", "rows", "init",
    "seed", "sum_group",      "partition_bytes", "param.momentum", "param.nothing", "unknown"};
const char* const kVariables[] = {"GEEPS_TRANSPORT", "GEEPS_RANK",    "GEEPS_WORLD",          "GEEPS_RENDEZVOUS",
                                  "GEEPS_LOG_LEVEL", "GEEPS_TRACE",   "GEEPS_STATS",          "SLURM_STEP_NUM_TASKS",
                                  "SLURM_NTASKS",    "SLURM_PROCID",  "SLURM_STEP_NODELIST",  "SLURM_JOB_NODELIST",
                                  "SLURM_JOB_ID",    "SLURM_STEP_ID", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK",
                                  "PMI_SIZE",        "PMI_RANK",      "WORLD_SIZE",           "RANK",
                                  "MASTER_PORT",     "MASTER_ADDR",   "LOCAL_WORLD_SIZE"};

uint32_t IndexOf(const char* const* names, size_t num, const std::string& name) {
  for (size_t i = 0; i < num; ++i) {
    if (name == names[i]) return static_cast<uint32_t>(i);
  }
  FUZZ_CHECK(false);
  return 0;
}
#define INDEX_OF(names, name) IndexOf(names, std::size(names), name)

// Keys from a list, values as they come.
using Texts = std::vector<std::pair<std::string, std::string>>;
Texts ReadTexts(Input* input, const char* const* keys, size_t num_keys) {
  Texts texts;
  while (!input->done() && texts.size() < kOptionsMax) {
    const std::string key = keys[input->Byte() % num_keys];
    texts.emplace_back(key, input->CText());
  }
  return texts;
}
std::vector<std::pair<absl::string_view, absl::string_view>> Views(const Texts& texts) {
  return {texts.begin(), texts.end()};
}

void CheckRefusal(const absl::Status& status) {
  const Code code = DetailOf(status).code;
  FUZZ_CHECK(code == Code::kInvalid || code == Code::kDenied || code == Code::kUnsupported || code == Code::kNotFound);
  FUZZ_CHECK(!status.message().empty());
}

void TryHosts(const std::string& text) {
  const Meter meter;
  const auto hosts = session::ExpandHostlist(text);
  // Names are at most as long as the list, and short ones: 253 bytes and the text's own memory.
  FUZZ_CHECK(meter.peak_bytes() <= kHostsMax * 4 * 320 + 64 * text.size() + 4096);
  if (!hosts.ok()) return CheckRefusal(hosts.status());
  FUZZ_CHECK(!hosts->empty() && hosts->size() <= kHostsMax);
  for (const std::string& host : *hosts) {
    FUZZ_CHECK(!host.empty() && host.size() <= 253 && host.find_first_of("[] \t,") == std::string::npos);
  }
  if (hosts->size() > 100) return;
  const auto again = session::ExpandHostlist(absl::StrJoin(*hosts, ","));
  FUZZ_CHECK(again.ok() && *again == *hosts);
}

void TryLauncher(Input* input) {
  static const char* const kLaunchers[] = {"geeps", "slurm", "mpi", "torchrun", "none", "pbs"};
  session::OptionValues values;
  values["launcher"] = {kLaunchers[input->Below(6)], "option launcher"};
  if (input->Flag()) values["world"] = {input->CText(), "option world"};
  if (input->Flag()) values["rank"] = {input->CText(), "option rank"};
  std::map<std::string, std::string> variables;
  for (const auto& [name, value] : ReadTexts(input, kVariables, std::size(kVariables))) variables[name] = value;
  const session::OptionValues before = values;
  const absl::Status status = session::AddLauncherValues(
      [&](const char* name) {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : found->second.c_str();
      },
      &values);
  // What the program said itself stays.
  for (const auto& [key, value] : before) FUZZ_CHECK(values[key].text == value.text);
  if (!status.ok()) return CheckRefusal(status);
  for (const auto& [key, value] : values) {
    if (before.count(key) > 0) continue;
    FUZZ_CHECK(variables.count(value.source) == 1);
    if (key == "rendezvous" && before.at("launcher").text != "geeps")
      FUZZ_CHECK(absl::StartsWith(value.text, "tcp://"));
  }
}

void TryConfig(const Texts& texts) {
  const auto views = Views(texts);
  const auto config = session::ParseConfig(views);
  if (!config.ok()) return CheckRefusal(config.status());
  FUZZ_CHECK(config->world >= 1 && config->world <= session::kWorldMax && config->rank < config->world);
  FUZZ_CHECK(config->heartbeat_ms >= 10 && config->start_limit_s >= 1 && !config->transport.empty());
  FUZZ_CHECK(config->world == 1 || !config->rendezvous.empty());
  FUZZ_CHECK(config->advertise.empty() || net::IsLoopback(config->advertise));
  FUZZ_CHECK(net::ParseRendezvous(config->rendezvous).ok());
}

void TryTable(Input* input) {
  static constexpr table::DType kDTypes[] = {table::DType::kF16, table::DType::kF32, table::DType::kF64,
                                             table::DType::kBf16};
  const table::DType dtype = kDTypes[input->Below(4)];
  const bool large = input->Flag();
  const uint64_t num_rows = large ? input->Number<uint64_t>() : input->Number<uint16_t>();
  const uint64_t row_values = large ? input->Number<uint64_t>() : input->Byte();
  const std::string name = input->Text();
  const Texts texts = ReadTexts(input, kTableKeys, std::size(kTableKeys));
  const auto views = Views(texts);
  const auto options = table::ParseTableOptions(name, num_rows, row_values, dtype, views);
  if (!options.ok()) return CheckRefusal(options.status());
  const table::TableSchema& schema = options->schema;
  FUZZ_CHECK(schema.name == name && !name.empty() && name.size() <= table::kTableNameMax);
  FUZZ_CHECK(schema.num_rows == num_rows && num_rows > 0 && row_values > 0 && schema.rule != nullptr);
  FUZZ_CHECK(schema.row_bytes() <= table::kRowBytesMax && schema.bytes() <= table::kTableBytesMax);
  FUZZ_CHECK(schema.partition_bytes >= table::kPartitionBytesMin &&
             schema.partition_bytes <= table::kPartitionBytesMax);
  FUZZ_CHECK(schema.sum_group >= 1 && !(options->observer && schema.rows_same));
  const auto again = table::ParseTableOptions(name, num_rows, row_values, dtype, views);
  FUZZ_CHECK(again.ok() && table::Digest(again->schema) == table::Digest(schema));
  FUZZ_CHECK(table::Describe(again->schema) == table::Describe(schema));
  const auto other = table::ParseTableOptions(name + "x", num_rows, row_values, dtype, views);
  if (other.ok()) FUZZ_CHECK(table::Digest(other->schema) != table::Digest(schema));
}

// --- seeds ---

Seed ConfigSeed(const Texts& texts) {
  Seed seed;
  seed.Byte(2);
  for (const auto& [key, value] : texts) seed.Byte(INDEX_OF(kRuntimeKeys, key)).Text(value);
  return seed;
}

Seed TableSeed(uint32_t dtype, const Texts& texts) {
  Seed seed;
  seed.Byte(3).Byte(dtype).Byte(0).Number(uint16_t{100}).Byte(4).Text("weights");
  for (const auto& [key, value] : texts) seed.Byte(INDEX_OF(kTableKeys, key)).Text(value);
  return seed;
}

Seed LauncherSeed(uint32_t launcher, const Texts& variables) {
  Seed seed;
  seed.Byte(1).Byte(launcher).Byte(0).Byte(0);
  for (const auto& [name, value] : variables) seed.Byte(INDEX_OF(kVariables, name)).Text(value);
  return seed;
}

void AddLauncherSeeds(std::vector<std::string>* seeds) {
  seeds->push_back(LauncherSeed(0, {{"GEEPS_RANK", "1"}, {"GEEPS_WORLD", "4"}, {"GEEPS_RENDEZVOUS", "inproc://x"}}));
  const Texts slurm = {{"SLURM_NTASKS", "4"},
                       {"SLURM_PROCID", "3"},
                       {"SLURM_JOB_NODELIST", "n[003-005,7],gpu1"},
                       {"SLURM_JOB_ID", "1234567"},
                       {"SLURM_STEP_ID", "0"}};
  const Texts mpi = {{"OMPI_COMM_WORLD_SIZE", "2"}, {"OMPI_COMM_WORLD_RANK", "1"}};
  const Texts torch = {{"WORLD_SIZE", "2"}, {"RANK", "1"}, {"MASTER_PORT", "29500"}, {"MASTER_ADDR", "::1"}};
  uint32_t launcher = 1;
  for (const Texts& variables : {slurm, mpi, torch}) {
    seeds->push_back(LauncherSeed(launcher, variables));
    for (size_t i = 0; i < variables.size(); ++i) {
      Texts missing = variables;
      missing.erase(missing.begin() + static_cast<ptrdiff_t>(i));
      seeds->push_back(LauncherSeed(launcher, missing));
      Texts malformed = variables;
      malformed[i].second = "x]";
      seeds->push_back(LauncherSeed(launcher, malformed));
    }
    ++launcher;
  }
  seeds->push_back(LauncherSeed(
      1,
      {{"SLURM_STEP_NUM_TASKS", "2"}, {"SLURM_PROCID", "0"}, {"SLURM_STEP_NODELIST", "a,a"}, {"SLURM_JOB_ID", "1"}}));
  seeds->push_back(LauncherSeed(2, {{"PMI_SIZE", "1"}, {"PMI_RANK", "0"}}));
  seeds->push_back(LauncherSeed(
      3,
      {{"WORLD_SIZE", "2"}, {"LOCAL_WORLD_SIZE", "2"}, {"RANK", "0"}, {"MASTER_PORT", "9"}, {"MASTER_ADDR", "node"}}));
  seeds->push_back(LauncherSeed(4, {}));
  seeds->push_back(LauncherSeed(5, {}));
  seeds->push_back(Seed().Byte(1).Byte(2).Byte(1).Text("1").Byte(1).Text("0"));
  seeds->push_back(
      Seed().Byte(1).Byte(1).Byte(1).Text("many").Byte(0).Byte(INDEX_OF(kVariables, "SLURM_PROCID")).Text("1"));
}

void AddConfigSeeds(std::vector<std::string>* seeds) {
  seeds->push_back(ConfigSeed({}));
  seeds->push_back(ConfigSeed({{"world", "4"},
                               {"rank", "3"},
                               {"rendezvous", "tcp://127.0.0.1:4711"},
                               {"transport", "tcp"},
                               {"port", "4000-4010"},
                               {"advertise", "127.0.0.2"},
                               {"heartbeat_ms", "500"}}));
  seeds->push_back(ConfigSeed({{"world", "2"},
                               {"rendezvous", "file:///tmp/job"},
                               {"rendezvous_port", "4000"},
                               {"log_level", "debug"},
                               {"start_limit_s", "3"},
                               {"wait_warning_ms", "0"}}));
  seeds->push_back(ConfigSeed({{"device_memory", "12GiB"}, {"first_clock", "9"}}));
  const Texts faults = {{"world", "0"},
                        {"world", "2"},
                        {"rank", "1"},
                        {"unknown", "1"},
                        {"log_level", "loud"},
                        {"port", "x"},
                        {"advertise", "x"},
                        {"advertise", "10.0.0.1"},
                        {"rendezvous", "x"},
                        {"port", "1"},
                        {"rendezvous_port", "1"},
                        {"launcher", "slurm"},
                        {"launcher", "none"},
                        {"heartbeat_ms", "1"},
                        {"trace", "t"},
                        {"stats", "s"},
                        {"plugin_path", "/x:/y"},
                        {"device", "host"},
                        {"test.skip_wait", "x"}};
  for (const auto& fault : faults) seeds->push_back(ConfigSeed({fault}));
  seeds->push_back(ConfigSeed({{"rank", "0"}, {"rank", "0"}}));
  seeds->push_back(ConfigSeed({{"transport", "inproc"}, {"rendezvous", "tcp://localhost:1"}}));
}

void AddTableSeeds(std::vector<std::string>* seeds) {
  for (const char* rule : {"add", "replace", "sgd", "adam", "adamw", "adagrad", "rmsprop", "lamb", "none"}) {
    seeds->push_back(TableSeed(1, {{"rule", rule}, {"param.lr", "0.1"}}));
    seeds->push_back(TableSeed(3, {{"param.lr", "0.1"}, {"rule", rule}, {"param.momentum", "0.9"}}));
  }
  const Texts options = {{"mode", "async"},
                         {"mode", "bounded"},
                         {"mode", "x"},
                         {"read_my_writes", "1"},
                         {"read_my_writes", "2"},
                         {"observer", "1"},
                         {"reduce", "mean"},
                         {"reduce", "x"},
                         {"rows", "same"},
                         {"rows", "x"},
                         {"init", "zero"},
                         {"init", "constant:1.5"},
                         {"init", "uniform:-1:1"},
                         {"init", "normal:0:1e-3"},
                         {"init", "uniform:1:-1"},
                         {"init", "normal:0"},
                         {"init", "constant:nan"},
                         {"seed", "7"},
                         {"seed", "-1"},
                         {"sum_group", "2"},
                         {"sum_group", "0"},
                         {"partition_bytes", "4096"},
                         {"partition_bytes", "1"},
                         {"unknown", "1"},
                         {"param.nothing", "1"},
                         {"param.lr", "much"}};
  uint32_t dtype = 0;
  for (const auto& option : options) seeds->push_back(TableSeed(dtype++ % 4, {option}));
  seeds->push_back(TableSeed(0, {{"seed", "1"}, {"seed", "1"}}));
  seeds->push_back(TableSeed(0, {{"observer", "1"}, {"rows", "same"}}));
  seeds->push_back(TableSeed(0, {{"read_my_writes", "1"}, {"rule", "sgd"}, {"param.lr", "1"}}));
  const Seed large = Seed().Byte(3).Byte(1).Byte(1);
  for (const uint64_t rows : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 40, ~uint64_t{0}}) {
    for (const uint64_t values : {uint64_t{1} << 24, (uint64_t{1} << 24) + 1, uint64_t{1} << 62}) {
      seeds->push_back(Seed().Raw(large).Number(rows).Number(values).Text("t"));
    }
  }
  seeds->push_back(Seed().Byte(3).Byte(0).Byte(0).Number(uint16_t{1}).Byte(1).Text(std::string(256, 'n')));
  seeds->push_back(Seed().Byte(3).Byte(0).Byte(0).Number(uint16_t{1}).Byte(1).Text("a\nb"));
  seeds->push_back(Seed().Byte(3).Byte(0).Byte(0).Number(uint16_t{1}).Byte(1).Text(""));
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  for (const char* hosts : {"a", "a,b", "n[003-005,7],gpu1", "r[1-2]n[0-1]", "n[1-", "n[5-4]", "n[x]", "a b", "a]", "",
                            "a,,b", "n[0-65535]", "n[0-65536]", "n[0-300]m[0-300]", "n[0-65535],b", "n[1,2]x[3]",
                            "n[0-40000,0-40000]", "n[1234567890123456789]"}) {
    seeds.push_back(Seed().Byte(0).Raw(hosts));
  }
  seeds.push_back(Seed().Byte(0).Raw("n" + std::string(253, 'n') + "[0-9]"));
  AddLauncherSeeds(&seeds);
  AddConfigSeeds(&seeds);
  AddTableSeeds(&seeds);
  return seeds;
}

}  // namespace geeps::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace geeps::fuzz;  // NOLINT
  Input input(data, size);
  switch (input.Below(4)) {
    case 0:
      TryHosts(input.Rest());
      break;
    case 1:
      TryLauncher(&input);
      break;
    case 2:
      TryConfig(ReadTexts(&input, kRuntimeKeys, std::size(kRuntimeKeys)));
      break;
    default:
      TryTable(&input);
      break;
  }
  return 0;
}
