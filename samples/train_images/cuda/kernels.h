// SPDX-License-Identifier: Apache-2.0
// The kernels of train_images. A kernel is a struct: its members are what a launch passes, by value; Run(i) is one of
// `num` pieces of work, which do not touch one another's results, so that neither their order nor their number per
// thread changes a bit. Each sum is made by one piece, in one order: where it can, that of the host's net.cc.
// Layouts are those of net.h. Thread contract: pieces run concurrently.
#ifndef SAMPLES_TRAIN_IMAGES_CUDA_KERNELS_H_
#define SAMPLES_TRAIN_IMAGES_CUDA_KERNELS_H_

#include <cmath>
#include <cstdint>

#include "samples/train_images/cuda/target.h"

namespace train_images::cuda {

// X(struct, name in the image)
#define TRAIN_IMAGES_KERNELS(X)                     \
  X(NormalizePixels, normalize_pixels)              \
  X(ImageToPatches<float>, image_to_patches)        \
  X(ImageToPatches<Quad>, image_to_patches_by_four) \
  X(PatchesToImage<float>, patches_to_image)        \
  X(PatchesToImage<Quad>, patches_to_image_by_four) \
  X(AddBias, add_bias)                              \
  X(ReluAndPool, relu_and_pool)                     \
  X(BackwardRelu, backward_relu)                    \
  X(BackwardReluAndPool, backward_relu_and_pool)    \
  X(SumRows, sum_rows)                              \
  X(SoftmaxLoss, softmax_loss)                      \
  X(SumLosses, sum_losses)                          \
  X(StepSgd, step_sgd)                              \
  X(StepAdd, step_add)

struct NormalizePixels {
  const uint8_t* pixels;
  float* out;
  float scale, mean, gain;
  uint32_t num;  // values

  TRAIN_IMAGES_HD void Run(uint32_t i) const {
    Store(out + i, (static_cast<float>(Load(pixels + i)) * scale - mean) * gain);
  }
};

// What both directions between images and patches know of a convolution.
struct PatchShape {
  uint32_t side;       // of the image
  uint32_t conv_side;  // of the output
  uint32_t kernel;
  uint32_t padding;
  uint32_t units;  // of a pixel: channels, or a quarter of them
};

// patches [images, conv_side, conv_side, kernel, kernel, units] of images [images, side, side, units]; 0 beyond edges.
template <typename V>
struct ImageToPatches {
  const V* images;
  V* patches;
  PatchShape shape;
  uint32_t num;  // units of all patches

  TRAIN_IMAGES_HD void Run(uint32_t i) const {
    uint32_t rest = i / shape.units;
    const uint32_t unit = i - rest * shape.units;
    const uint32_t kx = rest % shape.kernel;
    rest /= shape.kernel;
    const uint32_t ky = rest % shape.kernel;
    rest /= shape.kernel;
    const uint32_t x = rest % shape.conv_side;
    rest /= shape.conv_side;
    const uint32_t y = rest % shape.conv_side, image = rest / shape.conv_side;
    const uint32_t in_x = x + kx - shape.padding, in_y = y + ky - shape.padding;  // wrap around in front of the image
    V value = {};
    if (in_x < shape.side && in_y < shape.side) {
      value = Load(images + ((uint64_t{image} * shape.side + in_y) * shape.side + in_x) * shape.units + unit);
    }
    Store(patches + i, value);
  }
};

// The transpose: each value of an image is the sum of its places in the patches, in the order of the outputs.
template <typename V>
struct PatchesToImage {
  const V* patches;
  V* images;
  PatchShape shape;
  uint32_t num;  // units of all images

  TRAIN_IMAGES_HD void Run(uint32_t i) const {
    uint32_t rest = i / shape.units;
    const uint32_t unit = i - rest * shape.units;
    const uint32_t in_x = rest % shape.side;
    rest /= shape.side;
    const uint32_t in_y = rest % shape.side, image = rest / shape.side;
    V sum = {};
    for (uint32_t ky = shape.kernel; ky-- > 0;) {
      const uint32_t y = in_y + shape.padding - ky;
      if (y >= shape.conv_side) continue;
      for (uint32_t kx = shape.kernel; kx-- > 0;) {
        const uint32_t x = in_x + shape.padding - kx;
        if (x >= shape.conv_side) continue;
        const uint64_t pixel = (uint64_t{image} * shape.conv_side + y) * shape.conv_side + x;
        sum = sum + Load(patches + ((pixel * shape.kernel + ky) * shape.kernel + kx) * shape.units + unit);
      }
    }
    Store(images + i, sum);
  }
};

// The bias of an output is the last value of its row.
struct Bias {
  const float* weights;
  uint32_t row_values;
  TRAIN_IMAGES_HD float Of(uint32_t output) const {
    return Load(weights + uint64_t{output} * row_values + row_values - 1);
  }
};

// values [rows, outputs] += bias, then ReLU where wanted.
struct AddBias {
  float* values;
  Bias bias;
  uint32_t outputs;
  uint32_t has_relu;
  uint32_t num;  // values

  TRAIN_IMAGES_HD void Run(uint32_t i) const {
    const float value = Load(values + i) + bias.Of(i % outputs);
    Store(values + i, has_relu != 0 && !(value > 0.0f) ? 0.0f : value);
  }
};

// Where the four pixels lie that one value of the pooled output comes from: the first, in an image of conv_side.
TRAIN_IMAGES_HD uint64_t FirstOfFour(uint32_t i, uint32_t conv_side, uint32_t channels) {
  const uint32_t out_side = conv_side / 2, channel = i % channels;
  uint32_t rest = i / channels;
  const uint32_t x = rest % out_side;
  rest /= out_side;
  const uint32_t y = rest % out_side, image = rest / out_side;
  return ((uint64_t{image} * conv_side + 2 * y) * conv_side + 2 * x) * channels + channel;
}

// out = max(0, largest of 2 x 2 pixels with bias); choice: which pixel it was, 0 to 3, the first of equals.
struct ReluAndPool {
  const float* conv;  // without bias
  Bias bias;
  float* out;
  uint8_t* choice;
  uint32_t conv_side;
  uint32_t channels;
  uint32_t num;  // values of out

  TRAIN_IMAGES_HD void Run(uint32_t i) const {
    const float* const first = conv + FirstOfFour(i, conv_side, channels);
    const float* const below = first + uint64_t{conv_side} * channels;
    const float b = bias.Of(i % channels);
    const float p0 = Load(first) + b, p1 = Load(first + channels) + b;
    const float p2 = Load(below) + b, p3 = Load(below + channels) + b;
    const float top = p1 > p0 ? p1 : p0, bottom = p3 > p2 ? p3 : p2;
    const uint32_t top_choice = p1 > p0 ? 1 : 0, bottom_choice = p3 > p2 ? 3 : 2;
    const float largest = bottom > top ? bottom : top;
    Store(choice + i, static_cast<uint8_t>(bottom > top ? bottom_choice : top_choice));
    Store(out + i, largest > 0.0f ? largest : 0.0f);
  }
};

struct BackwardRelu {
  const float* out;
  const float* d_out;
  float* d;
  uint32_t num;  // values

  TRAIN_IMAGES_HD void Run(uint32_t i) const { Store(d + i, Load(out + i) > 0.0f ? Load(d_out + i) : 0.0f); }
};

// d_conv gets d_out at the chosen pixel, where the output was positive, and 0 elsewhere.
struct BackwardReluAndPool {
  const float* out;
  const uint8_t* choice;
  const float* d_out;
  float* d_conv;
  uint32_t conv_side;
  uint32_t channels;
  uint32_t num;  // values of out

  TRAIN_IMAGES_HD void Run(uint32_t i) const {
    float* const first = d_conv + FirstOfFour(i, conv_side, channels);
    float* const below = first + uint64_t{conv_side} * channels;
    const float d = Load(out + i) > 0.0f ? Load(d_out + i) : 0.0f;
    const uint32_t chosen = Load(choice + i);
    Store(first, chosen == 0 ? d : 0.0f);
    Store(first + channels, chosen == 1 ? d : 0.0f);
    Store(below, chosen == 2 ? d : 0.0f);
    Store(below + channels, chosen == 3 ? d : 0.0f);
  }
};

// Sums of rows_each rows of from [rows, columns]: sum p of column c goes to to[p * part_stride + c * column_stride].
struct SumRows {
  const float* from;
  float* to;
  uint32_t rows;
  uint32_t columns;
  uint32_t rows_each;
  uint32_t part_stride;
  uint32_t column_stride;
  uint32_t is_added;  // to what is there
  uint32_t num;       // sums

  TRAIN_IMAGES_HD void Run(uint32_t i) const {
    const uint32_t part = i / columns, column = i - part * columns;
    const uint32_t first = part * rows_each, end = rows - first < rows_each ? rows : first + rows_each;
    float sum = 0;
    for (uint32_t r = first; r < end; ++r) sum += Load(from + uint64_t{r} * columns + column);
    float* const place = to + uint64_t{part} * part_stride + uint64_t{column} * column_stride;
    Store(place, is_added != 0 ? Load(place) + sum : sum);
  }
};

// One image: its loss, whether it was told right, and the gradient of its logits.
struct SoftmaxLoss {
  const float* logits;    // [num, classes]
  const int64_t* labels;  // [num]
  float* d_logits;        // [num, classes], or NULL
  double* losses;         // [num]
  uint32_t* corrects;     // [num]
  uint32_t classes;
  float scale;
  uint32_t num;  // images

  TRAIN_IMAGES_HD void Run(uint32_t i) const {
    const float* const mine = logits + uint64_t{i} * classes;
    const uint32_t label = static_cast<uint32_t>(Load(labels + i));
    float largest = Load(mine);
    uint32_t guess = 0;
    for (uint32_t c = 1; c < classes; ++c) {
      const float value = Load(mine + c);
      guess = value > largest ? c : guess;
      largest = value > largest ? value : largest;
    }
    double total = 0;
    for (uint32_t c = 0; c < classes; ++c) total += ExpOf(mine + c, largest);
    Store(losses + i, log(total) - static_cast<double>(Load(mine + label) - largest));
    Store(corrects + i, uint32_t{guess == label});
    if (d_logits == nullptr) return;
    for (uint32_t c = 0; c < classes; ++c) {
      const double p = ExpOf(mine + c, largest) / total;
      Store(d_logits + uint64_t{i} * classes + c, scale * static_cast<float>(p - (c == label ? 1.0 : 0.0)));
    }
  }

  static TRAIN_IMAGES_HD double ExpOf(const float* logit, float largest) {
    return exp(static_cast<double>(Load(logit) - largest));
  }
};

struct BatchLoss {
  double loss;
  uint64_t correct;
};

struct SumLosses {
  const double* losses;      // [num_images]
  const uint32_t* corrects;  // [num_images]
  uint32_t num_images;
  BatchLoss* sum;
  uint32_t num;  // 1

  TRAIN_IMAGES_HD void Run(uint32_t) const {
    BatchLoss all = {0, 0};
    for (uint32_t i = 0; i < num_images; ++i) {
      all.loss += Load(losses + i);
      all.correct += Load(corrects + i);
    }
    Store(&sum->loss, all.loss);
    Store(&sum->correct, all.correct);
  }
};

// For plain buffers, as HostCompute::StepSgd.
struct StepSgd {
  float* values;
  float* momentum;
  const float* update;
  float lr, momentum_factor;
  uint32_t num;  // values

  TRAIN_IMAGES_HD void Run(uint32_t i) const {
    const float m = momentum_factor * Load(momentum + i) + Load(update + i);
    Store(momentum + i, m);
    Store(values + i, Load(values + i) - lr * m);
  }
};

struct StepAdd {
  double* sums;
  const double* add;
  uint32_t num;  // values

  TRAIN_IMAGES_HD void Run(uint32_t i) const { Store(sums + i, Load(sums + i) + Load(add + i)); }
};

#define TRAIN_IMAGES_NAME(Kernel, name) \
  inline const char* NameOf(const Kernel&) { return #name; }
TRAIN_IMAGES_KERNELS(TRAIN_IMAGES_NAME)
#undef TRAIN_IMAGES_NAME

}  // namespace train_images::cuda

#endif  // SAMPLES_TRAIN_IMAGES_CUDA_KERNELS_H_
