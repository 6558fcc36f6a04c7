// SPDX-License-Identifier: Apache-2.0
// What the fake CUDA driver exports beside the driver's own functions, for tests: how it behaves, what it has found,
// what was called. The driver itself is configured by GEEPS_FAKE_CUDA at first use, with the same words (config.h).
// Thread contract: any thread.
#ifndef GEEPS_TESTS_CUDA_FAKE_FAKE_H_
#define GEEPS_TESTS_CUDA_FAKE_FAKE_H_

#include <cstdint>

#define GEEPS_FAKE_EXPORT extern "C" __attribute__((visibility("default")))

// Begins anew with these words and what they leave out as it is by default: findings and counters are cleared. The
// number of devices and their memory may change only while no context lives. False: the words are wrong, or now is no
// time for it; stderr says why.
GEEPS_FAKE_EXPORT bool geeps_fake_configure(const char* words);

// The number of findings: each a sentence about a wrong use of the driver, a race, or memory out of bounds. Finding
// `index`, cut to cap - 1 bytes, goes to text where there is one.
GEEPS_FAKE_EXPORT uint64_t geeps_fake_findings(uint64_t index, char* text, uint64_t cap);
GEEPS_FAKE_EXPORT void geeps_fake_clear_findings();

// How often an exported function was called, by its name, since the beginning or geeps_fake_configure. Besides:
// "copies", "fills", "launches", "host functions": work that has run; "legacy": work put into a legacy default stream.
GEEPS_FAKE_EXPORT uint64_t geeps_fake_count(const char* name);

// What lives now: "contexts", "streams", "events", "modules", "allocations", "pinned", "bytes" (of device memory).
GEEPS_FAKE_EXPORT uint64_t geeps_fake_living(const char* what);

// The context current on this thread (nullptr: none) and how many lie in its stack.
GEEPS_FAKE_EXPORT void* geeps_fake_current_context(uint64_t* depth);

// From now on the device's context is broken by this result, as by a kernel that has failed.
GEEPS_FAKE_EXPORT void geeps_fake_break(int device, int result);

// While held, no work of any stream runs; whoever waits for some waits until it is let go. For schedules without draws.
GEEPS_FAKE_EXPORT void geeps_fake_hold(bool held);

// A kernel for tests, known in every module from now on as `name` and `name`_inline. It reaches memory by
// geeps_fake_address alone: `bytes` at a device address, to read or to write.
using geeps_fake_kernel = void (*)(const uint8_t* table, uint64_t scratch, uint32_t num_blocks, uint32_t num_threads);
GEEPS_FAKE_EXPORT void geeps_fake_add_kernel(const char* name, geeps_fake_kernel body);
GEEPS_FAKE_EXPORT void* geeps_fake_address(uint64_t address, uint64_t bytes, bool writes);

// A kernel of a program, known in every module from now on: its parameters are copied when it is launched, each of
// these sizes, and its body runs in the order of its stream. The body reaches memory by geeps_fake_address alone.
struct geeps_fake_program_kernel {
  const char* name;
  const uint32_t* parameter_bytes;  // [num_parameters]
  uint32_t num_parameters;
  void (*body)(void* const* parameters, uint32_t num_blocks, uint32_t num_threads);
};
GEEPS_FAKE_EXPORT void geeps_fake_add_program_kernel(const geeps_fake_program_kernel* kernel);
// The word kernels=PATH names a shared object with kernels, for programs that were not made for tests: it exports this
// function, which gives the kernel of a number from 0 on, nullptr behind the last one.
#define GEEPS_FAKE_LIST_KERNELS "geeps_fake_list_kernels"
using geeps_fake_list_kernels_fn = const geeps_fake_program_kernel* (*)(uint32_t index);

// For libraries on top of the driver that are fakes as well: a finding of their own.
GEEPS_FAKE_EXPORT void geeps_fake_add_finding(const char* sentence);

#endif  // GEEPS_TESTS_CUDA_FAKE_FAKE_H_
