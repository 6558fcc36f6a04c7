// SPDX-License-Identifier: Apache-2.0
// The drill: every fault in every phase over every transport, each in a job of three workers of its own. What a cell
// promises:
//
//   kill     SIGKILL. tcp: within a quarter of a second every call of the others returns GEEPS_E_PEER_LOST, with rank
//            and last clock. In process there are no others: the process is gone, with no child and no file.
//            When rank 0 goes before all have met, the others' start returns GEEPS_E_TIMEOUT at its limit.
//   stop     tcp: SIGSTOP; the same after the heartbeat limit, and for the stopped one when it goes on. In process the
//            worker's thread stands still: the others' calls with a limit return GEEPS_E_TIMEOUT and change nothing,
//            and all goes on when it does.
//   exit     tcp: the process calls exit() while its worker is in the phase. In process: the worker destroys its
//            runtime in the phase, without a shutdown. Both are a loss for the others.
//   memory   every allocation of geeps in the process fails from the moment on at which the worker enters the phase
//            until all have their answer or sleep. Nothing is lost (GEEPS_OK, or GEEPS_E_NOMEM and the call may be
//            repeated), and the job goes on; or the worker latches GEEPS_E_NOMEM and the others latch that or
//            GEEPS_E_PEER_LOST, all the same and with its rank. In process all workers are without memory: each says so
//            for itself. One that cannot come to the rendezvous any more is missed: GEEPS_E_TIMEOUT at the start limit.
//   wrong    calls with a wrong argument or at the wrong moment: each gets its status at once, and the job goes on.
//
// The worker at fault stands in the phase: asleep in start, commit, read or shutdown because a third worker is late, or
// before its update or its clock while the others wait for them. After every cell the processes that must live run a
// small job by themselves and end with code 0; destroyed runtimes leave no descriptor and no thread.
// Thread contract: one thread.
#ifndef GEEPS_TESTS_FAULTS_DRILL_H_
#define GEEPS_TESTS_FAULTS_DRILL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/faults/job.h"

namespace geeps::fault_test {

enum class Fault { kKill, kStop, kExit, kMemory, kWrong };
inline constexpr const char* kFaultNames[] = {"kill", "stop", "exit", "memory", "wrong"};

// What a worker has done before the fault and does after it, if the job goes on. All of it comes after Phase::before.
struct Stand {
  std::vector<std::string> calls;  // it finishes
  std::string sleeps;              // then it sleeps in this one; empty: in none
  std::vector<std::string> then;   // afterwards, to be where the others are
};

struct WrongCall {
  std::string call;
  int32_t status;
};

struct Phase {
  const char* name;
  std::vector<std::string> before;  // calls that all finish
  Stand victim;
  Stand other;
  Stand late;
  std::string pending;              // exit in process: what the victim does instead of sleeping
  std::vector<WrongCall> wrong;     // the victim's, after its calls and before its sleep
  uint64_t last_clock = 0;          // no later one is heard of the victim
  std::vector<std::string> finish;  // all of them, when the job has gone on: to the runtime's destruction
};
const std::vector<Phase>& Phases();

struct Cell {
  bool ok = false;
  std::string text;  // status and time, or what is wrong
};

Cell RunCell(Fault fault, const Phase& phase, bool in_process, uint32_t victim);

}  // namespace geeps::fault_test

#endif  // GEEPS_TESTS_FAULTS_DRILL_H_
