# SPDX-License-Identifier: Apache-2.0
"""The parts of tools/fuzz that can be wrong without anybody noticing: what counts as reached, and what as failed; and that
every target of tests/fuzz is one of its list, with a corpus."""
import argparse
import contextlib
import glob
import io
import os
import sys
import tempfile
import unittest
from unittest import mock

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "lib"))

import fuzz  # noqa: E402

CORPORA_BYTES_MAX = 1 << 20


def target_of(folder, decoder):
    return fuzz.Target(folder, "probe", {"max_len": "10", "malloc_mb": "1", "decoder": decoder})


class CoverageTest(unittest.TestCase):
    LCOV = "SF:/r/a.cc\nDA:1,3\nDA:2,0\nDA:3,1\nend_of_record\nSF:/r/b.cc\nDA:1,0\nSF:/r/a.cc\nDA:2,7\nDA:9,0\n"

    def test_a_line_is_reached_when_any_record_says_so(self):
        self.assertEqual(fuzz.parse_lcov(self.LCOV), {"/r/a.cc": {1: 3, 2: 7, 3: 1, 9: 0}, "/r/b.cc": {1: 0}})

    def test_a_file_counts_as_a_whole(self):
        target = target_of("/r", "a.cc b.cc")
        self.assertEqual(fuzz.coverage_of(target, fuzz.parse_lcov(self.LCOV), []), {"a.cc": (3, 4, [9]), "b.cc": (0, 1, [1])})

    def test_of_functions_their_own_lines_count(self):
        functions = [{"name": "_ZN5geeps4ReadEv", "filenames": ["/r/h.h", "/r/a.cc"],
                      "regions": [[1, 1, 99, 2, 0, 0, 0, 0], [2, 1, 3, 2, 5, 1, 0, 0]]},
                     {"name": "_ZN5geeps8ReadMoreEv", "filenames": ["/r/a.cc"], "regions": [[9, 1, 9, 2, 0, 0, 0, 0]]}]
        target = target_of("/r", "a.cc:Read")
        self.assertEqual(fuzz.coverage_of(target, fuzz.parse_lcov(self.LCOV), functions), {"a.cc": (2, 2, [])})

    def test_a_file_that_coverage_does_not_know_counts_as_not_reached(self):
        target = target_of("/r", "c.cc")
        result = fuzz.Result()
        result.coverage = fuzz.coverage_of(target, fuzz.parse_lcov(self.LCOV), [])
        self.assertEqual(result.reached(), 0.0)


class WorkTest(unittest.TestCase):
    """A target whose program is a script."""

    def work(self, script, coverage, seconds=1):
        with tempfile.TemporaryDirectory() as folder:
            target = target_of(folder, "a.cc")
            os.makedirs(target.corpus)
            os.makedirs(os.path.dirname(target.program))
            with open(os.path.join(target.corpus, "one"), "w", encoding="utf-8") as f:
                f.write("x")
            with open(target.program, "w", encoding="utf-8") as f:
                f.write("#!/bin/sh\n" + script)
            os.chmod(target.program, 0o755)
            with mock.patch.object(fuzz, "measure", lambda *_: ({"a.cc": coverage}, None)):
                return fuzz.work(target, argparse.Namespace(seconds=seconds), 1, folder)

    def test_nine_tenths_are_enough_and_less_is_not(self):
        self.assertEqual(self.work("exit 0", (90, 100, [])).problems, [])
        self.assertEqual(len(self.work("exit 0", (89, 100, [])).problems), 1)

    def test_a_crash_fails_with_the_command_that_repeats_it(self):
        result = self.work("echo 'Test unit written to /r/crashes/probe-crash-1'; exit 77", (1, 1, []))
        self.assertEqual(result.crashes, 1)
        self.assertIn("fuzz_probe", result.problems[0])
        self.assertIn("probe-crash-1", result.problems[0])

    def test_a_leak_at_the_end_fails_though_no_input_is_named(self):
        result = self.work("case \"$*\" in *-runs=0*) exit 0;; esac; echo ERROR: LeakSanitizer; exit 1", (1, 1, []))
        self.assertEqual((result.crashes, len(result.problems)), (1, 1))

    def test_what_was_tried_is_counted(self):
        result = self.work("echo 'stat::number_of_executed_units: 500'; exit 0", (1, 1, []), seconds=5)
        self.assertEqual((result.per_s, result.problems), (100, []))

    def test_no_corpus_fails_and_no_program_is_skipped(self):
        with tempfile.TemporaryDirectory() as folder:
            target = target_of(folder, "a.cc")
            args = argparse.Namespace(seconds=0)
            self.assertTrue(fuzz.work(target, args, 1, folder).skipped)
            os.makedirs(os.path.dirname(target.program))
            open(target.program, "w", encoding="utf-8").close()
            self.assertEqual(len(fuzz.work(target, args, 1, folder).problems), 1)


class ListTest(unittest.TestCase):
    def test_every_target_is_in_the_list_and_has_a_corpus(self):
        targets = fuzz.read_targets(ROOT)
        sources = glob.glob(os.path.join(ROOT, "tests", "fuzz", "*_fuzz.cc"))
        self.assertEqual(sorted(t.name for t in targets), sorted(os.path.basename(s)[:-len("_fuzz.cc")] for s in sources))
        for target in targets:
            self.assertTrue(target.files(), target.name)
            for path in target.decoder:
                self.assertTrue(os.path.exists(os.path.join(ROOT, path)), path)
            self.assertLessEqual(max(os.path.getsize(f) for f in target.files()), target.max_len, target.name)
        corpora = os.listdir(os.path.join(ROOT, "tests", "fuzz", "corpus"))
        self.assertEqual(sorted(corpora), sorted(t.name for t in targets))

    def test_the_corpora_stay_small(self):
        size = sum(os.path.getsize(f) for t in fuzz.read_targets(ROOT) for f in t.files())
        self.assertLess(size, CORPORA_BYTES_MAX)

    def test_an_unknown_target_is_refused(self):
        with contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit):
            fuzz.main(ROOT, ["nothing"], "")


if __name__ == "__main__":
    unittest.main()
