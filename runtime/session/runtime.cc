// SPDX-License-Identifier: Apache-2.0
#include "runtime/session/runtime.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "runtime/base/status.h"
#include "runtime/movers/wait_sites.h"
#include "runtime/plan/declaration.h"
#include "runtime/session/open_device.h"

namespace geeps::session {
namespace {

// Of a link that the back end does not know: a PCIe slot's.
constexpr uint64_t kLinkBytesPerS = 10'000'000'000;
constexpr uint64_t kLinkLatencyNs = 10'000;

movers::MemoryLimits LimitsOf(const Config& config, const geeps_dev_info& info) {
  movers::MemoryLimits limits;
  limits.device_bytes = config.device_memory;
  limits.link.in_bytes_per_s = info.upload_bandwidth > 0 ? info.upload_bandwidth : kLinkBytesPerS;
  limits.link.out_bytes_per_s = info.download_bandwidth > 0 ? info.download_bandwidth : kLinkBytesPerS;
  limits.link.latency_ns = info.link_latency_ns > 0 ? info.link_latency_ns : kLinkLatencyNs;
  return limits;
}

movers::Engine::Options EngineOptions(const Config& config, const device::Device* device,
                                      const device::Device* host_device, net::Endpoint* endpoint, Log* log,
                                      TraceWriter* trace) {
  movers::Engine::Options options;
  options.rank = config.rank;
  options.world = config.world;
  options.first_clock = config.first_clock;
  options.device = device;
  options.host_device = host_device != nullptr ? host_device : device;
  options.endpoint = endpoint;
  options.log = log;
  options.trace = trace != nullptr ? trace->trace() : nullptr;
  options.limits = LimitsOf(config, device->info());
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Runtime>> Runtime::Create(const Config& config, Log::Callback callback, void* log_user) {
  auto log = std::make_unique<Log>(config.log_level, callback, log_user);
  auto plugins = std::make_unique<net::PluginRegistry>(log.get(), config.plugin_path);
  Open open;
  GEEPS_ASSIGN_OR_RETURN(open.device, OpenDevice(plugins.get(), log.get(), config.device));
  if (!open.device->is_synchronous()) {
    GEEPS_ASSIGN_OR_RETURN(open.host_device, device::Open("host"));
  }
  if (!config.skipped_wait.empty()) {
    GEEPS_RETURN_IF_ERROR(movers::CheckWaitSite(config.skipped_wait));
    open.device->SkipWait(config.skipped_wait);
  }
  GEEPS_ASSIGN_OR_RETURN(const net::Transport transport, net::OpenTransport(plugins.get(), config.transport));
  net::Endpoint::Options endpoint;
  endpoint.rank = config.rank;
  endpoint.payload_max = table::kRowBytesMax;
  endpoint.bind_address = config.advertise;
  // Heartbeats pass beside the data: a connection that carries rows may be dead while they come.
  endpoint.silence_ns = config.heartbeat_ms * 1'000'000;
  if (!config.port.empty()) endpoint.transport_options.emplace_back("port", config.port);
  // Workers may name the rendezvous in different ways. Jobs are told apart by the number that the coordinator draws,
  // which every connection says (movers/links.cc).
  endpoint.job = "geeps";
  GEEPS_ASSIGN_OR_RETURN(open.endpoint, net::Endpoint::Create(transport, endpoint));
  if (!config.trace.empty()) {
    GEEPS_ASSIGN_OR_RETURN(open.trace, TraceWriter::Create(config.trace, config.rank, log.get()));
  }
  std::unique_ptr<Runtime> runtime(new Runtime(config, std::move(log), std::move(plugins), std::move(open)));
  GEEPS_RETURN_IF_ERROR(runtime->engine_.Start());
  if (!config.stats.empty()) {
    GEEPS_ASSIGN_OR_RETURN(
        runtime->statistics_writer_,
        StatisticsWriter::Create(
            config.stats, [r = runtime.get()](bool ended) { return r->StatsJson(ended); }, &runtime->log_));
  }
  runtime->log_.Debug("runtime", "rank ", config.rank, " of ", config.world, ", device ", config.device, ", transport ",
                      config.transport, config.rendezvous.empty() ? "" : ", rendezvous ", config.rendezvous);
  return runtime;
}

Runtime::Runtime(const Config& config, std::unique_ptr<Log> log, std::unique_ptr<net::PluginRegistry> plugins,
                 Open open)
    : config_(config),
      log_owner_(std::move(log)),
      log_(*log_owner_),
      plugins_owner_(std::move(plugins)),
      plugins_(*plugins_owner_),
      trace_(std::move(open.trace)),
      endpoint_(std::move(open.endpoint)),
      device_(std::move(open.device)),
      host_device_(std::move(open.host_device)),
      engine_(EngineOptions(config_, device_.get(), host_device_.get(), &endpoint_, &log_, trace_.get())),
      walk_(&engine_, config_.wait_warning_ms * 1000000),
      partitions_(std::make_shared<table::PartitionMap>(config.world)) {}

// Without a shutdown the others are told why this worker ends. Needs no memory.
Runtime::~Runtime() {
  statistics_writer_ = nullptr;
  if (call_ != nullptr && call_->request->done()) CatchOutOfMemory([this] { return Settle(); }).IgnoreError();
  if (state_ == State::kStarted && !engine_.failed()) {
    StatusDetail detail;
    detail.code = Code::kPeerLost;
    detail.rank = static_cast<int32_t>(config_.rank);
    detail.clock = clock();
    engine_.Bye(MakeStatus(detail, "its program destroyed the runtime without a shutdown"));
  }
  engine_.StopControl();
  engine_.Latch(MakeStatus(Code::kCancelled, "the runtime was destroyed"));
  engine_.Stop();
}

absl::Status Runtime::Settle() {
  if (engine_.failed()) return engine_.failure();
  if (call_ == nullptr) return absl::OkStatus();
  if (!call_->request->done()) return WrongState("a long call is under way: wait for its request first");
  if (call_->request->status().ok()) GEEPS_RETURN_IF_ERROR(TakeEffect(*call_));
  call_ = nullptr;
  return absl::OkStatus();
}

// May be repeated when memory ran out on the way.
absl::Status Runtime::TakeEffect(const Call& call) {
  switch (call.job->kind) {
    case movers::FenceJob::Kind::kStart:
      state_ = State::kStarted;
      break;
    case movers::FenceJob::Kind::kShutdown:
      state_ = State::kShutDown;
      break;
    case movers::FenceJob::Kind::kFence:
      if (call.job->began_epoch) GEEPS_RETURN_IF_ERROR(AttachWalk(call.epoch));
      break;
    case movers::FenceJob::Kind::kCommit: {
      MutexLock lock(&objects_mutex_);
      partitions_ = call.job->partitions;
      for (const auto& [object, index] : call.map_index) {
        tables_[object]->placed = true;
        tables_[object]->map_index = index;
      }
      for (const auto& [object, data] : call.locals) locals_[object]->data = data;
      commit_job_ = call.job;
      commit_serials_ = call.serials;
      GEEPS_RETURN_IF_ERROR(AttachWalk(call.epoch));
      committed_ = true;
      break;
    }
  }
  return absl::OkStatus();
}

absl::Status Runtime::AttachWalk(movers::Epoch* epoch) {
  walk_.Attach(epoch, commit_serials_, commit_job_->plans);
  for (const auto& [object, table] : tables_) GEEPS_RETURN_IF_ERROR(walk_.SetParams(object, table->params));
  return absl::OkStatus();
}

absl::Status Runtime::NeedStarted() {
  GEEPS_RETURN_IF_ERROR(Settle());
  if (state_ == State::kCreated) return WrongState("the runtime is not started: geeps_runtime_start comes first");
  if (state_ == State::kShutDown) return WrongState("the runtime is shut down");
  if (walk_.in_pass()) return WrongState("a pass is under way; end it first");
  if (get_ != nullptr && !get_->done()) return WrongState("a get is under way: wait for its request first");
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Request>> Runtime::Submit(std::shared_ptr<movers::FenceJob> job,
                                                         std::unique_ptr<Call> call) {
  auto request = std::make_shared<Request>();
  GEEPS_RETURN_IF_ERROR(request->Open());
  call->request = request;
  call->job = job;
  job->clock = clock();
  job->done = [request, call = call.get()](const absl::Status& status, movers::Epoch* epoch) {
    if (status.ok()) call->epoch = epoch;
    request->Complete(status);
  };
  engine_.Submit(std::move(job));  // the last that may fail
  call_ = std::move(call);
  return request;
}

absl::StatusOr<std::shared_ptr<Request>> Runtime::Start() {
  GEEPS_RETURN_IF_ERROR(Settle());
  if (state_ != State::kCreated) return WrongState("the runtime is started already");
  net::ControlOptions options;
  options.rank = config_.rank;
  options.world = config_.world;
  options.rendezvous = config_.rendezvous;
  options.listen_address = config_.advertise;
  options.listen_ports = config_.rendezvous_ports;
  options.job = "geeps";
  options.transport = endpoint_.transport().name;
  GEEPS_ASSIGN_OR_RETURN(options.transport_address, endpoint_.Address());
  options.start_limit = std::chrono::seconds(config_.start_limit_s);
  options.heartbeat_limit = std::chrono::milliseconds(config_.heartbeat_ms);
  options.clock = engine_.clock();
  options.log = &log_;
  auto job = std::make_shared<movers::FenceJob>();
  job->kind = movers::FenceJob::Kind::kStart;
  GEEPS_ASSIGN_OR_RETURN(std::shared_ptr<Request> request, Submit(job, std::make_unique<Call>()));
  const absl::Status begun = CatchOutOfMemory([&] { return engine_.Meet(options); });
  if (!begun.ok()) engine_.Latch(begun);
  return request;
}

absl::StatusOr<std::shared_ptr<Request>> Runtime::FenceAll() {
  GEEPS_RETURN_IF_ERROR(NeedStarted());
  auto job = std::make_shared<movers::FenceJob>();
  job->kind = movers::FenceJob::Kind::kFence;
  if (commit_job_ != nullptr) {  // sets may make it begin an epoch
    job->layout = commit_job_->layout;
    job->plans = commit_job_->plans;
    job->partitions = commit_job_->partitions;
    job->locals = commit_job_->locals;
    job->slacks = commit_job_->slacks;
  }
  return Submit(std::move(job), std::make_unique<Call>());
}

absl::StatusOr<std::shared_ptr<Request>> Runtime::Shutdown() {
  GEEPS_RETURN_IF_ERROR(NeedStarted());
  auto job = std::make_shared<movers::FenceJob>();
  job->kind = movers::FenceJob::Kind::kShutdown;
  return Submit(std::move(job), std::make_unique<Call>());
}

absl::StatusOr<std::shared_ptr<Request>> Runtime::Commit(const std::vector<Plan*>& plans) {
  GEEPS_RETURN_IF_ERROR(NeedStarted());
  auto call = std::make_unique<Call>();
  GEEPS_ASSIGN_OR_RETURN(std::shared_ptr<movers::FenceJob> job, MakeCommit(plans, call.get()));
  return Submit(std::move(job), std::move(call));
}

void Runtime::Abort(absl::string_view text) {
  if (engine_.failed()) return;
  StatusDetail detail;
  detail.code = Code::kAborted;
  detail.rank = static_cast<int32_t>(config_.rank);
  detail.clock = clock();
  const absl::Status cause = MakeStatus(detail, text.empty() ? "the program aborted the job" : text);
  engine_.Bye(cause);
  engine_.Latch(cause);
}

absl::StatusOr<Walk*> Runtime::ReadyWalk() {
  GEEPS_RETURN_IF_ERROR(Settle());
  if (!committed_) return WrongState("no plan is committed: geeps_commit comes first");
  if (state_ == State::kShutDown) return WrongState("the runtime is shut down");
  return &walk_;
}

}  // namespace geeps::session
