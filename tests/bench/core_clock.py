# SPDX-License-Identifier: Apache-2.0
"""The section `clock` of docs/results/core.md."""

import statistics

import results

SIZES = (4096, 409600, 4 << 20, 64 << 20)
NAMES = {4096: "4 KB", 409600: "400 KB", 4 << 20: "4 MB", 64 << 20: "64 MB"}
LARGE = 4 << 20  # from here on a clock is work, not waking up
LIMIT_S = 300
MPI = "mpirun --allow-run-as-root --oversubscribe --bind-to none --mca btl"

INTRO = """A clock: two workers read a table of f32 (rule `add`, slack 0) whole, update it whole, end the clock; in
place, the values of the updates are written once, before the measurement. A sample is the mean over all clocks of one
run, the slower worker's; each process with all its threads is bound to one core.

* *raw socket*: each process sends as many bytes as the table has and receives as many, both ways at once, then sums
  its half in place. *bare exchange*: two threads wait for one another, sum one half each in place, and wait again. Both
  sleep while they wait, as geeps does. The sum is value += a + b, what a keeper does.
* Open MPI: `MPI_Allreduce`; it spins while it waits. gloo: its allreduce over TCP; the thread that serves its sockets
  shares a core with the caller when processes are bound, so that it is also measured unbound, and its better median
  counts. Neither adds the sum to a table.
* Where geeps is slower than Open MPI at 4 MB: it calculates the CRC32C of every payload on both sides, which is a quarter of its
  CPU time there (`perf record -e cpu-clock`; 27 GB/s, as fast as the instruction goes), and it sleeps, as the raw
  socket does, which Open MPI beats as well.
* CPU: seconds of all threads of all workers per 1e9 bytes of table and clock.""".split("\n")


def clocks_for(size, quick):
    return 3 if quick else max(10, min(1000, (1 << 30) // size))


class Contestant:
    def __init__(self, name, command, missing=None):
        self.name = name
        self.command = command  # (size, clocks) -> list of words
        self.missing = missing  # why it cannot run
        self.samples = {}  # by size: seconds per clock
        self.cpu = {}      # by size: CPU seconds per clock

    def run(self, size, clocks):
        figures = results.last_json(self.command(size, clocks), LIMIT_S, self.name)
        self.samples.setdefault(size, []).append(figures["seconds_per_clock"])
        self.cpu.setdefault(size, []).append(figures["cpu_seconds_per_clock"])

    def median(self, size):
        return statistics.median(self.samples[size])


def ours(context, transport, workers):
    return lambda size, clocks: [context.geeps, "bench", "clock", "--json", "--transport", transport, "--workers",
                                 str(workers), "--bytes", str(size), "--clocks", str(clocks)]


def other(context, name, package=None, bound=True, prefix=()):
    """(command, missing) of a limit or a peer."""
    program = context.bench(name)
    cores = [str(core) for core in context.cores[:2]] if bound else ["-1", "-1"]
    missing = None if program else f"not installed ({package})" if package else "not built"
    return lambda size, clocks: [*prefix, program, str(size), str(clocks), *cores], missing


def contestants(context):
    def mpi(btl):
        return other(context, "clock_mpi", "libopenmpi-dev, openmpi-bin", prefix=[*MPI.split(), f"{btl},self", "-n", "2"])

    over_tcp = [Contestant("geeps, tcp", ours(context, "tcp", 2)),
                Contestant("limit: raw socket", *other(context, "raw_socket")),
                Contestant("Open MPI, tcp", *mpi("tcp")),
                Contestant("gloo, bound", *other(context, "clock_gloo", "libgloo-dev")),
                Contestant("gloo, unbound", *other(context, "clock_gloo", "libgloo-dev", bound=False))]
    in_process = [Contestant("geeps, one process", ours(context, "inproc", 2)),
                  Contestant("limit: bare exchange", *other(context, "bare_exchange")),
                  Contestant("Open MPI, vader (two processes)", *mpi("vader"))]
    worlds = [Contestant("geeps, N = 1", ours(context, "inproc", 1)),
              Contestant("geeps, one process, N = 4", ours(context, "inproc", 4)),
              Contestant("geeps, tcp, N = 4", ours(context, "tcp", 4))]
    return over_tcp, in_process, worlds


def table_of(sizes, group):
    rows = []
    for size in sizes:
        for one in group:
            if one.missing:
                rows.append((NAMES[size], one.name, one.missing, "", "", "", ""))
                continue
            samples = one.samples[size]
            rows.append((NAMES[size], one.name, f"{1e6 * one.median(size):.1f}", f"{1e6 * min(samples):.1f}",
                         f"{1e6 * max(samples):.1f}", f"{one.median(size) / group[0].median(size):.2f}",
                         f"{statistics.median(one.cpu[size]) / size * 1e9:.3f}"))
    return results.table(("table", "", "median us", "smallest", "largest", f"/ {group[0].name}", "CPU s per GB"), rows)


def goal_lines(sizes, over_tcp, in_process):
    tcp, raw, mpi = over_tcp[:3]
    gloo = [one for one in over_tcp[3:] if not one.missing]
    rows = []

    def add(figure, value, most=None, below=None):
        goal = f"<= {most}" if most else f"< {below}" if below else ""
        met = value <= most if most else value < below if below else None
        rows.append((figure, f"{value:.2f}", goal, "reported" if met is None else results.verdict(met)))

    for size in sizes if gloo else ():
        best = min(one.median(size) for one in gloo)
        add(f"tcp, {NAMES[size]}: geeps / gloo", tcp.median(size) / best, below=1)
    for size in sizes if not mpi.missing else ():
        add(f"tcp, {NAMES[size]}: geeps / Open MPI tcp", tcp.median(size) / mpi.median(size),
            below=1 if size >= LARGE else None)
    for size in sizes:
        add(f"tcp, {NAMES[size]}: geeps / (raw socket + sum)", tcp.median(size) / raw.median(size),
            most=1.2 if size == SIZES[-1] else None)
    for size in sizes:
        add(f"one process, {NAMES[size]}: geeps / bare exchange", in_process[0].median(size) / in_process[1].median(size),
            most=1.5 if size >= LARGE else None)
    return results.table(("figure", "value", "goal", ""), rows)


def samples_of(sizes, group):
    rows = []
    for size in sizes:
        for one in group:
            if not one.missing:
                rows.append((NAMES[size], one.name, " ".join(f"{1e6 * sample:.1f}" for sample in one.samples[size])))
    return results.table(("table", "", "us per clock, in the order of the runs"), rows)


def section(context):
    groups = contestants(context)
    sizes = SIZES[:2] if context.quick else SIZES
    for run in range(context.runs):
        for size in sizes:
            for one in [one for group in groups for one in group if not one.missing]:
                one.run(size, clocks_for(size, context.quick))
        context.say(f"run {run + 1}: " + ", ".join(f"{one.name} {1e3 * one.samples[sizes[-1]][-1]:.2f} ms"
                                                   for one in groups[0] + groups[1] if not one.missing))
    body = [*INTRO, "", "Two processes over TCP:", "", *table_of(sizes, groups[0]), "", "Two workers of one process:", "",
            *table_of(sizes, groups[1]), "", "One worker, and four on the same two cores:", "",
            *table_of(sizes, groups[2]), "", "All samples:", "",
            *samples_of(sizes, [one for group in groups for one in group])]
    return "BSP clock", goal_lines(sizes, groups[0], groups[1]), body
