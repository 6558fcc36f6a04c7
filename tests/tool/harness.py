# SPDX-License-Identifier: Apache-2.0
"""Starts the program `geeps` for the tests of this folder. Every wait has a deadline."""

import os
import select
import signal
import subprocess
import sys
import time
import unittest

DEADLINE_S = 60  # far above what any step takes on a loaded machine

PROGRAM = ""  # set by main


def run(*arguments, **options):
    """Runs `geeps ARGUMENTS` to its end; returns the finished process with stdout and stderr as text."""
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=DEADLINE_S,
                          errors="replace", **options)


def python(source):
    """The command line of a worker that runs `source` in Python."""
    return [sys.executable, "-c", source]


def default_signals():
    """Runs in the child: what the caller of the test ignores (nohup: SIGHUP) must not be ignored there."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Running:
    """A `geeps` that is still running, to be read line by line. Use as a context: it is killed at the end."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        preexec_fn=default_signals)
        self.pending = {self.process.stdout: b"", self.process.stderr: b""}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def read_line(self, stream):
        """The next line of process.stdout or process.stderr, without its newline."""
        deadline = time.monotonic() + DEADLINE_S
        while b"\n" not in self.pending[stream]:
            if not select.select([stream], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"no line within {DEADLINE_S} s")
            piece = os.read(stream.fileno(), 65536)
            if not piece:
                raise EOFError("the output ended")
            self.pending[stream] += piece
        line, self.pending[stream] = self.pending[stream].split(b"\n", 1)
        return line.decode()

    def stdout_lines(self, count):
        return [self.read_line(self.process.stdout) for _ in range(count)]

    def wait(self):
        return self.process.wait(timeout=DEADLINE_S)


def wait_until(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {DEADLINE_S} s: {what}")
        select.select([], [], [], 0.01)


def state(pid):
    """The letter that /proc gives: R, S, T, Z, ...; X when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def is_alive(pid):
    """Whether the process runs; a zombie does not."""
    return state(pid) not in ("Z", "X")


def main():
    """Takes the program's path off the command line and runs the tests of the calling file."""
    global PROGRAM
    PROGRAM = sys.argv.pop(1)
    unittest.main(module="__main__", verbosity=2)
