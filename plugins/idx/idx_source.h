// SPDX-License-Identifier: Apache-2.0
// The engine behind geeps.source/1 for IDX files: two files, images and labels, held in memory; slots filled on demand.
//
// Thread contract: Cancel and GetStats at any time; everything else serial. There are no threads of its own: a sample
// is one copy of a few hundred bytes, so a slot is filled by the call that hands it back.
#ifndef PLUGINS_IDX_IDX_SOURCE_H_
#define PLUGINS_IDX_IDX_SOURCE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "geeps_source.h"
#include "plugins/idx/epoch_order.h"
#include "plugins/idx/idx_file.h"
#include "plugins/idx/status.h"

namespace geeps::idx {

// What an URI and its options name.
struct DataSetPaths {
  std::string images;
  std::string labels;
};

// uri: idx:///DIRECTORY. Options: split = train | test (default train) chooses the file names of the MNIST family,
// compressed or plain, whichever is there; images, labels: other file names in the directory.
Status ParseUri(const char* uri, const geeps_kv* options, uint64_t num_options, DataSetPaths* out);

// A batch of one rank: what a slot will hold.
struct Batch {
  uint64_t first = 0;     // place of its first valid sample in the epoch's order
  uint32_t valid = 0;
  uint32_t padded = 0;    // samples behind the valid ones
  uint64_t pad_first = 0; // place of its first padded sample, to be taken modulo the number of samples
  uint32_t global_valid = 0;
  uint64_t position = 0;  // after it
};

class IdxSource {
 public:
  // Reads and checks both files. host must outlive the source.
  static Status Open(const geeps_host* host, const DataSetPaths& paths, std::unique_ptr<IdxSource>* out);
  ~IdxSource();

  // The functions of geeps.source/1, with inputs whole and outputs of this version; see geeps_source.h.
  void Describe(geeps_source_description* out) const;
  Status GetField(uint32_t index, geeps_source_field* out) const;
  Status GetSampleName(uint64_t sample_id, std::string* out) const;
  Status Configure(const geeps_source_config& config, geeps_source_layout* out);
  Status Seek(uint64_t epoch, uint64_t position);
  Status Enqueue(geeps_source_slot* slot);
  Status Dequeue(geeps_source_slot** out);
  int32_t event_fd() const { return event_fd_; }
  void Cancel();
  Status SaveState(uint64_t epoch, uint64_t position, std::string* out) const;
  Status LoadState(const void* blob, uint64_t bytes);
  void GetStats(geeps_source_stats* out) const;

 private:
  static constexpr uint32_t kNumFields = 2;  // image, label
  static constexpr uint64_t kLabelBytes = 8;

  explicit IdxSource(const geeps_host* host) : host_(host) {}

  uint64_t num_samples() const { return images_.dims[0]; }
  uint64_t field_bytes(uint32_t index) const { return index == 0 ? images_.sample_bytes : kLabelBytes; }
  Status CheckPosition(uint64_t position) const;
  Status CheckConfig(const geeps_source_config& config) const;

  // The batch of this rank that begins at `position` of an epoch; false when the epoch has none left for it.
  bool NextBatch(uint64_t position, Batch* out) const;
  void Fill(const Batch& batch, geeps_source_slot* slot);
  void FillSample(const geeps_source_slot& slot, uint32_t place, uint64_t order_index, uint8_t flags);

  void SetCancelled(bool cancelled);
  void UpdateEvent();
  void UpdateEventLocked();  // REQUIRES: mutex_ is held

  // Constant after Open.
  const geeps_host* const host_;
  IdxFile images_;
  IdxFile labels_;
  uint32_t num_classes_ = 0;
  int32_t event_fd_ = -1;

  // Of the serial caller.
  bool configured_ = false;
  geeps_source_config config_ = {};
  uint64_t epoch_ = 0;
  uint64_t position_ = 0;
  std::vector<uint32_t> order_;  // of order_epoch_, when configured
  uint64_t order_epoch_ = 0;
  std::deque<geeps_source_slot*> slots_;

  // Own synchronization.
  std::atomic<uint64_t> samples_{0};
  std::atomic<uint64_t> slots_empty_{0};
  std::atomic<uint64_t> decode_ns_{0};
  uint64_t read_ns_ = 0;  // constant after Open

  mutable std::mutex mutex_;
  bool cancelled_ = false;       // guarded by mutex_
  bool deliverable_ = false;     // guarded by mutex_: dequeue has a slot to fill, or the end of the epoch to tell
  bool event_readable_ = false;  // guarded by mutex_
};

}  // namespace geeps::idx

#endif  // PLUGINS_IDX_IDX_SOURCE_H_
