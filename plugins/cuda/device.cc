// SPDX-License-Identifier: Apache-2.0
#include "plugins/cuda/device.h"

#include <pthread.h>
#include <signal.h>

#include <system_error>
#include <utility>

#include "plugins/cuda/context.h"
#include "plugins/cuda/stream.h"

namespace geeps::cuda {
namespace {

// Notices of a broken context are given about this much later at most. A query of the driver takes microseconds.
constexpr std::chrono::milliseconds kWatchPeriod{100};

}  // namespace

Device::Device(const Driver* driver, const geeps_host* host, const DeviceFacts& facts, uint64_t memory_limit)
    : driver_(*driver),
      facts_(facts),
      loss_(driver, facts.Name()),
      memory_(driver, &loss_, host, facts.info.memory_bytes, memory_limit),
      functions_(driver) {}

Status Device::Open(const Driver* driver, const geeps_host* host, const DeviceFacts& facts, uint64_t memory_limit,
                    std::unique_ptr<Device>* out) {
  const std::string device_text =
      Text(facts.Name(), ", compute capability ", facts.compute_major, ".", facts.compute_minor);
  if (facts.compute_major < kComputeMajorLeast ||
      (facts.compute_major == kComputeMajorLeast && facts.compute_minor < kComputeMinorLeast)) {
    return Status(GEEPS_E_UNSUPPORTED,
                  Text(device_text, ": the kernels need ", kComputeMajorLeast, ".", kComputeMinorLeast, " or later"));
  }
  if (kKernelImage == nullptr) {
    return Status(GEEPS_E_UNSUPPORTED,
                  Text(facts.Name(),
                       ": this plugin was built without nvcc and has no kernels; build it where the CUDA "
                       "Toolkit is installed"));
  }
  std::unique_ptr<Device> device(new Device(driver, host, facts, memory_limit));
  Status status = device->Start(device_text);
  if (status.ok()) *out = std::move(device);
  return status;
}

Status Device::Start(const std::string& device_text) {
  Result result = driver_.DevicePrimaryCtxRetain(&context_, facts_.ordinal);
  if (result != kSuccess) {
    context_ = nullptr;
    return Status(result == kOutOfMemory ? GEEPS_E_NOMEM : GEEPS_E_DEVICE,
                  Text(device_text, ": cuDevicePrimaryCtxRetain: ", ResultText(driver_, result)), result);
  }
  const ContextScope scope(driver_, context_);
  if (Status status = loss_.Check(scope.result(), "cuCtxPushCurrent"); !status.ok()) return status;
  if (Status status = functions_.Load(device_text); !status.ok()) return status;
  result = driver_.StreamCreate(&upload_, kStreamNonBlocking);
  if (Status status = loss_.Check(result, "cuStreamCreate"); !status.ok()) return status;
  // One for the first notice, which need not come before the clocks do.
  if (Status status = AddSideStream(); !status.ok()) return status;
  return StartWatch();
}

Status Device::StartWatch() {
  // Signals belong to the embedder; the thread inherits the mask.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Status status;
  try {
    watch_ = std::thread(&Device::Watch, this);
    pthread_setname_np(watch_.native_handle(), "geeps-cuda");
  } catch (const std::system_error& error) {
    status = Status(GEEPS_E_NOMEM, Text(loss_.device_text(), ": no thread that watches it: ", error.what()));
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return status;
}

Device::~Device() {
  if (context_ == nullptr) return;
  notices_.StopWatch();
  if (watch_.joinable()) watch_.join();
  notices_.GiveAll(loss_.is_lost() ? GEEPS_E_DEVICE : GEEPS_E_CANCELLED);
  notices_.WaitUntilGiven();
  {
    const ContextScope scope(driver_, context_);
    SweepEndedStreams(true);
    for (const auto& side : notices_.sides()) {
      driver_.StreamSynchronize(side->native);  // host functions of notices that were given by others
      driver_.StreamDestroy(side->native);
    }
    if (upload_ != nullptr) driver_.StreamDestroy(upload_);
    workspaces_.clear();
    functions_.Unload();
  }
  driver_.DevicePrimaryCtxRelease(facts_.ordinal);
}

geeps_dev_info Device::Info() const {
  geeps_dev_info info = facts_.info;
  info.memory_bytes = memory_.limit();
  info.memory_used = memory_.memory_used();
  info.pinned_used = memory_.pinned_used();
  return info;
}

void Device::Watch() {
  for (NativeStream stream; notices_.WaitForBusy(kWatchPeriod, &stream);) {
    try {
      const ContextScope scope(driver_, context_);
      const Result result = scope.result() == kSuccess ? driver_.StreamQuery(stream) : scope.result();
      if (result != kNotReady) loss_.Check(result, "cuStreamQuery, while notices were awaited");
    } catch (const std::bad_alloc&) {
      continue;  // for the text of the cause; there is another look
    }
    GiveNoticesIfLost();
  }
}

Status Device::OpenStream(const uint64_t* native, Stream** out) {
  auto stream = std::make_unique<Stream>(this, last_stream_id_.fetch_add(1, std::memory_order_relaxed) + 1);
  if (Status status = stream->Open(native); !status.ok()) return status;
  const std::lock_guard<std::mutex> lock(streams_mutex_);
  streams_.insert(stream.get());
  *out = stream.release();
  return Status();
}

void Device::EndStream(Stream* stream) {
  stream->MarkEnd();
  {
    const std::lock_guard<std::mutex> lock(streams_mutex_);
    streams_.erase(stream);
    stream->next_ended = std::exchange(ended_, stream);
  }
  SweepEndedStreams(false);
}

void Device::FinishIfLost() {
  if (!loss_.is_lost()) return;
  {
    const std::lock_guard<std::mutex> lock(streams_mutex_);
    for (const Stream* stream : streams_) stream->Finish();
  }
  SweepEndedStreams(true);
}

void Device::SweepEndedStreams(bool waits) {
  const std::lock_guard<std::mutex> lock(streams_mutex_);
  for (Stream** link = &ended_; *link != nullptr;) {
    Stream* const stream = *link;
    if (!stream->IsDone(waits)) {
      link = &stream->next_ended;
      continue;
    }
    *link = stream->next_ended;
    if (Workspace* const workspace = stream->workspace()) {
      const std::lock_guard<std::mutex> workspaces_lock(workspaces_mutex_);
      free_workspaces_.push_back(workspace);
    }
    delete stream;
  }
}

Workspace* Device::TakeWorkspace() {
  const std::lock_guard<std::mutex> lock(workspaces_mutex_);
  if (!free_workspaces_.empty()) {
    Workspace* const workspace = free_workspaces_.back();
    free_workspaces_.pop_back();
    return workspace;
  }
  workspaces_.reserve(workspaces_.size() + 1);
  free_workspaces_.reserve(workspaces_.size() + 1);
  workspaces_.push_back(std::make_unique<Workspace>(&driver_, &loss_, &memory_));
  return workspaces_.back().get();
}

Status Device::CreateEvent(Event** out) {
  auto event = std::make_unique<Event>();
  event->device = this;
  Status status =
      loss_.Check(driver_.EventCreate(&event->native, kEventBlockingSync | kEventDisableTiming), "cuEventCreate");
  if (status.ok()) *out = event.release();
  return status;
}

Status Device::AddSideStream() {
  NativeStream native = nullptr;
  Status status = loss_.Check(driver_.StreamCreate(&native, kStreamNonBlocking), "cuStreamCreate for notices");
  if (status.ok()) notices_.AddSide(native);
  return status;
}

Status Device::Notify(Event* event, NoticeFn fn, void* ctx, geeps_status* status) {
  const Result known = event->record > 0 ? driver_.EventQuery(event->native) : kSuccess;
  if (known == kSuccess) {
    *status = GEEPS_OK;
    return Status();
  }
  if (known != kNotReady) return loss_.Check(known, "cuEventQuery, before a notice");
  SideStream* side = nullptr;
  uint64_t number = 0;
  while ((number = notices_.Post(event->source, event->record, fn, ctx, &side)) == 0) {
    if (Status added = AddSideStream(); !added.ok()) return added;
  }
  *status = GEEPS_AGAIN;
  Result result = driver_.StreamWaitEvent(side->native, event->native, 0);
  if (result == kSuccess) {
    result = driver_.LaunchHostFunc(side->native, &NoticeBoard::GiveByDriver,
                                    reinterpret_cast<void*>(static_cast<uintptr_t>(number)));
  }
  if (result == kSuccess) return Status();
  // Unless somebody has given it meanwhile, because the device was lost.
  if (!notices_.Withdraw(number)) return Status();
  *status = GEEPS_E_DEVICE;
  return loss_.Check(result, "a notice: cuStreamWaitEvent, cuLaunchHostFunc");
}

Status Device::Upload(const std::vector<uint8_t>& image, DevicePointer* out) {
  DevicePointer memory = 0;
  if (Status status = memory_.AllocateDevice(image.size(), &memory); !status.ok()) return status;
  Result result = kSuccess;
  {
    // The calling thread sleeps here: an index is built before the clocks begin.
    const std::lock_guard<std::mutex> lock(upload_mutex_);
    result = driver_.MemcpyAsync(memory, reinterpret_cast<uintptr_t>(image.data()), image.size(), upload_);
    if (result == kSuccess) result = driver_.StreamSynchronize(upload_);
    // A wait that is refused says nothing about the copy, which reads `image`.
    if (result != kSuccess) driver_.StreamSynchronize(upload_);
  }
  if (result != kSuccess) {
    memory_.FreeDevice(memory);
    return loss_.Check(result, "the upload of a row index of ", image.size(), " bytes");
  }
  *out = memory;
  return Status();
}

Status Device::CreateIndex(const geeps_row_run* runs, uint64_t num_runs, const geeps_row_pair* pairs,
                           uint64_t num_pairs, uint64_t dst_rows, uint64_t src_rows, Index** out) {
  auto index = std::make_unique<Index>();
  index->device = this;
  std::string error = BuildIndex(runs, num_runs, pairs, num_pairs, dst_rows, src_rows, &index->shape);
  if (!error.empty()) return Status(GEEPS_E_INVALID, std::move(error));
  std::vector<uint8_t> image = std::move(index->shape.image);
  index->shape.image.clear();
  if (!image.empty()) {
    if (Status status = Upload(image, &index->image_address); !status.ok()) return status;
  }
  *out = index.release();
  return Status();
}

void Device::EndIndex(Index* index) {
  FinishIfLost();
  memory_.FreeDevice(index->image_address);
  delete index;
}

}  // namespace geeps::cuda
