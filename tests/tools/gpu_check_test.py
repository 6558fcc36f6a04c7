# SPDX-License-Identifier: Apache-2.0
"""tools/gpu-check --pack --fake, and the gpu-check of the pack: run to its end without an environment, interrupted, with
sections that fail, hang, or have no time left.

usage: gpu_check_test.py BUILD SOURCES
"""
import glob
import gzip
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

BUILD, SOURCES = sys.argv[1:3]
LIMIT_S = 240
LIMIT_BYTES = 60_000_000
SECTIONS = ["machine", "device contract", "memcheck", "racecheck", "initcheck", "synccheck", "two workers", "drawn jobs",
            "train_images", "geeps bench gpu"]
C_LIBRARY = re.compile(r"(ld-linux[\w-]*|libc|libm|libmvec|libdl|libpthread|librt|libresolv|libutil)\.so\.\d+")


def pack_into(folder, *more):
    return subprocess.run([os.path.join(SOURCES, "tools", "gpu-check"), "--pack", folder, *more], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=LIMIT_S)


def is_elf(path):
    with open(path, "rb") as f:
        return f.read(4) == b"\x7fELF"


def write_program(path, text):
    if os.path.exists(path):
        os.unlink(path)  # it may be a link to the pack's
    with open(path, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)


class GpuCheck(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.pack = os.path.join(cls.temporary.name, "a pack with blanks")
        done = pack_into(cls.pack, "--build", BUILD, "--fake")
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        cls.said = done.stdout

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name

    def files(self):
        return [os.path.join(folder, name) for folder, _, names in os.walk(self.pack) for name in names]

    def variant(self, **programs):
        """The pack with shell scripts in place of some programs."""
        copy = os.path.join(self.folder(), "pack")
        shutil.copytree(self.pack, copy, copy_function=os.link)
        for name, text in programs.items():
            write_program(os.path.join(copy, "bin", name), text)
        return copy

    def start(self, pack, *arguments, shims=None):
        """gpu-check with no environment but a PATH, in a folder of its own; shims: scripts found before other programs."""
        cwd = self.folder()
        path = "/usr/bin:/bin"
        if shims:
            os.mkdir(os.path.join(cwd, "shims"))
            path = os.path.join(cwd, "shims") + ":" + path
            for name, text in shims.items():
                write_program(os.path.join(cwd, "shims", name), text)
        process = subprocess.Popen([os.path.join(pack, "gpu-check"), *arguments], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd, env={"PATH": path},
                                   # A shell cannot trap what was ignored when it began, as SIGINT is in the background.
                                   preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        return process, cwd

    def finish(self, process, cwd, name="gpu-fake-gpu.md"):
        """(exit code, output, the document, {section: result}); nothing else may be left in the folder."""
        output = process.communicate(timeout=LIMIT_S)[0].decode()
        self.assertEqual(sorted(n for n in os.listdir(cwd) if n != "shims"), [name], output)
        with open(os.path.join(cwd, name), encoding="utf-8") as f:
            document = f.read()
        return process.returncode, output, document, dict(re.findall(r"(?m)^\| (.+?) \| (.+) \| \d+ \|$", document))

    def run_it(self, pack, *arguments, shims=None):
        return self.finish(*self.start(pack, *arguments, shims=shims))

    def test_the_pack_is_small_and_says_what_to_do_next(self):
        size = sum(os.path.getsize(path) for path in self.files())
        self.assertLess(size, LIMIT_BYTES)
        self.assertIn(f"{self.pack}: {size / 1e6:.1f} MB in {len(self.files())} files\n", self.said)
        self.assertIn(f"{self.pack}/gpu-check --quick ", self.said)

    def test_every_library_that_is_needed_is_in_the_pack_or_of_the_c_library(self):
        unpacked = self.folder()  # as gpu-check does with libraries of train_images
        for path in glob.glob(os.path.join(glob.escape(self.pack), "lib", "training", "*.gz")):
            with gzip.open(path) as f, open(os.path.join(unpacked, os.path.basename(path)[:-3]), "wb") as out:
                shutil.copyfileobj(f, out)
        there = {os.path.basename(path) for path in self.files()} | set(os.listdir(unpacked))
        elves = [path for path in self.files() + glob.glob(unpacked + "/*") if is_elf(path)]
        self.assertGreater(len(elves), 10)
        for path in elves:
            dynamic = subprocess.run(["readelf", "-d", path], stdout=subprocess.PIPE, text=True, check=True).stdout
            for name in re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic):
                if not C_LIBRARY.fullmatch(name):
                    self.assertIn(name, there, path)
                else:
                    self.assertTrue(os.path.exists(os.path.join(self.pack, "lib", "c", name)), f"{path} needs {name}")
        # As the loader sees it: nothing of this machine beside the C library.
        for path in glob.glob(os.path.join(glob.escape(self.pack), "bin", "*")):
            listed = subprocess.run(["ldd", path], stdout=subprocess.PIPE, text=True, check=True,
                                    env={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": os.path.join(self.pack, "lib") + ":" + unpacked}).stdout
            for name, place in re.findall(r"(\S+) => (.+?) \(0x", listed):
                self.assertTrue(place.startswith((self.pack + os.sep, unpacked)) or C_LIBRARY.fullmatch(name), f"{path}: {name} is {place}")

    def test_it_runs_to_its_end_without_an_environment(self):
        # A stand-in for compute-sanitizer that runs what it is given.
        sanitizer = ('echo "checked by $2"; while [ "${1#*device_contract}" = "$1" ]; do shift; done; exec "$@"\n')
        code, output, document, results = self.run_it(self.pack, "--quick", shims={"compute-sanitizer": sanitizer})
        self.assertEqual(code, 0, output + document)
        self.assertEqual(list(results), SECTIONS)
        self.assertRegex(output, r"^Fake GPU: at most 2 minutes; gpu-fake-gpu\.md\n\[ 1/10\] machine ")
        self.assertRegex(output, r"\ndone: gpu-fake-gpu\.md\n$")
        self.assertIn("\n# The procedure on the fake driver: no figure of a GPU\n", document)
        self.assertIn("State: complete, ", document)
        for section in ("machine", "device contract", "memcheck", "two workers", "drawn jobs", "geeps bench gpu"):
            self.assertEqual(results[section], "PASS", document)
        for section in ("racecheck", "initcheck", "synccheck"):
            self.assertEqual(results[section], "not run: --quick runs memcheck alone")
        self.assertRegex(results["train_images"], r"^(PASS|not run: the pack holds no images: .+|not run: .+ no option --device)$")
        for line in (r"  cuda:0  Fake GPU, 1\.0 GiB; plugin", r"seeds 1 to \d+: \d+ cases, 0 failed", r"checked by memcheck",
                     r"\[1\] rank 1 of 2: after 10 clocks", r"1 scenarios, 0 show something else than they may",
                     r"gather      rows of  128 B, .* share", r"two processes over tcp, one device, "):
            self.assertRegex(document, r"(?m)^" + line)
        self.assertNotIn(self.pack, document)

    def test_an_interrupted_run_leaves_what_it_has_and_no_process(self):
        pack = self.variant(device_contract='echo "seeds 1 to 1: 22 cases, 0 failed"\n', device_jobs="exec sleep 1000\n")
        for number in (signal.SIGINT, signal.SIGTERM):
            process, cwd = self.start(pack, "--quick")
            seen = b""
            while b"drawn jobs" not in seen:
                piece = os.read(process.stdout.fileno(), 4096)
                self.assertNotEqual(piece, b"", seen)
                seen += piece
            process.send_signal(number)
            code, output, document, results = self.finish(process, cwd)
            self.assertEqual(code, 130)
            self.assertIn("interrupted; gpu-fake-gpu.md holds what is there\n", output)
            self.assertIn("State: interrupted, ", document)
            self.assertEqual((results["machine"], results["device contract"], results["drawn jobs"]),
                             ("PASS", "PASS", "interrupted"))
            self.assertNotIn("train_images", results)
            self.assertIn("seeds 1 to 1: 22 cases, 0 failed\n", document)
            self.check_no_process_is_left(pack)

    def check_no_process_is_left(self, pack):
        deadline = time.monotonic() + 10  # killed ones take a moment
        while self.processes_of(pack) and time.monotonic() < deadline:
            os.sched_yield()
        self.assertEqual(self.processes_of(pack), [])

    @staticmethod
    def processes_of(pack):
        found = []
        for path in glob.glob("/proc/[0-9]*/environ"):
            try:
                with open(path, "rb") as f:
                    if os.path.join(pack, "lib").encode() in f.read():
                        found.append(path)
            except OSError:
                pass
        return found

    def test_sections_that_fail_or_hang_are_told_and_the_run_goes_on(self):
        pack = self.variant(device_contract='echo "seed 1, \\"a case\\": it is wrong"; exit 1\n', device_jobs="exec sleep 1000\n")
        # Its limit passes at once.
        timeout = 'case "$*" in *jobs) shift 3; exec /usr/bin/timeout -k 1 0.3 "$@" ;; *) exec /usr/bin/timeout "$@" ;; esac\n'
        code, output, document, results = self.run_it(pack, "--quick", shims={"timeout": timeout})
        self.assertEqual(code, 1)
        self.assertEqual(results["device contract"], "FAIL: exit code 1")
        self.assertIn('\nseed 1, "a case": it is wrong\n', document)
        self.assertIn('        seed 1, "a case": it is wrong\n', output)
        self.assertRegex(results["drawn jobs"], r"^FAIL: not done after its limit of \d+ s$")
        self.assertEqual((results["two workers"], results["geeps bench gpu"]), ("PASS", "PASS"))
        self.assertIn("State: complete, ", document)
        self.assertRegex(output, r"\n2 sections failed; gpu-fake-gpu\.md\n$")
        self.check_no_process_is_left(pack)

    def test_a_section_without_time_left_is_not_run(self):
        pack = self.variant(device_contract="exit 0\n", device_jobs="exit 0\n")
        # A clock on which every look takes ten seconds.
        date = ('case "$*" in +%s) ;; *) exec /usr/bin/date "$@" ;; esac\n'
                'n=$(cat "$0.count" 2>/dev/null || echo 0); n=$((n + 10)); echo $n >"$0.count"; echo $((1000000 + n))\n')
        code, _, document, results = self.run_it(pack, "--quick", shims={"date": date})
        self.assertEqual(code, 0, document)
        self.assertEqual(results["machine"], "PASS")
        self.assertEqual(results["geeps bench gpu"], "not run: no time left")

    def test_without_a_device_every_section_that_needs_one_fails(self):
        pack = self.variant()
        shutil.rmtree(os.path.join(pack, "lib", "fake"))
        process, cwd = self.start(pack, "--quick")
        code, _, document, results = self.finish(process, cwd, "gpu-no-gpu-found.md")
        self.assertEqual(code, 1)
        for section in ("machine", "device contract", "drawn jobs", "geeps bench gpu"):
            self.assertEqual(results[section], "FAIL: exit code 1", document)
        self.assertEqual(results["two workers"], "PASS")
        self.assertIn("no device can be used: see the line cuda above\n", document)

    def train(self, device, output="cat"):
        """The section train_images with a stand-in whose device is the host; `device`: what it adds to runs on it; `output`:
        what becomes of their output."""
        if not os.path.exists(os.path.join(self.pack, "data")):
            self.skipTest("the pack holds no images")
        pack = self.variant()
        os.rename(os.path.join(pack, "bin", "train_images"), os.path.join(pack, "bin", "real"))
        write_program(os.path.join(pack, "bin", "train_images"), f"""
if [ "$1" = --help ]; then echo "  --device NAME"; exit; fi
more= output=cat
for argument; do
  shift
  case $argument in
    --device) more="{device}" output={shlex.quote(output)} ;;
    cuda | --plain) ;;
    *) set -- "$@" "$argument" ;;
  esac
done
"${{0%/*}}/real" "$@" $more | sh -c "$output"
""")
        with tempfile.TemporaryDirectory() as work:
            done = subprocess.run(["sh", os.path.join(pack, "gpu-check"), "--section", "1", "0", work, "training"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  env={"PATH": "/usr/bin:/bin"}, check=False, timeout=LIMIT_S)
            return done, sorted(n for n in os.listdir(work) if n.endswith(".bin"))

    def test_training_on_the_device_is_held_beside_the_host_and_repeated(self):
        done, saved = self.train("")
        self.assertEqual((done.returncode, saved), (0, ["first.bin", "host.bin", "plain.bin", "second.bin"]), done.stdout)
        self.assertRegex(done.stdout, r"\ntest accuracy: host 0\.\d+, device 0\.\d+; parameters of two runs on the device: the same bits\n"
                                      r"(images per second, (host|first|second|plain): \d+\n){4}$")

    def test_training_that_is_not_repeated_to_the_bit_or_does_not_learn_fails(self):
        done, _ = self.train("--seed $$")
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stdout.endswith("two runs on the device end with different parameters\n"), done.stdout)
        done, _ = self.train("", "sed 's/\"test_accuracy\": [0-9.]*/\"test_accuracy\": 0.01/'")
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stdout.endswith("the device's test accuracy is more than 0.02 below the host's\n"), done.stdout)

    def test_the_c_library_of_the_pack_serves_where_that_of_the_system_is_older(self):
        with tempfile.TemporaryDirectory() as work:
            for section, wanted in (("hello", "rank 1 of 2: after 10 clocks"), ("info", "cuda:0  Fake GPU"),
                                    ("bench", "two processes over tcp, one device")):
                done = subprocess.run(["sh", os.path.join(self.pack, "gpu-check"), "--section", "1", "1", work, section],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      env={"PATH": "/usr/bin:/bin"}, check=False, timeout=LIMIT_S)
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertIn(wanted, done.stdout)

    def test_what_cannot_be_packed_is_said(self):
        folder = self.folder()
        done = pack_into(os.path.join(folder, "pack"), "--build", os.path.join(folder, "nothing"))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^tools/gpu-check: .*/runtime/libgeeps\.so\.0 is not there: ninja -C ")
        with open(os.path.join(folder, "mine"), "w", encoding="utf-8") as f:
            f.write("a file that is no pack's\n")
        done = pack_into(folder, "--build", BUILD, "--fake")
        self.assertEqual((done.returncode, done.stderr), (1, f"tools/gpu-check: {folder} is there and is no pack\n"))
        self.assertTrue(os.path.exists(os.path.join(folder, "mine")))
        self.assertEqual(subprocess.run([os.path.join(SOURCES, "tools", "gpu-check")], stderr=subprocess.PIPE, check=False).returncode, 2)

    def test_without_nvcc_it_says_that_the_pack_would_hold_no_kernels(self):
        folder = self.folder()
        build = os.path.join(folder, "build")
        for target in ("runtime/libgeeps.so.0", "tools/geeps/geeps", "tools/geeps/geeps_device_counted.so", "samples/hello",
                       "tests/cuda/device_contract", "tests/system/device_jobs", "transports/tcp/geeps_transport_tcp.so"):
            os.makedirs(os.path.dirname(os.path.join(build, target)), exist_ok=True)
            os.symlink(os.path.join(BUILD, target), os.path.join(build, target))
        done = pack_into(os.path.join(folder, "pack"), "--build", build)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"geeps_device_cuda\.so is not there: without nvcc .* the pack would hold no kernels")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
