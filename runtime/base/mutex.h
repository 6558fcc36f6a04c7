// SPDX-License-Identifier: Apache-2.0
// Mutex, MutexLock, CondVar: std::mutex with clang's thread-safety annotations. Distribution builds of absl::Mutex give false
// ThreadSanitizer reports, std::mutex does not.
#ifndef GEEPS_RUNTIME_BASE_MUTEX_H_
#define GEEPS_RUNTIME_BASE_MUTEX_H_

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define GEEPS_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define GEEPS_THREAD_ANNOTATION(x)
#endif
#define GEEPS_CAPABILITY(x) GEEPS_THREAD_ANNOTATION(capability(x))
#define GEEPS_SCOPED_CAPABILITY GEEPS_THREAD_ANNOTATION(scoped_lockable)
#define GEEPS_GUARDED_BY(x) GEEPS_THREAD_ANNOTATION(guarded_by(x))
#define GEEPS_REQUIRES(...) GEEPS_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define GEEPS_EXCLUDES(...) GEEPS_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define GEEPS_ACQUIRE(...) GEEPS_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define GEEPS_RELEASE(...) GEEPS_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define GEEPS_NO_THREAD_SAFETY_ANALYSIS GEEPS_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace geeps {

class GEEPS_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  void Lock() GEEPS_ACQUIRE() { mutex_.lock(); }
  void Unlock() GEEPS_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class GEEPS_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) GEEPS_ACQUIRE(mutex) : mutex_(mutex) { mutex_->Lock(); }
  ~MutexLock() GEEPS_RELEASE() { mutex_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mutex_;
};

class CondVar {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Both release the mutex while they sleep; spurious wake-ups happen.
  void Wait(Mutex* mutex) GEEPS_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
    cond_.wait(lock);
    lock.release();
  }
  // False when `until` has passed.
  bool WaitUntil(Mutex* mutex, TimePoint until) GEEPS_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
    const bool in_time = cond_.wait_until(lock, until) == std::cv_status::no_timeout;
    lock.release();
    return in_time;
  }
  void NotifyAll() { cond_.notify_all(); }

 private:
  std::condition_variable cond_;
};

}  // namespace geeps

#endif  // GEEPS_RUNTIME_BASE_MUTEX_H_
