// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/host_compute.h"

#include <cstdlib>
#include <cstring>

namespace train_images {

HostCompute::HostCompute(geeps::Error& err) : err_(err) { UseOneBlasThread(); }

void HostCompute::Begin(const Batch& batch, uint64_t in_values, float* in) {
  batch_ = batch;
  if (err_.ok()) NormalizePixels(batch.images, batch.num_images * in_values, in);
}

void HostCompute::Forward(const Layer& layer, const float* weights, const float* in, uint32_t n, float* out,
                          uint8_t* choice) {
  if (err_.ok()) train_images::Forward(layer, weights, in, n, out, choice, &scratch_);
}

void HostCompute::Backward(const Layer& layer, const float* weights, const float* in, const float* out,
                           const uint8_t* choice, const float* d_out, uint32_t n, float* d_weights, float* d_in) {
  if (err_.ok()) train_images::Backward(layer, weights, in, out, choice, d_out, n, d_weights, d_in, &scratch_);
}

void HostCompute::SoftmaxLoss(const float* logits, uint32_t classes, float scale, float* d_logits) {
  if (err_.ok()) {
    sum_.Add(train_images::SoftmaxLoss(logits, batch_.labels, batch_.num_images, classes, scale, d_logits));
  }
}

LossSum HostCompute::TakeLoss() {
  const LossSum taken = sum_;
  sum_ = LossSum();
  return taken;
}

void HostCompute::Download(void* host, const void* memory, uint64_t bytes) {
  if (err_.ok()) std::memcpy(host, memory, bytes);
}

void HostCompute::Upload(void* memory, const void* host, uint64_t bytes) {
  if (err_.ok()) std::memcpy(memory, host, bytes);
}

void* HostCompute::Allocate(uint64_t bytes) {
  void* const memory = err_.ok() ? std::calloc(bytes, 1) : nullptr;
  if (memory == nullptr)
    err_.Fail(GEEPS_E_NOMEM, "no memory for a plain buffer of " + std::to_string(bytes) + " bytes");
  return memory;
}

void HostCompute::Free(void* memory) { std::free(memory); }

void HostCompute::StepSgd(float* values, float* momentum, const float* update, uint64_t n, float lr,
                          float momentum_factor) {
  if (!err_.ok()) return;
  for (uint64_t i = 0; i < n; ++i) {
    momentum[i] = momentum_factor * momentum[i] + update[i];
    values[i] -= lr * momentum[i];
  }
}

void HostCompute::StepAdd(double* sums, const double* add, uint64_t n) {
  if (!err_.ok()) return;
  for (uint64_t i = 0; i < n; ++i) sums[i] += add[i];
}

}  // namespace train_images
