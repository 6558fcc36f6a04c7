// SPDX-License-Identifier: Apache-2.0
// geeps.h: the pass. These calls are on the per-clock path: a ready access looks up one handle and takes no lock.
#include <cstring>

#include "runtime/capi/convert.h"
#include "runtime/capi/objects.h"

using namespace geeps;        // NOLINT: the names below are the ABI's
using namespace geeps::capi;  // NOLINT

namespace {

// Calls body with the walk of a runtime whose last long call has taken effect.
template <typename Body>
geeps_status WithWalk(geeps_runtime* rt, geeps_error* err, Body&& body) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(RuntimeObject* const object, FindRuntime(rt));
    GEEPS_ASSIGN_OR_RETURN(session::Walk* const walk, object->runtime->ReadyWalk());
    return body(object->runtime.get(), walk);
  });
}

// 0 for NULL, else the plan's serial number.
absl::StatusOr<uint64_t> NextPlan(session::Runtime* runtime, geeps_plan* next) {
  if (next == nullptr) return uint64_t{0};
  GEEPS_ASSIGN_OR_RETURN(Child* const plan, FindPlan(next));
  if (plan->owner->runtime.get() != runtime) return Invalid("the plan belongs to another runtime");
  return plan->plan->serial;
}

void ShowView(const session::Runtime& runtime, const session::View& view, geeps_view* out) {
  geeps_view shown;
  std::memset(&shown, 0, sizeof(shown));
  shown.dtype = view.dtype;
  shown.data = view.num_rows == 0 ? nullptr : view.data;
  shown.bytes = view.num_rows * view.row_bytes;
  shown.num_rows = view.num_rows;
  shown.row_values = view.row_values;
  shown.row_bytes = view.row_bytes;
  shown.mem_kind = runtime.device().info().mem_kind;
  shown.device_id = runtime.device().info().device_id;
  shown.flags = (view.in_place ? GEEPS_VIEW_IN_PLACE : 0) | (view.fixed ? GEEPS_VIEW_FIXED : 0);
  shown.min_age = view.min_age;
  shown.max_age = view.max_age;
  WriteStructBytes(&shown, sizeof(shown), out);
}

// nullptr: the host's order.
absl::StatusOr<const device::Stream*> StreamOf(session::Runtime* runtime, const geeps_stream* stream) {
  GEEPS_ASSIGN_OR_RETURN(const std::optional<uint64_t> handle, ReadStream(stream));
  if (!handle.has_value()) return nullptr;
  return runtime->program_streams()->Of(*handle);
}

// access: (Walk*, const device::Stream*, View*) -> StatusOr<bool>.
template <typename Access>
geeps_status HandOut(geeps_runtime* rt, const geeps_stream* stream, geeps_view* out, geeps_error* err,
                     Access&& access) {
  return WithWalk(rt, err, [&](session::Runtime* runtime, session::Walk* walk) -> absl::StatusOr<geeps_status> {
    GEEPS_RETURN_IF_ERROR(CheckOutStruct(out, sizeof(geeps_view), "out"));
    GEEPS_ASSIGN_OR_RETURN(const device::Stream* const program_stream, StreamOf(runtime, stream));
    session::View view;
    GEEPS_ASSIGN_OR_RETURN(const bool ready, access(walk, program_stream, &view));
    if (!ready) return GEEPS_AGAIN;
    ShowView(*runtime, view, out);
    return GEEPS_OK;
  });
}

// give: (Walk*, const device::Stream*) -> Status.
template <typename Give>
geeps_status HandBack(geeps_runtime* rt, const geeps_stream* stream, geeps_error* err, Give&& give) {
  return WithWalk(rt, err, [&](session::Runtime* runtime, session::Walk* walk) -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(const device::Stream* const program_stream, StreamOf(runtime, stream));
    GEEPS_RETURN_IF_ERROR(give(walk, program_stream));
    return GEEPS_OK;
  });
}

}  // namespace

extern "C" {

geeps_status geeps_pass_begin(geeps_runtime* rt, geeps_plan* plan, geeps_error* err) {
  return WithWalk(rt, err, [&](session::Runtime* runtime, session::Walk* walk) -> absl::StatusOr<geeps_status> {
    if (plan == nullptr) return Invalid("the plan is NULL");
    GEEPS_ASSIGN_OR_RETURN(const uint64_t serial, NextPlan(runtime, plan));
    GEEPS_RETURN_IF_ERROR(walk->PassBegin(serial));
    return GEEPS_OK;
  });
}

geeps_status geeps_pass_end(geeps_runtime* rt, geeps_plan* next, geeps_error* err) {
  return WithWalk(rt, err, [&](session::Runtime* runtime, session::Walk* walk) -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(const uint64_t serial, NextPlan(runtime, next));
    GEEPS_RETURN_IF_ERROR(walk->PassEnd(serial));
    return GEEPS_OK;
  });
}

geeps_status geeps_clock(geeps_runtime* rt, geeps_plan* next, geeps_error* err) {
  return WithWalk(rt, err, [&](session::Runtime* runtime, session::Walk* walk) -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(const uint64_t serial, NextPlan(runtime, next));
    GEEPS_RETURN_IF_ERROR(walk->Clock(serial));
    return GEEPS_OK;
  });
}

geeps_status geeps_skip(geeps_runtime* rt, geeps_op op, const geeps_stream* stream, geeps_error* err) {
  return HandBack(rt, stream, err, [&](session::Walk* walk, const device::Stream* in) { return walk->Skip(op, in); });
}

geeps_status geeps_read(geeps_runtime* rt, geeps_op op, const geeps_stream* stream, uint64_t limit_ns, geeps_view* out,
                        geeps_error* err) {
  return HandOut(rt, stream, out, err, [&](session::Walk* walk, const device::Stream* in, session::View* view) {
    return walk->Read(op, in, limit_ns, view);
  });
}

geeps_status geeps_post_read(geeps_runtime* rt, geeps_op op, const geeps_stream* stream, geeps_error* err) {
  return HandBack(rt, stream, err,
                  [&](session::Walk* walk, const device::Stream* in) { return walk->PostRead(op, in); });
}

geeps_status geeps_pre_update(geeps_runtime* rt, geeps_op op, const geeps_stream* stream, uint64_t limit_ns,
                              geeps_view* out, geeps_error* err) {
  return HandOut(rt, stream, out, err, [&](session::Walk* walk, const device::Stream* /*in*/, session::View* view) {
    return walk->PreUpdate(op, limit_ns, view);
  });
}

geeps_status geeps_update(geeps_runtime* rt, geeps_op op, const geeps_stream* stream, geeps_error* err) {
  return HandBack(rt, stream, err, [&](session::Walk* walk, const device::Stream* in) { return walk->Update(op, in); });
}

geeps_status geeps_access_local(geeps_runtime* rt, geeps_op op, const geeps_stream* stream, uint64_t limit_ns,
                                geeps_view* out, geeps_error* err) {
  return HandOut(rt, stream, out, err, [&](session::Walk* walk, const device::Stream* in, session::View* view) {
    return walk->AccessLocal(op, in, limit_ns, view);
  });
}

geeps_status geeps_post_local(geeps_runtime* rt, geeps_op op, const geeps_stream* stream, geeps_error* err) {
  return HandBack(rt, stream, err,
                  [&](session::Walk* walk, const device::Stream* in) { return walk->PostLocal(op, in); });
}

}  // extern "C"
