// SPDX-License-Identifier: Apache-2.0
// Compute: the arithmetic that a pass asks for, on memory that accesses gave: the host's (host_compute.h) or that of a
// GPU (cuda/cuda_compute.h). The loop over the layers is the same for both. What is asked for may be done later, in the
// order in which it was asked for: on a GPU all of it goes into one stream of this object, in whose order the accesses
// hand memory out and back, so that no step waits for the device.
// Thread contract: one thread. Errors: the first one stays in the Error that the object was made with; after it, and
// after one that others left there, calls do nothing.
#ifndef SAMPLES_TRAIN_IMAGES_COMPUTE_H_
#define SAMPLES_TRAIN_IMAGES_COMPUTE_H_

#include <cstdint>
#include <geeps.hpp>
#include <memory>
#include <string>
#include <vector>

#include "samples/train_images/batches.h"
#include "samples/train_images/net.h"

namespace train_images {

class Compute {
 public:
  virtual ~Compute() = default;

  // The stream to pass to accesses; NULL: the host's order. It lives as long as this object, which therefore must
  // outlive the runtime.
  virtual const geeps_stream* stream() const = 0;

  // Before the first pass: these layers, at most so many images in a batch.
  virtual void Prepare(const std::vector<Layer>& layers, uint32_t max_images) = 0;

  // A pass on `batch` begins: its images go to `in` [num_images, in_values], normalized. The batch itself may change
  // when this returns.
  virtual void Begin(const Batch& batch, uint64_t in_values, float* in) = 0;
  // As in net.h.
  virtual void Forward(const Layer& layer, const float* weights, const float* in, uint32_t n, float* out,
                       uint8_t* choice) = 0;
  virtual void Backward(const Layer& layer, const float* weights, const float* in, const float* out,
                        const uint8_t* choice, const float* d_out, uint32_t n, float* d_weights, float* d_in) = 0;
  // Of the batch of the latest Begin, once for each; adds to what TakeLoss gives.
  virtual void SoftmaxLoss(const float* logits, uint32_t classes, float scale, float* d_logits) = 0;
  // The sum over the batches whose loss is known by now and was not taken yet: on a GPU that of a batch is known a few
  // batches later. The same batches at the same call in every run.
  virtual LossSum TakeLoss() = 0;
  // Waits until all that was asked for is done, and every loss is known.
  virtual void Finish() = 0;

  // Copies between host memory and what an access gave, done when the call returns: for what is seldom looked at.
  virtual void Download(void* host, const void* memory, uint64_t bytes) = 0;
  virtual void Upload(void* memory, const void* host, uint64_t bytes) = 0;

  // For plain buffers: memory like that of accesses, zeroed, and the update rules sgd and add on it.
  virtual void* Allocate(uint64_t bytes) = 0;  // NULL after a failure
  virtual void Free(void* memory) = 0;
  virtual void StepSgd(float* values, float* momentum, const float* update, uint64_t n, float lr,
                       float momentum_factor) = 0;
  virtual void StepAdd(double* sums, const double* add, uint64_t n) = 0;
};

// Memory of Compute::Allocate and its owner.
struct ComputeFree {
  Compute* compute;
  void operator()(void* memory) const { compute->Free(memory); }
};
using ComputeMemory = std::unique_ptr<void, ComputeFree>;
inline ComputeMemory MakeComputeMemory(Compute& compute, uint64_t bytes) {
  return ComputeMemory(compute.Allocate(bytes), {&compute});
}

// The one for the memory that the runtime hands out. rt: created. NULL after a failure.
std::unique_ptr<Compute> MakeCompute(const geeps::Runtime& rt, geeps::Error& err);

}  // namespace train_images

#endif  // SAMPLES_TRAIN_IMAGES_COMPUTE_H_
