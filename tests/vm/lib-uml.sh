# SPDX-License-Identifier: GPL-2.0-or-later
# What the cases in boots/ share, on top of what mount cases do. They run outside and boot kernels of scripts/uml, several times
# on the same disks, which are files in $WORK.
#
# A power cut ends all of a kernel's processes at once. Its disks keep every write that it had handed to them, in the order in
# which it did, and the one being written in part; they lose what was in its memory: dirty pages, requests not yet sent. That
# is the power cut of a disk without a cache of its own.
# shellcheck shell=bash
VM_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${SNAPFS_BUILD:-$VM_HERE/../../build}
SNAPFS=${SNAPFS:-$BUILD/fs/snapfs}
. "$VM_HERE/../mount/lib.sh"

UML=$VM_HERE/../../scripts/uml
DISKS=()

# disk NAME SIZE: a further disk of all kernels booted from now on: /dev/ubda, /dev/ubdb, ... It is the file $WORK/NAME.
disk() {
	truncate -s "$2" "$WORK/$1"
	DISKS+=(-k "$WORK/$1")
}

# uml STATUS OPTION... -- COMMAND...: a kernel on the disks, whose exit status is to be STATUS.
uml() {
	local expected=$1 status=0
	shift
	"$UML" "${DISKS[@]}" -l "$WORK/kernel.$((++NLOGS))" "$@" || status=$?
	is "$expected" "$status" "exit status of uml $*; the kernel said '$(cat "$WORK/kernel.$NLOGS")'"
}

# boot COMMAND...: runs it to its end.
boot() {
	uml 0 -- "$@"
}

# cut_at MS COMMAND...: cuts the power MS milliseconds after COMMAND began; it must still run then.
cut_at() {
	uml 137 -c "$1" -- "${@:2}"
}

# cut_when FILE MS COMMAND...: cuts the power MS milliseconds after COMMAND has made FILE, which is not to be in that kernel's
# memory.
cut_when() {
	uml 137 -C "$1" -c "$2" -- "${@:3}"
	rm -f "$1"
}
