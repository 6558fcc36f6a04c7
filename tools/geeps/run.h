// SPDX-License-Identifier: Apache-2.0
// `geeps run`: reads its command line and hands the job to the launcher.
#ifndef GEEPS_TOOLS_GEEPS_RUN_H_
#define GEEPS_TOOLS_GEEPS_RUN_H_

#include <string>
#include <vector>

namespace geeps::tool {

// `arguments` are those after "run". Returns the exit code of the program.
int RunCommand(const std::vector<std::string>& arguments);

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_RUN_H_
