// SPDX-License-Identifier: Apache-2.0
// LongCall: the shape of start, commit, fence, get and shutdown: with `out` the caller gets a request, without it the
// call waits.
// Thread contract: serial per runtime, as the calls themselves.
#ifndef GEEPS_RUNTIME_CAPI_LONG_CALL_H_
#define GEEPS_RUNTIME_CAPI_LONG_CALL_H_

#include <memory>
#include <utility>

#include "runtime/capi/convert.h"
#include "runtime/capi/objects.h"

namespace geeps::capi {

// begin: session::Runtime* -> StatusOr<shared_ptr<Request>>; the last thing that may fail: what has begun is the
// caller's to wait for, or is waited for here.
template <typename Begin>
absl::StatusOr<geeps_status> RunLongCall(RuntimeObject* object, geeps_request** out, Begin&& begin) {
  if (out != nullptr) {
    GEEPS_ASSIGN_OR_RETURN(NewChild child, NewChild::Reserve(object));
    GEEPS_ASSIGN_OR_RETURN(child->request, begin(object->runtime.get()));
    *out = static_cast<geeps_request*>(child.Keep(HandleType::kRequest));
    return GEEPS_OK;
  }
  GEEPS_ASSIGN_OR_RETURN(const std::shared_ptr<session::Request> request, begin(object->runtime.get()));
  request->Wait(GEEPS_NO_LIMIT);
  GEEPS_RETURN_IF_ERROR(request->status());
  return GEEPS_OK;
}

template <typename Begin>
geeps_status LongCall(geeps_runtime* rt, geeps_request** out, geeps_error* err, Begin&& begin) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(RuntimeObject* const object, FindRuntime(rt));
    return RunLongCall(object, out, begin);
  });
}

}  // namespace geeps::capi

#endif  // GEEPS_RUNTIME_CAPI_LONG_CALL_H_
