// SPDX-License-Identifier: Apache-2.0
// Functions: the kernels as the driver has loaded them for one device. Thread contract: immutable after Load.
#ifndef GEEPS_PLUGINS_CUDA_FUNCTIONS_H_
#define GEEPS_PLUGINS_CUDA_FUNCTIONS_H_

#include <vector>

#include "plugins/cuda/driver.h"
#include "plugins/cuda/status.h"

namespace geeps::cuda {

class Functions {
 public:
  // Both forms of a kernel (launch.h).
  struct Pair {
    const char* name = nullptr;
    Function with_table_address = nullptr;
    Function with_table_inline = nullptr;
  };

  explicit Functions(const Driver* driver) : driver_(*driver) {}
  Functions(const Functions&) = delete;
  Functions& operator=(const Functions&) = delete;

  // Loads kKernelImage into the current context. REQUIRES: there is one; the context is current here and in
  // Unload. device_text: "device 0 (NAME, compute capability 9.0)". Errors: UNSUPPORTED, NOMEM, DEVICE.
  Status Load(const std::string& device_text);

  void Unload();

  // nullptr: there is none of this name.
  const Pair* Find(const char* name) const;

 private:
  const Driver& driver_;
  Module module_ = nullptr;
  std::vector<Pair> pairs_;
};

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_FUNCTIONS_H_
