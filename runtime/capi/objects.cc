// SPDX-License-Identifier: Apache-2.0
#include "runtime/capi/objects.h"

#include <utility>

#include "runtime/base/status.h"

namespace geeps::capi {
namespace {

absl::Status BadHandle(const void* handle, const char* what) {
  if (handle == nullptr) return Invalid("the ", what, " is NULL");
  return Invalid("the handle given as ", what, " is stale, or no handle of a ", what);
}

absl::StatusOr<Child*> FindChild(HandleType type, const void* handle, const char* what) {
  Child* const child = static_cast<Child*>(FindHandle(type, handle));
  if (child == nullptr) return BadHandle(handle, what);
  return child;
}

}  // namespace

absl::StatusOr<RuntimeObject*> FindRuntime(const geeps_runtime* handle) {
  RuntimeObject* const object = static_cast<RuntimeObject*>(FindHandle(HandleType::kRuntime, handle));
  if (object == nullptr) return BadHandle(handle, "runtime");
  return object;
}

absl::StatusOr<Child*> FindTable(const geeps_table* handle) { return FindChild(HandleType::kTable, handle, "table"); }
absl::StatusOr<Child*> FindLocal(const geeps_local* handle) {
  return FindChild(HandleType::kLocal, handle, "local data");
}
absl::StatusOr<Child*> FindPlan(const geeps_plan* handle) { return FindChild(HandleType::kPlan, handle, "plan"); }
absl::StatusOr<Child*> FindRequest(const geeps_request* handle) {
  return FindChild(HandleType::kRequest, handle, "request");
}

absl::StatusOr<NewChild> NewChild::Reserve(RuntimeObject* owner) {
  auto owned = std::make_unique<Child>();
  Child* const child = owned.get();
  child->owner = owner;
  void* const handle = NewHandle(HandleType::kReserved, child);
  if (handle == nullptr) return NoMemory("no handle is left");
  const absl::Status kept = CatchOutOfMemory([&] {
    MutexLock lock(&owner->mutex);
    owner->children.emplace(handle, std::move(owned));
    return absl::OkStatus();
  });
  if (kept.ok()) return NewChild(child, handle);
  EndHandle(handle);  // nobody may follow it to what is freed here
  return kept;
}

NewChild::~NewChild() {
  if (child_ != nullptr) RemoveChild(child_, handle_);
}

void* NewChild::Keep(HandleType type) {
  child_ = nullptr;
  NameHandle(handle_, type);
  return handle_;
}

void RemoveChild(Child* child, const void* handle) {
  EndHandle(handle);
  RuntimeObject* const owner = child->owner;
  MutexLock lock(&owner->mutex);
  owner->children.erase(handle);
}

void DestroyRuntime(RuntimeObject* object, const void* handle) {
  EndHandle(handle);
  {
    MutexLock lock(&object->mutex);
    for (const auto& [child, owned] : object->children) EndHandle(child);
  }
  delete object;
}

}  // namespace geeps::capi
