// SPDX-License-Identifier: Apache-2.0
// train_barrier: the training loop of train_images on plain buffers, in several workers that exchange nothing and meet
// at a bare barrier after each step. How long they wait there is what uneven work alone costs.
//
// usage: geeps run -n N --bind train_barrier FILE [OPTIONS OF train_images]     FILE: 8 bytes or more, all zero
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <cstdio>
#include <geeps.hpp>
#include <string>

#include "samples/train_images/host_compute.h"
#include "samples/train_images/training.h"

namespace {

using train_images::InBuffers;

// In memory that the workers share: zero at the beginning. A waiting worker sleeps.
class Barrier {
 public:
  void Wait(uint32_t world) {
    const uint32_t round = round_.load();
    if (arrived_.fetch_add(1) + 1 == world) {
      arrived_.store(0);
      round_.store(round + 1);
      syscall(SYS_futex, &round_, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
    }
    while (round_.load() == round) syscall(SYS_futex, &round_, FUTEX_WAIT, round, nullptr, nullptr, 0);
  }

 private:
  std::atomic<uint32_t> arrived_, round_;
};

// InBuffers; passes that would end with a clock end at the barrier.
class BehindBarrier : public InBuffers {
 public:
  class Walker : public InBuffers::Walker {
   public:
    Walker(const geeps::Error& err, Barrier* barrier, uint32_t world)
        : InBuffers::Walker(err), barrier_(barrier), world_(world) {}
    uint64_t wait_ns() const { return wait_ns_; }
    template <typename Body>
    void Record(Body&& body, uint32_t flags = 0) {
      if ((flags & GEEPS_PLAN_NO_CLOCK) != 0) barrier_ = nullptr;
      InBuffers::Walker::Record([&](InBuffers::Walker&) { body(*this); });
    }
    template <typename Body>
    void Walk(Body&& body) {
      InBuffers::Walker::Walk([&](InBuffers::Walker&) { body(*this); });
      if (barrier_ == nullptr) return;
      const auto begin = std::chrono::steady_clock::now();
      barrier_->Wait(world_);
      wait_ns_ += static_cast<uint64_t>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin).count());
    }

   private:
    Barrier* barrier_;
    uint32_t world_;
    uint64_t wait_ns_ = 0;
  };

  BehindBarrier(train_images::Compute& compute, Barrier* barrier, uint32_t world, const geeps::Error& err)
      : InBuffers(compute, err), barrier_(barrier), world_(world), err_(err) {}
  Walker MakeWalker(const char*) { return Walker(err_, barrier_, world_); }
  void Commit(std::initializer_list<const Walker*>) {}

 private:
  Barrier* const barrier_;
  const uint32_t world_;
  const geeps::Error& err_;
};

Barrier* MapBarrier(const char* path) {
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  void* const memory = fd >= 0 ? mmap(nullptr, sizeof(Barrier), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
  if (fd >= 0) close(fd);
  return memory != MAP_FAILED ? static_cast<Barrier*>(memory) : nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  train_images::TrainOptions options;
  std::string problem = "usage: train_barrier FILE [OPTIONS OF train_images]";
  if (argc < 2 || !train_images::ParseOptions(argc - 1, argv + 1, &options, &problem)) {
    std::fprintf(stderr, "train_barrier: %s\n", problem.c_str());
    return 2;
  }
  Barrier* const barrier = MapBarrier(argv[1]);
  if (barrier == nullptr) {
    std::perror(argv[1]);
    return 1;
  }
  geeps::Error err;
  train_images::HostCompute compute(err);
  geeps::Runtime rt(geeps::Options{{"launcher", "geeps"}}, err);  // rank and world, and the data source
  rt.Start(err);
  BehindBarrier storage(compute, barrier, rt.info(err).world, err);
  train_images::Trainer<BehindBarrier>(storage, compute, rt, options, err).Run();
  rt.Shutdown(err);
  if (err.ok()) return 0;
  std::fprintf(stderr, "train_barrier: %s: %s\n", err.status_name(), err.message());
  return 1;
}
