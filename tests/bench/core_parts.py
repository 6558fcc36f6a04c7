# SPDX-License-Identifier: Apache-2.0
"""The sections `access`, `rules` and `plan` of docs/results/core.md."""

import statistics

import results

LIMIT_S = 600


def numbers(values, digits=1):
    return " ".join(f"{value:.{digits}f}" for value in values)


def access(context):
    command = [context.geeps, "bench", "access", "--json", "--passes", "3" if context.quick else "200"]
    runs = [results.last_json(command, LIMIT_S) for _ in range(context.runs)]
    medians = [run["ns_per_pair"] for run in runs]
    value = statistics.median(medians)
    goals = results.table(("figure", "value", "goal", ""), [
        ("`geeps_read` and `geeps_post_read`, ready and in place", f"{value:.1f} ns", "100 ns, at most 200 ns",
         results.verdict(value <= 100) + (" (limit met)" if 100 < value <= 200 else ""))])
    body = [f"A pass of one worker reads {runs[0]['reads']:.0f} rows of 64 bytes, one after the other, "
            f"{runs[0]['in_place']:.0f} of them in place, while the movers apply an update of 64 MiB on another core. "
            "A sample is the median of the passes of a run; a pass in which a read had to wait is left out. That no "
            "lock is taken and nothing is allocated is shown by the test `bench-access-calls`.", "",
            *results.table(("run", "median ns", "smallest", "largest", "passes", "of them all ready"), [
                (str(number), f"{run['ns_per_pair']:.1f}", f"{run['ns_per_pair_min']:.1f}", f"{run['ns_per_pair_max']:.1f}",
                 f"{run['passes']:.0f}", f"{run['ready_passes']:.0f}") for number, run in enumerate(runs, 1)])]
    return "Ready access", goals, body


def rules(context):
    sizes = ["4096", "65536"] if context.quick else ["65536", str(4 << 20)]
    measured = results.json_lines([context.bench("rules"), str(context.runs), str(context.cores[0]), *sizes], LIMIT_S)
    rows, samples, ratios = [], [], []
    for one in measured:
        ours, hand = one["ours_ns_per_value"], one["hand_ns_per_value"]
        ratio = statistics.median(hand) / statistics.median(ours)
        ratios.append(ratio)
        rows.append((one["rule"], str(one["values"]), f"{statistics.median(ours):.3f}", f"{statistics.median(hand):.3f}",
                     f"{ratio:.2f}", results.verdict(ratio >= 0.95)))
        samples.append((one["rule"], str(one["values"]), numbers(ours, 3), numbers(hand, 3)))
    goals = results.table(("figure", "value", "goal", ""), [
        ("speed of fused rules / hand loops, the lowest of all rules and sizes", f"{min(ratios):.2f}", ">= 0.95",
         results.verdict(min(ratios) >= 0.95)),
        ("rules and sizes that reach it", f"{sum(ratio >= 0.95 for ratio in ratios)} of {len(ratios)}", "", "reported")])
    body = ["`apply` of the host device, f32, two contributions, against one loop by hand (-O3, the same instruction "
            "set), by turns in one process. Times are CPU times of the one thread that works.", "",
            "`lamb` must know the norms of a row before it can change it. Ours adds the squares in the order that docs/rules.md "
            "fixes for every device: 32 sums side by side for the values and 32 for the changes, which are as many as the "
            "registers that SSE2 has, so that it walks twice more over each piece of 1,024 values in the first-level cache. The "
            "hand loop has 16 and 16, and adds on its way. Adding on the way with sums in memory was tried: 0.89 and 0.83.", "",
            "`replace` does the least for a value. What one apply costs beside that, 0.14 to 0.35 us whatever the size (207 ns at "
            "4,096 values, 139 at 16,384, 299 at 65,536, 347 at 262,144: `tests/bench/rules 9 0 4096 16384 65536 262144`, "
            "2026-11-23), is a twentieth of the 5 us that 65,536 values take.", "",
            *results.table(("rule", "values", "ours, ns per value", "by hand", "speed, ours / by hand", ""), rows), "",
            "All samples:", "", *results.table(("rule", "values", "ours, ns per value", "by hand"), samples)]
    return "Update rules", goals, body


def plan(context):
    command = [context.geeps, "bench", "plan", "--json"]
    if context.quick:
        command += ["--operations", "10", "--ids", "1000", "--rows", "100000"]
    runs = [results.last_json(command, LIMIT_S) for _ in range(context.runs)]
    seconds = [run["commit_seconds"] for run in runs]
    value, first = statistics.median(seconds), runs[0]
    goals = results.table(("figure", "value", "goal", ""), [
        ("commit, two processes over TCP", f"{value:.3f} s", "<= 2 s", results.verdict(value <= 2))])
    body = [f"{first['operations']:.0f} operations, reads and updates by turns, list {first['ids']:.0f} rows of a table of "
            f"{first['rows']:.0f} rows of 4 bytes; drawn at random for each worker, no run above four rows. Memory is "
            "the growth of the resident set over the commit, everything included: caches, logs, row sets of this "
            "worker and, for the rows that it keeps, of the other one; indexes are 8 bytes a row of it.", "",
            *results.table(("run", "commit, s", "CPU s of a worker", "recording, s", "kept, bytes per row listed", "at the peak"), [
                (str(number), f"{run['commit_seconds']:.3f}", f"{run['commit_cpu_seconds']:.3f}", f"{run['record_seconds']:.3f}",
                 f"{run['kept_bytes'] / run['ids']:.1f}", f"{run['peak_bytes'] / run['ids']:.1f}")
                for number, run in enumerate(runs, 1)])]
    return "Commit of scattered rows", goals, body
