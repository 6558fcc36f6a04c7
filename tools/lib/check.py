# SPDX-License-Identifier: Apache-2.0
"""Builds and tests in parts, one build folder each; the work of tools/check once the packages are there."""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

FUZZ = "fuzz"  # a part of its own kind: tools/lib/fuzz.py
FUZZ_S = 20    # for each of its targets

GOOD = ("OK", "EXPECTEDFAIL")
TELLS = re.compile(r"ERROR: |FATAL|Sanitizer|runtime error:|AssertionError|Traceback")


class Part:
    """One compiler with one set of options, and the tests that run: all but some, by name or suite."""

    def __init__(self, name, cc, cxx, options=(), env=None, without=(), without_suites=(), slower=1, only_tested=False):
        self.name = name
        self.cc = cc
        self.cxx = cxx
        self.options = list(options)
        self.env = env or {}
        self.without = without
        self.without_suites = without_suites
        self.slower = slower  # factor for the time limits of tests
        self.only_tested = only_tested


# g++ builds what is released; clang++ sees every source and builds quickly, with assertions. Debug information only where a
# stack trace is the result. Sanitizers are g++'s: its runtimes are shared libraries, so that programs in C and loaded
# plugins share one of each. What only reads sources runs in the two parts that are not for --full alone; what has one
# thread is of no interest to TSan. Long searches say nothing about a compiler and run once.
LINES = ["-Dc_args=-g1", "-Dcpp_args=-g1"]
LONG = ("sim-search", "sim-mutants", "protocol-mutants", "sim-10000-seeds", "staging-gap", "packing-gap")
# Mostly waits for other processes; what it shows does not depend on the optimizer.
FAULTS = ("faults-drill", "faults-points", "faults-moments", "faults-kill-times", "faults-churn",
          "network-silence", "network-namespaces", "oom")
# Calculate for minutes where nothing is optimized or every access is looked at; the threads of geeps that work meanwhile
# are those of the other tests.
TRAINING = ("cuda-train-jobs", "cuda-train-run", "tools-gpu-check")
ONE_THREAD = ("table", "protocol", "cuda-kernels", "cuda-driver-interface", "cuda-train-interface")
PARTS = [
    Part("gcc", "gcc", "g++", ["--buildtype=release"]),
    Part("clang", "clang-14", "clang++-14", ["-Doptimization=0", "-Ddebug=false"], without=LONG + FAULTS + TRAINING),
    Part("asan", "gcc", "g++", ["-Doptimization=g", *LINES, "-Db_sanitize=address,undefined", "-Db_lundef=false"],
         {"ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
          "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"},
         LONG, without_suites=("style", "abi"), slower=4, only_tested=True),
    Part("tsan", "gcc", "g++", ["-Doptimization=1", *LINES, "-Db_sanitize=thread", "-Db_lundef=false"],
         {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"},
         LONG + TRAINING + ONE_THREAD, without_suites=("style", "abi", "sim", "plan"), slower=8, only_tested=True),
]


# What --long adds.
LONG_COMMANDS = (["tools/tidy"], ["tools/reliability", "--build", "build/check-gcc"], ["tools/fuzz", "--seconds", "600"])


class Count:
    """Results of tests; a build that fails counts as one failure."""

    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed = passed
        self.failed = failed
        self.skipped = skipped
        self.complaints = []  # a text of a few lines for each test that failed

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.complaints += other.complaints

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def count_results(lines):
    """The count of a testlog.json of meson: one JSON object a line."""
    count = Count()
    for line in lines:
        if not line.strip():
            continue
        test = json.loads(line)
        result = test["result"]
        if result == "SKIP":
            count.skipped += 1
        elif result in GOOD:
            count.passed += 1
        else:
            count.failed += 1
            count.complaints.append("\n".join([f"{test['name']}: {result}", *complaint(test.get("stdout", "") + test.get("stderr", ""))]))
    return count


def complaint(output):
    """The lines of a failed test that say most: those with an error and what follows each, otherwise the last ones."""
    lines = [line[:400] for line in re.split(r"[\r\n]+", output) if line.strip()]
    told = sorted({i + k for i, line in enumerate(lines) if TELLS.search(line) for k in range(3) if i + k < len(lines)})
    return ["  " + line for line in ([lines[i] for i in told[:12]] if told else lines[-8:])]


def quiet(command, log, env=None):
    """Runs a command; its output goes to the file `log` and, when it fails, the end of it to stdout."""
    with open(log, "w", encoding="utf-8") as f:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT, env=env,
                              check=False).returncode
    if code != 0:
        with open(log, encoding="utf-8", errors="replace") as f:
            sys.stdout.write("".join(f.readlines()[-80:]))
        print(f"{' '.join(command)}: exit code {code}; all of its output is in {log}", flush=True)
    return code == 0


def environment(part):
    env = {**os.environ, **part.env}
    ccache = "ccache " if shutil.which("ccache") else ""
    env.update(CC=ccache + part.cc, CXX=ccache + part.cxx, LC_ALL="C.UTF-8")
    return env


def configure(root, folder, part, log):
    """Sets the build folder up, or brings it up to date. One that cannot be brought up to date is made anew, but not when
    a new one fails as well: then a file of the sources is wrong, and what was built serves again once it is right."""
    options = ["--werror", "-Dtests=enabled", "-Dsamples=enabled", *part.options]
    env = environment(part)
    if os.path.exists(os.path.join(folder, "meson-private", "coredata.dat")):
        with open(log, "w", encoding="utf-8") as f:
            command = ["meson", "setup", "--reconfigure", *options, folder, root]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=f, stderr=f, env=env, check=False)
        if done.returncode == 0:
            return True
        probe = folder + "-anew"
        shutil.rmtree(probe, ignore_errors=True)
        works = quiet(["meson", "setup", *options, probe, root], log, env)
        shutil.rmtree(probe, ignore_errors=True)
        if not works:
            return False
        shutil.rmtree(folder)
    return quiet(["meson", "setup", *options, folder, root], log, env)


def wrapper_for(part):
    """(words to put before a test, or None when the sanitizer cannot run here). Kernels that randomise addresses by more
    bits than g++ 12's TSan expects need `setarch -R`."""
    if part.name != "tsan":
        return []
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "probe")
        subprocess.run([part.cc, "-fsanitize=thread", "-x", "c", "-o", program, "-"], input="int main(void) {return 0;}",
                       text=True, check=True)
        for words in ([], ["setarch", "-R"]):
            try:
                runs = [subprocess.run([*words, program], capture_output=True, check=False) for _ in range(8)]
            except OSError:
                continue
            if all(r.returncode == 0 for r in runs):
                return words
    return None


def introspect(folder, what):
    with open(os.path.join(folder, "meson-info", f"intro-{what}.json"), encoding="utf-8") as f:
        return json.load(f)


def chosen_tests(folder, part):
    """Names of the tests that the part runs."""
    def is_left_out(test):
        return test["name"] in part.without or any(s.split(":")[-1] in part.without_suites for s in test["suite"])
    return [t["name"] for t in introspect(folder, "tests") if not is_left_out(t)]


def chosen_targets(folder, part):
    """What ninja has to build: nothing named, which means everything, or what the chosen tests need."""
    if not part.only_tested:
        return []
    files = {t["id"]: t["filename"] for t in introspect(folder, "targets")}
    chosen = chosen_tests(folder, part)
    needed = {d for t in introspect(folder, "tests") if t["name"] in chosen for d in t["depends"]}
    built = [os.path.relpath(f, folder) for i in sorted(needed) if i in files for f in files[i]]
    return built + [os.path.relpath(f, folder) for t in introspect(folder, "targets") if t["installed"] for f in t["filename"]]


def run_part(root, part, jobs):
    """Builds and tests one part; prints what fails."""
    folder = os.path.join(root, "build", "check-" + part.name)
    logs = os.path.join(root, "build", "check-logs")
    os.makedirs(logs, exist_ok=True)
    start = time.monotonic()
    print(f"== {part.name}: building in {os.path.relpath(folder, root)}", flush=True)
    if not shutil.which(part.cxx):
        print(f"== {part.name}: skipped, there is no {part.cxx}", flush=True)
        return Count(skipped=1)
    if not configure(root, folder, part, os.path.join(logs, part.name + "-setup.log")):
        return Count(failed=1)
    targets = chosen_targets(folder, part)
    if not quiet(["ninja", "-C", folder, f"-j{jobs}", *targets], os.path.join(logs, part.name + "-build.log"), environment(part)):
        return Count(failed=1)
    built = time.monotonic()
    wrapper = wrapper_for(part)
    if wrapper is None:
        print(f"== {part.name}: skipped, its programs do not start on this kernel", flush=True)
        return Count(skipped=1)
    command = ["meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs", "--num-processes", str(jobs),
               "-t", str(part.slower), *chosen_tests(folder, part)]
    testlog = os.path.join(folder, "meson-logs", "testlog.json")
    if os.path.exists(testlog):
        os.remove(testlog)
    code = subprocess.run([*wrapper, *command], stdin=subprocess.DEVNULL, env=environment(part), check=False).returncode
    count = Count()
    if os.path.exists(testlog):
        with open(testlog, encoding="utf-8") as f:
            count = count_results(f)
    count.complaints = [f"{part.name} {text}" for text in count.complaints]
    if code != 0 and count.failed == 0 or count.passed == 0:
        print(f"== {part.name}: meson test ended with {code} after {count}", flush=True)
        count.failed += 1
    now = time.monotonic()
    print(f"== {part.name}: {count}; build {built - start:.0f} s, tests {now - built:.0f} s", flush=True)
    return count


def same_traces(root):
    """A seed of the simulator has the same trace, to the bit, with g++ and with clang++."""
    lines = {}
    for name in ("gcc", "clang"):
        program = os.path.join(root, "build", "check-" + name, "tests", "sim", "geeps-sim")
        if not os.path.exists(program):
            print(f"== traces: skipped, there is no {os.path.relpath(program, root)}", flush=True)
            return Count(skipped=1)
        lines[name] = subprocess.run([program, "--hash", "--seeds", "1..300"], stdin=subprocess.DEVNULL, text=True,
                                     stdout=subprocess.PIPE, check=False).stdout.splitlines()
    hashes = {name: [line for line in all_lines if len(line.split()) == 2] for name, all_lines in lines.items()}
    differ = [seed for seed, (a, b) in enumerate(zip(hashes["gcc"], hashes["clang"]), 1) if a != b]
    if len(hashes["gcc"]) == len(hashes["clang"]) == 300 and not differ:
        print("== traces: 300 seeds have the same trace with g++ and with clang++", flush=True)
        return Count(passed=1)
    print(f"== traces: g++ gave {len(hashes['gcc'])} of 300, clang++ {len(hashes['clang'])}; these seeds differ: {differ[:10]}",
          flush=True)
    return Count(failed=1)


def run_command(root, command):
    """One of the long commands, which prints what it finds."""
    print(f"== {' '.join(command)}", flush=True)
    code = subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, check=False).returncode
    return Count(passed=int(code == 0), failed=int(code not in (0, 77)), skipped=int(code == 77))


def default_jobs():
    return len(os.sched_getaffinity(0))


def run_fuzz(root, jobs):
    import fuzz  # it imports this file
    return fuzz.check_part(root, jobs, FUZZ_S)


def main():
    names = [p.name for p in PARTS] + [FUZZ]
    parser = argparse.ArgumentParser(prog="tools/check", description="Builds with g++ and clang++ and runs every test.",
                                     epilog="example: tools/check --full -j 2")
    parser.add_argument("root", help=argparse.SUPPRESS)
    parser.add_argument("--full", action="store_true", help="also with AddressSanitizer, UBSan and LeakSanitizer, with TSan, and the fuzzers")
    parser.add_argument("--long", action="store_true", help="then also clang-tidy, the proofs of docs/reliability.md and ten minutes of each fuzzer: hours")
    parser.add_argument("--parts", metavar="A,B", help="only these of " + ", ".join(names))
    parser.add_argument("-j", "--jobs", type=int, default=default_jobs(), metavar="N",
                        help="compilers and tests at a time; default: one per core")
    parser.add_argument("--yes", action="store_true", help="install missing packages without asking")
    parser.add_argument("--no-install", action="store_true", help="install nothing")
    args = parser.parse_args()
    chosen = args.parts.split(",") if args.parts else names if args.full or args.long else names[:2]
    unknown = [n for n in chosen if n not in names]
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; the parts are {', '.join(names)}")
    start = time.monotonic()
    total = Count()
    times = []

    def timed(name, work):
        begun = time.monotonic()
        total.add(work())
        times.append(f"{name} {time.monotonic() - begun:.0f} s")

    for part in PARTS:
        if part.name in chosen:
            timed(part.name, lambda: run_part(args.root, part, max(1, args.jobs)))
    if FUZZ in chosen:
        timed(FUZZ, lambda: run_fuzz(args.root, max(1, args.jobs)))
    if {"gcc", "clang"} <= set(chosen):
        timed("traces", lambda: same_traces(args.root))
    for command in LONG_COMMANDS if args.long else ():
        timed(" ".join(command), lambda: run_command(args.root, command))
    for text in total.complaints:
        print(f"failed: {text}")
    print(f"{', '.join(times)}; {time.monotonic() - start:.0f} s in all")
    print(total, flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
