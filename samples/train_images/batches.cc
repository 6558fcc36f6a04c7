// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/batches.h"

#include "samples/train_images/idx_batches.h"
#include "samples/train_images/options.h"
#include "samples/train_images/synthetic_batches.h"

namespace train_images {

std::unique_ptr<Batches> Batches::Open(geeps::Runtime& rt, const std::string& data, const std::string& split,
                                       uint64_t seed, geeps::Error& err) {
  SyntheticImages images;
  if (ParseSynthetic(data, &images)) return std::make_unique<SyntheticBatches>(images, split, seed);
  return std::make_unique<IdxBatches>(rt, data, split, err);
}

}  // namespace train_images
