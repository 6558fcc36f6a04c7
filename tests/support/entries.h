// SPDX-License-Identifier: Apache-2.0
// How many descriptors and threads this process has.
#ifndef GEEPS_TESTS_SUPPORT_ENTRIES_H_
#define GEEPS_TESTS_SUPPORT_ENTRIES_H_

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

namespace geeps::test {

// False for one that has begun to end: pthread_join returns while the kernel still lists the thread.
inline bool IsAlive(const char* thread_id) {
  char path[300], text[512];
  std::snprintf(path, sizeof path, "/proc/self/task/%s/stat", thread_id);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t size = read(file, text, sizeof text - 1);
  close(file);
  if (size <= 0) return false;
  text[size] = '\0';
  // proc(5): the name in parentheses, then state, five numbers, and the kernel's flags of the thread.
  const char* const after_name = std::strrchr(text, ')');
  unsigned flags = 0;
  constexpr unsigned kExiting = 0x4;  // PF_EXITING, Linux's include/linux/sched.h
  return after_name != nullptr && std::sscanf(after_name, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
         (flags & kExiting) == 0;
}

// -1 when the folder cannot be read.
template <typename Counts>
int CountEntries(const char* path, Counts counts) {
  DIR* const dir = opendir(path);
  if (dir == nullptr) return -1;
  int count = 0;
  while (const dirent* entry = readdir(dir)) count += entry->d_name[0] != '.' && counts(entry->d_name);
  closedir(dir);
  return count;
}

// The one by which they are counted among them.
inline int NumDescriptors() {
  return CountEntries("/proc/self/fd", [](const char*) { return true; });
}

inline int NumThreads() { return CountEntries("/proc/self/task", IsAlive); }

}  // namespace geeps::test

#endif  // GEEPS_TESTS_SUPPORT_ENTRIES_H_
