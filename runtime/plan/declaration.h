// SPDX-License-Identifier: Apache-2.0
// Declaration: what a worker declares at a commit, line by line, and the digest over all lines. Workers whose digests
// are equal have equal lines; else the coordinator compares two lists and names the first line that differs.
// Pure.
#ifndef GEEPS_RUNTIME_PLAN_DECLARATION_H_
#define GEEPS_RUNTIME_PLAN_DECLARATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/plan/layout.h"
#include "runtime/protocol/coordinator.h"

namespace geeps::plan {

struct Declaration {
  // One line a table (its schema), one a plan (how it ends), and for each plan and table with rows = same one for the
  // rows read and one for the rows updated. In the order of the input, tables first.
  std::vector<protocol::DeclarationLine> lines;
  uint64_t digest = 0;  // a function of the lines alone, on every machine
};

// Uses tables and plans of the input, nothing else: nothing need be built. REQUIRES: as for BuildLayout; accesses of
// unknown objects are ignored.
Declaration Declare(const LayoutInput& input);

// "rows 0..19, 40..49 and 3 more runs, 95 in all"; "no rows". Long sets are cut.
std::string DescribeRows(const table::RowSet& rows);

}  // namespace geeps::plan

#endif  // GEEPS_RUNTIME_PLAN_DECLARATION_H_
