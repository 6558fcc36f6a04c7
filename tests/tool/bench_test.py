# SPDX-License-Identifier: Apache-2.0
"""geeps bench, with sizes that take no time: what it prints, not how fast it is."""

import json
import unittest

import harness

TINY = ["--clocks", "3", "--bytes", "4096,40960"]


def bench(*arguments):
    """(the finished process, its lines as JSON objects)"""
    done = harness.run("bench", *arguments, "--json")
    return done, [json.loads(line) for line in done.stdout.splitlines()]


class Bench(unittest.TestCase):
    def measured(self, done, lines, count):
        self.assertEqual((done.returncode, done.stderr, len(lines)), (0, "", count), done.stdout)

    def test_clock_measures_every_size_in_processes_and_in_one_process(self):
        for transport, workers in (("tcp", 2), ("inproc", 1), ("inproc", 3)):
            done, lines = bench("clock", "--transport", transport, "--workers", str(workers), *TINY)
            self.measured(done, lines, 2)
            self.assertEqual([(line["transport"], line["workers"], line["bytes"], line["clocks"]) for line in lines],
                             [(transport, workers, 4096, 3), (transport, workers, 40960, 3)])
            for line in lines:
                self.assertGreater(line["seconds_per_clock"], 0)
                self.assertGreater(line["cpu_seconds_per_clock"], 0)

    def test_access_measures_reads_that_are_all_in_place(self):
        done, lines = bench("access", "--passes", "2", "--operations", "50")
        self.measured(done, lines, 1)
        self.assertEqual((lines[0]["reads"], lines[0]["in_place"]), (50, 50))
        self.assertLessEqual(lines[0]["ns_per_pair_min"], lines[0]["ns_per_pair"])
        self.assertLessEqual(lines[0]["ns_per_pair"], lines[0]["ns_per_pair_max"])

    def test_plan_measures_a_commit_of_rows_listed_at_random(self):
        done, lines = bench("plan", "--operations", "10", "--ids", "2000", "--rows", "1000000")
        self.measured(done, lines, 1)
        self.assertEqual((lines[0]["operations"], lines[0]["ids"], lines[0]["workers"]), (10, 2000, 2))
        self.assertGreater(lines[0]["commit_seconds"], 0)

    def test_rules_measures_every_rule(self):
        done, lines = bench("rules", "--clocks", "2", "--bytes", "4096")
        self.measured(done, lines, 8)
        self.assertEqual(len({line["rule"] for line in lines}), 8)
        self.assertEqual({line["values"] for line in lines}, {1024})

    def test_without_json_there_is_a_line_for_people(self):
        done = harness.run("bench", "clock", "--transport", "inproc", "--clocks", "2", "--bytes", "8192")
        self.assertRegex(done.stdout, r"^2 workers, inproc, 8192 bytes: [0-9.]+ us per clock, [0-9.]+ CPU seconds per GB")

    def test_a_wrong_command_line_is_refused_with_a_sentence(self):
        for arguments in ([], ["speed"], ["clock", "--bytes", "5000"], ["clock", "--workers", "0"], ["clock", "more"],
                          ["clock", "--transport", "pigeon"], ["plan", "--ids"], ["rules", "--loud"],
                          ["clock", "--json=1"]):
            done = harness.run("bench", *arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertRegex(done.stderr, r"^geeps bench: .+\nTry 'geeps bench --help'\.\n$")

    def test_a_measurement_that_fails_ends_with_1_and_the_reason(self):
        done = harness.run("bench", "clock", "--workers", "2", "--bytes", "4096", "--clocks", "2",
                           env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, preexec_fn=few_descriptors)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"^geeps bench clock: worker \d(: GEEPS_E_\w+: .+| has ended .+)\n$")


def few_descriptors():
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))


if __name__ == "__main__":
    harness.main()
