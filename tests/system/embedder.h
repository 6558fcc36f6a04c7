// SPDX-License-Identifier: Apache-2.0
// Embedder: what a program with a GPU does with the rows that it is handed: it copies them to host memory and back, in a
// stream of its own, with the driver's own functions. Where views are host memory it looks at them in place.
// Thread contract: one thread.
#ifndef GEEPS_TESTS_SYSTEM_EMBEDDER_H_
#define GEEPS_TESTS_SYSTEM_EMBEDDER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "geeps.h"

namespace geeps::system_test {

class Embedder {
 public:
  Embedder();
  ~Embedder();
  Embedder(const Embedder&) = delete;
  Embedder& operator=(const Embedder&) = delete;

  // The bytes of the view for host code, until the same operation is looked at again. operation: any number that tells
  // open operations apart.
  uint8_t* Look(uint64_t operation, const geeps_view& view);
  // What host code has written into them goes to the view, in the own stream: it may not have arrived yet.
  void Put(uint64_t operation, const geeps_view& view);
  // All work of the own stream is over.
  void Finish();
  // Device memory was looked at, so that there is a stream.
  bool has_stream() const { return cuda_ != nullptr; }
  uint64_t stream() const;

 private:
  struct Cuda;
  void NeedCuda();

  std::unique_ptr<Cuda> cuda_;
};

}  // namespace geeps::system_test

#endif  // GEEPS_TESTS_SYSTEM_EMBEDDER_H_
