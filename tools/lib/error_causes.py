# SPDX-License-Identifier: Apache-2.0
"""error_causes.ini: which explanation belongs to which text."""
import configparser
import fnmatch
import os
import re

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "error_causes.ini")
KEYS = ("code", "in", "texts", "meaning", "cause", "do")


class Cause:
    """One section: what a group of texts means."""

    def __init__(self, title, section):
        unknown = sorted(set(section) - set(KEYS))
        missing = [key for key in ("code", "meaning", "cause", "do") if not section.get(key)]
        if unknown or missing:
            raise ValueError(f"{os.path.basename(PATH)} [{title}]: unknown {unknown}, missing {missing}")
        self.title = title
        self.code = section["code"]
        self.meaning = section["meaning"]
        self.cause = section["cause"]
        self.do = section["do"]
        self.folders = section.get("in", "").split()
        self.patterns = [re.compile(fnmatch.translate(line.replace("[", "[[]"))) for line in
                         filter(None, (line.strip() for line in section.get("texts", "").split("\n")))]

    def fits(self, code, skeleton, places):
        return (code == self.code and (not self.folders or any(p.startswith(f) for p in places for f in self.folders)) and
                (not self.patterns or any(p.match(skeleton) for p in self.patterns)))

    @property
    def specific(self):
        return bool(self.folders) + 2 * bool(self.patterns)


def load(path=PATH):
    parser = configparser.ConfigParser(interpolation=None, strict=True, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str
    with open(path, encoding="utf-8") as f:
        parser.read_file(f)
    return [Cause(title, parser[title]) for title in parser.sections()]


def assign(texts, causes):
    """texts: {(code, skeleton): places}. Returns ([(cause, [(code, skeleton)])], those without a cause). Of the sections that
    fit the most specific one counts: patterns before folders before none; of equal ones the first."""
    groups = [(cause, []) for cause in causes]
    orphans = []
    for (code, skeleton), places in sorted(texts.items(), key=lambda item: (item[0][1].lower(), item[0])):
        fitting = [group for group in groups if group[0].fits(code, skeleton, places)]
        if fitting:
            max(fitting, key=lambda group: group[0].specific)[1].append((code, skeleton))
        else:
            orphans.append((code, skeleton))
    return groups, orphans
