// SPDX-License-Identifier: Apache-2.0
// CudaCompute: the layers of net.h on a GPU, in one stream. Batches go through a few slots of pinned memory, used in
// turn: a slot holds the images and labels of a batch until they are on the device, and receives its loss, which the
// last kernel of it writes there. The event behind that says when the slot may be used again and its loss be read; so
// the program is at most kNumSlots batches ahead of the device, and waits for it nowhere else. Thread contract: as
// compute.h, all calls on the thread that opened it.
#ifndef SAMPLES_TRAIN_IMAGES_CUDA_CUDA_COMPUTE_H_
#define SAMPLES_TRAIN_IMAGES_CUDA_CUDA_COMPUTE_H_

#include "samples/train_images/compute.h"
#include "samples/train_images/cuda/device.h"

namespace train_images {

// What tests change.
struct CudaSettings {
  std::vector<std::string> blas_names;  // libraries to try; empty: those that run on the driver
  // Values of the patches that are multiplied at once, and of what the product takes: enough to fill any GPU, little
  // beside its memory.
  uint64_t group_values_most = uint64_t{64} << 20;
};

class CudaCompute : public Compute {
 public:
  // NULL after a failure, and err says what is missing.
  static std::unique_ptr<Compute> Open(int ordinal, geeps::Error& err, const CudaSettings& settings = CudaSettings());

  const geeps_stream* stream() const override { return &stream_; }
  void Prepare(const std::vector<Layer>& layers, uint32_t max_images) override;
  void Begin(const Batch& batch, uint64_t in_values, float* in) override;
  void Forward(const Layer& layer, const float* weights, const float* in, uint32_t n, float* out,
               uint8_t* choice) override;
  void Backward(const Layer& layer, const float* weights, const float* in, const float* out, const uint8_t* choice,
                const float* d_out, uint32_t n, float* d_weights, float* d_in) override;
  void SoftmaxLoss(const float* logits, uint32_t classes, float scale, float* d_logits) override;
  LossSum TakeLoss() override;
  void Finish() override;
  void Download(void* host, const void* memory, uint64_t bytes) override;
  void Upload(void* memory, const void* host, uint64_t bytes) override;
  void* Allocate(uint64_t bytes) override;
  void Free(void* memory) override;
  void StepSgd(float* values, float* momentum, const float* update, uint64_t n, float lr,
               float momentum_factor) override;
  void StepAdd(double* sums, const double* add, uint64_t n) override;

 private:
  static constexpr uint32_t kNumSlots = 4;
  struct Slot {
    uint8_t* images = nullptr;  // pinned, as the next two
    int64_t* labels = nullptr;
    cuda::BatchLoss* loss = nullptr;
    uint32_t num_images = 0;  // of the batch under way; 0: none
    cuda::Event done = nullptr;
  };

  CudaCompute(std::unique_ptr<cuda::Device> device, const CudaSettings& settings, geeps::Error& err);
  // Images whose patches are multiplied at once.
  uint32_t GroupOf(const Layer& l, uint32_t num_images) const;
  // Waits for the slot's batch and takes in its loss.
  void FinishSlot(Slot* slot);
  void ImageToPatches(const Layer& l, const float* images, uint32_t n);
  void PatchesToImage(const Layer& l, float* images, uint32_t n);
  void ForwardConvolution(const Layer& l, const float* weights, const float* in, uint32_t n, float* out,
                          uint8_t* choice);
  void BackwardConvolution(const Layer& l, const float* weights, const float* in, const float* out,
                           const uint8_t* choice, const float* d_out, uint32_t n, float* d_weights, float* d_in);
  void SumBias(const float* d, uint32_t rows, const Layer& l, bool is_added, float* d_weights);

  geeps::Error& err_;
  const std::unique_ptr<cuda::Device> device_;
  const uint64_t group_values_most_;
  geeps_stream stream_ = {};
  Slot slots_[kNumSlots];
  uint32_t next_slot_ = 0;
  Slot* slot_ = nullptr;  // of the latest Begin
  LossSum known_;
  // Device memory that the stream uses between its own kernels.
  uint8_t* images_ = nullptr;
  int64_t* labels_ = nullptr;
  double* losses_ = nullptr;
  uint32_t* corrects_ = nullptr;
  float *patches_ = nullptr, *conv_ = nullptr;
  float* sums_[2] = {};
};

}  // namespace train_images

#endif  // SAMPLES_TRAIN_IMAGES_CUDA_CUDA_COMPUTE_H_
