// SPDX-License-Identifier: Apache-2.0
// The deferred back end, built in: the host back end's memory and kernels behind streams that run later
// (deferred_engine.h). New memory is poisoned with 0xff, a NaN in f32 and f64, so that what was not written yet is
// seen. The variant "separate" says of its memory that the host cannot reach it: what uses it anyway finds memory in
// which the work under way is missing. The variant "link" does so too; copies between its memory and the host's take
// the time of a modelled link (modelled_link.h), and memory that is given back is poisoned. Thread contract: as
// include/geeps_device.h.
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "runtime/device/apply.h"
#include "runtime/device/builtin.h"
#include "runtime/device/deferred_engine.h"
#include "runtime/device/device.h"
#include "runtime/device/modelled_link.h"
#include "runtime/device/row_index.h"

namespace geeps::device {
namespace {

constexpr int kPoison = 0xff;

struct Variant {
  Schedule schedule = Schedule::kLazy;
  uint64_t seed = 0;
  bool separate = false;
  ModelledLink link;
};

// Where device memory is. Any thread.
class DeviceRegions {
 public:
  void Add(const void* begin, uint64_t bytes) {
    const MutexLock lock(&mutex_);
    regions_.emplace(reinterpret_cast<uintptr_t>(begin), bytes);
  }
  void Remove(const void* begin) {
    const MutexLock lock(&mutex_);
    regions_.erase(reinterpret_cast<uintptr_t>(begin));
  }
  // What carries such a copy.
  Lane LaneOf(const void* dst, const void* src) {
    const MutexLock lock(&mutex_);
    const bool to_device = Has(dst);
    if (to_device == Has(src)) return Lane::kDevice;
    return to_device ? Lane::kIn : Lane::kOut;
  }

 private:
  bool Has(const void* address) const GEEPS_REQUIRES(mutex_) {
    const uintptr_t at = reinterpret_cast<uintptr_t>(address);
    const auto behind = regions_.upper_bound(at);
    return behind != regions_.begin() && at - std::prev(behind)->first < std::prev(behind)->second;
  }

  Mutex mutex_;
  std::map<uintptr_t, uint64_t> regions_ GEEPS_GUARDED_BY(mutex_);  // bytes by begin
};

struct DeferredDevice {
  DeferredDevice(uint64_t memory_limit, const Variant& variant)
      : flags(variant.separate ? 0 : GEEPS_DEV_HOST_ACCESSIBLE),
        link(variant.link),
        memory(memory_limit),
        engine(variant.schedule, variant.seed, variant.link) {}

  const uint32_t flags;
  const ModelledLink link;
  HostMemory memory;
  DeviceRegions regions;  // where there is a link
  DeferredEngine engine;
};

struct DeferredStream {
  DeferredDevice* device;
  DeferredEngine::Stream* queue;
};

struct DeferredEvent {
  DeferredEngine* engine;
  DeferredEngine::TicketRef ticket;  // nullptr: never recorded
};

DeferredDevice* Of(geeps_dev* dev) { return reinterpret_cast<DeferredDevice*>(dev); }
DeferredStream* Of(geeps_dev_stream* stream) { return reinterpret_cast<DeferredStream*>(stream); }
DeferredEvent* Of(geeps_dev_event* event) { return reinterpret_cast<DeferredEvent*>(event); }

absl::Status ParseVariant(absl::string_view text, Variant* variant) {
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "link:")) {
    absl::StatusOr<ModelledLink> link = ParseModelledLink(rest);
    if (!link.ok()) return Prefixed(link.status(), "device deferred");
    variant->schedule = Schedule::kEager;
    variant->separate = true;
    variant->link = *link;
    return absl::OkStatus();
  }
  variant->separate = absl::ConsumeSuffix(&rest, ":separate");
  if (rest.empty() || rest == "lazy") {
    variant->schedule = Schedule::kLazy;
  } else if (rest == "eager") {
    variant->schedule = Schedule::kEager;
  } else if (absl::ConsumePrefix(&rest, "seeded:") && absl::SimpleAtoi(rest, &variant->seed)) {
    variant->schedule = Schedule::kSeeded;
  } else {
    return Invalid(
        "device deferred:", text,
        ": the variants are lazy, eager and seeded:SEED, each of them with :separate behind it or without, and "
        "link:BYTES_PER_S");
  }
  return absl::OkStatus();
}

geeps_status List(const geeps_host* /*host*/, geeps_dev_info* out, uint64_t stride, uint64_t cap, uint64_t* num,
                  geeps_error* err) {
  return ListOne(BuiltinInfo("deferred", GEEPS_DEV_HOST_ACCESSIBLE, nullptr), out, stride, cap, num, err);
}

geeps_status Create(const geeps_host* /*host*/, const geeps_dev_config* config, geeps_dev** out, geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    geeps_dev_config read;
    GEEPS_RETURN_IF_ERROR(ReadConfig(config, "deferred", &read));
    if (out == nullptr) return Invalid("create: out is NULL");
    Variant variant;
    GEEPS_RETURN_IF_ERROR(ParseVariant(read.variant != nullptr ? read.variant : "", &variant));
    auto device = std::make_unique<DeferredDevice>(read.memory_limit, variant);
    GEEPS_RETURN_IF_ERROR(device->engine.Start());
    *out = reinterpret_cast<geeps_dev*>(device.release());
    return absl::OkStatus();
  });
}

void Destroy(geeps_dev* dev) { delete Of(dev); }

geeps_status GetInfo(geeps_dev* dev, geeps_dev_info* out, geeps_error* err) {
  return Guarded(err, [&] {
    geeps_dev_info info = BuiltinInfo("deferred", Of(dev)->flags, &Of(dev)->memory);
    info.upload_bandwidth = Of(dev)->link.in_bytes_per_s;
    info.download_bandwidth = Of(dev)->link.out_bytes_per_s;
    info.link_latency_ns = Of(dev)->link.latency_ns;
    return WriteStruct(info, "geeps_dev_info", out);
  });
}

geeps_status Alloc(geeps_dev* dev, int32_t kind, uint64_t bytes, void** out, geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    if (out == nullptr) return Invalid("alloc: out is NULL");
    GEEPS_RETURN_IF_ERROR(Of(dev)->engine.cause());
    GEEPS_RETURN_IF_ERROR(Of(dev)->memory.Allocate(kind, bytes, out));
    std::memset(*out, kPoison, bytes);
    if (Of(dev)->link && kind == GEEPS_DEV_MEMORY) Of(dev)->regions.Add(*out, bytes);
    return absl::OkStatus();
  });
}

void Free(geeps_dev* dev, int32_t kind, void* memory, uint64_t bytes) {
  if (memory == nullptr) return;
  Of(dev)->engine.ForgetMemory(memory, bytes);
  if (Of(dev)->link) {
    if (kind == GEEPS_DEV_MEMORY) Of(dev)->regions.Remove(memory);
    std::memset(memory, kPoison, bytes);
  }
  Of(dev)->memory.Free(kind, memory, bytes);
}

geeps_status StreamCreate(geeps_dev* dev, const uint64_t* native, geeps_dev_stream** out, geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    if (out == nullptr) return Invalid("stream_create: out is NULL");
    auto stream = std::make_unique<DeferredStream>();
    stream->device = Of(dev);
    GEEPS_RETURN_IF_ERROR(stream->device->engine.OpenStream(native, &stream->queue));
    *out = reinterpret_cast<geeps_dev_stream*>(stream.release());
    return absl::OkStatus();
  });
}

void StreamDestroy(geeps_dev_stream* stream) {
  if (stream == nullptr) return;
  Of(stream)->device->engine.CloseStream(Of(stream)->queue);
  delete Of(stream);
}

geeps_status StreamGetNative(geeps_dev_stream* stream, uint64_t* out, geeps_error* /*err*/) {
  *out = DeferredEngine::NativeOf(Of(stream)->queue);
  return GEEPS_OK;
}

geeps_status StreamWait(geeps_dev_stream* stream, geeps_dev_event* event, geeps_error* err) {
  return Guarded(err, [&] { return Of(stream)->device->engine.StreamWait(Of(stream)->queue, Of(event)->ticket); });
}

geeps_status EventCreate(geeps_dev* dev, geeps_dev_event** out, geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    if (out == nullptr) return Invalid("event_create: out is NULL");
    GEEPS_RETURN_IF_ERROR(Of(dev)->engine.cause());
    *out = reinterpret_cast<geeps_dev_event*>(new DeferredEvent{&Of(dev)->engine, nullptr});
    return absl::OkStatus();
  });
}

void EventDestroy(geeps_dev_event* event) { delete Of(event); }

geeps_status EventRecord(geeps_dev_event* event, geeps_dev_stream* stream, geeps_error* err) {
  return Guarded(err, [&] { return Of(stream)->device->engine.Record(Of(stream)->queue, &Of(event)->ticket); });
}

geeps_status EventQuery(geeps_dev_event* event, geeps_error* err) {
  bool is_done = false;
  const geeps_status status = Guarded(err, [&] { return Of(event)->engine->IsDone(Of(event)->ticket, &is_done); });
  return status == GEEPS_OK && !is_done ? GEEPS_AGAIN : status;
}

geeps_status EventWait(geeps_dev_event* event, geeps_error* err) {
  return Guarded(err, [&] { return Of(event)->engine->Wait(Of(event)->ticket); });
}

geeps_status EventNotify(geeps_dev_event* event, void (*fn)(void* ctx, geeps_status status), void* ctx,
                         geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    Of(event)->engine->Notify(Of(event)->ticket, fn, ctx);
    return absl::OkStatus();
  });
}

geeps_status Copy(geeps_dev_stream* stream, void* dst, const void* src, uint64_t bytes, geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    if (bytes == 0) return Of(stream)->device->engine.cause();
    if (dst == nullptr || src == nullptr)
      return Invalid("copy of ", bytes, " bytes: ", dst ? "src" : "dst", " is NULL");
    const Lane lane = Of(stream)->device->regions.LaneOf(dst, src);
    return Of(stream)->device->engine.EnqueueCopy(Of(stream)->queue, lane, dst, src, bytes);
  });
}

geeps_status Fill(geeps_dev_stream* stream, void* dst, uint8_t value, uint64_t bytes, geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    if (bytes == 0) return Of(stream)->device->engine.cause();
    if (dst == nullptr) return Invalid("fill of ", bytes, " bytes: dst is NULL");
    return Of(stream)->device->engine.Enqueue(Of(stream)->queue, [=] { std::memset(dst, value, bytes); },
                                              {{dst, bytes}});
  });
}

geeps_status MoveRows(geeps_dev_stream* stream, const geeps_row_move* moves, uint64_t num_moves, geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    std::vector<geeps_row_move> copies;
    MemoryRanges ranges;
    GEEPS_RETURN_IF_ERROR(ForEachStruct(moves, num_moves, "geeps_row_move", [&](const geeps_row_move& move) {
      GEEPS_RETURN_IF_ERROR(CheckMove(move));
      const uint64_t row_bytes = move.row_values * MoveValueBytes(move.dtype);
      const HostIndex& index = *HostIndex::Of(move.index);
      ranges.push_back({move.dst, index.dst_rows() * row_bytes});
      ranges.push_back({move.src, index.src_rows() * row_bytes});
      copies.push_back(move);
      return absl::OkStatus();
    }));
    return Of(stream)->device->engine.Enqueue(
        Of(stream)->queue,
        [copies = std::move(copies)] {
          for (const geeps_row_move& move : copies) MoveRowsNow(move);
        },
        std::move(ranges));
  });
}

// An apply with its own copy of the arrays that describe it.
struct OwnedApply {
  explicit OwnedApply(const geeps_apply& from)
      : apply(from),
        segments(from.segments, from.segments + from.num_segments),
        inputs(from.inputs, from.inputs + from.num_inputs) {}

  void Run() const {
    geeps_apply now = apply;
    now.segments = segments.data();
    now.inputs = inputs.data();
    ApplyNow(now);
  }

  void AddRanges(MemoryRanges* ranges) const {
    const uint64_t row_bytes = apply.row_values * MoveValueBytes(apply.dtype);
    const uint64_t bytes = apply.num_rows * row_bytes;
    const uint64_t input_row_bytes = apply.row_values * MoveValueBytes(apply.input_dtype);
    ranges->push_back({apply.values_in, bytes});
    ranges->push_back({apply.values_out, bytes});
    if (apply.input_dtype != apply.dtype) {
      ranges->push_back({apply.rounded_in, apply.num_rows * input_row_bytes});
      ranges->push_back({apply.rounded_out, apply.num_rows * input_row_bytes});
    }
    for (const void* state : apply.states) {
      if (state != nullptr) ranges->push_back({state, bytes});
    }
    if (apply.steps != nullptr) ranges->push_back({apply.steps, apply.num_rows * sizeof(uint64_t)});
    for (const geeps_apply_segment& segment : segments) {
      for (uint64_t i = 0; i < segment.num_inputs; ++i) {
        ranges->push_back({inputs[segment.first_input + i].values, segment.num_rows * input_row_bytes});
      }
    }
  }

  geeps_apply apply;
  std::vector<geeps_apply_segment> segments;
  std::vector<geeps_apply_input> inputs;
};

geeps_status Apply(geeps_dev_stream* stream, const geeps_apply* applies, uint64_t num_applies, geeps_error* err) {
  return Guarded(err, [&]() -> absl::Status {
    std::vector<OwnedApply> copies;
    MemoryRanges ranges;
    GEEPS_RETURN_IF_ERROR(ForEachStruct(applies, num_applies, "geeps_apply", [&](const geeps_apply& apply) {
      GEEPS_RETURN_IF_ERROR(CheckApply(apply));
      copies.emplace_back(apply);
      copies.back().AddRanges(&ranges);
      return absl::OkStatus();
    }));
    return Of(stream)->device->engine.Enqueue(
        Of(stream)->queue,
        [copies = std::move(copies)] {
          for (const OwnedApply& apply : copies) apply.Run();
        },
        std::move(ranges));
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

const geeps_device* DeferredDeviceTable() { return &kTable; }

}  // namespace geeps::device
