# SPDX-License-Identifier: Apache-2.0
"""Every function of geeps.h says which threads may call it and whether it sleeps; every header keeps to the ABI's rules.

usage: check_tags.py HEADER...
"""
import os
import sys

import header


def main(paths):
    problems = []
    count = 0
    for path in paths:
        with open(path, encoding="utf-8") as f:
            text = f.read()
        name = os.path.basename(path)
        count += len(header.functions(text))
        problems += [f"{name}: {p}" for p in header.tag_problems(text) + header.rule_problems(text)]
    print("\n".join(problems) if problems else f"{count} functions in {len(paths)} headers")
    return 1 if problems or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
