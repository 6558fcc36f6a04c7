// SPDX-License-Identifier: Apache-2.0
// SyntheticBatches: images that need no file: each class has its own pattern of bright blocks, each image a noise of
// its own over it, all functions of (seed, split, id), so that a net can learn them and every worker draws the same
// ones. One thread.
#ifndef SAMPLES_TRAIN_IMAGES_SYNTHETIC_BATCHES_H_
#define SAMPLES_TRAIN_IMAGES_SYNTHETIC_BATCHES_H_

#include <vector>

#include "samples/train_images/batches.h"
#include "samples/train_images/options.h"

namespace train_images {

class SyntheticBatches : public Batches {
 public:
  SyntheticBatches(const SyntheticImages& images, const std::string& split, uint64_t seed);

  void Configure(uint32_t rank, uint32_t world, uint32_t global_batch, uint64_t seed, bool shuffled,
                 geeps::Error& err) override;
  const Batch* Next(geeps::Error& err) override;

 private:
  void BeginEpoch();
  int64_t LabelOf(uint64_t id) const;
  void Draw(uint64_t id, int64_t label, uint8_t* pixels) const;

  const uint64_t pattern_seed_;  // of the classes: the same for training and testing
  const uint64_t image_seed_;
  uint32_t rank_ = 0, world_ = 1, global_batch_ = 1;
  uint64_t order_seed_ = 0;
  bool shuffled_ = false;
  std::vector<uint64_t> order_;  // ids in the order of this epoch
  uint64_t epoch_ = 0;
  uint64_t next_ = 0;  // the batch
  std::vector<uint8_t> images_;
  std::vector<int64_t> labels_;
  std::vector<uint64_t> ids_;
  Batch batch_ = {};
};

}  // namespace train_images

#endif  // SAMPLES_TRAIN_IMAGES_SYNTHETIC_BATCHES_H_
