// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/net.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>

#include "samples/train_images/nets.h"

namespace train_images {
namespace {

const Layer kConvolution = {"conv", LayerKind::kConvolution, 8, 3, 5, 4};
const Layer kPadded = {"padded", LayerKind::kConvolution, 6, 3, 3, 4, 1};
const Layer kUnpooled = {"unpooled", LayerKind::kConvolution, 5, 2, 3, 3, 1, false};
const Layer kWide = {"wide", LayerKind::kConvolution, 3, 2, 5, 3, 2, false};  // every patch reaches beyond the edge
const Layer kDenseRelu = {"relu", LayerKind::kDenseRelu, 1, 11, 1, 7};
const Layer kDense = {"dense", LayerKind::kDense, 1, 11, 1, 7};

std::vector<float> RandomFloats(uint64_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> values(n);
  // mt19937 is fixed by the standard, the distributions are not.
  for (float& v : values) v = static_cast<float>(random() % 20001) / 10000.0f - 1.0f;
  return values;
}

struct Passed {
  std::vector<float> out;
  std::vector<uint8_t> choice;
};

Passed RunForward(const Layer& l, const std::vector<float>& weights, const std::vector<float>& in, uint32_t n) {
  Passed p;
  p.out.assign(uint64_t{n} * l.out_values(), -7.0f);
  p.choice.assign(uint64_t{n} * l.choice_bytes(), 9);
  Scratch scratch;
  Forward(l, weights.data(), in.data(), n, p.out.data(), p.choice.empty() ? nullptr : p.choice.data(), &scratch);
  return p;
}

// One output value by the definition, in double.
double Reference(const Layer& l, const std::vector<float>& w, const float* in, uint32_t y, uint32_t x, uint32_t o) {
  const float* row = w.data() + uint64_t{o} * l.row_values();
  if (l.kind != LayerKind::kConvolution) {
    double sum = row[l.fan_in()];
    for (uint32_t i = 0; i < l.fan_in(); ++i) sum += double{row[i]} * in[i];
    return l.kind == LayerKind::kDenseRelu ? std::max(0.0, sum) : sum;
  }
  double largest = 0;  // the maximum and the ReLU in one
  for (uint32_t p = 0; p < (l.pools ? 4 : 1); ++p) {
    const uint32_t cy = l.pools ? 2 * y + p / 2 : y, cx = l.pools ? 2 * x + p % 2 : x;
    double sum = row[l.fan_in()];
    for (uint32_t ky = 0; ky < l.kernel; ++ky) {
      for (uint32_t kx = 0; kx < l.kernel; ++kx) {
        const int64_t in_y = int64_t{cy} + ky - l.padding, in_x = int64_t{cx} + kx - l.padding;
        if (std::min(in_y, in_x) < 0 || std::max(in_y, in_x) >= l.in_side) continue;
        for (uint32_t c = 0; c < l.in_channels; ++c) {
          sum += double{row[(ky * l.kernel + kx) * l.in_channels + c]} *
                 in[static_cast<uint64_t>(in_y * l.in_side + in_x) * l.in_channels + c];
        }
      }
    }
    largest = std::max(largest, sum);
  }
  return largest;
}

void CheckForward(const Layer& l) {
  const uint32_t n = 6;  // more than one group and not a multiple of it
  const std::vector<float> w = RandomFloats(uint64_t{l.num_rows()} * l.row_values(), 1);
  const std::vector<float> in = RandomFloats(uint64_t{n} * l.in_values(), 2);
  const Passed p = RunForward(l, w, in, n);
  uint64_t at = 0;
  for (uint32_t i = 0; i < n; ++i) {
    for (uint32_t y = 0; y < l.out_side(); ++y) {
      for (uint32_t x = 0; x < l.out_side(); ++x) {
        for (uint32_t o = 0; o < l.outputs; ++o, ++at) {
          const double expected = Reference(l, w, in.data() + uint64_t{i} * l.in_values(), y, x, o);
          CHECK(std::abs(p.out[at] - expected) < 1e-4);
        }
      }
    }
  }
}

// Compares a gradient of sum(r * out) with central differences in every value of `variable`. Between its kinks the sum
// is linear in each value, so the difference is exact up to rounding; where a step crosses a kink nothing is compared.
void CheckGradient(const Layer& l, uint32_t n, std::vector<float>* variable, const std::vector<float>& gradient,
                   const std::vector<float>& r, const std::function<Passed()>& forward) {
  const float step = 1.0f / 64;
  const auto same_side = [](const Passed& a, const Passed& b) {
    if (a.choice != b.choice) return false;
    for (size_t i = 0; i < a.out.size(); ++i) {
      if ((a.out[i] > 0) != (b.out[i] > 0)) return false;
    }
    return true;
  };
  REQUIRE(gradient.size() == variable->size());
  size_t compared = 0;
  for (size_t v = 0; v < variable->size(); ++v) {
    const float before = (*variable)[v];
    (*variable)[v] = before + step;
    const Passed above = forward();
    (*variable)[v] = before - step;
    const Passed below = forward();
    (*variable)[v] = before;
    if (l.kind != LayerKind::kDense && !same_side(above, below)) continue;
    double difference = 0;
    for (size_t i = 0; i < r.size(); ++i) difference += double{r[i]} * (double{above.out[i]} - below.out[i]);
    const double expected = difference / (2.0 * step);
    CHECK(std::abs(gradient[v] - expected) < 2e-3 * (1 + std::abs(expected)));
    ++compared;
  }
  CHECK(compared * 2 > variable->size());
  CHECK(n > 0);
}

void CheckBackward(const Layer& l, uint32_t n) {
  std::vector<float> w = RandomFloats(uint64_t{l.num_rows()} * l.row_values(), 3);
  std::vector<float> in = RandomFloats(uint64_t{n} * l.in_values(), 4);
  const std::vector<float> r = RandomFloats(uint64_t{n} * l.out_values(), 5);
  const auto forward = [&] { return RunForward(l, w, in, n); };
  const Passed p = forward();
  std::vector<float> d_w(w.size(), 99.0f), d_in(in.size(), 99.0f);  // to be written whole
  Scratch scratch;
  Backward(l, w.data(), in.data(), p.out.data(), p.choice.data(), r.data(), n, d_w.data(), d_in.data(), &scratch);
  CheckGradient(l, n, &w, d_w, r, forward);
  CheckGradient(l, n, &in, d_in, r, forward);

  std::vector<float> alone(w.size(), 77.0f);  // nobody wants d_in
  Backward(l, nullptr, in.data(), p.out.data(), p.choice.data(), r.data(), n, alone.data(), nullptr, &scratch);
  CHECK(alone == d_w);
}

}  // namespace

TEST_CASE("net: forward is what the definition of the layer says") {
  UseOneBlasThread();
  for (const Layer& l : {kConvolution, kPadded, kUnpooled, kWide}) CheckForward(l);
  CheckForward(kDenseRelu);
  CheckForward(kDense);
}

TEST_CASE("net: backward agrees with finite differences in every weight, bias and input") {
  UseOneBlasThread();
  for (uint32_t n : {1u, 6u}) {
    for (const Layer& l : {kConvolution, kPadded, kUnpooled, kWide}) CheckBackward(l, n);
    CheckBackward(kDenseRelu, n);
    CheckBackward(kDense, n);
  }
}

TEST_CASE("net: the same inputs give the same bits") {
  UseOneBlasThread();
  const std::vector<float> w = RandomFloats(uint64_t{kConvolution.num_rows()} * kConvolution.row_values(), 1);
  const std::vector<float> in = RandomFloats(uint64_t{37} * kConvolution.in_values(), 2);
  CHECK(RunForward(kConvolution, w, in, 37).out == RunForward(kConvolution, w, in, 37).out);
}

TEST_CASE("net: the softmax loss of equal logits is log(classes), and its gradient agrees with finite differences") {
  const int64_t labels[2] = {1, 2};
  std::vector<float> logits(6, 3.5f), d(6);
  LossSum sum = SoftmaxLoss(logits.data(), labels, 2, 3, 1.0f, nullptr);
  CHECK(std::abs(sum.loss - 2 * std::log(3.0)) < 1e-12);

  logits = {0.5f, 2.0f, -1.0f, 0.25f, 1.5f, 1.0f};
  sum = SoftmaxLoss(logits.data(), labels, 2, 3, 0.5f, d.data());
  CHECK(sum.correct == 1);
  const float step = 1.0f / 256;
  for (size_t i = 0; i < logits.size(); ++i) {
    std::vector<float> above = logits, below = logits;
    above[i] += step;
    below[i] -= step;
    const double expected = 0.5 *
                            (SoftmaxLoss(above.data(), labels, 2, 3, 1.0f, nullptr).loss -
                             SoftmaxLoss(below.data(), labels, 2, 3, 1.0f, nullptr).loss) /
                            (2.0 * step);
    CHECK(std::abs(d[i] - expected) < 1e-4);
  }
}

TEST_CASE("net: logits of any size have a finite loss") {
  const int64_t label = 0;
  const float logits[2] = {-1e30f, 1e30f};
  float d[2];
  const LossSum sum = SoftmaxLoss(logits, &label, 1, 2, 1.0f, d);
  CHECK(std::isfinite(sum.loss));
  CHECK(d[0] == -1.0f);
  CHECK(d[1] == 1.0f);
}

TEST_CASE("net: the layers of the LeNet fit together for images of 28 pixels") {
  const std::vector<Layer> layers = LeNet({28, 1, 10});
  REQUIRE(layers.size() == 4);
  for (size_t i = 1; i < layers.size(); ++i) CHECK(layers[i].in_values() == layers[i - 1].out_values());
  CHECK(layers[0].in_values() == 784);
  CHECK(layers[1].out_values() == 800);
  CHECK(layers[3].out_values() == 10);
  uint64_t parameters = 0;
  for (const Layer& l : layers) parameters += uint64_t{l.num_rows()} * l.row_values();
  CHECK(parameters == 520 + 25050 + 400500 + 5010);
}

TEST_CASE("net: the layers of the VGG fit together for images of 224 pixels, and are as wide as they are asked for") {
  for (const uint32_t narrower : {1u, 16u, 64u}) {
    const std::vector<Layer> layers = Vgg({224, 3, 1000}, narrower);
    REQUIRE(layers.size() == 15);
    CHECK(layers[0].in_values() == 224 * 224 * 3);
    uint32_t num_pools = 0;
    uint64_t parameters = 0;
    for (size_t i = 0; i < layers.size(); ++i) {
      if (i > 0) CHECK(layers[i].in_values() == layers[i - 1].out_values());
      num_pools += layers[i].choice_bytes() > 0 ? 1 : 0;
      parameters += uint64_t{layers[i].num_rows()} * layers[i].row_values();
    }
    CHECK(num_pools == 5);
    CHECK(layers[12].out_values() == 7 * 7 * 512 / narrower);
    CHECK(layers[14].out_values() == 1000);
    // The 14,714,688 of the paper's thirteen convolutions, and two dense layers.
    if (narrower == 1) CHECK(parameters == 14714688 + (7 * 7 * 512 + 1) * 4096 + 4097 * 1000);
  }
}

TEST_CASE("net: images that a net cannot take are told which it can") {
  std::string why;
  CHECK(MakeNet("lenet", {28, 1, 10}, 1, &why).size() == 4);
  CHECK(MakeNet("vgg", {32, 3, 10}, 1, &why).size() == 15);
  CHECK(why == "");
  CHECK(MakeNet("lenet", {30, 1, 10}, 1, &why).empty());
  CHECK(why == "the net lenet wants images of 16, 20, 24, 28 ... 1024 pixels a side, found 30");
  CHECK(MakeNet("vgg", {28, 1, 10}, 1, &why).empty());
  CHECK(why == "the net vgg wants images of 32, 64, 96 ... 224 ... 1024 pixels a side, found 28");
}

}  // namespace train_images
