// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/engine.h"

#include <poll.h>

#include <chrono>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/movers/wait_sites.h"

namespace geeps::movers {

Engine::Engine(const Options& options)
    : options_(options),
      log_(options.log),
      clock_(options.first_clock),
      context_(options.rank, options.world),
      completions_(std::make_unique<Completions>([this] { Wake(); })),
      links_(&context_, options.endpoint, this),
      pusher_(&context_),
      keeper_(&context_),
      puller_(&context_),
      inquiry_(&context_),
      allocator_(&context_, [this] { program_wait_.Notify(); }),
      reclaimer_(&context_),
      stager_(&context_, [this] { program_wait_.Notify(); }),
      row_calls_(&context_, &control_, [this](std::function<void()> what) { PostUnlessLost(std::move(what)); }),
      fence_(&context_, &control_, options.endpoint, &row_calls_, &epoch_, &shards_),
      no_memory_(Latched(MakeStatus(Code::kNoMemory, absl::StrCat("rank ", options.rank, " found no memory left")))) {
  context_.device = options.device;
  context_.links = &links_;
  context_.pusher = &pusher_;
  context_.keeper = &keeper_;
  context_.puller = &puller_;
  context_.rows = &row_calls_;
  context_.stager = &stager_;
  context_.limits = options.limits;
  context_.log = options.log;
  context_.statistics = &statistics_;
  context_.trace = options.trace;
  context_.completions = completions_.get();
  context_.fail = [this](const absl::Status& status) { Fail(status); };
}

absl::Status Engine::Start() {
  for (MoverStream* stream : {&context_.fill_stream, &context_.drain_stream, &context_.keep_stream, &context_.stage_in,
                              &context_.stage_out}) {
    GEEPS_RETURN_IF_ERROR(stream->Create(*options_.device, completions_.get()));
  }
  context_.device_home = {options_.device, &context_.keep_stream.stream(), nullptr};
  context_.host_home = context_.device_home;
  if (options_.host_device != options_.device) {
    GEEPS_RETURN_IF_ERROR(context_.host_keep_stream.Create(*options_.host_device, completions_.get()));
    context_.host_home = {options_.host_device, &context_.host_keep_stream.stream(), options_.device};
  }
  GEEPS_ASSIGN_OR_RETURN(event_fd_, options_.endpoint->EventFd());
  return thread_.Start("geeps-mover", [this] { Run(); });
}

void Engine::Stop() {
  if (!thread_.running()) return;
  stop_.store(true, std::memory_order_seq_cst);
  options_.endpoint->Wake();
  thread_.Join();
  // The device may still have notices to give: they are counted, but must not wake an endpoint that is being closed.
  completions_->Detach();
  // Peers may write into slots, and a transport read what it sends, until the endpoint is closed; then the memory may
  // go.
  options_.endpoint->Reset();
  bool taken = false;
  while (!taken) {  // a letter that finds no memory is gone
    taken = CatchOutOfMemory([this] {
              TakeMail();
              return absl::OkStatus();
            }).ok();
  }
  EndCalls(failed() ? failure() : MakeStatus(Code::kCancelled, "the runtime was destroyed"));
  // Work that the device still has to do must find its memory.
  constexpr std::chrono::seconds kDeviceLimit(10);
  if (!completions_->WaitUntilNoneIsDue(kDeviceLimit)) {
    log_->Write(LogLevel::kError, "movers",
                "the device has not ended its work within 10 s; the memory it uses is leaked");
    (void)completions_.release();
    (void)epoch_.release();
    new cache::ShardMap(std::move(shards_));
  }
}

void Engine::Wake() {
  if (sleeping_.exchange(false, std::memory_order_seq_cst)) options_.endpoint->Wake();
}

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

void Engine::PostUnlessLost(Mail mail) {
  Post([this, mail = std::move(mail)] {
    if (!lost()) mail();
  });
}

void Engine::OnWelcome(const protocol::Welcome& welcome) {
  PostUnlessLost([this, welcome] { fence_.OnWelcome(welcome); });
}
void Engine::OnGo(const protocol::Go& go) {
  PostUnlessLost([this, go] { fence_.OnGo(go); });
}
void Engine::OnFail(const absl::Status& cause) {
  PostUnlessLost([this, cause = Detached(cause)] { fence_.OnFail(cause); });
}
void Engine::OnRelay(uint32_t src, uint32_t kind, std::string bytes) {
  PostUnlessLost([this, src, kind, bytes = std::move(bytes)] {
    if (kind == kRelayRows) {
      row_calls_.OnRelay(src, bytes);
    } else {
      fence_.OnRelay(src, kind, bytes);
    }
  });
}
void Engine::Latch(const absl::Status& cause) noexcept {
  {
    MutexLock lock(&mutex_);
    if (!failure_.ok()) return;
    failure_ = Latched(cause);
    if (!DetailOf(failure_).latched) failure_ = no_memory_;
    failed_.store(true, std::memory_order_seq_cst);
  }
  if (DetailOf(cause).code != Code::kCancelled) log_->Write(LogLevel::kError, "runtime", cause.message());
  program_wait_.NotifyFailure();
  Wake();
}

void Engine::EndWork() noexcept {
  work_ended_ = true;
  links_.Silence();
  context_.actions.Clear();
  // What a device was given must be waited for, also where the turn was left half done.
  CatchOutOfMemory([this] { return context_.Flush(); }).IgnoreError();
  EndCalls(failure());
}

void Engine::EndCalls(const absl::Status& cause) noexcept {
  if (fence_.active()) fence_.OnLatched(cause);
  row_calls_.OnLatched(cause);
}

void Engine::Get(std::shared_ptr<RowsGet> get) {
  Post([this, get = std::move(get)] {
    if (failed()) {
      get->done(failure());
    } else {
      row_calls_.Get(get);
    }
  });
}

void Engine::GiveUp(std::shared_ptr<RowsGet> get) noexcept {
  CatchOutOfMemory([&] {
    Post([this, get = std::move(get)] { row_calls_.GiveUp(get); });
    return absl::OkStatus();
  }).IgnoreError();
}

absl::Status Engine::failure() const noexcept {
  MutexLock lock(&mutex_);
  return Detached(failure_);
}

Code Engine::failure_code() const {
  MutexLock lock(&mutex_);
  return DetailOf(failure_).code;
}

absl::Status Engine::Meet(const net::ControlOptions& options) {
  GEEPS_RETURN_IF_ERROR(control_.Begin(options, this));
  met_.store(true, std::memory_order_seq_cst);
  // Lost in the meantime: nobody else has been told yet.
  if (failed()) control_.Bye(failure());
  return absl::OkStatus();
}

void Engine::Bye(const absl::Status& cause) noexcept {
  if (met_.load(std::memory_order_seq_cst)) control_.Bye(cause);
}

void Engine::Fail(const absl::Status& status) {
  if (lost()) return;
  reported_ = true;
  links_.Silence();
  if (met_.load(std::memory_order_seq_cst)) {
    control_.Bye(status);
  } else {
    Latch(status);
  }
}

void Engine::OnOutOfMemory() noexcept {
  if (!lost()) Bye(no_memory_);
  reported_ = true;
  Latch(no_memory_);
}

void Engine::OnLinkDown(uint32_t rank, const absl::Status& why) {
  log_->Write(LogLevel::kInfo, "links", why.message());
  if (!reported_ && met_.load(std::memory_order_seq_cst)) control_.Suspect(rank, why.message());
}

void Engine::Run() {
  while (!stop_.load(std::memory_order_seq_cst)) {
    try {
      if (!Turn()) Sleep();
    } catch (const std::exception&) {  // std::bad_alloc: nothing of geeps has exceptions of its own
      OnOutOfMemory();
    }
  }
}

bool Engine::Turn() {
  bool busy = TakeMail();
  if (failed() && !work_ended_) EndWork();
  if (lost()) return busy;
  // Before anything else is received: messages of one connection are dealt with in their order.
  if (fence_.TakeBegun()) BeginEpoch();
  busy = links_.Poll() || busy;
  busy = TakeCompletions() || busy;
  busy = TakeProgram() || busy;
  busy = RunActions() || busy;
  busy = (fence_.active() && fence_.Step()) || busy;
  return !context_.actions.IsEmpty() || busy;
}

void Engine::Sleep() {
  sleeping_.store(true, std::memory_order_seq_cst);
  const bool lost = this->lost();
  const bool work = has_mail_.load(std::memory_order_seq_cst) || stop_.load(std::memory_order_seq_cst) ||
                    (failed() && !work_ended_) || (!lost && (completions_->HasAny() || CanTakeProgram()));
  if (!work && (lost || options_.endpoint->table().arm(options_.endpoint->get()) == GEEPS_OK)) {
    pollfd descriptor{event_fd_, POLLIN, 0};
    poll(&descriptor, 1, -1);
    if (lost) links_.Poll();  // takes the wake-up; events are dropped
  }
  sleeping_.store(false, std::memory_order_seq_cst);
}

// One letter at a time: an exception in one leaves the others where they are.
bool Engine::TakeMail() {
  if (!has_mail_.load(std::memory_order_seq_cst)) return false;
  while (true) {
    Mail letter;
    {
      MutexLock lock(&mutex_);
      if (mail_.empty()) {
        has_mail_.store(false, std::memory_order_seq_cst);
        return true;
      }
      letter = std::move(mail_.front());
      mail_.pop_front();
    }
    letter();
  }
}

bool Engine::TakeCompletions() {
  if (!completions_->Take(&done_)) return false;
  for (const Done& done : done_) context_.actions.Push(done);
  done_.clear();
  return true;
}

bool Engine::TakeProgram() {
  if (epoch_ == nullptr) return false;
  ProgramEvent event;
  bool any = false;
  while (!context_.program_is_held && epoch_->queue->Pop(&event)) {
    any = true;
    if (event.in_stream) {
      Hold(event);
    } else {
      OnProgramEvent(event);
    }
  }
  return any;
}

bool Engine::CanTakeProgram() const {
  return epoch_ != nullptr && !context_.program_is_held && !epoch_->queue->IsEmpty();
}

// Streams work in order: what the program did later is seldom over earlier.
void Engine::Hold(const ProgramEvent& event) {
  const device::Event& posted = epoch_->plans[event.set_id].posted[event.op];
  const absl::StatusOr<bool> is_over = posted.IsComplete();
  if (is_over.ok() && *is_over) return OnProgramEvent(event);
  held_ = event;
  context_.program_is_held = true;
  if (!context_.Check(is_over.status())) return;
  Completions::Notice* const notice = completions_->New();
  notice->ends.push_back({Done::Kind::kPosted, event.set_id, event.op});
  context_.Check(completions_->AskFor(kWaitForProgram, posted, notice));
}

void Engine::OnProgramEvent(const ProgramEvent& event) {
  protocol::Sequencer::Effects effects;
  protocol::Sequencer* const sequencer = epoch_->sequencer.get();
  switch (event.kind) {
    case ProgramEvent::Kind::kPassBegin:
      sequencer->OnPassBegin(event.set_id, &effects);
      stager_.OnPassBegin(event.set_id, sequencer->pass());
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
    case ProgramEvent::Kind::kLocalAwaited:
      stager_.OnAwaited(event.op);
      break;
    case ProgramEvent::Kind::kLocalPosted:
      stager_.OnPosted(event.op);
      break;
    case ProgramEvent::Kind::kPassEnd:
      stager_.OnPassEnd();
      sequencer->OnPassEnd(event.set_id, &effects);
      break;
  }
  context_.Queue(effects);
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
  context_.Check(context_.Flush());
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
    static constexpr const char* kWork[] = {"filling an access buffer",
                                            "draining an update",
                                            "applying a clock",
                                            "absorbing a version",
                                            "gathering a publish",
                                            "copying a contribution to the device",
                                            "copying a contribution to the host",
                                            "the program's own work",
                                            "filling an access buffer",
                                            "filling an access buffer",
                                            "fetching local data",
                                            "writing local data back"};
    const char* const work = kWork[static_cast<int>(done.kind)];
    Fail(MakeStatus(detail, absl::StrCat("the device failed (", CodeName(done.status), ") while ", work)));
    return;
  }
  context_.TraceDone(done);
  switch (done.kind) {
    case Done::Kind::kFill:
    case Done::Kind::kFillPut:
      allocator_.OnFilled(done.first, done.second);
      break;
    case Done::Kind::kDrain:
      reclaimer_.OnDrained(done.first, done.second, done.clock);
      break;
    case Done::Kind::kApply:
      keeper_.OnApplied(done.first, done.second, done.clock);
      break;
    case Done::Kind::kAbsorb:
      if (done.position != 0 && context_.fill_order.OnEnd(done.position)) program_wait_.Notify();
      puller_.OnAbsorbed(done.first, done.second);
      break;
    case Done::Kind::kGather:
      keeper_.OnGathered(done.first, done.second);
      break;
    case Done::Kind::kUpload:
      break;  // the step that uses it stands behind it
    case Done::Kind::kPosted:
      context_.program_is_held = false;
      OnProgramEvent(held_);
      break;
    case Done::Kind::kDownload:
      pusher_.OnDownloaded(done.first, done.second, done.clock);
      break;
    case Done::Kind::kFillEnd:
      if (context_.fill_order.OnEnd(done.position)) program_wait_.Notify();
      break;
    case Done::Kind::kFetch:
      stager_.OnFetched();
      break;
    case Done::Kind::kWriteBack:
      stager_.OnWrittenBack();
      break;
  }
}

void Engine::Execute(const Sent& sent) {
  context_.TraceSent(sent);
  if (sent.kind == Sent::Kind::kContribution) {
    pusher_.OnSent(sent.first, sent.second, sent.clock);
  } else if (sent.kind == Sent::Kind::kPublish) {
    keeper_.OnPublishSent(sent.first, sent.second);
  }
}

// Messages of old epochs are late credits, marks or questions; those of the next one wait for its begin.
void Engine::OnMessage(uint32_t rank, uint32_t slot, const protocol::Header& header, uint64_t payload_bytes) {
  const uint64_t own = epoch_ == nullptr ? 0 : epoch_->number;
  switch (protocol::JudgeEpoch(header.type, header.epoch, own)) {
    case protocol::EpochVerdict::kTake:
      break;
    case protocol::EpochVerdict::kDrop:
      return;
    case protocol::EpochVerdict::kWait:
      if (fence_.Stash(rank, slot, header, payload_bytes)) return;
      [[fallthrough]];
    case protocol::EpochVerdict::kRefuse:
      return RefuseMessage(rank, absl::StrCat("a message of epoch ", header.epoch, " in epoch ", own));
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
    case protocol::MessageType::kWho:
      keeper_.OnWho(rank, header);
      break;
    case protocol::MessageType::kMissing:
      inquiry_.OnMissing(rank, header);
      break;
    case protocol::MessageType::kGet:
    case protocol::MessageType::kGot:
    case protocol::MessageType::kSet:
    case protocol::MessageType::kAck:
      RefuseMessage(rank, absl::StrCat("a message of type ", static_cast<int>(header.type), " on a data connection"));
      break;
  }
}

void Engine::RefuseMessage(uint32_t rank, const std::string& text) {
  StatusDetail detail;
  detail.code = Code::kData;
  detail.rank = static_cast<int32_t>(rank);
  Fail(MakeStatus(detail, absl::StrCat("rank ", rank, " broke the protocol: ", text)));
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
