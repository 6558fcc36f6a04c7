// SPDX-License-Identifier: Apache-2.0
// Failing requests: the n-th request for memory, a descriptor or a thread fails, wherever in the process it is made.
//
// A program that links failing.cc defines operator new and delete, posix_memalign, mmap, socket, socketpair, accept,
// accept4, close, eventfd, epoll_create1, timerfd_create, open, fopen and pthread_create itself. Programs come before
// libraries when the loader looks for a name, so libgeeps, its plugins, Abseil and libstdc++ call these, too. What a C
// library asks for inside of itself (malloc of getaddrinfo, dlopen, zlib and of exceptions; the stack of a thread) does
// not come here. A request that does not fail goes on to the sanitizer's function where there is one, else to that of
// the C library; a block of operator new has a header in front, by which LiveBlocks knows whom it belongs to.
//
// Which request is the n-th depends on the order in which threads run; FailureTrace says which one it was.
// Thread contract: FailAt, StopFailing and KeepBlocks by one thread at a time; the rest by any.
#ifndef GEEPS_TESTS_SUPPORT_FAILING_H_
#define GEEPS_TESTS_SUPPORT_FAILING_H_

#include <cstdint>
#include <string>

namespace geeps::test {

enum class Resource { kMemory, kDescriptor, kThread };

// The n-th request from now on (1: the next; 0: none) fails, counted over all threads but those that are Outside; with
// `lasting` every later one of them, too; but for each descriptor that they close they get one. Memory: std::bad_alloc,
// nullptr or ENOMEM; descriptors: EMFILE; threads: EAGAIN.
void FailAt(Resource resource, uint64_t n, bool lasting);
// Ends that; how many requests of that resource there were since FailAt.
uint64_t StopFailing();
// Requests that failed since FailAt.
uint64_t NumFailed();

// Blocks of operator new that are allocated and were by threads that were not Outside then.
int64_t LiveBlocks();
// From now on (until `false`) blocks are remembered with who asked for them: slower, and threads that race are ordered.
void KeepBlocks(bool keep);

// Who made the first request that failed since FailAt, one function a line, the innermost first; empty when none
// failed. With addr2line in PATH the names of functions that are not exported, too. These two start processes and
// allocate.
std::string FailureTrace();
// The same of up to `max` of the blocks that were allocated since KeepBlocks(true) and still are.
std::string BlockTraces(int max);

// While one exists, this thread's requests neither count nor fail: they are the test's own.
class Outside {
 public:
  Outside();
  ~Outside();
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;
};

// While one exists, this thread's requests count in spite of the Outsides around it: a call of what is tested.
class Inside {
 public:
  Inside();
  ~Inside();
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  const int depth_;
};

}  // namespace geeps::test

#endif  // GEEPS_TESTS_SUPPORT_FAILING_H_
