// SPDX-License-Identifier: Apache-2.0
// Driver: everything that the fake driver of this process has: devices, contexts, handles, memory, queues; and Call,
// the beginning of each exported function. Handles are numbers that are not used twice, so that one of something
// destroyed is known as such and nobody can look behind it. Thread contract: Call holds the mutex; the rest needs it
// held.
#ifndef GEEPS_TESTS_CUDA_FAKE_DRIVER_H_
#define GEEPS_TESTS_CUDA_FAKE_DRIVER_H_

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plugins/cuda/driver.h"
#include "tests/cuda/fake/config.h"
#include "tests/cuda/fake/engine.h"
#include "tests/cuda/fake/findings.h"
#include "tests/cuda/fake/memory.h"

namespace geeps::fake {

inline constexpr cuda::Result kNotInitialized = 3;
inline constexpr cuda::Result kInvalidDevice = 101;
inline constexpr cuda::Result kNotFound = 500;
inline constexpr cuda::Result kNotPermitted = 800;

struct LoadedModule {
  Context* context = nullptr;
};
struct LoadedFunction {
  uint64_t module = 0;  // handle
  Context* context = nullptr;
  std::string name;
};

class Driver {
 public:
  static Driver& The();  // never destroyed, like a driver

  // From the environment, at first use.
  Driver();
  // "" or a sentence.
  std::string Configure(const std::string& words);

  Context* FindContext(uint64_t handle);
  // A native handle of the caller in the current context, with the special ones: 0, 1 (legacy), 2 (per thread).
  // nullptr: a finding.
  Stream* FindStream(cuda::NativeStream native, Context* current, const char* function);
  Event* FindEvent(cuda::NativeEvent native, const char* function);
  // Ends the context with all that is left of it; what is left of one that was not broken is a finding.
  void EndContext(Context* context, std::unique_lock<std::mutex>* lock);
  // Notes one access of work that runs.
  void NoteAccess(const Op& op, Bytes bytes, bool writes);
  void ForgetOldAccesses();

  // Members are for the functions in api*.cc.
  std::mutex mutex;
  Config config;
  Findings findings;
  Counters counters;
  Memory memory;
  std::unique_ptr<Engine> engine;  // from cuInit on
  bool is_initialized = false;
  uint64_t last_handle = 0;
  std::vector<Context*> primaries;  // by device; nullptr: none
  std::map<uint64_t, std::unique_ptr<Context>> contexts;
  std::map<uint64_t, Stream*> streams;
  std::map<uint64_t, std::unique_ptr<Event>> events;
  std::map<uint64_t, LoadedModule> modules;
  std::map<uint64_t, LoadedFunction> functions;
  Races pageable;  // accesses to memory of the host's own

 private:
  void EndLeftovers(Context* context);

  std::shared_ptr<const Actor> last_racer_;
};

// The handles that are current on this thread, the last one on top.
std::vector<uint64_t>& ContextStack();

// What an exported function needs first: the mutex, the count, a refusal that was configured, the current context.
class Call {
 public:
  enum Need { kNothing, kInitialized, kContext };
  Call(const char* name, Need need);

  // Not kSuccess: the answer.
  cuda::Result result() const { return result_; }
  Context* context() const { return context_; }
  std::unique_lock<std::mutex>* lock() { return &lock_; }
  Driver* operator->() const { return &driver_; }
  Driver& driver() const { return driver_; }
  const char* name() const { return name_; }
  // A finding that names the function; gives the result back.
  template <typename... Parts>
  cuda::Result Finding(cuda::Result result, const Parts&... parts) {
    driver_.findings.Add(Text(name_, ": ", parts...));
    return result;
  }

 private:
  cuda::Result Begin(Need need);
  cuda::Result FindContext(Need need);

  Driver& driver_;
  const char* const name_;
  std::unique_lock<std::mutex> lock_;
  Context* context_ = nullptr;
  cuda::Result result_;
};

template <typename Handle>
uint64_t NumberOf(Handle handle) {
  return static_cast<uint64_t>(reinterpret_cast<uintptr_t>(handle));
}
template <typename Handle>
Handle HandleOf(uint64_t number) {
  return reinterpret_cast<Handle>(static_cast<uintptr_t>(number));
}

}  // namespace geeps::fake

#endif  // GEEPS_TESTS_CUDA_FAKE_DRIVER_H_
