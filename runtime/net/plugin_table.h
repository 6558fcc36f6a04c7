// SPDX-License-Identifier: Apache-2.0
// CheckTable: whether a table that a plugin returned for an interface id is one that this host can call.
// Thread contract: pure functions.
#ifndef GEEPS_RUNTIME_NET_PLUGIN_TABLE_H_
#define GEEPS_RUNTIME_NET_PLUGIN_TABLE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace geeps::net {

// Every known table begins with its struct_size. A table that is smaller than the slots required here, or has NULL in one of
// them, is refused; a larger one comes from a newer plugin and is fine. Tables of unknown ids are the asker's to check.
// Errors: kAbi, naming the slot and the sizes.
absl::Status CheckTable(absl::string_view id, const void* table);

}  // namespace geeps::net

#endif  // GEEPS_RUNTIME_NET_PLUGIN_TABLE_H_
