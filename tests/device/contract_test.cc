// SPDX-License-Identifier: Apache-2.0
#include "tests/device/contract.h"

#include <doctest/doctest.h>

namespace geeps::test {
namespace {

TEST_CASE("Device contract: the host back end keeps it") { RunContract(device::HostDeviceTable(), "", 20); }

TEST_CASE("Device contract: the deferred back end keeps it, lazy") {
  RunContract(device::DeferredDeviceTable(), "lazy", 20);
}

TEST_CASE("Device contract: the deferred back end keeps it, eager") {
  RunContract(device::DeferredDeviceTable(), "eager", 20);
}

TEST_CASE("Device contract: the deferred back end keeps it, seeded") {
  RunContract(device::DeferredDeviceTable(), "seeded:1", 20);
  RunContract(device::DeferredDeviceTable(), "seeded:2", 20);
}

TEST_CASE("Device contract: the deferred back end keeps it, over a modelled link") {
  RunContract(device::DeferredDeviceTable(), "link:1GiB:512MiB:5", 20);
}

}  // namespace
}  // namespace geeps::test
