// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/synthetic_batches.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "samples/train_images/storage.h"

namespace train_images {
namespace {

constexpr uint32_t kBlocks = 4;                // bright or dark, per side
constexpr uint32_t kDark = 32, kBright = 128;  // a noise of 0 .. 127 comes on top

}  // namespace

SyntheticBatches::SyntheticBatches(const SyntheticImages& images, const std::string& split, uint64_t seed)
    : pattern_seed_(Mix(seed)), image_seed_(Mix(seed + (split == "test" ? 2 : 1))) {
  num_samples_ = split == "test" ? std::max<uint64_t>(1, images.num_samples / 8) : images.num_samples;
  shape_ = {images.side, images.channels, images.num_classes};
}

void SyntheticBatches::Configure(uint32_t rank, uint32_t world, uint32_t global_batch, uint64_t seed, bool shuffled,
                                 geeps::Error& err) {
  if (!err.ok()) return;
  rank_ = rank;
  world_ = world;
  global_batch_ = global_batch;
  order_seed_ = seed;
  shuffled_ = shuffled;
  max_batches_ = (num_samples_ + global_batch - 1) / global_batch;
  max_images_ = (global_batch + world - 1) / world;
  images_.resize(max_images_ * shape_.bytes());
  labels_.resize(max_images_);
  ids_.resize(max_images_);
  order_.resize(num_samples_);
  epoch_ = 0;
  BeginEpoch();
}

void SyntheticBatches::BeginEpoch() {
  next_ = 0;
  std::iota(order_.begin(), order_.end(), uint64_t{0});
  for (uint64_t i = order_.size(); shuffled_ && i > 1; --i) {
    std::swap(order_[i - 1], order_[Mix(order_seed_ + Mix(epoch_ << 32 ^ i)) % i]);
  }
}

const Batch* SyntheticBatches::Next(geeps::Error& err) {
  if (!err.ok()) return nullptr;
  const uint64_t begin = next_ * global_batch_, end = std::min<uint64_t>(begin + global_batch_, num_samples_);
  const uint64_t num_global = begin < end ? end - begin : 0;
  const uint64_t first = begin + num_global * rank_ / world_, behind = begin + num_global * (rank_ + 1) / world_;
  if (num_global == 0 || first == behind) {
    ++epoch_;
    BeginEpoch();
    return nullptr;
  }
  ++next_;
  for (uint64_t i = first; i < behind; ++i) {
    ids_[i - first] = order_[i];
    labels_[i - first] = LabelOf(order_[i]);
    Draw(order_[i], labels_[i - first], images_.data() + (i - first) * shape_.bytes());
  }
  batch_ = {images_.data(), labels_.data(), ids_.data(), static_cast<uint32_t>(behind - first),
            static_cast<uint32_t>(num_global)};
  return &batch_;
}

int64_t SyntheticBatches::LabelOf(uint64_t id) const {
  return static_cast<int64_t>(Mix(image_seed_ ^ Mix(id)) % shape_.num_classes);
}

void SyntheticBatches::Draw(uint64_t id, int64_t label, uint8_t* pixels) const {
  const uint64_t line_bytes = uint64_t{shape_.side} * shape_.channels;
  uint64_t state = Mix(image_seed_ + Mix(~id)), noise = 0, num_noise = 0;
  const uint64_t pattern = Mix(pattern_seed_ ^ Mix(static_cast<uint64_t>(label)));
  for (uint32_t y = 0; y < shape_.side; ++y) {
    for (uint64_t x = 0; x < line_bytes; ++x, ++pixels, ++num_noise) {
      if (num_noise % sizeof noise == 0) noise = Mix(state += 0x9e3779b97f4a7c15u);
      const uint64_t block = uint64_t{y} * kBlocks / shape_.side * kBlocks + x * kBlocks / line_bytes;
      const uint32_t base = (pattern >> block & 1) != 0 ? kBright : kDark;
      *pixels = static_cast<uint8_t>(base + (noise & 0x7f));
      noise >>= 8;
    }
  }
}

}  // namespace train_images
