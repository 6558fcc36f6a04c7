// SPDX-License-Identifier: Apache-2.0
// The waits of the movers for the device, by name: what the option test.skip_wait may leave out.
// Thread contract: constants.
#ifndef GEEPS_RUNTIME_MOVERS_WAIT_SITES_H_
#define GEEPS_RUNTIME_MOVERS_WAIT_SITES_H_

#include <algorithm>
#include <array>

#include "absl/status/status.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "runtime/base/status.h"

namespace geeps::movers {

inline constexpr const char* kWaitForFill = "allocator.fill";       // an access buffer is filled
inline constexpr const char* kWaitForDrain = "reclaimer.drain";     // an update is in the log
inline constexpr const char* kWaitForApply = "keeper.apply";        // a clock is summed and its rule applied
inline constexpr const char* kWaitForGather = "keeper.gather";      // the rows of a publish are staged
inline constexpr const char* kWaitForAbsorb = "puller.absorb";      // a version is in the cache
inline constexpr const char* kWaitForDownload = "pusher.download";  // a contribution is where the host reaches it
inline constexpr const char* kWaitForFetch = "stager.fetch";        // staged data are on the device
inline constexpr const char* kWaitForWriteBack =
    "stager.write_back";  // staged data are on the host, their memory is free
inline constexpr std::array<const char*, 8> kWaitSites = {kWaitForFill,   kWaitForDrain,    kWaitForApply,
                                                          kWaitForGather, kWaitForAbsorb,   kWaitForDownload,
                                                          kWaitForFetch,  kWaitForWriteBack};

// These the option cannot leave out: the program's work in its own streams; what a read holds, waited for by such a
// stream; a contribution on its way to the device, whose end only tells when its memory may go.
inline constexpr const char* kWaitForProgram = "engine.program";
inline constexpr const char* kWaitForRead = "program.read";
inline constexpr const char* kWaitForUpload = "keeper.upload";

// Errors: Invalid, listing the sites.
inline absl::Status CheckWaitSite(absl::string_view site) {
  const bool known =
      std::any_of(kWaitSites.begin(), kWaitSites.end(), [&](absl::string_view one) { return one == site; });
  if (known) return absl::OkStatus();
  return Invalid("option test.skip_wait = '", site, "': the waits are ", absl::StrJoin(kWaitSites, ", "));
}

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_WAIT_SITES_H_
