// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/device.h"

#include <algorithm>
#include <cstring>

#include "runtime/device/abi_status.h"

namespace geeps::device {
namespace {

// Calls a function of the table, whose last argument is the error, and returns what it says.
template <typename Fn>
absl::Status Call(Fn&& fn) {
  geeps_error err = EmptyError();
  const geeps_status code = fn(&err);
  return code < 0 ? FromAbi(code, err) : absl::OkStatus();
}

}  // namespace

Memory& Memory::operator=(Memory&& other) noexcept {
  if (this == &other) return *this;
  Reset();
  table_ = other.table_;
  dev_ = other.dev_;
  kind_ = other.kind_;
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

void Memory::Reset() {
  if (data_ != nullptr) table_->free(dev_, static_cast<int32_t>(kind_), data_, size_);
  data_ = nullptr;
  size_ = 0;
}

Event& Event::operator=(Event&& other) noexcept {
  if (this == &other) return *this;
  Reset();
  device_ = other.device_;
  event_ = std::exchange(other.event_, nullptr);
  return *this;
}

void Event::Reset() {
  if (event_ != nullptr) device_->table()->event_destroy(event_);
  event_ = nullptr;
}

absl::StatusOr<bool> Event::IsComplete() const {
  geeps_error err = EmptyError();
  const geeps_status code = device_->table()->event_query(event_, &err);
  if (code < 0) return FromAbi(code, err);
  return code == GEEPS_OK;
}

absl::Status Event::Wait(WaitSite site) const {
  if (device_->SkipsWait(site)) return absl::OkStatus();
  return Call([this](geeps_error* err) { return device_->table()->event_wait(event_, err); });
}

absl::Status Event::Notify(WaitSite site, void (*fn)(void* ctx, geeps_status status), void* ctx) const {
  if (device_->SkipsWait(site)) {
    fn(ctx, GEEPS_OK);
    return absl::OkStatus();
  }
  return Call([&](geeps_error* err) { return device_->table()->event_notify(event_, fn, ctx, err); });
}

RowIndex& RowIndex::operator=(RowIndex&& other) noexcept {
  if (this == &other) return *this;
  Reset();
  device_ = other.device_;
  index_ = std::exchange(other.index_, nullptr);
  return *this;
}

void RowIndex::Reset() {
  if (index_ != nullptr) device_->table()->index_destroy(index_);
  index_ = nullptr;
}

Stream& Stream::operator=(Stream&& other) noexcept {
  if (this == &other) return *this;
  Reset();
  device_ = other.device_;
  stream_ = std::exchange(other.stream_, nullptr);
  return *this;
}

void Stream::Reset() {
  if (stream_ != nullptr) device_->table()->stream_destroy(stream_);
  stream_ = nullptr;
}

absl::Status Stream::Record(const Event& event) const {
  return Call([&](geeps_error* err) { return device_->table()->event_record(event.event_, stream_, err); });
}

absl::Status Stream::WaitFor(WaitSite site, const Event& event) const {
  if (device_->SkipsWait(site)) return absl::OkStatus();
  return Call([&](geeps_error* err) { return device_->table()->stream_wait(stream_, event.event_, err); });
}

absl::Status Stream::Copy(void* dst, const void* src, uint64_t bytes) const {
  return Call([&](geeps_error* err) { return device_->table()->copy(stream_, dst, src, bytes, err); });
}

absl::Status Stream::Fill(void* dst, uint8_t value, uint64_t bytes) const {
  return Call([&](geeps_error* err) { return device_->table()->fill(stream_, dst, value, bytes, err); });
}

absl::Status Stream::MoveRows(absl::Span<const geeps_row_move> moves) const {
  return Call([&](geeps_error* err) { return device_->table()->move_rows(stream_, moves.data(), moves.size(), err); });
}

absl::Status Stream::Apply(absl::Span<const geeps_apply> applies) const {
  return Call([&](geeps_error* err) { return device_->table()->apply(stream_, applies.data(), applies.size(), err); });
}

absl::StatusOr<uint64_t> Stream::NativeHandle() const {
  uint64_t handle = 0;
  GEEPS_RETURN_IF_ERROR(
      Call([&](geeps_error* err) { return device_->table()->stream_get_native(stream_, &handle, err); }));
  return handle;
}

geeps_row_move MakeRowMove(uint32_t mode, uint32_t dtype, uint64_t row_values, void* dst, const void* src,
                           const RowIndex& index) {
  geeps_row_move move = {};
  move.struct_size = sizeof(move);
  move.mode = mode;
  move.dtype = dtype;
  move.row_values = row_values;
  move.dst = dst;
  move.src = src;
  move.index = index.get();
  return move;
}

geeps_apply MakeApply() {
  geeps_apply apply = {};
  apply.struct_size = sizeof(apply);
  return apply;
}

absl::StatusOr<std::unique_ptr<Device>> Device::Create(const geeps_device* table, const geeps_host* host,
                                                       int32_t device_id, absl::string_view variant,
                                                       uint64_t memory_limit) {
  const std::string variant_text(variant);
  geeps_dev_config config = {};
  config.struct_size = sizeof(config);
  config.device_id = device_id;
  config.memory_limit = memory_limit;
  config.variant = variant_text.c_str();
  std::unique_ptr<Device> device(new Device(table));
  GEEPS_RETURN_IF_ERROR(Call([&](geeps_error* err) { return table->create(host, &config, &device->dev_, err); }));
  device->info_.struct_size = sizeof(device->info_);
  GEEPS_RETURN_IF_ERROR(Call([&](geeps_error* err) { return table->get_info(device->dev_, &device->info_, err); }));
  return device;
}

Device::~Device() {
  if (dev_ != nullptr) table_->destroy(dev_);
}

absl::StatusOr<Memory> Device::Allocate(MemoryKind kind, uint64_t bytes) const {
  Memory memory;
  if (bytes == 0) return memory;
  void* data = nullptr;
  GEEPS_RETURN_IF_ERROR(
      Call([&](geeps_error* err) { return table_->alloc(dev_, static_cast<int32_t>(kind), bytes, &data, err); }));
  memory.table_ = table_;
  memory.dev_ = dev_;
  memory.kind_ = kind;
  memory.data_ = data;
  memory.size_ = bytes;
  return memory;
}

absl::StatusOr<Stream> Device::CreateStream() const {
  Stream stream;
  GEEPS_RETURN_IF_ERROR(
      Call([&](geeps_error* err) { return table_->stream_create(dev_, nullptr, &stream.stream_, err); }));
  stream.device_ = this;
  return stream;
}

absl::StatusOr<Stream> Device::WrapStream(uint64_t native_handle) const {
  Stream stream;
  GEEPS_RETURN_IF_ERROR(
      Call([&](geeps_error* err) { return table_->stream_create(dev_, &native_handle, &stream.stream_, err); }));
  stream.device_ = this;
  return stream;
}

absl::StatusOr<Event> Device::CreateEvent() const {
  Event event;
  GEEPS_RETURN_IF_ERROR(Call([&](geeps_error* err) { return table_->event_create(dev_, &event.event_, err); }));
  event.device_ = this;
  return event;
}

absl::StatusOr<RowIndex> Device::CreateIndex(absl::Span<const geeps_row_run> runs,
                                             absl::Span<const geeps_row_pair> pairs, uint64_t dst_rows,
                                             uint64_t src_rows) const {
  RowIndex index;
  GEEPS_RETURN_IF_ERROR(Call([&](geeps_error* err) {
    return table_->index_create(dev_, runs.data(), runs.size(), pairs.data(), pairs.size(), dst_rows, src_rows,
                                &index.index_, err);
  }));
  index.device_ = this;
  return index;
}

geeps_dev_info Device::CurrentInfo() const {
  geeps_dev_info info = info_;
  table_->get_info(dev_, &info, nullptr);
  return info;
}

void Device::SkipWait(absl::string_view site) const {
  const MutexLock lock(&switch_mutex_);
  skipped_site_ = std::string(site);
  switch_on_.store(records_sites_ || !skipped_site_.empty(), std::memory_order_release);
}

void Device::RecordWaitSites() const {
  const MutexLock lock(&switch_mutex_);
  records_sites_ = true;
  switch_on_.store(true, std::memory_order_release);
}

std::vector<std::string> Device::WaitSites() const {
  const MutexLock lock(&switch_mutex_);
  return sites_;
}

bool Device::SkipsWaitSlow(WaitSite site) const {
  const MutexLock lock(&switch_mutex_);
  if (records_sites_ && std::find(sites_.begin(), sites_.end(), site) == sites_.end()) sites_.emplace_back(site);
  if (skipped_site_.empty() || skipped_site_ != site) return false;
  num_skipped_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

absl::StatusOr<std::unique_ptr<Device>> Open(absl::string_view spec, uint64_t memory_limit) {
  const size_t colon = spec.find(':');
  const absl::string_view name = spec.substr(0, colon);
  const absl::string_view variant = colon == absl::string_view::npos ? absl::string_view() : spec.substr(colon + 1);
  const geeps_device* table = nullptr;
  if (name == "host") {
    table = HostDeviceTable();
  } else if (name == "deferred") {
    table = DeferredDeviceTable();
  } else {
    return NotFound("device ", spec,
                    ": this build has host, deferred:lazy, deferred:eager, deferred:seeded:SEED and "
                    "deferred:link:BYTES_PER_S");
  }
  return Device::Create(table, nullptr, -1, variant, memory_limit);
}

}  // namespace geeps::device
