// SPDX-License-Identifier: Apache-2.0
// The phases of the drill as calls of an interpreter (tests/system/interpreter.h).
#include "geeps.h"
#include "tests/faults/drill.h"

namespace geeps::fault_test {
namespace {

constexpr const char* kTable = "table t 600 128 f64 partition_bytes=16384";
const std::vector<std::string> kFivePasses = {"start", kTable, "plan train t", "commit train", "passes train 5 1"};
const std::vector<std::string> kOpenRead = {"passes train 1 1", "begin train"};
const std::vector<std::string> kHoldsUpdate = {"begin train", "read", "post", "pre"};

// From the open read of a pass; the read of the next one must show this.
std::vector<std::string> AfterRead(int value) {
  return {"post", "pre", "update 1", "clock", "run passes train 1 1 ? " + std::to_string(value), "shutdown", "destroy"};
}

Phase Init() {
  Phase phase;
  phase.name = "init";
  phase.victim = phase.other = {{}, "start", {}};
  phase.late = {{}, "", {"start"}};
  phase.pending = "ask start";
  phase.wrong = {{"clock", GEEPS_E_STATE},
                 {"fence", GEEPS_E_STATE},
                 {"shutdown", GEEPS_E_STATE},
                 {"commit", GEEPS_E_STATE},
                 {"table bad 0 128 f64", GEEPS_E_INVALID}};
  phase.finish = {kTable, "plan train t", "commit train", "run passes train 3 1 ? 6", "shutdown", "destroy"};
  return phase;
}

Phase Commit() {
  Phase phase;
  phase.name = "commit";
  phase.before = {"start", kTable, "plan train t"};
  phase.victim = phase.other = {{}, "commit train", {}};
  phase.late = {{}, "", {"commit train"}};
  phase.pending = "ask commit train";
  phase.wrong = {{"commit none", GEEPS_E_INVALID},
                 {"begin train", GEEPS_E_STATE},
                 {"start", GEEPS_E_STATE},
                 {kTable, GEEPS_E_INVALID}};
  phase.finish = {"run passes train 3 1 ? 6", "shutdown", "destroy"};
  return phase;
}

// The worker's thread sleeps until the late one has told its clock.
Phase Read() {
  Phase phase;
  phase.name = "read";
  phase.before = kFivePasses;
  phase.victim = phase.other = {kOpenRead, "read", {}};
  phase.late = {{}, "", {"passes train 1 1", "begin train", "read"}};
  phase.pending = "read 0";
  phase.wrong = {{"post", GEEPS_E_STATE},
                 {"pre", GEEPS_E_STATE},
                 {"clock", GEEPS_E_STATE},
                 {"fence", GEEPS_E_STATE},
                 {"begin train", GEEPS_E_STATE}};
  phase.last_clock = 6;
  phase.finish = AfterRead(21);
  return phase;
}

// The others have handed in theirs and wait for this one.
Phase Update() {
  Phase phase;
  phase.name = "update";
  phase.before = kFivePasses;
  phase.victim = {kHoldsUpdate, "", {"update 1", "clock", "begin train", "read"}};
  phase.other = phase.late = {kOpenRead, "read", {}};
  phase.wrong = {
      {"pre", GEEPS_E_STATE}, {"read", GEEPS_E_STATE}, {"clock", GEEPS_E_STATE}, {"shutdown", GEEPS_E_STATE}};
  phase.last_clock = 5;
  phase.finish = AfterRead(21);
  return phase;
}

// With its last update a worker's contribution leaves: the others go on by one clock.
Phase Clock() {
  Phase phase;
  phase.name = "clock";
  phase.before = kFivePasses;
  phase.victim = {kHoldsUpdate, "", {"clock", "passes train 1 1", "begin train", "read"}};
  phase.victim.calls.push_back("update 1");
  phase.other = phase.late = {{"passes train 2 1", "begin train"}, "read", {}};
  phase.wrong = {{"update 1", GEEPS_E_STATE},
                 {"read", GEEPS_E_STATE},
                 {"begin train", GEEPS_E_STATE},
                 {"commit train", GEEPS_E_STATE}};
  phase.last_clock = 5;
  phase.finish = AfterRead(24);
  return phase;
}

Phase Close() {
  Phase phase;
  phase.name = "close";
  phase.before = kFivePasses;
  phase.victim = phase.other = {{}, "shutdown", {}};
  phase.late = {{}, "", {"shutdown"}};
  phase.pending = "ask shutdown";
  phase.wrong = {{"clock", GEEPS_E_STATE}, {"post", GEEPS_E_STATE}, {"start", GEEPS_E_STATE}};
  phase.last_clock = 5;
  phase.finish = {"destroy"};
  return phase;
}

}  // namespace

const std::vector<Phase>& Phases() {
  static const std::vector<Phase> phases = {Init(), Commit(), Read(), Update(), Clock(), Close()};
  return phases;
}

}  // namespace geeps::fault_test
