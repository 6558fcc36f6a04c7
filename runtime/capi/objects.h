// SPDX-License-Identifier: Apache-2.0
// What handles stand for: a runtime with its children. A child's handle ends with the child or with its runtime,
// whichever comes first.
// Thread contract: Find functions any thread; the list of children has its own lock.
#ifndef GEEPS_RUNTIME_CAPI_OBJECTS_H_
#define GEEPS_RUNTIME_CAPI_OBJECTS_H_

#include <map>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "geeps.h"
#include "runtime/base/mutex.h"
#include "runtime/capi/handle.h"
#include "runtime/session/runtime.h"

namespace geeps::capi {

struct RuntimeObject;

struct Child {
  RuntimeObject* owner = nullptr;
  session::Table* table = nullptr;
  session::Local* local = nullptr;
  session::Plan* plan = nullptr;
  std::shared_ptr<session::Request> request;
};

struct RuntimeObject {
  std::unique_ptr<session::Runtime> runtime;
  Mutex log_mutex;  // one taker of log lines at a time: it looks at a line, then drops it
  Mutex mutex;
  std::map<const void*, std::unique_ptr<Child>> children GEEPS_GUARDED_BY(mutex);  // by handle
};

// Errors of all: Invalid, naming the argument, for NULL, stale, foreign and mistyped handles.
absl::StatusOr<RuntimeObject*> FindRuntime(const geeps_runtime* handle);
absl::StatusOr<Child*> FindTable(const geeps_table* handle);
absl::StatusOr<Child*> FindLocal(const geeps_local* handle);
absl::StatusOr<Child*> FindPlan(const geeps_plan* handle);
absl::StatusOr<Child*> FindRequest(const geeps_request* handle);

// A child in the making: its place and its handle are there before what it stands for is made, so that nothing can fail
// afterwards. Both are given back unless it is kept.
class NewChild {
 public:
  // Errors: NoMemory.
  static absl::StatusOr<NewChild> Reserve(RuntimeObject* owner);
  NewChild(NewChild&& other) noexcept
      : child_(std::exchange(other.child_, nullptr)), handle_(std::exchange(other.handle_, nullptr)) {}
  NewChild& operator=(NewChild&&) = delete;
  ~NewChild();

  Child* operator->() const { return child_; }
  // The child's handle, which is found from now on; its runtime owns it.
  void* Keep(HandleType type);

 private:
  NewChild(Child* child, void* handle) : child_(child), handle_(handle) {}

  Child* child_;
  void* handle_;
};
// Ends a child's handle; nothing when it is stale.
void RemoveChild(Child* child, const void* handle);
// Ends all handles, then the runtime.
void DestroyRuntime(RuntimeObject* object, const void* handle);

}  // namespace geeps::capi

#endif  // GEEPS_RUNTIME_CAPI_OBJECTS_H_
