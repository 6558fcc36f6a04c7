// SPDX-License-Identifier: Apache-2.0
// CRC32C (Castagnoli), by the processor's instruction where it has one and by tables elsewhere; the result is the same.
// Thread contract: pure functions.
#ifndef GEEPS_TRANSPORTS_TCP_CRC32C_H_
#define GEEPS_TRANSPORTS_TCP_CRC32C_H_

#include <cstddef>
#include <cstdint>

namespace geeps::crc32c {

// The checksum of what `crc` is the checksum of, followed by `bytes` of data. Begin with 0.
uint32_t Extend(uint32_t crc, const void* data, size_t bytes);

// The same by tables, for tests and for processors without the instruction.
uint32_t ExtendByTable(uint32_t crc, const void* data, size_t bytes);

}  // namespace geeps::crc32c

#endif  // GEEPS_TRANSPORTS_TCP_CRC32C_H_
