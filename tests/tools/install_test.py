# SPDX-License-Identifier: Apache-2.0
"""Installs a build folder into an empty one, and builds and runs a C program with what is there and nothing else.

usage: install_test.py BUILD COMPILER
"""
import glob
import os
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
BUILD, COMPILER = sys.argv[1:3]


def run(command, **env):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, **env}, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = cls.folder.name
        run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", cls.root])
        cls.pc = cls.one("*/pkgconfig/geeps.pc")
        cls.libdir = os.path.dirname(os.path.dirname(cls.pc))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def one(cls, pattern):
        """The only installed file whose path ends like this."""
        found = [p for p in glob.glob(os.path.join(cls.root, "**", pattern), recursive=True)]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} installed files {pattern}")
        return found[0]

    def test_everything_is_there(self):
        for pattern in ("include/geeps.h", "include/geeps_plugin.h", "include/geeps_transport.h", "include/geeps_source.h",
                        "include/geeps.hpp", "libgeeps.so.0", "geeps/plugins/geeps_transport_tcp.so",
                        "geeps/plugins/geeps_source_idx.so", "bin/geeps"):
            self.one(pattern)

    def test_a_c_program_builds_with_pkg_config_alone_and_runs(self):
        flags = run(["pkg-config", "--cflags", "--libs", "geeps"], PKG_CONFIG_LIBDIR=os.path.dirname(self.pc),
                    PKG_CONFIG_SYSROOT_DIR=self.root).split()
        version = run(["pkg-config", "--modversion", "geeps"], PKG_CONFIG_LIBDIR=os.path.dirname(self.pc)).strip()
        source = os.path.join(self.root, "program.c")
        program = os.path.join(self.root, "program")
        with open(source, "w", encoding="utf-8") as f:
            f.write(PROGRAM)
        run([*COMPILER.split(), "-std=c99", "-Wall", "-Werror", "-o", program, source, *flags])
        self.assertEqual(run([program], LD_LIBRARY_PATH=self.libdir).strip(), version)

    def test_the_installed_program_runs_and_finds_the_installed_plugins(self):
        program = self.one("bin/geeps")
        self.assertIn(run(["pkg-config", "--modversion", self.pc]).strip(), run([program, "--version"]))
        self.assertIn(os.path.join(self.libdir, "geeps", "plugins"), run([program, "info"]))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
