// SPDX-License-Identifier: Apache-2.0
// Training from the first epoch to the last, on this worker. One thread.
#ifndef SAMPLES_TRAIN_IMAGES_TRAINER_H_
#define SAMPLES_TRAIN_IMAGES_TRAINER_H_

#include <geeps.hpp>

#include "samples/train_images/compute.h"
#include "samples/train_images/options.h"

namespace train_images {

// Trains as the options say and prints a line per epoch on stdout, on rank 0. rt: started; options.plain: alone.
// What goes wrong stands in err afterwards.
void TrainImages(geeps::Runtime& rt, Compute& compute, const TrainOptions& options, geeps::Error& err);

}  // namespace train_images

#endif  // SAMPLES_TRAIN_IMAGES_TRAINER_H_
