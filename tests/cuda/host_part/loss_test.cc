// SPDX-License-Identifier: Apache-2.0
#include "plugins/cuda/loss.h"

#include <doctest/doctest.h>

#include "tests/cuda/host_part/stub_functions.h"

namespace geeps::cuda {
namespace {

constexpr Result kLaunchOutOfResources = 701;

TEST_CASE("Loss: a refused call is an error of its own and loses nothing") {
  StubFunctions stub;
  Loss loss(&stub.driver, "device 3 (Stub)");
  CHECK(loss.Check(kSuccess, "cuX").ok());
  const Status invalid = loss.Check(kInvalidValue, "cuX of ", 12, " bytes");
  CHECK(invalid.code() == GEEPS_E_INVALID);
  CHECK(invalid.native_code() == kInvalidValue);
  CHECK(!invalid.is_latched());
  CHECK(invalid.text() == "cuX of 12 bytes on device 3 (Stub): CUDA_ERROR_OTHER (its text)");
  CHECK(loss.Check(kInvalidHandle, "cuX").code() == GEEPS_E_INVALID);
  CHECK(loss.Check(kOutOfMemory, "cuX").code() == GEEPS_E_NOMEM);
  CHECK(loss.Check(kLaunchOutOfResources, "cuX").code() == GEEPS_E_NOMEM);
  CHECK(loss.Check(801, "cuX").code() == GEEPS_E_UNSUPPORTED);
  CHECK(!loss.is_lost());
  CHECK(loss.cause().ok());
}

TEST_CASE("Loss: the first cause stays, whatever comes later") {
  StubFunctions stub;
  Loss loss(&stub.driver, "device 3 (Stub)"), other(&stub.driver, "device 4 (Stub)");
  const std::string cause = "device 3 (Stub) is lost: cuY: CUDA_ERROR_ILLEGAL_ADDRESS (its text)";
  for (const Status& status :
       {loss.Check(kIllegalAddress, "cuY"), loss.Check(719, "cuZ"), loss.Check(kInvalidValue, "cuX"), loss.cause()}) {
    CHECK(status.code() == GEEPS_E_DEVICE);
    CHECK(status.native_code() == kIllegalAddress);
    CHECK(status.is_latched());
    CHECK(status.text() == cause);
  }
  CHECK(loss.is_lost());
  CHECK(loss.Check(kSuccess, "cuX").ok());
  CHECK(!other.is_lost());
}

TEST_CASE("Loss: what is not known to be harmless is a loss, and everything is behind other work") {
  StubFunctions stub;
  for (const Result result :
       {3, 4, 46, 201, 214, 220, 226, 702, 709, 710, 714, 715, 716, 717, 718, 719, 899, 909, 999, 123456}) {
    CAPTURE(result);
    Loss loss(&stub.driver, "device 0 (Stub)");
    CHECK(loss.Check(result, "cuX").code() == GEEPS_E_DEVICE);
    CHECK(loss.is_lost());
  }
  for (const Result result : {900, 905, 908}) CHECK(IsRecoverable(result));  // a capture of the embedder's stream
  Loss loss(&stub.driver, "device 0 (Stub)");
  CHECK(loss.CheckOrLose(kSuccess, "cuX").ok());
  CHECK(loss.CheckOrLose(kOutOfMemory, "cuX").code() == GEEPS_E_DEVICE);
  CHECK(loss.is_lost());
}

}  // namespace
}  // namespace geeps::cuda
