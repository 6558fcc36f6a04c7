// SPDX-License-Identifier: Apache-2.0
// Training passes of known networks as problems of staging: from the shapes of their layers, one operation per layer
// and direction; activations, their gradients, weights and the optimizer's state as items.
#ifndef GEEPS_TESTS_PLAN_NETWORKS_H_
#define GEEPS_TESTS_PLAN_NETWORKS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/plan/staging.h"

namespace geeps::test {

// A device: operations take the longer of what they calculate and what they touch.
struct Machine {
  double flops_per_s = 0;
  double bytes_per_s = 0;  // of device memory
};

// lenet, alexnet, vgg19, googlenet, resnet50, lstm, gpt
std::vector<std::string> NetworkNames();

// One pass of training on `batch` samples, in f32: weights are kept on the device and changed in place by the backward
// operation, as one f32 of rule state is. gpt: sequences of 2,048 tokens, 16 bits; weights are kept on the host: they
// come from there in each pass, and contributions go there. The budget is 0, the link not set. Sources: LeCun et al.
// 1998; Krizhevsky et al. 2012; Simonyan and Zisserman 2014; Szegedy et al. 2014; He et al. 2015; Hochreiter and
// Schmidhuber 1997 with 192 steps; Brown et al. 2020 with 48 layers of 8,192.
plan::StagingProblem NetworkProblem(const std::string& name, uint64_t batch, const Machine& machine);

// Bytes held at most when everything stays.
uint64_t PeakBytes(const plan::StagingProblem& problem);

}  // namespace geeps::test

#endif  // GEEPS_TESTS_PLAN_NETWORKS_H_
