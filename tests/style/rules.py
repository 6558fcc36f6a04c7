# SPDX-License-Identifier: Apache-2.0
"""Rules of the repository that a machine can check, each a function from (path, text) to sentences about what is wrong."""
import re

SPDX = "SPDX-License-Identifier: Apache-2.0"
CORPUS = "tests/fuzz/corpus/"  # inputs: any bytes
WITHOUT_SPDX = re.compile(r"LICENSE|VERSION|tests/.*/(?:data|frozen|corpus)/.*|.*\.(?:gz|bin|png|svg|json|patch)")
C_FILE = re.compile(r".*\.(?:c|cc|h|hpp|in)")

# From the top down; a folder may include those to its right. runtime/README.md says why in this order.
LAYERS = ("capi", "session", "movers", "cache", "net", "device", "plan", "protocol", "table", "base")
PURE = ("plan", "protocol", "table")
PURE_MAY_INCLUDE = ("runtime/base/json.h", "runtime/base/status.h")
BUILT_IN = ("transports/inproc/",)  # part of libgeeps: stands on base like net does
SHARED_WITH_TCP = "transports/tcp/crc32c.h"  # the control connection's frames carry the checksum of the transport's
PUBLIC_HEADERS = ("geeps.h", "geeps_plugin.h", "geeps_transport.h", "geeps_source.h", "geeps_device.h",
                  "geeps_rule.h")

# What a pure folder must not see: threads, time, chance, files, sockets.
IMPURE_HEADERS = re.compile(
    r"thread|mutex|shared_mutex|condition_variable|future|atomic|semaphore|latch|barrier|stop_token|chrono|ctime|time\.h|"
    r"random|fstream|iostream|filesystem|pthread\.h|unistd\.h|fcntl\.h|poll\.h|dlfcn\.h|signal\.h|csignal|netdb\.h|"
    r"(?:sys|netinet|arpa|net|linux)/.*|absl/(?:synchronization|time|random)/.*")
FOREIGN_LIBRARIES = (
    (re.compile(r"cuda.*|cublas.*|nvml\.h"), ("plugins/cuda/", "tests/cuda/")),
    (re.compile(r"rdma/.*"), ("transports/fabric/",)),
    (re.compile(r"opencv2/.*"), ("plugins/opencv/",)),
)
# Code of the library and its plugins: they never end the process, never throw and never write to the terminal.
FORBIDDEN_CALLS = re.compile(
    r"(?<![\w.>])(?:std::|::)?(abort|exit|_exit|_Exit|quick_exit|terminate|setenv|putenv|printf|puts|setlocale|chdir|atexit)\s*\(|"
    r"\b(throw|stdout|stderr)\b|\bstd::(cout|cerr|clog)\b|\b(absl::Mutex|absl::CondVar)\b")
# Ways of telling a sanitizer to look away.
SUPPRESSION = re.compile(r"no_sanitize\w*|__(?:lsan|asan|msan|tsan|ubsan)_\w*(?:ignore|suppress|disable)\w*|\bsuppressions=")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]*)"|<([^>]*)>)', re.M)


def spdx_problems(path, text):
    """The licence is named in the first line, or in the second after '#!'."""
    if WITHOUT_SPDX.fullmatch(path):
        return []
    lines = text.split("\n", 2)
    line = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
    return [] if SPDX in line else [f"the first line does not say {SPDX}"]


def layer_problems(path, text):
    """Includes point down the layers only."""
    if not C_FILE.fullmatch(path):
        return []
    problems = []
    parts = path.split("/")
    for quoted, angled in INCLUDE.findall(text):
        target = quoted or angled
        for library, homes in FOREIGN_LIBRARIES:
            if angled and library.fullmatch(angled) and not path.startswith(homes):
                problems.append(f"includes <{angled}>, which belongs into {' or '.join(homes)}")
        if parts[0] == "runtime":
            problems += runtime_problems(parts[1], quoted, angled)
        elif parts[0] in ("transports", "plugins"):
            own = "/".join(parts[:2]) + "/"
            if own in BUILT_IN and target.startswith(("runtime/base/", "absl/")):
                continue
            if target.startswith("runtime/") or target.startswith("absl/"):
                problems.append(f"includes {target}; a plugin sees include/ and its own folder only")
            elif quoted and not quoted.startswith(own) and quoted not in PUBLIC_HEADERS:
                problems.append(f"includes {quoted}, which is neither a public header nor in {own}")
        elif parts[0] in ("samples", "bindings", "tools") and target.startswith(("runtime/", "transports/", "plugins/")):
            problems.append(f"includes {target}; {parts[0]}/ uses the public headers only")
    return problems


def runtime_problems(layer, quoted, angled):
    if layer not in LAYERS:
        return [f"is in runtime/{layer}, which is no layer"]
    if angled in PUBLIC_HEADERS or quoted in PUBLIC_HEADERS:
        return [f"includes {angled or quoted}; a pure folder does not see the C ABI"] if layer in PURE else []
    if angled:
        if layer in PURE and IMPURE_HEADERS.fullmatch(angled):
            return [f"includes <{angled}>; {layer} is pure"]
        return []
    if layer in PURE and quoted in PURE_MAY_INCLUDE:
        return []
    if layer == "net" and (quoted.startswith("transports/inproc/") or quoted == SHARED_WITH_TCP):
        return []
    m = re.match(r"runtime/(\w+)/", quoted)
    if quoted.startswith("absl/"):
        return [f"includes {quoted}; {layer} is pure"] if layer in PURE and IMPURE_HEADERS.fullmatch(quoted) else []
    if not m or m.group(1) not in LAYERS:
        return [f"includes {quoted}, which is not written from the source root"]
    below = LAYERS[LAYERS.index(layer):]
    if layer in PURE:
        below = [f for f in below if f in PURE]
    return [] if m.group(1) in below else [f"includes {quoted}; {m.group(1)} is not below {layer}"]


def without_comments_and_text(text):
    """The code alone; strings become ""."""
    token = r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\''
    return re.sub(token, lambda m: '""' if m.group()[0] in "\"R" else " ", text, flags=re.S)


def call_problems(path, text):
    """Nothing in the library ends the process, throws, or writes to the terminal."""
    if not re.match(r"(?:runtime|transports|plugins)/.*\.(?:c|cc|h)$", path):
        return []
    found = [next(g for g in m.groups() if g) for m in FORBIDDEN_CALLS.finditer(without_comments_and_text(text))]
    return [f"uses {name}" for name in found]


def text_problems(path, text):
    """Nothing unfinished, nothing hidden from sanitizers, no tabs or blanks at the end of a line."""
    if path.startswith(("tests/style/", CORPUS)):
        return []
    problems = [f"says {word}" for word in UNFINISHED.findall(text) + SUPPRESSION.findall(text)]
    if re.fullmatch(r".*\.(?:c|cc|h|hpp|py)", path):
        for number, line in enumerate(text.split("\n"), 1):
            if "\t" in line or line != line.rstrip():
                problems.append(f"line {number} has a tab or ends with a blank")
    if text and not text.endswith("\n"):
        problems.append("does not end with a line end")
    return problems


ALL = (spdx_problems, layer_problems, call_problems, text_problems)
