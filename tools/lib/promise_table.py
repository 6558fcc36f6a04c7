# SPDX-License-Identifier: Apache-2.0
"""Reads the tables of docs/promises.md: rows `| statement | how shown |`, the second column holding commands in backticks."""
import os
import re
import typing

import check

HEADER = ("statement", "how shown")


class Promise(typing.NamedTuple):
    statement: str
    commands: typing.List[str]


def cells(line):
    """The cells of a table's row, or None. A '|' inside of a cell is written '\\|'."""
    line = line.strip()
    if not (line.startswith("|") and line.endswith("|") and len(line) > 1):
        return None
    return [c.replace("\\|", "|").strip() for c in re.split(r"(?<!\\)\|", line[1:-1])]


def code_spans(cell):
    return [m.group(2).strip() for m in re.finditer(r"(`+)(.+?)\1(?!`)", cell)]


def parse(text):
    """[Promise] of every table whose header is HEADER; other tables are left alone."""
    promises = []
    in_table = False
    for line in text.split("\n"):
        row = cells(line)
        if row is None:
            in_table = False
        elif tuple(c.lower() for c in row[:2]) == HEADER:
            in_table = True
        elif in_table and not all(re.fullmatch(r":?-+:?", c) for c in row):
            promises.append(Promise(row[0], code_spans(row[1]) if len(row) > 1 else []))
    return promises


def prepare(root):
    """Builds build/check-gcc as tools/check does."""
    part = check.PARTS[0]
    folder = os.path.join(root, "build", "check-" + part.name)
    logs = os.path.join(root, "build", "check-logs")
    os.makedirs(logs, exist_ok=True)
    return (check.configure(root, folder, part, os.path.join(logs, "promises-setup.log")) and
            check.quiet(["ninja", "-C", folder], os.path.join(logs, "promises-build.log"), check.environment(part)))
