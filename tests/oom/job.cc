// SPDX-License-Identifier: Apache-2.0
#include "tests/oom/job.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <thread>

namespace geeps::oom_test {
namespace {

using test::Inside;
using test::Outside;
using test::Resource;

// An attempt takes less than a second, with the loss of a peer by silence less than three.
constexpr std::chrono::seconds kLimit(30);
// A destroy takes 0.25 s at most when nobody hangs.
constexpr std::chrono::seconds kDestroyLimit(5);
constexpr int kPollLimitMs = 20000;

bool IsReadable(int fd) {
  pollfd descriptor{fd, POLLIN, 0};
  return poll(&descriptor, 1, kPollLimitMs) == 1;
}

void IgnoreLine(void*, int32_t, const char*, const char*, uint64_t) {}

// Takes a status apart that is not GEEPS_OK.
std::string Describe(const char* what, geeps_status status, const geeps_error& err) {
  return std::string(what) + " returned " + geeps_status_name(status) + " (rank " + std::to_string(err.rank) +
         ", errno " + std::to_string(err.native_code) + (err.flags & GEEPS_ERROR_LATCHED ? ", latched" : "") +
         "): " + err.message;
}

}  // namespace

uint32_t Worker::world() const { return job_->setup().world; }

bool Worker::Complain(const std::string& text) {
  complaints_ += "rank " + std::to_string(rank_) + ": " + text + "\n";
  return false;
}

bool Worker::IsLost() {
  if (rt_ == nullptr) return false;
  geeps_info info;
  std::memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  geeps_status status;
  {
    const Inside inside;
    status = geeps_runtime_get_info(rt_, &info, nullptr);
  }
  if (status != GEEPS_OK) {
    Complain(std::string("geeps_runtime_get_info, which always answers, returned ") + geeps_status_name(status));
  }
  return info.failure != GEEPS_OK;
}

// What a call may return: success; no memory (no descriptor), which changes nothing unless the worker is lost; or the
// loss of the job, which names a worker that ran out.
Worker::Verdict Worker::Judge(const char* what, geeps_status status, const geeps_error& err) {
  if (status == GEEPS_OK) return Verdict::kDone;
  const Resource resource = job_->fault().resource;
  // Of a descriptor whoever asked is told by errno, the others by its rank. A start looks for the others again and
  // again, so that it may end by its limit.
  const bool no_descriptor = resource == Resource::kDescriptor &&
                             ((status == GEEPS_E_IO && (err.native_code == EMFILE || err.rank >= 0)) ||
                              (status == GEEPS_E_TIMEOUT && !started_ && (err.flags & GEEPS_ERROR_LATCHED) != 0));
  const bool own = status == GEEPS_E_NOMEM || no_descriptor;
  // Who comes when the job has ended is refused in its state.
  const bool late = status == GEEPS_E_STATE && !started_ && (err.flags & GEEPS_ERROR_LATCHED) != 0;
  // A deferred device whose queue finds no memory cannot say when memory is free again.
  const bool device_lost = status == GEEPS_E_DEVICE && job_->setup().device != std::string("host");
  const bool theirs = (job_->setup().world > 1 && (status == GEEPS_E_PEER_LOST || late)) ||
                      (status == GEEPS_E_ABORTED && job_->cancelled());
  if (test::NumFailed() == 0) {
    Complain(Describe(what, status, err) + ", and no request had failed");
    return Verdict::kOver;
  }
  if (device_lost && job_->fault().lasting) return Verdict::kOver;
  if (!own && !theirs) {
    Complain(Describe(what, status, err));
    return Verdict::kOver;
  }
  if (err.code != status || err.message[0] == '\0' || memchr(err.message, '\0', sizeof err.message) == nullptr) {
    Complain(Describe(what, status, err) + ": the error does not say so");
  }
  lost_ = IsLost();
  if (theirs && !lost_) Complain(Describe(what, status, err) + ", and the worker is not lost");
  if (lost_ || job_->fault().lasting) return Verdict::kOver;
  if (++num_failures_ > 2) {
    Complain(Describe(what, status, err) + ", again and again, though one request failed");
    return Verdict::kOver;
  }
  return Verdict::kAgain;
}

geeps_status Worker::Try(const char* what, const Function& call, geeps_error* err) {
  doing_.store(what);
  std::memset(err, 0, sizeof *err);
  err->struct_size = sizeof *err;
  const Inside inside;
  return call(err);
}

bool Worker::Call(const char* what, const Function& call, std::initializer_list<Output> outputs) {
  while (true) {
    std::vector<std::string> before;
    for (const Output& output : outputs) before.emplace_back(static_cast<const char*>(output.at), output.bytes);
    geeps_error err;
    const geeps_status status = Try(what, call, &err);
    size_t i = 0;
    for (const Output& output : outputs) {
      if (status != GEEPS_OK && std::memcmp(output.at, before[i++].data(), output.bytes) != 0) {
        return Complain(Describe(what, status, err) + ": it wrote an output");
      }
    }
    if (status > 0) return Complain(std::string(what) + " returned " + geeps_status_name(status));
    const Verdict verdict = Judge(what, status, err);
    if (verdict != Verdict::kAgain) return verdict == Verdict::kDone;
  }
}

bool Worker::Polled(const char* what, const Function& call, std::initializer_list<Output> outputs) {
  int32_t fd = -1;
  if (!Call("geeps_runtime_get_event_fd", [&](geeps_error* e) { return geeps_runtime_get_event_fd(rt_, &fd, e); },
            {{&fd, sizeof fd}})) {
    return false;
  }
  bool ready = false;
  while (!ready) {
    const Function once = [&](geeps_error* e) {
      const geeps_status status = call(e);
      ready = status == GEEPS_OK;
      return status == GEEPS_AGAIN ? GEEPS_OK : status;
    };
    if (!Call(what, once, outputs)) return false;
    if (!ready && !IsReadable(fd)) return Complain(std::string(what) + ": the event descriptor is never readable");
  }
  return true;
}

void Worker::Do(const char* what, const std::function<void()>& call) {
  doing_.store(what);
  const Inside inside;
  call();
}

// The result of a request that failed without memory may be that of the wait or that of the call: told apart by asking
// again.
bool Worker::Long(const char* what, bool by_request, const LongFunction& call) {
  if (!by_request) {
    return Call(what, [&](geeps_error* e) { return call(nullptr, e); });
  }
  while (true) {
    geeps_request* request = nullptr;
    int32_t fd = -1;
    if (!Call(what, [&](geeps_error* e) { return call(&request, e); }, {{&request, sizeof request}})) return false;
    bool good = Call("geeps_request_get_event_fd",
                     [&](geeps_error* e) { return geeps_request_get_event_fd(request, &fd, e); }, {{&fd, sizeof fd}});
    if (good && !IsReadable(fd)) good = Complain(std::string(what) + ": the request is never readable");
    geeps_error err{};
    geeps_status status = GEEPS_OK;
    for (int i = 0; good && i < 2; ++i) {
      status = Try(
          "geeps_request_wait", [&](geeps_error* e) { return geeps_request_wait(request, 1000000, e); }, &err);
      if (status == GEEPS_OK) break;
    }
    Do("geeps_request_destroy", [&] { geeps_request_destroy(request); });
    if (!good) return false;
    const Verdict verdict = Judge(what, status, err);
    if (verdict != Verdict::kAgain) return verdict == Verdict::kDone;
  }
}

bool Worker::Create(std::initializer_list<geeps_kv> more) {
  const Job::Setup& setup = job_->setup();
  const std::string rank = std::to_string(rank_);
  const std::string world = std::to_string(setup.world);
  std::vector<geeps_kv> options = {{"rank", rank.c_str()},   {"world", world.c_str()}, {"transport", setup.transport},
                                   {"device", setup.device}, {"heartbeat_ms", "2000"}, {"start_limit_s", "3"}};
  if (setup.world > 1) options.push_back({"rendezvous", setup.rendezvous.c_str()});
  options.insert(options.end(), more.begin(), more.end());
  geeps_config config;
  std::memset(&config, 0, sizeof config);
  config.struct_size = sizeof config;
  config.abi_version = GEEPS_ABI_VERSION;
  config.options = options.data();
  config.num_options = options.size();
  config.log = rank_ == 0 ? nullptr : IgnoreLine;
  geeps_runtime* made = nullptr;
  const bool good =
      Call("geeps_runtime_create", [&](geeps_error* e) { return geeps_runtime_create(&config, &made, e); },
           {{&made, sizeof made}});
  const std::lock_guard<std::mutex> lock(rt_mutex_);
  rt_ = made;
  return good;
}

bool Worker::Start() {
  if (job_->cancelled()) return false;
  started_ = Long("geeps_runtime_start", rank_ == 1,
                  [&](geeps_request** r, geeps_error* e) { return geeps_runtime_start(rt_, r, e); });
  return started_;
}

// A lost worker still tells that it is and what it knows.
void Worker::AskAfterLoss() {
  if (!IsLost()) return;
  uint64_t length = 0;
  geeps_error err;
  geeps_status status = Try(
      "geeps_runtime_get_stats of a lost worker",
      [&](geeps_error* e) { return geeps_runtime_get_stats(rt_, nullptr, 0, &length, e); }, &err);
  if (status != GEEPS_OK && status != GEEPS_E_NOMEM) Complain(Describe("geeps_runtime_get_stats", status, err));
  status = Try(
      "geeps_fence of a lost worker", [&](geeps_error* e) { return geeps_fence(rt_, nullptr, e); }, &err);
  if (status == GEEPS_OK) Complain("geeps_fence of a lost worker returned GEEPS_OK");
  status = Try(
      "geeps_runtime_abort of a lost worker", [&](geeps_error* e) { return geeps_runtime_abort(rt_, "too late", e); },
      &err);
  if (status != GEEPS_OK) Complain(Describe("geeps_runtime_abort, which always returns GEEPS_OK,", status, err));
}

void Worker::Destroy() {
  doing_.store("geeps_runtime_destroy");
  const auto begin = std::chrono::steady_clock::now();
  {
    const std::lock_guard<std::mutex> lock(rt_mutex_);
    const Inside inside;
    geeps_runtime_destroy(rt_);
    rt_ = nullptr;
  }
  if (std::chrono::steady_clock::now() - begin > kDestroyLimit) Complain("geeps_runtime_destroy took longer than 5 s");
  doing_.store("nothing: it has ended");
}

void Worker::End(bool good) {
  if (good) {
    good = Long("geeps_runtime_shutdown", rank_ == 0,
                [&](geeps_request** r, geeps_error* e) { return geeps_runtime_shutdown(rt_, r, e); });
  }
  if (!good) {
    if (!started_) job_->Cancel();
    AskAfterLoss();
  }
  Destroy();
}

void Job::Cancel() {
  cancelled_.store(true);
  for (const auto& worker : workers_) {
    const std::unique_lock<std::mutex> lock(worker->rt_mutex_, std::try_to_lock);
    if (!lock.owns_lock() || worker->rt_ == nullptr) continue;
    const Inside inside;
    if (geeps_runtime_abort(worker->rt_, "a worker could not start", nullptr) != GEEPS_OK) {
      worker->Complain("geeps_runtime_abort, which always returns GEEPS_OK, did not");
    }
  }
}

std::string Job::Run(const Body& body) {
  const Outside own;
  std::mutex mutex;
  std::condition_variable ended;
  uint32_t num_running = setup_.world;
  for (uint32_t rank = 0; rank < setup_.world; ++rank) workers_.push_back(std::make_unique<Worker>(this, rank));
  std::vector<std::thread> threads;
  for (const auto& worker : workers_) {
    threads.emplace_back([&, w = worker.get()] {
      const Outside test;
      w->End(body(*w));
      const std::lock_guard<std::mutex> lock(mutex);
      --num_running;
      ended.notify_all();
    });
  }
  {
    std::unique_lock<std::mutex> lock(mutex);
    if (!ended.wait_for(lock, kLimit, [&] { return num_running == 0; })) {
      test::StopFailing();
      std::string report = "the job has not ended within 30 s\n";
      for (const auto& w : workers_) {
        report += "rank " + std::to_string(w->rank()) + " is in " + w->doing() + "\n" + w->complaints_;
      }
      report += "the request that failed:\n" + test::FailureTrace();
      std::fputs(report.c_str(), stdout);
      std::fflush(stdout);
      if (getenv("GEEPS_OOM_HOLD") != nullptr) pause();  // for a debugger
      _exit(4);
    }
  }
  for (std::thread& thread : threads) thread.join();
  std::string complaints;
  for (const auto& worker : workers_) complaints += worker->complaints_;
  return complaints;
}

}  // namespace geeps::oom_test
