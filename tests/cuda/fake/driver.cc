// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/fake/driver.h"

#include <cstdlib>

#include "tests/cuda/fake/kernels.h"

namespace geeps::fake {

Driver& Driver::The() {
  static Driver* const the_driver = new Driver;
  return *the_driver;
}

namespace {

// Of the driver's results, those that a context keeps: failed launches and accesses.
bool IsSticky(cuda::Result result) { return result >= 700 && result < 720 && result != 701 && result != 709; }

}  // namespace

std::vector<uint64_t>& ContextStack() {
  static thread_local std::vector<uint64_t> stack;
  return stack;
}

Driver::Driver() {
  const char* const words = std::getenv("GEEPS_FAKE_CUDA");
  if (const std::string error = Configure(words != nullptr ? words : ""); !error.empty()) {
    std::fprintf(stderr, "%s\n", error.c_str());
    std::abort();  // a test that runs as it was not told to proves nothing
  }
}

std::string Driver::Configure(const std::string& words) {
  Config parsed;
  if (std::string error = ParseConfig(words, &parsed); !error.empty()) return error;
  if (!contexts.empty() && (parsed.num_devices != config.num_devices || parsed.memory_bytes != config.memory_bytes)) {
    return Text(contexts.size(), " contexts live: devices and memory cannot change now");
  }
  if (!parsed.kernels_path.empty()) {
    if (std::string error = LoadProgramKernels(parsed.kernels_path); !error.empty()) return error;
  }
  config = std::move(parsed);
  findings.Clear();
  findings.set_is_quiet(config.is_quiet);
  counters.Clear();
  memory.RestartNumbers();
  primaries.resize(static_cast<size_t>(config.num_devices), nullptr);
  if (engine != nullptr) engine->Configure(config);
  return "";
}

Context* Driver::FindContext(uint64_t handle) {
  const auto it = contexts.find(handle);
  return it == contexts.end() ? nullptr : it->second.get();
}

Stream* Driver::FindStream(cuda::NativeStream native, Context* current, const char* function) {
  const uint64_t handle = NumberOf(native);
  if (handle <= 1) return current->legacy;
  const auto it = streams.find(handle);
  if (it != streams.end() && it->second->context == current) return it->second;
  findings.Add(Text(function, ": stream ", handle,
                    it != streams.end() ? " is of another context" : " is not there, or not any more"));
  return nullptr;
}

Event* Driver::FindEvent(cuda::NativeEvent native, const char* function) {
  const auto it = events.find(NumberOf(native));
  if (it != events.end()) return it->second.get();
  findings.Add(Text(function, ": event ", NumberOf(native), " is not there, or not any more"));
  return nullptr;
}

void Driver::EndContext(Context* context, std::unique_lock<std::mutex>* lock) {
  uint64_t num_streams = 0, num_regions = 0;
  for (const auto& [handle, stream] : streams) num_streams += stream->context == context;
  for (const auto& [first, region] : memory.regions()) num_regions += region.context == context->handle;
  const std::string left = Text(num_streams, " streams, ", context->num_events, " events, ", context->num_modules,
                                " modules, ", num_regions, " allocations");
  const bool is_whole = context->error == cuda::kSuccess;
  if (is_whole && num_streams + context->num_events + context->num_modules + num_regions > 0) {
    findings.Add(Text("the primary context of device ", context->device, " ends and these are left: ", left));
  }
  std::erase_if(streams, [&](const auto& entry) { return entry.second->context == context; });
  engine->EndContext(context, lock);
  EndLeftovers(context);
  contexts.erase(context->handle);
}

void Driver::EndLeftovers(Context* context) {
  std::erase_if(events, [&](const auto& entry) { return entry.second->context == context; });
  std::erase_if(modules, [&](const auto& entry) { return entry.second.context == context; });
  std::erase_if(functions, [&](const auto& entry) { return entry.second.context == context; });
  for (auto it = memory.regions().begin(); it != memory.regions().end();) {
    Region* const region = &it->second;
    ++it;
    if (region->context == context->handle) memory.Free(region);
  }
}

void Driver::NoteAccess(const Op& op, Bytes bytes, bool writes) {
  Region* const region = memory.Find(bytes.first);
  Races& races = region != nullptr ? region->races : pageable;
  const std::string memory_name = region != nullptr ? region->Name() : "memory of the host's own";
  const std::string race = races.Note(op.actor, bytes, writes, memory_name);
  if (race.empty() || last_racer_ == op.actor) return;  // one for a piece of work says enough
  last_racer_ = op.actor;
  findings.Add(race);
}

void Driver::ForgetOldAccesses() {
  const Clock& covered = engine->covered();
  pageable.Forget(covered);
  for (auto& [first, region] : memory.regions()) region.races.Forget(covered);
}

Call::Call(const char* name, Need need)
    : driver_(Driver::The()), name_(name), lock_(driver_.mutex), result_(Begin(need)) {}

cuda::Result Call::Begin(Need need) {
  const uint64_t number = driver_.counters.Count(name_);
  const cuda::Result found = FindContext(need);
  if (found != cuda::kSuccess) return found;
  for (const Refusal& refusal : driver_.config.refusals) {
    if (refusal.function != name_) continue;
    if (number != refusal.first && (!refusal.goes_on || number < refusal.first)) continue;
    if (context_ != nullptr && IsSticky(refusal.result)) driver_.engine->Break(context_, refusal.result);
    return refusal.result;
  }
  return cuda::kSuccess;
}

cuda::Result Call::FindContext(Need need) {
  if (Engine::IsInHostFunction()) return Finding(kNotPermitted, "called from a host function");
  if (need == kNothing) return cuda::kSuccess;
  if (!driver_.is_initialized) return kNotInitialized;
  if (need == kInitialized) return cuda::kSuccess;
  if (ContextStack().empty() || ContextStack().back() == 0) {
    return Finding(cuda::kInvalidContext, "no context is current on this thread");
  }
  context_ = driver_.FindContext(ContextStack().back());
  if (context_ == nullptr) return Finding(cuda::kContextIsDestroyed, "the current context was destroyed");
  return context_->error;
}

}  // namespace geeps::fake
