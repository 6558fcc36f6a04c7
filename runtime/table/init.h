// SPDX-License-Identifier: Apache-2.0
// Initial values of a table, counter-based: each is a function of (seed, table name, row, column), whatever the
// partitions, and of nothing but exactly rounded operations, whatever the compiler or C library.
// Thread contract: pure functions.
#ifndef GEEPS_RUNTIME_TABLE_INIT_H_
#define GEEPS_RUNTIME_TABLE_INIT_H_

#include <cstdint>

#include "runtime/table/schema.h"

namespace geeps::table {

// Writes the initial values of rows first_row .. first_row + num_rows - 1 to out, [num_rows, row_values] of
// the accumulate dtype: masters are not rounded. REQUIRES: the rows exist.
void FillInitial(const TableSchema& schema, uint64_t first_row, uint64_t num_rows, void* out);

}  // namespace geeps::table

#endif  // GEEPS_RUNTIME_TABLE_INIT_H_
