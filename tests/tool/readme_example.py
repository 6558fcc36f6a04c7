# SPDX-License-Identifier: Apache-2.0
"""The README's C program: compiles without a warning, runs alone and with three workers.

Arguments: source folder, file of libgeeps, the program geeps, then the C compiler.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE, LIBRARY, GEEPS, *COMPILER = sys.argv[1:]
EXPECTED = "after 10 clocks every value is {}\n"


def example():
    with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as readme:
        programs = [block for block in re.findall(r"```c\n(.*?)```", readme.read(), re.S) if "int main(" in block]
    if len(programs) != 1:
        raise ValueError(f"README.md has {len(programs)} C programs, not 1")
    return programs[0]


class ReadmeExample(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.program = os.path.join(self.folder.name, "example")
        source = self.program + ".c"
        with open(source, "w", encoding="utf-8") as file:
            file.write(example())
        beside = os.path.dirname(os.path.abspath(LIBRARY))
        subprocess.run([*COMPILER, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", source, "-o", self.program,
                        "-I", os.path.join(SOURCE, "include"), "-L", beside, "-lgeeps", "-Wl,-rpath," + beside],
                       check=True, timeout=60)

    def test_it_runs_alone(self):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GEEPS_")}
        done = subprocess.run([self.program], capture_output=True, text=True, timeout=60, env=environment)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, EXPECTED.format(10), ""))

    def test_it_runs_with_three_workers(self):
        done = subprocess.run([GEEPS, "run", "-n", "3", self.program], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(sorted(done.stdout.splitlines(True)), [f"[{r}] " + EXPECTED.format(30) for r in range(3)])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
