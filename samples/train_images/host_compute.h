// SPDX-License-Identifier: Apache-2.0
// HostCompute: the layers of net.h, done when a call returns. Thread contract: as compute.h.
#ifndef SAMPLES_TRAIN_IMAGES_HOST_COMPUTE_H_
#define SAMPLES_TRAIN_IMAGES_HOST_COMPUTE_H_

#include "samples/train_images/compute.h"

namespace train_images {

class HostCompute : public Compute {
 public:
  explicit HostCompute(geeps::Error& err);

  const geeps_stream* stream() const override { return nullptr; }
  void Prepare(const std::vector<Layer>&, uint32_t) override {}
  void Begin(const Batch& batch, uint64_t in_values, float* in) override;
  void Forward(const Layer& layer, const float* weights, const float* in, uint32_t n, float* out,
               uint8_t* choice) override;
  void Backward(const Layer& layer, const float* weights, const float* in, const float* out, const uint8_t* choice,
                const float* d_out, uint32_t n, float* d_weights, float* d_in) override;
  void SoftmaxLoss(const float* logits, uint32_t classes, float scale, float* d_logits) override;
  LossSum TakeLoss() override;
  void Finish() override {}
  void Download(void* host, const void* memory, uint64_t bytes) override;
  void Upload(void* memory, const void* host, uint64_t bytes) override;
  void* Allocate(uint64_t bytes) override;
  void Free(void* memory) override;
  void StepSgd(float* values, float* momentum, const float* update, uint64_t n, float lr,
               float momentum_factor) override;
  void StepAdd(double* sums, const double* add, uint64_t n) override;

 private:
  geeps::Error& err_;
  Scratch scratch_;
  Batch batch_ = {};
  LossSum sum_;
};

}  // namespace train_images

#endif  // SAMPLES_TRAIN_IMAGES_HOST_COMPUTE_H_
