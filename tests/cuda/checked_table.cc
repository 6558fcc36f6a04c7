// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/checked_table.h"

#include <atomic>

#include "tests/cuda/fake/fake.h"

namespace geeps::test {
namespace {

const geeps_device* inner = nullptr;
std::atomic<uint64_t> num_changed{0};
std::atomic<uint64_t> num_calls{0};

// Looks at what is current when it begins and when it ends.
class Look {
 public:
  Look() : context_(geeps_fake_current_context(&depth_)) { num_calls.fetch_add(1); }
  ~Look() {
    uint64_t depth = 0;
    if (geeps_fake_current_context(&depth) != context_ || depth != depth_) num_changed.fetch_add(1);
  }
  Look(const Look&) = delete;
  Look& operator=(const Look&) = delete;

 private:
  uint64_t depth_ = 0;
  void* const context_;
};

template <auto kSlot>
struct Checked;

template <typename Result, typename... Args, Result (*geeps_device::*kSlot)(Args...)>
struct Checked<kSlot> {
  static Result Call(Args... args) {
    const Look look;
    return (inner->*kSlot)(args...);
  }
};

#define GEEPS_CHECKED(slot) Checked<&geeps_device::slot>::Call
constexpr geeps_device kTable = {
    sizeof(geeps_device),
    0,
    GEEPS_CHECKED(list),
    GEEPS_CHECKED(create),
    GEEPS_CHECKED(destroy),
    GEEPS_CHECKED(get_info),
    GEEPS_CHECKED(alloc),
    GEEPS_CHECKED(free),
    GEEPS_CHECKED(stream_create),
    GEEPS_CHECKED(stream_destroy),
    GEEPS_CHECKED(stream_get_native),
    GEEPS_CHECKED(stream_wait),
    GEEPS_CHECKED(event_create),
    GEEPS_CHECKED(event_destroy),
    GEEPS_CHECKED(event_record),
    GEEPS_CHECKED(event_query),
    GEEPS_CHECKED(event_wait),
    GEEPS_CHECKED(event_notify),
    GEEPS_CHECKED(copy),
    GEEPS_CHECKED(fill),
    GEEPS_CHECKED(index_create),
    GEEPS_CHECKED(index_destroy),
    GEEPS_CHECKED(move_rows),
    GEEPS_CHECKED(apply),
};
#undef GEEPS_CHECKED

}  // namespace

const geeps_device* CheckedTable(const geeps_device* table) {
  inner = table;
  num_changed = num_calls = 0;
  return &kTable;
}

uint64_t NumChangedContexts() { return num_changed.load(); }
uint64_t NumCheckedCalls() { return num_calls.load(); }

}  // namespace geeps::test
