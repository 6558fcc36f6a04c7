// SPDX-License-Identifier: Apache-2.0
// Batches of labelled images from a data-source plugin: three slots that go round between this program and the plugin.
//
// One thread. The runtime that loaded the plugin must outlive it.
#ifndef SAMPLES_TRAIN_IMAGES_BATCHES_H_
#define SAMPLES_TRAIN_IMAGES_BATCHES_H_

#include <cstdint>
#include <string>
#include <vector>

#include <geeps.hpp>
#include <geeps_source.h>

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
  // Opens the data set `split` (train or test) below `directory`.
  Batches(geeps::Runtime& rt, const std::string& directory, const std::string& split, geeps::Error& err);
  ~Batches();
  Batches(const Batches&) = delete;
  Batches& operator=(const Batches&) = delete;

  uint64_t num_samples() const { return num_samples_; }
  uint32_t image_side() const { return image_side_; }
  uint32_t num_classes() const { return num_classes_; }
  const geeps_source_layout& layout() const { return layout_; }

  // Every sample once over all workers: the last batch of an epoch may be smaller, and empty for some.
  void Configure(uint32_t rank, uint32_t world, uint32_t global_batch, uint64_t seed, bool shuffled, geeps::Error& err);
  // The next batch, valid until the next call; NULL at the end of the epoch (the call after that begins the next one)
  // and after a failure.
  const Batch* Next(geeps::Error& err);

 private:
  struct Slot {
    std::vector<uint8_t> images;
    std::vector<int64_t> labels;
    std::vector<uint64_t> ids;
    geeps_source_buffer buffers[2] = {};
    geeps_source_slot slot = {};
  };
  void CheckFields(geeps::Error& err);
  void Enqueue(Slot* slot, geeps::Error& err);

  const geeps_source_api* api_ = nullptr;
  geeps_source_handle* handle_ = nullptr;
  geeps_source_layout layout_ = {};
  uint64_t num_samples_ = 0;
  uint32_t image_side_ = 0;
  uint32_t num_classes_ = 0;
  std::vector<Slot> slots_;
  Slot* lent_ = nullptr;  // what batch_ points into
  Batch batch_ = {};
};

}  // namespace train_images

#endif  // SAMPLES_TRAIN_IMAGES_BATCHES_H_
