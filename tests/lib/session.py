# SPDX-License-Identifier: GPL-2.0-or-later
"""Ends all processes of a case, which is started with start_new_session=True. Its process group is not enough:
`timeout` makes a group of its own.
"""
import os
import signal as signals
import subprocess
import time


def pids(leader):
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                # The fields after the name. A zombie has ended, but its parent has not noticed.
                state, _, _, session = file.read().rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                found.append(int(name))
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has ended
    return found


def signal(leader, number):
    for pid in pids(leader):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def end(child, seconds):
    """Sends SIGTERM to the session that child leads, SIGKILL to what is left of it then, and reaps child."""
    signal(child.pid, signals.SIGTERM)
    until = time.monotonic() + seconds
    while pids(child.pid) and time.monotonic() < until:
        child.poll()
        time.sleep(0.1)
    signal(child.pid, signals.SIGKILL)
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        pass  # it hangs in the kernel
