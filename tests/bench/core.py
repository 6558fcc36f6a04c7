# SPDX-License-Identifier: Apache-2.0
"""Measures the core beside its limits and beside others, and writes docs/results/core.md.

  clock    BSP clocks of one table, two processes over TCP and two runtimes of one process, against hand-written loops
           (tests/bench/limits), Open MPI and gloo (tests/bench/peers)
  access   a read that is ready, in place
  rules    update rules of the host device against hand loops
  plan     a commit of scattered rows
  train    train_images: waiting against a bare barrier, CPU time against plain buffers
  link     train_images on a link with half of the rate that it needs

What is compared is run by turns, A B A B .., each worker bound to one core; figures are medians, and all samples stand
in the file. `geeps bench` alone measures geeps: it is part of what is installed and knows neither limits nor peers;
this program brings the rest, which needs the source tree and a build folder. Sections that are not named keep what
the file holds.

usage: core.py [--build DIR] [--runs N] [--quick] [--out FILE] [SECTION...]
"""

import argparse
import os
import sys

import core_clock
import core_parts
import core_train
import results

SECTIONS = {"clock": core_clock.section, "access": core_parts.access, "rules": core_parts.rules,
            "plan": core_parts.plan, "train": core_train.train, "link": core_train.link}
HEAD = ["<!-- SPDX-License-Identifier: Apache-2.0 -->", "# The core beside its limits and beside others", "",
        "Written by `tests/bench/core.py`, whose opening lines say what is measured. Each section was measured at the "
        "time and on the commit that it names; goals are those of a quiet machine."]


class Context:
    """What all sections are given."""

    def __init__(self, build, runs, quick):
        self.build = build
        self.runs = runs
        self.quick = quick  # sizes that only show that everything works
        self.geeps = os.path.join(build, "tools", "geeps", "geeps")
        self.cores = results.cores()

    def bench(self, name):
        """The path of a program of tests/bench, or None when it was not built."""
        path = os.path.join(self.build, "tests", "bench", name)
        return path if os.access(path, os.X_OK) else None

    def sample(self, name):
        return os.path.join(self.build, "samples", name, name)

    def say(self, text):
        print(text, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build", metavar="DIR", help="build folder, compiled as released (build)")
    parser.add_argument("--runs", type=int, default=9, metavar="N", help="runs of each kind (9)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that everything works, measures nothing")
    parser.add_argument("--out", default="docs/results/core.md", metavar="FILE", help="(docs/results/core.md)")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    options = parser.parse_args()
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"there is no section {unknown[0]}; there are {', '.join(SECTIONS)}")
    if options.runs < 1:
        parser.error("--runs wants at least 1")
    context = Context(options.build, options.runs, options.quick)
    if not os.access(context.geeps, os.X_OK):
        sys.exit(f"{context.geeps} is not there: build it first, or say --build DIR")
    if len(context.cores) < 2:
        sys.exit(f"2 cores are needed, this process may use {len(context.cores)}")
    results.warn_when_busy()
    document = results.Document(options.out, HEAD, list(SECTIONS))
    for name, section in SECTIONS.items():
        if options.sections and name not in options.sections:
            continue
        context.say(f"== {name}")
        load_before = results.load()
        title, goals, body = section(context)
        facts = results.facts(load_before, but_for=(os.path.relpath(options.out),))
        facts += [("compiled with", results.compiled(options.build)), ("runs of each kind", str(options.runs))]
        if options.quick:
            facts.append(("sizes", "tiny (--quick): no figure here says anything"))
        document.put(name, [f"## {title}", ""] + results.table(("", ""), facts) + [""] + goals + [""] + body)
        context.say("\n".join(goals))
    return 0


if __name__ == "__main__":
    sys.exit(main())
