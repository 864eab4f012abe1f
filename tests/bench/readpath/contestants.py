# SPDX-License-Identifier: GPL-2.0-or-later
"""The contestants. Each serves the same images as files; the raw devices are the upper limit."""
import json
import os
import re
import signal
import subprocess
import time

from .ground import MIB, die_with_parent, evict, fill, run

START_S = 30


def await_that(what, holds, child):
    until = time.monotonic() + START_S
    while not holds():
        if child.poll() is not None:
            raise RuntimeError(f"{child.args[0]} ended with status {child.returncode} before there was {what}")
        if time.monotonic() > until:
            raise RuntimeError(f"waited {START_S} s for: {what}")
        time.sleep(0.02)


class Contestant:
    """images, sparse, on_disk: paths of the files that it serves. It runs from start() to stop()."""

    direct = False  # use O_DIRECT for loads that permit it

    def __init__(self, name, ground):
        self.name, self.ground = name, ground
        self.children = []
        self.peak_kib = 0

    def start(self):
        pass

    def evict(self):
        """Drops everything it serves from all caches."""
        for path in (*self.images, self.sparse, self.on_disk, *self.below()):
            evict(path)
        self.ground.free_caches()

    def below(self):
        """Other files to drop from the cache, such as those in which the served data is stored."""
        return []

    def spawn(self, *argv):
        def prepare():
            die_with_parent()
            self.ground.throttle.join()

        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, preexec_fn=prepare)
        self.children.append(child)
        return child

    def cpu_s(self):
        """CPU seconds of its processes so far."""
        ticks = 0
        for child in self.children:
            with open(f"/proc/{child.pid}/stat") as f:
                ticks += sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def note_memory(self):
        for child in self.children:
            with open(f"/proc/{child.pid}/status") as f:
                line = next(line for line in f if line.startswith("VmHWM:"))
            self.peak_kib = max(self.peak_kib, int(line.split()[1]))

    def stop(self):
        """Stops every process that has been started."""
        for child in reversed(self.children):
            child.send_signal(signal.SIGTERM)
            child.wait(START_S)
        self.children = []


class Raw(Contestant):
    def __init__(self, name, ground, direct):
        super().__init__(name, ground)
        self.direct = direct
        self.images, self.sparse, self.on_disk = ground.raw, ground.raw_sparse, ground.on_disk


class File(Contestant):
    """The file below a memory.sav, in the state directory."""

    images = ()

    def evict(self):
        evict(self.ground.memory_sav)

    @property
    def memory_sav(self):
        return self.ground.memory_sav


class Snapfs(Contestant):
    """One daemon with a snapshot `s` of each image. program: the binary, so that two versions can be
    compared.
    """

    def __init__(self, name, ground, program):
        super().__init__(name, ground)
        self.program = program
        plain = re.sub(r"\W", "_", name)
        self.mnt = os.path.join(ground.work, plain + ".mnt")
        self.state = os.path.join(ground.images_dir, plain + ".state")
        self.images = [os.path.join(self.mnt, f"vm{n}", "s", "disk.img") for n in range(len(ground.images))]
        self.sparse = os.path.join(self.mnt, "sparse", "s", "disk.img")
        self.on_disk = os.path.join(self.mnt, "on-disk", "s", "disk.img")
        self.memory_sav = os.path.join(self.mnt, "ram", "s", "memory.sav")
        self.ram_disk = os.path.join(ground.images_dir, plain + ".ram-disk")

    def start(self):
        os.mkdir(self.mnt)
        os.mkdir(self.state, 0o700)
        with open(self.mnt + ".conf", "w"):
            pass
        with open(self.ram_disk, "wb") as f:
            f.truncate(MIB)
        self.save_ram()
        vms = [f"vm{n}={image}" for n, image in enumerate(self.ground.images)]
        vms += [f"sparse={self.ground.sparse}", f"on-disk={self.ground.on_disk}", f"ram={self.ram_disk}"]
        self.mount("none", vms)
        for path in (*self.images, self.sparse, self.on_disk):
            os.mkdir(os.path.dirname(path))
        tops = (os.path.join(directory, ".snapfs") for directory in (self.ground.images_dir, self.ground.work))
        self.copies = [self.ground.memory_sav]
        self.copies += [os.path.join(parent, name) for top in tops for parent, _, names in os.walk(top) for name in names]

    def below(self):
        return [self.memory_sav, *self.copies]

    def mount(self, hypervisor, vms):
        options = [word for vm in vms for word in ("--vm", vm)]
        self.spawn(self.program, "-f", "--config", self.mnt + ".conf", "--hypervisor", hypervisor, "--state", self.state,
                   *options, self.mnt)
        await_that(f"the mount {self.mnt}", lambda: os.path.ismount(self.mnt), self.children[-1])

    def save_ram(self):
        """A sim guest has 4 MiB of RAM. A large file replaces it, which works because reads are not checked
        against its hash.
        """
        self.mount("sim", [f"ram={self.ram_disk}"])
        os.mkdir(os.path.dirname(self.memory_sav))
        self.stop()
        folder = os.path.join(self.state, "ram", "s")
        with open(os.path.join(folder, "meta.json")) as f:
            record = json.load(f)
        fill(os.path.join(folder, "memory.sav"), self.ground.size_bytes)
        record["memory"]["size_bytes"] = self.ground.size_bytes
        with open(os.path.join(folder, "meta.json"), "w") as f:
            json.dump(record, f)
        self.ground.memory_sav = os.path.join(folder, "memory.sav")



class Qemu(Contestant):
    """qemu-storage-daemon's FUSE export, with O_DIRECT below it, as for a guest that has its own cache."""

    def start(self):
        self.images, argv = [], []
        for n, device in enumerate((*self.ground.raw, self.ground.raw_sparse, self.ground.on_disk)):
            path = os.path.join(self.ground.work, f"{self.name}{n}")
            with open(path, "w"):
                self.images.append(path)
            kind = "file" if device == self.ground.on_disk else "host_device"
            node = {"driver": "raw", "node-name": f"n{n}", "read-only": True,
                    "file": {"driver": kind, "filename": device, "aio": "native", "cache": {"direct": True}, "read-only": True}}
            argv += ["--blockdev", json.dumps(node),
                     "--export", f"type=fuse,id=e{n},node-name=n{n},mountpoint={path},writable=off"]
        self.sparse, self.on_disk = self.images[-2:]
        del self.images[-2:]
        self.spawn("qemu-storage-daemon", *argv)
        for path in (*self.images, self.sparse, self.on_disk):
            await_that(f"the export {path}", lambda path=path: os.path.getsize(path) > 0, self.children[-1])


class Nbdfuse(Contestant):
    """nbdfuse over nbdkit's file plugin: one mount and one server for each image."""

    mounts = ()

    def start(self):
        self.images, self.mounts = [], []
        for n, device in enumerate((*self.ground.raw, self.ground.raw_sparse, self.ground.on_disk)):
            socket = os.path.join(self.ground.work, f"{self.name}{n}.socket")
            path = os.path.join(self.ground.work, f"{self.name}{n}")
            with open(path, "w"):
                self.images.append(path)
            self.spawn("nbdkit", "-f", "-r", "-U", socket, "file", device)
            await_that(f"nbdkit of {device}", lambda socket=socket: os.path.exists(socket), self.children[-1])
            self.spawn("nbdfuse", "-r", path, "--unix", socket)
        self.sparse, self.on_disk = self.images[-2:]
        for path in self.images:
            await_that(f"the mount {path}", lambda path=path: os.path.getsize(path) > 0, self.children[-1])
            self.mounts.append(path)
        del self.images[-2:]

    def stop(self):
        for path in self.mounts:
            run("umount", path)
        super().stop()
