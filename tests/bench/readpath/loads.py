# SPDX-License-Identifier: GPL-2.0-or-later
"""The loads. Each reads what a contestant serves, and measures the speed and the CPU time of reader and
contestant. A load returns a Sample.
"""
import dataclasses
import json
import os
import resource
import subprocess
import time

from .ground import MIB, pieces

RANDOM_S = 3
ALONE = ("raw", "raw direct")
SERVED = ("snapfs", "QEMU", "nbdfuse")
IMAGES = ("raw", "raw direct", *SERVED)


@dataclasses.dataclass
class Sample:
    value: float  # in the load's unit
    bytes: int = 0
    cpu_s: float = 0.0


@dataclasses.dataclass
class Load:
    name: str
    title: str
    measure: object  # (contestant) -> Sample
    unit: str = "MB/s"  # MB/s and IOPS: more is better; s: less is
    who: tuple = IMAGES  # names of contestants that take part
    cold: bool = True
    device_limit: int = 0  # bytes/s
    goals: tuple = ()  # (rival, ratio of ours to it)

    @property
    def less_is_better(self):
        return self.unit == "s"


def children_cpu_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(contestant, work):
    """Runs work() and measures it: seconds, and CPU seconds of its processes and of the contestant."""
    before = contestant.cpu_s() + children_cpu_s()
    began = time.monotonic()
    result = work()
    seconds = time.monotonic() - began
    return result, seconds, contestant.cpu_s() + children_cpu_s() - before


def child(contestant, *argv, fine=(0,), **more):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
                          preexec_fn=contestant.ground.throttle.join, **more)
    if done.returncode not in fine:
        raise RuntimeError(f"'{' '.join(argv)}' failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def fio(contestant, paths, *options):
    """Runs one fio for all paths. Returns fio's figures (bytes, seconds, reads) and the CPU time of all
    processes.
    """
    argv = ["fio", "--output-format=json", "--invalidate=0", "--readonly", "--thread", "--group_reporting",
            "--allow_file_create=0", *options]
    argv += [f"--name={n}\n--filename={path}" for n, path in enumerate(paths)]
    argv = [word for part in argv for word in part.split("\n")]
    before = contestant.cpu_s()
    text = child(contestant, *argv, stdout=subprocess.PIPE)
    job = json.loads(text[text.index(b"{"):])["jobs"][0]
    read = job["read"]
    reader_s = (job["usr_cpu"] + job["sys_cpu"]) / 100 * job["job_runtime"] / 1000
    return read["io_bytes"], read["runtime"] / 1000, read["total_ios"], contestant.cpu_s() - before + reader_s


def sequential(what, block_bytes, direct=None, njobs=1, engine="psync", part_bytes=None):
    """njobs readers for each path; each reads it whole, or up to the given limit."""
    def measure(contestant):
        paths = what(contestant)
        use_direct = contestant.direct if direct is None else direct
        done, seconds, _, cpu_s = fio(contestant, paths, "--rw=read", f"--bs={block_bytes}", f"--ioengine={engine}",
                                      f"--direct={int(use_direct and engine == 'psync')}", f"--numjobs={njobs}",
                                      *([f"--size={part_bytes}"] if part_bytes else []))
        return Sample(done / seconds / 1e6, done, cpu_s)
    return measure


def rand(what, njobs, direct):
    def measure(contestant):
        done, seconds, nreads, cpu_s = fio(contestant, what(contestant), "--rw=randread", "--bs=4k", "--ioengine=psync",
                                           f"--direct={int(direct)}", f"--numjobs={njobs}", "--norandommap",
                                           "--time_based", f"--runtime={RANDOM_S}")
        return Sample(nreads / seconds, done, cpu_s)
    return measure


def one(contestant):
    return contestant.images[:1]


def four(contestant):
    return contestant.images


def disk(contestant):
    return [contestant.on_disk]


def memory_sav(contestant):
    return [contestant.memory_sav]


def copying(*argv, fine=(0,)):
    """Copies the sparse image with a tool; {from} and {to} are replaced. fine: the exit statuses that count
    as success.
    """
    def measure(contestant):
        target = os.path.join(contestant.ground.copies, "copy")
        words = [word.format(**{"from": contestant.sparse, "to": target}) for word in argv]

        _, seconds, cpu_s = timed(contestant, lambda: child(contestant, *words, fine=fine))
        os.unlink(target)
        return Sample(seconds, contestant.ground.sparse_bytes // 100, cpu_s)
    return measure


def told_where(contestant):
    """dd of the 1% that is data, at known offsets, with O_DIRECT, one read for each piece."""
    target = os.path.join(contestant.ground.copies, "copy")

    def work():
        import mmap
        source = os.open(contestant.ground.raw_sparse, os.O_RDONLY | os.O_DIRECT)
        copy = os.open(target, os.O_WRONLY | os.O_CREAT)
        os.ftruncate(copy, contestant.ground.sparse_bytes)
        buffer = memoryview(mmap.mmap(-1, MIB))
        for at, length in pieces(contestant.ground.sparse_bytes):
            for off in range(at, at + length, MIB):
                part = buffer[:min(MIB, at + length - off)]
                os.pwrite(copy, part[:os.preadv(source, [part], off)], off)
        os.close(source)
        os.close(copy)

    began = time.monotonic()
    work()
    seconds = time.monotonic() - began
    os.unlink(target)
    return Sample(seconds, contestant.ground.sparse_bytes // 100)


def sparse_copy(tool):
    def measure(contestant):
        return told_where(contestant) if contestant.name in ALONE else tool(contestant)
    return measure


COPIERS = ("raw direct", *SERVED)
COPY = sparse_copy(copying("cp", "--sparse=auto", "{from}", "{to}"))

LOADS = [
    Load("seq-64k", "sequential, cold, 64 KiB", sequential(one, 64 << 10)),
    Load("seq-1m", "sequential, cold, 1 MiB", sequential(one, MIB),
         goals=(("raw direct", 0.6), ("QEMU", 5), ("nbdfuse", 5))),
    Load("seq-4m", "sequential, cold, 4 MiB", sequential(one, 4 * MIB)),
    Load("seq-1m-direct", "sequential, O_DIRECT, 1 MiB", sequential(one, MIB, direct=True), who=("raw direct", *SERVED)),
    Load("seq-1g", "sequential, cold, device at 1 GB/s", sequential(one, MIB, part_bytes=512 * MIB), device_limit=10**9,
         goals=(("raw direct", 0.95),)),
    Load("seq-200m", "sequential, cold, device at 200 MB/s", sequential(one, MIB, part_bytes=128 * MIB), device_limit=200 * 10**6,
         goals=(("raw direct", 0.95),)),
    Load("seq-disk", "sequential, cold, a file on disk", sequential(disk, MIB)),
    Load("warm", "sequential, warm, 1 MiB", sequential(one, MIB, direct=False), cold=False, who=("raw", *SERVED),
         goals=(("raw", 1.0),)),
    Load("four-one", "four readers, one image, cold", sequential(one, MIB, njobs=4)),
    Load("four-four", "four readers, four images, cold", sequential(four, MIB), goals=(("raw direct", 0.6),)),
    Load("mmap", "mmap walk, cold", sequential(one, 64 << 10, engine="mmap"), who=("raw", *SERVED)),
    Load("rand-1", "random 4 KiB, 1 reader, buffered, cold", rand(one, 1, False), unit="IOPS", who=("raw", *SERVED)),
    Load("rand-8", "random 4 KiB, 8 readers, buffered, cold", rand(one, 8, False), unit="IOPS", who=("raw", *SERVED)),
    Load("rand-1-direct", "random 4 KiB, 1 reader, O_DIRECT", rand(one, 1, True), unit="IOPS", who=("raw direct", *SERVED)),
    Load("rand-8-direct", "random 4 KiB, 8 readers, O_DIRECT", rand(one, 8, True), unit="IOPS", who=("raw direct", *SERVED),
         goals=(("raw direct", 0.4), ("QEMU", 3))),
    Load("cp", "cp --sparse=auto, 1% full, against dd of that 1%", COPY, unit="s", who=COPIERS, goals=(("raw direct", 1.3),)),
    # Status 1: the times of QEMU's file change meanwhile. nbdfuse reports that its files have no blocks, and
    # tar then stores none.
    Load("tar", "tar -S, 1% full", copying("tar", "-C", "/", "-ScPf", "{to}", "{from}", fine=(0, 1)), unit="s",
         who=("snapfs", "QEMU")),
    Load("rsync", "rsync -aS, 1% full", copying("rsync", "-aS", "{from}", "{to}"), unit="s", who=SERVED),
    Load("memory-sav", "memory.sav, cold, 1 MiB", sequential(memory_sav, MIB), who=("snapfs", "the file")),
]
# The load for which CPU seconds per GB are compared.
CPU_LOAD, CPU_GOAL = "seq-1m", ("QEMU", 0.5)
