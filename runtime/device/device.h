// SPDX-License-Identifier: Apache-2.0
// Device, Stream, Event, Memory, RowIndex: owners over the table of functions of a back end (include/geeps_device.h),
// so that nothing above knows which one it is. All are move-only; a default-constructed or moved-from one owns nothing.
// Destructors work on a lost device too.
// Thread contract: Device from any thread; each stream, event and index by one thread at a time.
#ifndef GEEPS_RUNTIME_DEVICE_DEVICE_H_
#define GEEPS_RUNTIME_DEVICE_DEVICE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "geeps_device.h"
#include "runtime/base/mutex.h"

namespace geeps::device {

class Device;

// Which of the two kinds of memory that a back end has.
enum class MemoryKind : int32_t { kDevice = GEEPS_DEV_MEMORY, kPinned = GEEPS_DEV_PINNED };

// A place in the program that waits for an event. The names are unique: "puller.absorb.reads". Static text.
using WaitSite = const char*;

// A region of memory of one device.
class Memory {
 public:
  Memory() = default;
  Memory(Memory&& other) noexcept { *this = std::move(other); }
  Memory& operator=(Memory&& other) noexcept;
  ~Memory() { Reset(); }

  // Gives the memory back. REQUIRES: work that uses it is done.
  void Reset();

  void* data() const { return data_; }
  uint8_t* bytes() const { return static_cast<uint8_t*>(data_); }
  uint64_t size() const { return size_; }
  MemoryKind kind() const { return kind_; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  friend class Device;
  const geeps_device* table_ = nullptr;
  geeps_dev* dev_ = nullptr;
  MemoryKind kind_ = MemoryKind::kDevice;
  void* data_ = nullptr;
  uint64_t size_ = 0;
};

// A moment in a stream, with CUDA's semantics. Never recorded: complete.
class Event {
 public:
  Event() = default;
  Event(Event&& other) noexcept { *this = std::move(other); }
  Event& operator=(Event&& other) noexcept;
  ~Event() { Reset(); }
  void Reset();

  // True when what it has captured is complete.
  absl::StatusOr<bool> IsComplete() const;
  // The calling thread sleeps until it is complete.
  absl::Status Wait(WaitSite site) const;
  // fn(ctx, status) once when it is complete: on this thread at once, or later on a thread of the back end. fn must
  // neither sleep nor call the device. A skipped site calls at once.
  absl::Status Notify(WaitSite site, void (*fn)(void* ctx, geeps_status status), void* ctx) const;

  explicit operator bool() const { return event_ != nullptr; }

 private:
  friend class Device;
  friend class Stream;
  const Device* device_ = nullptr;
  geeps_dev_event* event_ = nullptr;
};

// Which rows a move moves; prebuilt.
class RowIndex {
 public:
  RowIndex() = default;
  RowIndex(RowIndex&& other) noexcept { *this = std::move(other); }
  RowIndex& operator=(RowIndex&& other) noexcept;
  ~RowIndex() { Reset(); }
  void Reset();
  const geeps_dev_index* get() const { return index_; }
  explicit operator bool() const { return index_ != nullptr; }

 private:
  friend class Device;
  const Device* device_ = nullptr;
  geeps_dev_index* index_ = nullptr;
};

// A queue of work. Everything here returns before the work is done; operands stay as they are until then.
class Stream {
 public:
  Stream() = default;
  Stream(Stream&& other) noexcept { *this = std::move(other); }
  Stream& operator=(Stream&& other) noexcept;
  ~Stream() { Reset(); }
  void Reset();

  // `event` captures the work put into this stream so far.
  absl::Status Record(const Event& event) const;
  // Later work in this stream waits for what `event` has captured; the calling thread does not.
  absl::Status WaitFor(WaitSite site, const Event& event) const;

  absl::Status Copy(void* dst, const void* src, uint64_t bytes) const;
  absl::Status Fill(void* dst, uint8_t value, uint64_t bytes) const;
  // struct_size of the moves is set by MakeRowMove.
  absl::Status MoveRows(absl::Span<const geeps_row_move> moves) const;
  absl::Status Apply(absl::Span<const geeps_apply> applies) const;

  // The handle under which an embedder knows it.
  absl::StatusOr<uint64_t> NativeHandle() const;
  // REQUIRES: not empty.
  const Device& device() const { return *device_; }
  explicit operator bool() const { return stream_ != nullptr; }

 private:
  friend class Device;
  const Device* device_ = nullptr;
  geeps_dev_stream* stream_ = nullptr;
};

// A description of a move with struct_size set.
geeps_row_move MakeRowMove(uint32_t mode, uint32_t dtype, uint64_t row_values, void* dst, const void* src,
                           const RowIndex& index);
// An empty description with struct_size set.
geeps_apply MakeApply();

// One opened device. Not movable: streams, events and indexes point to it and must end before it.
class Device {
 public:
  // `table` stays valid; `host` may be nullptr. memory_limit: most bytes of device memory, 0: what there is.
  static absl::StatusOr<std::unique_ptr<Device>> Create(const geeps_device* table, const geeps_host* host,
                                                        int32_t device_id, absl::string_view variant,
                                                        uint64_t memory_limit);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // Errors: NoMemory with the bytes wanted and free. Contents are unspecified. bytes 0 gives an empty Memory.
  absl::StatusOr<Memory> Allocate(MemoryKind kind, uint64_t bytes) const;
  absl::StatusOr<Stream> CreateStream() const;
  // The embedder's stream, which outlives the result.
  absl::StatusOr<Stream> WrapStream(uint64_t native_handle) const;
  absl::StatusOr<Event> CreateEvent() const;
  // As index_create of the table.
  absl::StatusOr<RowIndex> CreateIndex(absl::Span<const geeps_row_run> runs, absl::Span<const geeps_row_pair> pairs,
                                       uint64_t dst_rows, uint64_t src_rows) const;

  // As it was at creation; memory_used and pinned_used change.
  const geeps_dev_info& info() const { return info_; }
  geeps_dev_info CurrentInfo() const;
  bool is_host_accessible() const { return (info_.flags & GEEPS_DEV_HOST_ACCESSIBLE) != 0; }
  // No wait is ever needed.
  bool is_synchronous() const { return (info_.flags & GEEPS_DEV_SYNCHRONOUS) != 0; }
  const geeps_device* table() const { return table_; }
  geeps_dev* handle() const { return dev_; }

  // Test switch: waits at `site` are left out from now on (empty: none). Tests prove with it that each wait matters.
  void SkipWait(absl::string_view site) const;
  // Number of waits that the switch has left out.
  uint64_t num_skipped_waits() const { return num_skipped_.load(std::memory_order_relaxed); }
  // From now on, notes the sites that wait. WaitSites: those noted, in the order in which they were first met.
  void RecordWaitSites() const;
  std::vector<std::string> WaitSites() const;

 private:
  friend class Event;
  friend class Stream;
  explicit Device(const geeps_device* table) : table_(table) {}
  // One load when the test switch is off.
  bool SkipsWait(WaitSite site) const { return switch_on_.load(std::memory_order_acquire) && SkipsWaitSlow(site); }
  bool SkipsWaitSlow(WaitSite site) const;

  const geeps_device* const table_;
  geeps_dev* dev_ = nullptr;  // constant after Create
  geeps_dev_info info_ = {};
  mutable std::atomic<bool> switch_on_{false};
  mutable std::atomic<uint64_t> num_skipped_{0};
  mutable Mutex switch_mutex_;
  mutable std::string skipped_site_ GEEPS_GUARDED_BY(switch_mutex_);
  mutable bool records_sites_ GEEPS_GUARDED_BY(switch_mutex_) = false;
  mutable std::vector<std::string> sites_ GEEPS_GUARDED_BY(switch_mutex_);
};

// The back ends that are built in.
const geeps_device* HostDeviceTable();
// Variants: lazy, eager, seeded:SEED, link:BYTES_PER_S.
const geeps_device* DeferredDeviceTable();
// The same as plugins "host" and "deferred", as loadable ones would return them.
const geeps_plugin* HostPlugin(uint32_t host_abi);
const geeps_plugin* DeferredPlugin(uint32_t host_abi);

// Opens "host", "deferred:lazy", "deferred:eager", "deferred:seeded:7", "deferred:link:1GiB". memory_limit as in
// Device::Create. Errors: Invalid for a malformed name; NotFound for a back end that is not built in.
absl::StatusOr<std::unique_ptr<Device>> Open(absl::string_view spec, uint64_t memory_limit = 0);

}  // namespace geeps::device

#endif  // GEEPS_RUNTIME_DEVICE_DEVICE_H_
