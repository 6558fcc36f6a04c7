# SPDX-License-Identifier: Apache-2.0
"""Checks every file of the repository against rules.py.

usage: check_repository.py ROOT
"""
import os
import re
import subprocess
import sys

import rules

NOT_OURS = ("build", ".git", ".cache", "__pycache__")


def files(root):
    """Paths relative to root: what git tracks, or without git everything outside of build folders."""
    git = ["git", "-c", f"safe.directory={root}", "-C", root, "ls-files", "-z"]
    try:
        done = subprocess.run(git, capture_output=True, text=True, check=False)
    except OSError:
        done = None
    if done and done.returncode == 0 and done.stdout:
        return sorted(p for p in done.stdout.split("\0") if p and os.path.isfile(os.path.join(root, p)))
    found = []
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [s for s in subfolders if not s.startswith(NOT_OURS)]
        found += [os.path.relpath(os.path.join(folder, n), root) for n in names]
    return sorted(found)


def unlisted_areas(paths, list_of_tests):
    """Folders of tests/ whose meson.build nothing reads: their tests would never run."""
    folders = {p.split("/")[1] for p in paths if re.fullmatch(r"tests/\w+/meson\.build", p)}
    return sorted(f for f in folders if f"'{f}'" not in list_of_tests)


def main(root):
    problems = []
    paths = files(root)
    for path in paths:
        with open(os.path.join(root, path), "rb") as f:
            data = f.read()
        if b"\0" in data[:4096] or data[:2] == b"\x1f\x8b":
            continue
        text = data.decode("utf-8", "replace")
        for rule in rules.ALL:
            problems += [f"{path}: {p}" for p in rule(path, text)]
    with open(os.path.join(root, "tests", "meson.build"), encoding="utf-8") as f:
        problems += [f"tests/meson.build does not list {a}" for a in unlisted_areas(paths, f.read())]
    print("\n".join(problems) if problems else f"{len(paths)} files")
    return 1 if problems or not paths else 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
