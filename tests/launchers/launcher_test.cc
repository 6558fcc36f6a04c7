// SPDX-License-Identifier: Apache-2.0
#include "runtime/session/launcher.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "runtime/base/status.h"

namespace geeps::session {
namespace {

using Texts = std::map<std::string, std::string>;

struct Result {
  absl::Status status;
  Texts values;
  std::string message() const { return std::string(status.message()); }
};

// `given`: options of the program. Without the launcher in what comes back.
Result Run(const Texts& given, const Texts& variables) {
  OptionValues values;
  for (const auto& [key, text] : given) values[key] = {text, "option " + key};
  const Environment environment = [&](const char* variable) {
    const auto found = variables.find(variable);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
  Result result;
  result.status = AddLauncherValues(environment, &values);
  for (const auto& [key, value] : values) {
    if (key != "launcher") result.values[key] = value.text;
  }
  return result;
}

bool Says(const Result& result, const std::string& part) {
  CHECK(DetailOf(result.status).code == Code::kInvalid);
  const bool says = result.message().find(part) != std::string::npos;
  if (!says) MESSAGE(result.message());
  return says;
}

Texts Without(Texts texts, const std::string& key) {
  texts.erase(key);
  return texts;
}

Texts With(Texts texts, const std::string& key, const std::string& text) {
  texts[key] = text;
  return texts;
}

const Texts& Slurm() {
  static const Texts* const variables = new Texts{{"SLURM_PROCID", "5"},
                                                  {"SLURM_NTASKS", "8"},
                                                  {"SLURM_JOB_ID", "200505"},
                                                  {"SLURM_STEP_ID", "3"},
                                                  {"SLURM_STEP_NODELIST", "gnode[010,20,25,37]"},
                                                  {"SLURM_JOB_NODELIST", "gnode[008-010,20,25,37]"}};
  return *variables;
}

const Texts& Torchrun() {
  static const Texts* const variables =
      new Texts{{"RANK", "3"},       {"WORLD_SIZE", "4"},         {"LOCAL_WORLD_SIZE", "2"},
                {"LOCAL_RANK", "1"}, {"MASTER_ADDR", "trainer0"}, {"MASTER_PORT", "29500"}};
  return *variables;
}

TEST_CASE("launcher: none, and none given, read nothing; an unknown one is refused with those that there are") {
  CHECK(Run({}, Slurm()).values.empty());
  CHECK(Run({{"launcher", "none"}}, Slurm()).values.empty());
  CHECK(Says(Run({{"launcher", "auto"}}, Slurm()), "option launcher = 'auto': none, geeps, slurm, mpi or torchrun"));
}

TEST_CASE("launcher = geeps: each variable that is set becomes its option, unless that is given") {
  const Texts variables = {{"GEEPS_RANK", "1"},
                           {"GEEPS_WORLD", "2"},
                           {"GEEPS_RENDEZVOUS", "r"},
                           {"GEEPS_TRANSPORT", "t"},
                           {"GEEPS_LOG_LEVEL", "l"}};
  CHECK(Run({{"launcher", "geeps"}}, variables).values ==
        Texts{{"rank", "1"}, {"world", "2"}, {"rendezvous", "r"}, {"transport", "t"}, {"log_level", "l"}});
  CHECK(Run({{"launcher", "geeps"}, {"rank", "0"}}, {{"GEEPS_RANK", "1"}}).values == Texts{{"rank", "0"}});
  CHECK(Run({{"launcher", "geeps"}}, {}).values.empty());
}

TEST_CASE("launcher = slurm: the step's first host, and a port from job and step") {
  // 12000 + (16 * 200505 + 3) mod 20000
  CHECK(Run({{"launcher", "slurm"}}, Slurm()).values ==
        Texts{{"rank", "5"}, {"world", "8"}, {"rendezvous", "tcp://gnode010:20083"}});
  const Texts without_step = Without(Without(Slurm(), "SLURM_STEP_ID"), "SLURM_STEP_NODELIST");
  CHECK(Run({{"launcher", "slurm"}}, without_step).values["rendezvous"] == "tcp://gnode008:20080");
  CHECK(Run({{"launcher", "slurm"}}, With(Slurm(), "SLURM_STEP_NUM_TASKS", "6")).values["world"] == "6");
  CHECK(Run({{"launcher", "slurm"}}, With(Slurm(), "SLURM_JOB_ID", "4294967295")).status.ok());
}

TEST_CASE("launcher = slurm: tasks that share one host meet at its loopback address, one task meets nobody") {
  for (const char* list : {"gnode[010]", "gnode010", "gnode010,gnode010"}) {
    CHECK(Run({{"launcher", "slurm"}}, With(Slurm(), "SLURM_STEP_NODELIST", list)).values["rendezvous"] ==
          "tcp://127.0.0.1:20083");
  }
  const Texts alone = {{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "1"}};
  CHECK(Run({{"launcher", "slurm"}}, alone).values == Texts{{"rank", "0"}, {"world", "1"}});
}

TEST_CASE("launcher = slurm: variables of options that are given are not looked at") {
  CHECK(Run({{"launcher", "slurm"}, {"rendezvous", "file:///a"}}, {{"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "2"}})
            .values == Texts{{"rank", "1"}, {"world", "2"}, {"rendezvous", "file:///a"}});
  CHECK(Run({{"launcher", "slurm"}, {"rank", "1"}, {"world", "2"}, {"rendezvous", "r"}}, {}).status.ok());
}

TEST_CASE("launcher = slurm: a variable that is missing or malformed is named with its value and what is expected") {
  const Texts given = {{"launcher", "slurm"}};
  CHECK(Says(Run(given, Without(Slurm(), "SLURM_NTASKS")),
             "launcher = slurm: the variable SLURM_NTASKS is not set; it holds the number of workers"));
  CHECK(Says(Run(given, Without(Slurm(), "SLURM_PROCID")), "the variable SLURM_PROCID is not set"));
  CHECK(Says(Run(given, Without(Slurm(), "SLURM_JOB_ID")), "the variable SLURM_JOB_ID is not set"));
  CHECK(Says(Run(given, Without(Without(Slurm(), "SLURM_STEP_NODELIST"), "SLURM_JOB_NODELIST")),
             "the variable SLURM_JOB_NODELIST is not set"));
  CHECK(Says(Run(given, With(Slurm(), "SLURM_PROCID", "8")),
             "SLURM_PROCID = '8': the number of this worker, a whole number from 0 to 7"));
  CHECK(Says(Run(given, With(Slurm(), "SLURM_NTASKS", "8(x2)")),
             "SLURM_NTASKS = '8(x2)': the number of workers, a whole number from 1 to 4096"));
  CHECK(Says(Run(given, With(Slurm(), "SLURM_NTASKS", "")), "SLURM_NTASKS = ''"));
  CHECK(Says(Run(given, With(Slurm(), "SLURM_JOB_ID", "-1")), "SLURM_JOB_ID = '-1'"));
  CHECK(Says(Run(given, With(Slurm(), "SLURM_STEP_ID", "extern")), "SLURM_STEP_ID = 'extern'"));
  CHECK(Says(Run(given, With(Slurm(), "SLURM_STEP_NODELIST", "n[1-")),
             "SLURM_STEP_NODELIST = 'n[1-': a list of hosts as node[003-005,7],gpu1; a bracket is not closed"));
}

TEST_CASE("launcher = mpi: rank and world from Open MPI or from PMI, the rendezvous from an option only") {
  const Texts given = {{"launcher", "mpi"}, {"rendezvous", "file:///a"}};
  const Texts open_mpi = {
      {"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "2"}, {"PMI_RANK", "7"}, {"PMI_SIZE", "9"}};
  CHECK(Run(given, open_mpi).values == Texts{{"rank", "1"}, {"world", "2"}, {"rendezvous", "file:///a"}});
  CHECK(Run(given, {{"PMI_RANK", "7"}, {"PMI_SIZE", "9"}}).values ==
        Texts{{"rank", "7"}, {"world", "9"}, {"rendezvous", "file:///a"}});
  CHECK(Says(Run({{"launcher", "mpi"}}, open_mpi),
             "option rendezvous is missing: mpirun does not say where workers can meet"));
  CHECK(Run({{"launcher", "mpi"}}, {{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "1"}}).status.ok());
  CHECK(Says(Run(given, {}), "launcher = mpi: the variable OMPI_COMM_WORLD_SIZE is not set"));
  CHECK(Says(Run(given, {{"OMPI_COMM_WORLD_SIZE", "2"}}), "the variable OMPI_COMM_WORLD_RANK is not set"));
  CHECK(Says(Run(given, With(open_mpi, "OMPI_COMM_WORLD_RANK", "2")),
             "OMPI_COMM_WORLD_RANK = '2': the number of this worker, a whole number from 0 to 1"));
}

TEST_CASE("launcher = torchrun: the workers meet at the port after that of torchrun's store") {
  CHECK(Run({{"launcher", "torchrun"}}, Torchrun()).values ==
        Texts{{"rank", "3"}, {"world", "4"}, {"rendezvous", "tcp://trainer0:29501"}});
  CHECK(Run({{"launcher", "torchrun"}}, With(Torchrun(), "LOCAL_WORLD_SIZE", "4")).values["rendezvous"] ==
        "tcp://127.0.0.1:29501");
  CHECK(Run({{"launcher", "torchrun"}}, Without(Torchrun(), "LOCAL_WORLD_SIZE")).values["rendezvous"] ==
        "tcp://trainer0:29501");
  CHECK(Run({{"launcher", "torchrun"}}, With(Torchrun(), "MASTER_ADDR", "::1")).values["rendezvous"] ==
        "tcp://[::1]:29501");
  CHECK(Says(Run({{"launcher", "torchrun"}}, With(Torchrun(), "MASTER_PORT", "65535")),
             "MASTER_PORT = '65535': the port of torchrun's store, a whole number from 1 to 65534"));
  for (const char* variable : {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}) {
    CHECK(Says(Run({{"launcher", "torchrun"}}, Without(Torchrun(), variable)),
               std::string("the variable ") + variable + " is not set"));
  }
}

}  // namespace
}  // namespace geeps::session
