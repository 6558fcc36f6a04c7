// SPDX-License-Identifier: Apache-2.0
#include "tests/support/failing.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <new>

// What a sanitizer calls the functions that it puts before the C library's; nullptr without one.
extern "C" {
__attribute__((weak)) int __interceptor_posix_memalign(void**, size_t, size_t);
__attribute__((weak)) void* __interceptor_mmap(void*, size_t, int, int, int, off_t);
__attribute__((weak)) int __interceptor_pthread_create(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
__attribute__((weak)) int __interceptor_socket(int, int, int);
__attribute__((weak)) int __interceptor_socketpair(int, int, int, int*);
__attribute__((weak)) int __interceptor_accept(int, sockaddr*, socklen_t*);
__attribute__((weak)) int __interceptor_accept4(int, sockaddr*, socklen_t*, int);
__attribute__((weak)) int __interceptor_close(int);
__attribute__((weak)) int __interceptor_eventfd(unsigned, int);
__attribute__((weak)) int __interceptor_epoll_create1(int);
__attribute__((weak)) int __interceptor_open(const char*, int, ...);
__attribute__((weak)) FILE* __interceptor_fopen(const char*, const char*);
}

namespace geeps::test {
namespace {

constexpr int kFramesMax = 40;
struct Frames {
  void* address[kFramesMax];
  int num = 0;
};

thread_local int outside = 0;

// What is to fail. The counters are those of one FailAt; `resource` is written while nobody counts.
std::atomic<bool> counting = false;
std::atomic<Resource> failing_resource = Resource::kMemory;
std::atomic<uint64_t> fail_at = 0;
std::atomic<bool> fail_later = false;
std::atomic<uint64_t> num_requests = 0;
std::atomic<uint64_t> num_failed = 0;
std::atomic<int64_t> num_closed = 0;  // descriptors that were closed since requests fail, and not asked for again
Frames failure;                       // of the first one that failed

std::atomic<int64_t> num_live = 0;

// backtrace() loads a library the first time, and so allocates.
[[maybe_unused]] const int primed = [] {
  void* address[2];
  return backtrace(address, 2);
}();

bool Fails(Resource resource) {
  if (outside > 0 || !counting.load(std::memory_order_acquire)) return false;
  if (failing_resource.load(std::memory_order_relaxed) != resource) return false;
  const uint64_t n = num_requests.fetch_add(1, std::memory_order_relaxed) + 1;
  const uint64_t at = fail_at.load(std::memory_order_relaxed);
  if (at == 0 || n < at || (n > at && !fail_later.load(std::memory_order_relaxed))) return false;
  if (n > at && resource == Resource::kDescriptor) {
    if (num_closed.fetch_sub(1) > 0) return false;
    num_closed.fetch_add(1);
  }
  if (n == at) {
    const Outside own;
    failure.num = backtrace(failure.address, kFramesMax);
  }
  num_failed.fetch_add(1, std::memory_order_release);
  return true;
}

// In front of each block.
struct alignas(16) Header {
  static constexpr uint64_t kMagic = 0x6765657073626c6b;
  uint64_t magic = kMagic;
  bool counted = false;
  Frames* asked_by = nullptr;  // of malloc; nullptr: the block is in no list
  Header* next = nullptr;
  Header* previous = nullptr;
};
constexpr size_t kHeaderBytes = sizeof(Header);

std::atomic<bool> keeping = false;
std::mutex kept_mutex;
Header* kept_blocks = nullptr;

void Keep(Header* header) {
  const Outside own;
  header->asked_by = static_cast<Frames*>(malloc(sizeof(Frames)));
  if (header->asked_by == nullptr) return;
  header->asked_by->num = backtrace(header->asked_by->address, kFramesMax);
  const std::lock_guard<std::mutex> lock(kept_mutex);
  header->next = kept_blocks;
  if (kept_blocks != nullptr) kept_blocks->previous = header;
  kept_blocks = header;
}

void Drop(Header* header) {
  const std::lock_guard<std::mutex> lock(kept_mutex);
  if (header->next != nullptr) header->next->previous = header->previous;
  (header->previous != nullptr ? header->previous->next : kept_blocks) = header->next;
  free(header->asked_by);
}

// The function of that name that comes after the program's: a sanitizer's or the C library's. clang's sanitizers are
// part of the program; they have a name of their own for that.
template <typename Function>
Function* Next(Function* interceptor, const char* name) {
  return interceptor != nullptr ? interceptor : reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

int RealMemalign(void** memory, size_t alignment, size_t bytes) {
  static auto* const next = Next(__interceptor_posix_memalign, "posix_memalign");
  return next(memory, alignment, bytes);
}

// nullptr: it fails.
void* Allocate(size_t bytes, size_t alignment) {
  if (Fails(Resource::kMemory)) return nullptr;
  const size_t front = std::max(kHeaderBytes, alignment);
  if (bytes > SIZE_MAX - front) return nullptr;
  void* memory = nullptr;
  if (alignment <= alignof(std::max_align_t)) {
    memory = malloc(front + bytes);
  } else if (RealMemalign(&memory, alignment, front + bytes) != 0) {
    memory = nullptr;
  }
  if (memory == nullptr) return nullptr;
  char* const block = static_cast<char*>(memory) + front;
  Header* const header = new (block - kHeaderBytes) Header;
  header->counted = outside == 0;
  if (header->counted) num_live.fetch_add(1, std::memory_order_relaxed);
  if (header->counted && keeping.load(std::memory_order_relaxed)) Keep(header);
  return block;
}

void* AllocateOrThrow(size_t bytes, size_t alignment) {
  void* const block = Allocate(bytes, alignment);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void Release(void* block, size_t alignment) {
  if (block == nullptr) return;
  Header* const header = reinterpret_cast<Header*>(static_cast<char*>(block) - kHeaderBytes);
  if (header->magic != Header::kMagic) {
    fputs("failing.cc: a block is released twice, or somebody wrote in front of it\n", stderr);
    abort();
  }
  header->magic = 0;
  if (header->counted) num_live.fetch_sub(1, std::memory_order_relaxed);
  if (header->asked_by != nullptr) Drop(header);
  free(static_cast<char*>(block) - std::max(kHeaderBytes, alignment));
}

bool NoDescriptor() {
  if (!Fails(Resource::kDescriptor)) return false;
  errno = EMFILE;
  return true;
}

int OpenAny(const char* path, int flags, unsigned mode) {
  static auto* const next = Next(__interceptor_open, "open");
  return NoDescriptor() ? -1 : next(path, flags | O_LARGEFILE, mode);
}

// The function that holds this address, with its file. A process of its own for each address: remembered.
std::string Describe(void* at) {
  static auto* const known = new std::map<void*, std::string>;
  if (const auto found = known->find(at); found != known->end()) return found->second;
  Dl_info info = {};
  if (dladdr(at, &info) == 0 || info.dli_fname == nullptr) return "";
  const size_t offset = static_cast<size_t>(static_cast<char*>(at) - static_cast<char*>(info.dli_fbase));
  char line[1200];
  snprintf(line, sizeof line, "addr2line -Cfpie '%s' 0x%zx 2>/dev/null", info.dli_fname, offset);
  std::string name;
  if (FILE* const pipe = popen(line, "r"); pipe != nullptr) {
    while (fgets(line, sizeof line, pipe) != nullptr) name += line;
    pclose(pipe);
  }
  while (!name.empty() && name.back() == '\n') name.pop_back();
  const char* const slash = strrchr(info.dli_fname, '/');
  snprintf(line, sizeof line, "    %s+0x%zx  ", slash == nullptr ? info.dli_fname : slash + 1, offset);
  return (*known)[at] = line + name + "\n";
}

std::string Describe(const Frames& frames) {
  std::string text;
  // A return address is behind the call.
  for (int i = 0; i < frames.num; ++i) text += Describe(static_cast<char*>(frames.address[i]) - 1);
  return text;
}

}  // namespace

void FailAt(Resource resource, uint64_t n, bool lasting) {
  counting.store(false);
  failing_resource.store(resource);
  fail_at.store(n);
  fail_later.store(lasting);
  num_requests.store(0);
  num_failed.store(0);
  num_closed.store(0);
  if (n != 0) failure.num = 0;
  counting.store(true);
}

uint64_t StopFailing() {
  counting.store(false);
  return num_requests.load();
}

uint64_t NumFailed() { return num_failed.load(std::memory_order_acquire); }

int64_t LiveBlocks() { return num_live.load(); }

void KeepBlocks(bool keep) { keeping.store(keep); }

std::string FailureTrace() {
  const Outside own;
  return Describe(failure);
}

std::string BlockTraces(int max) {
  const Outside own;
  std::string text;
  const std::lock_guard<std::mutex> lock(kept_mutex);
  int num = 0;
  for (const Header* header = kept_blocks; header != nullptr && num < max; header = header->next, ++num) {
    text += "  a block asked for by\n" + Describe(*header->asked_by);
  }
  return text;
}

Outside::Outside() { ++outside; }
Outside::~Outside() { --outside; }

Inside::Inside() : depth_(outside) { outside = 0; }
Inside::~Inside() { outside = depth_; }

}  // namespace geeps::test

namespace test = geeps::test;

void* operator new(size_t bytes) { return test::AllocateOrThrow(bytes, 0); }
void* operator new[](size_t bytes) { return test::AllocateOrThrow(bytes, 0); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return test::Allocate(bytes, 0); }
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept { return test::Allocate(bytes, 0); }
void* operator new(size_t bytes, std::align_val_t align) {
  return test::AllocateOrThrow(bytes, static_cast<size_t>(align));
}
void* operator new[](size_t bytes, std::align_val_t align) {
  return test::AllocateOrThrow(bytes, static_cast<size_t>(align));
}
void* operator new(size_t bytes, std::align_val_t align, const std::nothrow_t&) noexcept {
  return test::Allocate(bytes, static_cast<size_t>(align));
}
void* operator new[](size_t bytes, std::align_val_t align, const std::nothrow_t&) noexcept {
  return test::Allocate(bytes, static_cast<size_t>(align));
}
void operator delete(void* block) noexcept { test::Release(block, 0); }
void operator delete[](void* block) noexcept { test::Release(block, 0); }
void operator delete(void* block, size_t) noexcept { test::Release(block, 0); }
void operator delete[](void* block, size_t) noexcept { test::Release(block, 0); }
void operator delete(void* block, const std::nothrow_t&) noexcept { test::Release(block, 0); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { test::Release(block, 0); }
void operator delete(void* block, std::align_val_t align) noexcept { test::Release(block, static_cast<size_t>(align)); }
void operator delete[](void* block, std::align_val_t align) noexcept {
  test::Release(block, static_cast<size_t>(align));
}
void operator delete(void* block, size_t, std::align_val_t align) noexcept {
  test::Release(block, static_cast<size_t>(align));
}
void operator delete[](void* block, size_t, std::align_val_t align) noexcept {
  test::Release(block, static_cast<size_t>(align));
}
void operator delete(void* block, std::align_val_t align, const std::nothrow_t&) noexcept {
  test::Release(block, static_cast<size_t>(align));
}
void operator delete[](void* block, std::align_val_t align, const std::nothrow_t&) noexcept {
  test::Release(block, static_cast<size_t>(align));
}

// By their names in the object file: with 64-bit offsets some headers rename what they declare.
#define GEEPS_TEST_SYMBOL(name) __asm__(name) __attribute__((visibility("default"), used))

namespace geeps::test {

extern "C" {
int FailingMemalign(void** memory, size_t alignment, size_t bytes) GEEPS_TEST_SYMBOL("posix_memalign");
void* FailingMmap(void* at, size_t bytes, int protection, int flags, int fd, off_t offset) GEEPS_TEST_SYMBOL("mmap");
void* FailingMmap64(void* at, size_t bytes, int protection, int flags, int fd, off_t offset)
    GEEPS_TEST_SYMBOL("mmap64");
int FailingThread(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument)
    GEEPS_TEST_SYMBOL("pthread_create");
int FailingSocket(int domain, int type, int protocol) GEEPS_TEST_SYMBOL("socket");
int FailingSocketpair(int domain, int type, int protocol, int* fds) GEEPS_TEST_SYMBOL("socketpair");
int FailingAccept(int fd, sockaddr* name, socklen_t* bytes) GEEPS_TEST_SYMBOL("accept");
int FailingAccept4(int fd, sockaddr* name, socklen_t* bytes, int flags) GEEPS_TEST_SYMBOL("accept4");
int FailingClose(int fd) GEEPS_TEST_SYMBOL("close");
int FailingEventfd(unsigned value, int flags) GEEPS_TEST_SYMBOL("eventfd");
int FailingEpoll(int flags) GEEPS_TEST_SYMBOL("epoll_create1");
int FailingTimerfd(int clock, int flags) GEEPS_TEST_SYMBOL("timerfd_create");
int FailingOpen(const char* path, int flags, ...) GEEPS_TEST_SYMBOL("open");
int FailingOpen64(const char* path, int flags, ...) GEEPS_TEST_SYMBOL("open64");
FILE* FailingFopen(const char* path, const char* mode) GEEPS_TEST_SYMBOL("fopen");
FILE* FailingFopen64(const char* path, const char* mode) GEEPS_TEST_SYMBOL("fopen64");

int FailingMemalign(void** memory, size_t alignment, size_t bytes) {
  return Fails(Resource::kMemory) ? ENOMEM : RealMemalign(memory, alignment, bytes);
}

// Files are not memory that is asked for.
void* FailingMmap(void* at, size_t bytes, int protection, int flags, int fd, off_t offset) {
  static auto* const next = Next(__interceptor_mmap, "mmap");
  if ((flags & MAP_ANONYMOUS) != 0 && Fails(Resource::kMemory)) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return next(at, bytes, protection, flags, fd, offset);
}
void* FailingMmap64(void* at, size_t bytes, int protection, int flags, int fd, off_t offset) {
  return FailingMmap(at, bytes, protection, flags, fd, offset);
}

int FailingThread(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) {
  static auto* const next = Next(__interceptor_pthread_create, "pthread_create");
  return Fails(Resource::kThread) ? EAGAIN : next(thread, attributes, body, argument);
}

int FailingSocket(int domain, int type, int protocol) {
  static auto* const next = Next(__interceptor_socket, "socket");
  return NoDescriptor() ? -1 : next(domain, type, protocol);
}
int FailingSocketpair(int domain, int type, int protocol, int* fds) {
  static auto* const next = Next(__interceptor_socketpair, "socketpair");
  return NoDescriptor() ? -1 : next(domain, type, protocol, fds);
}
int FailingAccept(int fd, sockaddr* name, socklen_t* bytes) {
  static auto* const next = Next(__interceptor_accept, "accept");
  return NoDescriptor() ? -1 : next(fd, name, bytes);
}
int FailingAccept4(int fd, sockaddr* name, socklen_t* bytes, int flags) {
  static auto* const next = Next(__interceptor_accept4, "accept4");
  return NoDescriptor() ? -1 : next(fd, name, bytes, flags);
}
int FailingClose(int fd) {
  static auto* const next = Next(__interceptor_close, "close");
  if (outside == 0 && NumFailed() > 0) num_closed.fetch_add(1);
  return next(fd);
}
int FailingEventfd(unsigned value, int flags) {
  static auto* const next = Next(__interceptor_eventfd, "eventfd");
  return NoDescriptor() ? -1 : next(value, flags);
}
int FailingEpoll(int flags) {
  static auto* const next = Next(__interceptor_epoll_create1, "epoll_create1");
  return NoDescriptor() ? -1 : next(flags);
}
int FailingTimerfd(int clock, int flags) {
  static auto* const next = Next<int(int, int)>(nullptr, "timerfd_create");
  return NoDescriptor() ? -1 : next(clock, flags);
}

int FailingOpen(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const unsigned mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, unsigned) : 0;
  va_end(rest);
  return OpenAny(path, flags, mode);
}
int FailingOpen64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const unsigned mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, unsigned) : 0;
  va_end(rest);
  return OpenAny(path, flags, mode);
}

FILE* FailingFopen(const char* path, const char* mode) {
  static auto* const next = Next(__interceptor_fopen, "fopen");
  return NoDescriptor() ? nullptr : next(path, mode);
}
FILE* FailingFopen64(const char* path, const char* mode) { return FailingFopen(path, mode); }
}

}  // namespace geeps::test
