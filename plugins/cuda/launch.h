// SPDX-License-Identifier: Apache-2.0
// LaunchSet: the kernel launches of one call of move_rows or apply, made from its descriptors. What the kernels need to
// know lies in one block of bytes, `table`, which travels to the device before the launches; however many moves or
// applies there are, the number of launches does not grow with them. Every kernel has the same parameters:
//
//   (const uint8_t* table, uint8_t* scratch)          NAME
//   (InlineTable table, uint8_t* scratch)             NAME_inline: the same, with a small table by value
//
// Thread contract: one thread at a time per object. Reused from call to call, so that in the steady state nothing is
// allocated.
#ifndef GEEPS_PLUGINS_CUDA_LAUNCH_H_
#define GEEPS_PLUGINS_CUDA_LAUNCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "geeps_device.h"

namespace geeps::cuda {

// Below the 4,096 bytes that parameters of a kernel may have.
inline constexpr uint64_t kInlineTableBytes = 3840;
struct alignas(16) InlineTable {
  uint8_t bytes[kInlineTableBytes];
};

struct Launch {
  const char* kernel = nullptr;  // without "_inline"
  uint32_t num_blocks = 0;       // in one dimension
  uint32_t num_threads = 0;      // of a block, the same
  uint32_t shared_bytes = 0;     // dynamic
};

struct LaunchSet {
  std::vector<uint8_t> table;    // to 256-byte aligned device memory, or into an InlineTable
  std::vector<Launch> launches;  // in this order, in one stream
  uint64_t scratch_bytes =
      0;         // device memory, 256-byte aligned, that the launches use between them; contents unspecified
  void Clear();  // keeps capacities
};

// A prebuilt row index. `image` goes to device memory at creation; the rest stays on the host.
struct IndexImage {
  uint64_t dst_rows = 0;
  uint64_t src_rows = 0;
  uint64_t num_runs = 0;   // in the image, where short runs have become pairs
  uint64_t num_pairs = 0;  // likewise
  uint64_t run_rows = 0;   // of all runs in the image
  std::vector<uint8_t> image;
};

// Where the pairs begin in the image, behind the runs.
uint64_t PairsOffset(const IndexImage& index);

// Errors are sentences: "" is success. Invalid: a row out of range, or a row of dst that occurs twice, naming it.
std::string BuildIndex(const geeps_row_run* runs, uint64_t num_runs, const geeps_row_pair* pairs, uint64_t num_pairs,
                       uint64_t dst_rows, uint64_t src_rows, IndexImage* out);

// What geeps_dev_index is in this plugin.
struct DeviceIndex {
  IndexImage shape;            // its image is empty after the upload
  uint64_t image_address = 0;  // in device memory
};

// One call's launches. moves and applies: already read and of the right size; *code is the status of an error.
std::string PlanMoves(const std::vector<geeps_row_move>& moves, LaunchSet* out, geeps_status* code);
std::string PlanApplies(const std::vector<geeps_apply>& applies, LaunchSet* out, geeps_status* code);

// The names of all kernels, without "_inline"; ends with nullptr. Each is in the image in both forms.
extern const char* const kKernelNames[];

// The image of all kernels for every architecture, as cuModuleLoadData takes it (a fat binary that nvcc has made), or
// nullptr in a build without nvcc.
extern const unsigned char* const kKernelImage;

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_LAUNCH_H_
