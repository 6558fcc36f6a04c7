// SPDX-License-Identifier: Apache-2.0
// The command `geeps top`.
#ifndef GEEPS_TOOLS_GEEPS_TOP_H_
#define GEEPS_TOOLS_GEEPS_TOP_H_

#include <string>
#include <vector>

namespace geeps::tool {

// Returns the exit code.
int TopCommand(const std::vector<std::string>& arguments);

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_TOP_H_
