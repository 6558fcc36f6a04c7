// SPDX-License-Identifier: Apache-2.0
// geeps.h: library, runtime, long calls, plugins.
#include <cstring>
#include <string>
#include <utility>

#include "runtime/base/version.h"
#include "runtime/capi/convert.h"
#include "runtime/capi/long_call.h"
#include "runtime/capi/objects.h"

using namespace geeps;        // NOLINT: the names below are the ABI's
using namespace geeps::capi;  // NOLINT

extern "C" {

uint32_t geeps_abi_version(void) { return GEEPS_ABI_VERSION; }

const char* geeps_version(void) { return kVersion; }

const char* geeps_status_name(geeps_status status) { return CodeName(status); }

geeps_status geeps_runtime_create(const geeps_config* config, geeps_runtime** out, geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    if (out == nullptr) return Invalid("out is NULL");
    geeps_config read;
    GEEPS_RETURN_IF_ERROR(ReadStruct(config, sizeof(geeps_config), "config", &read));
    if (read.abi_version >> 16 != GEEPS_ABI_VERSION >> 16) {
      return MakeStatus(Code::kAbi, absl::StrCat("the caller was compiled for ABI ", read.abi_version >> 16, ".",
                                                 read.abi_version & 0xffff, ", this library is ",
                                                 GEEPS_ABI_VERSION >> 16, ".", GEEPS_ABI_VERSION & 0xffff));
    }
    GEEPS_ASSIGN_OR_RETURN(const Options options, ReadOptions(read.options, read.num_options));
    GEEPS_ASSIGN_OR_RETURN(const session::Config parsed, session::ParseConfig(options));
    auto object = std::make_unique<RuntimeObject>();
    GEEPS_ASSIGN_OR_RETURN(object->runtime, session::Runtime::Create(parsed, read.log, read.log_user));
    void* const handle = NewHandle(HandleType::kRuntime, object.get());
    if (handle == nullptr) return NoMemory("no handle is left");
    (void)object.release();
    *out = static_cast<geeps_runtime*>(handle);
    return GEEPS_OK;
  });
}

geeps_status geeps_runtime_start(geeps_runtime* rt, geeps_request** out, geeps_error* err) {
  return LongCall(rt, out, err, [](session::Runtime* runtime) { return runtime->Start(); });
}

geeps_status geeps_runtime_shutdown(geeps_runtime* rt, geeps_request** out, geeps_error* err) {
  return LongCall(rt, out, err, [](session::Runtime* runtime) { return runtime->Shutdown(); });
}

geeps_status geeps_fence(geeps_runtime* rt, geeps_request** out, geeps_error* err) {
  return LongCall(rt, out, err, [](session::Runtime* runtime) { return runtime->FenceAll(); });
}

geeps_status geeps_runtime_get_info(geeps_runtime* rt, geeps_info* out, geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(RuntimeObject* const object, FindRuntime(rt));
    GEEPS_RETURN_IF_ERROR(CheckOutStruct(out, sizeof(geeps_info), "out"));
    const session::Runtime& runtime = *object->runtime;
    geeps_info info;
    std::memset(&info, 0, sizeof(info));
    info.rank = runtime.config().rank;
    info.world = runtime.config().world;
    info.device_id = runtime.device().info().device_id;
    info.clock = runtime.clock();
    info.log_lines_lost = object->runtime->log()->num_lost();
    info.mem_kind = runtime.device().info().mem_kind;
    info.failure = static_cast<geeps_status>(runtime.failure_code());
    WriteStructBytes(&info, sizeof(info), out);
    return GEEPS_OK;
  });
}

geeps_status geeps_runtime_abort(geeps_runtime* rt, const char* text, geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(RuntimeObject* const object, FindRuntime(rt));
    GEEPS_ASSIGN_OR_RETURN(const absl::string_view read, ReadText(text, "text", 65536));
    object->runtime->Abort(read);
    return GEEPS_OK;
  });
}

void geeps_runtime_destroy(geeps_runtime* rt) {
  RuntimeObject* const object = static_cast<RuntimeObject*>(FindHandle(HandleType::kRuntime, rt));
  if (object == nullptr) return;
  Guard(nullptr, [&]() -> absl::StatusOr<geeps_status> {
    DestroyRuntime(object, rt);
    return GEEPS_OK;
  });
}

geeps_status geeps_runtime_get_event_fd(geeps_runtime* rt, int32_t* fd, geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(RuntimeObject* const object, FindRuntime(rt));
    if (fd == nullptr) return Invalid("fd is NULL");
    GEEPS_ASSIGN_OR_RETURN(*fd, object->runtime->EventFd());
    return GEEPS_OK;
  });
}

geeps_status geeps_log_take(geeps_runtime* rt, int32_t* level, char* buf, uint64_t cap, uint64_t* len,
                            geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(RuntimeObject* const object, FindRuntime(rt));
    if (level == nullptr || len == nullptr) return Invalid("level or len is NULL");
    if (buf == nullptr && cap > 0) return Invalid("buf is NULL with cap = ", cap);
    MutexLock lock(&object->log_mutex);
    LogLevel read = LogLevel::kError;
    std::string line;
    if (!object->runtime->log()->PeekOldest(&read, &line)) return GEEPS_AGAIN;
    GEEPS_RETURN_IF_ERROR(WriteText(line, buf, cap, len));
    *level = static_cast<int32_t>(read);
    if (cap > line.size()) object->runtime->log()->DropOldest();
    return GEEPS_OK;
  });
}

geeps_status geeps_runtime_get_stats(geeps_runtime* rt, char* buf, uint64_t cap, uint64_t* len, geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(RuntimeObject* const object, FindRuntime(rt));
    GEEPS_RETURN_IF_ERROR(WriteText(object->runtime->StatsJson(), buf, cap, len));
    return GEEPS_OK;
  });
}

geeps_status geeps_request_wait(geeps_request* req, uint64_t limit_ns, geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(Child* const child, FindRequest(req));
    const std::shared_ptr<session::Request> request = child->request;
    if (request->Wait(limit_ns)) {
      GEEPS_RETURN_IF_ERROR(request->status());
      return GEEPS_OK;
    }
    if (limit_ns == 0) return GEEPS_AGAIN;
    StatusDetail detail;
    detail.code = Code::kTimeout;
    detail.retryable = true;
    return MakeStatus(detail, absl::StrCat("the long call has not ended within ", limit_ns, " ns"));
  });
}

geeps_status geeps_request_get_event_fd(geeps_request* req, int32_t* fd, geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(Child* const child, FindRequest(req));
    if (fd == nullptr) return Invalid("fd is NULL");
    *fd = child->request->event_fd();
    return GEEPS_OK;
  });
}

void geeps_request_destroy(geeps_request* req) {
  Child* const child = static_cast<Child*>(FindHandle(HandleType::kRequest, req));
  if (child == nullptr) return;
  child->request->Drop();
  RemoveChild(child, req);
}

geeps_status geeps_plugin_load(geeps_runtime* rt, const char* name_or_path, geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(RuntimeObject* const object, FindRuntime(rt));
    GEEPS_ASSIGN_OR_RETURN(const absl::string_view name, ReadText(name_or_path, "name_or_path", 4096));
    if (name.empty()) return Invalid("name_or_path is empty");
    GEEPS_RETURN_IF_ERROR(object->runtime->plugins()->Load(name).status());
    return GEEPS_OK;
  });
}

geeps_status geeps_plugin_add(geeps_runtime* rt, const struct geeps_plugin* (*query)(uint32_t host_abi),
                              geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(RuntimeObject* const object, FindRuntime(rt));
    if (query == nullptr) return Invalid("query is NULL");
    GEEPS_RETURN_IF_ERROR(object->runtime->plugins()->Add(query).status());
    return GEEPS_OK;
  });
}

geeps_status geeps_plugin_get_interface(geeps_runtime* rt, const char* name, const char* id, const void** interface_out,
                                        const struct geeps_host** host_out, geeps_error* err) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(RuntimeObject* const object, FindRuntime(rt));
    GEEPS_ASSIGN_OR_RETURN(const absl::string_view plugin, ReadText(name, "name", 4096));
    GEEPS_ASSIGN_OR_RETURN(const absl::string_view table, ReadText(id, "id", 256));
    if (interface_out == nullptr || host_out == nullptr) return Invalid("interface_out or host_out is NULL");
    GEEPS_ASSIGN_OR_RETURN(const net::PluginRegistry::Interface found,
                           object->runtime->plugins()->GetInterface(plugin, table));
    *interface_out = found.table;
    *host_out = found.host;
    return GEEPS_OK;
  });
}

}  // extern "C"
