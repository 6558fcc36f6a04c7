// SPDX-License-Identifier: Apache-2.0
// The one thing that writing JSON by hand needs.
// Thread contract: pure functions.
#ifndef GEEPS_RUNTIME_BASE_JSON_H_
#define GEEPS_RUNTIME_BASE_JSON_H_

#include <string>

#include "absl/strings/string_view.h"

namespace geeps {

// The text as a JSON string, quotes included.
std::string JsonQuoted(absl::string_view text);

}  // namespace geeps

#endif  // GEEPS_RUNTIME_BASE_JSON_H_
