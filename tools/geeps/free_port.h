// SPDX-License-Identifier: Apache-2.0
// Finds a place for the rendezvous of a job on this machine. Any thread.
#ifndef GEEPS_TOOLS_GEEPS_FREE_PORT_H_
#define GEEPS_TOOLS_GEEPS_FREE_PORT_H_

#include <cstdint>
#include <optional>

namespace geeps::tool {

// A TCP port of 127.0.0.1 that nobody holds at this moment, outside the range of ephemeral ports; or nullopt with errno
// set. Another program may take it before rank 0 does; then the job ends with a sentence that names the port.
std::optional<uint16_t> FindFreeLoopbackPort();

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_FREE_PORT_H_
