// SPDX-License-Identifier: Apache-2.0
// Scenarios: what is done while a request fails. Together they call every function of geeps.h and of geeps_source.h.
// Thread contract: one scenario at a time; each starts the threads that it needs and ends them.
#ifndef GEEPS_TESTS_OOM_SCENARIOS_H_
#define GEEPS_TESTS_OOM_SCENARIOS_H_

#include <string>
#include <vector>

#include "tests/oom/job.h"

namespace geeps::oom_test {

struct Scenario {
  const char* name;
  const char* what;
  // Complaints, one a line; empty: all was as promised.
  std::string (*run)(const Fault& fault);
};

const std::vector<Scenario>& Scenarios();
// nullptr: there is none.
const Scenario* FindScenario(const std::string& name);

// Files that scenarios read or write lie in this folder, which exists.
void SetFolder(const std::string& path);
const std::string& Folder();

// scenario_source.cc
void WriteDataSet();
std::string RunSource(const Fault& fault);

}  // namespace geeps::oom_test

#endif  // GEEPS_TESTS_OOM_SCENARIOS_H_
