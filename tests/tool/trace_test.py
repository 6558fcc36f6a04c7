# SPDX-License-Identifier: Apache-2.0
"""geeps run --trace: what the merged trace of a small job says, against what the job did."""

import json
import os
import sys
import tempfile
import unittest

import harness

HELLO = sys.argv.pop(2)
CLOCKS = 10  # that hello walks


class Trace(unittest.TestCase):
    def merged(self, workers):
        with tempfile.TemporaryDirectory() as folder:
            done = harness.run("run", "-n", str(workers), "--trace", os.path.join(folder, "new"), HELLO)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"the traces of {workers} of {workers} workers", done.stderr)
            with open(os.path.join(folder, "new", "trace.json"), encoding="utf-8") as file:
                return json.load(file)["traceEvents"]

    def test_every_clock_of_every_worker_is_there(self):
        events = self.merged(2)
        tracks = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}

        def on(track, name=""):
            """{(rank, clock or age): event}"""
            found = [e for e in events if e["ph"] in "iX" and name in e["name"] and track in tracks[e["pid"], e["tid"]]]
            return {(e["pid"], e["args"].get("clock", e["args"].get("age"))): e for e in found}

        def end(event):
            return event["ts"] + event.get("dur", 0)

        passes, fired, updates = on("passes", "add"), on("fired"), on("add:", "update")
        applied, absorbed = on("keeper", "apply"), on("puller", "absorb")
        everywhere = {(rank, clock) for rank in range(2) for clock in range(CLOCKS)}
        self.assertEqual(set(passes), everywhere)
        self.assertEqual(set(fired), everywhere)
        self.assertEqual(set(updates), everywhere)
        self.assertEqual(len(applied), CLOCKS)  # one partition has one keeper
        keeper = next(iter(applied))[0]
        other = 1 - keeper
        # Over TCP the other worker's contributions and the versions for it travel; the keeper's own are not sent, and
        # its version is copied into its cache, while the other's lands there.
        self.assertEqual(set(on("pusher", "contribution")), {(other, clock) for clock in range(CLOCKS)})
        self.assertEqual(set(on("keeper", "publish")), {(keeper, age) for age in range(CLOCKS + 1)})
        self.assertEqual(set(absorbed), {(keeper, age) for age in range(CLOCKS + 1)})
        for clock in range(CLOCKS):
            done = applied[keeper, clock]
            for rank in range(2):
                # Times of different processes are of one clock: causes come before what they cause.
                self.assertLessEqual(end(updates[rank, clock]), done["ts"])
                self.assertLessEqual(end(updates[rank, clock]), fired[rank, clock]["ts"])
                self.assertLessEqual(fired[rank, clock]["ts"], end(done))
            self.assertGreaterEqual(absorbed[keeper, clock + 1]["ts"], done["ts"])
        self.assertEqual(min(e["ts"] for e in events if "ts" in e), 0)

    def test_nothing_overlaps_on_a_track(self):
        spans = {}
        for event in self.merged(3):
            if event["ph"] == "X":
                spans.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["ts"] + event["dur"]))
        self.assertGreater(len(spans), 9)
        for track in spans.values():
            track.sort()
            for (_, end), (begin, _) in zip(track, track[1:]):
                self.assertLessEqual(end, begin + 0.001)  # times have three digits

    def test_a_killed_worker_leaves_what_it_has_written(self):
        with tempfile.TemporaryDirectory() as folder:
            done = harness.run("run", "-n", "1", "--trace", folder, "sh", "-c",
                               "printf '{\"traceEvents\":[\\n{\"ph\":\"i\",\"ts\":7.000,\"pid\":0},\\n{\"ph\":\"i\",\"ts'"
                               " > $GEEPS_TRACE; kill -9 $$")
            self.assertEqual(done.returncode, 137)
            with open(os.path.join(folder, "trace.json"), encoding="utf-8") as file:
                self.assertEqual(json.load(file)["traceEvents"], [{"ph": "i", "ts": 0.0, "pid": 0}])

    def test_a_folder_that_cannot_be_made_is_named(self):
        done = harness.run("run", "-n", "1", "--trace", "/proc/nowhere", "true")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "geeps run: --trace: cannot create /proc/nowhere: ")


if __name__ == "__main__":
    harness.main()
