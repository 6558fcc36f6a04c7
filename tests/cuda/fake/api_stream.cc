// SPDX-License-Identifier: Apache-2.0
// Exported functions: streams, events, host functions.
#include "tests/cuda/fake/api.h"
#include "tests/cuda/fake/driver.h"

namespace geeps::fake::api {
namespace {

using cuda::kInvalidHandle;
using cuda::kInvalidValue;
using cuda::kSuccess;

}  // namespace

Result FakeStreamCreate(NativeStream* stream, unsigned flags) {
  Call call("cuStreamCreate", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  if (flags > cuda::kStreamNonBlocking) return call.Finding(kInvalidValue, "flags ", flags);
  Stream* const made = call->engine->NewStream(call.context(), flags == 0);
  call->streams[made->handle] = made;
  *stream = HandleOf<NativeStream>(made->handle);
  return kSuccess;
}

Result FakeStreamDestroy(NativeStream native) {
  Call call("cuStreamDestroy_v2", Call::kContext);
  if (call.context() == nullptr) return call.result();
  if (NumberOf(native) <= 2) return call.Finding(kInvalidHandle, "a default stream cannot be destroyed");
  Stream* const stream = call->FindStream(native, call.context(), call.name());
  if (stream == nullptr) return kInvalidHandle;
  call->streams.erase(stream->handle);
  call->engine->EndStream(stream);
  return call.result();
}

Result FakeStreamWaitEvent(NativeStream native, NativeEvent native_event, unsigned flags) {
  Call call("cuStreamWaitEvent", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  if (flags > 1) return call.Finding(kInvalidValue, "flags ", flags);
  Stream* const stream = call->FindStream(native, call.context(), call.name());
  const Event* const event = call->FindEvent(native_event, call.name());
  if (stream == nullptr || event == nullptr) return kInvalidHandle;
  if (event->context->error != kSuccess) return event->context->error;
  call->engine->StreamWait(stream, event->captured);
  return kSuccess;
}

Result FakeStreamQuery(NativeStream native) {
  Call call("cuStreamQuery", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  const Stream* const stream = call->FindStream(native, call.context(), call.name());
  return stream != nullptr ? call->engine->Query(TicketRef(stream->last), call.lock()) : kInvalidHandle;
}

Result FakeStreamSynchronize(NativeStream native) {
  Call call("cuStreamSynchronize", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  const Stream* const stream = call->FindStream(native, call.context(), call.name());
  return stream != nullptr ? call->engine->Wait(TicketRef(stream->last), call.lock()) : kInvalidHandle;
}

Result FakeEventCreate(NativeEvent* event, unsigned flags) {
  Call call("cuEventCreate", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  if (flags > 3) return call.Finding(kInvalidValue, "flags ", flags);
  auto made = std::make_unique<Event>();
  made->context = call.context();
  ++made->context->num_events;
  const uint64_t handle = (uint64_t{1} << 40) + ++call->last_handle;  // tells an event from a stream
  call->events[handle] = std::move(made);
  *event = HandleOf<NativeEvent>(handle);
  return kSuccess;
}

Result FakeEventDestroy(NativeEvent native) {
  Call call("cuEventDestroy_v2", Call::kContext);
  if (call.context() == nullptr) return call.result();
  const Event* const event = call->FindEvent(native, call.name());
  if (event == nullptr) return kInvalidHandle;
  --event->context->num_events;
  call->events.erase(NumberOf(native));
  return call.result();
}

Result FakeEventRecord(NativeEvent native, NativeStream native_stream) {
  Call call("cuEventRecord", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  Stream* const stream = call->FindStream(native_stream, call.context(), call.name());
  Event* const event = call->FindEvent(native, call.name());
  if (stream == nullptr || event == nullptr) return kInvalidHandle;
  if (event->context != stream->context) {
    return call.Finding(kInvalidHandle, "the event is of device ", event->context->device, ", the stream of device ",
                        stream->context->device);
  }
  event->captured = call->engine->Append(stream, "record of an event", Op());
  return kSuccess;
}

Result FakeEventQuery(NativeEvent native) {
  Call call("cuEventQuery", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  const Event* const event = call->FindEvent(native, call.name());
  return event != nullptr ? call->engine->Query(TicketRef(event->captured), call.lock()) : kInvalidHandle;
}

Result FakeEventSynchronize(NativeEvent native) {
  Call call("cuEventSynchronize", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  const Event* const event = call->FindEvent(native, call.name());
  return event != nullptr ? call->engine->Wait(TicketRef(event->captured), call.lock()) : kInvalidHandle;
}

Result FakeLaunchHostFunc(NativeStream native, HostFunction function, void* user_data) {
  Call call("cuLaunchHostFunc", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  Stream* const stream = call->FindStream(native, call.context(), call.name());
  if (stream == nullptr) return kInvalidHandle;
  if (function == nullptr) return call.Finding(kInvalidValue, "the function is NULL");
  Op op;
  op.host_function = function;
  op.user_data = user_data;
  call->engine->Append(stream, "host function", std::move(op));
  return kSuccess;
}

}  // namespace geeps::fake::api
