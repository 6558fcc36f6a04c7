// SPDX-License-Identifier: Apache-2.0
// IdxBatches: batches from a data-source plugin: three slots that go round between this program and the plugin.
//
// One thread. The runtime that loaded the plugin must outlive it.
#ifndef SAMPLES_TRAIN_IMAGES_IDX_BATCHES_H_
#define SAMPLES_TRAIN_IMAGES_IDX_BATCHES_H_

#include <geeps_source.h>

#include <vector>

#include "samples/train_images/batches.h"

namespace train_images {

class IdxBatches : public Batches {
 public:
  // Opens the data set `split` (train or test) below `directory`.
  IdxBatches(geeps::Runtime& rt, const std::string& directory, const std::string& split, geeps::Error& err);
  ~IdxBatches() override;
  IdxBatches(const IdxBatches&) = delete;
  IdxBatches& operator=(const IdxBatches&) = delete;

  void Configure(uint32_t rank, uint32_t world, uint32_t global_batch, uint64_t seed, bool shuffled,
                 geeps::Error& err) override;
  const Batch* Next(geeps::Error& err) override;

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
  std::vector<Slot> slots_;
  Slot* lent_ = nullptr;  // what batch_ points into
  Batch batch_ = {};
};

}  // namespace train_images

#endif  // SAMPLES_TRAIN_IMAGES_IDX_BATCHES_H_
