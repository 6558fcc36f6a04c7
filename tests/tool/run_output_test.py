# SPDX-License-Identifier: Apache-2.0
"""geeps run: what workers find at their start, and what becomes of their output."""

import os
import pty
import re
import subprocess
import unittest

import harness


class Environment(unittest.TestCase):
    def test_each_worker_learns_rank_world_transport_and_one_rendezvous(self):
        names = ["GEEPS_RANK", "GEEPS_WORLD", "GEEPS_TRANSPORT", "GEEPS_RENDEZVOUS"]
        done = harness.run("run", "-n", "3", *harness.python(f"import os; print(*[os.environ[n] for n in {names}])"))
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = sorted(done.stdout.splitlines())
        self.assertEqual(len(lines), 3)
        rendezvous = lines[0].split()[-1]
        self.assertRegex(rendezvous, r"^tcp://127\.0\.0\.1:[1-9][0-9]*$")
        self.assertEqual(lines, [f"[{rank}] {rank} 3 tcp {rendezvous}" for rank in range(3)])

    def test_transport_and_log_level_are_handed_on(self):
        done = harness.run("run", "-n", "1", "--transport", "/opt/x.so", "--log-level=debug",
                           "sh", "-c", "echo $GEEPS_TRANSPORT $GEEPS_LOG_LEVEL")
        self.assertEqual(done.stdout, "[0] /opt/x.so debug\n")

    def test_without_log_level_the_variable_is_not_set(self):
        environment = {key: value for key, value in os.environ.items() if key != "GEEPS_LOG_LEVEL"}
        done = harness.run("run", "-n", "1", "sh", "-c", "echo ${GEEPS_LOG_LEVEL-unset}", env=environment)
        self.assertEqual(done.stdout, "[0] unset\n")

    def test_arguments_of_the_program_are_not_taken_for_options(self):
        done = harness.run("run", "-n", "1", "echo", "-n", "--bind", "--", "x y")
        self.assertEqual(done.stdout, "[0] --bind -- x y\n")

    def test_standard_input_is_empty(self):
        done = harness.run("run", "-n", "2", "cat", input="something")
        self.assertEqual((done.returncode, done.stdout), (0, ""))


class Binding(unittest.TestCase):
    PRINT = harness.python("import os; print(*sorted(os.sched_getaffinity(0)))")

    def masks(self, *arguments):
        done = harness.run("run", *arguments, *self.PRINT)
        self.assertEqual(done.returncode, 0, done.stderr)
        return {line.split("] ")[0]: line.split("] ")[1] for line in done.stdout.splitlines()}

    def setUp(self):
        self.cores = sorted(os.sched_getaffinity(0))
        self.all = " ".join(map(str, self.cores))

    def test_workers_get_different_cores_when_there_are_enough(self):
        masks = self.masks("-n", str(len(self.cores)))
        self.assertEqual(sorted(map(int, masks.values())), self.cores)

    def test_bind_does_the_same_when_there_are_enough(self):
        masks = self.masks("-n", str(len(self.cores)), "--bind")
        self.assertEqual(sorted(map(int, masks.values())), self.cores)

    def test_no_bind_leaves_the_mask(self):
        self.assertEqual(set(self.masks("-n", "1", "--no-bind").values()), {self.all})

    def test_more_workers_than_cores_are_not_bound(self):
        workers = len(self.cores) + 1
        self.assertEqual(list(self.masks("-n", str(workers)).values()), [self.all] * workers)

    def test_bind_with_more_workers_than_cores_is_refused_with_both_numbers(self):
        workers = len(self.cores) + 1
        done = harness.run("run", "-n", str(workers), "--bind", "true")
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"each of the {workers} workers, but this process may use {len(self.cores)}", done.stderr)

    def test_only_cores_of_the_own_mask_are_used(self):
        last = self.cores[-1]
        done = harness.run("run", "-n", "1", *self.PRINT, preexec_fn=lambda: os.sched_setaffinity(0, {last}))
        self.assertEqual(done.stdout, f"[0] {last}\n")


class Output(unittest.TestCase):
    def test_both_streams_keep_apart_and_each_line_has_its_rank(self):
        done = harness.run("run", "-n", "2", "sh", "-c", "echo out$GEEPS_RANK; echo; echo err$GEEPS_RANK >&2")
        self.assertEqual(sorted(done.stdout.splitlines()), ["[0] ", "[0] out0", "[1] ", "[1] out1"])
        self.assertEqual(sorted(done.stderr.splitlines()), ["[0] err0", "[1] err1"])

    def test_the_last_line_gets_the_newline_it_lacks(self):
        done = harness.run("run", "-n", "1", "printf", "a\\nb")
        self.assertEqual(done.stdout, "[0] a\n[0] b\n")

    def test_a_line_written_in_pieces_comes_whole(self):
        source = "import os, sys\nfor p in 'abc\\n': os.write(1, p.encode())"
        done = harness.run("run", "-n", "2", *harness.python(source))
        self.assertEqual(sorted(done.stdout.splitlines()), ["[0] abc", "[1] abc"])

    def test_of_a_line_rewritten_with_carriage_returns_the_last_state_is_shown(self):
        for stream in ("", " >&2"):
            done = harness.run("run", "-n", "1", "sh", "-c", f"printf '\\r1%%\\r2%%\\r\\r\\nnext\\r\\n3%%\\r4%%'{stream}")
            shown = done.stderr if stream else done.stdout
            self.assertEqual(shown, "[0] 2%\n[0] next\n[0] 4%\n")

    def test_bytes_that_are_no_text_pass_unchanged(self):
        source = "import os; os.write(1, bytes(b for b in range(256) if b not in (10, 13)))"
        done = subprocess.run([harness.PROGRAM, "run", "-n", "1", *harness.python(source)], capture_output=True,
                              timeout=harness.DEADLINE_S)
        self.assertEqual(done.stdout, b"[0] " + bytes(b for b in range(256) if b not in (10, 13)) + b"\n")

    def test_large_output_of_all_workers_arrives_complete_and_in_order(self):
        lines = 100_000
        done = harness.run("run", "-n", "3", *harness.python(f"for i in range({lines}): print('line', i, '.' * 40)"))
        self.assertEqual(done.returncode, 0, done.stderr)
        expected = {str(rank): [f"line {i} {'.' * 40}" for i in range(lines)] for rank in range(3)}
        seen = {rank: [] for rank in expected}
        for line in done.stdout.splitlines():
            seen[line[1]].append(line[4:])
        self.assertEqual(seen, expected)

    def test_a_line_without_end_is_cut_at_64_kib(self):
        done = harness.run("run", "-n", "1", *harness.python("print('x' * (1 << 20), end='')"))
        self.assertEqual(done.stdout, ("[0] " + "x" * 65536 + "\n") * 16)

    def test_when_the_reader_goes_away_the_workers_end(self):
        with harness.Running("run", "-n", "1", "yes") as running:
            self.assertEqual(running.stdout_lines(1), ["[0] y"])
            running.process.stdout.close()
            self.assertEqual(running.wait(), 128 + 13)

    def test_a_reader_that_stands_still_does_not_delay_signals(self):
        with harness.Running("run", "-n", "1", "sh", "-c", "echo $$; exec yes") as running:
            worker = int(running.stdout_lines(1)[0].split()[1])
            harness.wait_until(Settled(worker, running.process.pid), "all pipes and queues are full")
            running.process.terminate()
            harness.wait_until(lambda: not harness.is_alive(worker), "the worker is gone")
            # Nobody takes the output that is left, so the next signal ends geeps itself.
            running.process.terminate()
            self.assertEqual(running.wait(), 128 + 15)


class Settled:
    """True when all the processes were asleep at ten looks in a row."""

    def __init__(self, *pids):
        self.pids = pids
        self.looks = 0

    def __call__(self):
        self.looks = self.looks + 1 if all(harness.state(pid) == "S" for pid in self.pids) else 0
        return self.looks == 10


class Terminal(unittest.TestCase):
    def run_on_terminal(self, *command):
        master, slave = pty.openpty()
        process = subprocess.Popen([harness.PROGRAM, "run", *command], stdout=subprocess.PIPE, stderr=slave)
        os.close(slave)
        shown = b""
        try:
            while piece := os.read(master, 65536):
                shown += piece
        except OSError:  # EIO: the last holder of the terminal is gone
            pass
        os.close(master)
        stdout = process.stdout.read().decode()
        process.stdout.close()
        self.assertEqual(process.wait(timeout=harness.DEADLINE_S), 0)
        return stdout, shown.decode()

    def test_rank_0_alone_has_the_terminal_as_its_standard_error(self):
        stdout, _ = self.run_on_terminal("-n", "3", *harness.python("import sys; print(sys.stderr.isatty())"))
        self.assertEqual(sorted(stdout.splitlines()), ["[0] True", "[1] False", "[2] False"])

    def test_rank_0_draws_without_prefix_and_the_others_erase_its_line(self):
        _, shown = self.run_on_terminal("-n", "2", "sh", "-c", "[ $GEEPS_RANK = 0 ] && printf '\\r50%%' >&2 || echo note >&2")
        self.assertIn("\r50%", shown)
        self.assertNotIn("[0]", shown)
        self.assertTrue(re.search(r"\r\x1b\[K\[1\] note\r\n", shown), repr(shown))


if __name__ == "__main__":
    harness.main()
