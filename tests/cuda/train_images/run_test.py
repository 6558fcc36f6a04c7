# SPDX-License-Identifier: Apache-2.0
"""Runs the program train_images on the fake CUDA driver and the fake cuBLAS, alone and under `geeps run`.

usage: run_test.py GEEPS MODULE KERNELS FAKE_CUDA FAKE_CUBLAS PROGRAM...
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

DEADLINE_S = 120
LENET = ("--data", "synthetic:16:1:4:60", "--batch", "16", "--epochs", "2", "--lr", "0.02")
VGG = ("--net", "vgg", "--narrower", "32", "--data", "synthetic:32:3:4:16", "--batch", "8", "--epochs", "1")

GEEPS = MODULE = KERNELS = ""
FOLDERS = []
PROGRAMS = []


def run(world, program, *arguments, words="schedule=seeded:1", folders=None):
    environment = dict(os.environ, GEEPS_FAKE_CUDA=f"{words} kernels={KERNELS}",
                       LD_LIBRARY_PATH=":".join(FOLDERS if folders is None else folders))
    command = [program, *arguments] if world == 1 else [GEEPS, "run", "-n", str(world), program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, errors="replace",
                          stdin=subprocess.DEVNULL, env=environment)


class OnFake(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.folder.cleanup()

    def train(self, world, program, *arguments, **others):
        """Returns (what stood in the last line of an epoch, the parameters)."""
        path = os.path.join(self.folder.name, "parameters")
        done = run(world, program, *arguments, "--save", path, **others)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("fake CUDA driver", done.stderr)
        found = re.findall(r"training loss ([\d.]+), test accuracy ([\d.]+) %", done.stdout)
        with open(path, "rb") as f:
            return tuple(float(x) for x in found[-1]), f.read()

    def test_loss_and_accuracy_are_the_hosts_and_bits_the_same_in_every_run(self):
        for program in PROGRAMS:
            for arguments, world in ((LENET, 1), (LENET, 2), (VGG, 2), (LENET + ("--plain",), 1)):
                with self.subTest(program=program, arguments=arguments, world=world):
                    host, _ = self.train(world, program, *arguments)
                    first, bits = self.train(world, program, *arguments, "--device", MODULE)
                    second, same = self.train(world, program, *arguments, "--device", MODULE, words="schedule=lazy")
                    self.assertEqual(bits, same)
                    self.assertEqual(first, second)
                    self.assertLess(abs(first[0] - host[0]), 0.001)
                    self.assertEqual(first[1], host[1])

    def test_what_is_missing_is_told(self):
        driver_alone = [folder for folder in FOLDERS if not os.path.exists(os.path.join(folder, "libcublas.so.12"))]
        cases = (("devices=0", FOLDERS, "the NVIDIA driver (CUDA 12.4) finds no device"),
                 ("version=11080", FOLDERS, "the NVIDIA driver supports CUDA 11.8, 12.0 is needed"))
        if not os.path.exists("/usr/local/cuda/lib64/libcublas.so.12"):
            cases += (("", driver_alone, "no cuBLAS: libcublas.so.12 cannot be opened ("),)
        for words, folders, sentence in cases:
            failed = run(1, PROGRAMS[0], *LENET, "--device", MODULE, words=words, folders=folders)
            self.assertEqual(failed.returncode, 1, failed.stderr)
            self.assertIn(sentence, failed.stderr)
            self.assertEqual(failed.stdout, "")


if __name__ == "__main__":
    GEEPS, MODULE, KERNELS = (os.path.abspath(path) for path in sys.argv[1:4])
    FOLDERS = [os.path.dirname(os.path.abspath(path)) for path in sys.argv[4:6]]
    PROGRAMS = [os.path.abspath(path) for path in sys.argv[6:]]
    unittest.main(argv=sys.argv[:1], verbosity=2)
