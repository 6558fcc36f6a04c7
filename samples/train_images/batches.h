// SPDX-License-Identifier: Apache-2.0
// Batches: labelled images, this worker's share of each global batch, epoch after epoch. Two kinds: images in IDX
// files, read by the data-source plugin (idx_batches.h), and images drawn from a seed (synthetic_batches.h). One
// thread.
#ifndef SAMPLES_TRAIN_IMAGES_BATCHES_H_
#define SAMPLES_TRAIN_IMAGES_BATCHES_H_

#include <cstdint>
#include <geeps.hpp>
#include <memory>
#include <string>

#include "samples/train_images/nets.h"

namespace train_images {

struct Batch {
  const uint8_t* images;   // [num_images, image_bytes]
  const int64_t* labels;   // [num_images], each < num_classes
  const uint64_t* ids;     // [num_images]
  uint32_t num_images;     // of this worker, >= 1
  uint32_t global_images;  // of all workers
};

class Batches {
 public:
  // The images of `split` (train or test) of the data set `data`: a directory, or a synthetic one (options.h). `seed`
  // is that of what is drawn. The runtime must outlive the batches. Not NULL; after a failure of no use.
  static std::unique_ptr<Batches> Open(geeps::Runtime& rt, const std::string& data, const std::string& split,
                                       uint64_t seed, geeps::Error& err);
  virtual ~Batches() = default;

  uint64_t num_samples() const { return num_samples_; }
  const ImageShape& shape() const { return shape_; }
  // From Configure on: batches to an epoch, and images of this worker in one, both at most.
  uint64_t max_batches() const { return max_batches_; }
  uint32_t max_images() const { return max_images_; }

  // Every sample once over all workers: the last batch of an epoch may be smaller, and empty for some.
  virtual void Configure(uint32_t rank, uint32_t world, uint32_t global_batch, uint64_t seed, bool shuffled,
                         geeps::Error& err) = 0;
  // The next batch, valid until the next call; NULL at the end of the epoch (the call after that begins the next one)
  // and after a failure.
  virtual const Batch* Next(geeps::Error& err) = 0;

 protected:
  uint64_t num_samples_ = 0;
  ImageShape shape_ = {};
  uint64_t max_batches_ = 0;
  uint32_t max_images_ = 0;
};

}  // namespace train_images

#endif  // SAMPLES_TRAIN_IMAGES_BATCHES_H_
