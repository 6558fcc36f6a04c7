# SPDX-License-Identifier: Apache-2.0
"""The sections `train` and `link` of docs/results/core.md."""

import gzip
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

import results

LIMIT_S = 900
WORKERS = 2
BATCH = 128  # images of one worker in a step
PAIRS = 15
LINK_GOAL = 1.1
DATA = "/usr/share/datasets/fashion-mnist"


def steps_of(context):
    return 5 if context.quick else 200


def arguments(batch, steps):
    return ["--batch", str(batch), "--limit-steps", str(steps), "--epochs", "1", "--json"]


def workers(context, *program):
    return [context.geeps, "run", "-n", str(WORKERS), "--bind", *program]


def waiting_with_tables(context):
    result = results.last_json(workers(context, context.sample("train_images"),
                                       *arguments(WORKERS * BATCH, steps_of(context))), LIMIT_S)
    return 100 * result["wait_seconds"] / result["seconds"]


def waiting_at_barrier(context):
    with tempfile.NamedTemporaryFile() as barrier:
        barrier.write(bytes(64))
        barrier.flush()
        result = results.last_json(workers(context, context.bench("train_barrier"), barrier.name,
                                           *arguments(WORKERS * BATCH, steps_of(context))), LIMIT_S)
    return 100 * result["wait_seconds"] / result["seconds"]


def cpu_seconds(context, *more):
    """CPU time of train_images, one worker, from its start to its end."""
    command = [context.sample("train_images"), *arguments(BATCH, steps_of(context)), *more]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          preexec_fn=lambda: os.sched_setaffinity(0, {context.cores[0]})) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{results.shown(command)} ended with code {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def write_few_images(folder, images):
    """The first images of each file of the data set, so that nothing but steps is worth counting."""
    for name in sorted(os.listdir(DATA)):
        with gzip.open(os.path.join(DATA, name)) as source:
            head = source.read(16 if "idx3" in name else 8)
            size = 28 * 28 if "idx3" in name else 1
            count = images if name.startswith("train") else BATCH
            with gzip.open(os.path.join(folder, name), "wb", 1) as cut:
                cut.write(head[:4] + count.to_bytes(4, "big") + head[8:] + source.read(count * size))


def instructions(context, data, steps, kernels, *more):
    """Instructions of train_images, one worker, all threads, as callgrind counts them."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", context.sample("train_images"),
               "--data", data, *arguments(BATCH, steps), *more]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=LIMIT_S,
                          env=dict(os.environ, **kernels))
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not counted:
        sys.exit(f"{results.shown(command)} ended with code {done.returncode}:\n{done.stderr[-2000:]}")
    return int(counted.group(1))


def instructions_of_a_step(context, few, many, kernels, *more):
    with tempfile.TemporaryDirectory() as data:
        write_few_images(data, many * BATCH)
        counted = [instructions(context, data, steps, kernels, *more) for steps in (many, few)]
    return (counted[0] - counted[1]) / (many - few)


def counted_instructions(context):
    """(instructions that tables add to a step, instructions of a step with plain buffers, how they were counted). Under
    valgrind the matrix products of this CPU take a minute a step: what tables add is counted with those of an old one."""
    few, many = (1, 2) if context.quick else (5, 25)
    old = {"OPENBLAS_CORETYPE": "Nehalem"}
    own, name = (old, "the same") if context.quick else ({}, "those of this CPU")
    more = instructions_of_a_step(context, few, many, old) - instructions_of_a_step(context, few, many, old, "--plain")
    how = (f"Instructions: callgrind, all threads. What tables add to a step: {many} steps less {few}, with and without tables, "
           f"with OpenBLAS's kernels for Nehalem, whose instructions valgrind runs fast. A step with plain buffers: 2 steps less "
           f"1, with {name}.")
    return more, instructions_of_a_step(context, 1, 2, own, "--plain"), how


def points(values):
    return " ".join(f"{value:.2f}" for value in values)


def missing_data():
    return [] if os.path.isdir(DATA) else [f"Skipped: {DATA} is not there (package dataset-fashion-mnist)."]


def train(context):
    if missing_data():
        return "train_images", missing_data(), []
    tables, barrier = [], []
    for run in range(context.runs):
        tables.append(waiting_with_tables(context))
        barrier.append(waiting_at_barrier(context))
        context.say(f"run {run + 1}: waiting {tables[-1]:.1f} %, at a bare barrier {barrier[-1]:.1f} %")
    with_tables, plain = [], []
    for pair in range(1 if context.quick else PAIRS):
        with_tables.append(cpu_seconds(context))
        plain.append(cpu_seconds(context, "--plain"))
        context.say(f"pair {pair + 1}: {with_tables[-1]:.3f} s with tables, {plain[-1]:.3f} s with plain buffers")
    more = statistics.median(tables) - statistics.median(barrier)
    ratios = [100 * (a / b - 1) for a, b in zip(with_tables, plain)]
    cost = statistics.median(ratios)
    figures = [
        ("waiting with tables - waiting at a bare barrier", f"{more:+.2f} percentage points", "<= 1", results.verdict(more <= 1)),
        (f"CPU time of one worker, tables against plain buffers, median of {len(ratios)} pairs", f"{cost:+.2f} %", "<= 1 %",
         results.verdict(cost <= 1))]
    counted = []
    if shutil.which("valgrind"):
        more_instructions, plain_instructions, how = counted_instructions(context)
        share = 100 * more_instructions / plain_instructions
        figures.append(("instructions of a step, tables against plain buffers", f"{share:+.2f} %", "<= 1 %, where time does not "
                        "resolve it", results.verdict(share <= 1)))
        counted = ["", f"{how} Tables add {more_instructions / 1e6:.2f} million to {plain_instructions / 1e6:.2f} million."]
        if share <= 1 < cost:
            counted += ["", "So what costs time is memory. On the one core that both have, the movers apply a layer's update in the "
                        "middle of the backward pass, and what the layers below need leaves the caches for it; the plain loops "
                        "apply at the end of a step. In a profile of 2026-11-22 (`perf record -e cpu-clock`) the functions of the "
                        "layers, the same code, took 4 to 5 % longer with tables, the update as long, and the kernel 0.4 % of the "
                        "time for 27 switches between threads in a step."]
    goals = results.table(("figure", "value", "goal", ""), figures)
    body = [f"Waiting: `geeps run -n {WORKERS} --bind` of `train_images {' '.join(arguments(WORKERS * BATCH, steps_of(context)))}`, "
            "share of worker 0, by turns with the same loops on plain buffers whose workers exchange nothing and meet "
            "at a bare barrier after each step (`tests/bench/train_barrier.cc`).", "",
            *results.table(("waiting of worker 0, %", "median", "all runs"), [
                ("with tables, over TCP", f"{statistics.median(tables):.2f}", points(tables)),
                ("at a bare barrier", f"{statistics.median(barrier):.2f}", points(barrier))]), "",
            f"CPU time: `train_images {' '.join(arguments(BATCH, steps_of(context)))}` alone, bound to one core, by turns "
            "with `--plain`; user and system time of the whole process.", "",
            *results.table(("CPU seconds", "median", "all runs"), [
                ("with tables", f"{statistics.median(with_tables):.3f}", points(with_tables)),
                ("plain buffers", f"{statistics.median(plain):.3f}", points(plain)),
                ("difference of the pairs, %", f"{cost:+.2f}", points(ratios))]), *counted]
    return "train_images", goals, body


class Namespace:
    """A network namespace whose loopback device carries all that two workers say to each other."""

    def __init__(self):
        self.name = f"geeps-bench-{os.getpid()}"

    def __enter__(self):
        self.do("ip", "netns", "add", self.name)
        self.inside("ip", "link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "delete", self.name], check=False)

    @staticmethod
    def do(*command):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise OSError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
        return done.stdout

    def command(self, *command):
        return ["ip", "netns", "exec", self.name, *command]

    def inside(self, *command):
        return self.do(*self.command(*command))

    def sent_bytes(self):
        return int(self.inside("cat", "/sys/class/net/lo/statistics/tx_bytes"))

    def limit(self, bytes_per_s):
        self.inside("tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", f"{int(8 * bytes_per_s)}bit",
                    "burst", "256kb", "limit", "8mb")


def step_in(space, context):
    """(seconds of a step, seconds of it that worker 0 waits, bytes that all workers send in it)"""
    steps = steps_of(context)
    before = space.sent_bytes()
    result = results.last_json(space.command(*workers(context, context.sample("train_images"),
                                                      *arguments(WORKERS * BATCH, steps))), LIMIT_S)
    return result["seconds"] / steps, result["wait_seconds"] / steps, (space.sent_bytes() - before) / steps


def link(context):
    title = "train_images on a narrow link"
    if missing_data():
        return title, missing_data(), []
    if os.geteuid() != 0 or not shutil.which("tc") or not shutil.which("ip"):
        return title, ["Skipped: needs root, and `ip` and `tc` (iproute2), for a network namespace with a limited rate."], []
    rows, ratios = [], []
    try:
        for run in range(1, context.runs + 1):
            with Namespace() as space:
                step_s, wait_s, sent_bytes = step_in(space, context)
                compute_s = step_s - wait_s
                rate = sent_bytes / compute_s / 2
                space.limit(rate)
                limited_s = step_in(space, context)[0]
            communication_s = sent_bytes / rate
            ratios.append(limited_s / max(compute_s, communication_s))
            rows.append((str(run), f"{1e3 * compute_s:.2f}", f"{sent_bytes / 1e6:.2f}", f"{rate / 1e6:.1f}",
                         f"{1e3 * communication_s:.2f}", f"{1e3 * limited_s:.2f}", f"{ratios[-1]:.3f}"))
            context.say(f"run {run}: {ratios[-1]:.3f}")
    except OSError as error:
        return title, [f"Skipped: {error}."], []
    value = statistics.median(ratios)
    goals = results.table(("figure", "value", "goal", ""), [
        ("step / max(compute, communication), at half of the rate that is needed", f"{value:.3f}", f"<= {LINK_GOAL}",
         results.verdict(value <= LINK_GOAL))])
    body = ["Two workers in a network namespace. Without a limit: time of a step less the waiting of worker 0 (compute) and "
            "bytes that the loopback device carries in a step, both directions together. Needed is the rate at which these "
            "bytes take as long as the computation; the device is then limited to half of it (`tc` tbf).", "",
            "What is above 1: messages leave in the order in which they are ready, those of the last layer first, which the next step "
            "reads last. So a step begins when the last message of the one before has come, and the link has nothing to "
            "carry until the backward pass has its first gradients.", "",
            *results.table(("run", "compute, ms", "MB per step", "rate, MB/s", "communication, ms", "step, ms", "ratio"), rows)]
    return title, goals, body
