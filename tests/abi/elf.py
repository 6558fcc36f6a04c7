# SPDX-License-Identifier: Apache-2.0
"""What a shared object exports and needs, as nm and readelf of binutils tell it."""
import re
import subprocess


def exported(path):
    """{name: version or ''} of the dynamic symbols that are defined; version nodes themselves are left out."""
    text = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True, check=True).stdout
    symbols = {}
    for line in text.splitlines():
        kind, name = line.split()[-2:]
        name, _, version = name.partition("@@")
        if kind != "A" or version:
            symbols[name] = version
    return symbols


def dynamic(path):
    """{tag: [value]} of the dynamic section: 'NEEDED', 'SONAME', 'FLAGS_1', ..."""
    text = subprocess.run(["readelf", "-W", "-d", path], capture_output=True, text=True, check=True).stdout
    section = {}
    for m in re.finditer(r"^\s*0x[0-9a-f]+\s+\((\w+)\)\s+(.*)$", text, re.M):
        bracket = re.search(r"\[(.*)\]", m.group(2))
        section.setdefault(m.group(1), []).append(bracket.group(1) if bracket else m.group(2).strip())
    return section
