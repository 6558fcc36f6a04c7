# SPDX-License-Identifier: Apache-2.0
"""Runs one section of core.py with tiny sizes: it gives a document of the form that it should have.

usage: core_test.py BUILD SECTION
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

BUILD, SECTION = sys.argv[1:3]
CORE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "core.py")
LIMIT_S = 200


def measure(folder, *arguments):
    out = os.path.join(folder, "core.md")
    done = subprocess.run([sys.executable, "-B", CORE, "--build", BUILD, "--quick", "--runs", "1", "--out", out, *arguments],
                          cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    return done, out


class Core(unittest.TestCase):
    def test_a_section_has_facts_goals_and_samples_and_leaves_the_others_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            other = "plan" if SECTION == "clock" else "clock"
            kept = f"<!-- section {other} -->\n## Kept\n<!-- end of {other} -->\n"
            with open(os.path.join(folder, "core.md"), "w", encoding="utf-8") as f:
                f.write(kept)
            done, out = measure(folder, SECTION)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            with open(out, encoding="utf-8") as f:
                text = f.read()
        self.assertIn(kept, text)
        body = re.search(rf"<!-- section {SECTION} -->\n(.*)<!-- end of {SECTION} -->\n", text, re.S).group(1)
        for fact in ("commit", "date", "CPU", "load average", "compiled with", "runs of each kind | 1 |"):
            self.assertIn(f"| {fact}", body)
        if "\nSkipped: " not in body:
            self.assertRegex(body, r"\| figure \| value \| goal \|  \|\n\|---\|---\|---\|---\|\n\| .+ \| (met|\*\*not met\*\*|reported)")
        for line in body.splitlines():
            self.assertTrue(line.isprintable(), line)
        for rows in re.findall(r"(?:^\|.*\n)+", body, re.M):
            self.assertEqual(len({row.count("|") for row in rows.splitlines()}), 1, rows)

    def test_a_section_that_is_not_known_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            done, out = measure(folder, "speed")
            self.assertEqual(done.returncode, 2)
            self.assertIn("there is no section speed", done.stderr)
            self.assertFalse(os.path.exists(out))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
