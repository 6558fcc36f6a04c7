// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/cuda/cuda_compute.h"

#include <algorithm>
#include <cstring>

namespace train_images {
namespace {

// Kernels count their pieces in 32 bits, cuBLAS its rows in 31.
constexpr uint64_t kValuesMost = (uint64_t{1} << 31) - 1;
// One piece of a sum over rows: short enough that a large sum has many pieces at once.
constexpr uint32_t kRowsEach = 64;

uint32_t NumPixels(const Layer& l) { return l.conv_side() * l.conv_side(); }

bool IsAligned(const void* memory) { return reinterpret_cast<uintptr_t>(memory) % sizeof(cuda::Quad) == 0; }

}  // namespace

std::unique_ptr<Compute> CudaCompute::Open(int ordinal, geeps::Error& err, const CudaSettings& settings) {
  std::unique_ptr<cuda::Device> device = cuda::Device::Open(ordinal, settings.blas_names, err);
  if (device == nullptr) return nullptr;
  return std::unique_ptr<Compute>(new CudaCompute(std::move(device), settings, err));
}

CudaCompute::CudaCompute(std::unique_ptr<cuda::Device> device, const CudaSettings& settings, geeps::Error& err)
    : err_(err), device_(std::move(device)), group_values_most_(settings.group_values_most) {
  stream_.struct_size = sizeof stream_;
  stream_.kind = GEEPS_STREAM_DEVICE;
  stream_.handle = reinterpret_cast<uintptr_t>(device_->stream());
}

uint32_t CudaCompute::GroupOf(const Layer& l, uint32_t num_images) const {
  const uint64_t image_values = uint64_t{NumPixels(l)} * std::max(l.fan_in(), l.outputs);
  return static_cast<uint32_t>(
      std::min<uint64_t>(num_images, std::max<uint64_t>(group_values_most_ / image_values, 1)));
}

// Everything that steps need is allocated here: an allocation may wait for the device.
void CudaCompute::Prepare(const std::vector<Layer>& layers, uint32_t max_images) {
  uint64_t patch_values = 0, conv_values = 0, image_values = 0;
  for (const Layer& l : layers) {
    image_values = std::max<uint64_t>({image_values, l.in_values(), l.out_values()});
    if (l.kind == LayerKind::kConvolution) {
      const uint64_t pixels = uint64_t{GroupOf(l, max_images)} * NumPixels(l);
      patch_values = std::max(patch_values, pixels * l.fan_in());
      conv_values = std::max(conv_values, pixels * l.outputs);
    } else {
      conv_values = std::max(conv_values, uint64_t{max_images} * l.outputs);
    }
  }
  if (max_images * image_values > kValuesMost) {
    err_.Fail(GEEPS_E_UNSUPPORTED, "a batch of " + std::to_string(max_images) +
                                       " images for a worker is too large for the GPU code: at most " +
                                       std::to_string(kValuesMost / image_values) + " of this net's");
    return;
  }
  const uint64_t image_bytes = layers[0].in_values(), num = max_images;
  for (Slot& slot : slots_) {
    slot.images = static_cast<uint8_t*>(device_->AllocatePinned(num * image_bytes, "images"));
    slot.labels = static_cast<int64_t*>(device_->AllocatePinned(num * sizeof(int64_t), "labels"));
    slot.loss = static_cast<cuda::BatchLoss*>(device_->AllocatePinned(sizeof(cuda::BatchLoss), "a loss"));
    slot.done = device_->MakeEvent();
  }
  images_ = static_cast<uint8_t*>(device_->AllocateDevice(num * image_bytes, "images"));
  labels_ = static_cast<int64_t*>(device_->AllocateDevice(num * sizeof(int64_t), "labels"));
  losses_ = static_cast<double*>(device_->AllocateDevice(num * sizeof(double), "losses"));
  corrects_ = static_cast<uint32_t*>(device_->AllocateDevice(num * sizeof(uint32_t), "right answers"));
  patches_ = static_cast<float*>(device_->AllocateDevice(patch_values * sizeof(float), "patches of images"));
  conv_ = static_cast<float*>(device_->AllocateDevice(conv_values * sizeof(float), "outputs of a layer"));
  // The sums over kRowsEach rows each, and the sums over these.
  uint64_t rows = conv_values;
  for (float*& sums : sums_) {
    rows = rows / kRowsEach + image_values;  // parts are rounded up, for each of at most image_values outputs
    sums = static_cast<float*>(device_->AllocateDevice(rows * sizeof(float), "sums over rows"));
  }
}

void CudaCompute::FinishSlot(Slot* slot) {
  if (slot->num_images == 0) return;
  device_->Wait(slot->done);
  if (err_.ok()) known_.Add({slot->loss->loss, slot->loss->correct, slot->num_images});
  slot->num_images = 0;
}

void CudaCompute::Begin(const Batch& batch, uint64_t in_values, float* in) {
  slot_ = &slots_[next_slot_];
  next_slot_ = (next_slot_ + 1) % kNumSlots;
  FinishSlot(slot_);
  if (!err_.ok()) return;
  const uint64_t num_values = batch.num_images * in_values;
  slot_->num_images = batch.num_images;
  std::memcpy(slot_->images, batch.images, num_values);
  std::memcpy(slot_->labels, batch.labels, batch.num_images * sizeof(int64_t));
  device_->Copy(images_, slot_->images, num_values);
  device_->Copy(labels_, slot_->labels, batch.num_images * sizeof(int64_t));
  device_->Launch(
      cuda::NormalizePixels{images_, in, kPixelScale, kPixelMean, kPixelGain, static_cast<uint32_t>(num_values)});
}

void CudaCompute::SoftmaxLoss(const float* logits, uint32_t classes, float scale, float* d_logits) {
  const uint32_t n = slot_->num_images;
  device_->Launch(cuda::SoftmaxLoss{logits, labels_, d_logits, losses_, corrects_, classes, scale, n});
  device_->Launch(cuda::SumLosses{losses_, corrects_, n, slot_->loss, 1});
  device_->Record(slot_->done);
}

LossSum CudaCompute::TakeLoss() {
  const LossSum taken = known_;
  known_ = LossSum();
  return taken;
}

void CudaCompute::Finish() {
  for (uint32_t i = 0; i < kNumSlots; ++i) FinishSlot(&slots_[(next_slot_ + i) % kNumSlots]);  // oldest first
  device_->Finish();
}

void CudaCompute::ImageToPatches(const Layer& l, const float* images, uint32_t n) {
  const uint32_t num = n * NumPixels(l) * l.fan_in();
  const cuda::PatchShape shape = {l.in_side, l.conv_side(), l.kernel, l.padding, l.in_channels};
  if (l.in_channels % 4 != 0 || !IsAligned(images)) {
    device_->Launch(cuda::ImageToPatches<float>{images, patches_, shape, num});
    return;
  }
  cuda::PatchShape by_four = shape;
  by_four.units /= 4;
  device_->Launch(cuda::ImageToPatches<cuda::Quad>{reinterpret_cast<const cuda::Quad*>(images),
                                                   reinterpret_cast<cuda::Quad*>(patches_), by_four, num / 4});
}

void CudaCompute::PatchesToImage(const Layer& l, float* images, uint32_t n) {
  const uint32_t num = n * l.in_values();
  const cuda::PatchShape shape = {l.in_side, l.conv_side(), l.kernel, l.padding, l.in_channels};
  if (l.in_channels % 4 != 0 || !IsAligned(images)) {
    device_->Launch(cuda::PatchesToImage<float>{patches_, images, shape, num});
    return;
  }
  cuda::PatchShape by_four = shape;
  by_four.units /= 4;
  device_->Launch(cuda::PatchesToImage<cuda::Quad>{reinterpret_cast<const cuda::Quad*>(patches_),
                                                   reinterpret_cast<cuda::Quad*>(images), by_four, num / 4});
}

void CudaCompute::SumBias(const float* d, uint32_t rows, const Layer& l, bool is_added, float* d_weights) {
  const float* from = d;
  uint32_t level = 0;
  for (; rows > kRowsEach; ++level) {
    const uint32_t parts = (rows - 1) / kRowsEach + 1;
    float* const sums = sums_[level % 2];
    device_->Launch(cuda::SumRows{from, sums, rows, l.outputs, kRowsEach, l.outputs, 1, 0, parts * l.outputs});
    from = sums;
    rows = parts;
  }
  device_->Launch(cuda::SumRows{from, d_weights + l.row_values() - 1, rows, l.outputs, kRowsEach, 0, l.row_values(),
                                is_added ? 1u : 0u, l.outputs});
}

void CudaCompute::ForwardConvolution(const Layer& l, const float* weights, const float* in, uint32_t n, float* out,
                                     uint8_t* choice) {
  const uint32_t pixels = NumPixels(l), k = l.fan_in(), group_most = GroupOf(l, n);
  const cuda::Bias bias = {weights, l.row_values()};
  for (uint32_t first = 0; first < n; first += group_most) {
    const uint32_t group = std::min(group_most, n - first);
    const uint64_t at = uint64_t{first} * l.out_values();
    float* const conv = l.pools ? conv_ : out + at;
    ImageToPatches(l, in + uint64_t{first} * l.in_values(), group);
    device_->Gemm(false, true, uint64_t{group} * pixels, l.outputs, k, patches_, k, weights, l.row_values(), 0, conv,
                  l.outputs);
    if (l.pools) {
      device_->Launch(
          cuda::ReluAndPool{conv, bias, out + at, choice + at, l.conv_side(), l.outputs, group * l.out_values()});
    } else {
      device_->Launch(cuda::AddBias{conv, bias, l.outputs, 1, group * l.out_values()});
    }
  }
}

void CudaCompute::BackwardConvolution(const Layer& l, const float* weights, const float* in, const float* out,
                                      const uint8_t* choice, const float* d_out, uint32_t n, float* d_weights,
                                      float* d_in) {
  const uint32_t pixels = NumPixels(l), k = l.fan_in(), group_most = GroupOf(l, n);
  for (uint32_t first = 0; first < n; first += group_most) {
    const uint32_t group = std::min(group_most, n - first), num_out = group * l.out_values();
    const uint64_t at = uint64_t{first} * l.out_values(), rows = uint64_t{group} * pixels;
    ImageToPatches(l, in + uint64_t{first} * l.in_values(), group);
    if (l.pools) {
      device_->Launch(
          cuda::BackwardReluAndPool{out + at, choice + at, d_out + at, conv_, l.conv_side(), l.outputs, num_out});
    } else {
      device_->Launch(cuda::BackwardRelu{out + at, d_out + at, conv_, num_out});
    }
    device_->Gemm(true, false, l.outputs, k, rows, conv_, l.outputs, patches_, k, first == 0 ? 0.0f : 1.0f, d_weights,
                  l.row_values());
    SumBias(conv_, static_cast<uint32_t>(rows), l, first != 0, d_weights);
    if (d_in == nullptr) continue;
    device_->Gemm(false, false, rows, k, l.outputs, conv_, l.outputs, weights, l.row_values(), 0, patches_, k);
    PatchesToImage(l, d_in + uint64_t{first} * l.in_values(), group);
  }
}

void CudaCompute::Forward(const Layer& layer, const float* weights, const float* in, uint32_t n, float* out,
                          uint8_t* choice) {
  if (n == 0) return;
  if (layer.kind == LayerKind::kConvolution) return ForwardConvolution(layer, weights, in, n, out, choice);
  device_->Gemm(false, true, n, layer.outputs, layer.fan_in(), in, layer.fan_in(), weights, layer.row_values(), 0, out,
                layer.outputs);
  device_->Launch(cuda::AddBias{out,
                                {weights, layer.row_values()},
                                layer.outputs,
                                layer.kind == LayerKind::kDenseRelu ? 1u : 0u,
                                n * layer.outputs});
}

void CudaCompute::Backward(const Layer& layer, const float* weights, const float* in, const float* out,
                           const uint8_t* choice, const float* d_out, uint32_t n, float* d_weights, float* d_in) {
  if (layer.kind == LayerKind::kConvolution) {
    return BackwardConvolution(layer, weights, in, out, choice, d_out, n, d_weights, d_in);
  }
  const float* d = d_out;
  if (layer.kind == LayerKind::kDenseRelu) {
    device_->Launch(cuda::BackwardRelu{out, d_out, conv_, n * layer.outputs});
    d = conv_;
  }
  device_->Gemm(true, false, layer.outputs, layer.fan_in(), n, d, layer.outputs, in, layer.fan_in(), 0, d_weights,
                layer.row_values());
  SumBias(d, n, layer, false, d_weights);
  if (d_in == nullptr) return;
  device_->Gemm(false, false, n, layer.fan_in(), layer.outputs, d, layer.outputs, weights, layer.row_values(), 0, d_in,
                layer.fan_in());
}

void CudaCompute::Download(void* host, const void* memory, uint64_t bytes) {
  device_->Copy(host, memory, bytes);
  device_->Finish();
}

void CudaCompute::Upload(void* memory, const void* host, uint64_t bytes) {
  device_->Copy(memory, host, bytes);
  device_->Finish();
}

void* CudaCompute::Allocate(uint64_t bytes) {
  void* const memory = device_->AllocateDevice(bytes, "a plain buffer");
  if (memory != nullptr) device_->FillZero(memory, bytes);
  return memory;
}

void CudaCompute::Free(void* memory) { device_->FreeDevice(memory); }

void CudaCompute::StepSgd(float* values, float* momentum, const float* update, uint64_t n, float lr,
                          float momentum_factor) {
  for (uint64_t i = 0; i < n; i += kValuesMost) {
    const uint32_t num = static_cast<uint32_t>(std::min(n - i, kValuesMost));
    device_->Launch(cuda::StepSgd{values + i, momentum + i, update + i, lr, momentum_factor, num});
  }
}

void CudaCompute::StepAdd(double* sums, const double* add, uint64_t n) {
  device_->Launch(cuda::StepAdd{sums, add, static_cast<uint32_t>(n)});
}

}  // namespace train_images
