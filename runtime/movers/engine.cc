// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/engine.h"

#include <poll.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace geeps::movers {

void ProgramWait::Notify() {
  if (!waiting_.load(std::memory_order_seq_cst)) return;
  MutexLock lock(&mutex_);
  cond_.NotifyAll();
}

// The waiter says that it waits, then looks again: whoever changes what it waits for does so before looking whether it
// waits.
bool ProgramWait::Until(uint64_t limit_ns, const std::function<bool()>& done) {
  const bool unlimited = limit_ns >= uint64_t{1} << 62;
  const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(unlimited ? 0 : limit_ns);
  MutexLock lock(&mutex_);
  waiting_.store(true, std::memory_order_seq_cst);
  bool in_time = true;
  while (!done() && in_time) {
    if (unlimited) {
      cond_.Wait(&mutex_);
    } else {
      in_time = cond_.WaitUntil(&mutex_, end);
    }
  }
  waiting_.store(false, std::memory_order_relaxed);
  return in_time || done();
}

Engine::Engine(const Options& options)
    : options_(options),
      log_(options.log),
      completions_([this] { Wake(); }),
      links_((context_.world = options.world, context_.rank = options.rank, &context_), options.endpoint, this),
      pusher_(&context_),
      keeper_(&context_),
      puller_(&context_),
      allocator_(&context_, [this] { program_wait_.Notify(); }),
      reclaimer_(&context_),
      fence_(&context_, &control_, options.endpoint, &epoch_, &shards_) {
  context_.device = options.device;
  context_.links = &links_;
  context_.pusher = &pusher_;
  context_.keeper = &keeper_;
  context_.puller = &puller_;
  context_.log = options.log;
  context_.statistics = &statistics_;
  context_.completions = &completions_;
  context_.fail = [this](const absl::Status& status) { Fail(status); };
}

Engine::~Engine() { Stop(); }

absl::Status Engine::Start() {
  GEEPS_ASSIGN_OR_RETURN(context_.fill_stream, options_.device->CreateStream());
  GEEPS_ASSIGN_OR_RETURN(context_.drain_stream, options_.device->CreateStream());
  GEEPS_ASSIGN_OR_RETURN(context_.keep_stream, options_.device->CreateStream());
  GEEPS_ASSIGN_OR_RETURN(event_fd_, options_.endpoint->EventFd());
  return thread_.Start("geeps-mover", [this] { Run(); });
}

void Engine::Stop() {
  if (!thread_.running()) return;
  stop_.store(true, std::memory_order_seq_cst);
  options_.endpoint->Wake();
  thread_.Join();
  // Work that the device still has to do must find its memory.
  constexpr std::chrono::seconds kDeviceLimit(10);
  if (!completions_.WaitUntilNoneIsDue(kDeviceLimit)) {
    log_->Write(LogLevel::kError, "movers",
                "the device has not ended its work within 10 s; the memory it uses is leaked");
    epoch_.release();
    new cache::ShardMap(std::move(shards_));
  }
}

void Engine::Wake() {
  if (sleeping_.exchange(false, std::memory_order_seq_cst)) options_.endpoint->Wake();
}

void Engine::WakeForProgram() { Wake(); }

void Engine::Post(Mail mail) {
  {
    MutexLock lock(&mutex_);
    mail_.push_back(std::move(mail));
    has_mail_.store(true, std::memory_order_seq_cst);
  }
  Wake();
}

void Engine::Submit(std::shared_ptr<FenceJob> job) {
  Post([this, job = std::move(job)] {
    if (failed()) {
      job->done(failure(), epoch_.get());
    } else {
      fence_.Begin(job);
    }
  });
}

void Engine::OnWelcome(const protocol::Welcome& welcome) {
  Post([this, welcome] { fence_.OnWelcome(welcome); });
}
void Engine::OnGo(const protocol::Go& go) {
  Post([this, go] { fence_.OnGo(go); });
}
void Engine::OnFail(const absl::Status& cause) {
  Post([this, cause] { fence_.OnFail(cause); });
}
void Engine::OnRelay(uint32_t src, uint32_t kind, std::string bytes) {
  Post([this, src, kind, bytes = std::move(bytes)]() mutable { fence_.OnRelay(src, kind, std::move(bytes)); });
}
void Engine::OnDown(const absl::Status& cause) { Latch(cause); }

void Engine::Latch(const absl::Status& cause) {
  {
    MutexLock lock(&mutex_);
    if (!failure_.ok()) return;
    failure_ = Latched(cause);
    failed_.store(true, std::memory_order_seq_cst);
  }
  if (DetailOf(cause).code != Code::kCancelled) log_->Write(LogLevel::kError, "runtime", cause.message());
  program_wait_.Notify();
  Post([this] {
    links_.Silence();
    context_.actions.Clear();
    if (fence_.active()) fence_.OnLatched(failure());
  });
}

absl::Status Engine::failure() const {
  MutexLock lock(&mutex_);
  return failure_;
}

void Engine::Fail(const absl::Status& status) {
  if (reported_ || failed()) return;
  reported_ = true;
  links_.Silence();
  control_.Bye(status);
}

void Engine::OnLinkDown(uint32_t rank, const absl::Status& why) {
  log_->Write(LogLevel::kInfo, "links", why.message());
  if (!reported_) control_.Suspect(rank, why.message());
}

void Engine::Run() {
  while (!stop_.load(std::memory_order_seq_cst)) {
    bool busy = TakeMail();
    // Before anything else is received: messages of one connection are dealt with in their order.
    if (fence_.TakeBegun()) BeginEpoch();
    if (!failed() && !reported_) {
      busy = links_.Poll() || busy;
      busy = TakeCompletions() || busy;
      busy = TakeProgram() || busy;
      busy = RunActions() || busy;
      busy = (fence_.active() && fence_.Step()) || busy;
      busy = !context_.actions.IsEmpty() || busy;
    }
    if (!busy) Sleep();
  }
}

void Engine::Sleep() {
  sleeping_.store(true, std::memory_order_seq_cst);
  const bool lost = failed() || reported_;
  const bool work = has_mail_.load(std::memory_order_seq_cst) || stop_.load(std::memory_order_seq_cst) ||
                    (!lost && (completions_.HasAny() || (epoch_ != nullptr && !epoch_->queue->IsEmpty())));
  if (!work && (lost || options_.endpoint->table().arm(options_.endpoint->get()) == GEEPS_OK)) {
    pollfd descriptor{event_fd_, POLLIN, 0};
    poll(&descriptor, 1, -1);
    if (lost) links_.Poll();  // takes the wake-up; events are dropped
  }
  sleeping_.store(false, std::memory_order_seq_cst);
}

bool Engine::TakeMail() {
  if (!has_mail_.load(std::memory_order_seq_cst)) return false;
  std::deque<Mail> mail;
  {
    MutexLock lock(&mutex_);
    mail.swap(mail_);
    has_mail_.store(false, std::memory_order_seq_cst);
  }
  for (Mail& letter : mail) letter();
  return true;
}

bool Engine::TakeCompletions() {
  if (!completions_.Take(&done_)) return false;
  for (const Done& done : done_) context_.actions.Push(done);
  done_.clear();
  return true;
}

bool Engine::TakeProgram() {
  if (epoch_ == nullptr) return false;
  ProgramEvent event;
  bool any = false;
  while (epoch_->queue->Pop(&event)) {
    OnProgramEvent(event);
    any = true;
  }
  return any;
}

void Engine::OnProgramEvent(const ProgramEvent& event) {
  protocol::Sequencer::Effects effects;
  protocol::Sequencer* const sequencer = epoch_->sequencer.get();
  switch (event.kind) {
    case ProgramEvent::Kind::kPassBegin:
      sequencer->OnPassBegin(event.set_id, &effects);
      break;
    case ProgramEvent::Kind::kTaken:
      sequencer->OnTaken(event.op, &effects);
      break;
    case ProgramEvent::Kind::kPosted:
      sequencer->OnPosted(event.op, &effects);
      break;
    case ProgramEvent::Kind::kSkipped:
      sequencer->OnSkipped(event.op, &effects);
      break;
    case ProgramEvent::Kind::kPassEnd:
      sequencer->OnPassEnd(event.set_id, &effects);
      break;
  }
  for (const protocol::SequencerEffect& effect : effects) context_.actions.Push(effect);
}

bool Engine::RunActions() {
  Action action;
  bool any = false;
  while (!reported_ && context_.actions.Pop(&action)) {
    any = true;
    if (auto* sequenced = std::get_if<protocol::SequencerEffect>(&action)) {
      Execute(*sequenced);
    } else if (auto* contributor = std::get_if<ContributorAction>(&action)) {
      pusher_.Execute(*contributor);
    } else if (auto* keeper = std::get_if<KeeperAction>(&action)) {
      keeper_.Execute(*keeper);
    } else if (auto* subscriber = std::get_if<SubscriberAction>(&action)) {
      puller_.Execute(*subscriber);
    } else if (auto* done = std::get_if<Done>(&action)) {
      Execute(*done);
    } else if (auto* sent = std::get_if<Sent>(&action)) {
      Execute(*sent);
    }
  }
  return any;
}

void Engine::Execute(const protocol::SequencerEffect& effect) {
  switch (effect.kind) {
    case protocol::SequencerEffect::Kind::kFill:
      allocator_.Fill(effect);
      break;
    case protocol::SequencerEffect::Kind::kReady:
      allocator_.MakeReady(effect);
      break;
    case protocol::SequencerEffect::Kind::kUnready:
      allocator_.TakeBack(effect);
      break;
    case protocol::SequencerEffect::Kind::kDrain:
      reclaimer_.Drain(effect);
      break;
    case protocol::SequencerEffect::Kind::kData:
      pusher_.OnData(effect.table, effect.clock, effect.set_id);
      break;
    case protocol::SequencerEffect::Kind::kFire:
      pusher_.OnFire(effect.table, effect.clock, effect.set_id);
      break;
  }
}

void Engine::Execute(const Done& done) {
  if (done.status != GEEPS_OK) {
    StatusDetail detail;
    detail.code = static_cast<Code>(done.status);
    Fail(MakeStatus(detail, "the device failed while it moved data"));
    return;
  }
  switch (done.kind) {
    case Done::Kind::kFill:
      allocator_.OnFilled(done.first, done.second);
      break;
    case Done::Kind::kDrain:
      reclaimer_.OnDrained(done.first, done.second);
      break;
    case Done::Kind::kApply:
      keeper_.OnApplied(done.first);
      break;
    case Done::Kind::kAbsorb:
      puller_.OnAbsorbed(done.first, done.second);
      break;
    case Done::Kind::kGather:
      keeper_.OnGathered(done.first, done.second);
      break;
  }
}

void Engine::Execute(const Sent& sent) {
  if (sent.kind == Sent::Kind::kContribution) {
    pusher_.OnSent(sent.first, sent.second, sent.clock);
  } else if (sent.kind == Sent::Kind::kPublish) {
    keeper_.OnPublishSent(sent.first, sent.second);
  }
}

// Messages of old epochs are late credits; those of the next one wait for its begin.
void Engine::OnMessage(uint32_t rank, uint32_t slot, const protocol::Header& header, uint64_t payload_bytes) {
  if (epoch_ == nullptr || header.epoch != epoch_->number) {
    const bool late =
        epoch_ != nullptr && header.epoch < epoch_->number && header.type == protocol::MessageType::kCredit;
    if (late || fence_.Stash(rank, slot, header, payload_bytes)) return;
    StatusDetail detail;
    detail.code = Code::kData;
    detail.rank = static_cast<int32_t>(rank);
    Fail(MakeStatus(detail, absl::StrCat("rank ", rank, " broke the protocol: a message of epoch ", header.epoch,
                                         " in epoch ", epoch_ == nullptr ? 0 : epoch_->number)));
    return;
  }
  switch (header.type) {
    case protocol::MessageType::kContribution:
      keeper_.OnContributionMessage(rank, slot, header, payload_bytes);
      break;
    case protocol::MessageType::kFire:
      keeper_.OnFire(rank, header);
      break;
    case protocol::MessageType::kPublish:
      puller_.OnPublishMessage(rank, slot, header, payload_bytes);
      break;
    case protocol::MessageType::kCredit:
      keeper_.OnCredit(rank, header);
      break;
  }
}

void Engine::OnNotified() {
  if (epoch_ == nullptr) return;
  for (uint32_t t = 0; t < epoch_->tables.size(); ++t) {
    if (epoch_->tables[t].mapped) keeper_.ScanFired(t);
  }
  puller_.ScanAges();
}

void Engine::BeginEpoch() {
  for (const Fence::Early& early : fence_.TakeEarly()) {
    OnMessage(early.rank, early.slot, early.header, early.payload_bytes);
  }
  OnNotified();
}

}  // namespace geeps::movers
