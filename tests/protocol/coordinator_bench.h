// SPDX-License-Identifier: Apache-2.0
// A coordinator under test: inputs that return their effects, and what tests say about these.
#ifndef GEEPS_TESTS_PROTOCOL_COORDINATOR_BENCH_H_
#define GEEPS_TESTS_PROTOCOL_COORDINATOR_BENCH_H_

#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "runtime/base/status.h"
#include "runtime/protocol/coordinator.h"

namespace geeps::protocol {

inline constexpr uint64_t kMs = 1'000'000;
inline constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();
using Kind = CoordinatorEffect::Kind;

inline Hello HelloOf(uint32_t rank, uint32_t world) {
  Hello hello;
  hello.rank = rank;
  hello.world = world;
  hello.pid = 40 + rank;
  hello.host = std::string(1, static_cast<char>('a' + rank));
  hello.transport = "tcp";
  hello.address = "address " + std::to_string(rank);
  return hello;
}

inline Enter EnterOf(FenceKind kind, Clock clock, uint8_t phase = 1) {
  Enter enter;
  enter.kind = kind;
  enter.clock = clock;
  enter.phase = phase;
  return enter;
}

inline Cause CauseOf(Code code, const std::string& text) {
  Cause cause;
  cause.code = static_cast<int32_t>(code);
  cause.text = text;
  return cause;
}

// A coordinator; each input returns its effects.
class CoordinatorBench {
 public:
  explicit CoordinatorBench(uint32_t world, uint64_t heartbeat_limit_ns = 1000 * kMs)
      : world_(world), machine(Made(world, heartbeat_limit_ns)) {}

  std::vector<CoordinatorEffect> Hello(const protocol::Hello& hello, uint64_t connection = 1) {
    return Taken([&](auto* effects) { machine.OnHello(connection, hello, now_ns, effects); });
  }
  void Meet() {
    for (uint32_t rank = 0; rank < world_; ++rank) Hello(HelloOf(rank, world_), 100 + rank);
  }
  std::vector<CoordinatorEffect> Enter(uint32_t rank, const protocol::Enter& enter) {
    return Taken([&](auto* effects) { machine.OnEnter(rank, enter, now_ns, effects); });
  }
  std::vector<CoordinatorEffect> Lines(uint32_t rank, const std::vector<DeclarationLine>& lines) {
    return Taken([&](auto* effects) { machine.OnLines(rank, lines, effects); });
  }
  std::vector<CoordinatorEffect> Beat(uint32_t rank, Clock clock) {
    return Taken([&](auto* effects) { machine.OnBeat(rank, clock, now_ns, effects); });
  }
  std::vector<CoordinatorEffect> Bye(uint32_t rank, const Cause& cause) {
    return Taken([&](auto* effects) { machine.OnBye(rank, cause, effects); });
  }
  std::vector<CoordinatorEffect> Suspect(uint32_t rank, uint32_t suspect, const std::string& text) {
    return Taken([&](auto* effects) { machine.OnSuspect(rank, suspect, text, now_ns, effects); });
  }
  std::vector<CoordinatorEffect> Closed(uint32_t rank) {
    return Taken([&](auto* effects) { machine.OnClosed(rank, now_ns, effects); });
  }
  std::vector<CoordinatorEffect> Tick() {
    return Taken([&](auto* effects) { machine.OnTick(now_ns, effects); });
  }

 private:
  uint32_t world_;

 public:
  Coordinator machine;
  uint64_t now_ns = 0;

 private:
  static Coordinator Made(uint32_t world, uint64_t heartbeat_limit_ns) {
    Coordinator::Options options;
    options.world = world;
    options.job = 77;
    options.heartbeat_limit_ns = heartbeat_limit_ns;
    return Coordinator(options, 0);
  }
  std::vector<CoordinatorEffect> Taken(const std::function<void(std::vector<CoordinatorEffect>*)>& input) {
    std::vector<CoordinatorEffect> effects;
    input(&effects);
    return effects;
  }
};

inline CoordinatorBench Met(uint32_t world, uint64_t heartbeat_limit_ns = 1000 * kMs) {
  CoordinatorBench bench(world, heartbeat_limit_ns);
  bench.Meet();
  return bench;
}

// The one effect, of this kind.
inline CoordinatorEffect Only(const std::vector<CoordinatorEffect>& effects, Kind kind) {
  REQUIRE(effects.size() == 1);
  REQUIRE(effects[0].kind == kind);
  return effects[0];
}

inline bool Says(const std::string& text, const std::string& part) {
  const bool says = text.find(part) != std::string::npos;
  if (!says) MESSAGE("'" << text << "' does not say '" << part << "'");
  return says;
}

inline int32_t Value(Code code) { return static_cast<int32_t>(code); }

}  // namespace geeps::protocol

#endif  // GEEPS_TESTS_PROTOCOL_COORDINATOR_BENCH_H_
