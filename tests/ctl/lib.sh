# SPDX-License-Identifier: GPL-2.0-or-later
# The library of the snapfsctl cases, on top of that of the mount cases.
# shellcheck shell=bash source=../mount/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../mount/lib.sh"

TOP=$(cd "$HERE/../.." && pwd)
SNAPFSCTL=${SNAPFSCTL:-$TOP/build/tools/snapfsctl/snapfsctl}
[ -x "$SNAPFSCTL" ] || die "$SNAPFSCTL is not built"
unset SNAPFS_MOUNT SNAPFS_TIMEOUT NO_COLOR

# ctl ARGUMENT...: snapfsctl on the mount of this case.
ctl() {
	"$SNAPFSCTL" --mount "$MNT" "$@"
}

# exits STATUS COMMAND...: checks the exit status of COMMAND; its output is in $WORK/out and $WORK/err. --json
# output is checked against the schema.
exits() {
	local wanted=$1 status=0
	shift
	"$@" >"$WORK/out" 2>"$WORK/err" </dev/null || status=$?
	[ "$status" = "$wanted" ] || die "'$*' ended with $status instead of $wanted: $(cat "$WORK/out" "$WORK/err")"
	[[ " $* " != *" --json "* ]] || [ "$wanted" = 2 ] || keeps_schema
}

# told TEXT: checks that standard error of the last command contains TEXT; printed TEXT: the same for standard
# output.
told() {
	grep -qF -- "$1" "$WORK/err" || die "standard error is '$(cat "$WORK/err")' instead of: $1"
}

printed() {
	grep -qF -- "$1" "$WORK/out" || die "standard output is '$(cat "$WORK/out")' instead of: $1"
}

# keeps_schema [CONDITION]: checks that $WORK/out is one JSON document, d, that matches the schema and the
# Python condition.
keeps_schema() {
	python3 - "$TOP/tools/snapfsctl/schema.json" "$WORK/out" "${1:-True}" <<'PYTHON' || die "the answer is: $(cat "$WORK/out" "$WORK/err")"
import json
import sys

import jsonschema

schema, document, condition = sys.argv[1:]
with open(schema) as f:
    schema = json.load(f)
with open(document) as f:
    d = json.load(f)
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.Draft202012Validator(schema).validate(d)
if not eval(condition):
    sys.exit(f"{condition} does not hold")
PYTHON
}

# answers STATUS CONDITION ARGUMENT...: checks the exit status of snapfsctl --json, and its document d.
answers() {
	local wanted=$1 condition=$2
	shift 2
	exits "$wanted" ctl "$@" --json
	keeps_schema "$condition"
}

# history VM MODEL NAME=TIME...: copies the snapshot MODEL of image files to these names and times (UTC,
# without the Z). No daemon may run.
history() {
	python3 - "$STATE" "$DATA" "$@" <<'PYTHON'
import json
import os
import shutil
import sys
import uuid

state, data, vm, model, *wanted = sys.argv[1:]
top = os.path.join(state, vm)
with open(os.path.join(top, model, "meta.json")) as f:
    record = json.load(f)
with open(os.path.join(state, "id")) as f:
    place = os.path.join(data, ".snapfs", f.read().strip())
images = [os.path.join(place, disk["token"] + ".img") for disk in record["disks"]]
for entry in wanted:
    name, taken = entry.split("=")
    record.update(name=name, uuid=uuid.uuid4().hex, taken=taken + ".000000000Z", edited=taken + ".000000000Z")
    for disk, image in zip(record["disks"], images):
        disk["token"] = uuid.uuid4().hex
        shutil.copy2(image, os.path.join(place, disk["token"] + ".img"))
    os.mkdir(os.path.join(top, name), 0o700)
    with open(os.path.join(top, name, "meta.json"), "w") as f:
        json.dump(record, f)
PYTHON
}

# on_terminal COLUMNS INPUT COMMAND...: runs COMMAND on a terminal of that width, copies what it shows to
# $WORK/screen, and returns its exit status. INPUT is typed at once or, with TYPE_AFTER=TEXT, when the screen
# shows TEXT.
on_terminal() {
	python3 - "$@" >"$WORK/screen" <<'PYTHON'
import fcntl
import os
import pty
import struct
import sys
import termios

columns, text, *command = sys.argv[1:]
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(columns), 0, 0))
    os.environ["TERM"] = "xterm"
    os.execvp(command[0], command)
screen, after = b"", os.environ.get("TYPE_AFTER", "").encode()
while True:
    if text and after in screen:
        os.write(fd, text.encode())
        text = ""
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    screen += data
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PYTHON
}
