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

// What has begun is the caller's to wait for, or is waited for here.
inline absl::StatusOr<geeps_status> EndLongCall(RuntimeObject* object, const std::shared_ptr<session::Request>& request,
                                                geeps_request** out) {
  if (out != nullptr) {
    Child child;
    child.request = request;
    const absl::StatusOr<void*> handle = AddChild(object, HandleType::kRequest, std::move(child));
    if (!handle.ok()) {
      request->Drop();  // nobody can wait for it; a get lets the caller's memory go
      return handle.status();
    }
    *out = static_cast<geeps_request*>(*handle);
    return GEEPS_OK;
  }
  request->Wait(GEEPS_NO_LIMIT);
  GEEPS_RETURN_IF_ERROR(request->status());
  return GEEPS_OK;
}

// begin: session::Runtime* -> StatusOr<shared_ptr<Request>>.
template <typename Begin>
geeps_status LongCall(geeps_runtime* rt, geeps_request** out, geeps_error* err, Begin&& begin) {
  return Guard(err, [&]() -> absl::StatusOr<geeps_status> {
    GEEPS_ASSIGN_OR_RETURN(RuntimeObject* const object, FindRuntime(rt));
    GEEPS_ASSIGN_OR_RETURN(std::shared_ptr<session::Request> request, begin(object->runtime.get()));
    return EndLongCall(object, request, out);
  });
}

}  // namespace geeps::capi

#endif  // GEEPS_RUNTIME_CAPI_LONG_CALL_H_
