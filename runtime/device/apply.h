// SPDX-License-Identifier: Apache-2.0
// The kernel of `apply` on the host: fold and rule for the segments of one partition, the other rows carried over.
// Thread contract: pure functions.
#ifndef GEEPS_RUNTIME_DEVICE_APPLY_H_
#define GEEPS_RUNTIME_DEVICE_APPLY_H_

#include "absl/status/status.h"
#include "geeps_device.h"

namespace geeps::device {

// Errors: Invalid, with the field and its value; Unsupported for a rule or dtype that this build does not have.
absl::Status CheckApply(const geeps_apply& apply);

// Does it now. REQUIRES: CheckApply(apply) is ok.
void ApplyNow(const geeps_apply& apply);

}  // namespace geeps::device

#endif  // GEEPS_RUNTIME_DEVICE_APPLY_H_
