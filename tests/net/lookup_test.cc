// SPDX-License-Identifier: Apache-2.0
// Hosts that are given by name: what they resolve to, now or later, and what a resolver that takes its time holds up.
#include <doctest/doctest.h>

#include <netdb.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "tests/net/control_harness.h"

namespace geeps::net {
namespace {

std::string AtName() { return absl::StrCat("tcp://rank0.test:", tool::FindFreeLoopbackPort().value_or(0)); }

bool SystemKnows(const char* host) {
  addrinfo* found = nullptr;
  const bool known = getaddrinfo(host, nullptr, nullptr, &found) == 0;
  if (known) freeaddrinfo(found);
  return known;
}

// Always the same answer.
ResolveFn Answer(const HostAddresses& addresses) {
  return [addresses](const std::string&) -> absl::StatusOr<HostAddresses> { return addresses; };
}

TEST_CASE("ResolveHost: the system's addresses as literals, IPv4 first, none twice; an error for what is no name") {
  for (const char* host : {"127.0.0.1", "localhost"}) {
    if (!SystemKnows(host)) continue;  // a bare system has no /etc/hosts
    CAPTURE(std::string(host));
    const auto local = ResolveHost(host);
    REQUIRE(local.ok());
    CHECK(IsLoopback(local->front()));
    bool seen_v6 = false;
    for (size_t i = 0; i < local->size(); ++i) {
      const bool v6 = absl::StrContains((*local)[i], ":");
      CHECK(!(seen_v6 && !v6));
      seen_v6 = seen_v6 || v6;
      for (size_t j = 0; j < i; ++j) CHECK((*local)[i] != (*local)[j]);
    }
  }
  CHECK(SystemKnows("127.0.0.1"));
  CHECK(DetailOf(ResolveHost("a name with blanks").status()).code == Code::kNotFound);
}

TEST_CASE("HostLookup: it answers as soon as the resolver has, with loopback addresses only") {
  HostLookup lookup("host", Answer({"10.0.0.1", "127.0.0.3", "::1"}));
  CHECK(DetailOf(lookup.Poll(0).status()).code == Code::kNotFound);
  absl::StatusOr<HostAddresses> addresses = lookup.Poll(0);
  const auto until = std::chrono::steady_clock::now() + kDeadline;
  while (!addresses.ok() && std::chrono::steady_clock::now() < until) addresses = lookup.Poll(0);
  REQUIRE(addresses.ok());
  CHECK(*addresses == HostAddresses{"127.0.0.3", "::1"});
}

TEST_CASE(
    "HostLookup: after an error it asks again when the pause is over, not before; a good answer outlives a later "
    "error") {
  auto asked = std::make_shared<std::atomic<int>>(0);
  HostLookup lookup("host", [asked](const std::string&) -> absl::StatusOr<HostAddresses> {
    const int time = ++*asked;
    if (time == 2) return HostAddresses{"127.0.0.1"};
    return NotFound("attempt ", time);
  });
  uint64_t now_ns = 1;
  const auto poll_until = [&](auto condition) {
    const auto until = std::chrono::steady_clock::now() + kDeadline;
    while (!condition(lookup.Poll(now_ns)) && std::chrono::steady_clock::now() < until) {
    }
    return condition(lookup.Poll(now_ns));
  };
  CHECK(poll_until([](const absl::StatusOr<HostAddresses>& answer) {
    return absl::StrContains(answer.status().message(), "attempt 1");
  }));
  now_ns += HostLookup::kPauseNs - 1;
  CHECK(!lookup.Poll(now_ns).ok());
  CHECK(*asked == 1);
  now_ns += 1;
  CHECK(poll_until([](const absl::StatusOr<HostAddresses>& answer) { return answer.ok(); }));
  now_ns += HostLookup::kRefreshNs;
  CHECK(poll_until([&](const absl::StatusOr<HostAddresses>& answer) { return answer.ok() && *asked == 3; }));
  CHECK(lookup.Poll(now_ns).ok());
}

TEST_CASE("ControlPlane: workers meet at a name that resolves only after a while") {
  Workers workers = MakeWorkers(3, AtName());
  for (auto& worker : workers) {
    auto asked = std::make_shared<std::atomic<int>>(0);
    worker->options.resolve = [asked](const std::string& host) -> absl::StatusOr<HostAddresses> {
      CHECK(host == "rank0.test");
      if (++*asked == 1) return NotFound("not yet");
      return HostAddresses{"127.0.0.1", "10.0.0.1"};
    };
  }
  Meet(workers);
  ShutDown(workers);
}

TEST_CASE("ControlPlane: a name that has other addresses than loopback only is denied at the start, on each rank") {
  for (const uint32_t rank : {0, 1}) {
    Worker worker(rank, 2, AtName());
    worker.options.resolve = Answer({"10.0.0.1", "2001:db8::1"});
    const absl::Status cause = worker.plane.Start(worker.options, &worker).status();
    CHECK(DetailOf(cause).code == Code::kDenied);
    CHECK(absl::StrContains(cause.message(),
                            "rank0.test (10.0.0.1, 2001:db8::1) is not a loopback address: refused until"));
  }
}

TEST_CASE("ControlPlane: when nobody knows the name until the limit, the sentence says so, on each rank") {
  for (const uint32_t rank : {0, 1}) {
    Worker worker(rank, 2, AtName());
    worker.options.start_limit = std::chrono::milliseconds(1500);
    worker.options.resolve = [](const std::string&) -> absl::StatusOr<HostAddresses> {
      return NotFound("no such thing");
    };
    const absl::Status cause = worker.plane.Start(worker.options, &worker).status();
    CHECK(DetailOf(cause).code == Code::kTimeout);
    CHECK(absl::StrContains(cause.message(), "the name rank0.test is not known: no such thing"));
  }
}

TEST_CASE("ControlPlane: a resolver that does not answer holds up neither the start limit nor the end") {
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool open = false;
    int left = 0;
  };
  auto gate = std::make_shared<Gate>();
  for (const uint32_t rank : {0, 1}) {
    Worker worker(rank, 2, AtName());
    worker.options.start_limit = std::chrono::milliseconds(100);
    worker.options.resolve = [gate](const std::string&) -> absl::StatusOr<HostAddresses> {
      std::unique_lock<std::mutex> lock(gate->mutex);
      gate->changed.wait(lock, [&] { return gate->open; });
      ++gate->left;
      gate->changed.notify_all();
      return HostAddresses{"127.0.0.1"};
    };
    const absl::Status cause = worker.plane.Start(worker.options, &worker).status();
    CHECK(DetailOf(cause).code == Code::kTimeout);
    CHECK(absl::StrContains(cause.message(), "the name rank0.test is being looked up"));
    worker.plane.Stop();
  }
  std::unique_lock<std::mutex> lock(gate->mutex);
  gate->open = true;
  gate->changed.notify_all();
  CHECK(gate->changed.wait_for(lock, kDeadline, [&] { return gate->left == 2; }));
}

}  // namespace
}  // namespace geeps::net
