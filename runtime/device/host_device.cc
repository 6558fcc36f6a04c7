// SPDX-License-Identifier: Apache-2.0
// The host back end, built in: ordinary memory, synchronous. Work is done when the call that adds it returns, so
// streams only check their arguments and events are always complete.
// Thread contract: as include/geeps_device.h; nothing here waits.
#include <cstring>
#include <unordered_set>

#include "runtime/base/mutex.h"
#include "runtime/device/apply.h"
#include "runtime/device/builtin.h"
#include "runtime/device/device.h"
#include "runtime/device/row_index.h"

namespace geeps::device {
namespace {

constexpr uint32_t kFlags = GEEPS_DEV_HOST_ACCESSIBLE | GEEPS_DEV_SYNCHRONOUS;

class HostDevice {
 public:
  explicit HostDevice(uint64_t memory_limit) : memory_(memory_limit) {}

  HostMemory& memory() { return memory_; }

  // Handles under which embedders know streams: 0, which is there from the beginning, and those of NewStream.
  uint64_t NewStream() {
    const MutexLock lock(&mutex_);
    native_streams_.insert(++last_stream_);
    return last_stream_;
  }
  void EndStream(uint64_t native) {
    const MutexLock lock(&mutex_);
    native_streams_.erase(native);
  }
  bool HasStream(uint64_t native) {
    const MutexLock lock(&mutex_);
    return native == 0 || native_streams_.count(native) > 0;
  }

 private:
  HostMemory memory_;
  Mutex mutex_;
  uint64_t last_stream_ GEEPS_GUARDED_BY(mutex_) = 0;
  std::unordered_set<uint64_t> native_streams_ GEEPS_GUARDED_BY(mutex_);
};

struct HostStream {
  HostDevice* device;
  uint64_t native;
  bool is_embedders;
};

struct HostEvent {
  HostDevice* device;
};

HostDevice* Of(geeps_dev* dev) { return reinterpret_cast<HostDevice*>(dev); }
HostStream* Of(geeps_dev_stream* stream) { return reinterpret_cast<HostStream*>(stream); }

geeps_status List(const geeps_host* /*host*/, geeps_dev_info* out, uint64_t stride, uint64_t cap, uint64_t* num,
                  geeps_error* err) {
  return ListOne(BuiltinInfo("host", kFlags, nullptr), out, stride, cap, num, err);
}

geeps_status Create(const geeps_host* /*host*/, const geeps_dev_config* config, geeps_dev** out, geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    geeps_dev_config read;
    GEEPS_RETURN_IF_ERROR(ReadConfig(config, "host", &read));
    if (out == nullptr) return Invalid("create: out is NULL");
    if (read.variant != nullptr && read.variant[0] != '\0') {
      return Invalid("device host:", read.variant, ": the host back end has no variants");
    }
    *out = reinterpret_cast<geeps_dev*>(new HostDevice(read.memory_limit));
    return absl::OkStatus();
  });
}

void Destroy(geeps_dev* dev) { delete Of(dev); }

geeps_status GetInfo(geeps_dev* dev, geeps_dev_info* out, geeps_error* err) {
  return Guarded(err,
                 [&] { return WriteStruct(BuiltinInfo("host", kFlags, &Of(dev)->memory()), "geeps_dev_info", out); });
}

geeps_status Alloc(geeps_dev* dev, int32_t kind, uint64_t bytes, void** out, geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    if (out == nullptr) return Invalid("alloc: out is NULL");
    return Of(dev)->memory().Allocate(kind, bytes, out);
  });
}

void Free(geeps_dev* dev, int32_t kind, void* memory, uint64_t bytes) { Of(dev)->memory().Free(kind, memory, bytes); }

geeps_status StreamCreate(geeps_dev* dev, const uint64_t* native, geeps_dev_stream** out, geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    if (out == nullptr) return Invalid("stream_create: out is NULL");
    if (native != nullptr && !Of(dev)->HasStream(*native)) {
      return Invalid("the host back end has no stream with handle ", *native);
    }
    const uint64_t handle = native != nullptr ? *native : Of(dev)->NewStream();
    *out = reinterpret_cast<geeps_dev_stream*>(new HostStream{Of(dev), handle, native != nullptr});
    return absl::OkStatus();
  });
}

void StreamDestroy(geeps_dev_stream* stream) {
  if (stream == nullptr) return;
  if (!Of(stream)->is_embedders) Of(stream)->device->EndStream(Of(stream)->native);
  delete Of(stream);
}

geeps_status StreamGetNative(geeps_dev_stream* stream, uint64_t* out, geeps_error* /*err*/) {
  *out = Of(stream)->native;
  return GEEPS_OK;
}

geeps_status StreamWait(geeps_dev_stream* /*stream*/, geeps_dev_event* /*event*/, geeps_error* /*err*/) {
  return GEEPS_OK;
}

geeps_status EventCreate(geeps_dev* dev, geeps_dev_event** out, geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    if (out == nullptr) return Invalid("event_create: out is NULL");
    *out = reinterpret_cast<geeps_dev_event*>(new HostEvent{Of(dev)});
    return absl::OkStatus();
  });
}

void EventDestroy(geeps_dev_event* event) { delete reinterpret_cast<HostEvent*>(event); }

geeps_status EventRecord(geeps_dev_event* /*event*/, geeps_dev_stream* /*stream*/, geeps_error* /*err*/) {
  return GEEPS_OK;
}

geeps_status EventIsComplete(geeps_dev_event* /*event*/, geeps_error* /*err*/) { return GEEPS_OK; }

geeps_status EventNotify(geeps_dev_event* /*event*/, void (*fn)(void* ctx, geeps_status status), void* ctx,
                         geeps_error* /*err*/) {
  fn(ctx, GEEPS_OK);
  return GEEPS_OK;
}

geeps_status Copy(geeps_dev_stream* /*stream*/, void* dst, const void* src, uint64_t bytes, geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    if (bytes == 0) return absl::OkStatus();
    if (dst == nullptr || src == nullptr)
      return Invalid("copy of ", bytes, " bytes: ", dst ? "src" : "dst", " is NULL");
    std::memcpy(dst, src, bytes);
    return absl::OkStatus();
  });
}

geeps_status Fill(geeps_dev_stream* /*stream*/, void* dst, uint8_t value, uint64_t bytes, geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    if (bytes == 0) return absl::OkStatus();
    if (dst == nullptr) return Invalid("fill of ", bytes, " bytes: dst is NULL");
    std::memset(dst, value, bytes);
    return absl::OkStatus();
  });
}

// All are checked before the first one moves anything.
geeps_status MoveRows(geeps_dev_stream* /*stream*/, const geeps_row_move* moves, uint64_t num_moves, geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    GEEPS_RETURN_IF_ERROR(ForEachStruct(moves, num_moves, "geeps_row_move", CheckMove));
    return ForEachStruct(moves, num_moves, "geeps_row_move", [](const geeps_row_move& move) {
      MoveRowsNow(move);
      return absl::OkStatus();
    });
  });
}

geeps_status Apply(geeps_dev_stream* /*stream*/, const geeps_apply* applies, uint64_t num_applies, geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    GEEPS_RETURN_IF_ERROR(ForEachStruct(applies, num_applies, "geeps_apply", CheckApply));
    return ForEachStruct(applies, num_applies, "geeps_apply", [](const geeps_apply& apply) {
      ApplyNow(apply);
      return absl::OkStatus();
    });
  });
}

constexpr geeps_device kTable = {
    sizeof(geeps_device),
    0,
    List,
    Create,
    Destroy,
    GetInfo,
    Alloc,
    Free,
    StreamCreate,
    StreamDestroy,
    StreamGetNative,
    StreamWait,
    EventCreate,
    EventDestroy,
    EventRecord,
    EventIsComplete,
    EventIsComplete,
    EventNotify,
    Copy,
    Fill,
    IndexCreate,
    IndexDestroy,
    MoveRows,
    Apply,
};

}  // namespace

const geeps_device* HostDeviceTable() { return &kTable; }

}  // namespace geeps::device
