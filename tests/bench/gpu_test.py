# SPDX-License-Identifier: Apache-2.0
"""geeps bench gpu with sizes that take no time, on the fake CUDA driver and on built-in back ends: that it is complete,
that its sums are checked, and that the driver finds nothing; not how fast anything is.

usage: gpu_test.py GEEPS MODULE FAKE_DRIVER_FOLDER IDLE_MODULE
"""
import json
import os
import subprocess
import sys
import unittest

GEEPS, MODULE, FAKE, IDLE = sys.argv[1:5]
TINY = ["--bytes", "1048576", "--samples", "3", "--sample-us", "100", "--work", "6", "--tables", "20", "--clocks", "3"]
SECTIONS = ["device", "moves", "rules", "tables", "step", "workers"]
LIMIT_S = 150


def bench(*arguments, fake="", device=MODULE):
    env = {"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": FAKE, "GEEPS_FAKE_CUDA": fake}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        if name in os.environ:
            env[name] = os.environ[name]
    return subprocess.run([GEEPS, "bench", "gpu", "--device", device, *TINY, *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, check=False, timeout=LIMIT_S)


def lines_of(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


class BenchGpu(unittest.TestCase):
    def check_complete(self, done, synchronous=False):
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        lines = lines_of(done)
        self.assertEqual({line["bench"] for line in lines}, {"gpu"})
        self.assertEqual([line for line in lines if "not_measured" in line], [])
        by_section = {name: [line for line in lines if line["section"] == name] for name in SECTIONS}
        self.assertEqual({name: len(found) for name, found in by_section.items()},
                         {"device": 1, "moves": 12, "rules": 2, "tables": 2, "step": 4, "workers": 3})
        self.assertEqual([(line["what"], line["row_bytes"]) for line in by_section["moves"]],
                         [(what, size) for size in (128, 256, 512, 1024, 2048, 4096) for what in ("gather", "scatter-add")])
        for line in by_section["moves"]:
            # A gather and a copy move two bytes for one, an addition three.
            factor = 2 if line["what"] == "gather" else 3
            self.assertAlmostEqual(line["gb_per_s"], factor * line["moved_bytes"] / line["seconds"] * 1e-9, delta=1e-6 * line["gb_per_s"])
            self.assertAlmostEqual(line["share"], line["gb_per_s"] / line["copy_gb_per_s"], delta=1e-6 * line["share"])
        for line, arrays in zip(by_section["rules"], (5, 7)):
            self.assertAlmostEqual(line["gb_per_s"], arrays * line["bytes"] / line["seconds"] * 1e-9, delta=1e-6 * line["gb_per_s"])
            self.assertAlmostEqual(line["faster"], line["separate_seconds"] / line["seconds"], delta=1e-6 * line["faster"])
        reads, small = by_section["tables"]
        self.assertEqual((reads["reads"], reads["in_place_reads"], reads["moved_bytes"]), (20, 20, 0))
        self.assertEqual(small["tables"], 20)
        self.assertGreater(small["applies_per_clock"], 0)
        if not synchronous:  # applies, and copies into the caches, go together
            self.assertLess(small["applies_per_clock"] + small["copies_per_clock"] + small["moves_per_clock"], 20)
        plain, *ways = by_section["step"]
        self.assertEqual([way["what"] for way in ways],
                         ["tables on the device", "shards in host memory", "tables in host memory"])
        for way in ways:
            self.assertEqual(way["plain_seconds"], plain["seconds"])
            self.assertAlmostEqual(way["slower"], way["seconds"] / plain["seconds"] - 1, delta=1e-6 * (1 + abs(way["slower"])))
            self.assertLessEqual(way["stall_share"], way["wait_share"] + 1e-9)
        self.assertEqual([line["workers"] for line in by_section["workers"]], [1, 2, 2])
        return by_section

    def test_every_line_is_measured_on_the_fake_driver_and_the_driver_finds_nothing(self):
        for schedule in ("eager", "seeded:3"):
            found = self.check_complete(bench("--json", fake=f"schedule={schedule}"))
            self.assertEqual(found["device"][0]["what"], "Fake GPU")

    def test_the_back_ends_that_are_built_in_are_measured_too(self):
        for device in ("host", "deferred:eager", "deferred:seeded:5"):
            self.check_complete(bench("--json", device=device), synchronous=device == "host")

    def test_a_driver_that_lets_work_wait_gives_the_right_sums(self):
        done = bench("--json", "--only", "moves,rules,step", fake="schedule=lazy")
        self.assertEqual((done.returncode, done.stderr, len(lines_of(done))), (0, "", 18), done.stdout)

    def test_wrong_sums_are_found_in_every_section(self):
        for section, what in (("moves", "scatter-add"), ("rules", "momentum"), ("tables", "the table read"),
                              ("step", "plain buffers"), ("workers", "the table of the workers")):
            done = bench("--json", "--only", section, device=IDLE)
            self.assertEqual(done.returncode, 1, section)
            self.assertRegex(done.stderr, rf"(?s)^geeps bench gpu: {section}: .*{what}.* where .* is right\n"
                                          rf"geeps bench gpu: 1 of 1 sections failed: {section}\n$")

    def test_a_device_that_breaks_ends_its_section_alone(self):
        done = bench("--json", "--only", "device,rules,moves", fake="quiet=1 break=40:700")
        self.assertEqual(done.returncode, 1)
        self.assertEqual([line["section"] for line in lines_of(done)][:1], ["device"])
        self.assertRegex(done.stderr, r"geeps bench gpu: moves: GEEPS_E_DEVICE: .* is lost: ")
        self.assertRegex(done.stderr, r"geeps bench gpu: rules: GEEPS_E_DEVICE: .* is lost: ")
        self.assertRegex(done.stderr, r"\ngeeps bench gpu: 2 of 3 sections failed: moves, rules\n$")

    def test_less_memory_makes_the_table_smaller_and_says_so(self):
        done = bench("--json", "--only", "moves", "--bytes", "16777216", fake="memory=12m")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        first, *rest = lines_of(done)
        self.assertEqual((first["what"], first["not_measured"]),
                         ("a table of 16 MiB", "the memory of the device gives room for 8 MiB"))
        self.assertEqual({line["table_bytes"] for line in rest}, {8388608})

    def test_what_cannot_be_measured_says_why(self):
        done = bench("--json", fake="devices=0")
        self.assertEqual((done.returncode, done.stderr), (1, "geeps bench gpu: nothing could be measured\n"))
        lines = lines_of(done)
        self.assertEqual([line["section"] for line in lines], SECTIONS)
        for line in lines:
            self.assertRegex(line["not_measured"], "GEEPS_E_NOT_FOUND: .*device")
        done = bench("--only", "rules", fake="memory=300k")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"^rules: not measured: GEEPS_E_NOMEM: \d+ bytes of device memory wanted, \d+ of")

    def test_people_get_lines_with_limits_and_goals(self):
        done = bench("--only", "device,moves,tables")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^Fake GPU: 1 GiB of memory, \d+ GB/s by its clocks; median of 3 samples")
        self.assertRegex(done.stdout, r"\ngather      rows of  512 B, 32 KiB at random in 1 MiB: +[0-9.]+ GB/s; "
                                      r"copy within the device +[0-9.]+ GB/s; share [0-9.]+ \(goal 0\.92\)\n")
        self.assertIn("read in place: 20 of 20 reads of 64 KiB; bytes moved for them: 0 (goal 0)\n", done.stdout)

    def test_a_wrong_command_line_is_refused_with_a_sentence(self):
        for arguments in (["--bytes", "4096"], ["--bytes", "1048576,2097152"], ["--only", "moves,speed"], ["--device", "auto"],
                          ["--samples", "0"]):
            done = bench(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertRegex(done.stderr, r"^geeps bench: .+\nTry 'geeps bench --help'\.\n$")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
