# SPDX-License-Identifier: Apache-2.0
"""What docs/reliability.md promises, in its order, and the command that shows each promise."""
import collections

# lines: how many of the last lines that the command prints are kept.
Proof = collections.namedtuple("Proof", "name title text command lines")

HEAD = [
    "<!-- SPDX-License-Identifier: Apache-2.0 -->",
    "# Reliability: what is promised, and how it is tested",
    "",
    "Written by `tools/reliability`, which runs the commands below and keeps what they print: each section says at which "
    "commit and when. `$BUILD` is a build folder such as `build/check-gcc`, which `tools/check` makes. Statements about "
    "single calls and programs are in [promises.md](promises.md), rules R1 to R12 in [protocol.md](protocol.md).",
]

PROOFS = [
    Proof("simulator", "Simulation", [
        "The shipped machines of the protocol run under virtual time, in worlds that a seed draws: 1 to 64 workers, every mode "
        "and update rule but `lamb`, several plans, commits, fences, rows set and read, delays over three orders of "
        "magnitude, slow workers, pauses, workers that are lost, the coordinator's too. After a phase with faults follows "
        "one without, in which everything must come to its end. Every read is judged by vector clocks: it shows whole "
        "versions within its slack, each contribution exactly once, and never less than before.",
        "",
        "Promise: no violation; on average 1,000 messages a seed, 5 % of the seeds with 16 workers or more, 80 % with a pause "
        "or a loss. `tools/check --full` runs the same seeds, and compares traces between g++ and clang++."],
          "$BUILD/tests/sim/geeps-sim --seeds 1..10000 --deep", 6),
    Proof("search", "Exhaustive search", [
        "The same machines are driven through every interleaving of small worlds, breadth first, up to the number of states "
        "printed. Promise: no violation, no deadlock."],
          "$BUILD/tests/sim/geeps-search", 60),
    Proof("checker", "What judges must be able to reject", [
        "The checker of the simulator rejects each of 71 bad histories: 37 of bounded tables, 15 of async ones, 13 with "
        "read-my-writes, 6 of reads outside plans. The tests fail when one of them is taken, or missing."],
          "$BUILD/tests/sim/sim_test --test-case='Checker*' --reporters=console --no-path-filenames", 3),
    Proof("mutants", "Rules left out", [
        "Each rule of the protocol left out, one at a time, must be found by simulator, search, or by messages that must be "
        "refused. No test is told which."],
          "$BUILD/tests/sim/geeps-mutants", 300),
    Proof("planted", "Planted faults", [
        "Faults in everything around the protocol, among them those of the original system and those that geeps once had "
        "(`tests/mutants/mutants.txt`), are made one at a time in a copy of the product. Promise: a test finds each."],
          "tools/mutants", 120),
    Proof("soak", "Very many clocks", [
        "The machines of one table for 10^8 clocks, which pass 2^31, 2^32 and 2^63. Promise: no violation, no growth."],
          "$BUILD/tests/sim/geeps-soak --clocks 100000000", 5),
    Proof("coverage", "Lines that the proofs run", [
        "Promise: at least 95 % of the lines of `runtime/protocol` by the simulator alone, and of `runtime/plan` by its tests."],
          "tools/coverage", 60),
    Proof("drill", "The drill", [
        "Every fault in every phase: in each cell the job ends in time with the right status, or goes on, and the processes that "
        "are not at fault live and work. `tests/faults/drill.h` says what each cell promises."],
          "$BUILD/tests/faults/drill", 40),
    Proof("points", "Death and pauses at every message", [
        "A worker is killed, torn in the middle of a send, stopped for a moment or for good, before or after every send and "
        "receive of its life. Promise: it is lost for the others as one that dies elsewhere, with the same words on all of them, "
        "or nothing is lost."],
          "$BUILD/tests/faults/fault-points --all", 40),
    Proof("kills", "From a kill to the last survivor's error", [
        "A worker of three is killed at a random moment of a running job, a thousand times. Goal: 0.25 s at the 99th percentile."],
          "$BUILD/tests/faults/kill-times --kills 1000", 12),
    Proof("churn", "Job after job in the same processes", [
        "Four processes live through one job after another for ten minutes. A seed draws what they train and who is killed "
        "when; the others leave and meet again with a new process. Promise: blocks of memory, descriptors and threads of a "
        "process are as many after each job as after its fourth, its resident memory does not grow."],
          "$BUILD/tests/faults/churn --seconds 600", 12),
    Proof("network", "A network that fails", [
        "A proxy on every connection between workers delays, stalls, cuts, damages, doubles and moves what passes. Promise: what "
        "is damaged is never taken in; delays change no bit; a cut or a silence is an error on all workers."],
          "$BUILD/tests/network/network_faults 1 500", 12),
    Proof("memory", "No memory, no descriptor, no thread", [
        "Each request of geeps and its plugins for memory, a descriptor or a thread fails, one after another, in scenarios "
        "that cover the C API. Promise: a status, nothing lost or the whole job told, nothing leaked, nobody hangs or dies."],
          "$BUILD/tests/oom/oom_all", 40),
    Proof("fuzzing", "Bytes from outside", [
        "Decoders, sessions, options, structs and calls in any order, given what libFuzzer makes of a corpus. Promise: no crash, "
        "leak, hang or allocation beyond the announced maximum; the corpus reaches 90 % of the lines of each decoder."],
          "tools/fuzz --seconds 20", 24),
]
