// SPDX-License-Identifier: Apache-2.0
// Trainer: the whole of a training run on one worker, for any storage (storage.h): epochs of steps, evaluation,
// reports, saving. One thread.
#ifndef SAMPLES_TRAIN_IMAGES_TRAINING_H_
#define SAMPLES_TRAIN_IMAGES_TRAINING_H_

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "samples/train_images/batches.h"
#include "samples/train_images/compute.h"
#include "samples/train_images/model.h"
#include "samples/train_images/nets.h"
#include "samples/train_images/options.h"
#include "samples/train_images/progress.h"
#include "samples/train_images/storage.h"

namespace train_images {

// What all workers add up, once per epoch, in a table of one row. Counts and checksums are integers below 2^53, exact
// in f64.
struct Totals {
  double samples = 0;      // visited in training
  double id_sum = 0;       // of their ids
  double id_checksum = 0;  // of 32 mixed bits of each id
  double loss = 0;
  double test_samples = 0;
  double test_correct = 0;
};
constexpr uint64_t kNumTotals = sizeof(Totals) / sizeof(double);

inline double Checksum(uint64_t id) { return static_cast<double>(Mix(id) >> 32); }

// True when `t` is what one visit of each of the ids 0 .. n - 1 adds up to.
inline bool EachOnce(const Totals& t, uint64_t n) {
  double checksum = 0;
  for (uint64_t id = 0; id < n; ++id) checksum += Checksum(id);
  return t.samples == static_cast<double>(n) && t.id_checksum == checksum &&
         t.id_sum == static_cast<double>(n) * static_cast<double>(n - 1) / 2;
}

template <typename Storage>
class Trainer {
 public:
  Trainer(Storage& storage, Compute& compute, geeps::Runtime& rt, const TrainOptions& options, geeps::Error& err)
      : options_(options),
        err_(err),
        storage_(storage),
        compute_(compute),
        info_(rt.info(err)),
        train_data_(Batches::Open(rt, options.data, "train", options.seed, err)),
        test_data_(Batches::Open(rt, options.data, "test", options.seed, err)) {}

  void Run() {
    if (!Prepare()) return;
    if (info_.rank == 0) PrintTask();
    Progress progress(info_.rank == 0, options_.epochs, train_data_->max_batches());
    for (uint32_t epoch = 1; epoch <= options_.epochs && err_.ok() && !LimitReached(); ++epoch) {
      RunEpoch(epoch, &progress);
    }
    if (!options_.save.empty()) Save();
    if (options_.json && err_.ok() && info_.rank == 0) PrintJson();
  }

 private:
  using Clock = std::chrono::steady_clock;
  using Walker = typename Storage::Walker;

  static double SecondsSince(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }

  // Makes tables, local data and plans. False after a failure.
  bool Prepare() {
    if (!err_.ok()) return false;
    const ImageShape &images = train_data_->shape(), &tests = test_data_->shape();
    if (tests.side != images.side || tests.num_classes > images.num_classes) {
      err_.Fail(GEEPS_E_DATA, "the test images have " + std::to_string(tests.num_classes) + " classes and " +
                                  std::to_string(tests.side) + " pixels a side, the training images " +
                                  std::to_string(images.num_classes) + " and " + std::to_string(images.side));
    }
    std::string why;
    const std::vector<Layer> layers = MakeNet(options_.net, images, options_.narrower, &why);
    if (layers.empty()) err_.Fail(GEEPS_E_UNSUPPORTED, why);
    if (options_.batch < info_.world) {
      err_.Fail(GEEPS_E_INVALID, "--batch " + std::to_string(options_.batch) + " is less than one image for each of " +
                                     std::to_string(info_.world) + " workers");
    }
    if (!options_.save.empty() && info_.rank == 0) CloseSaved(OpenSaved("ab"));  // rather now than after hours
    train_data_->Configure(info_.rank, info_.world, options_.batch, options_.seed, true, err_);
    test_data_->Configure(info_.rank, info_.world, options_.batch, 0, false, err_);
    if (!err_.ok()) return false;

    model_.reset(new Model<Storage>(storage_, compute_, layers,
                                    std::max(train_data_->max_images(), test_data_->max_images()),
                                    {options_.rule, options_.lr, options_.momentum, 0, options_.seed}));
    totals_.reset(new typename Storage::Table(storage_.MakeSumTable("totals", kNumTotals)));
    train_.Record([this](Walker& w) { model_->Train(w, batch_, options_.slack); });
    idle_.Record([](Walker&) {});
    evaluate_.Record([this](Walker& w) { model_->Evaluate(w, batch_); }, GEEPS_PLAN_NO_CLOCK);
    report_.Record([this](Walker& w) { AddTotals(w); });
    look_.Record([this](Walker& w) { ReadTotals(w); }, GEEPS_PLAN_NO_CLOCK);
    save_.Record([this](Walker& w) { WriteParameters(w, nullptr); }, GEEPS_PLAN_NO_CLOCK);
    storage_.Commit({&train_, &idle_, &evaluate_, &report_, &look_, &save_});
    return err_.ok();
  }

  void PrintTask() const {
    uint64_t parameters = 0;
    for (const Layer& l : model_->layers()) parameters += uint64_t{l.num_rows()} * l.row_values();
    std::printf("%" PRIu64 " images, %" PRIu64 " parameters, %u worker%s, %u images per step over all, slack %u\n",
                train_data_->num_samples(), parameters, info_.world, info_.world == 1 ? "" : "s", options_.batch,
                options_.slack);
    std::fflush(stdout);
  }

  bool LimitReached() const { return options_.limit_steps != 0 && steps_ >= options_.limit_steps; }

  void RunEpoch(uint32_t epoch, Progress* progress) {
    progress->BeginEpoch(epoch);
    // Falls in equal steps over the epochs: the last ones settle what the first ones found.
    model_->SetLearningRate(options_.lr * (options_.epochs - epoch + 1) / options_.epochs, err_);
    mine_ = Totals();
    idled_ = false;
    ProgressFigures figures;
    const uint64_t wait_before_ns = train_.wait_ns();
    const Clock::time_point begin = Clock::now();
    for (uint64_t step = 0; step < train_data_->max_batches() && err_.ok() && !LimitReached(); ++step, ++steps_) {
      Step(&figures);
      figures.seconds = SecondsSince(begin);
      figures.wait_seconds = static_cast<double>(train_.wait_ns() - wait_before_ns) * 1e-9;
      progress->Update(figures);
    }
    // Takes the end of the epoch, which a worker that idled in the last step has seen; after the limit nothing follows.
    if (!idled_ && !LimitReached()) train_data_->Next(err_);
    compute_.Finish();
    storage_.Fence();
    figures.seconds = SecondsSince(begin);
    AddLoss(&figures);
    latest_ = figures;
    latest_.steps = steps_ - trained_.steps;  // idle ones, too
    trained_.steps = steps_;
    trained_.images += figures.images;
    trained_.seconds += figures.seconds;
    trained_.wait_seconds += figures.wait_seconds;

    while (const Batch* batch = test_data_->Next(err_)) {
      batch_ = *batch;
      evaluate_.Walk([this](Walker& w) { model_->Evaluate(w, batch_); });
      mine_.test_samples += batch_.num_images;
    }
    compute_.Finish();
    mine_.test_correct = static_cast<double>(compute_.TakeLoss().correct);
    report_.Walk([this](Walker& w) { AddTotals(w); });
    storage_.Fence();
    look_.Walk([this](Walker& w) { ReadTotals(w); });
    progress->EndEpoch();
    if (err_.ok() && info_.rank == 0) PrintEpoch(epoch, figures);
  }

  // One clock: on the next batch, or idle when this worker has none left.
  void Step(ProgressFigures* figures) {
    const Batch* batch = train_data_->Next(err_);
    if (batch == nullptr) {
      idled_ = true;
      idle_.Walk([](Walker&) {});
      return;
    }
    batch_ = *batch;
    train_.Walk([this](Walker& w) { model_->Train(w, batch_, options_.slack); });
    for (uint32_t i = 0; i < batch_.num_images; ++i) {
      mine_.id_sum += static_cast<double>(batch_.ids[i]);
      mine_.id_checksum += Checksum(batch_.ids[i]);
    }
    mine_.samples += batch_.num_images;
    figures->images += batch_.global_images;
    ++figures->steps;
    AddLoss(figures);
  }

  // Takes in what is known of the losses by now.
  void AddLoss(ProgressFigures* figures) {
    const LossSum known = compute_.TakeLoss();
    if (known.images == 0) return;
    mine_.loss += known.loss;
    const double loss = known.loss / static_cast<double>(known.images);
    // A moving average over about twenty steps; the first step stands for itself.
    figures->loss = std::isnan(figures->loss) ? loss : 0.95 * figures->loss + 0.05 * loss;
  }

  void AddTotals(Walker& w) {
    auto access = w.PreUpdate(*totals_, all_);
    if (w.live()) compute_.Upload(access.template data<Totals>(), &mine_, sizeof mine_);
    w.Update(access);
  }

  // Over all epochs so far; the one just over is the difference to what was read last.
  void ReadTotals(Walker& w) {
    auto access = w.Read(*totals_, all_, 0);
    if (w.live()) {
      double now[kNumTotals] = {};
      compute_.Download(now, access.template data<const double>(), sizeof now);
      double* epoch = reinterpret_cast<double*>(&epoch_totals_);
      for (uint64_t i = 0; i < kNumTotals; ++i) {
        epoch[i] = now[i] - before_[i];
        before_[i] = now[i];
      }
    }
    w.PostRead(access);
  }

  void PrintEpoch(uint32_t epoch, const ProgressFigures& f) const {
    const Totals& t = epoch_totals_;
    const uint64_t n = train_data_->num_samples();
    const bool whole = EachOnce(t, n);
    std::printf("epoch %u: %.0f of %" PRIu64
                " samples visited%s, training loss %.4f, test accuracy %.2f %%, "
                "%.1f s, %.0f images/s, %.1f %% waiting\n",
                epoch, t.samples, n, whole ? ", each once" : "", t.loss / std::max(1.0, t.samples),
                100 * t.test_correct / std::max(1.0, t.test_samples), f.seconds,
                static_cast<double>(f.images) / f.seconds, 100 * f.wait_seconds / f.seconds);
    std::fflush(stdout);
  }

  // Training alone: from the first step of an epoch until its last update is in every cache; start-up, evaluation and
  // reports are left out. The last epoch by itself has nothing of what a device does once, at its first steps.
  void PrintJson() const {
    std::printf("{\"net\": \"%s\", \"device\": \"%s\", \"storage\": \"%s\", \"workers\": %u, ", options_.net.c_str(),
                info_.mem_kind == GEEPS_MEM_CUDA ? "cuda" : "host", Storage::kName, info_.world);
    PrintFigures(trained_);
    std::printf(", \"last_epoch\": {");
    PrintFigures(latest_);
    std::printf("}, \"test_accuracy\": %.4f}\n",
                epoch_totals_.test_correct / std::max(1.0, epoch_totals_.test_samples));
    std::fflush(stdout);
  }

  static void PrintFigures(const ProgressFigures& f) {
    std::printf("\"steps\": %" PRIu64 ", \"images\": %" PRIu64 ", \"seconds\": %.6f, \"wait_seconds\": %.6f", f.steps,
                f.images, f.seconds, f.wait_seconds);
  }

  // The file: a line "NAME ROWS ROW_VALUES" per layer, each followed by its values as f32 of this machine.
  void WriteParameters(Walker& w, std::FILE* file) {
    model_->ReadAll(w, [&](const Layer& l, const float* values) {
      const size_t n = size_t{l.num_rows()} * l.row_values();
      std::fprintf(file, "%s %u %u\n", l.name.c_str(), l.num_rows(), l.row_values());
      std::fwrite(values, sizeof(float), n, file);
    });
  }

  void Save() {
    storage_.Fence();
    if (!err_.ok() || info_.rank != 0) return;
    std::FILE* file = OpenSaved("wb");
    if (file == nullptr) return;
    save_.Walk([&](Walker& w) { WriteParameters(w, file); });
    CloseSaved(file);
  }

  // NULL after a failure.
  std::FILE* OpenSaved(const char* mode) {
    std::FILE* file = std::fopen(options_.save.c_str(), mode);
    if (file == nullptr) err_.Fail(GEEPS_E_IO, options_.save + ": cannot be written: " + std::strerror(errno));
    return file;
  }

  void CloseSaved(std::FILE* file) {
    if (file == nullptr) return;
    const bool good = std::ferror(file) == 0;
    if (std::fclose(file) != 0 || !good) err_.Fail(GEEPS_E_IO, options_.save + ": could not be written whole");
  }

  const TrainOptions& options_;
  geeps::Error& err_;
  Storage& storage_;
  Compute& compute_;
  const geeps_info info_;
  const std::unique_ptr<Batches> train_data_, test_data_;
  const geeps::Rows all_ = geeps::Rows::All();
  std::unique_ptr<Model<Storage>> model_;
  std::unique_ptr<typename Storage::Table> totals_;
  Walker train_ = storage_.MakeWalker("train");
  Walker idle_ = storage_.MakeWalker("idle");  // a clock without work
  Walker evaluate_ = storage_.MakeWalker("evaluate");
  Walker report_ = storage_.MakeWalker("report");
  Walker look_ = storage_.MakeWalker("look");
  Walker save_ = storage_.MakeWalker("save");
  Batch batch_ = {};  // of the pass under way
  Totals mine_, epoch_totals_;
  double before_[kNumTotals] = {};
  ProgressFigures trained_;  // steps, images and times of all epochs so far
  ProgressFigures latest_;   // of the epoch just over
  uint64_t steps_ = 0;
  bool idled_ = false;  // in this epoch: it ended for this worker one step before it did for others
};

}  // namespace train_images

#endif  // SAMPLES_TRAIN_IMAGES_TRAINING_H_
