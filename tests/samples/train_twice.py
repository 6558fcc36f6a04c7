# SPDX-License-Identifier: Apache-2.0
"""Trains Fashion-MNIST twice with two workers, as tools/quickstart does: the test accuracy is at least 88 %, the training takes less than
four minutes, and both runs leave the same parameter bits. Not a test of the suite: it takes minutes.

usage: train_twice.py BUILD [EPOCHS]
"""
import filecmp
import os
import re
import subprocess
import sys
import tempfile
import time

GOAL_PERCENT = 88.0
LIMIT_S = 240


def train(build, epochs, save):
    """Returns (test accuracy in percent, seconds)."""
    command = [os.path.join(build, "tools/geeps/geeps"), "run", "-n", "2",
               os.path.join(build, "samples/train_images/train_images"), "--epochs", str(epochs), "--save", save]
    start = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    seconds = time.monotonic() - start
    found = re.findall(r"test accuracy ([0-9.]+) %", done.stdout)
    if done.returncode != 0 or not found:
        sys.exit(f"{' '.join(command)} ended with exit code {done.returncode}:\n{done.stdout[-2000:]}")
    return float(found[-1]), seconds


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    build, epochs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 5
    good = True
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, name) for name in ("first", "second")]
        for save in files:
            accuracy, seconds = train(build, epochs, save)
            print(f"test accuracy {accuracy:.2f} % after {epochs} epochs, {seconds:.0f} s", flush=True)
            good = good and accuracy >= GOAL_PERCENT and seconds < LIMIT_S
        same = filecmp.cmp(*files, shallow=False)
        print(f"parameters, {os.path.getsize(files[0])} bytes: {'the same bits' if same else 'DIFFERENT bits'}")
    sys.exit(0 if good and same else 1)


if __name__ == "__main__":
    main()
