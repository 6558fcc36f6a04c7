# SPDX-License-Identifier: Apache-2.0
"""The work of tools/gpu-check: gathers programs, plugins, the libraries they need, images and the script gpu_check.sh."""
import argparse
import glob
import gzip
import json
import os
import re
import shutil
import struct
import subprocess
import sys

LIMIT_BYTES = 60_000_000
ROOM_BYTES = 500_000       # kept free below it
COMPRESSED_FROM = 200_000  # libraries that only train_images needs: OpenBLAS alone would take more than half of the room

# (target of the build, place in the pack). What is optional depends on packages of the machine that builds.
PROGRAMS = [("tools/geeps/geeps", "bin/geeps"), ("tests/cuda/device_contract", "bin/device_contract"),
            ("tests/system/device_jobs", "bin/device_jobs"), ("samples/hello", "bin/hello")]
MODULES = [("transports/tcp/geeps_transport_tcp.so", "lib/geeps/plugins/geeps_transport_tcp.so"),
           ("tools/geeps/geeps_device_counted.so", "lib/geeps/geeps_device_counted.so")]
OPTIONAL = [("plugins/idx/geeps_source_idx.so", "lib/geeps/plugins/geeps_source_idx.so"),
            ("samples/train_images/train_images", "bin/train_images")]
LIBGEEPS = ("runtime/libgeeps.so.0", "lib/libgeeps.so.0")
KERNELS = "plugins/cuda/geeps_device_cuda.so"
FAKE_MODULE = "tests/cuda/geeps_device_cuda.so"
FAKE_DRIVERS = "tests/cuda/fake*/lib*.so*"
# train_images for the fake driver, and its kernels; where they are not built, the sample itself is packed.
FAKE_TRAINING = [("tests/cuda/train_images/train_images_on_fake", "bin/train_images"),
                 ("tests/cuda/train_images/train_images_fake_kernels.so", "lib/fake/train_images_fake_kernels.so")]
MODULE_PLACE = "lib/geeps/plugins/geeps_device_cuda.so"

# What a C library brings. The pack has its own copy, for machines whose C library is older.
C_LIBRARY = re.compile(r"(ld-linux[\w-]*|libc|libm|libmvec|libdl|libpthread|librt|libresolv|libutil|libanl)\.so\.\d+")
C_LIBRARY_REST = ("libdl.so.2", "libpthread.so.0", "librt.so.1", "libresolv.so.2", "libutil.so.1", "libmvec.so.1")
NO_FILE = re.compile(r"linux-(vdso|gate)")

# Fashion-MNIST, a part of it, and less where there is no room; the images of the set are in no order, so the first ones are a sample of it.
IMAGES = "/usr/share/datasets/fashion-mnist"
TRAIN_MAX, TEST_MAX = 20000, 5000
TRAIN_FAKE, TEST_FAKE = 1000, 200  # the fake driver is slow
BYTES_PER_IMAGE = 460  # compressed


class Problem(Exception):
    """A sentence for the user."""


def output_of(command, **kwargs):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=False, **kwargs).stdout


def libraries_of(path, search):
    """{name: file} of the shared libraries that a program or library needs, directly or not."""
    env = {**os.environ, "LD_LIBRARY_PATH": search}
    found = {}
    for line in output_of(["ldd", path], env=env).splitlines():
        match = re.match(r"\s*(?:(\S+) => )?(\S+)(?: \(0x[0-9a-f]+\))?$", line)
        if not match or NO_FILE.match(match.group(1) or match.group(2)):
            continue
        name, file = match.group(1) or os.path.basename(match.group(2)), match.group(2)
        if not os.path.isabs(file):
            raise Problem(f"{path} needs {name}, which is not found")
        found[name] = file
    return found


class Pack:
    def __init__(self, root, build, folder, fake):
        self.root = root
        self.build = build
        self.folder = folder
        self.fake = fake
        self.facts = []  # (key, value) of pack.txt

    def place(self, *parts):
        path = os.path.join(self.folder, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def take(self, source, place):
        """Copies a file, ours without what only a debugger needs."""
        to = self.place(place)
        shutil.copyfile(source, to)  # follows links
        os.chmod(to, 0o755)
        if source.startswith(self.build + os.sep) and shutil.which("strip"):
            subprocess.run(["strip", "--strip-unneeded", to], stderr=subprocess.DEVNULL, check=False)
        return to

    def write_compressed(self, place, data):
        with open(self.place(place), "wb") as raw, gzip.GzipFile("", "wb", 6, raw, 0) as f:
            f.write(data)

    def built(self, target):
        path = os.path.join(self.build, target)
        if not os.path.exists(path):
            raise Problem(f"{path} is not there: ninja -C {self.build} {target}")
        return path

    def take_programs(self):
        for target, place in [LIBGEEPS, *PROGRAMS, *MODULES]:
            self.take(self.built(target), place)
        module = os.path.join(self.build, FAKE_MODULE if self.fake else KERNELS)
        if not os.path.exists(module):
            raise Problem(f"{module} is not there: " + ("build it" if self.fake else
                          "without nvcc (CUDA 12.0 or later) when the build folder was set up, or not built since, the pack "
                          "would hold no kernels. --fake tests the procedure without them"))
        self.take(module, MODULE_PLACE)
        for target, place in [*OPTIONAL, *(FAKE_TRAINING if self.fake else [])]:
            if os.path.exists(os.path.join(self.build, target)):
                self.take(self.built(target), place)
        if self.fake:
            drivers = glob.glob(os.path.join(glob.escape(self.build), FAKE_DRIVERS))
            drivers = [d for d in drivers if os.path.isfile(d) and re.search(r"\.so\.\d+$", d)]
            if not drivers:
                raise Problem(f"{self.build}/{FAKE_DRIVERS} is not there: build it")
            for driver in drivers:
                self.take(driver, "lib/fake/" + os.path.basename(driver))

    def take_libraries(self):
        """The libraries of all that is there so far, those of the C library apart."""
        search = os.path.dirname(self.built(LIBGEEPS[0]))
        needed, needed_by_rest = {}, set()
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as f:
                    if f.read(4) != b"\x7fELF":
                        continue
                libraries = libraries_of(path, search)
                needed.update(libraries)
                if name != "train_images":
                    needed_by_rest.update(libraries)
        for name, file in sorted(needed.items()):
            if name == os.path.basename(LIBGEEPS[1]):
                continue
            if name not in needed_by_rest and os.path.getsize(file) > COMPRESSED_FROM:
                with open(file, "rb") as f:
                    self.write_compressed(f"lib/training/{name}.gz", f.read())
                continue
            in_c = C_LIBRARY.fullmatch(name)
            self.take(file, ("lib/c/" if in_c else "lib/") + name)
        # What the driver may want of the C library beside that: all of one version, or none.
        for name in C_LIBRARY_REST:
            file = os.path.join(os.path.dirname(os.path.realpath(needed["libc.so.6"])), name)
            if name not in needed and os.path.exists(file):
                self.take(file, "lib/c/" + name)
        loaders = [n for n in needed if n.startswith("ld-linux")]
        if len(loaders) != 1:
            raise Problem(f"the programs name {len(loaders)} dynamic loaders instead of one: {', '.join(loaders)}")
        self.facts.append(("loader", loaders[0]))

    def size(self):
        return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(self.folder) for name in names)

    def take_images(self):
        if not os.path.exists(os.path.join(self.folder, "bin", "train_images")):
            self.facts.append(("images", "none: no train_images, since OpenBLAS was missing where the pack was made"))
            return
        if not os.path.isdir(IMAGES):
            self.facts.append(("images", "none: no Fashion-MNIST where the pack was made"))
            return
        most_train, num_test = (TRAIN_FAKE, TEST_FAKE) if self.fake else (TRAIN_MAX, TEST_MAX)
        room = LIMIT_BYTES - ROOM_BYTES - self.size() - num_test * BYTES_PER_IMAGE
        num_train = min(most_train, room // BYTES_PER_IMAGE // 1000 * 1000)
        if num_train < 1000:
            self.facts.append(("images", f"none: no room for them below {LIMIT_BYTES} bytes"))
            return
        for prefix, count in (("train", num_train), ("t10k", num_test)):
            for kind in ("images-idx3", "labels-idx1"):
                self.take_idx(f"{prefix}-{kind}-ubyte.gz", count)
        self.facts.append(("images", f"the first {num_train} training and {num_test} test images of Fashion-MNIST, which has "
                                     "60000 and 10000: a pack stays small"))

    def take_idx(self, name, count):
        """The first `count` entries of an IDX file: a magic number, whose last byte counts the dimensions, these, the data."""
        with gzip.open(os.path.join(IMAGES, name)) as f:
            magic = f.read(4)
            sizes = struct.unpack(f">{magic[3]}I", f.read(4 * magic[3]))
            count = min(count, sizes[0])
            entry = 1
            for size in sizes[1:]:
                entry *= size
            data = f.read(count * entry)
        self.write_compressed("data/" + name, magic + struct.pack(f">{magic[3]}I", count, *sizes[1:]) + data)

    def take_script(self):
        with open(os.path.join(self.root, "tools", "lib", "gpu_check.sh"), encoding="utf-8") as f:
            text = f.read()
        with open(self.place("gpu-check"), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.place("gpu-check"), 0o755)

    def write_facts(self):
        with open(os.path.join(self.root, "VERSION"), encoding="utf-8") as f:
            version = f.read().strip()
        git = ["git", "-C", self.root]
        commit = output_of([*git, "rev-parse", "--short=12", "HEAD"]).strip() or "unknown"
        if output_of([*git, "status", "--porcelain", "--untracked-files=no"]).strip():
            commit += " with changes"
        options = {}
        described = os.path.join(self.build, "meson-info", "intro-buildoptions.json")
        if os.path.exists(described):
            with open(described, encoding="utf-8") as f:
                options = {option["name"]: option["value"] for option in json.load(f)}
        facts = [("version", version), ("commit", commit), ("fake", int(self.fake)),
                 ("optimization", options.get("optimization", "unknown")), ("c_library", " ".join(os.confstr("CS_GNU_LIBC_VERSION").split())),
                 *self.facts]
        with open(self.place("pack.txt"), "w", encoding="utf-8") as f:
            f.write("".join(f"{key}={value}\n" for key, value in facts))


def empty(folder):
    """An empty folder in place of nothing or of an earlier pack."""
    if os.path.isdir(folder) and os.listdir(folder):
        if not os.path.exists(os.path.join(folder, "pack.txt")):
            raise Problem(f"{folder} is there and is no pack")
        shutil.rmtree(folder)
    os.makedirs(folder, exist_ok=True)


def build_release(root, fake):
    """Brings build/check-gcc up to date, as tools/check does, as far as a pack needs it; returns the folder."""
    import check
    part = next(part for part in check.PARTS if part.name == "gcc")
    folder = os.path.join(root, "build", "check-gcc")
    logs = os.path.join(root, "build", "check-logs")
    os.makedirs(logs, exist_ok=True)
    print(f"building in {os.path.relpath(folder, root)}", flush=True)
    if not check.configure(root, folder, part, os.path.join(logs, "gpu-check-setup.log")):
        raise Problem("the build folder cannot be set up")
    known = {os.path.relpath(f, folder) for target in check.introspect(folder, "targets") for f in target["filename"]}
    if not fake and KERNELS not in known:
        raise Problem("there is no nvcc (CUDA 12.0 or later): the pack would hold no kernels. --fake tests the procedure "
                      "without them")
    wanted = [target for target, _ in [*PROGRAMS, *MODULES]] + [FAKE_MODULE if fake else KERNELS]
    wanted += [target for target, _ in [*OPTIONAL, *(FAKE_TRAINING if fake else [])] if target in known]
    wanted += [target for target in sorted(known) if fake and re.fullmatch(r"tests/cuda/fake[^/]*/lib[^/]*\.so\.\d+", target)]
    if not check.quiet(["ninja", "-C", folder, *wanted], os.path.join(logs, "gpu-check-build.log"), check.environment(part)):
        raise Problem("the build has failed")
    return folder


def make(root, build, folder, fake):
    empty(folder)
    pack = Pack(root, build, folder, fake)
    with open(pack.place("pack.txt"), "w", encoding="utf-8") as f:
        f.write("incomplete=1\n")  # whose folder this is, should the rest fail
    pack.take_programs()
    pack.take_libraries()
    pack.take_images()
    pack.take_script()
    pack.write_facts()
    size = pack.size()
    if size >= LIMIT_BYTES:
        raise Problem(f"{folder} has {size} bytes, {LIMIT_BYTES} are the limit")
    print(f"{folder}: {size / 1e6:.1f} MB in {sum(len(names) for _, _, names in os.walk(folder))} files")
    for key, value in pack.facts:
        if key == "images":
            print(f"images: {value}")
    print("" if fake else "On the machine with the GPU, which needs its driver and, for train_images, cuBLAS:")
    print("  " + os.path.join(folder, "gpu-check") + " --quick        at most 2 minutes; without --quick at most 8")
    print("It writes gpu-NAME.md into the folder where it is started"
          + (", whose title says that it was run on the fake driver." if fake else "; that file belongs into docs/results."))


def main(root, argv, doc):
    parser = argparse.ArgumentParser(prog="tools/gpu-check", usage=argparse.SUPPRESS, add_help=False)
    parser.add_argument("--pack")
    parser.add_argument("--build")
    parser.add_argument("--fake", action="store_true")
    parser.add_argument("-h", "--help", action="store_true")
    args = parser.parse_args(argv)
    if args.help:
        print(doc.strip())
        return 0
    if not args.pack:
        print("tools/gpu-check: --pack DIR is missing; --help explains", file=sys.stderr)
        return 2
    try:
        build = os.path.abspath(args.build) if args.build else build_release(root, args.fake)
        make(root, build, os.path.abspath(args.pack), args.fake)
    except Problem as problem:
        print(f"tools/gpu-check: {problem}", file=sys.stderr)
        return 1
    return 0
