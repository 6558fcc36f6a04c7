# SPDX-License-Identifier: Apache-2.0
"""geeps run: exit codes, signals, and that nothing is left behind."""

import os
import resource
import signal
import tempfile
import unittest

import harness

# A worker that says which signals it gets, and goes on until SIGTERM, which it obeys. It writes with os.write: a signal may
# come in the middle of a print, which must not be entered again.
LISTENER = harness.python("""
import os, signal, sys
def heard(number, _):
    os.write(1, (signal.Signals(number).name + "\\n").encode())
    if number == signal.SIGTERM: sys.exit(0)
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM): signal.signal(number, heard)
os.write(1, f"ready {os.getpid()}\\n".encode())
while True: signal.pause()
""")

# Rank 1 fails with the given code at once; the others run the given shell command.
def rank_1_exits(code, others):
    return ["sh", "-c", f"if [ $GEEPS_RANK = 1 ]; then exit {code}; fi; {others}"]


class ExitCode(unittest.TestCase):
    def test_all_fine_is_0_and_silent(self):
        done = harness.run("run", "-n", "4", "true")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_the_first_failure_decides_and_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            fifo = os.path.join(folder, "go")
            os.mkfifo(fifo)
            with harness.Running("run", "-n", "2", *rank_1_exits(7, f"read line < {fifo}; exit 3")) as running:
                self.assertEqual(running.read_line(running.process.stderr), "geeps run: rank 1 ended with exit code 7")
                with open(fifo, "w", encoding="utf-8") as go:
                    go.write("\n")
                self.assertEqual(running.read_line(running.process.stderr),
                                 "geeps run: after that: rank 0 ended with exit code 3")
                self.assertEqual(running.wait(), 7)

    def test_a_worker_ended_by_a_signal_counts_as_128_and_the_signal(self):
        done = harness.run("run", "-n", "1", "sh", "-c", "kill -9 $$")
        self.assertEqual(done.returncode, 137)
        self.assertEqual(done.stderr, "geeps run: rank 0 was ended by signal 9 (SIGKILL)\n")

    def test_a_workers_last_words_come_before_the_line_about_its_end(self):
        done = harness.run("run", "-n", "1", "sh", "-c", "echo sorry >&2; exit 1")
        self.assertEqual(done.stderr, "[0] sorry\ngeeps run: rank 0 ended with exit code 1\n")

    def test_a_program_that_is_not_there_is_127_with_a_sentence(self):
        done = harness.run("run", "-n", "2", "no-such-program-here")
        self.assertEqual(done.returncode, 127)
        self.assertEqual(done.stderr, "geeps run: program 'no-such-program-here' is in no directory of PATH\n")
        done = harness.run("run", "-n", "2", "/nowhere/x")
        self.assertEqual(done.returncode, 127)
        self.assertEqual(done.stderr, "geeps run: cannot start program '/nowhere/x': No such file or directory\n")

    def test_a_file_that_is_no_program_is_126_with_a_sentence(self):
        with tempfile.NamedTemporaryFile() as file:
            done = harness.run("run", "-n", "2", file.name)
        self.assertEqual(done.returncode, 126)
        self.assertEqual(done.stderr, f"geeps run: cannot start program '{file.name}': Permission denied\n")


class Rest(unittest.TestCase):
    """What happens to the others when one worker fails."""

    def test_they_may_end_by_themselves_within_the_grace_time(self):
        with tempfile.TemporaryDirectory() as folder:
            fifo = os.path.join(folder, "go")
            os.mkfifo(fifo)
            others = f"trap 'echo disturbed' TERM; read line < {fifo}; echo finished"
            with harness.Running("run", "-n", "2", "--grace", "3600", *rank_1_exits(1, others)) as running:
                running.read_line(running.process.stderr)
                with open(fifo, "w", encoding="utf-8") as go:
                    go.write("\n")
                self.assertEqual(running.stdout_lines(1), ["[0] finished"])
                self.assertEqual(running.wait(), 1)

    def start_with_no_grace(self, code, others):
        """Three workers; rank 1 exits with `code` once the others, shell commands, have printed a line each."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        fifo = os.path.join(folder.name, "go")
        os.mkfifo(fifo)
        script = f"if [ $GEEPS_RANK = 1 ]; then read line < {fifo}; exit {code}; fi; {others}"
        running = harness.Running("run", "-n", "3", "--grace", "0", "sh", "-c", script)
        lines = running.stdout_lines(2)
        with open(fifo, "w", encoding="utf-8") as go:
            go.write("\n")
        return running, lines

    def test_after_the_grace_time_they_get_sigterm(self):
        running, _ = self.start_with_no_grace(5, "exec " + shell(LISTENER))
        with running:
            stderr = [running.read_line(running.process.stderr) for _ in range(2)]
            self.assertEqual(stderr[0], "geeps run: rank 1 ended with exit code 5")
            self.assertEqual(stderr[1], "geeps run: SIGTERM to rank 0, 2")
            self.assertEqual(sorted(running.stdout_lines(2)), ["[0] SIGTERM", "[2] SIGTERM"])
            self.assertEqual(running.wait(), 5)

    def test_whoever_ignores_sigterm_is_killed(self):
        running, lines = self.start_with_no_grace(5, "trap '' TERM; echo $$; while :; do sleep 1000; done")
        with running:
            stderr = [running.read_line(running.process.stderr) for _ in range(3)]
            self.assertEqual(stderr[2], "geeps run: SIGKILL to rank 0, 2")
            self.assertEqual(running.wait(), 5)
        for line in lines:
            self.assertFalse(harness.is_alive(int(line.split()[1])))

    def test_helpers_of_an_ended_worker_are_killed(self):
        done = harness.run("run", "-n", "1", "sh", "-c", "sleep 1000 & echo $!")
        self.assertEqual(done.returncode, 0)
        helper = int(done.stdout.split()[1])
        harness.wait_until(lambda: not harness.is_alive(helper), "the helper is gone")

    def test_when_a_worker_cannot_be_started_the_others_are_ended(self):
        # The descriptors suffice for some workers, but not for all.
        done = harness.run("run", "-n", "64", "sleep", "1000",
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^geeps run: no pipe for rank \d+: Too many open files\n$")


class Signals(unittest.TestCase):
    def start(self):
        running = harness.Running("run", "-n", "2", *LISTENER)
        return running, [int(line.split()[2]) for line in running.stdout_lines(2)]

    def test_signals_reach_every_worker(self):
        running, _ = self.start()
        with running:
            for number in (signal.SIGUSR1, signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
                running.process.send_signal(number)
                self.assertEqual(sorted(running.stdout_lines(2)), [f"[{r}] {number.name}" for r in range(2)])
            self.assertEqual(running.wait(), 0)

    def test_the_second_sigint_kills(self):
        running, pids = self.start()
        with running:
            running.process.send_signal(signal.SIGINT)
            self.assertEqual(sorted(running.stdout_lines(2)), ["[0] SIGINT", "[1] SIGINT"])
            running.process.send_signal(signal.SIGINT)
            self.assertEqual(running.wait(), 128 + 9)
            self.assertFalse(any(map(harness.is_alive, pids)))

    def test_a_worker_ended_by_the_signal_gives_its_exit_code(self):
        with harness.Running("run", "-n", "2", "sh", "-c", "echo ready; exec sleep 1000") as running:
            running.stdout_lines(2)
            running.process.terminate()
            self.assertEqual(running.wait(), 128 + 15)

    def test_killing_geeps_run_leaves_no_worker(self):
        running, pids = self.start()
        with running:
            running.process.kill()
            running.wait()
            for pid in pids:
                harness.wait_until(lambda: not harness.is_alive(pid), f"worker {pid} is gone")

    def test_stopping_and_continuing_includes_the_workers(self):
        running, pids = self.start()
        with running:
            all_pids = pids + [running.process.pid]
            running.process.send_signal(signal.SIGTSTP)
            harness.wait_until(lambda: all(harness.state(pid) == "T" for pid in all_pids), "all are stopped")
            running.process.send_signal(signal.SIGCONT)
            harness.wait_until(lambda: all(harness.state(pid) == "S" for pid in all_pids), "all go on")

    def test_waiting_costs_no_processor_time(self):
        running, _ = self.start()
        with running:
            harness.wait_until(lambda: harness.state(running.process.pid) == "S", "it sleeps")
            before = context_switches(running.process.pid)
            harness.wait_until(Countdown(20), "a fifth of a second has passed")
            self.assertEqual(context_switches(running.process.pid), before)


class Countdown:
    """True at the n-th look."""

    def __init__(self, looks):
        self.looks = looks

    def __call__(self):
        self.looks -= 1
        return self.looks < 0


def shell(command):
    return " ".join("'" + word.replace("'", "'\\''") + "'" for word in command)


def context_switches(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return [line for line in status if "ctxt_switches" in line]


class CommandLine(unittest.TestCase):
    def test_mistakes_are_2_with_a_sentence(self):
        cases = [
            (["run"], "the number of workers is missing"),
            (["run", "-n", "2"], "the program is missing"),
            (["run", "-n", "0", "true"], "from 1 to 1024, not '0'"),
            (["run", "-n", "1025", "true"], "from 1 to 1024, not '1025'"),
            (["run", "-n", "2x", "true"], "from 1 to 1024, not '2x'"),
            (["run", "-n"], "-n wants a value"),
            (["run", "--grace", "-1", "true"], "from 0 to 3600, not '-1'"),
            (["run", "--log-level", "loud", "true"], "not 'loud'"),
            (["run", "--transport", "inproc", "-n", "1", "true"], "joins workers of one process"),
            (["run", "--bind=yes", "-n", "1", "true"], "--bind takes no value"),
            (["run", "--frobnicate"], "unknown option '--frobnicate'"),
            (["info", "--frobnicate"], "unknown option '--frobnicate'"),
            (["info", "x"], "unexpected argument 'x'"),
            (["frobnicate"], "unknown command 'frobnicate'"),
            (["--frobnicate"], "unknown option '--frobnicate'"),
            ([], "the command is missing"),
        ]
        for arguments, text in cases:
            with self.subTest(arguments=arguments):
                done = harness.run(*arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(text, done.stderr)
                self.assertRegex(done.stderr, r"Try 'geeps( run| info)? --help'\.\n$")

    def test_help_shows_an_example(self):
        for command in ([], ["run"], ["info"]):
            done = harness.run(*command, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("Example", done.stdout)
            self.assertIn("\n  geeps ", done.stdout)


if __name__ == "__main__":
    harness.main()
