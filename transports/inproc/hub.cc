// SPDX-License-Identifier: Apache-2.0
#include "transports/inproc/hub.h"

#include <sys/mman.h>

#include <utility>

namespace geeps::inproc {

std::shared_ptr<Memory> Memory::Allocate(uint64_t bytes, std::string job) {
  void* const data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return nullptr;
  return std::shared_ptr<Memory>(new Memory(data, bytes, std::move(job)));
}

Memory::~Memory() { munmap(data_, bytes_); }

Hub& Hub::Get() {
  static Hub* const hub = new Hub;  // never destroyed: endpoints may outlive main
  return *hub;
}

uint64_t Hub::AddEndpoint(std::shared_ptr<Inbox> inbox, const std::string& job) {
  MutexLock lock(&mutex_);
  endpoints_[++last_id_] = {std::move(inbox), job};
  return last_id_;
}

void Hub::RemoveEndpoint(uint64_t id) {
  MutexLock lock(&mutex_);
  endpoints_.erase(id);
}

std::shared_ptr<Inbox> Hub::FindEndpoint(uint64_t id, const std::string& job, bool* same_job) {
  MutexLock lock(&mutex_);
  const auto it = endpoints_.find(id);
  if (it == endpoints_.end()) return nullptr;
  *same_job = it->second.job == job;
  return it->second.inbox;
}

uint64_t Hub::AddMemory(const std::shared_ptr<Memory>& memory) {
  MutexLock lock(&mutex_);
  memories_[++last_id_] = memory;
  return last_id_;
}

void Hub::RemoveMemory(uint64_t id) {
  MutexLock lock(&mutex_);
  memories_.erase(id);
}

std::shared_ptr<Memory> Hub::FindMemory(uint64_t id) {
  MutexLock lock(&mutex_);
  const auto it = memories_.find(id);
  return it == memories_.end() ? nullptr : it->second.lock();
}

}  // namespace geeps::inproc
