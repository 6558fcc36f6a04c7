// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/nets.h"

#include <algorithm>

namespace train_images {
namespace {

constexpr uint32_t kSideMost = 1024;

// ReLU halves the variance of what passes it; with this gain the first signals pass thirteen layers and do not fade.
// Source: He, Zhang, Ren, Sun, Delving deep into rectifiers, ICCV 2015.
constexpr double kReluGain = 2.449489742783178;  // sqrt(6)

}  // namespace

std::vector<Layer> LeNet(const ImageShape& images) {
  std::vector<Layer> layers;
  layers.push_back({"conv1", LayerKind::kConvolution, images.side, images.channels, 5, 20});
  layers.push_back({"conv2", LayerKind::kConvolution, layers[0].out_side(), layers[0].outputs, 5, 50});
  layers.push_back({"dense1", LayerKind::kDenseRelu, 1, layers[1].out_values(), 1, 500});
  layers.push_back({"dense2", LayerKind::kDense, 1, layers[2].outputs, 1, images.num_classes});
  return layers;
}

std::vector<Layer> Vgg(const ImageShape& images, uint32_t narrower) {
  struct Group {
    uint32_t convolutions, channels;
  };
  constexpr Group kGroups[] = {{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}};
  const auto narrowed = [narrower](uint32_t width) { return std::max(1u, width / narrower); };
  std::vector<Layer> layers;
  uint32_t side = images.side, channels = images.channels, group_number = 0;
  for (const Group& group : kGroups) {
    ++group_number;
    for (uint32_t i = 1; i <= group.convolutions; ++i) {
      const std::string name = "conv" + std::to_string(group_number) + "_" + std::to_string(i);
      layers.push_back({name, LayerKind::kConvolution, side, channels, 3, narrowed(group.channels), 1,
                        i == group.convolutions, kReluGain});
      side = layers.back().out_side();
      channels = layers.back().outputs;
    }
  }
  layers.push_back(
      {"dense1", LayerKind::kDenseRelu, 1, layers.back().out_values(), 1, narrowed(4096), 0, true, kReluGain});
  layers.push_back({"dense2", LayerKind::kDense, 1, layers.back().outputs, 1, images.num_classes});
  return layers;
}

std::vector<Layer> MakeNet(const std::string& name, const ImageShape& images, uint32_t narrower, std::string* why) {
  const std::string found = ", found " + std::to_string(images.side);
  if (name == "lenet") {
    // Two convolutions that cost 4 pixels, each followed by a halving.
    if (images.side >= 16 && images.side <= kSideMost && images.side % 4 == 0) return LeNet(images);
    *why = "the net lenet wants images of 16, 20, 24, 28 ... " + std::to_string(kSideMost) + " pixels a side" + found;
  } else {
    // Five halvings.
    if (images.side >= 32 && images.side <= kSideMost && images.side % 32 == 0) return Vgg(images, narrower);
    *why = "the net vgg wants images of 32, 64, 96 ... 224 ... " + std::to_string(kSideMost) + " pixels a side" + found;
  }
  return {};
}

}  // namespace train_images
