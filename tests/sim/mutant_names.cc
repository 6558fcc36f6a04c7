// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/mutant_names.h"

#include "runtime/protocol/mutants.h"

#ifdef GEEPS_MUTANTS

namespace geeps::sim {
namespace {

struct Named {
  const char* name;
  protocol::Mutant mutant;
};

constexpr Named kMutants[] = {
#include "mutant_list.inc"
};

}  // namespace

uint32_t NumMutants() { return sizeof(kMutants) / sizeof(kMutants[0]); }

const char* MutantName(uint32_t index) { return kMutants[index].name; }

bool SetMutant(const std::string& name) {
  protocol::g_mutant = protocol::Mutant::kNone;
  if (name == "none") return true;
  for (const Named& named : kMutants) {
    if (name != named.name) continue;
    protocol::g_mutant = named.mutant;
    return true;
  }
  return false;
}

}  // namespace geeps::sim

#else

namespace geeps::sim {

uint32_t NumMutants() { return 0; }
const char* MutantName(uint32_t /*index*/) { return ""; }
bool SetMutant(const std::string& name) { return name == "none"; }

}  // namespace geeps::sim

#endif
