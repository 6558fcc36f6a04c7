// SPDX-License-Identifier: Apache-2.0
// The layers of a convolutional net, as pure functions on buffers of f32 in host memory.
//
// Images lie pixel by pixel with the channels innermost: [image, y, x, channel]. Weights lie as the rows of a table: a
// row is one output unit or output channel, its inputs first, its bias last. A function keeps nothing; two threads may
// call with buffers and scratch of their own. The same inputs give the same bits, run after run, once UseOneBlasThread
// was called.
#ifndef SAMPLES_TRAIN_IMAGES_NET_H_
#define SAMPLES_TRAIN_IMAGES_NET_H_

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace train_images {

enum class LayerKind {
  kConvolution,  // square kernel, then ReLU, then, where the layer pools, the maximum of each 2 x 2 pixels
  kDenseRelu,
  kDense,
};

struct Layer {
  std::string name;
  LayerKind kind;
  uint32_t in_side;      // convolution: pixels per side of the input; else 1
  uint32_t in_channels;  // dense: inputs
  uint32_t kernel;       // convolution: pixels per side; else 1
  uint32_t outputs;      // channels or units
  uint32_t padding = 0;  // convolution: zeros around the input, pixels per side
  bool pools = true;     // convolution
  double init_gain = 1;  // initial values are uniform in +- init_bound()

  uint32_t conv_side() const { return in_side + 2 * padding - kernel + 1; }  // before the maximum; even where it pools
  uint32_t out_side() const { return kind == LayerKind::kConvolution ? conv_side() / (pools ? 2 : 1) : 1; }
  uint32_t in_values() const { return in_side * in_side * in_channels; }
  uint32_t out_values() const { return out_side() * out_side() * outputs; }
  uint32_t fan_in() const { return kernel * kernel * in_channels; }
  double init_bound() const { return init_gain / std::sqrt(static_cast<double>(fan_in())); }
  // Shape of the table.
  uint32_t num_rows() const { return outputs; }
  uint32_t row_values() const { return fan_in() + 1; }
  // Bytes per image, beside the outputs, that backward needs from forward: which of four pixels was the largest.
  uint32_t choice_bytes() const { return kind == LayerKind::kConvolution && pools ? out_values() : 0; }
};

// Memory for intermediate results, grown when needed.
class Scratch {
 public:
  float* Floats(uint32_t index, uint64_t n);

 private:
  std::vector<float> buffers_[3];
};

// OpenBLAS on one thread: a sum is then always made in the same order.
void UseOneBlasThread();

// Pixels as numbers of mean 0 and deviation 1, roughly: those of Fashion-MNIST are 0.286 and 0.353 of the largest.
constexpr float kPixelScale = 1.0f / 255, kPixelMean = 0.286f, kPixelGain = 1 / 0.353f;
void NormalizePixels(const uint8_t* pixels, uint64_t n, float* out);

//   weights  [num_rows, row_values]
//   in       [n, in_values]
//   out      [n, out_values], written
//   choice   [n, choice_bytes], written; NULL when choice_bytes is 0
void Forward(const Layer& layer, const float* weights, const float* in, uint32_t n, float* out, uint8_t* choice,
             Scratch* scratch);

// The gradients of a loss, given those of the layer's outputs.
//   weights   as above; unused, may be NULL, when d_in is NULL
//   in, out, choice   as they were in Forward
//   d_out     [n, out_values]
//   d_weights [num_rows, row_values], written whole
//   d_in      [n, in_values], written; NULL when nobody wants it
// REQUIRES: n >= 1.
void Backward(const Layer& layer, const float* weights, const float* in, const float* out, const uint8_t* choice,
              const float* d_out, uint32_t n, float* d_weights, float* d_in, Scratch* scratch);

struct LossSum {
  double loss = 0;  // summed over the images
  uint64_t correct = 0;
  uint64_t images = 0;

  void Add(const LossSum& more) {
    loss += more.loss;
    correct += more.correct;
    images += more.images;
  }
};

// Softmax and cross entropy.
//   logits   [n, classes]
//   labels   [n], each < classes
//   d_logits [n, classes], written: the gradient of scale * (summed loss); NULL when nobody wants it
LossSum SoftmaxLoss(const float* logits, const int64_t* labels, uint32_t n, uint32_t classes, float scale,
                    float* d_logits);

}  // namespace train_images

#endif  // SAMPLES_TRAIN_IMAGES_NET_H_
