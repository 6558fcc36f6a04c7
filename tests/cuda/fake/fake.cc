// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/fake/fake.h"

#include <cstring>

#include "tests/cuda/fake/driver.h"
#include "tests/cuda/fake/kernel_run.h"
#include "tests/cuda/fake/kernels.h"

using geeps::fake::Driver;

bool geeps_fake_configure(const char* words) {
  Driver& driver = Driver::The();
  const std::lock_guard<std::mutex> lock(driver.mutex);
  const std::string error = driver.Configure(words);
  if (!error.empty()) std::fprintf(stderr, "%s\n", error.c_str());
  return error.empty();
}

uint64_t geeps_fake_findings(uint64_t index, char* text, uint64_t cap) {
  Driver& driver = Driver::The();
  const std::lock_guard<std::mutex> lock(driver.mutex);
  const std::string* const finding = driver.findings.Get(index);
  if (text != nullptr && cap > 0) {
    const std::string cut = finding != nullptr ? finding->substr(0, cap - 1) : "";
    std::memcpy(text, cut.c_str(), cut.size() + 1);
  }
  return driver.findings.num();
}

void geeps_fake_clear_findings() {
  Driver& driver = Driver::The();
  const std::lock_guard<std::mutex> lock(driver.mutex);
  driver.findings.Clear();
}

uint64_t geeps_fake_count(const char* name) {
  Driver& driver = Driver::The();
  const std::lock_guard<std::mutex> lock(driver.mutex);
  return driver.counters.Get(name);
}

uint64_t geeps_fake_living(const char* what) {
  Driver& driver = Driver::The();
  const std::lock_guard<std::mutex> lock(driver.mutex);
  const std::string name = what;
  if (name == "contexts") return driver.contexts.size();
  if (name == "streams") return driver.streams.size();
  if (name == "events") return driver.events.size();
  if (name == "modules") return driver.modules.size();
  uint64_t num_device = 0, num_pinned = 0, bytes = 0;
  for (const auto& [first, region] : driver.memory.regions()) {
    const bool is_device = region.kind == geeps::fake::Kind::kDevice;
    ++(is_device ? num_device : num_pinned);
    if (is_device) bytes += region.bytes.num;
  }
  return name == "allocations" ? num_device : name == "pinned" ? num_pinned : bytes;
}

void* geeps_fake_current_context(uint64_t* depth) {
  const std::vector<uint64_t>& stack = geeps::fake::ContextStack();
  if (depth != nullptr) *depth = stack.size();
  return stack.empty() ? nullptr : geeps::fake::HandleOf<void*>(stack.back());
}

void geeps_fake_break(int device, int result) {
  Driver& driver = Driver::The();
  const std::lock_guard<std::mutex> lock(driver.mutex);
  for (const auto& [handle, context] : driver.contexts) {
    if (context->device == device) driver.engine->Break(context.get(), result);
  }
}

void geeps_fake_hold(bool held) {
  Driver& driver = Driver::The();
  const std::lock_guard<std::mutex> lock(driver.mutex);
  driver.engine->Hold(held);
}

void geeps_fake_add_kernel(const char* name, geeps_fake_kernel body) {
  Driver& driver = Driver::The();
  const std::lock_guard<std::mutex> lock(driver.mutex);
  geeps::fake::AddTestKernel(name, body);
}

void* geeps_fake_address(uint64_t address, uint64_t bytes, bool writes) {
  return geeps::fake::KernelRun::Current()->Access(address, bytes, writes);
}

void geeps_fake_add_program_kernel(const geeps_fake_program_kernel* kernel) {
  Driver& driver = Driver::The();
  const std::lock_guard<std::mutex> lock(driver.mutex);
  geeps::fake::AddProgramKernel(*kernel);
}

void geeps_fake_add_finding(const char* sentence) {
  Driver& driver = Driver::The();
  const std::lock_guard<std::mutex> lock(driver.mutex);
  driver.findings.Add(sentence);
}
