// SPDX-License-Identifier: Apache-2.0
// `geeps bench gpu`, step: a training step of one worker whose calculations are copies within the device, a third of
// them forward and the rest backward, in four ways that take turns:
//   plain        values, momentum and gradients in buffers of the program, one fused step for all layers
//   device       a table for each layer, kept on the device; rows and updates in the order of the program's stream
//   host shard   as device, but kept in host memory (shard = host): copies in the background
//   foreground   tables in host memory (device = host); the program copies each layer's rows to the device when it
//   needs
//                them and its gradients back, and waits: a parameter server for CPUs, as the paper measured it
#include <cstdio>
#include <memory>

#include "tools/geeps/bench_gpu_runtime.h"

namespace geeps::tool {
namespace {

constexpr uint64_t kLayers = 16;
constexpr uint64_t kRowValues = 1024;
constexpr double kGoalSlower = 0.01, kGoalStall = 0.01;

// What all ways share: the layers' size and the calculations.
class Layers {
 public:
  Layers(GpuDevice* gpu, const BenchOptions& options) : gpu_(gpu), work_(options.work) {
    rows_ = std::max<uint64_t>(WorkingBytes(options) / kLayers / (kRowValues * sizeof(float)), 1);
    activations_ = gpu->Floats(values());
    scratch_ = gpu->Floats(values());
    gradient_ = gpu->Floats(values());
    gpu->Fill(gradient_, kGradientByte, bytes());
    gpu->Finish();
  }

  void Forward(const void* weights) {
    gpu_->Copy(activations_, weights, bytes());
    Calculate(work_ / 3);
  }
  // Ends with the gradient.
  void Backward(void* gradient) {
    Calculate(work_ - work_ / 3);
    gpu_->Copy(gradient, gradient_, bytes());
  }

  GpuDevice* gpu() const { return gpu_; }
  uint64_t rows() const { return rows_; }
  uint64_t values() const { return rows_ * kRowValues; }
  uint64_t bytes() const { return values() * sizeof(float); }

 private:
  void Calculate(uint64_t copies) {
    for (uint64_t i = 1; i < copies; ++i) gpu_->Copy(scratch_, activations_, bytes());
  }

  GpuDevice* const gpu_;
  const uint64_t work_;
  uint64_t rows_ = 0;
  float *activations_ = nullptr, *scratch_ = nullptr, *gradient_ = nullptr;
};

class PlainStep {
 public:
  explicit PlainStep(Layers* layers) : layers_(layers) {
    GpuDevice& gpu = *layers->gpu();
    for (uint64_t i = 0; i < kLayers; ++i) {
      values_.push_back(gpu.Floats(layers->values()));
      gradients_.push_back(gpu.Floats(layers->values()));
      float* const momentum = gpu.Floats(layers->values());
      gpu.Fill(values_[i], 0, layers->bytes());
      gpu.Fill(momentum, 0, layers->bytes());
      steps_.push_back(MakeStep(GEEPS_RULE_SGD, {kRate, kMomentum}, layers->rows(), kRowValues, values_[i], {momentum},
                                nullptr, {gradients_[i]}));
    }
    applies_ = AppliesOf(steps_);
  }

  void Step() {
    for (float* const values : values_) layers_->Forward(values);
    for (uint64_t i = kLayers; i-- > 0;) layers_->Backward(gradients_[i]);
    layers_->gpu()->Apply(applies_);
  }

  GpuOutcome Check(uint64_t steps) {
    for (const float value : layers_->gpu()->Download(values_.back(), layers_->values())) {
      if (layers_->gpu()->ok() && value != MomentumAfter(steps)) {
        return WrongResult("plain buffers", value, MomentumAfter(steps));
      }
    }
    return OutcomeOf(layers_->gpu()->error());
  }

 private:
  Layers* const layers_;
  std::vector<float*> values_, gradients_;
  std::vector<GpuStep> steps_;
  std::vector<geeps_apply> applies_;
};

class TableStep {
 public:
  // foreground: the runtime's device is the host, whose memory the program copies from and to.
  TableStep(Layers* layers, const std::string& device, const char* shard, bool foreground)
      : layers_(layers),
        foreground_(foreground),
        rt_(StartAlone(device, layers->gpu()->error())),
        walker_(rt_, "step", layers->gpu()->error()) {
    geeps::Error& err = layers->gpu()->error();
    for (uint64_t i = 0; i < kLayers && err.ok(); ++i) {
      tables_.emplace_back(rt_, ("layer" + std::to_string(i)).c_str(), layers->rows(), kRowValues, GEEPS_F32,
                           MomentumTable().Set("shard", shard), err);
    }
    if (foreground) {
      for (uint64_t i = 0; i < kLayers; ++i) weights_.push_back(layers->gpu()->Floats(layers->values()));
      gradients_ = layers->gpu()->Floats(layers->values());
    } else {
      UseStream(layers->gpu(), &walker_);
    }
    walker_.Record([this](geeps::Walker& w) { Pass(w); });
    rt_.Commit({walker_.plan()}, err);
    stall_ns_before_ = waiting("stall_ns");
    wait_ns_before_ = waiting("wait_ns");
  }

  void Step() {
    walker_.Walk([this](geeps::Walker& w) { Pass(w); });
  }
  double stall_s() { return static_cast<double>(waiting("stall_ns") - stall_ns_before_) * 1e-9; }
  double wait_s() { return static_cast<double>(waiting("wait_ns") - wait_ns_before_) * 1e-9; }

  // And ends the runtime.
  GpuOutcome CheckAndEnd(uint64_t steps, const char* what) {
    geeps::Error& err = layers_->gpu()->error();
    layers_->gpu()->Finish();
    for (geeps::Table* const table : {&tables_.front(), &tables_.back()}) {
      for (const uint64_t row : {uint64_t{0}, layers_->rows() - 1}) {
        const GpuOutcome outcome = CheckRow(*table, row, kRowValues, MomentumAfter(steps), what, err);
        if (outcome.kind != GpuOutcome::kMeasured) return outcome;
      }
    }
    rt_.Shutdown(err);
    return OutcomeOf(err);
  }

 private:
  uint64_t waiting(const char* key) { return StatOf(rt_, "waiting", key, layers_->gpu()->error()); }

  void Pass(geeps::Walker& w) {
    GpuDevice* const gpu = layers_->gpu();
    std::vector<geeps::Access> reads;
    for (uint64_t i = 0; i < kLayers; ++i) {
      reads.push_back(w.Read(tables_[i], geeps::Rows::All(), 0));
      if (!w.live()) continue;
      const void* weights = reads.back().data<void>();
      if (foreground_) {
        gpu->Copy(weights_[i], weights, layers_->bytes());
        gpu->Finish();
        weights = weights_[i];
      }
      layers_->Forward(weights);
    }
    for (uint64_t i = kLayers; i-- > 0;) {
      if (w.live()) FinishUnlessShared(gpu);
      w.PostRead(reads[i]);
      const geeps::Access update = w.PreUpdate(tables_[i], geeps::Rows::All());
      if (w.live()) {
        layers_->Backward(foreground_ ? gradients_ : update.data<void>());
        if (foreground_) gpu->Copy(update.data<void>(), gradients_, layers_->bytes());
        if (foreground_) gpu->Finish();
        FinishUnlessShared(gpu);
      }
      w.Update(update);
    }
  }

  Layers* const layers_;
  const bool foreground_;
  geeps::Runtime rt_;
  std::vector<geeps::Table> tables_;
  geeps::Walker walker_;
  std::vector<float*> weights_;  // on the device, of a runtime on the host
  float* gradients_ = nullptr;
  uint64_t stall_ns_before_ = 0, wait_ns_before_ = 0;
};

struct Way {
  const char* name;
  const char* text;
  std::unique_ptr<TableStep> step;
  GpuVariant variant;
};

void PrintPlain(const BenchOptions& options, const Layers& layers, const GpuVariant& plain) {
  const double bytes = static_cast<double>(layers.bytes() * kLayers);
  char text[300];
  std::snprintf(text, sizeof text, "step in plain buffers: %s in %llu layers, work of %llu copies of them: %.3f ms",
                BytesText(bytes).c_str(), static_cast<unsigned long long>(kLayers),
                static_cast<unsigned long long>(options.work), plain.median() * 1e3);
  PrintGpu(options, "step", "plain buffers",
           {{"bytes", bytes}, {"work", static_cast<double>(options.work)}, {"seconds", plain.median()}}, text);
}

void PrintWay(const BenchOptions& options, const GpuVariant& plain, Way* way, bool has_goal) {
  const double slower = plain.median() > 0 ? way->variant.median() / plain.median() - 1 : 0;
  const double spent_s = way->variant.spent_s;
  const double stall = spent_s > 0 ? way->step->stall_s() / spent_s : 0;
  const double wait = spent_s > 0 ? way->step->wait_s() / spent_s : 0;
  char text[400];
  std::snprintf(text, sizeof text,
                "step with %s: %.3f ms, %+.2f %% beside plain buffers%s; stalls %.2f %% of the time%s", way->text,
                way->variant.median() * 1e3, slower * 100, has_goal ? " (goal 1 % or less)" : "", stall * 100,
                has_goal ? " (goal 1 % or less)" : "");
  BenchFields fields = {{"seconds", way->variant.median()},
                        {"plain_seconds", plain.median()},
                        {"slower", slower},
                        {"stall_share", stall},
                        {"wait_share", wait}};
  if (has_goal) fields.insert(fields.end(), {{"goal_slower", kGoalSlower}, {"goal_stall_share", kGoalStall}});
  PrintGpu(options, "step", way->name, fields, text);
}

}  // namespace

GpuOutcome BenchGpuStep(const BenchOptions& options) {
  geeps::Error err;
  GpuDevice gpu(options.device, &err);
  if (!err.ok()) return OutcomeOf(err);
  Layers layers(&gpu, options);
  PlainStep plain_step(&layers);
  Way ways[] = {{"tables on the device", "tables on the device", nullptr, {}},
                {"shards in host memory", "shards in host memory, copies in the background", nullptr, {}},
                {"tables in host memory", "tables in host memory, copies in the foreground", nullptr, {}}};
  ways[0].step = std::make_unique<TableStep>(&layers, options.device, "auto", false);
  ways[1].step = std::make_unique<TableStep>(&layers, options.device, "host", false);
  ways[2].step = std::make_unique<TableStep>(&layers, "host", "auto", true);
  if (!err.ok()) return OutcomeOf(err);

  GpuVariant plain;
  plain.work = [&] { plain_step.Step(); };
  std::vector<GpuVariant*> variants = {&plain};
  for (Way& way : ways) {
    way.variant.work = [step = way.step.get()] { step->Step(); };
    variants.push_back(&way.variant);
  }
  TakeSamples(&gpu, options, variants);
  if (!err.ok()) return OutcomeOf(err);
  PrintPlain(options, layers, plain);
  GpuOutcome outcome = plain_step.Check(plain.calls);
  for (Way& way : ways) {
    if (outcome.kind != GpuOutcome::kMeasured) break;
    PrintWay(options, plain, &way, &way == &ways[0]);
    outcome = way.step->CheckAndEnd(way.variant.calls, way.name);
  }
  return outcome;
}

}  // namespace geeps::tool
