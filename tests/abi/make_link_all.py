# SPDX-License-Identifier: Apache-2.0
"""Writes a C program that takes the address of every declared function, so that it links only when all are there.

usage: make_link_all.py HEADER OUTPUT
"""
import sys

import header


def main(header_path, output):
    with open(header_path, encoding="utf-8") as f:
        names = [name for name, _, _ in header.functions(f.read())]
    lines = ["#include <stdio.h>", "#include <geeps.h>", "typedef void (*function)(void);",
             "static const function all[] = {"]
    lines += [f"  (function){name}," for name in names]
    lines += ["};", "int main(void) {", "  size_t count = 0;",
              "  for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i) count += all[i] != 0;",
              '  printf("%zu functions of %s\\n", count, geeps_version());',
              f"  return count == {len(names)} && geeps_abi_version() == GEEPS_ABI_VERSION ? 0 : 1;", "}"]
    with open(output, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
