# SPDX-License-Identifier: Apache-2.0
"""libgeeps exports the functions that geeps.h declares and libgeeps.map lists, and nothing else.

usage: check_symbols.py HEADER MAP [LIBRARY]      without LIBRARY only the two texts are compared
"""
import re
import sys

import elf
import header

NODE = "GEEPS_0"


def map_names(text):
    """(names, problems) of the version script."""
    code = header.strip_comments(text)
    m = re.fullmatch(r"\s*(\w+)\s*\{\s*global:(.*?)local:\s*\*;\s*\};\s*", code, re.S)
    if not m or m.group(1) != NODE:
        return [], [f"the map is not one node {NODE} {{ global: NAME; ... local: *; }}"]
    names = re.findall(r"(\S+)\s*;", m.group(2))
    return names, [f"the map has the pattern {n}" for n in names if not re.fullmatch(r"\w+", n)]


def differences(first_name, first, second_name, second):
    problems = [f"{n} is in {first_name}, but not in {second_name}" for n in sorted(set(first) - set(second))]
    return problems + [f"{n} is in {second_name}, but not in {first_name}" for n in sorted(set(second) - set(first))]


def main(header_path, map_path, library=None):
    with open(header_path, encoding="utf-8") as f:
        declared = [name for name, _, _ in header.functions(f.read())]
    with open(map_path, encoding="utf-8") as f:
        listed, problems = map_names(f.read())
    problems += differences("geeps.h", declared, "libgeeps.map", listed)
    if library:
        symbols = elf.exported(library)
        problems += differences("geeps.h", declared, "libgeeps", symbols)
        problems += [f"{n} has the version '{v}', not {NODE}" for n, v in symbols.items() if v != NODE]
    print("\n".join(problems) if problems else f"{len(declared)} functions")
    return 1 if problems or not declared else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
