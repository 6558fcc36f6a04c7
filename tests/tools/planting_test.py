# SPDX-License-Identifier: Apache-2.0
"""The list of planted faults fits the sources, and what plants them refuses what it cannot plant."""
import os
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "lib"))

import planting  # noqa: E402

ONE = "[One] wrong\nfile a.cc\n-  x = 1;\n+  x = PLANTED ? 2 : 1;\n"


class ListTest(unittest.TestCase):
    def test_every_fault_of_the_list_can_be_planted(self):
        with open(os.path.join(ROOT, "tests", "mutants", "mutants.txt"), encoding="utf-8") as f:
            mutants = planting.parse(f.read())
        texts = planting.planted_files(ROOT, mutants)
        for mutant in mutants:
            self.assertIn(f'GeepsPlanted("{mutant.name}")', texts[mutant.path])

    def refused(self, text, words):
        with self.assertRaisesRegex(planting.PlantingError, words):
            planting.parse(text)

    def test_a_list_that_is_wrong_is_refused(self):
        self.refused("+ x\n" + ONE, "before the first")
        self.refused(ONE + ONE, r"2 mutants \[One\]")
        self.refused(ONE.replace("PLANTED", "true"), "made always")
        self.refused(ONE.replace("file a.cc\n", ""), "one line 'file PATH'")
        self.refused(ONE + "stray\n", "nothing else")
        self.refused("[One]\n", "is not")


class PlantTest(unittest.TestCase):
    def plant(self, text, lists=ONE):
        return planting.plant(text, planting.parse(lists))

    def test_a_fault_is_planted_behind_its_switch(self):
        self.assertEqual(self.plant("a\n  x = 1;\nb\n"), 'a\n  x = GeepsPlanted("One") ? 2 : 1;\nb\n')

    def test_lines_that_are_not_there_once_are_refused(self):
        for text, count in (("", 0), ("  x = 1;\n  x = 1;\n", 2), ("    x = 1;\n", 0)):
            with self.assertRaisesRegex(planting.PlantingError, f"occur {count} times in a.cc"):
                self.plant(text)

    def test_faults_of_one_file_may_not_share_a_line(self):
        two = ONE + ONE.replace("One", "Two")
        with self.assertRaisesRegex(planting.PlantingError, "share a line"):
            self.plant("  x = 1;\n", two)
        both = ONE + "[Two] wrong\nfile a.cc\n-  y = 1;\n+  y = PLANTED;\n"
        self.assertEqual(self.plant("  x = 1;\n  y = 1;\n", both),
                         '  x = GeepsPlanted("One") ? 2 : 1;\n  y = GeepsPlanted("Two");\n')

    def test_a_file_that_is_not_there_is_refused(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(planting.PlantingError, "a.cc: No such file"):
            planting.planted_files(folder, planting.parse(ONE))


if __name__ == "__main__":
    unittest.main()
