# SPDX-License-Identifier: Apache-2.0
"""Plants the faults of tests/mutants/mutants.txt into a copy of the sources: all of them, each behind a switch."""
import collections
import os
import re
import subprocess

Mutant = collections.namedtuple("Mutant", "name meaning path old new")

HEAD = re.compile(r"\[(\w+)\] (\S.*)")


class PlantingError(Exception):
    """A sentence about what is wrong with the list, or with a source that has changed beneath it."""


def parse(text):
    """The mutants of a list, in its order."""
    blocks = [[]]
    for line in text.splitlines():
        if line.startswith("["):
            blocks.append([])
        if line and not line.startswith("#"):
            blocks[-1].append(line)
    if blocks[0]:
        raise PlantingError(f"'{blocks[0][0]}' stands before the first mutant")
    mutants = [parse_block(block) for block in blocks[1:]]
    names = [m.name for m in mutants]
    for name in names:
        if names.count(name) > 1:
            raise PlantingError(f"there are {names.count(name)} mutants [{name}]")
    return mutants


def parse_block(lines):
    head = HEAD.fullmatch(lines[0])
    if not head:
        raise PlantingError(f"'{lines[0]}' is not '[Name] what is wrong'")
    name = head.group(1)
    paths = [line[5:] for line in lines[1:] if line.startswith("file ")]
    old = [line[1:] for line in lines[1:] if line.startswith("-")]
    new = [line[1:] for line in lines[1:] if line.startswith("+")]
    if len(paths) != 1 or not old or not new or 1 + len(paths) + len(old) + len(new) != len(lines):
        raise PlantingError(f"[{name}] needs one line 'file PATH', lines of '-' and lines of '+', and nothing else")
    if not any(re.search(r"\bPLANTED\b", line) for line in new):
        raise PlantingError(f"[{name}] has no PLANTED: it would be made always")
    return Mutant(name, head.group(2), paths[0], "\n".join(old) + "\n", "\n".join(new) + "\n")


def plant(text, mutants):
    """`text` with the mutants of its file. Two of one file may not share a line."""
    places = []
    for mutant in mutants:
        count = len(re.findall("^" + re.escape(mutant.old), text, re.M))
        if count != 1:
            raise PlantingError(f"[{mutant.name}]: its lines occur {count} times in {mutant.path}, not once; they begin "
                                f"with '{mutant.old.splitlines()[0].strip()}'")
        places.append((re.search("^" + re.escape(mutant.old), text, re.M).start(), mutant))
    places.sort(key=lambda place: place[0], reverse=True)
    for (begin, mutant), (later, other) in zip(places[1:], places):
        if begin + len(mutant.old) > later:
            raise PlantingError(f"[{mutant.name}] and [{other.name}] share a line of {mutant.path}")
    for begin, mutant in places:
        new = re.sub(r"\bPLANTED\b", f'GeepsPlanted("{mutant.name}")', mutant.new)
        text = text[:begin] + new + text[begin + len(mutant.old):]
    return text


def planted_files(root, mutants):
    """{path: text} of the files with faults."""
    result = {}
    for path in sorted({m.path for m in mutants}):
        try:
            with open(os.path.join(root, path), encoding="utf-8") as f:
                text = f.read()
        except OSError as error:
            raise PlantingError(f"{path}: {error.strerror}") from error
        result[path] = plant(text, [m for m in mutants if m.path == path])
    return result


def write_if_changed(path, data):
    """Leaves the time of a file alone that is already so: what depends on it need not be built again."""
    try:
        with open(path, "rb") as f:
            if f.read() == data:
                return
    except OSError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def copy_with_faults(root, copy, mutants):
    """Brings `copy` up to date: the files that git knows or would take in, with the faults in them."""
    planted = planted_files(root, mutants)
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")
    wanted = {path for path in listed if path and os.path.isfile(os.path.join(root, path))}
    for path in sorted(wanted):
        if path in planted:
            data = planted[path].encode()
        else:
            with open(os.path.join(root, path), "rb") as f:
                data = f.read()
        write_if_changed(os.path.join(copy, path), data)
        os.chmod(os.path.join(copy, path), os.stat(os.path.join(root, path)).st_mode & 0o777)
    for folder, _, files in os.walk(copy):
        for name in files:
            path = os.path.join(folder, name)
            if os.path.relpath(path, copy) not in wanted:
                os.remove(path)
