// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "samples/train_images/synthetic_batches.h"

namespace train_images {
namespace {

constexpr SyntheticImages kImages = {12, 3, 5, 61};

struct Image {
  std::vector<uint8_t> pixels;
  int64_t label;
  bool operator==(const Image&) const = default;
};

// Adds the images of one epoch of one worker by id, each of which must be new; returns the ids in their order.
std::vector<uint64_t> ReadEpoch(SyntheticBatches* batches, std::map<uint64_t, Image>* images) {
  geeps::Error err;
  std::vector<uint64_t> ids;
  while (const Batch* batch = batches->Next(err)) {
    CHECK(batch->num_images >= 1);
    CHECK(batch->num_images <= batches->max_images());
    for (uint32_t i = 0; i < batch->num_images; ++i) {
      const uint8_t* const pixels = batch->images + i * batches->shape().bytes();
      CHECK(batch->labels[i] >= 0);
      CHECK(batch->labels[i] < kImages.num_classes);
      ids.push_back(batch->ids[i]);
      CHECK(
          images->emplace(batch->ids[i], Image{{pixels, pixels + batches->shape().bytes()}, batch->labels[i]}).second);
    }
  }
  return ids;
}

std::map<uint64_t, Image> ReadAll(const char* split, uint64_t seed, uint32_t world, uint32_t batch) {
  geeps::Error err;
  std::map<uint64_t, Image> images;
  for (uint32_t rank = 0; rank < world; ++rank) {
    SyntheticBatches batches(kImages, split, seed);
    batches.Configure(rank, world, batch, 7, true, err);
    ReadEpoch(&batches, &images);
  }
  return images;
}

TEST_CASE("synthetic images: over all workers an epoch has every image once, the same for any number of workers") {
  const std::map<uint64_t, Image> images = ReadAll("train", 1, 1, 16);
  CHECK(images.size() == 61);
  CHECK(images.rbegin()->first == 60);
  for (const uint32_t world : {2u, 3u, 7u}) {
    for (const uint32_t batch : {7u, 16u, 61u, 100u}) CHECK(ReadAll("train", 1, world, batch) == images);
  }
}

TEST_CASE("synthetic images: the seed and the split change them; there is an eighth as many to test with") {
  CHECK(ReadAll("train", 1, 1, 16) != ReadAll("train", 2, 1, 16));
  const std::map<uint64_t, Image> test = ReadAll("test", 1, 1, 16), train = ReadAll("train", 1, 1, 16);
  CHECK(test.size() == 7);
  for (const auto& [id, image] : test) CHECK(!(image == train.at(id)));
}

TEST_CASE("synthetic images: each epoch has an order of its own, and that of the ids where nothing is shuffled") {
  geeps::Error err;
  std::map<uint64_t, Image> images;
  SyntheticBatches batches(kImages, "train", 1);
  batches.Configure(0, 1, 16, 7, true, err);
  const std::vector<uint64_t> first = ReadEpoch(&batches, &images);
  images.clear();
  const std::vector<uint64_t> second = ReadEpoch(&batches, &images);
  CHECK(first != second);
  batches.Configure(0, 1, 16, 7, false, err);
  images.clear();
  const std::vector<uint64_t> in_order = ReadEpoch(&batches, &images);
  CHECK(std::is_sorted(in_order.begin(), in_order.end()));
  CHECK(in_order.size() == 61);
}

TEST_CASE("synthetic images: a worker whose share of the last batch is empty ends its epoch one batch early") {
  geeps::Error err;
  SyntheticBatches batches({8, 1, 2, 33}, "train", 1);  // 16, 16 and 1
  batches.Configure(0, 2, 16, 7, true, err);
  CHECK(batches.max_batches() == 3);
  for (int epoch = 0; epoch < 2; ++epoch) {
    CHECK(batches.Next(err)->num_images == 8);
    CHECK(batches.Next(err)->num_images == 8);
    CHECK(batches.Next(err) == nullptr);
  }
}

}  // namespace
}  // namespace train_images
