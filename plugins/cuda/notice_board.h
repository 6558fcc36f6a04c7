// SPDX-License-Identifier: Apache-2.0
// NoticeBoard: the notices of one device that were asked for and not given yet. A notice is a host function in a stream
// of the driver that waits for nothing but the event. Streams for that, "side streams", are lent so that no notice
// stands behind one that may become due later: one stream holds notices of one source alone, in the order in which the
// source recorded them.
//
// The driver does not run the host functions of a broken context, and nobody else says so: therefore a board can give
// all its notices itself, and a notice is known to the driver by a number, not by an address. Whoever takes the number
// off the board gives the notice, so that it is given once; a number that is not there any more means nothing.
//
// Thread contract: any thread. No lock is held while a notice is given.
#ifndef GEEPS_PLUGINS_CUDA_NOTICE_BOARD_H_
#define GEEPS_PLUGINS_CUDA_NOTICE_BOARD_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <vector>

#include "geeps_plugin.h"
#include "plugins/cuda/driver.h"

namespace geeps::cuda {

using NoticeFn = void (*)(void* ctx, geeps_status status);

struct SideStream {
  NativeStream native = nullptr;
  // The rest belongs to the board.
  uint64_t source = 0;       // of the notices in it
  uint64_t last_record = 0;  // of the latest one
  uint64_t num_notices = 0;  // in it
};

class NoticeBoard {
 public:
  NoticeBoard() = default;
  // REQUIRES: GiveAll and WaitUntilGiven were called and nothing was posted since.
  ~NoticeBoard() = default;
  NoticeBoard(const NoticeBoard&) = delete;
  NoticeBoard& operator=(const NoticeBoard&) = delete;

  // Posts a notice of what the source recorded as its record number `record`; *side is the stream that it goes into, or
  // nullptr when a further one is needed: AddSide, and again. The number of the notice; 0 without a stream.
  uint64_t Post(uint64_t source, uint64_t record, NoticeFn fn, void* ctx, SideStream** side);
  void AddSide(NativeStream native);
  // All side streams; when nothing is posted any more.
  const std::vector<std::unique_ptr<SideStream>>& sides() const { return sides_; }

  // The host function of a notice; `number` in place of an address.
  static void GiveByDriver(void* number);
  // Takes a notice off that never reached the driver. False: it has been given meanwhile.
  bool Withdraw(uint64_t number);
  // Gives everything on the board. Does not wait for those that others give now: who asked for one may hold a lock that
  // the other one needs. Needs no memory.
  void GiveAll(geeps_status status);
  // Until nothing is being given.
  void WaitUntilGiven();

  // For one watching thread. Sleeps until something was on the board for `period`; *out is then one of the side streams
  // that hold a notice. False after StopWatch.
  bool WaitForBusy(std::chrono::milliseconds period, NativeStream* out);
  void StopWatch();

 private:
  struct Posted;
  struct Register;
  static Register& TheRegister();

  // All guarded by the mutex of the register.
  std::vector<std::unique_ptr<SideStream>> sides_;
  uint64_t num_posted_ = 0;
  uint64_t num_being_given_ = 0;
  bool watch_sleeps_ = false;
  bool watch_stops_ = false;
  std::condition_variable watch_;
  std::condition_variable given_;
};

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_NOTICE_BOARD_H_
