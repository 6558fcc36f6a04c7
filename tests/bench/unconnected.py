# SPDX-License-Identifier: Apache-2.0
"""Measures what being connected costs: two workers of one job against two copies that know nothing of each other.

  A  geeps run -n 2 --bind train_images --batch 256
  B  two copies of train_images --batch 128, each alone, each bound to one of the same two cores, started together

Each worker of A and each copy of B trains on the same number of images in batches of the same size. The runs are
interleaved A B A B ..., so that a slow minute of the machine meets both. Rates are what train_images measures itself,
from the first step until the last update is in every cache; start-up and evaluation are left out. The rate of B is
the sum over the copies. The figure is the ratio of the medians; the goal is 0.92.

usage: unconnected.py [--build DIR] [--runs N] [--steps N] [--out FILE] [--check]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

import results

GOAL = 0.92
WORKERS = 2
WORKER_BATCH = 128
EPOCH_IMAGES = 60000
STEPS_MAX = EPOCH_IMAGES // (WORKERS * WORKER_BATCH)  # within one epoch all batches are full
RUN_LIMIT_S = 600


def figures(process, steps, batch):
    """The last line of the output, checked; ends this program when the run did not do its work."""
    output, _ = process.communicate(timeout=RUN_LIMIT_S)
    lines = output.strip().splitlines()
    if process.returncode != 0 or not lines:
        sys.exit(f"a run ended with code {process.returncode}:\n{output}")
    result = json.loads(lines[-1][lines[-1].index("{"):])
    if (result["steps"], result["images"]) != (steps, steps * batch):
        sys.exit(f"a run of {steps} steps of {batch} images reports {result}")
    return result


class Programs:
    def __init__(self, build, steps):
        self.geeps = os.path.join(build, "tools", "geeps", "geeps")
        self.train = os.path.join(build, "samples", "train_images", "train_images")
        self.steps = steps
        self.cores = results.cores()[:WORKERS]
        for path in (self.geeps, self.train):
            if not os.access(path, os.X_OK):
                sys.exit(f"{path} is not there: build it first, or say --build DIR")
        if len(self.cores) < WORKERS:
            sys.exit(f"{WORKERS} cores are needed, this process may use {len(self.cores)}")

    def arguments(self, batch):
        return ["--batch", str(batch), "--limit-steps", str(self.steps), "--epochs", "1", "--json"]

    def connected_command(self):
        return [self.geeps, "run", "-n", str(WORKERS), "--bind", self.train, *self.arguments(WORKERS * WORKER_BATCH)]

    def alone_command(self):
        return [self.train, *self.arguments(WORKER_BATCH)]

    def connected(self):
        """(images/s, share of the time that worker 0 waited)"""
        process = subprocess.Popen(self.connected_command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)
        result = figures(process, self.steps, WORKERS * WORKER_BATCH)
        return result["images"] / result["seconds"], result["wait_seconds"] / result["seconds"]

    def unconnected(self):
        """(images/s of all copies, the slowest copy's time / the fastest one's)"""
        copies = []
        for core in self.cores:  # each waits for a line before it becomes the program
            copies.append(subprocess.Popen(
                ["sh", "-c", 'read -r go && exec "$@" </dev/null', "sh", *self.alone_command()], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                preexec_fn=lambda core=core: os.sched_setaffinity(0, {core})))
        for copy in copies:
            copy.stdin.write("go\n")
            copy.stdin.flush()
        results = [figures(copy, self.steps, WORKER_BATCH) for copy in copies]
        seconds = [result["seconds"] for result in results]
        return sum(result["images"] / result["seconds"] for result in results), max(seconds) / min(seconds)


def report(facts, a, b):
    """The results as lines of Markdown, and the ratio."""
    a_rates, b_rates = [rate for rate, _ in a], [rate for rate, _ in b]
    ratio = statistics.median(a_rates) / statistics.median(b_rates)
    lines = ["<!-- SPDX-License-Identifier: Apache-2.0 -->", "# Two workers against two unconnected copies", "",
             "Written by `tests/bench/unconnected.py`, whose opening lines say what is measured.", "",
             "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in facts]
    lines += ["", "| | median images/s | smallest | largest | (largest - smallest) / median |", "|---|---|---|---|---|"]
    for name, rates in (("A: two workers", a_rates), ("B: two copies", b_rates)):
        lines.append(f"| {name} | {statistics.median(rates):.0f} | {min(rates):.0f} | {max(rates):.0f} | "
                     f"{100 * results.spread(rates):.1f} % |")
    verdict = "met" if ratio >= GOAL else "not met"
    lines += ["", f"Ratio of the medians: **{ratio:.3f}**; the goal is {GOAL}: {verdict}.", "",
              "All runs, in their order:", "",
              "| run | A images/s | A waiting, worker 0 | B images/s | B slowest / fastest copy | A / B |",
              "|---|---|---|---|---|---|"]
    for number, ((a_rate, waited), (b_rate, skew)) in enumerate(zip(a, b), 1):
        lines.append(f"| {number} | {a_rate:.0f} | {100 * waited:.1f} % | {b_rate:.0f} | {skew:.3f} | "
                     f"{a_rate / b_rate:.3f} |")
    return lines, ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build", metavar="DIR", help="build folder (build)")
    parser.add_argument("--runs", type=int, default=9, metavar="N", help="runs of each kind (9)")
    parser.add_argument("--steps", type=int, default=200, metavar="N",
                        help=f"steps of a run, at most {STEPS_MAX} (200)")
    parser.add_argument("--out", default="docs/results/road.md", metavar="FILE", help="(docs/results/road.md)")
    parser.add_argument("--check", action="store_true", help=f"exit code 1 when the ratio is below {GOAL}")
    options = parser.parse_args()
    if options.runs < 1 or not 1 <= options.steps <= STEPS_MAX:
        parser.error(f"--runs wants at least 1, --steps 1 to {STEPS_MAX}")
    programs = Programs(options.build, options.steps)
    load_before = results.load()
    results.warn_when_busy()  # workers of one job wait for the slower one, copies do not: other work lowers the ratio
    a, b = [], []
    for number in range(1, options.runs + 1):
        a.append(programs.connected())
        b.append(programs.unconnected())
        print(f"run {number}: A {a[-1][0]:.0f} images/s, B {b[-1][0]:.0f} images/s", flush=True)
    facts = results.facts(load_before)
    facts += [("cores used", ", ".join(map(str, programs.cores))),
              ("A", f"`{results.shown(programs.connected_command())}`"),
              ("B, twice at once", f"`{results.shown(programs.alone_command())}`"),
              ("runs", f"{options.runs} of each, interleaved")]
    lines, ratio = report(facts, a, b)
    print("\n".join(lines[5:]))
    results.write(options.out, lines)
    return 1 if options.check and ratio < GOAL else 0


if __name__ == "__main__":
    sys.exit(main())
