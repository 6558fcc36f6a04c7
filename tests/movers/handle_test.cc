// SPDX-License-Identifier: Apache-2.0
#include "runtime/capi/handle.h"

#include <doctest/doctest.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

namespace geeps::capi {
namespace {

TEST_CASE("a handle leads to its object, under its type only") {
  int object = 0;
  void* const handle = NewHandle(HandleType::kTable, &object);
  REQUIRE(handle != nullptr);
  CHECK(FindHandle(HandleType::kTable, handle) == &object);
  CHECK(FindHandle(HandleType::kPlan, handle) == nullptr);
  CHECK(FindHandle(HandleType::kFree, handle) == nullptr);
  EndHandle(handle);
}

TEST_CASE("an ended handle is stale, and stays so when its place is used again") {
  int old_object = 0;
  int new_object = 0;
  void* const old_handle = NewHandle(HandleType::kPlan, &old_object);
  EndHandle(old_handle);
  CHECK(FindHandle(HandleType::kPlan, old_handle) == nullptr);
  void* const new_handle = NewHandle(HandleType::kPlan, &new_object);
  CHECK(new_handle != old_handle);
  CHECK(FindHandle(HandleType::kPlan, old_handle) == nullptr);
  CHECK(FindHandle(HandleType::kPlan, new_handle) == &new_object);
  EndHandle(old_handle);  // stale: nothing
  CHECK(FindHandle(HandleType::kPlan, new_handle) == &new_object);
  EndHandle(new_handle);
  EndHandle(new_handle);
  CHECK(FindHandle(HandleType::kPlan, new_handle) == nullptr);
}

TEST_CASE("NULL, addresses and numbers are no handles") {
  int object = 0;
  CHECK(FindHandle(HandleType::kRuntime, nullptr) == nullptr);
  CHECK(FindHandle(HandleType::kRuntime, &object) == nullptr);
  CHECK(FindHandle(HandleType::kRuntime, reinterpret_cast<void*>(uintptr_t{1})) == nullptr);
  CHECK(FindHandle(HandleType::kRuntime, reinterpret_cast<void*>(~uintptr_t{0})) == nullptr);
  EndHandle(nullptr);
  EndHandle(&object);
  EndHandle(reinterpret_cast<void*>(~uintptr_t{0}));
}

TEST_CASE("many handles are all different, also across the chunks that they live in") {
  std::vector<int> objects(5000);
  std::vector<void*> handles;
  std::set<void*> different;
  for (int& object : objects) handles.push_back(NewHandle(HandleType::kLocal, &object));
  for (size_t i = 0; i < handles.size(); ++i) {
    CHECK(FindHandle(HandleType::kLocal, handles[i]) == &objects[i]);
    different.insert(handles[i]);
  }
  CHECK(different.size() == handles.size());
  for (void* handle : handles) EndHandle(handle);
}

TEST_CASE("threads that make and end handles at the same time never see those of others") {
  std::atomic<int> num_wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      int object = 0;
      for (int i = 0; i < 2000; ++i) {
        void* const handle = NewHandle(HandleType::kRequest, &object);
        if (FindHandle(HandleType::kRequest, handle) != &object) ++num_wrong;
        EndHandle(handle);
        if (FindHandle(HandleType::kRequest, handle) != nullptr) ++num_wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(num_wrong == 0);
}

}  // namespace
}  // namespace geeps::capi
