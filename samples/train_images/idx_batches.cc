// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/idx_batches.h"

#include <cstring>

namespace train_images {
namespace {

constexpr uint32_t kNumSlots = 3;
constexpr uint64_t kMaxClasses = 65536;

}  // namespace

IdxBatches::IdxBatches(geeps::Runtime& rt, const std::string& directory, const std::string& split, geeps::Error& err) {
  const geeps_host* host = nullptr;
  rt.LoadPlugin("idx", err);
  api_ = rt.GetInterface<geeps_source_api>("idx", GEEPS_SOURCE_ID, &host, err);
  if (!err.ok()) return;
  const std::string uri = "idx://" + directory;
  const geeps_kv option = {"split", split.c_str()};
  if (err.Take(api_->open(host, uri.c_str(), &option, 1, &handle_, err.raw())) == GEEPS_OK) CheckFields(err);
}

IdxBatches::~IdxBatches() {
  if (api_ != nullptr) api_->close(handle_);
}

void IdxBatches::CheckFields(geeps::Error& err) {
  geeps_source_description description = {};
  description.struct_size = sizeof description;
  geeps_source_field image = {}, label = {};
  image.struct_size = label.struct_size = sizeof image;
  if (err.Take(api_->describe(handle_, &description, err.raw())) != GEEPS_OK ||
      err.Take(api_->get_field(handle_, 0, &image, err.raw())) != GEEPS_OK ||
      err.Take(api_->get_field(handle_, 1, &label, err.raw())) != GEEPS_OK) {
    return;
  }
  const bool square = image.dtype == GEEPS_U8 && image.num_dims == 2 && image.shape[0] == image.shape[1];
  if (!square || image.shape[0] > UINT16_MAX) {
    err.Fail(GEEPS_E_UNSUPPORTED, "the nets want square grey images of at most 65535 pixels a side, found " +
                                      std::to_string(image.num_dims) + " dimensions, the first two " +
                                      std::to_string(image.shape[0]) + " x " + std::to_string(image.shape[1]));
    return;
  }
  if (label.dtype != GEEPS_I64 || label.num_dims != 0 || label.num_classes == 0 || label.num_classes > kMaxClasses) {
    err.Fail(GEEPS_E_UNSUPPORTED, "the nets want one class per image, at most " + std::to_string(kMaxClasses) +
                                      " of them, found " + std::to_string(label.num_classes));
    return;
  }
  num_samples_ = description.num_samples;
  shape_ = {static_cast<uint32_t>(image.shape[0]), 1, static_cast<uint32_t>(label.num_classes)};
}

void IdxBatches::Configure(uint32_t rank, uint32_t world, uint32_t global_batch, uint64_t seed, bool shuffled,
                           geeps::Error& err) {
  if (!err.ok()) return;
  geeps_source_config config = {};
  config.struct_size = sizeof config;
  config.rank = rank;
  config.world = world;
  config.global_batch = global_batch;
  config.seed = seed;
  config.shuffle = shuffled ? GEEPS_SOURCE_SHUFFLE_FULL : GEEPS_SOURCE_SHUFFLE_NONE;
  config.remainder = GEEPS_SOURCE_REMAINDER_UNEVEN;
  config.on_bad = GEEPS_SOURCE_BAD_FAIL;
  geeps_source_layout layout = {};
  layout.struct_size = sizeof layout;
  if (err.Take(api_->configure(handle_, &config, &layout, err.raw())) != GEEPS_OK) return;
  max_batches_ = layout.max_batches;
  max_images_ = static_cast<uint32_t>(layout.slot_samples);

  const uint64_t n = max_images_;
  slots_ = std::vector<Slot>(kNumSlots);
  lent_ = nullptr;
  for (Slot& s : slots_) {
    s.images.resize(n * shape_.bytes());
    s.labels.resize(n);
    s.ids.resize(n);
    s.buffers[0] = {s.images.data(), s.images.size(), GEEPS_MEM_HOST, -1};
    s.buffers[1] = {s.labels.data(), n * sizeof(int64_t), GEEPS_MEM_HOST, -1};
    s.slot.struct_size = sizeof s.slot;
    s.slot.num_buffers = 2;
    s.slot.buffers = s.buffers;
    s.slot.buffer_stride = sizeof s.buffers[0];
    s.slot.sample_ids = s.ids.data();
    s.slot.user = static_cast<uint64_t>(&s - slots_.data());
    Enqueue(&s, err);
  }
}

void IdxBatches::Enqueue(Slot* slot, geeps::Error& err) {
  if (err.ok()) err.Take(api_->enqueue(handle_, &slot->slot, err.raw()));
}

const Batch* IdxBatches::Next(geeps::Error& err) {
  if (lent_ != nullptr) Enqueue(lent_, err);
  lent_ = nullptr;
  geeps_source_slot* out = nullptr;
  if (!err.ok() || err.Take(api_->dequeue(handle_, GEEPS_NO_LIMIT, &out, err.raw())) != GEEPS_OK) return nullptr;
  lent_ = &slots_[out->user];
  batch_.images = lent_->images.data();
  batch_.labels = lent_->labels.data();
  batch_.ids = lent_->ids.data();
  batch_.num_images = out->num_samples;
  batch_.global_images = out->num_global_valid;
  return &batch_;
}

}  // namespace train_images
