// SPDX-License-Identifier: Apache-2.0
// The fake driver with the kernels of train_images: begun anew, and what must hold of it when everything was given
// back. Thread contract: one thread, while nothing runs.
#ifndef GEEPS_TESTS_CUDA_TRAIN_IMAGES_FAKE_SESSION_H_
#define GEEPS_TESTS_CUDA_TRAIN_IMAGES_FAKE_SESSION_H_

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "tests/cuda/fake/fake.h"
#include "tests/cuda/fake_cublas/fake_cublas.h"
#include "tests/cuda/train_images/fake_kernels.h"

namespace train_images {

// words: as in fake/config.h.
inline void ConfigureFake(const std::string& words) {
  geeps::test::AddTrainKernels();
  REQUIRE(geeps_fake_configure(("quiet=1 " + words).c_str()));
}

// Nothing was found, nothing is left, and no work went into the legacy default stream.
inline void CheckFakeIsClean() {
  char text[500];
  for (uint64_t i = 0; i < geeps_fake_findings(i, text, sizeof text); ++i) FAIL_CHECK(std::string(text));
  for (const char* what : {"contexts", "streams", "events", "modules", "allocations", "pinned"}) {
    CHECK_MESSAGE(geeps_fake_living(what) == 0, std::string(what));
  }
  CHECK(geeps_fake_cublas_living() == 0);
  CHECK(geeps_fake_count("legacy") == 0);
}

}  // namespace train_images

#endif  // GEEPS_TESTS_CUDA_TRAIN_IMAGES_FAKE_SESSION_H_
