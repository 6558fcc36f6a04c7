// SPDX-License-Identifier: Apache-2.0
#include "tests/plan/networks.h"

#include <algorithm>
#include <utility>

namespace geeps::test {
namespace {

using plan::StagingItem;
using plan::StagingProblem;
using plan::StagingUse;
using Before = StagingUse::Before;
using After = StagingUse::After;

// The output of a layer, per sample.
struct Shape {
  uint32_t layer = 0;
  uint64_t channels = 0;
  uint64_t size = 0;  // height and width
  uint64_t Values() const { return channels * size * size; }
};

struct Layer {
  std::vector<uint32_t> inputs;  // layers
  uint64_t out_values = 0;       // per sample
  uint64_t kept_values = 0;      // per sample, of what only the backward operation of the layer itself wants again
  uint64_t weights = 0;
  double flops = 0;  // per sample, forward
};

// Layers in the order of their forward operations. Layer 0 is the input.
class Network {
 public:
  Shape Input(uint64_t channels, uint64_t size) {
    layers_.push_back({{}, channels * size * size, 0, 0, 0});
    return {0, channels, size};
  }
  Shape Conv(const Shape& in, uint64_t channels, uint64_t kernel, uint64_t stride, uint64_t padding) {
    const uint64_t size = (in.size + 2 * padding - kernel) / stride + 1;
    const uint64_t weights = in.channels * channels * kernel * kernel + channels;
    const double flops = 2.0 * static_cast<double>(in.channels * kernel * kernel * channels * size * size);
    return Add({in.layer}, channels, size, weights, flops);
  }
  Shape Pool(const Shape& in, uint64_t kernel, uint64_t stride, uint64_t padding = 0) {
    const uint64_t size = (in.size + 2 * padding - kernel) / stride + 1;
    return Add({in.layer}, in.channels, size, 0, static_cast<double>(in.channels * size * size * kernel * kernel));
  }
  Shape Full(const Shape& in, uint64_t out) {
    return Add({in.layer}, out, 1, in.Values() * out + out, 2.0 * static_cast<double>(in.Values() * out));
  }
  Shape Concat(const std::vector<Shape>& in) {
    uint64_t channels = 0;
    std::vector<uint32_t> inputs;
    for (const Shape& shape : in) {
      channels += shape.channels;
      inputs.push_back(shape.layer);
    }
    return Add(std::move(inputs), channels, in[0].size, 0, static_cast<double>(channels * in[0].size * in[0].size));
  }
  Shape Sum(const Shape& a, const Shape& b) {
    return Add({a.layer, b.layer}, a.channels, a.size, 0, static_cast<double>(a.Values()));
  }
  // A layer of any kind.
  Shape Add(std::vector<uint32_t> inputs, uint64_t channels, uint64_t size, uint64_t weights, double flops,
            uint64_t kept_values = 0) {
    layers_.push_back({std::move(inputs), channels * size * size, kept_values, weights, flops});
    return {static_cast<uint32_t>(layers_.size() - 1), channels, size};
  }
  // From now on layers share the weights of that one.
  void ShareWeights(uint32_t layer, uint32_t with) { shared_.push_back({layer, with}); }

  StagingProblem Problem(uint64_t batch, uint64_t value_bytes, bool shard_on_host, const Machine& machine) const;

 private:
  std::vector<Layer> layers_;
  std::vector<std::pair<uint32_t, uint32_t>> shared_;
};

// Several uses at one operation are one; the last one's wishes and the first one's.
void AddUse(uint32_t op, Before before, After after, StagingItem* item) {
  for (StagingUse& use : item->uses) {
    if (use.first != op) continue;
    if (after == After::kChanged) use.after = after;
    return;
  }
  item->uses.push_back({op, op, before, after});
}

StagingProblem Network::Problem(uint64_t batch, uint64_t value_bytes, bool shard_on_host,
                                const Machine& machine) const {
  // Operation i - 1 is the forward one of layer i, 2 n - i the backward one.
  const uint32_t n = static_cast<uint32_t>(layers_.size()) - 1;
  const auto forward = [](uint32_t layer) { return layer - 1; };
  const auto backward = [n](uint32_t layer) { return 2 * n - layer; };
  StagingProblem problem;
  problem.op_ns.resize(2 * n);
  std::vector<StagingItem> outputs(n + 1);
  std::vector<StagingItem> gradients(n + 1);
  std::vector<StagingItem> kept(n + 1);
  std::vector<StagingItem> weights(n + 1);
  std::vector<StagingItem> states(n + 1);
  std::vector<uint32_t> owner(n + 1);
  for (uint32_t i = 0; i <= n; ++i) owner[i] = i;
  for (const auto& [layer, with] : shared_) owner[layer] = with;
  for (uint32_t i = 0; i <= n; ++i) {
    outputs[i].bytes = gradients[i].bytes = batch * layers_[i].out_values * value_bytes;
    kept[i].bytes = batch * layers_[i].kept_values * value_bytes;
    weights[i].bytes = layers_[i].weights * value_bytes;
    // Rule state of the device's shard, or what is contributed to the host's.
    states[i].bytes = weights[i].bytes;
  }
  // The input comes from outside in each pass.
  AddUse(forward(1), Before::kHost, After::kUnchanged, &outputs[0]);
  for (uint32_t i = 1; i <= n; ++i) {
    AddUse(forward(i), Before::kNothing, After::kChanged, &outputs[i]);
    AddUse(forward(i), Before::kNothing, After::kChanged, &kept[i]);
    AddUse(forward(i), shard_on_host ? Before::kHost : Before::kKept, After::kUnchanged, &weights[owner[i]]);
    for (uint32_t input : layers_[i].inputs) AddUse(forward(i), Before::kKept, After::kUnchanged, &outputs[input]);
  }
  for (uint32_t i = n; i >= 1; --i) {
    // The last layer's gradient comes from its own output.
    AddUse(backward(i), i == n ? Before::kNothing : Before::kKept, After::kUnchanged, &gradients[i]);
    AddUse(backward(i), Before::kKept, After::kUnchanged, &outputs[i]);
    AddUse(backward(i), Before::kKept, After::kUnchanged, &kept[i]);
    AddUse(backward(i), Before::kKept, shard_on_host ? After::kUnchanged : After::kChanged, &weights[owner[i]]);
    AddUse(backward(i), shard_on_host ? Before::kNothing : Before::kKept,
           shard_on_host ? After::kToHost : After::kChanged, &states[owner[i]]);
    for (uint32_t input : layers_[i].inputs) {
      AddUse(backward(i), Before::kKept, After::kUnchanged, &outputs[input]);
      if (input == 0) continue;
      // The first one of those that want the output begins the gradient, the others add to it.
      AddUse(backward(i), gradients[input].uses.empty() ? Before::kNothing : Before::kKept, After::kChanged,
             &gradients[input]);
    }
  }
  std::vector<double> touched(2 * n);
  for (std::vector<StagingItem>* items : {&outputs, &gradients, &kept, &weights, &states}) {
    for (StagingItem& item : *items) {
      if (item.bytes == 0 || item.uses.empty()) continue;
      for (const StagingUse& use : item.uses) {
        touched[use.first] += static_cast<double>(item.bytes) * (use.after == After::kChanged ? 2 : 1);
      }
      problem.items.push_back(std::move(item));
    }
  }
  for (uint32_t i = 1; i <= n; ++i) {
    const double flops = layers_[i].flops * static_cast<double>(batch) / machine.flops_per_s;
    const double ops[2] = {std::max(flops, touched[forward(i)] / machine.bytes_per_s),
                           std::max(2 * flops, touched[backward(i)] / machine.bytes_per_s)};
    problem.op_ns[forward(i)] = static_cast<uint64_t>(ops[0] * 1e9) + 1;
    problem.op_ns[backward(i)] = static_cast<uint64_t>(ops[1] * 1e9) + 1;
  }
  return problem;
}

Network LeNet() {
  Network net;
  Shape x = net.Input(1, 28);
  x = net.Pool(net.Conv(x, 20, 5, 1, 0), 2, 2);
  x = net.Pool(net.Conv(x, 50, 5, 1, 0), 2, 2);
  net.Full(net.Full(x, 500), 10);
  return net;
}

Network AlexNet() {
  Network net;
  Shape x = net.Input(3, 227);
  x = net.Pool(net.Conv(x, 96, 11, 4, 0), 3, 2);
  x = net.Pool(net.Conv(x, 256, 5, 1, 2), 3, 2);
  x = net.Conv(net.Conv(x, 384, 3, 1, 1), 384, 3, 1, 1);
  x = net.Pool(net.Conv(x, 256, 3, 1, 1), 3, 2);
  net.Full(net.Full(net.Full(x, 4096), 4096), 1000);
  return net;
}

Network Vgg19() {
  Network net;
  Shape x = net.Input(3, 224);
  const std::pair<int, uint64_t> blocks[] = {{2, 64}, {2, 128}, {4, 256}, {4, 512}, {4, 512}};
  for (const auto& [count, channels] : blocks) {
    for (int i = 0; i < count; ++i) x = net.Conv(x, channels, 3, 1, 1);
    x = net.Pool(x, 2, 2);
  }
  net.Full(net.Full(net.Full(x, 4096), 4096), 1000);
  return net;
}

Network GoogLeNet() {
  Network net;
  Shape x = net.Input(3, 224);
  x = net.Pool(net.Conv(x, 64, 7, 2, 3), 3, 2, 1);
  x = net.Pool(net.Conv(net.Conv(x, 64, 1, 1, 0), 192, 3, 1, 1), 3, 2, 1);
  // 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection: table 1 of the paper.
  const uint64_t modules[][6] = {
      {64, 96, 128, 16, 32, 32},     {128, 128, 192, 32, 96, 64},   {192, 96, 208, 16, 48, 64},
      {160, 112, 224, 24, 64, 64},   {128, 128, 256, 24, 64, 64},   {112, 144, 288, 32, 64, 64},
      {256, 160, 320, 32, 128, 128}, {256, 160, 320, 32, 128, 128}, {384, 192, 384, 48, 128, 128}};
  for (int i = 0; i < 9; ++i) {
    const uint64_t(&m)[6] = modules[i];
    const Shape a = net.Conv(x, m[0], 1, 1, 0);
    const Shape b = net.Conv(net.Conv(x, m[1], 1, 1, 0), m[2], 3, 1, 1);
    const Shape c = net.Conv(net.Conv(x, m[3], 1, 1, 0), m[4], 5, 1, 2);
    const Shape d = net.Conv(net.Pool(x, 3, 1, 1), m[5], 1, 1, 0);
    x = net.Concat({a, b, c, d});
    if (i == 1 || i == 6) x = net.Pool(x, 3, 2, 1);
  }
  net.Full(net.Pool(x, 7, 1), 1000);
  return net;
}

Network ResNet50() {
  Network net;
  Shape x = net.Input(3, 224);
  x = net.Pool(net.Conv(x, 64, 7, 2, 3), 3, 2, 1);
  const int counts[] = {3, 4, 6, 3};
  uint64_t channels = 64;
  for (int stage = 0; stage < 4; ++stage, channels *= 2) {
    for (int i = 0; i < counts[stage]; ++i) {
      const uint64_t stride = i == 0 && stage > 0 ? 2 : 1;
      Shape y = net.Conv(x, channels, 1, 1, 0);
      y = net.Conv(y, channels, 3, stride, 1);
      y = net.Conv(y, 4 * channels, 1, 1, 0);
      const Shape shortcut = i == 0 ? net.Conv(x, 4 * channels, 1, stride, 0) : x;
      x = net.Sum(y, shortcut);
    }
  }
  net.Full(net.Pool(x, 7, 1), 1000);
  return net;
}

// Two layers of 1,024 cells over 192 steps; all steps of a layer share its weights; four gates are kept for the way
// back.
Network Lstm() {
  constexpr uint64_t kCells = 1024;
  constexpr int kSteps = 192;
  Network net;
  const Shape input = net.Input(kCells, 1);
  Shape before[2] = {input, input};
  uint32_t first[2] = {0, 0};
  for (int step = 0; step < kSteps; ++step) {
    Shape below = input;
    for (int l = 0; l < 2; ++l) {
      const uint64_t weights = step == 0 ? 8 * kCells * kCells + 4 * kCells : 0;
      const double flops = 2.0 * 8 * kCells * kCells;
      const Shape out = net.Add({below.layer, before[l].layer}, 2 * kCells, 1, weights, flops, 4 * kCells);
      if (step == 0) first[l] = out.layer;
      if (step > 0) net.ShareWeights(out.layer, first[l]);
      before[l] = below = out;
    }
  }
  net.Full(before[1], 10000);
  return net;
}

// Per token: attention keeps query, key, value and its output (4 h) and what the norms, the projections and the two
// halves of the feed-forward layer want again (13 h together); scores are not kept (Dao et al., 2022).
Network Gpt() {
  constexpr uint64_t kHidden = 8192;
  constexpr uint64_t kTokens = 2048;
  Network net;
  Shape x = net.Input(kHidden, 1);
  // A "sample" is a sequence: values and operations per sequence.
  const uint64_t values = kHidden * kTokens;
  const double token_flops = 2.0 * kHidden * kHidden;
  for (int layer = 0; layer < 48; ++layer) {
    x = net.Add({x.layer}, values, 1, 4 * kHidden * kHidden, (4 * token_flops + 4.0 * kTokens * kHidden) * kTokens,
                5 * values);
    x = net.Add({x.layer}, values, 1, 8 * kHidden * kHidden, 8 * token_flops * kTokens, 10 * values);
  }
  return net;
}

}  // namespace

std::vector<std::string> NetworkNames() {
  return {"lenet", "alexnet", "vgg19", "googlenet", "resnet50", "lstm", "gpt"};
}

StagingProblem NetworkProblem(const std::string& name, uint64_t batch, const Machine& machine) {
  if (name == "gpt") return Gpt().Problem(batch, 2, true, machine);
  Network net;
  if (name == "lenet") net = LeNet();
  if (name == "alexnet") net = AlexNet();
  if (name == "vgg19") net = Vgg19();
  if (name == "googlenet") net = GoogLeNet();
  if (name == "resnet50") net = ResNet50();
  if (name == "lstm") net = Lstm();
  return net.Problem(batch, 4, false, machine);
}

uint64_t PeakBytes(const StagingProblem& problem) {
  StagingProblem unlimited = problem;
  unlimited.budget = ~uint64_t{0} >> 1;
  unlimited.link = {1, 1, 0};
  plan::StagingSchedule schedule;
  for (const plan::StagingGap& gap : plan::FindGaps(problem)) {
    schedule.fetch_before.push_back(gap.is_free ? plan::StagingSchedule::kStays : gap.first);
  }
  return plan::TimeStaging(unlimited, schedule)->peak_bytes;
}

}  // namespace geeps::test
