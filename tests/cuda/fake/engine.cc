// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/fake/engine.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "tests/cuda/fake/driver.h"

namespace geeps::fake {
namespace {

// Questions in vain after which one piece of work runs for certain.
constexpr uint64_t kPatience = 8;

thread_local bool is_in_host_function = false;

}  // namespace

Engine::Engine(Counters* counters) : counters_(*counters), host_(std::make_shared<Clock>()) {
  std::thread([this] { Run(&Driver::The().mutex); }).detach();  // lives as long as the process, like the driver's
}

void Engine::Configure(const Config& config) {
  schedule_ = config.schedule;
  random_ = config.seed;
  steps_ahead_ = num_in_vain_ = 0;
  num_run_ = 0;
  break_at_ = config.break_at;
  break_result_ = config.break_result;
  changed_.notify_all();
}

bool Engine::IsInHostFunction() { return is_in_host_function; }

Context* Engine::NewContext(int device) {
  auto* const context = new Context;
  context->handle = ++last_handle_;
  context->device = device;
  context->legacy = NewStream(context, true);
  context->legacy->handle = 0;
  return context;
}

void Engine::EndContext(Context* context, std::unique_lock<std::mutex>* lock) {
  const auto is_of_it = [&](const auto& stream) { return stream->context == context; };
  context->legacy->is_destroyed = true;
  for (;;) {
    const auto it = std::find_if(streams_.begin(), streams_.end(), is_of_it);
    if (it == streams_.end()) break;
    Stream* const stream = it->get();
    stream->is_destroyed = true;
    if (stream->last != nullptr && !stream->last->is_done) {
      RunUntilDone(TicketRef(stream->last), lock);
    } else if (stream->is_running) {
      changed_.wait(*lock);
    } else {
      RemoveIfEnded(stream);
    }
  }
}

void Engine::Break(Context* context, cuda::Result result) {
  if (context->error != cuda::kSuccess) return;
  context->error = result;
  for (size_t i = 0; i < streams_.size(); ++i) {
    Stream* const stream = streams_[i].get();
    if (stream->context != context) continue;
    for (const Op& op : stream->ops) op.ticket->is_done = true;
    stream->ops.clear();
  }
  for (size_t i = 0; i < streams_.size();) {
    const size_t num_before = streams_.size();
    RemoveIfEnded(streams_[i].get());
    if (streams_.size() == num_before) ++i;
  }
  changed_.notify_all();
}

Stream* Engine::NewStream(Context* context, bool is_blocking) {
  auto stream = std::make_unique<Stream>();
  stream->context = context;
  stream->handle = ++last_handle_;
  stream->is_blocking = is_blocking;
  // A slot whose earlier work happens before everything that is still to come is as good as a new one.
  const auto is_old = [&](uint32_t slot) { return covered().Covers(slot, slot_times_[slot]); };
  const auto old = std::find_if(free_slots_.begin(), free_slots_.end(), is_old);
  if (old != free_slots_.end()) {
    stream->slot = *old;
    stream->time = slot_times_[*old];
    free_slots_.erase(old);
  } else {
    stream->slot = static_cast<uint32_t>(slot_times_.size());
    slot_times_.push_back(0);
  }
  streams_.push_back(std::move(stream));
  return streams_.back().get();
}

void Engine::EndStream(Stream* stream) {
  stream->is_destroyed = true;
  RemoveIfEnded(stream);
}

void Engine::RemoveIfEnded(Stream* stream) {
  if (!stream->is_destroyed || stream->is_running || !stream->ops.empty()) return;
  slot_times_[stream->slot] = stream->time;
  free_slots_.push_back(stream->slot);
  streams_.erase(std::find_if(streams_.begin(), streams_.end(), [stream](const auto& s) { return s.get() == stream; }));
  changed_.notify_all();
}

TicketRef Engine::Append(Stream* stream, std::string text, Op op) {
  Context* const context = stream->context;
  for (const auto& other : streams_) {
    if (other.get() == stream || other->context != context || other->last == nullptr) continue;
    const bool is_ordered =
        (stream == context->legacy && other->is_blocking) || (other.get() == context->legacy && stream->is_blocking);
    if (is_ordered) op.after.push_back(other->last);
  }
  stream->clock.Join(*host_);
  for (const TicketRef& ticket : op.after) stream->clock.Join(ticket->clock);
  auto actor = std::make_shared<Actor>();
  actor->slot = stream->slot;
  actor->time = ++stream->time;
  actor->clock = stream->clock;
  actor->text = std::move(text);
  actor->text +=
      stream == context->legacy ? std::string(" in the legacy default stream") : Text(" in stream ", stream->handle);
  op.actor = std::move(actor);
  stream->clock.Set(stream->slot, stream->time);
  op.ticket = std::make_shared<Ticket>();
  op.ticket->stream = stream;
  op.ticket->context = context;
  op.ticket->clock = stream->clock;
  op.host = host_;
  op.number = ++last_op_;
  TicketRef ticket = stream->last = op.ticket;
  if (stream == context->legacy) counters_.Count("legacy");
  if (op.host_function != nullptr) wanted_.push_back(ticket);  // somebody counts on it without asking
  stream->ops.push_back(std::move(op));
  // Half a piece per call on average: queues neither stay empty nor grow without end.
  if (schedule_ == Schedule::kSeeded && Draw(3) == 0) steps_ahead_ += Draw(4);
  changed_.notify_all();
  return ticket;
}

void Engine::StreamWait(Stream* stream, const TicketRef& ticket) {
  if (ticket == nullptr) return;
  Op op;
  op.after.push_back(ticket);
  Append(stream, "wait for an event", std::move(op));
}

void Engine::Learn(const Clock& clock) {
  auto learned = std::make_shared<Clock>(*host_);
  learned->Join(clock);
  host_ = std::move(learned);
}

cuda::Result Engine::Query(const TicketRef& ticket, std::unique_lock<std::mutex>* lock) {
  if (ticket == nullptr) return cuda::kSuccess;
  // The moment right behind an event, before anything that follows it, is the one that finds most.
  if (schedule_ == Schedule::kSeeded && !ticket->is_done && exact_ == nullptr && Draw(3) == 0) {
    exact_ = ticket;
    RunUntilDone(ticket, lock);
    exact_ = nullptr;
    steps_ahead_ = 0;
    changed_.notify_all();  // whoever waits for other work
  }
  if (ticket->context->error != cuda::kSuccess) return ticket->context->error;
  if (ticket->is_done) {
    Learn(ticket->clock);
    return cuda::kSuccess;
  }
  if (schedule_ == Schedule::kLazy && std::exchange(ticket->is_polled, true)) wanted_.push_back(ticket);
  if (schedule_ == Schedule::kSeeded) {
    steps_ahead_ += Draw(2);
    if (++num_in_vain_ % kPatience == 0) ++steps_ahead_;
  }
  changed_.notify_all();
  return cuda::kNotReady;
}

void Engine::RunUntilDone(const TicketRef& ticket, std::unique_lock<std::mutex>* lock) {
  if (!ticket->is_done) {
    wanted_.push_back(ticket);
    changed_.notify_all();
  }
  while (!ticket->is_done) changed_.wait(*lock);
}

cuda::Result Engine::Wait(const TicketRef& ticket, std::unique_lock<std::mutex>* lock) {
  if (ticket == nullptr) return cuda::kSuccess;
  RunUntilDone(ticket, lock);
  if (ticket->context->error != cuda::kSuccess) return ticket->context->error;
  Learn(ticket->clock);
  return cuda::kSuccess;
}

const Op* Engine::FindUser(Bytes bytes) const {
  for (const auto& stream : streams_) {
    for (const Op& op : stream->ops) {
      for (const Use& use : op.uses) {
        if (use.bytes.first < bytes.end() && bytes.first < use.bytes.end()) return &op;
      }
    }
  }
  return nullptr;
}

const Clock& Engine::covered() const {
  const Op* oldest = nullptr;
  for (const auto& stream : streams_) {
    if (stream->ops.empty()) continue;
    if (oldest == nullptr || stream->ops.front().number < oldest->number) oldest = &stream->ops.front();
  }
  return oldest != nullptr ? *oldest->host : *host_;
}

uint64_t Engine::num_streams() const {
  const auto is_living = [](const auto& stream) { return stream->handle != 0 && !stream->is_destroyed; };
  return static_cast<uint64_t>(std::count_if(streams_.begin(), streams_.end(), is_living));
}

// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
uint64_t Engine::Draw(uint64_t below) {
  uint64_t x = random_ += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return (x ^ (x >> 31)) % below;
}

void Engine::Hold(bool held) {
  is_held_ = held;
  changed_.notify_all();
}

void Engine::Run(std::mutex* mutex) {
  std::unique_lock<std::mutex> lock(*mutex);
  for (;;) {
    Stream* const stream = is_held_ ? nullptr : Choose();
    if (stream == nullptr) {
      changed_.wait(lock);
    } else {
      RunFirst(stream, &lock);
    }
  }
}

bool Engine::MayGoOn(const Stream& stream) {
  if (stream.ops.empty() || stream.is_running) return false;
  const std::vector<TicketRef>& after = stream.ops.front().after;
  return std::all_of(after.begin(), after.end(), [](const TicketRef& ticket) { return ticket->is_done; });
}

Stream* Engine::Choose() {
  while (!wanted_.empty() && wanted_.front()->is_done) wanted_.pop_front();
  switch (schedule_) {
    case Schedule::kLazy:
      return wanted_.empty() ? nullptr : ChooseFor(wanted_.front());
    case Schedule::kEager:
      return ChooseInTurn();
    case Schedule::kSeeded:
      break;
  }
  if (exact_ != nullptr) return exact_->is_done ? nullptr : ChooseFor(exact_);
  if (wanted_.empty() && steps_ahead_ == 0) return nullptr;
  Stream* const stream = ChooseDrawn();
  if (stream == nullptr) {
    steps_ahead_ = 0;
  } else if (steps_ahead_ > 0) {
    --steps_ahead_;
  }
  return stream;
}

Stream* Engine::ChooseFor(const TicketRef& ticket) {
  // What work comes after was put in before it, so the chain ends.
  Stream* stream = ticket->stream;
  while (!MayGoOn(*stream)) {
    for (const TicketRef& ticket : stream->ops.front().after) {
      if (!ticket->is_done) stream = ticket->stream;
      if (!ticket->is_done) break;
    }
  }
  return stream;
}

Stream* Engine::ChooseInTurn() {
  Stream* next = nullptr;
  for (const auto& stream : streams_) {
    if (!MayGoOn(*stream)) continue;
    const bool is_later = stream->handle > turn_;
    if (next == nullptr || (is_later && (next->handle <= turn_ || stream->handle < next->handle))) next = stream.get();
  }
  if (next != nullptr) turn_ = next->handle;
  return next;
}

Stream* Engine::ChooseDrawn() {
  std::vector<Stream*> candidates;
  for (const auto& stream : streams_) {
    if (MayGoOn(*stream)) candidates.push_back(stream.get());
  }
  return candidates.empty() ? nullptr : candidates[Draw(candidates.size())];
}

void Engine::RunFirst(Stream* stream, std::unique_lock<std::mutex>* lock) {
  const Op op = std::move(stream->ops.front());
  stream->ops.pop_front();
  stream->is_running = true;
  num_in_vain_ = 0;
  if (op.host_function != nullptr) {
    Learn(op.actor->clock);
    counters_.Count("host functions");
    lock->unlock();
    is_in_host_function = true;
    op.host_function(op.user_data);
    is_in_host_function = false;
    lock->lock();
  } else if (op.work) {
    cuda::Result result = op.work(op);
    if (++num_run_ == break_at_) result = break_result_;
    if (result != cuda::kSuccess) Break(stream->context, result);
  }
  op.ticket->is_done = true;
  stream->is_running = false;
  changed_.notify_all();
  RemoveIfEnded(stream);
}

}  // namespace geeps::fake
