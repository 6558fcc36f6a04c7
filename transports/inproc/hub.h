// SPDX-License-Identifier: Apache-2.0
// Hub: where the endpoints and memory segments of one process find each other: the one piece of process-wide state that a
// transport inside a process cannot do without. It holds no strong references but to inboxes, and those only while their
// endpoint lives.
// Thread contract: any thread.
#ifndef GEEPS_TRANSPORTS_INPROC_HUB_H_
#define GEEPS_TRANSPORTS_INPROC_HUB_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "runtime/base/mutex.h"

namespace geeps::inproc {

class Inbox;

// Zeroed, page-aligned memory, owned by all who hold it.
class Memory {
 public:
  // nullptr when the system has none.
  static std::shared_ptr<Memory> Allocate(uint64_t bytes, std::string job);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  void* data() const { return data_; }
  uint64_t bytes() const { return bytes_; }
  const std::string& job() const { return job_; }

 private:
  Memory(void* data, uint64_t bytes, std::string job) : data_(data), bytes_(bytes), job_(std::move(job)) {}

  void* const data_;
  const uint64_t bytes_;
  const std::string job_;
};

class Hub {
 public:
  static Hub& Get();

  // Names it: never 0, never used twice.
  uint64_t AddEndpoint(std::shared_ptr<Inbox> inbox, const std::string& job);
  void RemoveEndpoint(uint64_t id);
  // nullptr when there is none; *same_job tells whether it belongs to `job`.
  std::shared_ptr<Inbox> FindEndpoint(uint64_t id, const std::string& job, bool* same_job);

  uint64_t AddMemory(const std::shared_ptr<Memory>& memory);
  void RemoveMemory(uint64_t id);
  std::shared_ptr<Memory> FindMemory(uint64_t id);

 private:
  struct Entry {
    std::shared_ptr<Inbox> inbox;
    std::string job;
  };

  Mutex mutex_;
  uint64_t last_id_ GEEPS_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, Entry> endpoints_ GEEPS_GUARDED_BY(mutex_);
  std::map<uint64_t, std::weak_ptr<Memory>> memories_ GEEPS_GUARDED_BY(mutex_);
};

}  // namespace geeps::inproc

#endif  // GEEPS_TRANSPORTS_INPROC_HUB_H_
