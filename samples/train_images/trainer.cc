// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/trainer.h"

#include "samples/train_images/training.h"

namespace train_images {

void TrainImages(geeps::Runtime& rt, Compute& compute, const TrainOptions& options, geeps::Error& err) {
  if (options.plain) {
    if (rt.info(err).world > 1) err.Fail(GEEPS_E_INVALID, "--plain is for one worker");
    if (options.rule != "sgd") err.Fail(GEEPS_E_INVALID, "--plain has the rule sgd alone, not " + options.rule);
    InBuffers buffers(compute, err);
    Trainer<InBuffers>(buffers, compute, rt, options, err).Run();
  } else {
    InTables tables(rt, compute, err);
    Trainer<InTables>(tables, compute, rt, options, err).Run();
  }
}

}  // namespace train_images
