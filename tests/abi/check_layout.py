# SPDX-License-Identifier: Apache-2.0
"""Compares sizes, member offsets and constants of the public headers with tests/abi/layout.golden.

usage: check_layout.py [--update] GOLDEN COMPILER HEADER...

Offsets come from a C program that the compiler builds, constants from its preprocessor. A line that is new in the table
belongs into it (--update writes it, and the change log mentions it); a line that changes or goes breaks every program
that was compiled before.
"""
import difflib
import os
import re
import subprocess
import sys
import tempfile

import header


def run(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def macros(compiler, text, include_dir):
    """{name: replacement} after the preprocessor has read `text`."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "macros.c")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        output = run([*compiler, "-std=c11", "-I", include_dir, "-dM", "-E", path])
    return dict(m.groups() for m in re.finditer(r"^#define (\w+(?:\([^)]*\))?) ?(.*)$", output, re.M))


def constants(compiler, include_dir, names):
    """[line] of each constant; a macro that does not begin with GEEPS_ is shown too, for nobody to overlook."""
    before = macros(compiler, "#include <stddef.h>\n#include <stdint.h>\n", include_dir)
    after = macros(compiler, "".join(f'#include "{n}"\n' for n in names), include_dir)
    lines = []
    for name in sorted(set(after) - set(before)):
        is_guard = re.fullmatch(r"GEEPS(_\w+)?_H", name) and not after[name]
        if not is_guard:
            lines.append(f"define {name} {after[name]}".rstrip())
    return lines


def layout(compiler, include_dir, names, texts):
    """[line] of each struct, member and integer type, in the order of the headers."""
    body = []
    for text in texts:
        for name in header.typedefs(text):
            body.append(f'  printf("type {name} %zu\\n", sizeof({name}));')
        for name, members in header.structs(text):
            body.append(f'  printf("struct {name} %zu\\n", sizeof({name}));')
            body += [f'  printf("  %zu %zu {m}\\n", offsetof({name}, {m}), sizeof((({name} *)0)->{m}));' for m in members]
    source = "#include <stddef.h>\n#include <stdio.h>\n" + "".join(f'#include "{n}"\n' for n in names)
    source += "int main(void) {\n" + "\n".join(body) + "\n  return 0;\n}\n"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "layout.c")
        with open(path, "w", encoding="utf-8") as f:
            f.write(source)
        program = os.path.join(folder, "layout")
        run([*compiler, "-std=c11", "-I", include_dir, "-o", program, path])
        return run([program]).splitlines()


def table(compiler, paths):
    names = [os.path.basename(p) for p in paths]
    texts = []
    for path in paths:
        with open(path, encoding="utf-8") as f:
            texts.append(f.read())
    include_dir = os.path.dirname(paths[0])
    lines = ["# SPDX-License-Identifier: Apache-2.0", "# struct NAME SIZE, then OFFSET SIZE MEMBER; 64-bit Linux."]
    return lines + layout(compiler, include_dir, names, texts) + constants(compiler, include_dir, names)


def main(arguments):
    update = arguments[:1] == ["--update"]
    golden, compiler, *paths = arguments[1:] if update else arguments
    now = table(compiler.split(), paths)
    if update:
        with open(golden, "w", encoding="utf-8") as f:
            f.write("\n".join(now) + "\n")
        return 0
    with open(golden, encoding="utf-8") as f:
        before = f.read().splitlines()
    difference = list(difflib.unified_diff(before, now, "layout.golden", "headers", lineterm="", n=1))
    print("\n".join(difference) if difference else f"{len(now)} lines agree")
    if difference:
        print("when this is meant: meson compile abi-layout-update")
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
