# SPDX-License-Identifier: GPL-2.0-or-later
"""The files to read: images on memory-backed loop devices, and a file on disk. Drops them from the caches,
and throttles devices.
"""
import contextlib
import ctypes
import os
import shutil
import subprocess
import tempfile

MIB = 1 << 20
BLOCK_BYTES = 1 * MIB
# The sparse image has this many pieces of data, 1% of its size in total.
PIECES = 100


def run(*argv, **more):
    """Runs a command. Its output is shown only if it fails."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **more)
    if done.returncode != 0:
        raise RuntimeError(f"'{' '.join(map(str, argv))}' failed: {done.stdout.decode(errors='replace').strip()}")
    return done.stdout.decode()


def fill(path, size_bytes):
    with open(path, "wb") as f:
        block = os.urandom(16 * MIB)
        for n in range(0, size_bytes, len(block)):
            # Makes every block unique, at the cost of a copy.
            f.write(n.to_bytes(8, "little") + block[8:min(len(block), size_bytes - n)])


def pieces(size_bytes):
    """Offset and length of each piece of data in the sparse image."""
    length = size_bytes // 100 // PIECES // 65536 * 65536
    return [(n * (size_bytes // PIECES) // 65536 * 65536, length) for n in range(PIECES)]


def fill_sparse(path, size_bytes):
    with open(path, "wb") as f:
        f.truncate(size_bytes)
        for at, length in pieces(size_bytes):
            f.seek(at)
            f.write(os.urandom(length))


def evict(path):
    """Drops the page cache of this file or device only."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


class Throttle:
    """A control group whose members read from a device at a limited rate. Uses cgroup v1 or v2, whichever
    controls block devices.
    """

    def __init__(self):
        self.old = os.path.isdir("/sys/fs/cgroup/blkio")
        base = "/sys/fs/cgroup/blkio" if self.old else "/sys/fs/cgroup"
        self.path = os.path.join(base, f"snapfs-bench-{os.getpid()}")
        if not self.old:
            with open(os.path.join(base, "cgroup.subtree_control"), "w") as f:
                f.write("+io")
        os.mkdir(self.path)

    def join(self):
        """Runs in the child between fork and exec."""
        with open(os.path.join(self.path, "cgroup.procs"), "w") as f:
            f.write(str(os.getpid()))

    @contextlib.contextmanager
    def limited(self, devices, bytes_per_s):
        """None: no limit."""
        if bytes_per_s:
            self.limit(devices, bytes_per_s)
        try:
            yield
        finally:
            if bytes_per_s:
                self.limit(devices, None)

    def limit(self, devices, bytes_per_s):
        for device in devices:
            number = os.stat(device).st_rdev
            number = f"{os.major(number)}:{os.minor(number)}"
            if self.old:
                name, line = "blkio.throttle.read_bps_device", f"{number} {bytes_per_s or 0}"
            else:
                name, line = "io.max", f"{number} rbps={bytes_per_s or 'max'}"
            with open(os.path.join(self.path, name), "w") as f:
                f.write(line)

    def close(self):
        os.rmdir(self.path)


class Ground:
    """A directory with all files to read. All contestants serve images with the same content."""

    IMAGES = 4

    def __init__(self, size_bytes, sparse_bytes):
        self.size_bytes, self.sparse_bytes = size_bytes, sparse_bytes
        self.undo = contextlib.ExitStack()
        try:
            self.throttle = Throttle()
            self.undo.callback(self.throttle.close)
            self.make()
        except BaseException:
            self.undo.close()
            raise

    def make(self):
        self.work = tempfile.mkdtemp(prefix="snapfs-bench.", dir="/var/tmp")
        self.undo.callback(shutil.rmtree, self.work, ignore_errors=True)
        self.memory = self.mounted("memory", "-t", "tmpfs", "-o", "size=80%", "tmpfs")
        # Raw devices for the rivals. For snapfs, a file system on which snapshots share blocks with their
        # originals.
        self.raw = [self.loop(f"raw{n}", self.size_bytes) for n in range(self.IMAGES)]
        self.raw_sparse = self.loop("raw-sparse", self.sparse_bytes)
        self.images_device = self.loop("images", self.size_bytes * (self.IMAGES + 2) + (512 << 20))
        run("mkfs.xfs", "-q", self.images_device)
        self.images_dir = self.mounted("images", self.images_device)
        self.images = [os.path.join(self.images_dir, f"image{n}") for n in range(self.IMAGES)]
        self.sparse = os.path.join(self.images_dir, "sparse")
        self.on_disk = os.path.join(self.work, "on-disk")
        self.copies = os.path.join(self.memory, "copies")
        os.mkdir(self.copies)
        for image, raw in zip(self.images, self.raw):
            fill(image, self.size_bytes)
            run("dd", f"if={image}", f"of={raw}", "bs=4M", "conv=fsync")
        fill_sparse(self.sparse, self.sparse_bytes)
        run("dd", f"if={self.sparse}", f"of={self.raw_sparse}", "bs=64K", "conv=sparse,fsync")
        run("cp", self.images[0], self.on_disk)
        run("sync", "-f", self.on_disk)
        run("sync", "-f", self.images_dir)

    def mounted(self, name, *what):
        path = os.path.join(self.work, name)
        os.mkdir(path)
        run("mount", *what, path)
        self.undo.callback(run, "umount", path)
        return path

    def loop(self, name, size_bytes):
        path = os.path.join(self.memory, name + ".backing")
        with open(path, "wb") as f:
            f.truncate(size_bytes)
        device = run("losetup", "--find", "--show", path).strip()
        self.undo.callback(run, "losetup", "-d", device)
        return device

    def devices(self):
        return [*self.raw, self.images_device]

    def free_caches(self):
        """Drops everything below the contestants from the caches."""
        for path in (*self.raw, self.raw_sparse, self.on_disk, *self.images, self.sparse):
            evict(path)

    def close(self):
        self.undo.close()


def die_with_parent():
    """Runs in a child: makes it end when this program ends, however that happens."""
    ctypes.CDLL(None).prctl(1, 15)  # PR_SET_PDEATHSIG, SIGTERM
