# SPDX-License-Identifier: Apache-2.0
"""Reads the public C headers: functions with their comments, structs with their members, rules of the ABI.

Not a C parser. The headers keep to a small part of C (one declarator per member, no nested types), and what leaves that
part is reported as a problem instead of being understood.
"""
import re

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
FUNCTION = re.compile(r"\bGEEPS_API\s+([^;{}#]*?)\b(geeps_\w+)\s*\(([^;]*)\)\s*;", re.S)
STRUCT = re.compile(r"\btypedef\s+struct\s+(\w+)\s*\{(.*?)\}\s*(\w+)\s*;", re.S)
TYPEDEF = re.compile(r"\btypedef\s+(u?int(?:8|16|32|64)_t)\s+(geeps_\w+)\s*;")
TAG = re.compile(r"\[([^\]]*)\]")
KNOWN_TAG = re.compile(r"any-thread|blocks|serial per (?:runtime|request|table|plan)")
FORBIDDEN_WORDS = ("enum", "union", "bool", "_Bool", "long", "size_t", "wchar_t", "inline", "static", "va_list")


def strip_comments(text):
    """The text with each comment replaced by one blank."""
    return COMMENT.sub(" ", text)


def functions(text):
    """[(name, parameters, comment directly before or '')] of every GEEPS_API declaration, in order."""
    blanked = COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)
    comments = {m.end(): m.group() for m in COMMENT.finditer(text)}
    found = []
    for m in FUNCTION.finditer(blanked):
        end = len(text[: m.start()].rstrip())
        found.append((m.group(2), " ".join(m.group(3).split()), comments.get(end, "")))
    return found


def structs(text):
    """[(name, [member])] of every struct that is defined here."""
    found = []
    for m in STRUCT.finditer(strip_comments(text)):
        members = []
        for declaration in split_members(m.group(2)):
            pointer = re.search(r"\(\s*\*\s*(\w+)\s*\)\s*\(", declaration)
            plain = re.search(r"(\w+)\s*(?:\[[^\]]*\]\s*)*$", declaration)
            members.append((pointer or plain).group(1))
        found.append((m.group(3), members))
    return found


def split_members(body):
    return [d.strip() for d in body.split(";") if d.strip()]


def typedefs(text):
    """Names of the integer types that are defined here."""
    return [m.group(2) for m in TYPEDEF.finditer(strip_comments(text))]


def tag_problems(text):
    """A sentence for each function whose comment does not say which threads may call it."""
    problems = []
    for name, parameters, comment in functions(text):
        tags = TAG.findall(comment)
        if not comment:
            problems.append(f"{name}: no comment right before it")
            continue
        for tag in tags:
            if not KNOWN_TAG.fullmatch(tag):
                problems.append(f"{name}: unknown tag [{tag}]")
        ways = [t for t in tags if t == "any-thread" or t.startswith("serial per")]
        if len(ways) != 1:
            problems.append(f"{name}: {len(ways)} tags of [any-thread] and [serial per X], not one")
        may_wait = "limit_ns" in parameters or "geeps_request **out" in parameters
        if may_wait and "blocks" not in tags:
            problems.append(f"{name}: takes a limit or returns a request, but has no tag [blocks]")
    return problems


def rule_problems(text):
    """A sentence for each breach of the rules that keep the header usable from other languages."""
    code = strip_comments(text)
    problems = []
    for include in re.findall(r"#\s*include\s*[<\"]([^>\"]*)[>\"]", code):
        if include not in ("stdint.h", "stddef.h") and not re.fullmatch(r"geeps\w*\.h", include):
            problems.append(f"includes {include}")
    code = re.sub(r"^[ \t]*#.*$", "", code, flags=re.M)
    for word in FORBIDDEN_WORDS:
        if re.search(rf"\b{word}\b", code):
            problems.append(f"uses '{word}'")
    if "..." in code:
        problems.append("declares a variadic function")
    if re.search(r"\w\s*:\s*\d+\s*;", code):
        problems.append("has a bit-field")
    for name in re.findall(r"\btypedef\b[^;{]*?\b(\w+)\s*;", code) + re.findall(r"\bstruct\s+(\w+)", code):
        if not name.startswith("geeps_"):
            problems.append(f"declares {name}, which does not begin with geeps_")
    for name, _ in structs(text):
        if not re.search(rf"\bstruct\s+{name}\b", code):
            problems.append(f"struct and typedef of {name} differ")
    for m in STRUCT.finditer(code):
        for declaration in split_members(m.group(2)):
            outside = re.sub(r"\(.*\)", "", declaration, flags=re.S)
            if "," in outside:
                problems.append(f"{m.group(3)}: one declaration for two members")
    return problems
