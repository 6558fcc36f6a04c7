// SPDX-License-Identifier: Apache-2.0
// The tables of the plugin: every entry checks its arguments, hands on to the engine and turns a Status into an answer.
// Nothing else is exported.
#include <cstring>
#include <memory>
#include <string>

#include <zlib.h>

#include "geeps_source.h"
#include "plugins/idx/idx_source.h"
#include "plugins/idx/status.h"

struct geeps_source_handle {
  std::unique_ptr<geeps::idx::IdxSource> source;
};

namespace {

using geeps::idx::CheckOut;
using geeps::idx::CopyIn;
using geeps::idx::CopyOut;
using geeps::idx::DataSetPaths;
using geeps::idx::Entry;
using geeps::idx::IdxSource;
using geeps::idx::Status;

Status Null(const char* what) { return Status(GEEPS_E_INVALID, std::string(what) + " is NULL"); }

// Text and blobs go out as (buf, cap, len): len is what is needed; too small a buffer stays as it is.
Status CopyBytes(const void* bytes, uint64_t num_bytes, void* buf, uint64_t cap, uint64_t* len) {
  if (buf == nullptr && cap > 0) return Null("buf");
  *len = num_bytes;
  if (buf != nullptr && num_bytes <= cap) std::memcpy(buf, bytes, num_bytes);
  return Status();
}

geeps_status Open(const geeps_host* host, const char* uri, const geeps_kv* options, uint64_t num_options,
                  geeps_source_handle** out, geeps_error* err) {
  return Entry(err, [&]() -> Status {
    if (host == nullptr || host->struct_size < sizeof(geeps_host)) return Null("host");
    if (out == nullptr) return Null("out");
    DataSetPaths paths;
    if (Status s = geeps::idx::ParseUri(uri, options, num_options, &paths); !s.ok()) return s;
    std::unique_ptr<geeps_source_handle> handle(new geeps_source_handle);
    if (Status s = IdxSource::Open(host, paths, &handle->source); !s.ok()) return s;
    *out = handle.release();
    return Status();
  });
}

void Close(geeps_source_handle* s) { delete s; }

geeps_status Describe(geeps_source_handle* s, geeps_source_description* out, geeps_error* err) {
  return Entry(err, [&]() -> Status {
    if (s == nullptr) return Null("source");
    if (Status bad = CheckOut("geeps_source_description", out, sizeof *out); !bad.ok()) return bad;
    geeps_source_description ours = {};
    s->source->Describe(&ours);
    CopyOut(&ours, sizeof ours, out);
    return Status();
  });
}

geeps_status GetField(geeps_source_handle* s, uint32_t index, geeps_source_field* out, geeps_error* err) {
  return Entry(err, [&]() -> Status {
    if (s == nullptr) return Null("source");
    if (Status bad = CheckOut("geeps_source_field", out, sizeof *out); !bad.ok()) return bad;
    geeps_source_field ours = {};
    if (Status bad = s->source->GetField(index, &ours); !bad.ok()) return bad;
    CopyOut(&ours, sizeof ours, out);
    return Status();
  });
}

geeps_status GetSampleName(geeps_source_handle* s, uint64_t sample_id, char* buf, uint64_t cap, uint64_t* len,
                           geeps_error* err) {
  return Entry(err, [&]() -> Status {
    if (s == nullptr) return Null("source");
    if (len == nullptr) return Null("len");
    std::string name;
    if (Status bad = s->source->GetSampleName(sample_id, &name); !bad.ok()) return bad;
    return CopyBytes(name.c_str(), name.size() + 1, buf, cap, len);
  });
}

geeps_status Configure(geeps_source_handle* s, const geeps_source_config* config, geeps_source_layout* out,
                       geeps_error* err) {
  return Entry(err, [&]() -> Status {
    if (s == nullptr) return Null("source");
    geeps_source_config copy;
    if (Status bad = CopyIn("geeps_source_config", config, &copy, sizeof copy, sizeof copy); !bad.ok()) return bad;
    if (Status bad = CheckOut("geeps_source_layout", out, sizeof *out); !bad.ok()) return bad;
    geeps_source_layout ours = {};
    if (Status bad = s->source->Configure(copy, &ours); !bad.ok()) return bad;
    CopyOut(&ours, sizeof ours, out);
    return Status();
  });
}

geeps_status Seek(geeps_source_handle* s, uint64_t epoch, uint64_t position, geeps_error* err) {
  return Entry(err, [&]() -> Status { return s == nullptr ? Null("source") : s->source->Seek(epoch, position); });
}

geeps_status Enqueue(geeps_source_handle* s, geeps_source_slot* slot, geeps_error* err) {
  return Entry(err, [&]() -> Status { return s == nullptr ? Null("source") : s->source->Enqueue(slot); });
}

geeps_status Dequeue(geeps_source_handle* s, uint64_t, geeps_source_slot** out, geeps_error* err) {
  return Entry(err, [&]() -> Status {
    if (s == nullptr) return Null("source");
    if (out == nullptr) return Null("out");
    return s->source->Dequeue(out);  // never waits, so the limit never passes
  });
}

geeps_status GetEventFd(geeps_source_handle* s, int32_t* fd, geeps_error* err) {
  return Entry(err, [&]() -> Status {
    if (s == nullptr) return Null("source");
    if (fd == nullptr) return Null("fd");
    *fd = s->source->event_fd();
    return Status();
  });
}

void Cancel(geeps_source_handle* s) {
  if (s != nullptr) s->source->Cancel();
}

geeps_status SaveState(geeps_source_handle* s, uint64_t epoch, uint64_t position, void* buf, uint64_t cap,
                       uint64_t* len, geeps_error* err) {
  return Entry(err, [&]() -> Status {
    if (s == nullptr) return Null("source");
    if (len == nullptr) return Null("len");
    std::string blob;
    if (Status bad = s->source->SaveState(epoch, position, &blob); !bad.ok()) return bad;
    return CopyBytes(blob.data(), blob.size(), buf, cap, len);
  });
}

geeps_status LoadState(geeps_source_handle* s, const void* buf, uint64_t len, geeps_error* err) {
  return Entry(err, [&]() -> Status { return s == nullptr ? Null("source") : s->source->LoadState(buf, len); });
}

geeps_status GetStats(geeps_source_handle* s, geeps_source_stats* out, geeps_error* err) {
  return Entry(err, [&]() -> Status {
    if (s == nullptr) return Null("source");
    if (Status bad = CheckOut("geeps_source_stats", out, sizeof *out); !bad.ok()) return bad;
    geeps_source_stats ours = {};
    s->source->GetStats(&ours);
    CopyOut(&ours, sizeof ours, out);
    return Status();
  });
}

const geeps_source_api kSourceApi = {
    sizeof(geeps_source_api), 0,     Open,       Close,  Describe,  GetField,  GetSampleName, Configure, Seek, Enqueue,
    Dequeue,                  GetEventFd, Cancel, SaveState, LoadState, GetStats,
};

const void* GetInterface(const char* id) {
  return id != nullptr && std::strcmp(id, GEEPS_SOURCE_ID) == 0 ? &kSourceApi : nullptr;
}

const geeps_plugin kPlugin = {
    sizeof(geeps_plugin), GEEPS_PLUGIN_ABI, "idx", GEEPS_IDX_VERSION, "Apache-2.0",
    "C++ " __VERSION__ ", zlib " ZLIB_VERSION, GetInterface,
};

}  // namespace

extern "C" const geeps_plugin* GEEPS_PLUGIN_QUERY(uint32_t) { return &kPlugin; }
