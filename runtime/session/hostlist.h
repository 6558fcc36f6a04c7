// SPDX-License-Identifier: Apache-2.0
// ExpandHostlist: the notation in which Slurm writes names of hosts.
// Thread contract: pure.
#ifndef GEEPS_RUNTIME_SESSION_HOSTLIST_H_
#define GEEPS_RUNTIME_SESSION_HOSTLIST_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace geeps::session {

// The names in their order: "n[003-005,7],gpu1" is n003, n004, n005, n7, gpu1; "r[1-2]n[0-1]" has four; digits are
// padded as the lower end of their range is. Errors: Invalid, saying what is wrong with the list; also for more than
// 65536 names, and for a name of more than 253 bytes.
absl::StatusOr<std::vector<std::string>> ExpandHostlist(absl::string_view text);

}  // namespace geeps::session

#endif  // GEEPS_RUNTIME_SESSION_HOSTLIST_H_
