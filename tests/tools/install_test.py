# SPDX-License-Identifier: Apache-2.0
"""Installs a build folder into an empty one whose path has blanks, and builds and runs programs with what is there and nothing
else: with a compiler and pkg-config, with CMake, and with meson. Then uninstalls.

usage: install_test.py BUILD COMPILER SOURCES
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = r"""
#include <geeps.h>
#include <geeps_plugin.h>
#include <stdio.h>
#include <string.h>
int main(void) {
  puts(geeps_version());
  return geeps_abi_version() == GEEPS_ABI_VERSION && strcmp(geeps_status_name(GEEPS_OK), "GEEPS_OK") == 0 ? 0 : 1;
}
"""
CMAKE = """
cmake_minimum_required(VERSION 3.13)
project(user C)
find_package(geeps {version} REQUIRED)
add_executable(program program.c)
target_link_libraries(program PRIVATE geeps::geeps)
message(STATUS "plugins: ${{geeps_PLUGIN_DIR}}")
"""
MESON = """
project('user', 'c')
executable('program', 'program.c', dependencies: dependency('geeps', version: '>=0.1'))
"""
BUILD, COMPILER, SOURCES = sys.argv[1:4]
LIMIT_S = 100


def run(command, cwd=None, **env):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          cwd=cwd, env={**os.environ, **env}, check=False, timeout=LIMIT_S)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def flags(text):
    """What a shell makes of the answer of pkg-config."""
    return subprocess.run(["sh", "-c", f"printf '%s\\0' {text}"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.split("\0")[:-1]


def needs(program):
    return unittest.skipUnless(shutil.which(program), f"needs {program}")


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = os.path.join(cls.folder.name, "a prefix with blanks")
        os.mkdir(cls.root)
        run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", cls.root])
        cls.pc = cls.one("*/pkgconfig/geeps.pc")
        cls.libdir = os.path.dirname(os.path.dirname(cls.pc))
        cls.pkg_config = {"PKG_CONFIG_LIBDIR": os.path.dirname(cls.pc)}
        cls.version = run(["pkg-config", "--modversion", "geeps"], **cls.pkg_config).strip()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def one(cls, pattern):
        """The only installed file whose path ends like this."""
        found = [p for p in glob.glob(os.path.join(glob.escape(cls.root), "**", pattern), recursive=True)]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} installed files {pattern}")
        return found[0]

    def project(self, **files):
        """A new folder with blanks in its path that holds these files."""
        folder = tempfile.TemporaryDirectory(prefix="a user's ")
        self.addCleanup(folder.cleanup)
        for name, text in {"program.c": PROGRAM, **files}.items():
            with open(os.path.join(folder.name, name), "w", encoding="utf-8") as f:
                f.write(text)
        return folder.name

    def compile(self, source, program):
        answer = run(["pkg-config", "--cflags", "--libs", "geeps"], **self.pkg_config)
        run([*COMPILER.split(), "-std=c99", "-Wall", "-Werror", "-o", program, source, *flags(answer)])

    def check_program(self, program, **env):
        self.assertEqual(run([program], **env).strip(), self.version)

    def test_everything_is_there(self):
        for pattern in ("include/geeps.h", "include/geeps_plugin.h", "include/geeps_transport.h", "include/geeps_source.h",
                        "include/geeps_device.h", "include/geeps_rule.h", "include/geeps.hpp", "libgeeps.so", "libgeeps.so.0",
                        "geeps/plugins/geeps_transport_tcp.so", "geeps/plugins/geeps_source_idx.so", "geeps/geeps_device_counted.so",
                        "cmake/geeps/geepsConfig.cmake", "cmake/geeps/geepsConfigVersion.cmake", "bin/geeps"):
            self.one(pattern)

    def test_geeps_pc_is_valid_and_asks_for_nothing_else(self):
        run(["pkg-config", "--validate", "geeps"], **self.pkg_config)
        for question in ("--print-requires", "--print-requires-private"):
            self.assertEqual(run(["pkg-config", question, "geeps"], **self.pkg_config).strip(), "")
        # libgeeps is shared only: what it links is no concern of whoever links it.
        self.assertEqual(run(["pkg-config", "--libs", "--static", "geeps"], **self.pkg_config),
                         run(["pkg-config", "--libs", "geeps"], **self.pkg_config))
        with open(self.pc, encoding="utf-8") as f:
            self.assertNotRegex(f.read(), r"absl|(?m:^Requires|^Libs\.private)|@\w+@")

    def test_every_place_that_geeps_pc_names_exists(self):
        answer = flags(run(["pkg-config", "--cflags", "--libs", "geeps"], **self.pkg_config))
        folders = [flag[2:] for flag in answer if flag[:2] in ("-I", "-L")]
        self.assertEqual(len(folders), 2)
        plugins = flags(run(["pkg-config", "--variable=plugindir", "geeps"], **self.pkg_config))
        for folder in folders + plugins:
            self.assertTrue(os.path.isdir(folder), folder)
            self.assertTrue(os.path.realpath(folder).startswith(os.path.realpath(self.root) + os.sep), folder)

    def test_a_c_program_builds_with_pkg_config_alone_and_runs(self):
        folder = self.project()
        program = os.path.join(folder, "program")
        self.compile(os.path.join(folder, "program.c"), program)
        self.check_program(program, LD_LIBRARY_PATH=self.libdir)

    @needs("cmake")
    def test_a_cmake_project_finds_the_target_builds_and_runs(self):
        folder = self.project(**{"CMakeLists.txt": CMAKE.format(version=re.match(r"\d+\.\d+", self.version).group())})
        out = os.path.join(folder, "out")
        prefix = os.path.dirname(os.path.dirname(self.one("include/geeps.h")))
        answer = run(["cmake", "-G", "Ninja", "-S", folder, "-B", out, f"-DCMAKE_PREFIX_PATH={prefix}",
                      f"-DCMAKE_C_COMPILER={COMPILER.split()[-1]}"])
        self.assertIn(f"plugins: {os.path.realpath(self.libdir)}/geeps/plugins", answer)
        run(["cmake", "--build", out])
        self.check_program(os.path.join(out, "program"))

    @needs("cmake")
    def test_cmake_refuses_a_version_that_this_one_does_not_serve(self):
        prefix = os.path.dirname(os.path.dirname(self.one("include/geeps.h")))
        major, minor = map(int, self.version.split(".")[:2])
        wanted = {f"{major}.{minor}": True, self.version: True, f"{self.version} EXACT": True, f"{major}.{minor}.999": False,
                  f"{major}.{minor + 1}": False, f"{major + 1}.0": False}
        script = "".join(f"find_package(geeps {w} QUIET CONFIG)\nmessage(STATUS \"<{w}> ${{geeps_FOUND}}\")\nunset(geeps_DIR CACHE)\n"
                         for w in wanted)
        folder = self.project(**{"CMakeLists.txt": "cmake_minimum_required(VERSION 3.13)\nproject(user C)\n" + script})
        answer = run(["cmake", "-G", "Ninja", "-S", folder, "-B", os.path.join(folder, "out"), f"-DCMAKE_PREFIX_PATH={prefix}",
                      f"-DCMAKE_C_COMPILER={COMPILER.split()[-1]}"])
        self.assertEqual(dict(re.findall(r"<(.+?)> (\w+)", answer)), {w: str(int(ok)) for w, ok in wanted.items()}, answer)

    def test_a_meson_project_finds_the_dependency_builds_and_runs(self):
        folder = self.project(**{"meson.build": MESON})
        out = os.path.join(folder, "out")
        run(["meson", "setup", out, folder], CC=COMPILER, **self.pkg_config)
        run(["meson", "compile", "-C", out])
        self.check_program(os.path.join(out, "program"))

    def test_the_installed_program_finds_libgeeps_and_plugins_in_its_own_prefix(self):
        program = self.one("bin/geeps")
        self.assertIn(self.version, run([program, "--version"]))
        found = json.loads(run([program, "info", "--json"]))
        own = os.path.realpath(self.root) + os.sep
        for path in [found["library"], *found["plugin_directories"], *(part["path"] for part in found["plugins"])]:
            self.assertTrue(path.startswith(own), path)
            self.assertNotIn("..", path)
        there = {part["name"]: part["available"] for part in found["plugins"] if part["name"] != "cuda"}  # needs nvcc
        self.assertEqual(there, {"idx": True, "tcp": True})
        self.assertEqual([part["available"] for part in found["transports"] if part["name"] == "tcp"], [True])

    def test_two_workers_that_were_built_with_the_prefix_train_over_its_tcp_plugin(self):
        program = os.path.join(self.project(), "hello")
        self.compile(os.path.join(SOURCES, "samples", "hello.c"), program)
        answer = run([self.one("bin/geeps"), "run", "-n", "2", program], LD_LIBRARY_PATH=self.libdir)
        self.assertEqual(len(re.findall(r"(?m)^\[[01]\] rank [01] of 2: ", answer)), 2, answer)

    def test_uninstalling_leaves_nothing(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        root = os.path.join(folder.name, "another prefix")
        os.mkdir(root)
        run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", root])
        self.assertGreater(sum(len(names) for _, _, names in os.walk(root)), 10)
        run(["ninja", "-C", BUILD, "uninstall"])
        self.assertEqual(list(os.walk(root)), [(root, [], [])])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
