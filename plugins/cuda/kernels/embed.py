# SPDX-License-Identifier: Apache-2.0
"""Writes an assembly file that holds the bytes of another file under a name.

usage: embed.py FILE NAME OUT
"""
import hashlib
import os
import sys

TEXT = """/* {name}: {num} bytes, SHA-256 {digest} */
  .section .rodata
  .balign 16
  .globl {name}
  .hidden {name}
{name}:
  .incbin "{path}"
  .byte 0
  .section .note.GNU-stack, "", %progbits
"""


def main(path, name, out):
    with open(path, "rb") as f:
        data = f.read()
    # The digest changes the text whenever the bytes change, so that the assembler runs again.
    digest = hashlib.sha256(data).hexdigest()
    with open(out, "w", encoding="utf-8") as f:
        f.write(TEXT.format(name=name, num=len(data), digest=digest, path=os.path.abspath(path)))


if __name__ == "__main__":
    main(*sys.argv[1:])
