# SPDX-License-Identifier: Apache-2.0
"""geeps info and geeps --version. Second argument: the release that the build has."""

import json
import os
import re
import sys
import tempfile
import unittest

import harness

RELEASE = sys.argv.pop(2)


def info(*arguments):
    done = harness.run("info", "--json", *arguments)
    return json.loads(done.stdout)


class Info(unittest.TestCase):
    def test_version_is_that_of_the_build(self):
        done = harness.run("--version")
        self.assertEqual(done.returncode, 0)
        self.assertTrue(re.fullmatch(rf"geeps {re.escape(RELEASE)} \(ABI \d+\.\d+\)\n", done.stdout), done.stdout)
        self.assertEqual(info()["version"], RELEASE)

    def test_the_host_device_and_the_in_process_transport_are_always_there(self):
        found = info()
        self.assertIn(("host", True), [(part["name"], part["available"]) for part in found["devices"]])
        self.assertIn(("inproc", True), [(part["name"], part["available"]) for part in found["transports"]])

    def test_what_is_not_available_says_why(self):
        found = info()
        for part in found["devices"] + found["transports"] + found["plugins"]:
            self.assertEqual(part["available"], "reason" not in part, part)
            if not part["available"]:
                self.assertRegex(part["reason"], r"^GEEPS_E_[A-Z]+(_[A-Z]+)*: .{20,}", part)

    def test_plugins_beside_libgeeps_are_available_with_version_and_license(self):
        found = info()
        beside = [part for part in found["plugins"] if os.path.basename(part["path"]) != "geeps_device_cuda.so"]
        self.assertEqual(sorted(part["name"] for part in beside), ["idx", "tcp"])
        for part in beside:
            self.assertTrue(part["available"], part)
            self.assertTrue(part["version"] and part["license"], part)
        tcp = [part for part in found["transports"] if part["name"] == "tcp"]
        self.assertEqual([part["available"] for part in tcp], [True])

    def test_paths_are_printed_without_detours(self):
        # The program reaches libgeeps over '..' in its run path; people should not see that.
        self.assertNotIn("/..", harness.run("info").stdout)
        for part in info()["plugins"]:
            self.assertEqual(part["path"], os.path.normpath(part["path"]))

    def test_a_file_that_is_no_plugin_is_listed_with_the_reason(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "geeps_source_broken.so")
            with open(path, "w", encoding="utf-8") as file:
                file.write("not a shared object\n")
            broken = [part for part in info("--plugin-path", folder)["plugins"] if part["name"] == "broken"]
            self.assertEqual(len(broken), 1)
            self.assertEqual((broken[0]["available"], broken[0]["kind"]), (False, "source"))
            self.assertIn(path, broken[0]["reason"])
            done = harness.run("info", "--plugin-path", folder)
            self.assertIn("not available: GEEPS_E_", done.stdout)

    def test_text_and_json_hold_the_same_parts(self):
        found = info()
        text = harness.run("info").stdout
        for part in found["devices"] + found["transports"] + found["plugins"]:
            self.assertTrue(re.search(rf"^  {re.escape(part['name'])} ", text, re.M), part)
        self.assertEqual(found["cores"], len(os.sched_getaffinity(0)))
        self.assertGreater(found["memory_bytes"], found["memory_available_bytes"])


if __name__ == "__main__":
    harness.main()
