// SPDX-License-Identifier: Apache-2.0
// The nets that train_images trains, as lists of layers. Pure functions.
#ifndef SAMPLES_TRAIN_IMAGES_NETS_H_
#define SAMPLES_TRAIN_IMAGES_NETS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "samples/train_images/net.h"

namespace train_images {

// What the images are that a net takes in, and how many classes it tells apart.
struct ImageShape {
  uint32_t side;  // square
  uint32_t channels;
  uint32_t num_classes;
  uint64_t bytes() const { return uint64_t{side} * side * channels; }
};

// conv 5 x 5 to 20, conv 5 x 5 to 50, dense 500, dense num_classes.
// REQUIRES: side - 4 and half of it minus 4 are even and positive (28 is the usual one).
std::vector<Layer> LeNet(const ImageShape& images);

// 13 convolutions 3 x 3 with a padding of 1, in groups of 2, 2, 3, 3 and 3 to 64, 128, 256, 512 and 512 channels, of
// which the last of each group pools; dense 4096, dense num_classes. All widths but the last are divided by `narrower`.
// REQUIRES: side is a multiple of 32 (224 is the usual one).
// Source: Simonyan and Zisserman, Very deep convolutional networks for large-scale image recognition, ICLR 2015,
// configuration D with one of its two dense layers of 4096.
std::vector<Layer> Vgg(const ImageShape& images, uint32_t narrower);

// The net `name`, lenet or vgg. Empty with a sentence in *why when the images do not suit it.
std::vector<Layer> MakeNet(const std::string& name, const ImageShape& images, uint32_t narrower, std::string* why);

}  // namespace train_images

#endif  // SAMPLES_TRAIN_IMAGES_NETS_H_
