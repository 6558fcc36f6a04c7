# SPDX-License-Identifier: Apache-2.0
"""What every bench of this folder needs: where it runs, statistics of samples, and files of results."""

import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys

BUSY_LOAD = 0.5  # above it other work on the cores disturbs what is measured


def cores():
    """The first hardware thread of each physical core, then the others: the order in which `geeps run` binds."""
    def siblings(core):
        try:
            with open(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list", encoding="utf-8") as f:
                return f.read()
        except OSError:
            return str(core)

    first, second, seen = [], [], set()
    for core in sorted(os.sched_getaffinity(0)):
        (second if siblings(core) in seen else first).append(core)
        seen.add(siblings(core))
    return first + second


def git(*arguments):
    """The lines that git says about the tree this file is in; none when it is no clone."""
    try:
        return subprocess.run(["git", "-C", os.path.dirname(os.path.abspath(__file__)), *arguments],
                              capture_output=True, text=True, check=True).stdout.strip().splitlines()
    except (OSError, subprocess.CalledProcessError):
        return []


def commit(but_for=()):
    """The commit of the tree; whether it was changed, but for these files."""
    lines = git("rev-parse", "--short=12", "HEAD")
    if not lines:
        return "unknown"
    changed = [line for line in git("status", "--porcelain", "--untracked-files=no")
               if line[2:].strip() not in but_for]
    return lines[0] + (" with local changes" if changed else "")


def cpu():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            names = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
    except OSError:
        names = []
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} hardware threads"


def load():
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def warn_when_busy():
    if os.getloadavg()[0] > BUSY_LOAD:
        print(f"the machine is busy (load average {load()}): the figures will say little", file=sys.stderr)


def compiled(build):
    """How a build folder was set up: the options on which times depend."""
    with open(os.path.join(build, "meson-info", "intro-buildoptions.json"), encoding="utf-8") as f:
        options = {option["name"]: option["value"] for option in json.load(f)}
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as f:
        words = next(entry["command"].split() for entry in json.load(f) if entry["file"].endswith(".cc"))
    compiler = next(word for word in words if os.path.basename(word) != "ccache")
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return f"{version}, -O{options['optimization']}" + (
        "" if options["b_sanitize"] == "none" else f", sanitizer {options['b_sanitize']}")


def facts(load_before, but_for=()):
    """Where and when: pairs for a table."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return [("commit", commit(but_for)), ("date", now.strftime("%Y-%m-%d %H:%M UTC")), ("CPU", cpu()),
            ("load average (1, 5, 15 minutes) before", load_before), ("and after", load())]


def shown(command):
    """The command as one would type it in the current folder."""
    return " ".join(command).replace(os.getcwd() + os.sep, "")


def spread(values):
    return (max(values) - min(values)) / statistics.median(values)


def table(header, rows):
    """Lines of a table in Markdown."""
    return ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)] + ["| " + " | ".join(row) + " |" for row in rows]


def verdict(met):
    return "met" if met else "**not met**"


def last_json(command, limit_s, what=None):
    """Runs a command; the JSON object in its last line. Ends this program when the command fails."""
    objects = json_lines(command, limit_s, what)
    return objects[-1]


def json_lines(command, limit_s, what=None):
    """The JSON objects in the lines of a command's output."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit_s, check=False)
    objects = [json.loads(line[line.index("{"):]) for line in done.stdout.splitlines() if "{" in line]
    if done.returncode != 0 or not objects:
        sys.exit(f"{what or shown(command)} ended with code {done.returncode}:\n{done.stdout}{done.stderr}")
    return objects


def write(path, lines):
    if os.path.dirname(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")


class Document:
    """A file of results in sections, each of which says for itself where and when it was measured, so that one can be
    measured again without the others."""

    def __init__(self, path, head, order):
        self.path = path
        self.head = head
        self.order = order
        self.sections = {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                text = f.read()
            for name, body in re.findall(r"<!-- section (\w+) -->\n(.*?)<!-- end of \1 -->\n", text, re.S):
                self.sections[name] = body.rstrip("\n").split("\n")

    def put(self, name, lines):
        """Replaces a section and writes the file."""
        self.sections[name] = lines
        out = list(self.head)
        for section in self.order:
            if section in self.sections:
                out += ["", f"<!-- section {section} -->", *self.sections[section], f"<!-- end of {section} -->"]
        write(self.path, out)
