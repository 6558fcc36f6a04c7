// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/deferred_engine.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <utility>

#include "runtime/base/status.h"
#include "runtime/base/steady_ns.h"
#include "runtime/table/digest.h"

namespace geeps::device {

struct DeferredEngine::Stream {
  uint64_t native = 0;
  uint32_t num_users = 0;
  bool is_running = false;  // its former first step runs
  uint64_t at_ns = 0;       // when its last step was over, or should have been
  std::deque<Step> steps;
};

namespace {

// Of a copy over the link so much arrives at once: at 1 GB/s a millisecond's bytes.
constexpr uint64_t kChunkBytes = uint64_t{1} << 20;

bool Overlap(const MemoryRange& a, const MemoryRange& b) {
  const uintptr_t a_begin = reinterpret_cast<uintptr_t>(a.begin);
  const uintptr_t b_begin = reinterpret_cast<uintptr_t>(b.begin);
  return a_begin < b_begin + b.bytes && b_begin < a_begin + a.bytes;
}

bool Uses(const MemoryRanges& ranges, const MemoryRange& range) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const MemoryRange& used) { return Overlap(used, range); });
}

}  // namespace

DeferredEngine::DeferredEngine(Schedule schedule, uint64_t seed, const ModelledLink& link)
    : schedule_(schedule), link_(link), random_(seed) {}

DeferredEngine::~DeferredEngine() {
  {
    const MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.NotifyAll();
    ended_.NotifyAll();
  }
  for (Thread& thread : threads_) thread.Join();
  const MutexLock lock(&mutex_);
  DropAll(GEEPS_E_CANCELLED);
}

absl::Status DeferredEngine::Start() {
  {
    const MutexLock lock(&mutex_);
    streams_.push_back(std::make_unique<Stream>());
    streams_[0]->num_users = 1;
  }
  static constexpr const char* kNames[] = {"geeps-deferred", "geeps-link-in", "geeps-link-out"};
  for (uint32_t lane = 0; lane < (link_ ? kNumLanes : 1); ++lane) {
    GEEPS_RETURN_IF_ERROR(threads_[lane].Start(kNames[lane], [this, lane] { Run(static_cast<Lane>(lane)); }));
  }
  return absl::OkStatus();
}

absl::Status DeferredEngine::OpenStream(const uint64_t* native, Stream** out) {
  const MutexLock lock(&mutex_);
  if (!cause_.ok()) return cause_;
  if (native == nullptr) {
    streams_.push_back(std::make_unique<Stream>());
    streams_.back()->native = ++last_native_;
    streams_.back()->num_users = 1;
    *out = streams_.back().get();
    return absl::OkStatus();
  }
  for (const auto& stream : streams_) {
    if (stream->native != *native || stream->num_users == 0) continue;
    ++stream->num_users;
    *out = stream.get();
    return absl::OkStatus();
  }
  return Invalid("the deferred back end has no stream with handle ", *native);
}

void DeferredEngine::CloseStream(Stream* stream) {
  const MutexLock lock(&mutex_);
  --stream->num_users;
  RemoveIfEnded(stream);
}

uint64_t DeferredEngine::NativeOf(const Stream* stream) { return stream->native; }

absl::Status DeferredEngine::Append(Stream* stream, Step step) {
  const MutexLock lock(&mutex_);
  if (!cause_.ok()) return cause_;
  if (link_) step.since_ns = SteadyNs();
  stream->steps.push_back(std::move(step));
  // Half a step per call on average: queues neither stay empty nor grow without end.
  if (schedule_ == Schedule::kSeeded && NextRandom() % 3 == 0) steps_ahead_ += NextRandom() % 4;
  if (schedule_ != Schedule::kLazy) changed_.NotifyAll();
  return absl::OkStatus();
}

absl::Status DeferredEngine::Enqueue(Stream* stream, std::function<void()> work, MemoryRanges ranges) {
  Step step;
  step.work = std::move(work);
  step.ranges = std::move(ranges);
  return Append(stream, std::move(step));
}

absl::Status DeferredEngine::EnqueueCopy(Stream* stream, Lane lane, void* dst, const void* src, uint64_t bytes) {
  Step step;
  step.ranges = {{dst, bytes}, {src, bytes}};
  if (link_ && lane != Lane::kDevice) {
    step.lane = lane;
    step.copy = {static_cast<uint8_t*>(dst), static_cast<const uint8_t*>(src), bytes};
  } else {
    step.work = [=] { std::memcpy(dst, src, bytes); };
  }
  return Append(stream, std::move(step));
}

absl::Status DeferredEngine::Record(Stream* stream, TicketRef* ticket) {
  TicketRef made = std::make_shared<Ticket>();
  made->stream = stream;
  Step step;
  step.signal = made;
  GEEPS_RETURN_IF_ERROR(Append(stream, std::move(step)));
  *ticket = std::move(made);
  return absl::OkStatus();
}

absl::Status DeferredEngine::StreamWait(Stream* stream, const TicketRef& ticket) {
  if (ticket == nullptr) return cause();
  Step step;
  step.wait = ticket;
  return Append(stream, std::move(step));
}

absl::Status DeferredEngine::IsDone(const TicketRef& ticket, bool* is_done) {
  const MutexLock lock(&mutex_);
  if (!cause_.ok()) return cause_;
  *is_done = ticket == nullptr || ticket->is_done;
  return absl::OkStatus();
}

absl::Status DeferredEngine::Wait(const TicketRef& ticket) {
  const MutexLock lock(&mutex_);
  if (ticket != nullptr && !ticket->is_done) {
    wanted_.push_back(ticket);
    changed_.NotifyAll();
    while (!ticket->is_done) changed_.Wait(&mutex_);
  }
  return cause_;
}

void DeferredEngine::Notify(const TicketRef& ticket, NoticeFn fn, void* ctx) {
  geeps_status status = GEEPS_OK;
  {
    const MutexLock lock(&mutex_);
    if (ticket != nullptr && !ticket->is_done) {
      wanted_.push_back(ticket);
      ticket->notices.push_back({fn, ctx});  // last: when it fails no notice comes
      changed_.NotifyAll();
      return;
    }
    if (!cause_.ok()) status = GEEPS_E_DEVICE;
  }
  fn(ctx, status);
}

void DeferredEngine::ForgetMemory(const void* memory, uint64_t bytes) {
  const MutexLock lock(&mutex_);
  const MemoryRange range = {memory, bytes};
  if (const Stream* const stream = FindUser(range); stream != nullptr) {
    Lose(CatchOutOfMemory([&] {
      return MakeStatus(Code::kDevice,
                        absl::StrCat("a region of ", bytes, " bytes was given back while work in stream ",
                                     stream->native, " that uses it still waits"));
    }));
  }
  // Steps under way are in no queue any more. The device's own end by themselves, copies over the link when it is lost.
  const auto is_used = [&](const LaneState& lane) { return lane.user != nullptr && Uses(lane.ranges, range); };
  while (std::any_of(std::begin(lanes_), std::end(lanes_), is_used)) changed_.Wait(&mutex_);
}

const DeferredEngine::Stream* DeferredEngine::FindUser(const MemoryRange& range) const {
  for (const auto& stream : streams_) {
    for (const Step& step : stream->steps) {
      if (Uses(step.ranges, range)) return stream.get();
    }
  }
  for (const Lane lane : {Lane::kIn, Lane::kOut}) {
    const LaneState& state = lanes_[static_cast<uint32_t>(lane)];
    if (state.user != nullptr && Uses(state.ranges, range)) return state.user;
  }
  return nullptr;
}

absl::Status DeferredEngine::cause() const {
  const MutexLock lock(&mutex_);
  return cause_;
}

void DeferredEngine::Run(Lane lane) {
  const MutexLock lock(&mutex_);
  while (!stopping_) {
    try {
      Stream* stream = Choose(lane);
      if (stream == nullptr) {
        changed_.Wait(&mutex_);
      } else {
        RunStep(stream, &lanes_[static_cast<uint32_t>(lane)]);
      }
    } catch (const std::exception&) {  // std::bad_alloc
      Lose(OutOfMemory());
    }
  }
}

bool DeferredEngine::MayGoOn(const Stream& stream) {
  return !stream.is_running && !stream.steps.empty() &&
         (stream.steps.front().wait == nullptr || stream.steps.front().wait->is_done);
}

DeferredEngine::Stream* DeferredEngine::Choose(Lane lane) {
  while (!wanted_.empty() && wanted_.front()->is_done) wanted_.pop_front();
  switch (schedule_) {
    case Schedule::kLazy:
      return wanted_.empty() ? nullptr : ChooseWanted();
    case Schedule::kEager:
      return ChooseInTurn(lane);
    case Schedule::kSeeded:
      break;
  }
  if (wanted_.empty() && steps_ahead_ == 0) return nullptr;
  Stream* stream = ChooseAtRandom();
  if (stream == nullptr) {
    steps_ahead_ = 0;
  } else if (steps_ahead_ > 0) {
    --steps_ahead_;
  }
  return stream;
}

DeferredEngine::Stream* DeferredEngine::ChooseWanted() {
  // What a step waits for was recorded before it was put there, so the chain of waits ends.
  Stream* stream = wanted_.front()->stream;
  while (!MayGoOn(*stream)) stream = stream->steps.front().wait->stream;
  return stream;
}

DeferredEngine::Stream* DeferredEngine::ChooseInTurn(Lane lane) {
  Stream* first = nullptr;
  for (const auto& stream : streams_) {
    if (!MayGoOn(*stream)) continue;
    const Step& step = stream->steps.front();
    const bool is_anyones = step.signal != nullptr || step.wait != nullptr;
    if (!is_anyones && step.lane != lane) continue;
    if (stream->native > turn_) {
      turn_ = stream->native;
      return stream.get();
    }
    if (first == nullptr) first = stream.get();
  }
  if (first != nullptr) turn_ = first->native;
  return first;
}

DeferredEngine::Stream* DeferredEngine::ChooseAtRandom() {
  absl::InlinedVector<Stream*, 16> candidates;
  for (const auto& stream : streams_) {
    if (MayGoOn(*stream)) candidates.push_back(stream.get());
  }
  return candidates.empty() ? nullptr : candidates[NextRandom() % candidates.size()];
}

void DeferredEngine::RunStep(Stream* stream, LaneState* lane) {
  Step step = std::move(stream->steps.front());
  stream->steps.pop_front();
  stream->is_running = true;
  uint64_t at_ns = std::max(stream->at_ns, step.since_ns);
  if (step.work || step.copy.bytes > 0) {
    lane->user = stream;
    lane->ranges = std::move(step.ranges);
    absl::Status worked;
    if (step.work) {
      mutex_.Unlock();
      worked = CatchOutOfMemory([&] {
        step.work();
        return absl::OkStatus();
      });
      mutex_.Lock();
      if (link_) at_ns = SteadyNs();
    } else {
      at_ns = std::max(at_ns, lane->free_ns);
      RunCopy(step.lane, step.copy, at_ns);
      at_ns += link_.TimeOf(step.lane, step.copy.bytes);
      lane->free_ns = at_ns;
    }
    lane->user = nullptr;
    changed_.NotifyAll();
    if (!worked.ok()) Lose(worked);
  } else if (step.signal != nullptr) {
    step.signal->is_done = true;
    step.signal->done_ns = at_ns;
    Complete(step.signal, GEEPS_OK);
  } else {
    at_ns = std::max(at_ns, step.wait->done_ns);
  }
  stream->at_ns = at_ns;
  stream->is_running = false;
  if (link_) changed_.NotifyAll();  // its next step may be another thread's
  RemoveIfEnded(stream);
}

void DeferredEngine::RunCopy(Lane lane, const LinkCopy& copy, uint64_t begin_ns) {
  for (uint64_t done = 0; done < copy.bytes;) {
    const uint64_t bytes = std::min(copy.bytes - done, kChunkBytes);
    const CondVar::TimePoint there(std::chrono::nanoseconds(begin_ns + link_.TimeOf(lane, done + bytes)));
    while (!stopping_ && cause_.ok() && CondVar::TimePoint::clock::now() < there) ended_.WaitUntil(&mutex_, there);
    if (stopping_ || !cause_.ok()) return;
    mutex_.Unlock();
    std::memcpy(copy.dst + done, copy.src + done, bytes);
    mutex_.Lock();
    done += bytes;
  }
}

// Needs no memory.
void DeferredEngine::Complete(const TicketRef& ticket, geeps_status status) {
  ticket->stream = nullptr;
  const std::vector<Notice> notices = std::exchange(ticket->notices, {});
  changed_.NotifyAll();
  if (notices.empty()) return;
  mutex_.Unlock();
  for (const auto& [fn, ctx] : notices) fn(ctx, status);
  mutex_.Lock();
}

void DeferredEngine::Lose(const absl::Status& cause) {
  if (!cause_.ok()) return;
  cause_ = cause;
  ended_.NotifyAll();
  DropAll(static_cast<geeps_status>(DetailOf(cause).code));
}

// Nothing is put into a stream any more. Needs no memory.
void DeferredEngine::DropAll(geeps_status status) {
  // All are done before the first notice is given, which may look at the others.
  for (const auto& stream : streams_) {
    for (const Step& step : stream->steps) {
      if (step.signal != nullptr) step.signal->is_done = true;
    }
  }
  wanted_.clear();
  const auto has_steps = [](const auto& stream) { return !stream->steps.empty(); };
  for (auto it = streams_.begin();
       (it = std::find_if(streams_.begin(), streams_.end(), has_steps)) != streams_.end();) {
    const Step step = std::move((*it)->steps.front());
    (*it)->steps.pop_front();
    if (step.signal != nullptr) Complete(step.signal, status);  // others may close streams meanwhile
  }
  changed_.NotifyAll();
}

void DeferredEngine::RemoveIfEnded(Stream* stream) {
  if (stream->num_users > 0 || stream->is_running || !stream->steps.empty()) return;
  streams_.erase(std::find_if(streams_.begin(), streams_.end(), [stream](const auto& s) { return s.get() == stream; }));
}

uint64_t DeferredEngine::NextRandom() {
  random_ += table::kGoldenStep;
  return table::MixBits(random_);
}

}  // namespace geeps::device
