# SPDX-License-Identifier: Apache-2.0
"""docs/errors.md: every text of every status with its explanation."""
import os
import re

import error_causes
import error_texts

PATH = "docs/errors.md"
HEADER = "include/geeps.h"

BEGINNING = """<!-- SPDX-License-Identifier: Apache-2.0 -->
<!-- Written by tools/errors --write from the sources and tools/lib/error_causes.ini. -->
# Errors

Every sentence that a status of this release can have, by its code and its cause. `…` stands for what is known only when the
program runs: names, numbers, paths. A sentence may have another one in front of it: `Words before another sentence`, at the end.

To find a sentence in your log, search for a few of its words that are no names and no numbers, or let the tool do it:

```sh
tools/errors "the pass is not complete: the update of operation 3 (table 'w') is due"
```

Programs compare codes, not texts: texts may change in any release. Errors with `GEEPS_ERROR_LATCHED` in `err->flags` have lost
the runtime; all others changed nothing. With `GEEPS_ERROR_RETRYABLE` the same call may succeed later.

"""


def codes(root):
    """[(name, value, meaning)] of the header's errors, in its order."""
    with open(os.path.join(root, HEADER), encoding="utf-8") as f:
        header = f.read()
    found = re.findall(r"^#define (GEEPS_E_\w+) \((-\d+)\)\s*/\*(.*?)\*/", header, re.S | re.M)
    return [(name, int(value), re.sub(r"\s+", " ", meaning).strip()) for name, value, meaning in found]


def anchor(text):
    """What GitHub and others make of a heading."""
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


def render_group(cause, texts):
    lines = [f"### {cause.title}", "", f"*Meaning:* {cause.meaning}  ", f"*Usual cause:* {cause.cause}  ",
             f"*What to do:* {cause.do}", ""]
    return lines + [f"* `{skeleton}`" for _, skeleton in texts] + [""]


def render(root):
    """The document. Raises ValueError when a text has no explanation."""
    groups, orphans = error_causes.assign(error_texts.collect(root), error_causes.load())
    if orphans:
        raise ValueError("no section of tools/lib/error_causes.ini fits\n" + "\n".join(f"    {c}: {s}" for c, s in orphans))
    known = codes(root)
    unknown = sorted({cause.code for cause, _ in groups} - {name for name, _, _ in known} - {error_texts.ANY})
    if unknown:
        raise ValueError(f"tools/lib/error_causes.ini has codes that {HEADER} does not have: {', '.join(unknown)}")
    lines = ["| code | value | meaning | texts |", "|---|---|---|---|"]
    for name, value, meaning in known:
        num = sum(len(texts) for cause, texts in groups if cause.code == name)
        link = f"[`{name}`](#{anchor(name)})" if num else f"`{name}`"
        lines.append(f"| {link} | {value} | {meaning} | {num or 'none in this release'} |")
    lines.append("")
    for name, _, meaning in [*known, (error_texts.ANY, 0, "")]:
        mine = [(cause, texts) for cause, texts in groups if cause.code == name and texts]
        if mine:
            lines += [f"## {name}" if meaning else "## Any code", ""]
            for cause, texts in mine:
                lines += render_group(cause, texts)
    return BEGINNING + "\n".join(lines).rstrip() + "\n"


def entries(document):
    """[(code, text)] of a document, in its order."""
    found = []
    code = ""
    for line in document.split("\n"):
        if line.startswith("## "):
            code = error_texts.ANY if line == "## Any code" else line[3:]
        elif line.startswith("* `") and line.endswith("`"):
            found.append((code, line[3:-1]))
    return found


def problems(root, document):
    """Sentences about what is wrong with a document."""
    there = entries(document)
    wanted = set(error_texts.collect(root))
    found = [f"missing in {PATH}: {code}: {text}" for code, text in sorted(wanted - set(there))]
    found += [f"in {PATH}, but not in the sources: {code}: {text}" for code, text in sorted(set(there) - wanted)]
    found += [f"twice in {PATH}: {code}: {text}" for code, text in sorted({t for t in there if there.count(t) > 1})]
    if not found and document != render(root):
        found.append(f"{PATH} is not what tools/errors --write writes")
    return found
