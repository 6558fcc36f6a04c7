// SPDX-License-Identifier: Apache-2.0
#include "runtime/session/launcher.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/session/config.h"
#include "runtime/session/hostlist.h"

namespace geeps::session {
namespace {

constexpr char kLoopback[] = "127.0.0.1";

// One launcher's variables and the options that they become.
class Reader {
 public:
  Reader(std::string launcher, const Environment& environment, OptionValues* values)
      : launcher_(std::move(launcher)), environment_(environment), values_(values) {}

  bool given(const char* key) const { return values_->count(key) > 0; }
  const char* Value(const char* variable) const { return environment_(variable); }
  void Set(const char* key, std::string text, std::string source) {
    (*values_)[key] = OptionValue{std::move(text), std::move(source)};
  }

  // Errors: Invalid when the variable is missing, or no whole number from min to max; `meaning` says what it should
  // hold.
  absl::Status Number(const char* variable, const char* meaning, uint64_t min, uint64_t max, uint64_t* out) const {
    const char* const text = Value(variable);
    if (text == nullptr) return Missing(variable, meaning);
    const absl::string_view view = text;
    const bool digits = std::all_of(view.begin(), view.end(), [](char c) { return absl::ascii_isdigit(c); });
    if (!view.empty() && digits && absl::SimpleAtoi(view, out) && *out >= min && *out <= max) return absl::OkStatus();
    return Invalid("launcher = ", launcher_, ": ", variable, " = '", text, "': ", meaning, ", a whole number from ",
                   min, " to ", max);
  }
  absl::Status Missing(const char* variable, const char* meaning) const {
    return Invalid("launcher = ", launcher_, ": the variable ", variable, " is not set; it holds ", meaning,
                   ". Was the program started by another launcher?");
  }

  // world, then rank, each unless it is given.
  absl::Status AddPlace(const char* world_variable, const char* rank_variable) {
    if (!given("world")) {
      uint64_t world = 0;
      GEEPS_RETURN_IF_ERROR(Number(world_variable, "the number of workers", 1, kWorldMax, &world));
      Set("world", absl::StrCat(world), world_variable);
    }
    if (!given("rank")) {
      // A world that is given and wrong is refused where options are read.
      uint64_t world = kWorldMax;
      if (!absl::SimpleAtoi((*values_)["world"].text, &world) || world < 1) world = kWorldMax;
      uint64_t rank = 0;
      GEEPS_RETURN_IF_ERROR(Number(rank_variable, "the number of this worker", 0, world - 1, &rank));
      Set("rank", absl::StrCat(rank), rank_variable);
    }
    return absl::OkStatus();
  }
  // Several workers that have not been told where to meet.
  bool NeedsRendezvous() const { return !given("rendezvous") && (*values_)["world"].text != "1"; }

 private:
  const std::string launcher_;
  const Environment& environment_;
  OptionValues* const values_;
};

// `geeps run`: a variable for each option. What is not set keeps its default, so that a program also runs alone.
absl::Status AddGeeps(Reader reader) {
  static constexpr std::pair<const char*, const char*> kVariables[] = {
      {"transport", "GEEPS_TRANSPORT"},   {"rank", "GEEPS_RANK"},           {"world", "GEEPS_WORLD"},
      {"rendezvous", "GEEPS_RENDEZVOUS"}, {"log_level", "GEEPS_LOG_LEVEL"}, {"trace", "GEEPS_TRACE"},
      {"stats", "GEEPS_STATS"},
  };
  for (const auto& [key, variable] : kVariables) {
    const char* const value = reader.Value(variable);
    if (value != nullptr && !reader.given(key)) reader.Set(key, value, variable);
  }
  return absl::OkStatus();
}

// srun sets, for each task of a step: SLURM_PROCID, SLURM_NTASKS, the step's nodes, and numbers of job and step.
absl::Status AddSlurm(Reader reader) {
  const char* const tasks = reader.Value("SLURM_STEP_NUM_TASKS") != nullptr ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS";
  GEEPS_RETURN_IF_ERROR(reader.AddPlace(tasks, "SLURM_PROCID"));
  if (!reader.NeedsRendezvous()) return absl::OkStatus();
  const char* const variable =
      reader.Value("SLURM_STEP_NODELIST") != nullptr ? "SLURM_STEP_NODELIST" : "SLURM_JOB_NODELIST";
  const char* const list = reader.Value(variable);
  if (list == nullptr) return reader.Missing(variable, "the hosts of the job");
  const absl::StatusOr<std::vector<std::string>> hosts = ExpandHostlist(list);
  if (!hosts.ok()) {
    return Invalid("launcher = slurm: ", variable, " = '", list, "': a list of hosts as node[003-005,7],gpu1; ",
                   hosts.status().message());
  }
  uint64_t job = 0;
  GEEPS_RETURN_IF_ERROR(reader.Number("SLURM_JOB_ID", "the number of the job", 0, UINT32_MAX, &job));
  uint64_t step = 0;
  if (reader.Value("SLURM_STEP_ID") != nullptr) {
    GEEPS_RETURN_IF_ERROR(reader.Number("SLURM_STEP_ID", "the number of the step", 0, UINT32_MAX, &step));
  }
  // Tasks that share one host need no network to meet. A host may stand in the list more than once.
  const bool one_host =
      std::all_of(hosts->begin(), hosts->end(), [&](const std::string& host) { return host == hosts->front(); });
  const uint64_t port = kSlurmPortMin + (16 * job + step) % kSlurmPorts;
  reader.Set("rendezvous", absl::StrCat("tcp://", one_host ? kLoopback : hosts->front().c_str(), ":", port), variable);
  return absl::OkStatus();
}

// Open MPI's mpirun sets OMPI_COMM_WORLD_*; MPICH's and its relatives' PMI_*. Neither gives an address.
absl::Status AddMpi(Reader reader) {
  const bool pmi = reader.Value("OMPI_COMM_WORLD_SIZE") == nullptr && reader.Value("PMI_SIZE") != nullptr;
  GEEPS_RETURN_IF_ERROR(pmi ? reader.AddPlace("PMI_SIZE", "PMI_RANK")
                            : reader.AddPlace("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"));
  if (!reader.NeedsRendezvous()) return absl::OkStatus();
  return Invalid(
      "launcher = mpi: option rendezvous is missing: mpirun does not say where workers can meet; give tcp://HOST:PORT, "
      "or file:///PATH in a directory that all see");
}

// torchrun's own store listens at MASTER_PORT: the workers meet at the next port.
absl::Status AddTorchrun(Reader reader) {
  GEEPS_RETURN_IF_ERROR(reader.AddPlace("WORLD_SIZE", "RANK"));
  if (!reader.NeedsRendezvous()) return absl::OkStatus();
  uint64_t port = 0;
  GEEPS_RETURN_IF_ERROR(reader.Number("MASTER_PORT", "the port of torchrun's store", 1, 65534, &port));
  const char* const host = reader.Value("MASTER_ADDR");
  if (host == nullptr || *host == '\0') return reader.Missing("MASTER_ADDR", "the host of rank 0");
  // On one host torchrun may name it as the network does; the workers need no network to meet.
  const char* const local = reader.Value("LOCAL_WORLD_SIZE");
  const char* const world = reader.Value("WORLD_SIZE");
  const bool one_host = local != nullptr && world != nullptr && absl::string_view(local) == world;
  const std::string address = absl::StrContains(host, ':') ? absl::StrCat("[", host, "]") : host;
  reader.Set("rendezvous", absl::StrCat("tcp://", one_host ? kLoopback : address, ":", port + 1), "MASTER_ADDR");
  return absl::OkStatus();
}

}  // namespace

absl::Status AddLauncherValues(const Environment& environment, OptionValues* values) {
  const auto found = values->find("launcher");
  if (found == values->end() || found->second.text == "none") return absl::OkStatus();
  const std::string launcher = found->second.text;
  Reader reader(launcher, environment, values);
  if (launcher == "geeps") return AddGeeps(reader);
  if (launcher == "slurm") return AddSlurm(reader);
  if (launcher == "mpi") return AddMpi(reader);
  if (launcher == "torchrun") return AddTorchrun(reader);
  return Invalid("option launcher = '", launcher, "': none, geeps, slurm, mpi or torchrun");
}

}  // namespace geeps::session
