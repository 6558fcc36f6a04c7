// SPDX-License-Identifier: Apache-2.0
// Counts what a ready access must not do: this program's malloc and pthread_mutex_lock stand before those of the C
// library, for libgeeps, too.
#include <dlfcn.h>
#include <doctest/doctest.h>
#include <pthread.h>

#include <cstddef>
#include <cstdlib>
#include <geeps.hpp>
#include <memory>
#include <mutex>
#include <vector>

namespace {

thread_local bool counting = false;
thread_local uint64_t num_allocations = 0;
thread_local uint64_t num_locks = 0;

template <typename Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* memory, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);

__attribute__((visibility("default"))) void* malloc(size_t bytes) {
  num_allocations += counting;
  return __libc_malloc(bytes);
}
__attribute__((visibility("default"))) void* calloc(size_t count, size_t bytes) {
  num_allocations += counting;
  return __libc_calloc(count, bytes);
}
__attribute__((visibility("default"))) void* realloc(void* memory, size_t bytes) {
  num_allocations += counting;
  return __libc_realloc(memory, bytes);
}
__attribute__((visibility("default"))) void* aligned_alloc(size_t alignment, size_t bytes) {
  num_allocations += counting;
  return __libc_memalign(alignment, bytes);
}
__attribute__((visibility("default"))) int pthread_mutex_lock(pthread_mutex_t* mutex) {
  static auto* const next = Next<int(pthread_mutex_t*)>("pthread_mutex_lock");
  num_locks += counting;
  return next(mutex);
}
__attribute__((visibility("default"))) int pthread_mutex_trylock(pthread_mutex_t* mutex) {
  static auto* const next = Next<int(pthread_mutex_t*)>("pthread_mutex_trylock");
  num_locks += counting;
  return next(mutex);
}
}

namespace {

constexpr uint64_t kReads = 1000;

struct Counts {
  uint64_t ready = 0;  // pairs of read and post_read whose read was ready
  uint64_t in_place = 0;
  uint64_t allocations = 0;
  uint64_t locks = 0;
};

class Job {
 public:
  Job()
      : rt_(geeps::Options(), err_),
        rows_((rt_.Start(err_), rt_), "rows", kReads, 16, GEEPS_F32, {}, err_),
        busy_(rt_, "busy", 4096, 1024, GEEPS_F32, {}, err_),
        plan_(rt_, "plan", err_) {
    first_ = plan_.Read(rows_, geeps::Rows::Range(0, 1), 0, 0, err_);
    plan_.PostRead(first_, err_);
    busy_op_ = plan_.PreUpdate(busy_, geeps::Rows::All(), 0, err_);
    plan_.Update(busy_op_, err_);
    for (uint64_t i = 0; i < kReads; ++i) {
      reads_.push_back(plan_.Read(rows_, geeps::Rows::Range(i, 1), 0, 0, err_));
      plan_.PostRead(reads_.back(), err_);
    }
    update_ = plan_.PreUpdate(rows_, geeps::Rows::All(), GEEPS_UPDATE_ZEROED, err_);
    plan_.Update(update_, err_);
    plan_.End(0, err_);
    rt_.Commit({plan_.get()}, err_);
  }
  ~Job() { rt_.Shutdown(err_); }

  // One pass: the movers have just been given an update of 16 MiB when the reads begin.
  void Pass(Counts* counts) {
    geeps_runtime* const rt = rt_.get();
    geeps_view view = {};
    view.struct_size = sizeof view;
    REQUIRE(geeps_pass_begin(rt, plan_.get(), err_.raw()) == GEEPS_OK);
    REQUIRE(geeps_read(rt, first_, nullptr, GEEPS_NO_LIMIT, &view, err_.raw()) == GEEPS_OK);
    REQUIRE(geeps_post_read(rt, first_, nullptr, err_.raw()) == GEEPS_OK);
    REQUIRE(geeps_pre_update(rt, busy_op_, nullptr, GEEPS_NO_LIMIT, &view, err_.raw()) == GEEPS_OK);
    REQUIRE(geeps_update(rt, busy_op_, nullptr, err_.raw()) == GEEPS_OK);
    bool good = true;
    for (const geeps_op op : reads_) {
      num_allocations = num_locks = 0;
      counting = true;
      geeps_status status = geeps_read(rt, op, nullptr, 0, &view, err_.raw());
      const bool ready = status == GEEPS_OK;
      if (!ready) {
        counting = false;
        status = geeps_read(rt, op, nullptr, GEEPS_NO_LIMIT, &view, err_.raw());
      }
      const geeps_status post_status = geeps_post_read(rt, op, nullptr, err_.raw());
      counting = false;
      good = good && status == GEEPS_OK && post_status == GEEPS_OK;
      if (!ready) continue;
      ++counts->ready;
      counts->in_place += (view.flags & GEEPS_VIEW_IN_PLACE) != 0;
      counts->allocations += num_allocations;
      counts->locks += num_locks;
    }
    REQUIRE(good);
    REQUIRE(geeps_pre_update(rt, update_, nullptr, GEEPS_NO_LIMIT, &view, err_.raw()) == GEEPS_OK);
    REQUIRE(geeps_update(rt, update_, nullptr, err_.raw()) == GEEPS_OK);
    REQUIRE(geeps_clock(rt, nullptr, err_.raw()) == GEEPS_OK);
  }

 private:
  geeps::Error err_;
  geeps::Runtime rt_;
  geeps::Table rows_, busy_;
  geeps::Plan plan_;
  geeps_op first_ = 0, busy_op_ = 0, update_ = 0;
  std::vector<geeps_op> reads_;
};

TEST_CASE("what the next case counts is counted, inside of libgeeps, too") {
  std::mutex mutex;
  num_allocations = num_locks = 0;
  counting = true;
  const std::unique_ptr<int> allocated(new int(1));
  { const std::lock_guard<std::mutex> lock(mutex); }
  counting = false;
  CHECK(*allocated == 1);
  CHECK(num_allocations == 1);
  CHECK(num_locks == 1);

  geeps::Error err;
  geeps::Runtime rt(geeps::Options(), err);
  uint64_t length = 0;
  num_allocations = num_locks = 0;
  counting = true;
  const geeps_status status = geeps_runtime_get_stats(rt.get(), nullptr, 0, &length, err.raw());
  counting = false;
  CHECK(status == GEEPS_OK);
  CHECK(num_allocations > 0);
  CHECK(num_locks > 0);
}

TEST_CASE("a read that is ready and in place takes no lock and allocates nothing while the movers are at work") {
  Job job;
  Counts counts;
  for (int pass = 0; pass < 100 && counts.ready < 3 * kReads; ++pass) job.Pass(&counts);
  CHECK(counts.ready >= 3 * kReads);
  CHECK(counts.in_place == counts.ready);
  CHECK(counts.allocations == 0);
  CHECK(counts.locks == 0);
}

}  // namespace
