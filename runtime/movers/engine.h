// SPDX-License-Identifier: Apache-2.0
// Engine: the mover thread of one runtime. It takes in what the program did, what peers sent, what the device finished
// and what the coordinator said, feeds the machines of the protocol, and lets the movers execute their answers until
// nothing is left to do; then it sleeps on the transport's descriptor.
// Thread contract: Start and Stop by the owner;
// everything marked [any-thread] from anywhere; the rest on the mover thread.
#ifndef GEEPS_RUNTIME_MOVERS_ENGINE_H_
#define GEEPS_RUNTIME_MOVERS_ENGINE_H_

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/base/log.h"
#include "runtime/base/mutex.h"
#include "runtime/base/thread.h"
#include "runtime/movers/allocator.h"
#include "runtime/movers/context.h"
#include "runtime/movers/fence.h"
#include "runtime/movers/inquiry.h"
#include "runtime/movers/keeper.h"
#include "runtime/movers/links.h"
#include "runtime/movers/program_wait.h"
#include "runtime/movers/puller.h"
#include "runtime/movers/pusher.h"
#include "runtime/movers/row_calls.h"
#include "runtime/movers/stager.h"
#include "runtime/net/control.h"

namespace geeps::movers {

class Engine final : public net::ControlEvents, public LinkEvents {
 public:
  struct Options {
    uint32_t rank = 0;
    uint32_t world = 1;
    protocol::Clock first_clock = 0;
    const device::Device* device = nullptr;
    const device::Device* host_device = nullptr;  // the same where that is the host
    net::Endpoint* endpoint = nullptr;
    Log* log = nullptr;
    Trace* trace = nullptr;  // nullptr: none is wanted
    MemoryLimits limits;
  };

  explicit Engine(const Options& options);
  ~Engine() override { Stop(); }

  absl::Status Start();
  // Bounded. Closes the endpoint. The control plane must have been stopped.
  void Stop();

  // [any-thread]
  void Submit(std::shared_ptr<FenceJob> job);
  // [any-thread] The runtime is lost because of `cause`: everybody who waits is woken, every later job ends with it.
  // The first cause stays. Needs no memory.
  void Latch(const absl::Status& cause) noexcept;
  // [any-thread] OK, or the cause, marked as latched; OutOfMemory() when there is no memory for it.
  absl::Status failure() const noexcept;
  // [any-thread] Of the cause. Needs no memory.
  Code failure_code() const;
  // [any-thread]
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  // [any-thread] The program has waited long for an operation: the log will say whose contributions are missing.
  void AskWhoIsMissing(uint32_t set_id, uint32_t op, protocol::Clock clock, std::string what) {
    PostUnlessLost([this, set_id, op, clock, what = std::move(what)] { inquiry_.Ask(set_id, op, clock, what); });
  }
  // [any-thread] It has waited on: if nobody has answered by now the log says so.
  void SayWhoDoesNotAnswer() {
    PostUnlessLost([this] { inquiry_.OnNoAnswer(); });
  }
  // [any-thread] The program has put something into its queue that matters now.
  void WakeForProgram() { Wake(); }
  // [any-thread] Rows outside plans (R12). A lost runtime answers gets with its cause.
  void Set(RowsSet set) {
    Post([this, set = std::make_shared<RowsSet>(std::move(set))] { row_calls_.Set(std::move(*set)); });
  }
  void Get(std::shared_ptr<RowsGet> get);
  // For want of memory it is given up when the next get begins.
  void GiveUp(std::shared_ptr<RowsGet> get) noexcept;
  ProgramWait* program_wait() { return &program_wait_; }
  Statistics* statistics() { return &statistics_; }
  const Statistics& statistics() const { return statistics_; }
  Trace* trace() const { return options_.trace; }
  uint64_t clock_value() const { return clock_.load(std::memory_order_relaxed); }
  std::atomic<uint64_t>* clock() { return &clock_; }
  // Meets the other workers; OnWelcome or OnDown follows. Once. Errors: those of net::ControlPlane::Begin.
  absl::Status Meet(const net::ControlOptions& options);
  // [any-thread] Ends the job for all because of `cause`, if this worker is in one. Needs no memory.
  void Bye(const absl::Status& cause) noexcept;
  // Ends the control plane: no call of ControlEvents follows.
  void StopControl() { control_.Stop(); }

  // net::ControlEvents, on the control thread.
  void OnWelcome(const protocol::Welcome& welcome) override;
  void OnGo(const protocol::Go& go) override;
  void OnFail(const absl::Status& cause) override;
  void OnRelay(uint32_t src, uint32_t kind, std::string bytes) override;
  void OnDown(const absl::Status& cause) override { Latch(cause); }

  // LinkEvents, on the mover thread.
  void OnMessage(uint32_t rank, uint32_t slot, const protocol::Header& header, uint64_t payload_bytes) override;
  void OnNotified() override;
  void OnLinkDown(uint32_t rank, const absl::Status& why) override;

 private:
  using Mail = std::function<void()>;

  void Run();
  // One round; true when something was done.
  bool Turn();
  // For want of memory a round was left half done: the runtime is lost.
  void OnOutOfMemory() noexcept;
  // The runtime is lost: whoever waits for a long call hears it. Once.
  void EndWork() noexcept;
  // An own error was told, or the verdict is there: nothing is processed any more. On the mover thread.
  bool lost() const { return reported_ || failed(); }
  void PostUnlessLost(Mail mail);
  void Sleep();
  void Wake();
  void Post(Mail mail);
  bool TakeMail();
  bool TakeCompletions();
  bool TakeProgram();
  bool RunActions();
  void Execute(const protocol::SequencerEffect& effect);
  void Execute(const Done& done);
  void Execute(const Sent& sent);
  bool CanTakeProgram() const;
  void Hold(const ProgramEvent& event);
  void OnProgramEvent(const ProgramEvent& event);
  void BeginEpoch();
  void EndCalls(const absl::Status& cause) noexcept;
  // An error of this worker: told to the coordinator, whose verdict latches.
  void Fail(const absl::Status& status);
  void RefuseMessage(uint32_t rank, const std::string& text);

  const Options options_;
  Log* const log_;
  std::atomic<uint64_t> clock_;
  Statistics statistics_;
  std::atomic<bool> failed_{false};
  ProgramWait program_wait_{&failed_};
  net::ControlPlane control_;

  MoverContext context_;
  std::unique_ptr<Completions> completions_;
  Links links_;
  Pusher pusher_;
  Keeper keeper_;
  Puller puller_;
  Inquiry inquiry_;
  Allocator allocator_;
  Reclaimer reclaimer_;
  Stager stager_;
  RowCalls row_calls_;
  std::unique_ptr<Epoch> epoch_;
  ProgramEvent held_;  // while context_.program_is_held
  cache::ShardMap shards_;
  Fence fence_;
  std::vector<Done> done_;
  bool reported_ = false;    // an own error was told to the coordinator
  bool work_ended_ = false;  // EndWork was done

  const absl::Status no_memory_;  // made while there is some

  std::atomic<bool> met_{false};  // the control plane has begun
  std::atomic<bool> stop_{false};
  std::atomic<bool> sleeping_{false};
  mutable Mutex mutex_;
  absl::Status failure_ GEEPS_GUARDED_BY(mutex_);
  std::deque<Mail> mail_ GEEPS_GUARDED_BY(mutex_);
  std::atomic<bool> has_mail_{false};
  int event_fd_ = -1;
  Thread thread_;
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_ENGINE_H_
