# SPDX-License-Identifier: Apache-2.0
"""The parts of tools/check and tools/promises that can be wrong without anybody noticing: counting and reading."""
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "lib"))

import check  # noqa: E402
import promise_table  # noqa: E402
import reliability_proofs  # noqa: E402


class CountTest(unittest.TestCase):
    def test_every_result_of_meson_is_counted(self):
        results = ["OK", "OK", "EXPECTEDFAIL", "SKIP", "FAIL", "TIMEOUT", "ERROR", "UNEXPECTEDPASS", "INTERRUPT"]
        count = check.count_results([f'{{"name": "x", "result": "{r}"}}\n' for r in results] + ["\n"])
        self.assertEqual(str(count), "3 passed, 5 failed, 1 skipped")

    def test_a_failure_says_what_it_printed(self):
        output = "begin\n" * 50 + "f.cc:7: ERROR: CHECK( a == b ) is NOT correct!\n  values: CHECK( 1 == 2 )\n\n" + "later\n" * 50
        lines = [{"name": "x", "result": "FAIL", "stdout": output}, {"name": "y", "result": "TIMEOUT", "stderr": "1\n2\n"},
                 {"name": "z", "result": "OK", "stdout": "ERROR: none"}]
        count = check.count_results([json.dumps(line) for line in lines])
        self.assertEqual(count.complaints, [
            "x: FAIL\n  f.cc:7: ERROR: CHECK( a == b ) is NOT correct!\n    values: CHECK( 1 == 2 )\n  later", "y: TIMEOUT\n  1\n  2"])

    def test_counts_add_up(self):
        total = check.Count(1, 2, 3)
        total.add(check.Count(10, 20, 30))
        self.assertEqual(str(total), "11 passed, 22 failed, 33 skipped")


class PartTest(unittest.TestCase):
    """Whole parts, on a project of two tests."""

    def count(self, *results, before="", without=()):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "meson.build"), "w", encoding="utf-8") as f:
                f.write("project('x')\nsh = find_program('sh')\n" + before)
                f.write("".join(f"test('t{i}', sh, args: ['-c', 'exit {r}'])\n" for i, r in enumerate(results)))
            with open(os.path.join(folder, "meson_options.txt"), "w", encoding="utf-8") as f:
                f.write("option('tests', type: 'feature')\noption('samples', type: 'feature')\n")
            with contextlib.redirect_stdout(io.StringIO()):
                part = check.Part("probe", "gcc", sys.executable, without=without)
                return str(check.run_part(folder, part, 1)), str(check.run_part(folder, part, 1))

    def test_results_are_counted_also_on_the_second_run(self):
        self.assertEqual(self.count(0, 1, 77, 0), ("2 passed, 1 failed, 1 skipped",) * 2)

    def test_tests_can_be_left_out(self):
        self.assertEqual(self.count(0, 1, 0, without=("t1",))[0], "2 passed, 0 failed, 0 skipped")

    def test_what_cannot_be_configured_or_built_has_failed(self):
        self.assertEqual(self.count(0, before="nonsense(\n")[0], "0 passed, 1 failed, 0 skipped")
        broken = "custom_target('x', output: 'x', command: [sh, '-c', 'false'], build_by_default: true)\n"
        self.assertEqual(self.count(0, before=broken)[0], "0 passed, 1 failed, 0 skipped")

    def test_a_part_without_tests_has_failed(self):
        self.assertEqual(self.count()[0], "0 passed, 1 failed, 0 skipped")


class PromiseTest(unittest.TestCase):
    TABLE = """
# Title with | bar
| statement | how shown |
|:---|---:|
| One. | `true` |
| Two \\| both. | `true \\| false` and ``echo `x` `` |
| Three. | looking at it |

| statement | goal |
|---|---|
| Not this. | `false` |
"""

    def test_rows_are_read(self):
        self.assertEqual([tuple(p) for p in promise_table.parse(self.TABLE)],
                         [("One.", ["true"]), ("Two | both.", ["true | false", "echo `x`"]), ("Three.", [])])

    def promises(self, rows):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "promises.md")
            with open(path, "w", encoding="utf-8") as f:
                f.write("| statement | how shown |\n|---|---|\n" + "".join(f"| {s} | {c} |\n" for s, c in rows))
            done = subprocess.run([sys.executable, "-B", os.path.join(ROOT, "tools", "promises"), "--build", folder,
                                   "--table", path], capture_output=True, text=True, check=False)
            return done.returncode, done.stdout

    def test_kept_statements_end_with_0(self):
        code, text = self.promises([("A", '`test -d "$BUILD"`'), ("B", "`echo no device; exit 77`")])
        self.assertEqual(code, 0, text)
        self.assertRegex(text, r"(?m)^ok .* A$")
        self.assertRegex(text, r"(?m)^skip .* B$")
        self.assertIn("no device", text)
        self.assertTrue(text.endswith("1 passed, 0 failed, 1 skipped\n"), text)

    def test_one_broken_statement_ends_with_1(self):
        for cell in ("`false`", "none", "`true` and `exit 3`"):
            code, text = self.promises([("A", "`true`"), ("B", cell)])
            self.assertEqual(code, 1, text)
            self.assertRegex(text, r"(?m)^FAIL .* B$")
            self.assertTrue(text.endswith("1 passed, 1 failed, 0 skipped\n"), text)


class OneTest(unittest.TestCase):
    """tools/test, on a build folder that holds nothing but a list of tests and a program."""

    def run_test(self, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "meson-info"))
            program = os.path.join(folder, "program")
            with open(program, "w", encoding="utf-8") as f:
                f.write('#!/bin/sh\ncase "$*" in *none*) n=0 ;; *) n=1 ;; esac\necho "[doctest] test cases: $n | x"\n')
            os.chmod(program, 0o755)
            tests = [{"name": "one", "cmd": ["./program"], "env": {}, "workdir": None},
                     {"name": "bad", "cmd": ["/bin/false"], "env": {}, "workdir": None}]
            with open(os.path.join(folder, "meson-info", "intro-tests.json"), "w", encoding="utf-8") as f:
                json.dump(tests, f)
            command = [sys.executable, os.path.join(ROOT, "tools", "test"), "--build", os.path.relpath(folder), *arguments]
            return subprocess.run(command, capture_output=True, text=True, check=False).returncode

    def test_programs_are_found_from_the_build_folder(self):
        self.assertEqual(self.run_test("one"), 0)
        self.assertEqual(self.run_test("one", "some case", "other case"), 0)

    def test_failures_unknown_tests_and_unknown_cases_are_errors(self):
        self.assertNotEqual(self.run_test("bad"), 0)
        self.assertNotEqual(self.run_test("missing"), 0)
        self.assertNotEqual(self.run_test("one", "some case", "none"), 0)


class ReliabilityTest(unittest.TestCase):
    def test_the_programs_of_every_proof_are_built_or_are_tools(self):
        built = ""
        for folder, _, files in os.walk(os.path.join(ROOT, "tests")):
            if "meson.build" in files:
                with open(os.path.join(folder, "meson.build"), encoding="utf-8") as f:
                    built += f.read()
        names = [p.name for p in reliability_proofs.PROOFS]
        self.assertEqual(len(names), len(set(names)))
        for proof in reliability_proofs.PROOFS:
            program = proof.command.split()[0]
            if program.startswith("$BUILD/"):
                self.assertIn(f"executable('{os.path.basename(program)}'", built, proof.name)
            else:
                self.assertTrue(os.access(os.path.join(ROOT, program), os.X_OK), proof.name)


class TracesTest(unittest.TestCase):
    def compare(self, gcc, clang):
        with tempfile.TemporaryDirectory() as folder:
            for name, shift in (("gcc", gcc), ("clang", clang)):
                place = os.path.join(folder, "build", "check-" + name, "tests", "sim")
                os.makedirs(place)
                path = os.path.join(place, "geeps-sim")
                with open(path, "w", encoding="utf-8") as f:
                    f.write(f"#!/bin/sh\nfor i in $(seq 300); do echo $i $((i + {shift})); done\necho all seeds were well\n")
                os.chmod(path, 0o755)
            with contextlib.redirect_stdout(io.StringIO()):
                return str(check.same_traces(folder))

    def test_seeds_whose_traces_differ_are_a_failure(self):
        self.assertEqual(self.compare(0, 0), "1 passed, 0 failed, 0 skipped")
        self.assertEqual(self.compare(0, 1), "0 passed, 1 failed, 0 skipped")

    def test_without_both_builds_nothing_is_compared(self):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(str(check.same_traces(folder)), "0 passed, 0 failed, 1 skipped")


class PackagesTest(unittest.TestCase):
    def script(self, body, **env):
        text = f'set -u; root={ROOT}; . "$root/tools/lib/packages.sh"; {body}'
        return subprocess.run(["bash", "-c", text], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              env={**os.environ, **env})

    def test_each_tool_has_its_list(self):
        quickstart = self.script("packages_of quickstart").stdout.split()
        everything = self.script("packages_of check").stdout.split()
        self.assertIn("g++", quickstart)
        self.assertNotIn("clang-14", quickstart)
        self.assertIn("clang-14", everything)
        self.assertLessEqual(set(quickstart), set(everything))

    def test_without_root_and_sudo_the_packages_are_named(self):
        fakes = ('missing_packages() { echo one; echo two; }; id() { echo 1000; }; sudo() { return 1; }; '
                 "command() { [ \"$2\" != sudo ]; }; ")
        done = self.script(fakes + "install_packages check 1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("apt-get install --no-install-recommends one two", done.stderr)


if __name__ == "__main__":
    unittest.main()
