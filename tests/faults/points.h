// SPDX-License-Identifier: Apache-2.0
// Fault points: places in a worker's life at which it can be made to die, to stop, or to die with half a message sent.
//
// A program that links points.cc defines send, sendmsg, recv, readv, connect and shutdown itself. Programs come before
// libraries when the loader looks for a name, so libgeeps and its plugins call these. Each call passes one or more
// points, by name: "send" (before the bytes leave), "sent" (after), "receive" (bytes have come and nobody has looked at
// them), "connect", "half-close"; and behind the first three what the bytes are: "send HELLO", "receive GO commit 2",
// "sent CONTRIBUTION". So the n-th send, the n-th receive and each change of phase can be named.
//
// Thread contract: any thread; ArmPoint before the threads that are to be hit.
#ifndef GEEPS_TESTS_FAULTS_POINTS_H_
#define GEEPS_TESTS_FAULTS_POINTS_H_

#include <cstdint>
#include <string>

namespace geeps::fault_test {

enum class Action {
  kKill,  // SIGKILL
  kStop,  // SIGSTOP; goes on after SIGCONT
  kTear,  // "send" points: half of the bytes leave, then SIGKILL
};

// The n-th time (from 1) that this process passes the point, the action befalls it. Before that the line "! MOMENT NAME
// N (WHAT)" is written to `report_fd`: MOMENT is meeting until all workers have met, leaving from the last fence on and
// working in between; WHAT is the most telling name of the point.
void ArmPoint(const std::string& name, uint64_t n, Action action, int report_fd);

// What has been passed so far: "NAME=COUNT" in alphabetical order, separated by ';'.
std::string PassedPoints();

}  // namespace geeps::fault_test

#endif  // GEEPS_TESTS_FAULTS_POINTS_H_
