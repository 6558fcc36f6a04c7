// SPDX-License-Identifier: Apache-2.0
// A progress bar on stderr; plain lines, ten to an epoch, when stderr is no terminal. One thread.
#ifndef SAMPLES_TRAIN_IMAGES_PROGRESS_H_
#define SAMPLES_TRAIN_IMAGES_PROGRESS_H_

#include <chrono>
#include <cmath>
#include <cstdint>

namespace train_images {

struct ProgressFigures {
  uint64_t steps = 0;       // done in this epoch
  uint64_t images = 0;      // done in this epoch, over all workers
  double loss = NAN;        // per image, of late; NaN: none is known yet, since a GPU is some steps behind
  double seconds = 0;       // since the epoch began
  double wait_seconds = 0;  // of these: waiting for parameters or buffers
};

class Progress {
 public:
  // draws: only one worker of a job should.
  Progress(bool draws, uint32_t num_epochs, uint64_t steps_per_epoch);

  void BeginEpoch(uint32_t epoch);
  // Cheap; draws at most ten times a second.
  void Update(const ProgressFigures& figures);
  // Takes the bar away, so that a line can be printed.
  void EndEpoch();

 private:
  void DrawBar(const ProgressFigures& figures);
  void PrintLine(const ProgressFigures& figures);

  const bool draws_;
  const bool terminal_;
  const uint32_t num_epochs_;
  const uint64_t steps_per_epoch_;
  uint32_t epoch_ = 0;
  uint64_t tenths_ = 0;  // lines printed in this epoch
  bool drawn_ = false;
  std::chrono::steady_clock::time_point next_draw_;
};

}  // namespace train_images

#endif  // SAMPLES_TRAIN_IMAGES_PROGRESS_H_
