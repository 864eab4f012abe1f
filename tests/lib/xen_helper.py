# SPDX-License-Identifier: GPL-2.0-or-later
"""A fake Xen helper for tests without Xen. It plays a scenario over the socket that is its standard output;
backends/common/helper/wire.h describes the protocol.

A scenario is a program that imports everything from here and calls begin(DIRECTORY), then on(OP, STEP...) for
each request that it answers differently from the ordinary helper, then run(). A step is a function of the
request. on(..., first=N) applies only to the first N requests of that kind, counted over all helpers. Files
in DIRECTORY:
    power.NAME    a domain's power state; no file: off
    vms.json      the event that reports all VMs; sent again whenever it changes
    log           what has happened, one "PID WORDS" a line
"""
import array
import json
import os
import select
import signal
import socket
import sys
import time

DEADLINE = 60
HOST = "xen 4.17 cpu 1f8bfbff:00000001:00000000:00000000:00000000:00000000:00000000:0000000f"
RAM = b"RAM of a guest\n" * 4096


class Helper:
    """The state of this process."""

    def __init__(self, where):
        self.where = where
        self.socket = socket.socket(fileno=os.dup(1))
        self.heard = b""
        self.passed = -1
        self.resting = None
        self.handlers = {}

    def path(self, name):
        return os.path.join(self.where, name)


h = None


def begin(where):
    global h
    h = Helper(where)
    os.dup2(2, 1)
    log("began")


def log(words):
    fd = os.open(h.path("log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(fd, f"{os.getpid()} {words}\n".encode())
    os.close(fd)


def send(**members):
    try:
        h.socket.sendall(json.dumps(members, ensure_ascii=False).encode() + b"\n")
    except BrokenPipeError:
        pass  # the next read returns the end


def receive():
    """Receives more data from the daemon. Returns False at its end."""
    data, control, _, _ = h.socket.recvmsg(65536, socket.CMSG_SPACE(4))
    for _, _, rights in control:
        h.passed = array.array("i", rights)[0]
    h.heard += data
    return bool(data)


def next_request():
    while b"\n" not in h.heard:
        if not receive():
            return None
    line, h.heard = h.heard.split(b"\n", 1)
    request = json.loads(line)
    log(request["op"] + (" " + request["name"] if "name" in request else ""))
    return request


def power_of(name):
    try:
        with open(h.path("power." + name), encoding="utf8") as f:
            return f.read().strip()
    except FileNotFoundError:
        return "off"


def set_power(name, power):
    if power == "off":
        if os.path.exists(h.path("power." + name)):
            os.unlink(h.path("power." + name))
        return
    new = h.path(f"power.{name}.{os.getpid()}")
    with open(new, "w", encoding="utf8") as f:
        f.write(power)
    os.rename(new, h.path("power." + name))


# --- steps ---


def ok(**members):
    return lambda request: send(ok=True, **members)


def fail(errno, text):
    """Answers with a failure. A save's descriptor is closed first."""
    return lambda request: (close(request), send(ok=False, errno=errno, text=text))


def say(text):
    return lambda request: h.socket.sendall(text.encode("latin-1"))


def note(words):
    return lambda request: log(words)


def die(status):
    return lambda request: os._exit(status)


def complain(words):
    return lambda request: print(words, file=sys.stderr, flush=True)


def killed(request):
    os.kill(os.getpid(), signal.SIGKILL)


def hang(request):
    """Ignores even that the daemon hangs up. It ends with its parent, so a crashed test leaves nothing
    behind.
    """
    log("hangs")
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.1)


def wait(name):
    """Waits until a file of that name exists."""

    def step(request):
        until = time.monotonic() + DEADLINE
        while not os.path.exists(h.path(name)):
            if time.monotonic() > until:
                sys.exit(f"{name} did not appear within {DEADLINE} s")
            time.sleep(0.002)

    return step


def until_words(request):
    """Waits until the daemon has sent something or closed the socket, without reading it."""
    if b"\n" not in h.heard:
        select.select([h.socket], [], [], DEADLINE)
    log("words have come")


def until_told(op):
    def step(request):
        told = next_request()
        if not told or told["op"] != op:
            sys.exit(f"got {told} instead of {op}")

    return step


def close(request):
    if h.passed >= 0:
        os.close(h.passed)
    h.passed = -1


def write(data):
    def step(request):
        left = data
        while left:
            left = left[os.write(h.passed, left) :]

    return step


def paused(request):
    send(event="paused")


def rest(request):
    h.resting = request["name"]
    set_power(request["name"], "paused")


def go_on(request):
    h.resting = None
    if power_of(request["name"]) != "off":
        set_power(request["name"], "running")


def off(request):
    h.resting = None
    set_power(request["name"], "off")


def rename(request):
    set_power(request["to"], power_of(request["name"]))
    set_power(request["name"], "off")


def done(request):
    close(request)
    send(ok=True)


def tell_power(request):
    send(ok=True, power=power_of(request["name"]))


def tell_once(request):
    with open(h.path("vms.json"), "rb") as f:
        vms = f.read()
    h.socket.sendall(vms)
    return vms


def tell_vms(request):
    """Sends the VMs now and after each change, until the daemon sends something or closes the socket."""
    sent = tell_once(request)
    while not select.select([h.socket], [], [], 0.005)[0]:
        with open(h.path("vms.json"), "rb") as f:
            changed = f.read() != sent
        if changed:
            sent = tell_once(request)


def only_running(request):
    if power_of(request["name"]) == "off":
        send(ok=False, errno=22, text=f"{request['op']}: there is no domain '{request['name']}'")
        return True
    return False


# --- the ordinary helper ---

ORDINARY = {
    "hello": [ok(protocol=2, version="4.17.5")],
    "host": [ok(host=HOST)],
    "watch": [ok(), tell_vms],
    "power": [tell_power],
    "pause": [only_running, rest, ok()],
    "save": [only_running, write(RAM), paused, rest, done],
    "abort": [],
    "resume": [go_on, ok()],
    "stop": [off, ok()],
    "rename": [only_running, rename, ok()],
}


def count(op):
    """The number of such requests that all helpers have received, including the current one."""
    with open(h.path("log"), encoding="utf8") as f:
        return sum(line.split()[1] == op for line in f)


def on(op, *steps, first=None):
    h.handlers.setdefault(op, []).append((first, steps))


def play(request):
    steps = ORDINARY[request["op"]]
    for first, others in h.handlers.get(request["op"], []):
        if first is None or count(request["op"]) <= first:
            steps = others
            break
    for step in steps:
        if step(request) is True:
            break


def run():
    while True:
        request = next_request()
        if not request:
            break
        play(request)
    if h.resting:
        name = h.resting
        go_on({"name": name})
        log("gave back " + name)
    for _, steps in h.handlers.get("end", []):
        for step in steps:
            step(None)
    log("ended")
