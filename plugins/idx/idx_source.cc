// SPDX-License-Identifier: Apache-2.0
#include "plugins/idx/idx_source.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include <sys/eventfd.h>
#include <unistd.h>

namespace geeps::idx {
namespace {

uint64_t NowNs() {
  return static_cast<uint64_t>(std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
}

std::string Number(uint64_t n) { return std::to_string(n); }

}  // namespace

Status IdxSource::Open(const geeps_host* host, const DataSetPaths& paths, std::unique_ptr<IdxSource>* out) {
  const uint64_t begin_ns = NowNs();
  std::unique_ptr<IdxSource> source(new IdxSource(host));
  // A sample needs at least one dimension of its own and has at most as many as a field describes.
  if (Status s = ReadIdxFile(host, paths.images, 2, 1 + GEEPS_SOURCE_MAX_DIMS, &source->images_); !s.ok()) return s;
  if (Status s = ReadIdxFile(host, paths.labels, 1, 1, &source->labels_); !s.ok()) return s;
  if (source->labels_.dims[0] != source->images_.dims[0]) {
    return Status(GEEPS_E_DATA, paths.labels + ": expected " + Number(source->images_.dims[0]) +
                                    " labels, one for each image in " + paths.images + ", found " +
                                    Number(source->labels_.dims[0]));
  }
  const uint8_t* labels = source->labels_.values.data();
  source->num_classes_ = *std::max_element(labels, labels + source->labels_.dims[0]) + 1u;
  source->event_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (source->event_fd_ < 0) return Status(GEEPS_E_IO, "no event descriptor for a data source", errno);
  source->read_ns_ = NowNs() - begin_ns;
  const std::string line = Number(source->num_samples()) + " samples from " + paths.images + " and " + paths.labels;
  if (host->log != nullptr) host->log(host->ctx, GEEPS_LOG_INFO, "idx", line.data(), line.size());
  *out = std::move(source);
  return Status();
}

IdxSource::~IdxSource() {
  if (event_fd_ >= 0) close(event_fd_);
}

void IdxSource::Describe(geeps_source_description* out) const {
  out->num_fields = kNumFields;
  out->num_samples = num_samples();
  out->mem_kinds = 1u << GEEPS_MEM_HOST | 1u << GEEPS_MEM_HOST_PINNED;
  uint64_t dims = 1;  // order of the dimensions matters: a polynomial in them
  for (uint64_t dim : images_.dims) dims = dims * 1000003 + dim;
  const uint64_t parts[4] = {num_samples(), dims, images_.crc, labels_.crc};
  for (uint32_t i = 0; i < 32; ++i) out->fingerprint[i] = static_cast<uint8_t>(parts[i / 8] >> (i % 8 * 8));
}

Status IdxSource::GetField(uint32_t index, geeps_source_field* out) const {
  if (index >= kNumFields) {
    return Status(GEEPS_E_INVALID, "field " + Number(index) + " of a data set that has " + Number(kNumFields));
  }
  out->dtype = index == 0 ? GEEPS_U8 : GEEPS_I64;
  out->num_dims = index == 0 ? static_cast<uint32_t>(images_.dims.size() - 1) : 0;
  for (uint32_t i = 0; i < out->num_dims; ++i) out->shape[i] = images_.dims[i + 1];
  out->sample_bytes = field_bytes(index);
  out->num_classes = index == 0 ? 0 : num_classes_;
  std::snprintf(out->name, sizeof out->name, "%s", index == 0 ? "image" : "label");
  return Status();
}

Status IdxSource::GetSampleName(uint64_t sample_id, std::string* out) const {
  if (sample_id >= num_samples()) {
    return Status(GEEPS_E_INVALID, "sample " + Number(sample_id) + " of a data set that has " + Number(num_samples()));
  }
  *out = images_.path + "[" + Number(sample_id) + "]";
  return Status();
}

Status IdxSource::CheckConfig(const geeps_source_config& c) const {
  const auto invalid = [](const std::string& text) { return Status(GEEPS_E_INVALID, text); };
  if (c.world == 0 || c.rank >= c.world) {
    return invalid("rank " + Number(c.rank) + " of world " + Number(c.world) + ": expected a rank below the world");
  }
  if (c.global_batch < c.world) {
    return invalid("global_batch " + Number(c.global_batch) + ": expected at least one sample for each of " +
                   Number(c.world) + " ranks");
  }
  if (c.shuffle < GEEPS_SOURCE_SHUFFLE_NONE || c.shuffle > GEEPS_SOURCE_SHUFFLE_WINDOW) {
    return invalid("shuffle " + std::to_string(c.shuffle) + ": expected 1 to 3");
  }
  if ((c.shuffle == GEEPS_SOURCE_SHUFFLE_WINDOW) != (c.shuffle_window != 0)) {
    return invalid("shuffle_window " + Number(c.shuffle_window) + " with shuffle " + std::to_string(c.shuffle) +
                   ": a window of at least 1 belongs to shuffle 3 and to no other");
  }
  if (c.remainder < GEEPS_SOURCE_REMAINDER_DROP || c.remainder > GEEPS_SOURCE_REMAINDER_UNEVEN) {
    return invalid("remainder " + std::to_string(c.remainder) + ": expected 1 to 3");
  }
  if (c.remainder == GEEPS_SOURCE_REMAINDER_DROP && c.global_batch > num_samples()) {
    return invalid("global_batch " + Number(c.global_batch) + " of " + Number(num_samples()) +
                   " samples: an epoch that drops its remainder would have no batch");
  }
  if (c.on_bad < GEEPS_SOURCE_BAD_FAIL || c.on_bad > GEEPS_SOURCE_BAD_ZERO) {
    return invalid("on_bad " + std::to_string(c.on_bad) + ": expected 1 to 3");
  }
  return Status();
}

Status IdxSource::Configure(const geeps_source_config& config, geeps_source_layout* out) {
  if (Status s = CheckConfig(config); !s.ok()) return s;
  const ShuffleSpec spec = {config.shuffle, config.seed, config.shuffle_window};
  order_ = EpochOrder(spec, 0, static_cast<uint32_t>(num_samples()));
  order_epoch_ = 0;
  config_ = config;
  configured_ = true;
  slots_.clear();
  slots_empty_ = 0;
  epoch_ = 0;
  position_ = 0;
  SetCancelled(false);

  const uint64_t whole = num_samples() / config.global_batch, tail = num_samples() % config.global_batch;
  const uint64_t share = ShareOf(config.global_batch, config.rank, config.world);
  uint64_t tail_share = 0;
  if (tail != 0 && config.remainder == GEEPS_SOURCE_REMAINDER_PAD) tail_share = share;
  if (config.remainder == GEEPS_SOURCE_REMAINDER_UNEVEN) tail_share = ShareOf(tail, config.rank, config.world);
  out->slot_samples = static_cast<uint32_t>(share);
  out->rank_batches = whole + (tail_share != 0 ? 1 : 0);
  out->max_batches = whole + (tail != 0 && config.remainder != GEEPS_SOURCE_REMAINDER_DROP ? 1 : 0);
  out->rank_samples = whole * share + tail_share;
  return Status();
}

Status IdxSource::CheckPosition(uint64_t position) const {
  if (!configured_) return Status(GEEPS_E_STATE, "the data source is not configured");
  if (position > num_samples()) {
    return Status(GEEPS_E_INVALID,
                  "position " + Number(position) + " of an epoch of " + Number(num_samples()) + " samples");
  }
  return Status();
}

Status IdxSource::Seek(uint64_t epoch, uint64_t position) {
  if (Status s = CheckPosition(position); !s.ok()) return s;
  epoch_ = epoch;
  position_ = position;
  SetCancelled(false);
  return Status();
}

Status IdxSource::Enqueue(geeps_source_slot* slot) {
  if (!configured_) return Status(GEEPS_E_STATE, "the data source is not configured");
  geeps_source_slot copy;
  if (Status s = CopyIn("geeps_source_slot", slot, &copy, sizeof copy, sizeof copy); !s.ok()) return s;
  if (std::find(slots_.begin(), slots_.end(), slot) != slots_.end()) {
    return Status(GEEPS_E_STATE, "the slot is enqueued already");
  }
  if (slot->num_buffers != kNumFields || slot->buffers == nullptr ||
      slot->buffer_stride < sizeof(geeps_source_buffer)) {
    return Status(GEEPS_E_INVALID, "a slot with " + Number(slot->num_buffers) + " buffers " +
                                       Number(slot->buffer_stride) + " bytes apart: expected " + Number(kNumFields) +
                                       ", at least " + Number(sizeof(geeps_source_buffer)) + " bytes apart");
  }
  const uint64_t share = ShareOf(config_.global_batch, config_.rank, config_.world);
  for (uint32_t i = 0; i < kNumFields; ++i) {
    const auto* buffer = reinterpret_cast<const geeps_source_buffer*>(reinterpret_cast<const char*>(slot->buffers) +
                                                                      i * slot->buffer_stride);
    if (buffer->mem_kind != GEEPS_MEM_HOST && buffer->mem_kind != GEEPS_MEM_HOST_PINNED) {
      return Status(GEEPS_E_INVALID, "buffer " + Number(i) + " is of memory kind " + std::to_string(buffer->mem_kind) +
                                         ": idx fills host memory");
    }
    if (buffer->data == nullptr || buffer->bytes < share * field_bytes(i)) {
      return Status(GEEPS_E_INVALID, "buffer " + Number(i) + " has " + Number(buffer->data ? buffer->bytes : 0) +
                                         " bytes: expected " + Number(share * field_bytes(i)) + " for " +
                                         Number(share) + " samples");
    }
  }
  slots_.push_back(slot);
  ++slots_empty_;
  UpdateEvent();
  return Status();
}

bool IdxSource::NextBatch(uint64_t position, Batch* out) const {
  const uint64_t left = num_samples() - position;
  const uint64_t n = std::min<uint64_t>(left, config_.global_batch);
  const bool whole = n == config_.global_batch;
  if (n == 0 || (!whole && config_.remainder == GEEPS_SOURCE_REMAINDER_DROP)) return false;
  const uint64_t valid = ShareOf(n, config_.rank, config_.world);
  out->first = position + ShareBegin(n, config_.rank, config_.world);
  out->valid = static_cast<uint32_t>(valid);
  out->padded = 0;
  if (config_.remainder == GEEPS_SOURCE_REMAINDER_PAD) {
    out->padded = static_cast<uint32_t>(ShareOf(config_.global_batch, config_.rank, config_.world) - valid);
    out->pad_first = ShareBegin(config_.global_batch, config_.rank, config_.world) -
                     ShareBegin(n, config_.rank, config_.world);
  }
  out->global_valid = static_cast<uint32_t>(n);
  out->position = position + n;
  return out->valid + out->padded > 0;
}

void IdxSource::FillSample(const geeps_source_slot& slot, uint32_t place, uint64_t order_index, uint8_t flags) {
  const uint32_t id = order_[order_index];
  const auto* image_buffer = slot.buffers;
  const auto* label_buffer = reinterpret_cast<const geeps_source_buffer*>(
      reinterpret_cast<const char*>(slot.buffers) + slot.buffer_stride);
  const uint64_t bytes = images_.sample_bytes;
  std::memcpy(static_cast<char*>(image_buffer->data) + place * bytes, images_.values.data() + id * bytes, bytes);
  const int64_t label = labels_.values.data()[id];
  std::memcpy(static_cast<char*>(label_buffer->data) + place * kLabelBytes, &label, kLabelBytes);
  if (slot.sample_ids != nullptr) slot.sample_ids[place] = id;
  if (slot.sample_flags != nullptr) slot.sample_flags[place] = flags;
  if (slot.sample_lengths != nullptr) {
    const uint64_t share = ShareOf(config_.global_batch, config_.rank, config_.world);
    for (uint32_t i = 0; i < kNumFields; ++i) slot.sample_lengths[i * share + place] = field_bytes(i);
  }
}

void IdxSource::Fill(const Batch& batch, geeps_source_slot* slot) {
  if (order_epoch_ != epoch_) {
    const ShuffleSpec spec = {config_.shuffle, config_.seed, config_.shuffle_window};
    order_ = EpochOrder(spec, epoch_, static_cast<uint32_t>(num_samples()));
    order_epoch_ = epoch_;
  }
  for (uint32_t i = 0; i < batch.valid; ++i) FillSample(*slot, i, batch.first + i, 0);
  for (uint32_t i = 0; i < batch.padded; ++i) {
    FillSample(*slot, batch.valid + i, (batch.pad_first + i) % num_samples(), GEEPS_SOURCE_SAMPLE_PADDED);
  }
  slot->epoch = epoch_;
  slot->position = batch.position;
  slot->num_samples = batch.valid + batch.padded;
  slot->num_valid = batch.valid;
  slot->num_global_valid = batch.global_valid;
}

Status IdxSource::Dequeue(geeps_source_slot** out) {
  if (!configured_) return Status(GEEPS_E_STATE, "the data source is not configured");
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (cancelled_) return Status(GEEPS_E_CANCELLED, "the data source was cancelled");
  }
  Batch batch;
  if (!NextBatch(position_, &batch)) {
    ++epoch_;
    position_ = 0;
    UpdateEvent();
    return Status(GEEPS_END, "");
  }
  if (slots_.empty()) return Status(GEEPS_E_STATE, "a batch is wanted and no slot is enqueued");
  const uint64_t begin_ns = NowNs();
  geeps_source_slot* slot = slots_.front();
  Fill(batch, slot);
  slots_.pop_front();
  --slots_empty_;
  position_ = batch.position;
  samples_ += slot->num_samples;
  decode_ns_ += NowNs() - begin_ns;
  UpdateEvent();
  *out = slot;
  return Status();
}

void IdxSource::UpdateEvent() {
  std::lock_guard<std::mutex> lock(mutex_);
  Batch batch;
  deliverable_ = configured_ && (!slots_.empty() || !NextBatch(position_, &batch));
  UpdateEventLocked();
}

void IdxSource::UpdateEventLocked() {
  const bool readable = cancelled_ || deliverable_;
  if (readable == event_readable_) return;
  uint64_t value = 1;
  // Neither call can fail: the counter moves between 0 and 1 only.
  const ssize_t n = readable ? write(event_fd_, &value, sizeof value) : read(event_fd_, &value, sizeof value);
  event_readable_ = n == static_cast<ssize_t>(sizeof value) ? readable : event_readable_;
}

void IdxSource::SetCancelled(bool cancelled) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    cancelled_ = cancelled;
  }
  UpdateEvent();
}

void IdxSource::Cancel() {
  std::lock_guard<std::mutex> lock(mutex_);
  cancelled_ = true;
  UpdateEventLocked();
}

void IdxSource::GetStats(geeps_source_stats* out) const {
  out->samples = samples_;
  out->read_bytes = images_.file_bytes + labels_.file_bytes;
  out->read_ns = read_ns_;
  out->decode_ns = decode_ns_;
  out->wait_ns = decode_ns_;  // the caller does the work itself
  out->slots_empty = slots_empty_;
}

}  // namespace geeps::idx
