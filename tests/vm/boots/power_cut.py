# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of power-cut-snapfs that runs inside its kernels: a workload that durably logs each step before
and after it, and a check of the state that a power cut left.

    power_cut.py init | run STARTED | end

init makes a VG with a thin and a classic volume on /dev/ubda, and a file system on /dev/ubdb for snapfs's
state directory and the log. run brings everything up again, checks it against the log, makes the file
STARTED, and works until the power is cut. end checks, deletes every snapshot, and verifies that nothing is
left.

The content of the volumes consists of generations. Each generation changes some of the blocks of its parent;
the first one writes all. Disk, block number and the generation that wrote a block determine the block's
content.
"""
import functools
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import time

VG, POOL, VM = "vg", "pool", "web"
DISKS = ["thin", "classic"]
BLOCK = 4096
NBLOCKS = 1024
TOP = "/run/power-cut"  # in this kernel's memory
DISK = f"{TOP}/disk"  # the file system on /dev/ubdb
MNT = f"{TOP}/mnt"
LOG = f"{DISK}/log"
SNAPSHOTS_MAX = 5
PATIENCE_S = 40
SEED = os.environ.get("SNAPFS_TEST_SEED", "1")


class Wrong(Exception):
    pass


def must(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise Wrong(f"{' '.join(argv)}: status {done.returncode}: {done.stdout}")
    return done.stdout


def await_that(what, condition):
    until = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > until:
            raise Wrong(f"waited {PATIENCE_S} s for: {what}")
        time.sleep(0.05)


# --- the log: what has begun, what is done, and what must exist after it ---


class Log:
    """One JSON document a line. A line that the power cut tore counts as not written."""

    def __init__(self):
        self.fd = os.open(LOG, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.parents = {}  # generation -> its parent; None: the first one
        self.live = None  # generation
        self.snapshots = {}  # name -> generation
        self.pending = None
        text = os.pread(self.fd, os.fstat(self.fd).st_size, 0).decode()
        lines = text.splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):
            os.ftruncate(self.fd, len(text) - len(lines.pop()))
        for line in lines:
            self.apply(json.loads(line))

    def apply(self, entry):
        if "generation" in entry:
            self.parents[entry["generation"]] = entry["parent"]
        if entry["is"] == "begun":
            self.pending = entry
        else:
            self.pending, self.live, self.snapshots = None, entry["live"], entry["snapshots"]

    def write(self, **entry):
        line = (json.dumps(entry) + "\n").encode()
        if os.write(self.fd, line) != len(line):
            raise Wrong("cannot write the log")
        os.fsync(self.fd)
        self.apply(entry)

    def close(self):
        os.close(self.fd)

    def begin(self, op, **more):
        self.write(**{"is": "begun", "op": op}, **more)

    def done(self, live, snapshots):
        self.write(**{"is": "so", "live": live, "snapshots": snapshots})


# --- contents ---


def touches(generation, disk, i, parent):
    return parent is None or hashlib.sha256(f"{SEED} {generation} {disk} {i} touched".encode()).digest()[0] < 64


@functools.lru_cache(maxsize=4096)
def block(generation, disk, i):
    return (hashlib.sha256(f"{SEED} {generation} {disk} {i}".encode()).digest() * (BLOCK // 32))[:BLOCK]


@functools.lru_cache(maxsize=64)
def writers(log, generation, disk):
    """For each block, the generation that wrote it."""
    chain = []
    while generation is not None:
        chain.append(generation)
        generation = log.parents[generation]
    found = [None] * NBLOCKS
    for i in range(NBLOCKS):
        found[i] = next(g for g in chain if touches(g, disk, i, log.parents[g]))
    return found


def read_blocks(path):
    with open(path, "rb", buffering=0) as f:
        text = f.read(BLOCK * NBLOCKS + 1)
    if len(text) != BLOCK * NBLOCKS:
        raise Wrong(f"{path} has {len(text)} bytes")
    return [text[i * BLOCK:(i + 1) * BLOCK] for i in range(NBLOCKS)]


def differs(log, blocks, disk, generations):
    """The blocks whose content belongs to none of the generations."""
    wanted = [writers(log, generation, disk) for generation in generations]
    return [i for i in range(NBLOCKS) if all(blocks[i] != block(w[i], disk, i) for w in wanted)]


def write_generation(log, generation):
    parent = log.parents[generation]
    for disk in DISKS:
        fd = os.open(f"/dev/{VG}/{disk}", os.O_WRONLY)
        for i in range(NBLOCKS):
            if touches(generation, disk, i, parent):
                os.pwrite(fd, block(generation, disk, i), i * BLOCK)
        os.fsync(fd)
        os.close(fd)


# --- snapfs ---


class Daemon:
    def __init__(self):
        os.makedirs(MNT, exist_ok=True)
        self.log = open(f"{TOP}/snapfs.log", "ab+")
        argv = [os.environ["SNAPFS"], "-f", "--state", f"{DISK}/state", "--hypervisor", "none",
                "--vm", f"{VM}=" + ",".join(f"/dev/{VG}/{disk}" for disk in DISKS), MNT]
        self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        await_that("the mount", lambda: os.path.ismount(MNT) or self.child.poll() is not None)
        if self.child.poll() is not None:
            raise Wrong(f"snapfs does not start: {self.said()}")

    def said(self):
        with open(f"{TOP}/snapfs.log", errors="replace") as f:
            return f.read()

    def stop(self):
        must("umount", MNT)
        if self.child.wait(PATIENCE_S):
            raise Wrong(f"snapfs ends with status {self.child.returncode}: {self.said()}")


def files_of(name):
    found = sorted(n for n in os.listdir(f"{MNT}/{VM}/{name}") if n.startswith("disk"))
    found.sort(key=lambda n: n != "disk.img")
    return [f"{MNT}/{VM}/{name}/{n}" for n in found]


def health():
    with open(f"{MNT}/.snapfs/health.json") as f:
        return json.load(f)


def lvs():
    return must("lvs", "--noheadings", "-o", "lv_name", VG).split()


# --- the check ---


def check_live(log):
    """Returns the generation that the volumes hold, or None if it is only partly written."""
    pending = log.pending or {}
    if pending.get("op") == "write":
        for disk in DISKS:
            bad = differs(log, read_blocks(f"/dev/{VG}/{disk}"), disk, [log.live, pending["generation"]])
            if bad:
                raise Wrong(f"{disk} holds neither generation {log.live} nor {pending['generation']} at blocks {bad[:8]}")
        return None
    allowed = [log.live] + ([log.snapshots[pending["name"]]] if pending.get("op") == "revert" else [])
    wrong = {}
    for generation in allowed:
        wrong[generation] = [(disk, differs(log, read_blocks(f"/dev/{VG}/{disk}"), disk, [generation])[:8]) for disk in DISKS]
        if not any(bad for _, bad in wrong[generation]):
            return generation
    raise Wrong(f"the volumes hold none of the generations {allowed}: {wrong}")


def names_allowed(log, live):
    """Snapshots that must exist, and snapshots that may; name -> generation."""
    must_be, may_be = dict(log.snapshots), {}
    pending = log.pending or {}
    if pending.get("op") == "create":
        may_be[pending["name"]] = log.live
    elif pending.get("op") in ("delete", "rename"):
        may_be[pending["name"]] = must_be.pop(pending["name"])
        if pending["op"] == "rename":
            may_be[pending["to"]] = may_be[pending["name"]]
    return must_be, may_be


def check_names(log, live, names):
    """Returns name -> generation."""
    pending = log.pending or {}
    must_be, may_be = names_allowed(log, live)
    found, new = {}, []
    for name in names:
        generation = must_be.get(name, may_be.get(name))
        if generation is None:
            new.append(name)
        else:
            found[name] = generation
    lost = [name for name in must_be if name not in found]
    if lost:
        raise Wrong(f"lost: {lost}; there are {names}; {pending} was in flight")
    if pending.get("op") == "rename" and (pending["name"] in found) == (pending["to"] in found):
        raise Wrong(f"after {pending}: {names}")
    left = pending.get("op") == "revert" and live != log.live
    kept = left and not pending["discard"]
    for name in new:
        if not name.startswith("pre-revert-") or pending.get("op") != "revert" or pending["discard"]:
            raise Wrong(f"unexpected snapshot '{name}'; {pending} was in flight")
        found[name] = log.live
    same = pending.get("op") == "revert" and log.live == log.snapshots[pending["name"]]  # the states are indistinguishable
    if len(new) > 1 or (not same and (len(new) == 1) != bool(kept)):
        raise Wrong(f"after {pending} the volumes hold generation {live}, and of generation {log.live} there are {new}")
    return found


def check_snapshots(log, snapshots):
    for name, generation in snapshots.items():
        files = files_of(name)
        if len(files) != len(DISKS):
            raise Wrong(f"snapshot '{name}' has {files}")
        for disk, path in zip(DISKS, files):
            bad = differs(log, read_blocks(path), disk, [generation])
            if bad:
                raise Wrong(f"{path} is not of generation {generation} at blocks {bad[:8]}, {len(bad)} in all")


def check_volumes(snapshots):
    def strange():
        names = [name for name in lvs() if name not in DISKS + [POOL]]
        ours = [name for name in names if re.fullmatch("snapfs_[0-9a-f]{32}", name)]
        return [] if names == ours and len(ours) == len(DISKS) * len(snapshots) else names

    # The watch removes what a revert left.
    await_that(f"no volumes but those of {list(snapshots)}; there are {strange()}", lambda: not strange())


def check(log):
    await_that("good health", lambda: health()["ok"])
    live = check_live(log)
    snapshots = check_names(log, live, os.listdir(f"{MNT}/{VM}"))
    check_snapshots(log, snapshots)
    check_volumes(snapshots)
    if not health()["ok"]:
        raise Wrong(f"health: {health()}")
    return live, snapshots


# --- the work ---


def new_generation(log):
    return max(log.parents, default=0) + 1


def do_write(log, parent):
    generation = new_generation(log)
    log.begin("write", generation=generation, parent=parent)
    write_generation(log, generation)
    log.done(generation, log.snapshots)


def do_create(log, dice):
    name = f"s{dice.randrange(10**9)}"
    log.begin("create", name=name)
    os.mkdir(f"{MNT}/{VM}/{name}")
    log.done(log.live, {**log.snapshots, name: log.live})


def do_delete(log, dice):
    name = dice.choice(sorted(log.snapshots))
    log.begin("delete", name=name)
    os.rmdir(f"{MNT}/{VM}/{name}")
    log.done(log.live, {n: g for n, g in log.snapshots.items() if n != name})


def do_rename(log, dice):
    name, to = dice.choice(sorted(log.snapshots)), f"r{dice.randrange(10**9)}"
    log.begin("rename", name=name, to=to)
    os.rename(f"{MNT}/{VM}/{name}", f"{MNT}/{VM}/{to}")
    log.done(log.live, {to if n == name else n: g for n, g in log.snapshots.items()})


def do_revert(log, dice):
    name, discard = dice.choice(sorted(log.snapshots)), dice.random() < 0.5
    log.begin("revert", name=name, discard=discard)
    fd = os.open(f"{MNT}/{VM}/{name}/revert", os.O_WRONLY)
    os.write(fd, b"yes discard\n" if discard else b"yes\n")
    os.close(fd)
    snapshots = dict(log.snapshots)
    for new in set(os.listdir(f"{MNT}/{VM}")) - set(snapshots):
        snapshots[new] = log.live
    log.done(log.snapshots[name], snapshots)


def work(log, dice):
    while True:
        n = len(log.snapshots)
        if n == 0:
            do_create(log, dice)
        elif n >= SNAPSHOTS_MAX:
            do_delete(log, dice)
        else:
            dice.choices([lambda: do_write(log, log.live), lambda: do_create(log, dice), lambda: do_delete(log, dice),
                          lambda: do_rename(log, dice), lambda: do_revert(log, dice)], [2, 3, 2, 1, 4])[0]()


# --- the three commands ---


def init():
    must("vgcreate", "-y", VG, "/dev/ubda")
    must("lvcreate", "-y", "--type", "thin-pool", "-n", POOL, "-L", "256M", "-c", "64k", VG)
    must("lvcreate", "-y", "-n", "thin", "-V", f"{NBLOCKS * BLOCK}b", "--thinpool", POOL, VG)
    must("lvcreate", "-y", "-n", "classic", "-L", f"{NBLOCKS * BLOCK}b", VG)
    must("mkfs.ext4", "-q", "/dev/ubdb")
    os.makedirs(DISK)
    must("mount", "/dev/ubdb", DISK)
    log = Log()
    log.begin("write", generation=1, parent=None)
    write_generation(log, 1)
    log.done(1, {})
    log.close()
    must("umount", DISK)
    must("vgchange", "-an", VG)


def bring_up():
    """An LV that LVM was changing may fail to activate; the live volumes must not."""
    done = subprocess.run(["vgchange", "-ay", VG], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        print(f"vgchange -ay: status {done.returncode}: {done.stderr.strip()}")
    os.makedirs(DISK)
    must("mount", "/dev/ubdb", DISK)
    return Log()


def run(started):
    dice = random.Random(f"{SEED} {os.path.basename(started)}")
    log = bring_up()
    print(f"cut short: {log.pending}")
    daemon = Daemon()
    try:
        live, snapshots = check(log)
        log.done(live if live is not None else log.live, snapshots)
        open(started, "w").close()
        if live is None:
            do_write(log, None)
        work(log, dice)
    except (Wrong, OSError):
        print(f"the daemon said:\n{daemon.said()}\nhealth: {health()}\n{must('lvs', '-a', '-o', '+lv_tags,thin_id', VG)}")
        raise


def end():
    log = bring_up()
    daemon = Daemon()
    _, snapshots = check(log)
    for name in snapshots:
        os.rmdir(f"{MNT}/{VM}/{name}")
    check_volumes({})
    daemon.stop()
    if sorted(os.listdir(f"{DISK}/state")) != ["id", "lock"]:
        raise Wrong(f"left in the state directory: {os.listdir(f'{DISK}/state')}")
    log.close()
    must("umount", DISK)
    must("vgchange", "-an", VG)
    must("vgck", VG)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    os.makedirs(TOP, exist_ok=True)
    try:
        {"init": init, "run": run, "end": end}[sys.argv[1]](*sys.argv[2:])
    except Wrong as error:
        print(f"WRONG: {error}")
        sys.exit(1)
