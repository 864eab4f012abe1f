# SPDX-License-Identifier: GPL-2.0-or-later
# The library of the cases in boots/, on top of that of the mount cases. They run outside and boot kernels of
# scripts/uml, several times on the same disks, which are files in $WORK.
#
# A power cut ends all of a kernel's processes at once. Its disks keep every write that they have received, in
# order; the last one may be incomplete. Data in the kernel's memory is lost: dirty pages and requests not yet
# sent. Real disks without a volatile cache behave the same.
# shellcheck shell=bash
VM_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${SNAPFS_BUILD:-$VM_HERE/../../build}
SNAPFS=${SNAPFS:-$BUILD/fs/snapfs}
. "$VM_HERE/../mount/lib.sh"

UML=$VM_HERE/../../scripts/uml
DISKS=()

# disk NAME SIZE: adds a disk to all kernels that boot from now on: /dev/ubda, /dev/ubdb, ... It is the file
# $WORK/NAME.
disk() {
	truncate -s "$2" "$WORK/$1"
	DISKS+=(-k "$WORK/$1")
}

# uml STATUS OPTION... -- COMMAND...: boots a kernel on the disks and checks that it exits with STATUS.
uml() {
	local expected=$1 status=0
	shift
	"$UML" "${DISKS[@]}" -l "$WORK/kernel.$((++NLOGS))" "$@" || status=$?
	is "$expected" "$status" "exit status of uml $*; the kernel said '$(cat "$WORK/kernel.$NLOGS")'"
}

# boot COMMAND...: boots a kernel and runs COMMAND to its end.
boot() {
	uml 0 -- "$@"
}

# cut_at MS COMMAND...: cuts the power MS milliseconds after COMMAND began, which must still be running.
cut_at() {
	uml 137 -c "$1" -- "${@:2}"
}

# cut_when FILE MS COMMAND...: cuts the power MS milliseconds after COMMAND has made FILE. FILE must not be on
# a file system in that kernel's memory.
cut_when() {
	uml 137 -C "$1" -c "$2" -- "${@:3}"
	rm -f "$1"
}
