# SPDX-License-Identifier: Apache-2.0
"""Writes the names of the functions that a header declares, as a list of C strings.

usage: list_functions.py HEADER OUTPUT
"""
import re
import sys

with open(sys.argv[1], encoding="utf-8") as header:
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", header.read(), flags=re.S)
names = re.findall(r"\bGEEPS_API\s+[^;{}#]*?\b(geeps_\w+)\s*\(", text)
with open(sys.argv[2], "w", encoding="utf-8") as out:
    out.write("".join(f'"{name}",\n' for name in names))
