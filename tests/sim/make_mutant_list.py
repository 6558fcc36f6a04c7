# SPDX-License-Identifier: Apache-2.0
"""Writes the list of mutants, {"Name", Mutant::kName} a line, from the enumeration in runtime/protocol/mutants.h."""
import re
import sys

header, out = sys.argv[1:]
with open(header, encoding="utf-8") as f:
    body = re.search(r"enum class Mutant[^{]*\{(.*?)\n\};", f.read(), re.S).group(1)
names = [name for name in re.findall(r"^\s*k(\w+)\b", body, re.M) if name not in ("None", "Count")]
if not names:
    sys.exit(f"{header}: no mutants found")
with open(out, "w", encoding="utf-8") as f:
    f.write("// SPDX-License-Identifier: Apache-2.0\n")
    for name in names:
        f.write(f'{{"{name}", protocol::Mutant::k{name}}},\n')
