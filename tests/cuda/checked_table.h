// SPDX-License-Identifier: Apache-2.0
// CheckedTable: the table of a back end, with a look behind every call: the context that was current on the calling
// thread is current again, with as many beneath it.
// Thread contract: any thread; one table at a time.
#ifndef GEEPS_TESTS_CUDA_CHECKED_TABLE_H_
#define GEEPS_TESTS_CUDA_CHECKED_TABLE_H_

#include <cstdint>

#include "geeps_device.h"

namespace geeps::test {

// `table` stays valid.
const geeps_device* CheckedTable(const geeps_device* table);
// Calls that changed what is current, and all calls, since CheckedTable.
uint64_t NumChangedContexts();
uint64_t NumCheckedCalls();

}  // namespace geeps::test

#endif  // GEEPS_TESTS_CUDA_CHECKED_TABLE_H_
