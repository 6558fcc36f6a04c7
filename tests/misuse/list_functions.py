# SPDX-License-Identifier: Apache-2.0
"""Writes what a header declares: the names of all functions, as a list of C strings, and the parameters of those that
return a status, one initializer {function, parameter, kind, type of a handle} each, without the error.

usage: list_functions.py HEADER FUNCTIONS PARAMETERS
"""
import re
import sys

HANDLES = ("geeps_runtime", "geeps_request", "geeps_table", "geeps_local", "geeps_plan")


def kind_of(declaration):
    """(name, kind, type of a handle or "")"""
    if "(*" in declaration:
        return re.search(r"\(\*(\w+)\)", declaration).group(1), "in", ""
    kind, stars, name = re.fullmatch(r"(.*?)\s*((?:\*\s*(?:const)?\s*)*)(\w+)", declaration).groups()
    kind, num_stars = kind.strip(), stars.count("*")
    if num_stars == 0:
        return name, "op" if kind == "geeps_op" else "number", ""
    if kind in HANDLES and num_stars == 1:
        return name, "handle", kind
    if kind == "geeps_request":
        return name, "request_out", ""
    if kind == "const char" and num_stars == 1:
        return name, "text", ""
    if kind == "const geeps_stream":
        return name, "stream", ""
    is_in = kind.startswith("const ") and num_stars == 1 or "const" in stars
    return name, "in" if is_in else "out", ""


def main():
    with open(sys.argv[1], encoding="utf-8") as header:
        text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", header.read(), flags=re.S)
    functions = re.findall(r"\bGEEPS_API\s+([^;{}#]*?)\b(geeps_\w+)\s*\(([^;]*?)\)\s*;", text)
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write("".join(f'"{name}",\n' for _, name, _ in functions))
    with open(sys.argv[3], "w", encoding="utf-8") as out:
        for returned, function, parameters in functions:
            if returned.strip() != "geeps_status":
                continue
            # The parameters of a function pointer have no commas of their own in this header.
            for declaration in (" ".join(p.split()) for p in parameters.split(",")):
                if not declaration.startswith("geeps_error "):
                    name, kind, handle = kind_of(declaration)
                    out.write(f'{{"{function}", "{name}", "{kind}", "{handle}"}},\n')


main()
