// SPDX-License-Identifier: Apache-2.0
// Every function checks its arguments, makes the device's context current, hands on to Device and Stream, and turns a
// Status into an answer.
#include "plugins/cuda/table.h"

#include <charconv>
#include <cstring>
#include <memory>
#include <string>

#include "plugins/cuda/context.h"
#include "plugins/cuda/device.h"
#include "plugins/cuda/info.h"
#include "plugins/cuda/stream.h"

namespace geeps::cuda {
namespace {

Device* Of(geeps_dev* dev) { return reinterpret_cast<Device*>(dev); }
Stream* Of(geeps_dev_stream* stream) { return reinterpret_cast<Stream*>(stream); }
Event* Of(geeps_dev_event* event) { return reinterpret_cast<Event*>(event); }

// launch.h wants a DeviceIndex behind the handle.
geeps_dev_index* HandleOf(Index* index) { return reinterpret_cast<geeps_dev_index*>(static_cast<DeviceIndex*>(index)); }
Index* Of(geeps_dev_index* index) { return static_cast<Index*>(reinterpret_cast<DeviceIndex*>(index)); }

// Runs fn, a Status(), for a call that fails with the cause when the device is lost. Notices that a loss sets free are
// given afterwards, without our context.
template <typename Fn>
geeps_status Enter(Device* device, geeps_error* err, Fn&& fn) {
  const geeps_status code = Guarded(err, [&]() -> Status {
    if (device->loss().is_lost()) return device->loss().cause();
    const ContextScope scope(device->driver(), device->context());
    if (Status status = device->loss().Check(scope.result(), "cuCtxPushCurrent"); !status.ok()) return status;
    return fn();
  });
  device->GiveNoticesIfLost();
  return code;
}

// As Enter for what ends things: it is done in any case.
template <typename Fn>
void EnterEnd(Device* device, Fn&& fn) {
  const ContextScope scope(device->driver(), device->context());
  fn();
}

geeps_status Null(const char* what, geeps_error* err) {
  return Guarded(err, [what] { return Invalid(what, " is NULL"); });
}

geeps_status List(const geeps_host* /*host*/, geeps_dev_info* out, uint64_t stride, uint64_t cap, uint64_t* num,
                  geeps_error* err) {
  return Guarded(err, [&]() -> Status {
    if (num == nullptr) return Invalid("list: num is NULL");
    const Driver* driver = nullptr;
    int num_devices = 0;
    if (Status status = CountDevices(&driver, &num_devices); !status.ok()) return status;
    const uint64_t num_wanted = std::min<uint64_t>(cap, static_cast<uint64_t>(num_devices));
    if (num_wanted > 0 && stride < sizeof(out->struct_size)) return Invalid("list: a stride of ", stride, " bytes");
    std::vector<DeviceFacts> facts(num_wanted);
    for (uint64_t i = 0; i < num_wanted; ++i) {
      if (Status status = ReadFacts(*driver, static_cast<int>(i), &facts[i]); !status.ok()) return status;
    }
    for (uint64_t i = 0; i < num_wanted; ++i) {
      auto* const element =
          out != nullptr ? reinterpret_cast<geeps_dev_info*>(reinterpret_cast<uint8_t*>(out) + i * stride) : nullptr;
      if (Status status = WriteStruct(facts[i].info, "geeps_dev_info", element); !status.ok()) return status;
    }
    *num = static_cast<uint64_t>(num_devices);
    return Status();
  });
}

// The number in device_id, in the variant ("1" in "cuda:1"), or 0.
Status ReadNumber(const geeps_dev_config& config, int* number) {
  *number = std::max(config.device_id, 0);
  const std::string variant = config.variant != nullptr ? config.variant : "";
  if (variant.empty()) return Status();
  int in_variant = -1;
  const char* const end = variant.data() + variant.size();
  const auto parsed = std::from_chars(variant.data(), end, in_variant);
  if (parsed.ec != std::errc() || parsed.ptr != end || in_variant < 0) {
    return Invalid("device cuda:", variant, ": behind the colon stands the number of a device, as in cuda:1");
  }
  if (config.device_id >= 0 && config.device_id != in_variant) {
    return Invalid("device cuda:", variant, " and device_id ", config.device_id, " do not fit together");
  }
  *number = in_variant;
  return Status();
}

geeps_status Create(const geeps_host* host, const geeps_dev_config* config, geeps_dev** out, geeps_error* err) {
  return Guarded(err, [&]() -> Status {
    geeps_dev_config read;
    if (Status status = ReadStruct(config, "geeps_dev_config", &read); !status.ok()) return status;
    if (out == nullptr) return Invalid("create: out is NULL");
    int number = 0, num_devices = 0;
    if (Status status = ReadNumber(read, &number); !status.ok()) return status;
    const Driver* driver = nullptr;
    if (Status status = CountDevices(&driver, &num_devices); !status.ok()) return status;
    if (number >= num_devices) {
      return Status(GEEPS_E_NOT_FOUND, Text("device ", number, " of back end cuda: there are ", num_devices,
                                            ", numbers 0 to ", num_devices - 1));
    }
    DeviceFacts facts;
    if (Status status = ReadFacts(*driver, number, &facts); !status.ok()) return status;
    std::unique_ptr<Device> device;
    if (Status status = Device::Open(driver, host, facts, read.memory_limit, &device); !status.ok()) return status;
    *out = reinterpret_cast<geeps_dev*>(device.release());
    return Status();
  });
}

void Destroy(geeps_dev* dev) { delete Of(dev); }

geeps_status GetInfo(geeps_dev* dev, geeps_dev_info* out, geeps_error* err) {
  if (dev == nullptr) return Null("get_info: dev", err);
  return Guarded(err, [&] { return WriteStruct(Of(dev)->Info(), "geeps_dev_info", out); });
}

geeps_status Alloc(geeps_dev* dev, int32_t kind, uint64_t bytes, void** out, geeps_error* err) {
  if (dev == nullptr || out == nullptr) return Null(dev ? "alloc: out" : "alloc: dev", err);
  return Enter(Of(dev), err, [&] { return Of(dev)->memory().Allocate(kind, bytes, out); });
}

void Free(geeps_dev* dev, int32_t kind, void* memory, uint64_t bytes) {
  if (dev == nullptr || memory == nullptr) return;
  EnterEnd(Of(dev), [&] {
    Of(dev)->FinishIfLost();
    Of(dev)->memory().Free(kind, memory, bytes);
  });
}

geeps_status StreamCreate(geeps_dev* dev, const uint64_t* native, geeps_dev_stream** out, geeps_error* err) {
  if (dev == nullptr || out == nullptr) return Null(dev ? "stream_create: out" : "stream_create: dev", err);
  return Enter(Of(dev), err, [&] {
    Stream* stream = nullptr;
    Status status = Of(dev)->OpenStream(native, &stream);
    if (status.ok()) *out = reinterpret_cast<geeps_dev_stream*>(stream);
    return status;
  });
}

void StreamDestroy(geeps_dev_stream* stream) {
  if (stream == nullptr) return;
  Device* const device = Of(stream)->device();
  EnterEnd(device, [&] { device->EndStream(Of(stream)); });
}

geeps_status StreamGetNative(geeps_dev_stream* stream, uint64_t* out, geeps_error* err) {
  if (stream == nullptr || out == nullptr) {
    return Null(stream ? "stream_get_native: out" : "stream_get_native: stream", err);
  }
  *out = Of(stream)->native();
  return GEEPS_OK;
}

geeps_status StreamWait(geeps_dev_stream* stream, geeps_dev_event* event, geeps_error* err) {
  if (stream == nullptr || event == nullptr) return Null(stream ? "stream_wait: event" : "stream_wait: stream", err);
  return Enter(Of(stream)->device(), err, [&] { return Of(stream)->WaitFor(*Of(event)); });
}

geeps_status EventCreate(geeps_dev* dev, geeps_dev_event** out, geeps_error* err) {
  if (dev == nullptr || out == nullptr) return Null(dev ? "event_create: out" : "event_create: dev", err);
  return Enter(Of(dev), err, [&] {
    Event* event = nullptr;
    Status status = Of(dev)->CreateEvent(&event);
    if (status.ok()) *out = reinterpret_cast<geeps_dev_event*>(event);
    return status;
  });
}

void EventDestroy(geeps_dev_event* event) {
  if (event == nullptr) return;
  const std::unique_ptr<Event> ours(Of(event));
  EnterEnd(ours->device, [&] { ours->device->driver().EventDestroy(ours->native); });
}

geeps_status EventRecord(geeps_dev_event* event, geeps_dev_stream* stream, geeps_error* err) {
  if (event == nullptr || stream == nullptr) return Null(event ? "event_record: stream" : "event_record: event", err);
  return Enter(Of(stream)->device(), err, [&] { return Of(stream)->Record(Of(event)); });
}

geeps_status EventQuery(geeps_dev_event* event, geeps_error* err) {
  if (event == nullptr) return Null("event_query: event", err);
  Device* const device = Of(event)->device;
  Result result = kSuccess;
  const geeps_status code = Enter(device, err, [&]() -> Status {
    if (Of(event)->record > 0) result = device->driver().EventQuery(Of(event)->native);
    return result == kNotReady ? Status() : device->loss().Check(result, "cuEventQuery");
  });
  return code == GEEPS_OK && result == kNotReady ? GEEPS_AGAIN : code;
}

geeps_status EventWait(geeps_dev_event* event, geeps_error* err) {
  if (event == nullptr) return Null("event_wait: event", err);
  Device* const device = Of(event)->device;
  return Enter(device, err, [&]() -> Status {
    if (Of(event)->record == 0) return Status();
    return device->loss().Check(device->driver().EventSynchronize(Of(event)->native), "cuEventSynchronize");
  });
}

geeps_status EventNotify(geeps_dev_event* event, void (*fn)(void* ctx, geeps_status status), void* ctx,
                         geeps_error* err) {
  if (event == nullptr || fn == nullptr) return Null(event ? "event_notify: fn" : "event_notify: event", err);
  Device* const device = Of(event)->device;
  geeps_status given = GEEPS_E_DEVICE;
  const geeps_status code = Guarded(err, [&]() -> Status {
    Status status = device->loss().cause();
    if (status.ok()) {
      const ContextScope scope(device->driver(), device->context());
      status = device->loss().Check(scope.result(), "cuCtxPushCurrent");
      if (status.ok()) status = device->Notify(Of(event), fn, ctx, &given);
    }
    if (!status.is_latched()) return status;
    given = GEEPS_E_DEVICE;  // a lost device is an answer, too
    return Status();
  });
  device->GiveNoticesIfLost();
  if (code == GEEPS_OK && given != GEEPS_AGAIN) fn(ctx, given);
  return code;
}

geeps_status Copy(geeps_dev_stream* stream, void* dst, const void* src, uint64_t bytes, geeps_error* err) {
  if (stream == nullptr) return Null("copy: stream", err);
  return Enter(Of(stream)->device(), err, [&] { return Of(stream)->Copy(dst, src, bytes); });
}

geeps_status Fill(geeps_dev_stream* stream, void* dst, uint8_t value, uint64_t bytes, geeps_error* err) {
  if (stream == nullptr) return Null("fill: stream", err);
  return Enter(Of(stream)->device(), err, [&] { return Of(stream)->Fill(dst, value, bytes); });
}

geeps_status IndexCreate(geeps_dev* dev, const geeps_row_run* runs, uint64_t num_runs, const geeps_row_pair* pairs,
                         uint64_t num_pairs, uint64_t dst_rows, uint64_t src_rows, geeps_dev_index** out,
                         geeps_error* err) {
  if (dev == nullptr || out == nullptr) return Null(dev ? "index_create: out" : "index_create: dev", err);
  return Enter(Of(dev), err, [&]() -> Status {
    if ((num_runs > 0 && runs == nullptr) || (num_pairs > 0 && pairs == nullptr)) {
      return Invalid("index_create: ", num_runs, " runs and ", num_pairs, " pairs, but ", runs ? "pairs" : "runs",
                     " is NULL");
    }
    Index* index = nullptr;
    Status status = Of(dev)->CreateIndex(runs, num_runs, pairs, num_pairs, dst_rows, src_rows, &index);
    if (status.ok()) *out = HandleOf(index);
    return status;
  });
}

void IndexDestroy(geeps_dev_index* index) {
  if (index == nullptr) return;
  Device* const device = Of(index)->device;
  EnterEnd(device, [&] { device->EndIndex(Of(index)); });
}

geeps_status MoveRows(geeps_dev_stream* stream, const geeps_row_move* moves, uint64_t num_moves, geeps_error* err) {
  if (stream == nullptr) return Null("move_rows: stream", err);
  return Enter(Of(stream)->device(), err, [&] { return Of(stream)->MoveRows(moves, num_moves); });
}

geeps_status Apply(geeps_dev_stream* stream, const geeps_apply* applies, uint64_t num_applies, geeps_error* err) {
  if (stream == nullptr) return Null("apply: stream", err);
  return Enter(Of(stream)->device(), err, [&] { return Of(stream)->Apply(applies, num_applies); });
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
    EventQuery,
    EventWait,
    EventNotify,
    Copy,
    Fill,
    IndexCreate,
    IndexDestroy,
    MoveRows,
    Apply,
};

}  // namespace

const geeps_device* DeviceTable() { return &kTable; }

}  // namespace geeps::cuda
