# SPDX-License-Identifier: GPL-2.0-or-later
# The library of the cases in this folder: a daemon on its own directory, waiting, checking, and cleaning up.
# A case sources it, calls `start`, and passes if it reaches its end. $SNAPFS is the binary, $SNAPFS_TEST_DIR
# the file system to work on. A case never sleeps and never measures time: it waits for an event (`await`) or
# holds the daemon at a call (`hold`).
# shellcheck shell=bash disable=SC2034
set -euo pipefail
export LC_ALL=C TZ=UTC
PATH=$PATH:/usr/sbin:/sbin
umask 022

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/../lib/slow.sh"
SNAPFS=${SNAPFS:-$HERE/../../build/fs/snapfs}
# The longest wait for one event, in seconds. It only ends a case that hangs.
DEADLINE=${SNAPFS_TEST_DEADLINE:-$(slow 120)}

skip() {
	echo "skipped: $*"
	exit 77
}

die() {
	local line=${BASH_LINENO[0]} i
	for ((i = 0; i < ${#BASH_SOURCE[@]} - 1; i++)); do
		[ "${BASH_SOURCE[i]##*/}" = lib.sh ] || break
		line=${BASH_LINENO[i]}
	done
	echo "FAILED: ${0##*/}:$line: $*"
	exit 1
}

[ "$(id -u)" = 0 ] || skip "only root can mount"
[ -w /dev/fuse ] || skip "there is no /dev/fuse"
[ -x "$SNAPFS" ] || die "$SNAPFS is not built"

WORK=$(mktemp -d "${SNAPFS_TEST_DIR:-${TMPDIR:-/tmp}}/mount.XXXXXX")
chmod 0755 "$WORK" # some cases look at it with another user's eyes
MNT=$WORK/mnt
STATE=$WORK/state
DATA=$WORK/data
PID=
LOG=/dev/null
NLOGS=0
mkdir "$MNT" "$DATA"

# --- waiting and checking ---

# await WHAT COMMAND...: waits until COMMAND succeeds; the case fails at the deadline.
await() {
	local what=$1 until=$((SECONDS + DEADLINE))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$until" ] || die "waited $DEADLINE s for: $what"
		sleep 0.02
	done
}

# is EXPECTED ACTUAL WHAT
is() {
	[ "$1" = "$2" ] || die "$3: expected '$1', got '$2'"
}

# must COMMAND...: runs it and shows its output only if it fails.
must() {
	local said
	said=$("$@" 2>&1) || die "'$*' failed: $said"
}

same() {
	cmp "$1" "$2" || die "$1 and $2 differ"
}

there() {
	local path
	for path in "$@"; do
		[ -e "$path" ] || die "$path is not there"
	done
}

gone() {
	local path
	for path in "$@"; do
		[ ! -e "$path" ] || die "$path is there"
	done
}

declare -A ERRNO_TEXT=(
	[EPERM]="Operation not permitted" [ENOENT]="No such file or directory" [EINTR]="Interrupted system call"
	[EIO]="Input/output error" [EAGAIN]="Resource temporarily unavailable" [EACCES]="Permission denied"
	[EBUSY]="Device or resource busy" [EEXIST]="File exists" [ENOTDIR]="Not a directory" [EINVAL]="Invalid argument"
	[ENOSPC]="No space left on device" [EROFS]="Read-only file system" [ENAMETOOLONG]="File name too long"
	[EOPNOTSUPP]="Operation not supported" [ETIMEDOUT]="Connection timed out" [ENODATA]="No such attribute"
	[EXDEV]="Invalid cross-device link" [ENOTCONN]="Transport endpoint is not connected"
	[ENODEV]="No such device" [E2BIG]="Argument list too long" [ENOTEMPTY]="Directory not empty" [ESTALE]="Stale file handle")

# fails ERRNO COMMAND...: COMMAND fails and prints the text of that errno.
fails() {
	local text=${ERRNO_TEXT[$1]} said
	shift
	if said=$("$@" 2>&1); then
		die "'$*' succeeded; it should say: $text"
	fi
	[[ $said == *"$text"* ]] || die "'$*' said '$said' instead of: $text"
}

# write WORD FILE: one write(2) of the word, like `echo word > file`.
write() {
	echo "$1" >"$2"
}

last_error() {
	cat "$MNT/.snapfs/last-error"
}

# last_error_says ERRNO TEXT
last_error_says() {
	local said
	said=$(last_error)
	[[ $said == *" $1 "*"$2"* ]] || die "last-error says '$said' instead of: $1 … $2"
}

# json FILE EXPRESSION: prints the value of a Python expression; d is the document.
json() {
	python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
value = eval(sys.argv[2])
print({True: "yes", False: "no", None: "null"}.get(value, value) if isinstance(value, (bool, type(None))) else value)' "$1" "$2"
}

# holds FILE CONDITION: checks a Python condition; d is the document.
holds() {
	[ "$(json "$1" "bool($2)")" = yes ] || die "$1: not true: $2; it is $(cat "$1")"
}

says() {
	[ "$(json "$1" "bool($2)" 2>/dev/null)" = yes ]
}

power() {
	json "$MNT/$1/.vm.json" 'd["power"]'
}

healthy() {
	holds "$MNT/.snapfs/health.json" 'd["ok"] and not d["problems"]'
}

# problem KIND SUBJECT TEXT: health.json has a problem of that kind whose subject and text contain these.
problem() {
	python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
kind, subject, text = sys.argv[2:]
found = [p for p in d["problems"] if p["kind"] == kind and subject in p["subject"] and text in p["text"]]
sys.exit(not found or d["ok"])' "$MNT/.snapfs/health.json" "$@" ||
		die "health.json has no problem '$1' of '$2' with '$3': $(cat "$MNT/.snapfs/health.json")"
}

# --- images and sim guests ---

# blank FILE [MIB]: an empty sparse disk.
blank() {
	truncate -s "${2:-64}M" "$1"
}

# image FILE [MIB]: a sparse disk with random data at its start, middle and end.
image() {
	local mib=${2:-64}
	blank "$1" "$mib"
	head -c 1048576 /dev/urandom | dd of="$1" bs=64k conv=notrunc status=none
	head -c 300000 /dev/urandom | dd of="$1" bs=1M seek=$((mib / 2)) conv=notrunc status=none
	head -c 4096 /dev/urandom | dd of="$1" bs=4k seek=$((mib * 256 - 1)) conv=notrunc status=none
}

# scribble FILE: changes part of an image, like its guest.
scribble() {
	head -c 200000 /dev/urandom | dd of="$1" bs=4k seek=100 conv=notrunc status=none
}

# The tick that the sim guest wrote last, to a disk and to its saved RAM; 0 if none. See backends/sim/sim.h
# and ram.h.
disk_tick() {
	tick_at SNAPFSIM 8 "$1"
}

ram_tick() {
	tick_at SNAPFRAM 16 "$1"
}

# tick_at MAGIC OFFSET FILE
tick_at() {
	local tick magic
	tick=$(od -An -t u8 -j "$2" -N 8 "$3" | tr -d ' ')
	magic=$(od -An -c -N 8 "$3" | tr -d ' ')
	[ "$magic" = "$1" ] || [ "$magic$tick" = '\0\0\0\0\0\0\0\00' ] || die "$3 starts with '$magic' instead of $1"
	echo "$tick"
}

beyond_tick() {
	[ "$(disk_tick "$1")" -gt "$2" ]
}

# ticks_on IMAGE: waits until the guest writes its next tick to this live disk.
ticks_on() {
	await "the guest of $1 to tick on" beyond_tick "$1" "$(disk_tick "$1")"
}

# The number of files that snapfs keeps beside the images of $DATA.
kept() {
	find "$DATA" -path '*/.snapfs/*' -type f | wc -l
}

# snapfs has left nothing but the two permanent files of the state directory.
nothing_left() {
	is "" "$(find "$DATA" -path '*/.snapfs*')" "left beside the images"
	is "id lock" "$(find "$STATE" -mindepth 1 -printf '%P\n' | sort | paste -sd ' ')" "left in the state directory"
}

# The error of a revert whose disk another process has open.
IN_USE="is open for writing by someone else"

# Other kinds of disk: this file replaces the functions above.
if [ -n "${SNAPFS_TEST_DISKS:-}" ]; then
	. "$SNAPFS_TEST_DISKS"
fi

# --- the daemon ---

logged() {
	grep -qF -e "$1" "$LOG"
}

alive() {
	kill -0 "$1" 2>/dev/null
}

ready_or_ended() {
	logged "mounted at" || ! alive "$PID"
}

# launch ARGUMENTS...: starts the daemon as a background job and does not wait for the mount.
launch() {
	LOG=$WORK/log.$((++NLOGS))
	: >"$LOG"
	# The background jobs of a script inherit an ignored SIGINT, and those of nohup an ignored SIGHUP.
	env --default-signal=INT,HUP "$SNAPFS" -f --state "$STATE" "$@" "$MNT" </dev/null >>"$LOG" 2>&1 &
	PID=$!
}

start() {
	launch "$@"
	await "the mount" ready_or_ended
	alive "$PID" || die "snapfs $* ended at once: $(cat "$LOG")"
}

# refused STATUS TEXT ARGUMENTS...: the daemon does not start; it exits with STATUS and logs TEXT.
refused() {
	local status=0 expected=$1 text=$2
	shift 2
	LOG=$WORK/log.$((++NLOGS))
	timeout "$DEADLINE" "$SNAPFS" -f "$@" </dev/null >"$LOG" 2>&1 || status=$?
	is "$expected" "$status" "exit status of snapfs $*; it said '$(cat "$LOG")'"
	logged "$text" || die "snapfs $* said '$(cat "$LOG")' instead of: $text"
	is 1 "$(grep -c 'snapfs: error: ' "$LOG")" "error lines of snapfs $*"
}

# ended STATUS: waits until the daemon ends by itself, and checks its exit status.
ended() {
	local status=0
	await "the daemon to end" not_running "$PID"
	wait "$PID" || status=$?
	PID=
	is "$1" "$status" "exit status of the daemon; its log: $(cat "$LOG")"
}

# Also true of a zombie, which only `wait` removes.
not_running() {
	[ "$(cut -d' ' -f3 "/proc/$1/stat" 2>/dev/null || echo Z)" = Z ]
}

stop() {
	umount "$MNT"
	ended 0
}

# crash: kills the daemon with SIGKILL, and detaches the mount that it no longer serves.
crash() {
	kill -KILL "$PID"
	wait "$PID" 2>/dev/null || true
	PID=
	umount -l "$MNT"
}

# died: waits until the fault plan has ended the daemon.
died() {
	ended 86
	umount -l "$MNT"
}

# --- stopping the daemon in the middle of a call ---

# A fault plan that holds a call there: --fault "storage.create@1=hold:$HOLD". Calls wait only after `hold`;
# before that, and after `let_go`, they pass.
HOLD=$WORK/hold

# A held mkdir(2), rmdir(2) or rename(2) keeps the kernel's lock on its directory: look up nothing in it until
# `let_go`. A write to .create keeps no lock.
hold() {
	mkfifo "$HOLD"
}

is_held() {
	[ -n "$(find "/proc/$PID/fd" -lname "$HOLD" 2>/dev/null)" ] || not_running "$PID"
}

# held: waits until a call of the daemon waits at the FIFO.
held() {
	await "a call to be held" is_held
	! not_running "$PID" || die "the daemon ended before its call was held: $(cat "$LOG")"
}

# let_go: the calls that wait go on, and later ones pass.
let_go() {
	mv "$HOLD" "$HOLD.old"
	: <>"$HOLD.old"
	rm "$HOLD.old"
}

# thread_states PID: one letter for each of its threads: R is running, S and D are asleep.
thread_states() {
	sed 's/.*) \(.\) .*/\1/' "/proc/$1/task/"*/stat 2>/dev/null
}

# A FUSE call that a signal has interrupted waits in state D, after the kernel has queued the interrupt for
# the daemon.
has_interrupted() {
	not_running "$1" || thread_states "$1" | grep -q D
}

has_settled() {
	! thread_states "$PID" | grep -q R
}

# interrupted PID: waits until the daemon has read the interrupt of the call that this process waits for.
interrupted() {
	await "the call to be interrupted" has_interrupted "$1"
	await "the daemon to have read the interrupt" has_settled
}

# --- leaving ---

mounts_below() {
	awk -v top="$WORK/" 'index($5, top) == 1 { print $5 }' /proc/self/mountinfo | tac
}

# await_end PID: gives the process time to end by itself, then kills it.
await_end() {
	local until=$((SECONDS + $(slow 20)))
	while ! not_running "$1" && [ "$SECONDS" -lt "$until" ]; do
		sleep 0.02
	done
	kill -KILL "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

end_everything() {
	local path job
	[ ! -p "$HOLD" ] || let_go
	for job in $(jobs -p); do
		[ "$job" = "$PID" ] || kill -TERM "$job" 2>/dev/null
	done
	# Before their files are deleted. Mounted ones detach when they are unmounted.
	losetup -a | awk -F: -v top="($WORK/" 'index($0, top) { print $1 }' | xargs -r -n1 losetup -d
	while read -r path; do
		umount "$path" 2>/dev/null || umount -l "$path"
	done < <(mounts_below)
	[ -z "$PID" ] || kill -TERM "$PID" 2>/dev/null
	for job in $(jobs -p); do
		await_end "$job"
	done
}

# A case fails if the daemon logs one of these.
SUSPICIOUS='[Aa]ssert|AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error|panic'

leave() {
	local status=$?
	trap '' INT TERM HUP
	trap - EXIT
	set +e
	end_everything
	if grep -sqE "$SUSPICIOUS" "$WORK"/log.*; then
		status=1
		echo "FAILED: ${0##*/}: suspicious words in the daemon's log"
	fi
	[ "$status" -eq 0 ] || [ "$status" -eq 77 ] || tail -n 100 "$WORK"/log.* 2>/dev/null
	rm -rf --one-file-system "$WORK"
	exit "$status"
}
trap leave EXIT
trap 'exit 143' INT TERM HUP
