# SPDX-License-Identifier: GPL-2.0-or-later
# The library of the cases in this folder, on top of ../mount/lib.sh: a VM with realistic disks, its snapshots
# and their expected content, a remount with a new device number, and checks of what a program reads and
# restores.
# shellcheck shell=bash disable=SC2034
. "$(dirname "${BASH_SOURCE[0]}")/../mount/lib.sh"

FILES=(disk-vdb.img disk.img meta.json)
WAS=$WORK/was
LIVE=("$DATA/web.img" "$DATA/web-data.img")
# The programs' own files are removed with the case.
USER_HOME=${HOME:-/root}
export HOME=$WORK/home
unset XDG_CACHE_HOME XDG_CONFIG_HOME
mkdir "$HOME" "$WAS"

# needs PROGRAM PACKAGE: skips the case without PROGRAM, which is in PACKAGE.
needs() {
	command -v "$1" >/dev/null || skip "$1 is not installed (package $2)"
}

# The boot disk: an ext4 in the first partition, random bytes in the second.
DISK_MIB=96
FIRST_MIB=1 FIRST_SIZE_MIB=32
SECOND_MIB=33

# put BYTES OFFSET FILE: writes random data.
put() {
	head -c "$1" /dev/urandom | dd of="$3" bs=1M seek="$2" oflag=seek_bytes conv=notrunc status=none
}

# first_partition TEXT: makes it anew with the files in $WORK/files, and with TEXT in motd.
first_partition() {
	rm -rf "$WORK/files"
	mkdir -p "$WORK/files/etc"
	echo "$1" >"$WORK/files/motd"
	head -c 3000001 /dev/urandom >"$WORK/files/etc/blob"
	must mkfs.ext4 -q -F -E "offset=$((FIRST_MIB << 20))" -d "$WORK/files" "${LIVE[0]}" "${FIRST_SIZE_MIB}M"
}

# start_vm: makes a boot disk with two partitions and a disk with data at odd offsets, and starts the daemon.
start_vm() {
	needs sfdisk fdisk
	needs mkfs.ext4 e2fsprogs
	blank "${LIVE[0]}" "$DISK_MIB"
	printf '%s, type=83\n' "start=${FIRST_MIB}MiB, size=${FIRST_SIZE_MIB}MiB" "start=${SECOND_MIB}MiB" |
		sfdisk -q --label dos "${LIVE[0]}"
	first_partition good
	put 70001 $(((SECOND_MIB << 20) + 12345678)) "${LIVE[0]}"
	blank "${LIVE[1]}" 128
	truncate -s +512 "${LIVE[1]}"
	put 2500003 12345671 "${LIVE[1]}"
	put 5 $(((128 << 20) + 507)) "${LIVE[1]}"
	start --vm "web=${LIVE[0]},${LIVE[1]}"
}

# guest_writes: changes both disks like a guest.
guest_writes() {
	first_partition changed
	put 700001 70000001 "${LIVE[1]}"
}

# snapshot NAME: takes a snapshot and saves its expected content outside the mount.
snapshot() {
	mkdir "$WAS/$1"
	cp --sparse=always "${LIVE[0]}" "$WAS/$1/disk.img"
	cp --sparse=always "${LIVE[1]}" "$WAS/$1/disk-vdb.img"
	mkdir "$MNT/web/$1"
	setfattr -n user.snapfs.description -v "what is $1" "$MNT/web/$1"
	cp "$MNT/web/$1/meta.json" "$WAS/$1/"
}

# remount: restarts the daemon. Another mount takes the old device number first, so the new mount gets a
# different one.
NOTHERS=0
remount() {
	local dev first=$NOTHERS other
	dev=$(stat -c %d "$MNT")
	stop
	while [ $((NOTHERS - first)) -lt 50 ] && [ "$(stat -c %d "${other:-/}")" != "$dev" ]; do
		other=$WORK/other$((++NOTHERS))
		mkdir "$other"
		mount -t tmpfs -o size=4k other "$other"
	done
	start --vm "web=${LIVE[0]},${LIVE[1]}"
	[ "$(stat -c %d "$MNT")" != "$dev" ] || die "the mount has the device number it had"
}

# from_mount COMMAND...: runs COMMAND in the mount point, so that it backs up "web" and not an absolute path.
from_mount() {
	(cd "$MNT" && "$@")
}

# bytes_read_for COMMAND...: sets READ to the bytes that the daemon read for COMMAND. These are reads of
# images, as long as they are not in the page cache.
bytes_read_for() {
	local before
	before=$(awk '/^rchar:/ { print $2 }' "/proc/$PID/io")
	"$@"
	READ=$(($(awk '/^rchar:/ { print $2 }' "/proc/$PID/io") - before))
}

# reads COMMAND...: checks that COMMAND reads images.
reads() {
	bytes_read_for "$@"
	[ "$READ" -gt 3000000 ] || die "$READ bytes were read for: $*"
}

# skims COMMAND...: checks that COMMAND recognises unchanged images without reading them. Needs a mount from
# which nothing was read yet.
skims() {
	bytes_read_for "$@"
	[ "$READ" -lt 300000 ] || die "$READ bytes were read for: $*"
}

# restored DIRECTORY NAME: checks that it has exactly the files of that snapshot, with all bytes.
restored() {
	local file
	is "${FILES[*]}" "$(ls -A "$1" | paste -sd ' ')" "files in $1"
	for file in "${FILES[@]}"; do
		same "$WAS/$2/$file" "$1/$file"
	done
}

# as_sparse FILE NAME: checks that FILE takes at most 1 MiB more space than the live disk did.
as_sparse() {
	local had has
	had=$(stat -c %b "$WAS/$2/${1##*/}")
	has=$(stat -c %b "$1")
	[ "$has" -le $((had + 2048)) ] || die "$1 has $has blocks, the snapshot $had"
}

# dated DIRECTORY NAME FORMAT: checks that the directory and its files have the times of that snapshot, as
# stat prints them in FORMAT.
dated() {
	local file
	for file in . "${FILES[@]}"; do
		is "$(stat -c "$3" "$MNT/web/$2/$file")" "$(stat -c "$3" "$1/$file")" "time of $1/$file"
	done
}

# described DIRECTORY NAME: checks that it has the extended attributes of the snapshot.
described() {
	is "what is $2" "$(getfattr --only-values --absolute-names -n user.snapfs.description "$1")" "description of $1"
}
