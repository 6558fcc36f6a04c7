// SPDX-License-Identifier: Apache-2.0
// The movers' engine without a job: what it keeps of its end.
#include "runtime/movers/engine.h"

#include <doctest/doctest.h>

#include <string>

#include "runtime/base/log.h"
#include "runtime/base/status.h"
#include "runtime/device/device.h"
#include "runtime/net/plugin.h"
#include "runtime/net/transport.h"

namespace geeps::movers {
namespace {

TEST_CASE("Engine: of several causes of a loss the first one stays, for every later call") {
  Log log(LogLevel::kError, nullptr, nullptr);
  net::PluginRegistry plugins(&log, "");
  const auto device = device::Open("host");
  REQUIRE(device.ok());
  const auto transport = net::OpenTransport(&plugins, "inproc");
  REQUIRE(transport.ok());
  net::Endpoint::Options options;
  options.job = "geeps";
  auto endpoint = net::Endpoint::Create(*transport, options);
  REQUIRE(endpoint.ok());
  Engine::Options engine_options;
  engine_options.device = device->get();
  engine_options.host_device = device->get();
  engine_options.endpoint = &*endpoint;
  engine_options.log = &log;
  Engine engine(engine_options);
  REQUIRE(engine.Start().ok());
  CHECK(engine.failure().ok());
  StatusDetail lost;
  lost.code = Code::kPeerLost;
  lost.rank = 3;
  lost.clock = 17;
  engine.Latch(MakeStatus(lost, "rank 3 was lost at clock 17"));
  engine.Latch(MakeStatus(Code::kDevice, "the device failed"));
  engine.Latch(MakeStatus(Code::kCancelled, "the runtime was destroyed"));
  CHECK(engine.failed());
  CHECK(engine.failure_code() == Code::kPeerLost);
  CHECK(engine.failure().message() == "rank 3 was lost at clock 17");
  CHECK(DetailOf(engine.failure()).rank == 3);
  CHECK(DetailOf(engine.failure()).latched);
  engine.Stop();
}

}  // namespace
}  // namespace geeps::movers
