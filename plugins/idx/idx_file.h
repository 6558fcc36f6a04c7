// SPDX-License-Identifier: Apache-2.0
// One IDX file, read whole and checked: an array of unsigned bytes with its dimensions, plain or compressed by gzip.
//
// The format: two zero bytes, a type (8: unsigned byte), the number of dimensions, the dimensions as big-endian 32-bit
// numbers, the values in row-major order, nothing behind them. Immutable once read.
#ifndef PLUGINS_IDX_IDX_FILE_H_
#define PLUGINS_IDX_IDX_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "geeps_plugin.h"
#include "plugins/idx/status.h"

namespace geeps::idx {

// Memory from the host; returned to it by the destructor.
class HostBuffer {
 public:
  HostBuffer() = default;
  HostBuffer(const HostBuffer&) = delete;
  HostBuffer& operator=(const HostBuffer&) = delete;
  ~HostBuffer();

  // REQUIRES: nothing was allocated before. False when the host has no memory.
  bool Allocate(const geeps_host* host, uint64_t bytes);
  uint8_t* data() const { return data_; }
  uint64_t bytes() const { return bytes_; }

 private:
  static constexpr uint64_t kAlign = 64;  // a cache line
  const geeps_host* host_ = nullptr;
  uint8_t* data_ = nullptr;
  uint64_t bytes_ = 0;
};

struct IdxFile {
  std::string path;
  std::vector<uint64_t> dims;  // dims[0]: number of samples, >= 1
  uint64_t sample_bytes = 0;   // product of the other dimensions, >= 1
  uint64_t file_bytes = 0;     // on disk
  uint32_t crc = 0;            // CRC-32 of the values
  HostBuffer values;           // [dims[0], sample_bytes]
};

// Reads `path` into *out, which is unspecified after a failure. Nothing is allocated before the dimensions agree with
// what the file can hold.
//   min_dims, max_dims   accepted number of dimensions, the samples included
// Errors: NotFound, IO, Data (the sentence names the file, what was expected and what was found), NoMem.
Status ReadIdxFile(const geeps_host* host, const std::string& path, uint32_t min_dims, uint32_t max_dims, IdxFile* out);

// True when a file with this path exists, of whatever kind.
bool FileExists(const std::string& path);

}  // namespace geeps::idx

#endif  // PLUGINS_IDX_IDX_FILE_H_
