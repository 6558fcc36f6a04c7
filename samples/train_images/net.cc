// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/net.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace train_images {
namespace {

// Images whose patches are multiplied at once: enough work for one call of GEMM, few enough for the second-level cache,
// and a single one where that is large.
constexpr uint32_t kGroup = 4;
constexpr uint64_t kPatchValuesMost = uint64_t{4} << 20;

uint32_t GroupOf(const Layer& l) {
  return uint64_t{kGroup} * l.conv_side() * l.conv_side() * l.fan_in() <= kPatchValuesMost ? kGroup : 1;
}

void Gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, uint32_t m, uint32_t n, uint32_t k, const float* a, uint32_t lda,
          const float* b, uint32_t ldb, float beta, float* c, uint32_t ldc) {
  cblas_sgemm(CblasRowMajor, ta, tb, static_cast<blasint>(m), static_cast<blasint>(n), static_cast<blasint>(k), 1.0f, a,
              static_cast<blasint>(lda), b, static_cast<blasint>(ldb), beta, c, static_cast<blasint>(ldc));
}

// A line of the kernel over the image, as far as it lies inside: pixels first .. end of the line.
struct Line {
  ptrdiff_t place;  // of its first pixel in the image: the number of a value, which may lie before the first one
  uint32_t first, end;
};

// Line ky of the patch that output pixel (y, x) sees. first == end: beyond the upper or lower edge.
Line LineOf(const Layer& l, uint32_t y, uint32_t x, uint32_t ky) {
  const uint32_t in_y = y + ky - l.padding;  // above the image: wraps around, and is beyond it as well
  if (in_y >= l.in_side) return {0, 0, 0};
  const ptrdiff_t pixel = static_cast<ptrdiff_t>(in_y) * l.in_side + x - l.padding;
  return {pixel * l.in_channels, x < l.padding ? l.padding - x : 0, std::min(l.kernel, l.in_side + l.padding - x)};
}

// patches [conv_side^2, fan_in] of one image: a row holds what one output pixel sees, 0 beyond the edges.
void ImageToPatches(const Layer& l, const float* image, float* patches) {
  const uint64_t c = l.in_channels, values = l.kernel * c;  // of a line, which is contiguous in the image
  for (uint32_t y = 0; y < l.conv_side(); ++y) {
    for (uint32_t x = 0; x < l.conv_side(); ++x) {
      for (uint32_t ky = 0; ky < l.kernel; ++ky, patches += values) {
        const Line line = LineOf(l, y, x, ky);
        if (line.end - line.first < l.kernel) std::fill_n(patches, values, 0.0f);
        if (line.first == line.end) continue;
        std::memcpy(patches + line.first * c, image + line.place + line.first * c,
                    (line.end - line.first) * c * sizeof(float));
      }
    }
  }
}

// The transpose of ImageToPatches: adds every patch to its place.
void AddPatchesToImage(const Layer& l, const float* patches, float* image) {
  const uint64_t c = l.in_channels, values = l.kernel * c;
  std::fill_n(image, l.in_values(), 0.0f);
  for (uint32_t y = 0; y < l.conv_side(); ++y) {
    for (uint32_t x = 0; x < l.conv_side(); ++x) {
      for (uint32_t ky = 0; ky < l.kernel; ++ky, patches += values) {
        const Line line = LineOf(l, y, x, ky);
        float* const to = image + line.place;
        for (uint64_t i = line.first * c; i < line.end * c; ++i) to[i] += patches[i];
      }
    }
  }
}

void FillWithBias(const float* weights, uint32_t row_values, uint32_t outputs, uint64_t num_rows, float* out) {
  for (uint32_t o = 0; o < outputs; ++o) out[o] = weights[uint64_t{o} * row_values + row_values - 1];
  for (uint64_t r = 1; r < num_rows; ++r) std::memcpy(out + r * outputs, out, outputs * sizeof(float));
}

// out = max(0, largest of 2 x 2 pixels); choice: which pixel it was, 0 to 3, the first of equals.
void ReluAndPool(const Layer& l, const float* pixels, float* out, uint8_t* choice) {
  const uint32_t c = l.outputs, side = l.conv_side();
  for (uint32_t y = 0; y < side / 2; ++y) {
    for (uint32_t x = 0; x < side / 2; ++x, out += c, choice += c) {
      const float* p0 = pixels + (uint64_t{2 * y} * side + 2 * x) * c;
      const float *p1 = p0 + c, *p2 = p0 + uint64_t{side} * c, *p3 = p2 + c;
      for (uint32_t i = 0; i < c; ++i) {
        const float top = std::max(p0[i], p1[i]), bottom = std::max(p2[i], p3[i]);
        const uint8_t top_choice = p1[i] > p0[i] ? 1 : 0, bottom_choice = p3[i] > p2[i] ? 3 : 2;
        choice[i] = bottom > top ? bottom_choice : top_choice;
        out[i] = std::max(0.0f, std::max(top, bottom));
      }
    }
  }
}

// d_pixels gets d_out at the chosen pixel, where the output was positive, and 0 elsewhere.
void BackwardReluAndPool(const Layer& l, const float* out, const uint8_t* choice, const float* d_out, float* d_pixels) {
  const uint32_t c = l.outputs, side = l.conv_side();
  for (uint32_t y = 0; y < side / 2; ++y) {
    for (uint32_t x = 0; x < side / 2; ++x, out += c, choice += c, d_out += c) {
      float* p0 = d_pixels + (uint64_t{2 * y} * side + 2 * x) * c;
      float *p1 = p0 + c, *p2 = p0 + uint64_t{side} * c, *p3 = p2 + c;
      for (uint32_t i = 0; i < c; ++i) {
        const float d = out[i] > 0.0f ? d_out[i] : 0.0f;
        p0[i] = choice[i] == 0 ? d : 0.0f;
        p1[i] = choice[i] == 1 ? d : 0.0f;
        p2[i] = choice[i] == 2 ? d : 0.0f;
        p3[i] = choice[i] == 3 ? d : 0.0f;
      }
    }
  }
}

// Without a maximum, and of dense layers: d where the output was positive.
void BackwardRelu(const float* out, const float* d_out, uint64_t n, float* d) {
  for (uint64_t i = 0; i < n; ++i) d[i] = out[i] > 0.0f ? d_out[i] : 0.0f;
}

void Relu(uint64_t n, float* out) {
  for (uint64_t i = 0; i < n; ++i) out[i] = std::max(0.0f, out[i]);
}

// Sums the columns of d [num_rows, outputs] into the bias places of d_weights.
void SumBias(const float* d, uint64_t num_rows, uint32_t outputs, uint32_t row_values, bool add, float* sums,
             float* d_weights) {
  std::fill_n(sums, outputs, 0.0f);
  for (uint64_t r = 0; r < num_rows; ++r, d += outputs) {
    for (uint32_t o = 0; o < outputs; ++o) sums[o] += d[o];
  }
  for (uint32_t o = 0; o < outputs; ++o) {
    float* bias = d_weights + uint64_t{o} * row_values + row_values - 1;
    *bias = add ? *bias + sums[o] : sums[o];
  }
}

void ForwardConvolution(const Layer& l, const float* weights, const float* in, uint32_t n, float* out, uint8_t* choice,
                        Scratch* scratch) {
  const uint32_t pixels = l.conv_side() * l.conv_side(), k = l.fan_in(), group_most = GroupOf(l);
  float* patches = scratch->Floats(0, uint64_t{group_most} * pixels * k);
  float* pooled_from = l.pools ? scratch->Floats(1, uint64_t{group_most} * pixels * l.outputs) : nullptr;
  for (uint32_t first = 0; first < n; first += group_most) {
    const uint32_t group = std::min(group_most, n - first);
    float* conv = l.pools ? pooled_from : out + uint64_t{first} * l.out_values();
    for (uint32_t i = 0; i < group; ++i) {
      ImageToPatches(l, in + uint64_t{first + i} * l.in_values(), patches + uint64_t{i} * pixels * k);
    }
    FillWithBias(weights, l.row_values(), l.outputs, uint64_t{group} * pixels, conv);
    Gemm(CblasNoTrans, CblasTrans, group * pixels, l.outputs, k, patches, k, weights, l.row_values(), 1.0f, conv,
         l.outputs);
    if (!l.pools) Relu(uint64_t{group} * l.out_values(), conv);
    for (uint32_t i = 0; i < group && l.pools; ++i) {
      const uint64_t at = uint64_t{first + i} * l.out_values();
      ReluAndPool(l, conv + uint64_t{i} * pixels * l.outputs, out + at, choice + at);
    }
  }
}

void BackwardConvolution(const Layer& l, const float* weights, const float* in, const float* out, const uint8_t* choice,
                         const float* d_out, uint32_t n, float* d_weights, float* d_in, Scratch* scratch) {
  const uint32_t pixels = l.conv_side() * l.conv_side(), k = l.fan_in(), group_most = GroupOf(l);
  float* patches = scratch->Floats(0, uint64_t{group_most} * pixels * k);
  float* d_conv = scratch->Floats(1, uint64_t{group_most} * pixels * l.outputs);
  float* sums = scratch->Floats(2, l.outputs);
  for (uint32_t first = 0; first < n; first += group_most) {
    const uint32_t group = std::min(group_most, n - first);
    for (uint32_t i = 0; i < group; ++i) {
      const uint64_t at = uint64_t{first + i} * l.out_values();
      float* const d_pixels = d_conv + uint64_t{i} * pixels * l.outputs;
      ImageToPatches(l, in + uint64_t{first + i} * l.in_values(), patches + uint64_t{i} * pixels * k);
      if (l.pools) {
        BackwardReluAndPool(l, out + at, choice + at, d_out + at, d_pixels);
      } else {
        BackwardRelu(out + at, d_out + at, l.out_values(), d_pixels);
      }
    }
    Gemm(CblasTrans, CblasNoTrans, l.outputs, k, group * pixels, d_conv, l.outputs, patches, k,
         first == 0 ? 0.0f : 1.0f, d_weights, l.row_values());
    SumBias(d_conv, uint64_t{group} * pixels, l.outputs, l.row_values(), first != 0, sums, d_weights);
    if (d_in == nullptr) continue;
    Gemm(CblasNoTrans, CblasNoTrans, group * pixels, k, l.outputs, d_conv, l.outputs, weights, l.row_values(), 0.0f,
         patches, k);
    for (uint32_t i = 0; i < group; ++i) {
      AddPatchesToImage(l, patches + uint64_t{i} * pixels * k, d_in + uint64_t{first + i} * l.in_values());
    }
  }
}

void BackwardDense(const Layer& l, const float* weights, const float* in, const float* out, const float* d_out,
                   uint32_t n, float* d_weights, float* d_in, Scratch* scratch) {
  const float* d = d_out;
  if (l.kind == LayerKind::kDenseRelu) {
    float* masked = scratch->Floats(0, uint64_t{n} * l.outputs);
    BackwardRelu(out, d_out, uint64_t{n} * l.outputs, masked);
    d = masked;
  }
  Gemm(CblasTrans, CblasNoTrans, l.outputs, l.fan_in(), n, d, l.outputs, in, l.fan_in(), 0.0f, d_weights,
       l.row_values());
  SumBias(d, n, l.outputs, l.row_values(), false, scratch->Floats(2, l.outputs), d_weights);
  if (d_in == nullptr) return;
  Gemm(CblasNoTrans, CblasNoTrans, n, l.fan_in(), l.outputs, d, l.outputs, weights, l.row_values(), 0.0f, d_in,
       l.fan_in());
}

}  // namespace

float* Scratch::Floats(uint32_t index, uint64_t n) {
  if (buffers_[index].size() < n) buffers_[index].resize(n);
  return buffers_[index].data();
}

void UseOneBlasThread() { openblas_set_num_threads(1); }

void NormalizePixels(const uint8_t* pixels, uint64_t n, float* out) {
  for (uint64_t i = 0; i < n; ++i) out[i] = (static_cast<float>(pixels[i]) * kPixelScale - kPixelMean) * kPixelGain;
}

void Forward(const Layer& layer, const float* weights, const float* in, uint32_t n, float* out, uint8_t* choice,
             Scratch* scratch) {
  if (n == 0) return;
  if (layer.kind == LayerKind::kConvolution) return ForwardConvolution(layer, weights, in, n, out, choice, scratch);
  FillWithBias(weights, layer.row_values(), layer.outputs, n, out);
  Gemm(CblasNoTrans, CblasTrans, n, layer.outputs, layer.fan_in(), in, layer.fan_in(), weights, layer.row_values(),
       1.0f, out, layer.outputs);
  if (layer.kind == LayerKind::kDenseRelu) Relu(uint64_t{n} * layer.outputs, out);
}

void Backward(const Layer& layer, const float* weights, const float* in, const float* out, const uint8_t* choice,
              const float* d_out, uint32_t n, float* d_weights, float* d_in, Scratch* scratch) {
  if (layer.kind == LayerKind::kConvolution) {
    BackwardConvolution(layer, weights, in, out, choice, d_out, n, d_weights, d_in, scratch);
  } else {
    BackwardDense(layer, weights, in, out, d_out, n, d_weights, d_in, scratch);
  }
}

LossSum SoftmaxLoss(const float* logits, const int64_t* labels, uint32_t n, uint32_t classes, float scale,
                    float* d_logits) {
  LossSum sum;
  sum.images = n;
  for (uint32_t i = 0; i < n; ++i, logits += classes) {
    const uint32_t label = static_cast<uint32_t>(labels[i]);
    const float largest = *std::max_element(logits, logits + classes);
    double total = 0;
    for (uint32_t c = 0; c < classes; ++c) total += std::exp(static_cast<double>(logits[c] - largest));
    sum.loss += std::log(total) - static_cast<double>(logits[label] - largest);
    sum.correct += static_cast<uint32_t>(std::max_element(logits, logits + classes) - logits) == label ? 1 : 0;
    if (d_logits == nullptr) continue;
    for (uint32_t c = 0; c < classes; ++c) {
      const double p = std::exp(static_cast<double>(logits[c] - largest)) / total;
      d_logits[uint64_t{i} * classes + c] = scale * static_cast<float>(p - (c == label ? 1.0 : 0.0));
    }
  }
  return sum;
}

}  // namespace train_images
