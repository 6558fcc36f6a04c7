# SPDX-License-Identifier: Apache-2.0
"""Writes the files of the CUDA back end with the faults of planted.txt: plant.py ROOT LIST FAULTS_OUT FILE_OUT..

FAULTS_OUT becomes a C++ list of {name, meaning}; each FILE_OUT the file of the same name.
"""
import os
import sys

sys.dont_write_bytecode = True


def main():
    root, list_path, faults_out, *file_outs = sys.argv[1:]
    sys.path.insert(0, os.path.join(root, "tools", "lib"))
    import planting  # noqa: E402

    with open(list_path, encoding="utf-8") as f:
        faults = planting.parse(f.read())
    texts = {os.path.basename(path): text for path, text in planting.planted_files(root, faults).items()}
    if sorted(texts) != sorted(os.path.basename(out) for out in file_outs):
        sys.exit(f"{list_path}: plants into {', '.join(sorted(texts))}; tests/cuda/meson.build names others")
    for out in file_outs:
        with open(out, "w", encoding="utf-8") as f:
            f.write(texts[os.path.basename(out)])
    with open(faults_out, "w", encoding="utf-8") as f:
        for fault in faults:
            f.write(f'{{"{fault.name}", "{fault.meaning}"}},\n')


main()
