# SPDX-License-Identifier: Apache-2.0
"""Finds the texts of all statuses in the C++ sources, without a compiler.

A status is made by a call of one of the MAKERS. Its text becomes a skeleton: constants as they are, and `…` for what is known
when the program runs. A choice between constants (`a ? "x" : "y"`, a table of constants, a variable that is assigned in
several places) gives one text for each. A call whose text holds no constant passes a text on; it must be listed in PASSES_ON,
so that no text hides behind a variable.
"""
import collections
import functools
import itertools
import os
import re

PLACE = "…"
FOLDERS = ("runtime", "transports", "plugins")
ALTERNATIVES_MAX = 16
ANY = "any"  # the code of the status that the text is put before

Text = collections.namedtuple("Text", "code skeleton path line")
Token = collections.namedtuple("Token", "kind value line column")  # kind: name, text, mark
# code: a constant of the ABI, ANY, or ("argument", index); text: index of the first argument of the text, to: one after its
# last (None: all); before, after: what the maker adds; under: only in files whose path begins so.
Maker = collections.namedtuple("Maker", "code text to before after under", defaults=(None, "", "", ""))

MAKERS = {
    "Invalid": [Maker("GEEPS_E_INVALID", 0)],
    "WrongState": [Maker("GEEPS_E_STATE", 0)],
    "Mismatch": [Maker("GEEPS_E_MISMATCH", 0)],
    "BadData": [Maker("GEEPS_E_DATA", 0)],
    "NoMemory": [Maker("GEEPS_E_NOMEM", 0)],
    "NotFound": [Maker("GEEPS_E_NOT_FOUND", 0)],
    "Unsupported": [Maker("GEEPS_E_UNSUPPORTED", 0)],
    "Internal": [Maker("GEEPS_E_INTERNAL", 0)],
    "MakeStatus": [Maker(("argument", 0), 1)],
    "Prefixed": [Maker(ANY, 1, after=": " + PLACE)],
    "IoError": [
        Maker("GEEPS_E_IO", 1, 2, before=PLACE + ": cannot ", after=": " + PLACE, under="plugins/idx/"),
        Maker("GEEPS_E_IO", 1, after=": " + PLACE),
    ],
    "DoesNotFit": [Maker("GEEPS_E_ABI", 0)],
    "NoMemoryText": [Maker("GEEPS_E_NOMEM", 1)],
    # The coordinator.
    "MakeCause": [Maker(("argument", 0), -1)],
    "refuse": [Maker(("argument", 0), 1, before=PLACE + " was refused: ", under="runtime/protocol/")],
    "Lose": [Maker("GEEPS_E_PEER_LOST", 1, 2, before=PLACE + " was lost at clock " + PLACE + ": ", under="runtime/protocol/")],
    "CoordinatorLost": [Maker("GEEPS_E_PEER_LOST", 0, before=PLACE + " was lost at clock " + PLACE + ": ")],
    # The movers.
    "Refuse": [Maker("GEEPS_E_DATA", 1, before="rank " + PLACE + " broke the protocol: ", under="runtime/movers/")],
    # Plugins, which bring their own statuses.
    "SetError": [Maker(("argument", 1), 3)],
    "strcpy": [Maker("GEEPS_E_NOMEM", 1)],
    "Status": [Maker(("argument", 0), 1, 2, under="plugins/")],
    "Report": [Maker(("argument", 0), 2, 3, under="plugins/idx/")],
    "DataError": [Maker("GEEPS_E_DATA", 1, before=PLACE + ": ")],
    "Damaged": [Maker("GEEPS_E_DATA", 0, before="the state of a data source: ", under="plugins/idx/")],
    "invalid": [Maker("GEEPS_E_INVALID", 0, under="plugins/idx/")],
    "NoDriver": [Maker("GEEPS_E_NOT_FOUND", 0, under="plugins/cuda/")],
    "Check": [Maker("GEEPS_E_DEVICE", 1, after=" on " + PLACE + ": " + PLACE, under="plugins/cuda/")],
    "CheckOrLose": [Maker("GEEPS_E_DEVICE", 1, before=PLACE + " is lost: ", after=": " + PLACE, under="plugins/cuda/")],
}
# Makers of the libraries below, whose texts would escape.
FOREIGN_MAKERS = re.compile(
    r"(?:Aborted|AlreadyExists|Cancelled|DataLoss|DeadlineExceeded|FailedPrecondition|Internal|InvalidArgument|NotFound|"
    r"OutOfRange|PermissionDenied|ResourceExhausted|Unauthenticated|Unavailable|Unimplemented|Unknown)Error")

# Functions of these files return texts that become statuses elsewhere: with the code that was assigned last before the
# `return`, else with that of the function, else GEEPS_E_INVALID.
RETURNING = {
    "plugins/cuda/check_apply.cc": {"CheckSupported": "GEEPS_E_UNSUPPORTED"},
    "plugins/cuda/index.cc": {},
    "plugins/cuda/launch_applies.cc": {},
    "plugins/cuda/launch_moves.cc": {},
}

# A status's own text, or one of the system's.
OTHERS_TEXT = re.compile(r"\bmessage$|strerror$|dlerror$")
# (path, function that is called): passes on a text that was made elsewhere.
PASSES_ON = {
    ("runtime/base/status.h", "MakeStatus"),
    ("runtime/base/status.cc", "MakeStatus"),
    ("runtime/net/control_wire.cc", "MakeStatus"),
    ("runtime/device/abi_status.cc", "MakeStatus"),
    ("runtime/device/plugin_rule.cc", "MakeStatus"),
    ("runtime/net/host_lookup.cc", "NotFound"),
    ("runtime/net/transport.cc", "MakeStatus"),
    ("runtime/protocol/coordinator.cc", "MakeCause"),
    ("runtime/protocol/coordinator_verdict.cc", "Lose"),
    ("plugins/idx/idx_file.cc", "Status"),
    ("plugins/idx/idx_source.cc", "Status"),
    ("plugins/idx/status.h", "Report"),
    ("plugins/cuda/device.cc", "Status"),
    ("plugins/cuda/info.cc", "Status"),
    ("plugins/cuda/loss.cc", "Status"),
    ("plugins/cuda/stream.cc", "Status"),
    ("plugins/cuda/status.h", "Status"),
}
WRAPPERS = ("std::string", "std::move", "absl::string_view", "absl::NullSafeStringView")
JOINERS = ("absl::StrCat", "Text")
APPENDER = "absl::StrAppend"
FORMATTER = "absl::StrFormat"
FORMAT = re.compile(r"%[-+ #0]*[\d*]*(?:\.[\d*]+)?[a-zA-Z]")

TOKEN = re.compile(
    r'(?P<skip>\s+|//[^\n]*|/\*.*?\*/)|(?P<define>^[ \t]*#(?:[^\n\\]|\\.|\\\n)*)|R"(?P<raw_name>\w*)\((?P<raw>.*?)\)(?P=raw_name)"|'
    r'"(?P<text>(?:\\.|[^"\\\n])*)"|\'(?:\\.|[^\'\\\n])+\'|(?P<name>[A-Za-z_]\w*(?:(?:::~?|\.)[A-Za-z_]\w*)*)|'
    r'(?P<number>\d[\w\']*(?:\.\d+)?)|(?P<mark>->|\.\.\.|::|<<|>>|[=!<>+\-*/%&|^]=|\+\+|--|&&|\|\||.)', re.S | re.M)
OPENING = {"(": ")", "[": "]", "{": "}"}
ESCAPES = {"n": "\n", "t": "\t", "0": "\0"}


class Unreadable(Exception):
    """The sources hold something that these rules do not cover; the text says what to do."""


def tokens_of(source):
    tokens = []
    line = 1
    begin = 0  # of the line
    for m in TOKEN.finditer(source):
        if m.group("skip") is None and m.group("define") is None:
            if m.group("text") is not None:
                value = re.sub(r"\\(.)", lambda e: ESCAPES.get(e.group(1), e.group(1)), m.group("text"))
                tokens.append(Token("text", value, line, m.start() - begin))
            elif m.group("raw") is not None:
                tokens.append(Token("text", m.group("raw"), line, m.start() - begin))
            elif m.group("name") is not None:
                tokens.append(Token("name", m.group("name"), line, m.start() - begin))
            else:
                tokens.append(Token("mark", m.group(), line, m.start() - begin))
        line += m.group().count("\n")
        begin = m.start() + m.group().rindex("\n") + 1 if "\n" in m.group() else begin
    return tokens


def closing(tokens, at):
    """The index of the bracket that closes the one at `at`."""
    depth = 0
    for i in range(at, len(tokens)):
        if tokens[i].kind == "mark":
            depth += (tokens[i].value in OPENING) - (tokens[i].value in OPENING.values())
            if depth == 0:
                return i
    return len(tokens)


def split(tokens, mark):
    """The pieces between the marks outside of all brackets."""
    pieces, piece, depth = [], [], 0
    for token in tokens:
        if token.kind == "mark":
            depth += (token.value in OPENING) - (token.value in OPENING.values())
        if depth == 0 and token.kind == "mark" and token.value == mark:
            pieces.append(piece)
            piece = []
        else:
            piece.append(token)
    return pieces + [piece] if pieces or piece else []


def choice(tokens):
    """(one, other) of `condition ? one : other`, or None."""
    pieces = split(tokens, "?")
    if len(pieces) < 2:
        return None
    rest = tokens[len(pieces[0]) + 1:]
    depth = 0
    nested = 0
    for i, token in enumerate(rest):
        if token.kind != "mark":
            continue
        depth += (token.value in OPENING) - (token.value in OPENING.values())
        nested += depth == 0 and token.value == "?"
        if depth == 0 and token.value == ":":
            if nested == 0:
                return rest[:i], rest[i + 1:]
            nested -= 1
    return None


class File:
    """One source file, and what its expressions can say."""

    def __init__(self, path, source, constants=None):
        """constants: those of the headers."""
        self.path = path
        self.tokens = tokens_of(source)
        self.tables = dict(self.find_tables())
        self.constants = {**(constants or {}), **dict(self.find_constants())}

    def find_tables(self):
        """Tables of constants: `const char* kNames[] = {"a", "b"}`."""
        for i, token in enumerate(self.tokens):
            if token.kind != "name" or i + 3 >= len(self.tokens) or self.tokens[i + 1].value != "[":
                continue
            end = closing(self.tokens, i + 1)
            if [t.value for t in self.tokens[end + 1:end + 3]] == ["=", "{"]:
                inner = self.tokens[end + 3:closing(self.tokens, end + 2)]
                items = split(inner, ",")
                if items and all(item and all(t.kind == "text" for t in item) for item in items if item):
                    yield token.value, ["".join(t.value for t in item) for item in items if item]

    def find_constants(self):
        """Constants: `constexpr char kName[] = "text"`."""
        for i, token in enumerate(self.tokens[:-4]):
            values = [t.value for t in self.tokens[i + 1:i + 4]]
            skip = 4 if values == ["[", "]", "="] else 2 if values[0] == "=" and re.match(r"k[A-Z]", token.value) else 0
            if token.kind == "name" and skip:
                text = list(itertools.takewhile(lambda t: t.kind == "text", self.tokens[i + skip:]))
                if text:
                    yield token.value, "".join(t.value for t in text)

    def assigned(self, name, before):
        """What is assigned to `name` between the beginning of the function and the token `before`."""
        found = []
        i = before
        while i > 0:
            i -= 1
            token = self.tokens[i]
            # A bracket in the first column opens or closes a function: where the one before ends, this one begins.
            if token.kind == "mark" and token.value == "}" and token.column == 0:
                break
            if token.kind == "name" and token.value == name and self.tokens[i + 1].value == "=":
                end = i + 2
                while end < len(self.tokens) and self.tokens[end].value != ";":
                    end = closing(self.tokens, end) + 1 if self.tokens[end].value in OPENING and self.tokens[end].kind == "mark" else end + 1
                found.append((self.tokens[i + 2:end], i))
            if token.value == APPENDER and [t.value for t in self.tokens[i + 1:i + 5]] == ["(", "&", name, ","]:
                found.append((self.tokens[i:closing(self.tokens, i + 1) + 1], i))
        return found

    def says(self, tokens, at, depth=0):
        """The skeletons that an expression at token `at` can become."""
        while tokens and tokens[0].value == "(" and closing(tokens, 0) == len(tokens) - 1:
            tokens = tokens[1:-1]
        if tokens and all(t.kind == "text" for t in tokens):
            return ["".join(t.value for t in tokens)]
        both = choice(tokens)
        if both:
            return self.limited(self.says(both[0], at, depth) + self.says(both[1], at, depth))
        sum_of = split(tokens, "+")
        if len(sum_of) > 1 and any(t.kind == "text" for t in tokens):
            return self.joined(sum_of, at, depth)
        if len(tokens) >= 3 and tokens[0].kind == "name" and tokens[1].value == "(" and closing(tokens, 1) == len(tokens) - 1:
            arguments = split(tokens[2:-1], ",")
            if tokens[0].value in JOINERS:
                return self.joined(arguments, at, depth)
            if tokens[0].value == FORMATTER:
                return [FORMAT.sub(PLACE, skeleton) for skeleton in self.says(arguments[0], at, depth)]
            if tokens[0].value == APPENDER:
                return [PLACE + skeleton for skeleton in self.joined(arguments[1:], at, depth)]
            if tokens[0].value in WRAPPERS:
                return self.says(arguments[0], at, depth)
        if len(tokens) >= 4 and tokens[0].value in self.tables and tokens[1].value == "[":
            return self.limited(self.tables[tokens[0].value])
        if len(tokens) == 1 and tokens[0].value in self.constants:
            return [self.constants[tokens[0].value]]
        if len(tokens) == 1 and tokens[0].kind == "name" and depth < 2:
            found = [s for given, where in self.assigned(tokens[0].value, at) for s in self.says(given, where, depth + 1)]
            found = [s for s in found if is_constant(s)]
            if found:
                return self.limited(found)
        return [PLACE]

    def joined(self, pieces, at, depth):
        options = [self.says(piece, at, depth) for piece in pieces]
        count = 1
        for option in options:
            count *= len(option)
        if count > ALTERNATIVES_MAX:
            options = [option if len(option) == 1 else [PLACE] for option in options]
        return self.limited(["".join(parts) for parts in itertools.product(*options)])

    @staticmethod
    def limited(skeletons):
        unique = list(dict.fromkeys(skeletons))
        return unique if len(unique) <= ALTERNATIVES_MAX else [PLACE]

    def code_of(self, tokens, at):
        """The ABI's name of the code that an argument stands for."""
        names = [t.value for t in tokens if t.kind == "name"]
        if len(names) != 1 or len(tokens) != 1:
            return ANY
        if names[0].startswith("Code::k"):
            return abi_name(names[0][len("Code::k"):])
        if names[0].startswith("GEEPS_E_") or names[0] == "GEEPS_END":
            return names[0]
        given = self.assigned(names[0] + ".code", at) or self.assigned(names[0], at)
        # The nearest assignment is the one that counts.
        return self.code_of(given[0][0], given[0][1]) if given else ANY

    def find_texts(self):
        for i, token in enumerate(self.tokens):
            if token.kind != "name" or i + 1 >= len(self.tokens) or self.tokens[i + 1].value != "(":
                continue
            name = re.split(r"[.:]", token.value)[-1]
            if FOREIGN_MAKERS.fullmatch(name) and token.value.startswith("absl::"):
                raise Unreadable(f"{self.path}:{token.line}: {token.value} makes a status; use runtime/base/status.h")
            maker = next((m for m in MAKERS.get(name, ()) if self.path.startswith(m.under)), None)
            if maker is None or self.is_declaration(i):
                continue
            yield from self.texts_of_call(name, maker, i)
        yield from self.texts_of_returns()

    def texts_of_returns(self):
        """Of a file of RETURNING."""
        codes = RETURNING.get(self.path)
        if codes is None:
            return
        function = ""
        for i, token in enumerate(self.tokens):
            if token.column == 0 and token.kind == "name" and self.tokens[i + 1].kind == "name":
                function = self.tokens[i + 1].value
            if token.kind != "name" or token.value != "return" or self.tokens[i + 1].value == "{":
                continue
            given = list(itertools.takewhile(lambda t: not (t.kind == "mark" and t.value == ";"), self.tokens[i + 1:]))
            code = self.code_of([Token("name", "code", 0, 0)], i)
            for skeleton in self.says(given, i) if any(t.kind == "text" for t in given) else ():
                if is_constant(skeleton):
                    yield Text(codes.get(function, "GEEPS_E_INVALID") if code == ANY else code, tidy(skeleton), self.path, token.line)

    def is_declaration(self, at):
        """Whether the name at `at` is declared or defined here rather than called."""
        before = self.tokens[at - 1] if at > 0 else Token("mark", ";", 0, 0)
        end = closing(self.tokens, at + 1)
        inner = [t.value for t in self.tokens[at + 2:end]]
        if before.kind == "name" and before.value not in ("return", "else", "co_return"):
            return True
        after = self.tokens[end + 1].value if end + 1 < len(self.tokens) else ""
        return not inner or inner[:2] in (["geeps_status", "code"], ["const", "Status"]) or after == "{"

    def texts_of_call(self, name, maker, at):
        arguments = split(self.tokens[at + 2:closing(self.tokens, at + 1)], ",")
        line = self.tokens[at].line
        first = maker.text if maker.text >= 0 else len(arguments) + maker.text
        chosen = arguments[first:maker.to]
        if not chosen:
            return
        code = maker.code
        if isinstance(code, tuple):
            code = self.code_of(arguments[code[1]], at)
        if name == "strcpy" and "message" not in [t.value for t in arguments[0]]:
            return
        if code == "GEEPS_END":
            return
        found = False
        for skeleton in self.joined(chosen, at, 0):
            if is_constant(skeleton):
                found = True
                yield Text(code, tidy(maker.before + skeleton + maker.after), self.path, line)
        passed = any(OTHERS_TEXT.search(t.value) for argument in chosen for t in argument if t.kind == "name")
        # What stands before another text need not say anything of its own.
        if not found and not passed and name != "Prefixed" and (self.path, name) not in PASSES_ON:
            raise Unreadable(f"{self.path}:{line}: the text given to {name} holds no constant; if it was made elsewhere, list the "
                             "call in PASSES_ON of tools/lib/error_texts.py")


def is_constant(skeleton):
    return re.search(r"[A-Za-z]", skeleton.replace(PLACE, "")) is not None


def tidy(skeleton):
    return re.sub(f"{PLACE}+", PLACE, skeleton)


def abi_name(code):
    """Code::kPeerLost is GEEPS_E_PEER_LOST."""
    names = {"NoMemory": "NOMEM", "Unsupported": "UNSUPPORTED"}
    return "GEEPS_E_" + names.get(code, re.sub(r"(?<!^)(?=[A-Z])", "_", code).upper())


def files(root):
    """Paths of the sources whose statuses a program can see, relative to the root."""
    for folder in FOLDERS:
        for directory, _, names in sorted(os.walk(os.path.join(root, folder))):
            for name in sorted(names):
                if name.endswith((".cc", ".h")):
                    yield os.path.relpath(os.path.join(directory, name), root)


@functools.lru_cache
def collect(root):
    """All texts of the repository: {(code, skeleton): ["path:line", ...]}."""
    sources = {}
    for path in files(root):
        with open(os.path.join(root, path), encoding="utf-8") as f:
            sources[path] = f.read()
    constants = {}
    for path in sources:
        if path.endswith(".h"):
            constants.update(File(path, sources[path]).find_constants())
    found = {}
    for path, source in sources.items():
        for text in File(path, source, constants).find_texts():
            found.setdefault((text.code, text.skeleton), []).append(f"{text.path}:{text.line}")
    return found


def pattern_of(skeleton):
    """What a sentence with this skeleton looks like."""
    return re.compile(".*?".join(re.escape(part) for part in skeleton.split(PLACE)), re.S)


def search(sentence, texts):
    """The texts (code, skeleton) that a sentence holds, those with the most constant characters first; without any, those that
    share most of its words."""
    constant = {text: len(text[1].replace(PLACE, "")) for text in texts}
    found = [text for text in texts if pattern_of(text[1]).search(sentence)]
    if not found:
        words = set(re.findall(r"[a-z_]{3,}", sentence.lower()))
        shared = {text: len(words & set(re.findall(r"[a-z_]{3,}", text[1].lower()))) for text in texts}
        most = max(shared.values(), default=0)
        found = [text for text in texts if most >= 2 and shared[text] == most]
    return sorted(found, key=lambda text: (-constant[text], text))
