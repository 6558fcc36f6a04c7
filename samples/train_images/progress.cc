// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

namespace train_images {
namespace {

constexpr size_t kBarWidthMax = 30;
constexpr std::chrono::milliseconds kDrawInterval(100);

double ImagesPerSecond(const ProgressFigures& f) {
  return f.seconds > 0 ? static_cast<double>(f.images) / f.seconds : 0;
}

double WaitPercent(const ProgressFigures& f) { return f.seconds > 0 ? 100 * f.wait_seconds / f.seconds : 0; }

// "loss 0.123", or "loss ?" while none is known.
std::string LossText(const ProgressFigures& f) {
  char text[32];
  std::snprintf(text, sizeof text, "loss %.3f", f.loss);
  return std::isnan(f.loss) ? "loss ?" : text;
}

// 80 when the terminal does not say.
size_t TerminalColumns() {
  winsize size = {};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

Progress::Progress(bool draws, uint32_t num_epochs, uint64_t steps_per_epoch)
    : draws_(draws),
      terminal_(isatty(STDERR_FILENO) != 0),
      num_epochs_(num_epochs),
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
  char head[64], tail[128];
  std::snprintf(head, sizeof head, "epoch %u/%u [", epoch_, num_epochs_);
  std::snprintf(tail, sizeof tail, "] %s  %.0f images/s  %.1f%% waiting", LossText(f).c_str(), ImagesPerSecond(f),
                WaitPercent(f));
  // A line that is wrapped cannot be drawn over: the bar gives way first, then the end of the text.
  const size_t columns = TerminalColumns() - 1, text = std::strlen(head) + std::strlen(tail);
  const size_t width = std::min(kBarWidthMax, columns > text ? columns - text : 0);
  const size_t filled = std::min<uint64_t>(f.steps, steps_per_epoch_) * width / steps_per_epoch_;
  std::string line = head + std::string(filled, '#') + std::string(width - filled, '.') + tail;
  line.resize(std::min(line.size(), columns));
  std::fprintf(stderr, "\r%s\033[K", line.c_str());
  drawn_ = true;
}

void Progress::PrintLine(const ProgressFigures& f) {
  std::fprintf(stderr, "epoch %u/%u  step %llu/%llu  %s  %.0f images/s  %.1f%% waiting\n", epoch_, num_epochs_,
               static_cast<unsigned long long>(f.steps), static_cast<unsigned long long>(steps_per_epoch_),
               LossText(f).c_str(), ImagesPerSecond(f), WaitPercent(f));
}

}  // namespace train_images
