# SPDX-License-Identifier: Apache-2.0
"""Runs the sample programs, alone and under `geeps run`, on a small data set made on the spot.

usage: run_samples_test.py GEEPS HELLO RULE_LION [TRAIN_IMAGES]
"""

import gzip
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import unittest

DEADLINE_S = 60
SIDE = 16
CLASSES = 4
TRAIN_SAMPLES = 193  # with batches of 64 the last one has a single image: the other workers are idle then
TEST_SAMPLES = 40

GEEPS = HELLO = LION = TRAIN = ""


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, errors="replace",
                          stdin=subprocess.DEVNULL)


def idx(dims, values):
    return struct.pack(">BBBB", 0, 0, 8, len(dims)) + b"".join(struct.pack(">I", d) for d in dims) + bytes(values)


def image(number):
    """A bright quarter says the class; the rest is a pattern that differs from image to image."""
    label = number % CLASSES
    pixels = []
    for y in range(SIDE):
        for x in range(SIDE):
            bright = (y * 2 // SIDE) * 2 + x * 2 // SIDE == label
            pixels.append((200 if bright else 20) + (number * 7 + y * 13 + x * 5) % 50)
    return label, pixels


def write_data_set(folder):
    for split, count in (("train", TRAIN_SAMPLES), ("t10k", TEST_SAMPLES)):
        samples = [image(n) for n in range(count)]
        with gzip.open(f"{folder}/{split}-images-idx3-ubyte.gz", "wb") as f:
            f.write(idx([count, SIDE, SIDE], [p for _, pixels in samples for p in pixels]))
        with gzip.open(f"{folder}/{split}-labels-idx1-ubyte.gz", "wb") as f:
            f.write(idx([count], [label for label, _ in samples]))


class Hello(unittest.TestCase):
    def check(self, result, world):
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        value = 10 * world * (world + 1) // 2 * 32
        for rank in range(world):
            line = f"rank {rank} of {world}: after 10 clocks the last value is {value} and must be {value}"
            self.assertEqual(result.stdout.count(line), 1, result.stdout)

    def test_alone_it_prints_the_closed_form(self):
        self.check(run(HELLO), 1)

    def test_each_of_several_workers_prints_the_closed_form(self):
        for world in (2, 4, 5):
            self.check(run(GEEPS, "run", "-n", str(world), HELLO), world)

    def test_lines_of_the_library_come_through_the_callback_alone(self):
        # Without a level there is nothing to warn of; every line at level debug is one that hello printed.
        quiet = run(GEEPS, "run", "-n", "2", HELLO)
        self.check(quiet, 2)
        self.assertEqual(quiet.stderr, "")
        loud = run(GEEPS, "run", "-n", "2", "--log-level", "debug", HELLO)
        self.check(loud, 2)
        lines = loud.stderr.splitlines()
        components = {}
        for line in lines:
            found = re.fullmatch(r"\[([01])\] hello: (runtime|control|links|fence|plugin|tcp): .+", line)
            self.assertTrue(found, line)
            components.setdefault(found[2], []).append((found[1], line))
        self.assertEqual(sorted(components), ["control", "fence", "links", "plugin", "runtime"], loud.stderr)
        for rank in "01":
            for text in ("runtime: rank {} of 2, device host, transport tcp", "fence: commit at clock 0 waits for the first versions",
                         "fence: shutdown at clock 10 ended", "links: the data connection to rank"):
                self.assertTrue(any(f"[{rank}] hello: {text.format(rank)}" in line for line in lines), (rank, text, loud.stderr))

    def test_the_sentence_of_a_failure_is_found_in_the_list_of_errors(self):
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        cases = {"GEEPS_E_INVALID": {"GEEPS_RANK": "x"}, "GEEPS_E_NOT_FOUND": {"GEEPS_TRANSPORT": "pigeon"},
                 "GEEPS_E_DENIED": {"GEEPS_WORLD": "2", "GEEPS_RENDEZVOUS": "tcp://192.0.2.1:7000"}}
        for code, variables in cases.items():
            failed = run("env", *[f"{name}={value}" for name, value in variables.items()], HELLO)
            self.assertEqual(failed.returncode, 1)
            name, sentence = re.fullmatch(r"hello: (\w+): (.+)\n", failed.stderr).groups()
            self.assertEqual(name, code, failed.stderr)
            found = run(sys.executable, "-B", os.path.join(root, "tools", "errors"), sentence)
            self.assertEqual((found.returncode, found.stdout.split(":")[0]), (0, code), sentence + found.stdout)

    def test_a_level_in_between_shows_what_an_operator_follows_and_no_states(self):
        done = run(GEEPS, "run", "-n", "2", "--log-level", "info", HELLO)
        self.check(done, 2)
        self.assertNotIn("fence:", done.stderr)


class TrainImages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not TRAIN:
            raise unittest.SkipTest("train_images was not built")
        cls.folder = tempfile.TemporaryDirectory()
        write_data_set(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def train(self, world, *arguments, data=None):
        command = [TRAIN, "--data", data or self.folder.name, "--batch", "64", "--epochs", "2", *arguments]
        return run(*command) if world == 1 else run(GEEPS, "run", "-n", str(world), *command)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def saved(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def check_epochs(self, result, num_epochs=2):
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        lines = [line for line in result.stdout.splitlines() if "test accuracy" in line]
        self.assertEqual(len(lines), num_epochs, result.stdout)
        for number, line in enumerate(lines, 1):
            self.assertIn(f"epoch {number}: {TRAIN_SAMPLES} of {TRAIN_SAMPLES} samples visited, each once", line)

    def test_an_epoch_visits_every_sample_once_with_any_number_of_workers(self):
        for world in (1, 2, 3):
            self.check_epochs(self.train(world))

    def test_with_slack_too(self):
        self.check_epochs(self.train(2, "--slack", "2"))

    def test_it_learns(self):
        result = self.train(1, "--epochs", "8", "--lr", "0.02")
        self.check_epochs(result, 8)
        last = re.findall(r"test accuracy ([\d.]+) %", result.stdout)[-1]
        self.assertGreater(float(last), 90.0, result.stdout)

    def test_two_workers_learn_under_the_rule_of_a_plugin_with_the_same_bits_in_every_run(self):
        for name in ("first", "second"):
            result = self.train(2, "--epochs", "8", "--rule", LION, "--lr", "0.001", "--save", self.path(name))
            self.check_epochs(result, 8)
            last = re.findall(r"test accuracy ([\d.]+) %", result.stdout)[-1]
            self.assertGreater(float(last), 90.0, result.stdout)
        self.assertEqual(self.saved("first"), self.saved("second"))

    def test_a_rule_that_is_not_there_is_refused_on_all_workers(self):
        result = self.train(2, "--rule", "./no_rule.so")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("option rule = ./no_rule.so: wanted one of add, ", result.stderr)
        self.assertIn("or a plugin: ./no_rule.so: no such file", result.stderr)
        result = self.train(1, "--plain", "--rule", "adam")
        self.assertIn("--plain has the rule sgd alone, not adam", result.stderr)

    def test_a_second_run_saves_the_same_bits(self):
        for world in (1, 2, 3):
            for name in ("first", "second"):
                result = self.train(world, "--save", self.path(name))
                self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(self.saved("first"), self.saved("second"))

    def test_the_file_holds_every_layer(self):
        self.assertEqual(self.train(1, "--limit-steps", "1", "--save", self.path("file")).returncode, 0)
        rest = self.saved("file")
        for name, rows, values in (("conv1", 20, 26), ("conv2", 50, 501), ("dense1", 500, 51), ("dense2", 4, 501)):
            header = f"{name} {rows} {values}\n".encode()
            self.assertTrue(rest.startswith(header), rest[:40])
            rest = rest[len(header) + rows * values * 4:]
        self.assertEqual(rest, b"")

    def test_limit_steps_ends_early(self):
        result = self.train(2, "--limit-steps", "2")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(f"epoch 1: 128 of {TRAIN_SAMPLES} samples visited, training loss", result.stdout)
        self.assertNotIn("epoch 2", result.stdout)

    def test_json_ends_the_output_with_figures_of_the_whole_run(self):
        result = run(TRAIN, "--data", self.folder.name, "--batch", "64", "--epochs", "2", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        figures = json.loads(result.stdout.splitlines()[-1])
        self.assertEqual((figures["workers"], figures["steps"], figures["images"]), (1, 8, 2 * TRAIN_SAMPLES))
        self.assertGreater(figures["seconds"], figures["wait_seconds"])
        self.assertEqual((figures["net"], figures["device"], figures["storage"]), ("lenet", "host", "tables"))
        last = figures["last_epoch"]
        self.assertEqual((last["steps"], last["images"]), (4, TRAIN_SAMPLES))
        self.assertGreater(figures["seconds"], last["seconds"])

    def test_a_file_that_cannot_be_written_is_refused_before_training(self):
        result = run(TRAIN, "--data", self.folder.name, "--save", self.path("missing/file"))
        self.assertEqual(result.returncode, 1)
        self.assertIn("missing/file: cannot be written: No such file or directory", result.stderr)
        self.assertNotIn("epoch", result.stdout)

    def test_a_batch_that_leaves_a_worker_without_images_is_refused(self):
        result = self.train(3, "--batch", "2")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("--batch 2 is less than one image for each of 3 workers", result.stderr)

    def test_without_a_terminal_progress_is_plain_lines_of_one_worker(self):
        result = self.train(2, "--epochs", "1")
        lines = [line for line in result.stderr.splitlines() if "images/s" in line]
        self.assertEqual(len(lines), 4, result.stderr)  # four steps: four of the ten marks of an epoch
        self.assertNotIn("\r", result.stderr)
        self.assertIn("step 4/4", lines[-1])

    def test_plain_buffers_train_one_worker_and_refuse_two(self):
        self.check_epochs(self.train(1, "--plain"))
        self.assertIn('"storage": "plain buffers"', self.train(1, "--plain", "--json").stdout)
        result = self.train(2, "--plain")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("--plain is for one worker", result.stderr)

    def test_synthetic_images_are_visited_each_once_and_learned(self):
        command = [TRAIN, "--data", "synthetic:16:2:4:129", "--batch", "32", "--epochs", "10"]
        for world in (1, 3):
            result = run(*command) if world == 1 else run(GEEPS, "run", "-n", str(world), *command)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(result.stdout.count("129 of 129 samples visited, each once"), 10, result.stdout)
        self.assertGreater(float(re.findall(r"test accuracy ([\d.]+) %", result.stdout)[-1]), 90.0, result.stdout)

    def test_the_vgg_trains_in_tables_and_plain_buffers_with_the_same_bits_in_every_run(self):
        command = [TRAIN, "--net", "vgg", "--narrower", "16", "--data", "synthetic:32:3:4:64", "--batch", "16",
                   "--epochs", "2", "--lr", "0.01"]
        for world, more in ((1, []), (2, []), (1, ["--plain"])):
            for name in ("first", "second"):
                arguments = [*command, *more, "--save", self.path(name)]
                result = run(*arguments) if world == 1 else run(GEEPS, "run", "-n", str(world), *arguments)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(result.stdout.count("64 of 64 samples visited, each once"), 2, result.stdout)
            self.assertEqual(self.saved("first"), self.saved("second"))
            self.assertEqual(self.saved("first").count(b"conv"), 13)

    def test_images_that_do_not_suit_the_net_are_refused(self):
        result = self.train(1, "--net", "vgg")
        self.assertEqual(result.returncode, 1)
        self.assertIn("the net vgg wants images of 32, 64, 96 ... 224 ... 1024 pixels a side, found 16", result.stderr)

    def test_a_device_that_is_not_there_is_refused(self):
        result = self.train(1, "--device", "./no_device.so")
        self.assertEqual(result.returncode, 1)
        self.assertIn("./no_device.so: no such file", result.stderr)
        self.assertEqual(result.stdout, "")

    def test_a_truncated_and_a_missing_file_are_refused_with_a_sentence(self):
        with tempfile.TemporaryDirectory() as folder:
            write_data_set(folder)
            path = f"{folder}/train-images-idx3-ubyte.gz"
            os.truncate(path, os.path.getsize(path) // 2)
            for world in (1, 2):
                result = self.train(world, data=folder)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn(f"{path}: the gzip stream is damaged or cut off", result.stderr)
            os.remove(path)
            result = self.train(1, data=folder)
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(path, result.stderr)

    def test_bad_options_and_help(self):
        result = run(TRAIN, "--slak", "3")
        self.assertEqual(result.returncode, 2)
        self.assertIn("--slak", result.stderr)
        result = run(TRAIN, "--help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("example:", result.stdout)


if __name__ == "__main__":
    GEEPS, HELLO, LION = sys.argv[1:4]
    TRAIN = sys.argv[4] if len(sys.argv) > 4 else ""
    unittest.main(argv=sys.argv[:1], verbosity=2)
