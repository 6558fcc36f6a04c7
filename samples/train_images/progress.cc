// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/progress.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include <unistd.h>

namespace train_images {
namespace {

constexpr int kBarWidth = 30;
constexpr std::chrono::milliseconds kDrawInterval(100);

double ImagesPerSecond(const ProgressFigures& f) {
  return f.seconds > 0 ? static_cast<double>(f.images) / f.seconds : 0;
}

double WaitPercent(const ProgressFigures& f) { return f.seconds > 0 ? 100 * f.wait_seconds / f.seconds : 0; }

}  // namespace

Progress::Progress(bool draws, uint32_t num_epochs, uint64_t steps_per_epoch)
    : draws_(draws), terminal_(isatty(STDERR_FILENO) != 0), num_epochs_(num_epochs),
      steps_per_epoch_(std::max<uint64_t>(steps_per_epoch, 1)) {}

void Progress::BeginEpoch(uint32_t epoch) {
  epoch_ = epoch;
  tenths_ = 0;
  next_draw_ = std::chrono::steady_clock::now();
}

void Progress::Update(const ProgressFigures& figures) {
  if (!draws_) return;
  if (!terminal_) {
    const uint64_t tenths = figures.steps * 10 / steps_per_epoch_;
    if (tenths > tenths_) PrintLine(figures);
    tenths_ = tenths;
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  if (now < next_draw_) return;
  next_draw_ = now + kDrawInterval;
  DrawBar(figures);
}

void Progress::EndEpoch() {
  if (drawn_) std::fprintf(stderr, "\r\033[K");
  drawn_ = false;
}

void Progress::DrawBar(const ProgressFigures& f) {
  const int filled = static_cast<int>(std::min<uint64_t>(f.steps, steps_per_epoch_) * kBarWidth / steps_per_epoch_);
  const std::string bar = std::string(filled, '#') + std::string(kBarWidth - filled, '.');
  std::fprintf(stderr, "\repoch %u/%u [%s] loss %.3f  %.0f images/s  %.1f%% waiting\033[K", epoch_, num_epochs_,
               bar.c_str(), f.loss, ImagesPerSecond(f), WaitPercent(f));
  drawn_ = true;
}

void Progress::PrintLine(const ProgressFigures& f) {
  std::fprintf(stderr, "epoch %u/%u  step %llu/%llu  loss %.3f  %.0f images/s  %.1f%% waiting\n", epoch_, num_epochs_,
               static_cast<unsigned long long>(f.steps), static_cast<unsigned long long>(steps_per_epoch_), f.loss,
               ImagesPerSecond(f), WaitPercent(f));
}

}  // namespace train_images
