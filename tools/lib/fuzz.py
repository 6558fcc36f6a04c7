# SPDX-License-Identifier: Apache-2.0
"""Builds the targets of tests/fuzz, replays their corpora, measures what these reach, and fuzzes; the work of tools/fuzz."""
import argparse
import concurrent.futures
import configparser
import glob
import json
import os
import random
import re
import shutil
import subprocess

import check

COVERAGE_MIN = 0.9
# An input that takes longer hangs: the slowest ones take a tenth of a second.
INPUT_LIMIT_S = 20
RSS_LIMIT_MB = 2048
FLAGS = "-g1 -fsanitize=fuzzer-no-link -fno-sanitize-recover=undefined -fprofile-instr-generate -fcoverage-mapping"
NO_PROFILE = {"LLVM_PROFILE_FILE": "/dev/null"}
PART = check.Part("fuzz", "clang-14", "clang++-14",
                  ["-Doptimization=1", "-Ddebug=false", "-Db_sanitize=address,undefined", "-Db_lundef=false",
                   "-Dfuzz=enabled", f"-Dcpp_args={FLAGS}", f"-Dc_args={FLAGS}", "-Dcpp_link_args=-fprofile-instr-generate",
                   "-Dc_link_args=-fprofile-instr-generate"],
                  env=NO_PROFILE)
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:"
                               "allocator_may_return_null=1",
               "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}


class Target:
    """One target, by its section of targets.ini."""

    def __init__(self, root, name, section):
        self.root = root
        self.name = name
        self.max_len = int(section["max_len"])
        self.malloc_mb = int(section["malloc_mb"])
        # path -> names of functions; none: the whole file
        self.decoder = {}
        for word in section["decoder"].split():
            path, _, functions = word.partition(":")
            self.decoder[path] = functions.split(",") if functions else []
        self.program = os.path.join(build_folder(root), "tests", "fuzz", "fuzz_" + name)
        self.corpus = os.path.join(root, "tests", "fuzz", "corpus", name)
        self.new = os.path.join(root, "build", "fuzz", "new", name)

    def files(self):
        return sorted(glob.glob(os.path.join(self.corpus, "*")))

    def exists(self):
        return os.path.exists(self.program)

    def limits(self):
        return [f"-max_len={self.max_len}", f"-malloc_limit_mb={self.malloc_mb}", f"-rss_limit_mb={RSS_LIMIT_MB}",
                f"-timeout={INPUT_LIMIT_S}", f"-artifact_prefix={crash_folder(self.root)}/{self.name}-"]


class Result:
    """What came of one target."""

    def __init__(self):
        self.problems = []   # sentences; none: it passed
        self.coverage = None  # {path: (lines reached, lines, missing ones)}
        self.per_s = 0
        self.new = 0
        self.crashes = 0
        self.skipped = ""    # why

    def reached(self):
        lines = sum(c[1] for c in self.coverage.values()) if self.coverage else 0
        return sum(c[0] for c in self.coverage.values()) / lines if lines else 0.0


def build_folder(root):
    return os.path.join(root, "build", "check-fuzz")


def crash_folder(root):
    return os.path.join(root, "build", "fuzz", "crashes")


def read_targets(root):
    table = configparser.ConfigParser()
    table.read(os.path.join(root, "tests", "fuzz", "targets.ini"), encoding="utf-8")
    return [Target(root, name, table[name]) for name in table.sections()]


def build(root, names, jobs):
    """Builds the programs of these targets, as far as what they need is here. False: see what was printed."""
    logs = os.path.join(root, "build", "check-logs")
    os.makedirs(logs, exist_ok=True)
    folder = build_folder(root)
    if not check.configure(root, folder, PART, os.path.join(logs, "fuzz-setup.log")):
        return False
    known = {t["name"]: os.path.relpath(t["filename"][0], folder) for t in check.introspect(folder, "targets")}
    programs = [known["fuzz_" + n] for n in names if "fuzz_" + n in known]
    return check.quiet(["ninja", "-C", folder, f"-j{jobs}", *programs], os.path.join(logs, "fuzz-build.log"),
                       check.environment(PART))


def run(command, env=None):
    """(exit code, output)"""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", env={**os.environ, **ENVIRONMENT, **(env or {})}, check=False)
    return done.returncode, done.stdout


# --- coverage ---

def lines_of_functions(functions, path, names):
    """Line ranges of the functions of these names; what coverage says about a file names them as the linker does."""
    ranges = []
    for function in functions:
        if any(f"{len(n)}{n}E" in function["name"] for n in names):
            for file_id, filename in enumerate(function["filenames"]):
                lines = [(r[0], r[2]) for r in function["regions"] if r[5] == file_id]
                if filename.endswith(path) and lines:
                    ranges.append((min(a for a, _ in lines), max(b for _, b in lines)))
    return ranges


def parse_lcov(text):
    """{path: {line: count}}"""
    files = {}
    lines = {}
    for record in text.splitlines():
        if record.startswith("SF:"):
            lines = files.setdefault(record[3:], {})
        elif record.startswith("DA:"):
            line, count = record[3:].split(",")[:2]
            lines[int(line)] = max(lines.get(int(line), 0), int(count))
    return files


def coverage_of(target, lcov, functions):
    """{path: (lines reached, lines, missing ones)}"""
    result = {}
    for path, names in target.decoder.items():
        counts = next((v for k, v in lcov.items() if os.path.realpath(k) == os.path.realpath(os.path.join(target.root, path))),
                      {})
        if names:
            ranges = lines_of_functions(functions, path, names)
            counts = {n: c for n, c in counts.items() if any(a <= n <= b for a, b in ranges)}
        missing = sorted(n for n, c in counts.items() if c == 0)
        result[path] = (len(counts) - len(missing), len(counts), missing)
    return result


def measure(target, folder):
    """(coverage, problem) of the corpus."""
    raw = os.path.join(folder, target.name + ".profraw")
    merged = os.path.join(folder, target.name + ".profdata")
    code, output = run([target.program, "-runs=0", *target.limits(), target.corpus], {"LLVM_PROFILE_FILE": raw})
    if code != 0:
        return None, "its corpus does not pass:\n" + tail(output)
    code, output = run(["llvm-profdata-14", "merge", "-sparse", raw, "-o", merged])
    if code != 0:
        return None, output
    sources = [os.path.join(target.root, p) for p in target.decoder]
    export = ["llvm-cov-14", "export", target.program, f"-instr-profile={merged}"]
    code, lcov = run([*export, "-format=lcov", *sources])
    functions = []
    if code == 0 and any(target.decoder.values()):
        code, text = run([*export, "-format=text", *sources])
        functions = json.loads(text)["data"][0]["functions"] if code == 0 else []
    if code != 0:
        return None, lcov
    return coverage_of(target, parse_lcov(lcov), functions), None


# --- fuzzing ---

def tail(output, num=40):
    return "".join("    | " + line + "\n" for line in output.rstrip().split("\n")[-num:])


def statistic(output, name):
    found = re.search(rf"stat::{name}:\s+(\d+)", output)
    return int(found.group(1)) if found else 0


def fuzz(target, seconds, seed, result):
    """Tries new inputs; what is new, and what breaks something, is kept."""
    os.makedirs(target.new, exist_ok=True)
    before = len(os.listdir(target.new))
    # Leaks are looked for at the end of the process: after every input that would take most of the time, as would
    # weighing inputs by the rarity of what they reach, where that are ten thousands of places.
    code, output = run([target.program, f"-max_total_time={seconds}", f"-seed={seed}", "-print_final_stats=1",
                        "-detect_leaks=0", "-entropic=0", *target.limits(), target.new, target.corpus], NO_PROFILE)
    if code != 0 and "LeakSanitizer" in output:
        code, output = run([target.program, "-runs=0", "-detect_leaks=1", *target.limits(), target.new], NO_PROFILE)
        code = code or 1
    executed = statistic(output, "number_of_executed_units")
    result.per_s = executed // max(1, seconds)
    result.new = len(os.listdir(target.new)) - before
    if code == 0:
        return
    result.crashes += 1
    kept = re.findall(r"Test unit written to (\S+)", output)
    again = " ".join([os.path.relpath(target.program, target.root), *(os.path.relpath(k, target.root) for k in kept)])
    result.problems.append(f"exit code {code} with -seed={seed}; to repeat it: {again}\n{tail(output)}")


def work(target, args, seed, folder):
    """All that is done with one target."""
    result = Result()
    if not target.exists():
        result.skipped = "what it needs is not here"
        return result
    if not target.files():
        result.problems.append("it has no corpus")
        return result
    result.coverage, problem = measure(target, folder)
    if problem:
        result.crashes += 1
        result.problems.append(problem)
        return result
    if result.reached() < COVERAGE_MIN:
        result.problems.append(f"its corpus reaches {result.reached():.1%} of the lines, {COVERAGE_MIN:.0%} are wanted")
    if args.seconds > 0:
        fuzz(target, args.seconds, seed, result)
    return result


def merge(target):
    """The smallest corpus, in number, that reaches what the corpus, the seeds and what was found reach together."""
    scratch = target.new + "-merge"
    shutil.rmtree(scratch, ignore_errors=True)
    for folder in ("seeds", "merged"):
        os.makedirs(os.path.join(scratch, folder))
    os.makedirs(target.corpus, exist_ok=True)
    os.makedirs(target.new, exist_ok=True)
    code, output = run([target.program, "--seeds", os.path.join(scratch, "seeds")], NO_PROFILE)
    if code == 0:
        code, output = run([target.program, "-merge=1", *target.limits(), os.path.join(scratch, "merged"), target.corpus,
                            os.path.join(scratch, "seeds"), target.new], NO_PROFILE)
    if code != 0:
        print(f"{target.name}: the merge ended with {code}\n{tail(output)}", flush=True)
        return False
    shutil.rmtree(target.corpus)
    shutil.copytree(os.path.join(scratch, "merged"), target.corpus)
    for folder in (scratch, target.new):
        shutil.rmtree(folder)
    size = sum(os.path.getsize(f) for f in target.files())
    print(f"{target.name:<14} {len(target.files()):>5} files, {size:>7} bytes", flush=True)
    return True


def print_missing(result):
    for path, (reached, lines, missing) in result.coverage.items():
        print(f"    {path}: {reached} of {lines} lines" + (", without " + ", ".join(map(str, missing)) if missing else ""))


def print_row(target, result, show_lines):
    if result.skipped:
        print(f"{target.name:<14} skipped: {result.skipped}", flush=True)
        return
    reached = f"{result.reached():.1%}" if result.coverage else "-"
    print(f"{target.name:<14} {len(target.files()):>6} {reached:>9} {result.per_s:>9} {result.new:>6} {result.crashes:>8}",
          flush=True)
    if show_lines and result.coverage:
        print_missing(result)
    for problem in result.problems:
        print(f"    FAILED: {problem}", flush=True)


def run_targets(root, targets, args):
    """Works on the targets, so many at a time, and prints the table."""
    folder = os.path.join(root, "build", "fuzz", "coverage")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    os.makedirs(crash_folder(root), exist_ok=True)
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1, 2**31)
    print(f"{args.seconds} s each, seed {seed}")
    print(f"{'target':<14} {'files':>6} {'coverage':>9} {'inputs/s':>9} {'new':>6} {'crashes':>8}", flush=True)
    count = check.Count()
    with concurrent.futures.ThreadPoolExecutor(max_workers=args.jobs) as pool:
        for target, result in zip(targets, pool.map(lambda t: work(t, args, seed, folder), targets)):
            print_row(target, result, args.coverage)
            count.add(check.Count(passed=not (result.problems or result.skipped), failed=bool(result.problems),
                                  skipped=bool(result.skipped)))
    return count


def check_part(root, jobs, seconds):
    """The part of tools/check."""
    if not shutil.which(PART.cxx) or not shutil.which("llvm-cov-14"):
        print("== fuzz: skipped, there is no clang-14 or no llvm-14", flush=True)
        return check.Count(skipped=1)
    print(f"== fuzz: building in {os.path.relpath(build_folder(root), root)}", flush=True)
    targets = read_targets(root)
    if not build(root, [t.name for t in targets], jobs):
        return check.Count(failed=1)
    # The same seed in each run: what lands is not refused by what chance finds in code that it leaves alone. tools/fuzz
    # and --long draw one.
    args = argparse.Namespace(seconds=seconds, seed=1, coverage=False, jobs=jobs)
    count = run_targets(root, targets, args)
    print(f"== fuzz: {count}", flush=True)
    return count


def main(root, words, document):
    parser = argparse.ArgumentParser(prog="tools/fuzz", description=document,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=20, metavar="N")
    parser.add_argument("--seed", type=int, metavar="N")
    parser.add_argument("--coverage", action="store_true")
    parser.add_argument("--merge", action="store_true")
    parser.add_argument("--no-build", action="store_true")
    parser.add_argument("-j", "--jobs", type=int, default=check.default_jobs(), metavar="N")
    args = parser.parse_args(words)
    targets = read_targets(root)
    unknown = [n for n in args.targets if n not in [t.name for t in targets]]
    if unknown:
        parser.error(f"there is no target {', '.join(unknown)}; there are {', '.join(t.name for t in targets)}")
    targets = [t for t in targets if t.name in args.targets or not args.targets]
    if not args.no_build and not build(root, [t.name for t in targets], args.jobs):
        print(check.Count(failed=1))
        return 1
    if args.merge:
        return 0 if all([merge(t) for t in targets if t.exists()]) else 1
    count = run_targets(root, targets, args)
    print(count, flush=True)
    return 1 if count.failed or not count.passed else 0
