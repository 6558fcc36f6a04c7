// SPDX-License-Identifier: Apache-2.0
// CudaCompute on the fake driver against HostCompute, layer by layer. With values that are small whole numbers every
// product and sum is exact, whatever its order, so that both must give the same bits.
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "samples/train_images/cuda/cuda_compute.h"
#include "samples/train_images/cuda/kernels_host.h"
#include "samples/train_images/host_compute.h"
#include "tests/cuda/train_images/fake_session.h"

namespace train_images {
namespace {

constexpr uint32_t kImages = 5;

std::vector<float> WholeNumbers(uint64_t n, uint32_t seed, int most = 2) {
  std::mt19937 random(seed);
  std::vector<float> values(n);
  for (float& v : values)
    v = static_cast<float>(static_cast<int>(random() % static_cast<uint32_t>(2 * most + 1)) - most);
  return values;
}

// Memory of a Compute with values in it.
template <typename T>
class On {
 public:
  On(Compute& compute, const std::vector<T>& values)
      : compute_(compute), num_(values.size()), memory_(MakeComputeMemory(compute, num_ * sizeof(T))) {
    compute.Upload(memory_.get(), values.data(), num_ * sizeof(T));
  }
  T* data() const { return static_cast<T*>(memory_.get()); }
  std::vector<T> Get() const {
    std::vector<T> values(num_);
    compute_.Download(values.data(), data(), num_ * sizeof(T));
    return values;
  }

 private:
  Compute& compute_;
  const uint64_t num_;
  const ComputeMemory memory_;
};

struct Result {
  std::vector<float> out, d_weights, d_in, d_weights_alone;
  std::vector<uint8_t> choice;
  bool operator==(const Result&) const = default;
};

Result RunLayer(Compute& compute, const Layer& l) {
  compute.Prepare({l}, kImages);
  const On<float> weights(compute, WholeNumbers(uint64_t{l.num_rows()} * l.row_values(), 1));
  const On<float> in(compute, WholeNumbers(uint64_t{kImages} * l.in_values(), 2));
  const On<float> d_out(compute, WholeNumbers(uint64_t{kImages} * l.out_values(), 3));
  const On<float> out(compute, std::vector<float>(uint64_t{kImages} * l.out_values(), -7));
  const On<uint8_t> choice(compute, std::vector<uint8_t>(uint64_t{kImages} * l.choice_bytes() + 1, 9));
  // To be written whole.
  const On<float> d_weights(compute, std::vector<float>(uint64_t{l.num_rows()} * l.row_values(), 99));
  const On<float> d_in(compute, std::vector<float>(uint64_t{kImages} * l.in_values(), 99));
  const On<float> alone(compute, std::vector<float>(uint64_t{l.num_rows()} * l.row_values(), 77));
  compute.Forward(l, weights.data(), in.data(), kImages, out.data(), choice.data());
  compute.Backward(l, weights.data(), in.data(), out.data(), choice.data(), d_out.data(), kImages, d_weights.data(),
                   d_in.data());
  compute.Backward(l, nullptr, in.data(), out.data(), choice.data(), d_out.data(), kImages, alone.data(), nullptr);
  return {out.Get(), d_weights.Get(), d_in.Get(), alone.Get(), choice.Get()};
}

const Layer kLayers[] = {
    {"five", LayerKind::kConvolution, 12, 1, 5, 6},              // as in the LeNet
    {"padded", LayerKind::kConvolution, 8, 3, 3, 5, 1},          // padding, and a maximum
    {"by_four", LayerKind::kConvolution, 7, 8, 3, 4, 1, false},  // four channels at once, no maximum, odd side
    {"wide", LayerKind::kConvolution, 6, 4, 5, 3, 2, false},     // more padding than one
    {"tiny", LayerKind::kConvolution, 2, 4, 3, 4, 1},            // every pixel at an edge
    {"one", LayerKind::kConvolution, 1, 2, 3, 2, 1, false},      // an image of one pixel
    {"relu", LayerKind::kDenseRelu, 1, 70, 1, 9},
    {"dense", LayerKind::kDense, 1, 33, 1, 130},
};

TEST_CASE("train_images on a GPU: every layer gives the host's bits where sums are exact") {
  for (const std::string schedule : {"lazy", "eager", "seeded:1", "seeded:2"}) {
    for (const Layer& layer : kLayers) {
      for (const uint64_t group_values_most : {uint64_t{1}, uint64_t{3000}, uint64_t{64} << 20}) {
        CAPTURE(schedule);
        CAPTURE(layer.name);
        CAPTURE(group_values_most);
        ConfigureFake("schedule=" + schedule);
        cuda::SetOrder(group_values_most == 1 || schedule == "lazy");
        geeps::Error err;
        HostCompute host(err);
        const Result expected = RunLayer(host, layer);
        {
          CudaSettings settings;
          settings.group_values_most = group_values_most;
          const std::unique_ptr<Compute> cuda = CudaCompute::Open(0, err, settings);
          REQUIRE_MESSAGE(cuda != nullptr, std::string(err.message()));
          const Result found = RunLayer(*cuda, layer);
          CHECK(found.out == expected.out);
          CHECK(found.choice == expected.choice);
          CHECK(found.d_weights == expected.d_weights);
          CHECK(found.d_in == expected.d_in);
          CHECK(found.d_weights_alone == expected.d_weights_alone);
        }
        CHECK(err.ok());
        CheckFakeIsClean();
        cuda::SetOrder(false);
      }
    }
  }
}

TEST_CASE("train_images on a GPU: pixels, losses and gradients of batch after batch have the host's bits") {
  constexpr uint32_t kSide = 6, kChannels = 2, kClasses = 7, kBatches = 11;
  for (const std::string schedule : {"lazy", "eager", "seeded:3", "seeded:4", "seeded:5"}) {
    CAPTURE(schedule);
    ConfigureFake("schedule=" + schedule);
    geeps::Error err;
    HostCompute host(err);
    {
      const std::unique_ptr<Compute> cuda = CudaCompute::Open(0, err);
      REQUIRE_MESSAGE(cuda != nullptr, std::string(err.message()));
      LossSum sums[2];
      std::vector<float> seen[2];
      Compute* const computes[] = {&host, cuda.get()};
      for (int c = 0; c < 2; ++c) {
        Compute& compute = *computes[c];
        const Layer layer = {"dense", LayerKind::kDense, kSide, kChannels, 1, kClasses};
        compute.Prepare({layer}, kImages);
        const On<float> in(compute, std::vector<float>(kImages * layer.in_values()));
        const On<float> d_logits(compute, std::vector<float>(kImages * kClasses));
        std::vector<uint8_t> images(kImages * layer.in_values());
        std::vector<int64_t> labels(kImages);
        const std::vector<uint64_t> ids(kImages);
        std::vector<std::unique_ptr<On<float>>> logits;
        for (uint32_t b = 0; b < kBatches; ++b) {
          logits.push_back(std::make_unique<On<float>>(compute, WholeNumbers(kImages * kClasses, b, 9)));
        }
        for (uint32_t b = 0; b < kBatches; ++b) {
          const uint32_t n = 1 + b % kImages;
          for (uint8_t& pixel : images) pixel = static_cast<uint8_t>(pixel * 5 + b + 1);
          for (int64_t& label : labels) label = (label + b) % kClasses;
          compute.Begin({images.data(), labels.data(), ids.data(), n, n}, layer.in_values(), in.data());
          std::fill(images.begin(), images.end(), uint8_t{255});  // the batch may change now
          compute.SoftmaxLoss(logits[b]->data(), kClasses, 0.25f, b % 2 == 0 ? d_logits.data() : nullptr);
          for (uint32_t i = 0; i < images.size(); ++i) images[i] = static_cast<uint8_t>(i * b);
          sums[c].Add(compute.TakeLoss());
          if (b % 3 != 2) continue;
          for (const float v : in.Get()) seen[c].push_back(v);
          for (const float v : d_logits.Get()) seen[c].push_back(v);
        }
        compute.Finish();
        sums[c].Add(compute.TakeLoss());
        CHECK(compute.TakeLoss().images == 0);
      }
      // Of each batch it is the same; the batches are not added up one by one.
      CHECK(std::abs(sums[0].loss - sums[1].loss) < 1e-12 * sums[0].loss);
      CHECK(sums[0].correct == sums[1].correct);
      CHECK(sums[0].images == sums[1].images);
      CHECK(seen[0] == seen[1]);
    }
    CHECK(err.ok());
    CheckFakeIsClean();
  }
}

TEST_CASE("train_images on a GPU: the program waits for the device only when all its slots are in use") {
  ConfigureFake("schedule=lazy");
  geeps::Error err;
  {
    const std::unique_ptr<Compute> cuda = CudaCompute::Open(0, err);
    REQUIRE(cuda != nullptr);
    const Layer layer = {"dense", LayerKind::kDense, 4, 1, 1, 3};
    cuda->Prepare({layer}, kImages);
    const On<float> in(*cuda, std::vector<float>(kImages * layer.in_values()));
    const On<float> logits(*cuda, std::vector<float>(kImages * 3));
    const std::vector<uint8_t> images(kImages * layer.in_values());
    const std::vector<int64_t> labels(kImages);
    const std::vector<uint64_t> ids(kImages);
    const uint64_t waits = geeps_fake_count("cuStreamSynchronize"), launches = geeps_fake_count("launches");
    for (int b = 0; b < 4; ++b) {
      cuda->Begin({images.data(), labels.data(), ids.data(), kImages, kImages}, layer.in_values(), in.data());
      cuda->SoftmaxLoss(logits.data(), 3, 1, nullptr);
    }
    CHECK(geeps_fake_count("launches") == launches);
    CHECK(geeps_fake_count("cuEventSynchronize") == 0);
    CHECK(cuda->TakeLoss().images == 0);
    cuda->Begin({images.data(), labels.data(), ids.data(), kImages, kImages}, layer.in_values(), in.data());
    CHECK(geeps_fake_count("cuEventSynchronize") == 1);
    CHECK(geeps_fake_count("cuStreamSynchronize") == waits);
    CHECK(cuda->TakeLoss().images == kImages);
    cuda->SoftmaxLoss(logits.data(), 3, 1, nullptr);
  }
  CHECK(err.ok());
  CheckFakeIsClean();
}

// The sentence of a failure to open a device and use one layer.
std::string Failure(const std::string& words, const CudaSettings& settings = CudaSettings(), int ordinal = 0) {
  ConfigureFake(words);
  geeps::Error err;
  {
    const std::unique_ptr<Compute> cuda = CudaCompute::Open(ordinal, err, settings);
    if (cuda != nullptr) RunLayer(*cuda, kLayers[1]);
  }
  CheckFakeIsClean();
  CHECK(!err.ok());
  return err.message();
}

TEST_CASE("train_images on a GPU: what is missing or fails is told in a sentence, and nothing is left behind") {
  CudaSettings other_blas;
  other_blas.blas_names = {"libcublas_that_is_not_there.so"};
  CHECK(Failure("", other_blas).find("no cuBLAS: libcublas_that_is_not_there.so cannot be opened (") == 0);
  other_blas.blas_names = {"libcuda.so.1"};
  CHECK(Failure("", other_blas) == "libcuda.so.1 has no function cublasCreate_v2");
  CHECK(Failure("version=11080") == "the NVIDIA driver supports CUDA 11.8, 12.0 is needed");
  CHECK(Failure("devices=0") == "the NVIDIA driver cannot be initialized: CUDA_ERROR_NO_DEVICE");
  CHECK(
      Failure("memory=8m") ==
      "train_images on device 0: 33554432 bytes for the workspace of cuBLAS: cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY; of "
      "8388608 bytes of device memory 8388608 are free");
  CHECK(Failure("pinned=64").find(" bytes for images: cuMemHostAlloc: CUDA_ERROR_OUT_OF_MEMORY") != std::string::npos);
  CHECK(Failure("refuse=cuLaunchKernel:1:719") ==
        "train_images on device 0: kernel image_to_patches: cuLaunchKernel: CUDA_ERROR_LAUNCH_FAILED");
  CHECK(Failure("refuse=cuLaunchKernel:2:2") ==
        "train_images on device 0: cublasSgemm: CUBLAS_STATUS_EXECUTION_FAILED");
  CHECK(Failure("refuse=cuModuleGetFunction:3:500") ==
        "train_images on device 0: kernel image_to_patches: cuModuleGetFunction: CUDA_ERROR_NOT_FOUND");
  CHECK(Failure("", CudaSettings(), 3).find("train_images on device 3: cuDeviceGet: ") == 0);
}

TEST_CASE("train_images on a GPU: a batch that kernels cannot count is refused with the largest one") {
  ConfigureFake("");
  geeps::Error err;
  {
    const std::unique_ptr<Compute> cuda = CudaCompute::Open(0, err);
    REQUIRE(cuda != nullptr);
    cuda->Prepare({{"conv", LayerKind::kConvolution, 1024, 16, 3, 16, 1}}, 1000);
  }
  CHECK(std::string(err.message()) ==
        "a batch of 1000 images for a worker is too large for the GPU code: at most 127 of this net's");
  CheckFakeIsClean();
}

}  // namespace
}  // namespace train_images
