# SPDX-License-Identifier: Apache-2.0
"""Compiles every public header alone and included twice, as each language version, with each compiler found.

usage: check_headers.py HEADER...
"""
import os
import shutil
import subprocess
import sys
import tempfile

import header

C_VERSIONS = ("c99", "c11", "c17", "c2x")
CPP_VERSIONS = ("c++11", "c++14", "c++17", "c++20", "c++2b")
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wpadded", "-Wundef", "-Werror"]


def compilers():
    """[(command, is C++)]: gcc and clang, under the plain name or with the version of Debian 12."""
    found = []
    for names, is_cpp in ((("gcc",), False), (("g++",), True), (("clang", "clang-14"), False),
                          (("clang++", "clang++-14"), True)):
        command = next((n for n in names if shutil.which(n)), None)
        if command:
            found.append((command, is_cpp))
    return found


def source_for(path):
    """The header, the header again, and a use of each struct's size: clang lays a struct out only when asked to."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    name = os.path.basename(path)
    lines = [f'#include "{name}"', f'#include "{name}"']
    lines += [f"extern char size_of_{s}[sizeof({s})];" for s, _ in header.structs(text)]
    return "\n".join(lines) + "\n"


def compile_problem(command, version, source, include_dir, folder):
    """None, or what the compiler said."""
    suffix = ".cc" if version.startswith("c++") else ".c"
    path = os.path.join(folder, "alone" + suffix)
    with open(path, "w", encoding="utf-8") as f:
        f.write(source)
    done = subprocess.run([command, "-std=" + version, *WARNINGS, "-I", include_dir, "-fsyntax-only", path],
                          capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"


def main(paths):
    found = compilers()
    if not found:
        print("no compiler found")
        return 77
    problems = count = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            source = source_for(path)
            for command, is_cpp in found:
                for version in CPP_VERSIONS if is_cpp else C_VERSIONS:
                    problem = compile_problem(command, version, source, os.path.dirname(path), folder)
                    count += 1
                    if problem:
                        problems += 1
                        print(f"{os.path.basename(path)} as {version} with {command}:\n{problem}\n")
    print(f"{count} compilations of {len(paths)} headers with {', '.join(c for c, _ in found)}; {problems} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
