// SPDX-License-Identifier: Apache-2.0
// The trap: host code that touches device memory, or pinned memory outside of its life, gets SIGSEGV; the trap then
// says on stderr what was touched and hands on to whoever handled the signal before (a sanitizer, the test framework).
// Thread contract: the driver's mutex.
#ifndef GEEPS_TESTS_CUDA_FAKE_TRAP_H_
#define GEEPS_TESTS_CUDA_FAKE_TRAP_H_

#include "tests/cuda/fake/races.h"

namespace geeps::fake {

void SetTrapRanges(Bytes device, Bytes pinned);
// Again whenever a context begins: test frameworks set handlers of their own before each test.
void SetTrap();

}  // namespace geeps::fake

#endif  // GEEPS_TESTS_CUDA_FAKE_TRAP_H_
