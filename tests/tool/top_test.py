# SPDX-License-Identifier: Apache-2.0
"""geeps top: what it shows of files made by hand, and of a job of geeps run --stats."""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest

import harness

HELLO = sys.argv.pop(2)
SECOND = 10**9


def picture(rank, world=2, **changes):
    """What a runtime writes, as far as geeps top reads it."""
    given = {"clock": 10, "elapsed_s": 4, "state": "running", "cause": "", "process": os.getpid(), "imbalance_s": 0,
             "stall_s": 0, "now_s": 0, "received": 0, "sent": 0, "tables": {}} | changes
    ns = {key: int(given[key + "_s"] * SECOND) for key in ("elapsed", "imbalance", "stall", "now")}
    waiting = {"waits": 1, "wait_ns": ns["imbalance"] + ns["stall"], "imbalance_ns": ns["imbalance"],
               "stall_ns": ns["stall"], "now_ns": ns["now"]}
    tables = [{"name": name, "waiting": {"wait_ns": int(waited * SECOND), "now_ns": 0}}
              for name, waited in given["tables"].items()]
    return {"rank": rank, "world": world, "clock": given["clock"], "elapsed_ns": ns["elapsed"],
            "process": given["process"], "state": given["state"], "cause": given["cause"], "waiting": waiting,
            "bytes": {"contribution_bytes_sent": given["sent"], "publish_bytes_sent": 500,
                      "contribution_bytes_received": given["received"], "publish_bytes_received": 1000},
            "tables": tables}


class Top(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, rank, text):
        path = os.path.join(self.folder, f"rank-{rank}.json")
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text if isinstance(text, str) else json.dumps(text))
        os.rename(path + ".new", path)
        return path

    def once(self):
        done = harness.run("top", "--once", self.folder)
        return done.returncode, done.stdout.splitlines(), done.stderr

    def test_one_look_shows_averages_since_the_start(self):
        self.write(0, picture(0, clock=12, imbalance_s=1.5, stall_s=0.5, received=3000, sent=1500, tables={"a": 0.4, "b\n": 1}))
        self.write(1, picture(1, clock=10, elapsed_s=3725, sent=8 * 10**9, now_s=2))
        self.write(7, "left from somebody else, whose name is not one of a worker")
        os.rename(os.path.join(self.folder, "rank-7.json"), os.path.join(self.folder, "rank-7.json.old"))
        code, lines, _ = self.once()
        self.assertEqual(code, 0)
        self.assertEqual(lines, [
            "2 of 2 workers, 1:02:05, clocks 10 to 12",
            "rank      clock  clocks/s  waiting  imbalance          in         out  waits most for",
            "   0         12       3.0    50.0%      75.0%    1.0 kB/s     500 B/s  b? 25.0%",
            "   1         10       0.0     0.1%          -       0 B/s    2.1 MB/s  now for 2.0 s"])

    def test_rates_are_of_the_time_between_two_looks(self):
        self.write(0, picture(0, 1, clock=10, elapsed_s=4, imbalance_s=3, tables={"a": 3}))
        with subprocess.Popen([harness.PROGRAM, "top", "--interval", "10", self.folder], text=True,
                              stdout=subprocess.PIPE) as top:
            self.addCleanup(top.kill)
            top.stdout.readline()
            top.stdout.readline()
            self.assertRegex(top.stdout.readline(), r"^   0 +10 +2\.5 +75\.0% +100\.0% .* a 75\.0%$")
            # Half a second in which the worker walked 5 clocks and waited for 0.1 s, a quarter of it by imbalance.
            self.write(0, picture(0, 1, clock=15, elapsed_s=4.5, imbalance_s=3.025, stall_s=0.075, tables={"a": 3.1}))
            seen = ""
            while "  15 " not in seen:
                seen = top.stdout.readline()
            self.assertRegex(seen, r"^   0 +15 +10\.0 +20\.0% +25\.0% +0 B/s +0 B/s +a 20\.0%$")
            self.write(0, picture(0, 1, clock=15, elapsed_s=5, state="ended"))
            self.assertEqual(top.stdout.read().splitlines()[-1], "the job has ended after 5.0 s: 1 ended")
            self.assertEqual(top.wait(harness.DEADLINE_S), 0)

    def test_lost_workers_and_those_that_are_gone_are_an_end(self):
        self.write(0, picture(0, 3, state="lost", cause="rank 1 was \x1b[31mlost"))
        self.write(1, picture(1, 3, state="ended"))
        child = subprocess.Popen(["true"])
        child.wait()
        old = time.time() - 100
        os.utime(self.write(2, picture(2, 3, process=child.pid)), (old, old))
        code, lines, _ = self.once()
        self.assertEqual(code, 0)
        self.assertTrue(lines[2].endswith("lost: rank 1 was ?[31mlost"), lines[2])
        self.assertTrue(lines[4].endswith(f"process {child.pid} is gone without an end"), lines[4])
        self.assertEqual(lines[5:], ["the job has ended after 4.0 s: 1 ended, 1 lost, 1 gone"])
        os.utime(self.write(2, picture(2, 3)), (old, old))  # its process runs
        _, lines, _ = self.once()
        self.assertRegex(lines[4], r"silent for 1\d\d s$")
        self.assertEqual(lines[5:], [])

    def test_what_is_no_statistics_is_refused_with_the_name_of_the_file(self):
        good = json.dumps(picture(0))
        for text in ["", "{", good[:-1], good + "x", "[" * 100000, "{}", "[]", good.replace('"clock": 10', '"clock": -1'),
                     good.replace('"clock": 10', '"clock": "10"'), good.replace('"tables": []', '"tables": [{"name": 3}]'),
                     good.replace('"bytes"', '"bites"'), '{"rank": "\\u12', '{"rank": "\\']:
            self.write(0, text)
            code, lines, complaint = self.once()
            self.assertEqual((code, lines), (1, []), text[:80])
            self.assertIn(f"{self.folder}/rank-0.json does not hold the statistics of a runtime of this version", complaint)
        self.write(0, picture(5))
        self.assertIn("rank-0.json holds the statistics of rank 5", self.once()[2])
        os.remove(os.path.join(self.folder, "rank-0.json"))
        os.mkdir(os.path.join(self.folder, "rank-0.json"))
        self.assertIn("rank-0.json is no regular file", self.once()[2])

    def test_a_folder_without_workers_and_one_that_is_not_there(self):
        code, lines, complaint = self.once()
        self.assertEqual((code, lines), (1, []))
        self.assertIn(f"no worker has written into {self.folder} yet", complaint)
        done = harness.run("top", "/proc/nowhere")
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot look into /proc/nowhere: No such file or directory", done.stderr)

    def test_wrong_command_lines(self):
        for arguments, text in [([], "the folder is missing"), (["a", "b"], "unexpected argument 'b'"),
                                (["--interval", "9", "a"], "--interval wants milliseconds from 10 to 3600000, not '9'"),
                                (["--often", "a"], "unknown option '--often'"), (["--once=1", "a"], "--once takes no value")]:
            done = harness.run("top", *arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn("geeps top: " + text, done.stderr)

    def test_a_job_of_geeps_run_writes_for_its_owner_alone_and_ends(self):
        folder = os.path.join(self.folder, "job")
        for num_workers in [3, 2]:  # nothing of the first job is left
            done = harness.run("run", "-n", str(num_workers), "--stats", folder, HELLO)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(sorted(os.listdir(folder)), [f"rank-{rank}.json" for rank in range(num_workers)])
            self.assertEqual(os.stat(folder).st_mode & 0o777, 0o700)
            for name in os.listdir(folder):
                self.assertEqual(os.stat(os.path.join(folder, name)).st_mode & 0o777, 0o600)
            done = harness.run("top", folder)
            self.assertEqual(done.returncode, 0, done.stderr)
            lines = done.stdout.splitlines()
            self.assertRegex(lines[0], rf"^{num_workers} of {num_workers} workers, .* s, clock 10$")
            self.assertRegex(lines[-1], rf"^the job has ended after .* s: {num_workers} ended$")

    def test_a_folder_that_cannot_be_made_is_refused(self):
        done = harness.run("run", "-n", "1", "--stats", "/proc/nowhere", "true")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "geeps run: --stats: cannot create /proc/nowhere: ")


if __name__ == "__main__":
    harness.main()
