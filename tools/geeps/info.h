// SPDX-License-Identifier: Apache-2.0
// `geeps info`: prints what this installation and this machine offer.
#ifndef GEEPS_TOOLS_GEEPS_INFO_H_
#define GEEPS_TOOLS_GEEPS_INFO_H_

#include <string>
#include <vector>

namespace geeps::tool {

// `arguments` are those after "info". Returns the exit code of the program.
int InfoCommand(const std::vector<std::string>& arguments);

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_INFO_H_
