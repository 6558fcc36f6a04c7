# SPDX-License-Identifier: Apache-2.0
"""libgeeps needs the C and C++ libraries and Abseil, nothing else; a plugin needs nothing of geeps.

usage: check_dynamic.py libgeeps LIBRARY
       check_dynamic.py plugin MODULE [NEEDED...]     NEEDED: further libraries that this plugin may link, "libz.so.1"
"""
import re
import sys

import elf

SYSTEM = r"libc\.so\.6|libm\.so\.6|libstdc\+\+\.so\.6|libgcc_s\.so\.1|ld-linux[\w-]*\.so\.2|libpthread\.so\.0|libdl\.so\.2"
ABSEIL = r"libabsl_\w+\.so\.\d+"
QUERY = "geeps_plugin_query"


def library_problems(section):
    problems = [f"needs {n}" for n in section.get("NEEDED", []) if not re.fullmatch(f"{SYSTEM}|{ABSEIL}", n)]
    if section.get("SONAME") != ["libgeeps.so.0"]:
        problems.append(f"SONAME is {section.get('SONAME')}, not libgeeps.so.0")
    if "NODELETE" not in " ".join(section.get("FLAGS_1", [])):
        problems.append("is not marked NODELETE")
    if "TEXTREL" in section:
        problems.append("has text relocations")
    return problems


def plugin_problems(section, symbols, allowed):
    problems = [f"needs {n}" for n in section.get("NEEDED", [])
                if n not in allowed and not re.fullmatch(SYSTEM, n)]
    problems += [f"exports {n}" for n in sorted(symbols) if n != QUERY]
    if QUERY not in symbols:
        problems.append(f"does not export {QUERY}")
    return problems


def main(kind, path, *allowed):
    section = elf.dynamic(path)
    if kind == "libgeeps":
        problems = library_problems(section)
    else:
        problems = plugin_problems(section, elf.exported(path), allowed)
    print("\n".join(f"{path} {p}" for p in problems) if problems else "needs " + ", ".join(section.get("NEEDED", [])))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
