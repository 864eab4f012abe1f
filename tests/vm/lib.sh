# SPDX-License-Identifier: GPL-2.0-or-later
# The library of the cases in cases/, on top of that of the mount cases: scratch disks, a volume group for
# each case, volumes, and cleanup. The cases run in a test kernel (SNAPFS_OWN_KERNEL=yes) on its scratch disks
# $SNAPFS_SCRATCH, or with SNAPFS_VM_ON_HOST=yes on loop devices.
# A case that prints a TAP plan counts as the tests in it. A line "# limit: SECONDS" replaces its time limit
# of 900 s.
# shellcheck shell=bash
VM_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${SNAPFS_BUILD:-$VM_HERE/../../build}
SNAPFS=${SNAPFS:-$BUILD/fs/snapfs}
. "$VM_HERE/../mount/lib.sh"

if [ "${SNAPFS_OWN_KERNEL:-}" != yes ] && [ "${SNAPFS_VM_ON_HOST:-}" != yes ]; then
	die "run it with tests/vm/run ${0##*/}: it works on scratch disks only"
fi

DISK_MIB=4096
VG=snapfs_test_$$
POOL=pool
DISKS=()   # in use
DEVICES=() # made by make_device, in that order

# need TARGET...: skips the case unless the kernel has these device-mapper targets.
need() {
	local target
	for target in "$@"; do
		[ "${SNAPFS_OWN_KERNEL:-}" = yes ] || modprobe -q "dm-$target" || true
		dmsetup targets | grep -q "^$target " || skip "this kernel has no device-mapper target '$target'"
	done
}

# take_disk: sets DISK to an empty disk of DISK_MIB.
take_disk() {
	local file scratch
	if [ "${SNAPFS_OWN_KERNEL:-}" = yes ]; then
		read -r -a scratch <<<"$SNAPFS_SCRATCH"
		DISK=${scratch[${#DISKS[@]}]:-}
		[ -b "$DISK" ] || die "no scratch disk is left: $SNAPFS_SCRATCH"
	else
		file=$HOST_DISKS/disk${#DISKS[@]}
		truncate -s "${DISK_MIB}M" "$file"
		DISK=$(losetup --find --show "$file") || skip "no loop device"
	fi
	DISKS+=("$DISK")
	configure_lvm
}

configure_lvm() {
	[ "${SNAPFS_OWN_KERNEL:-}" = yes ] || "$VM_HERE/lvm-config" "$LVM_SYSTEM_DIR" "${DISKS[@]/%/\$}" "/dev/mapper/$VG[.]"
}

# make_vg [DEVICE...]: makes the volume group $VG, by default on a new scratch disk.
make_vg() {
	[ $# -gt 0 ] || { take_disk && set -- "$DISK"; }
	must vgcreate -y "$VG" "$@"
}

# make_pool [SIZE [OPTION...]]: makes the thin pool $POOL.
make_pool() {
	must lvcreate -y --type thin-pool -n "$POOL" -L "${1:-1G}" "${@:2}" "$VG"
}

# make_thin NAME SIZE: makes a thin volume, and first a pool of 1 GiB if there is none.
make_thin() {
	[ -n "$(volume_field lv_name "$POOL")" ] || make_pool
	must lvcreate -y -n "$1" -V "$2" --thinpool "$POOL" "$VG"
}

make_classic() {
	must lvcreate -y -n "$1" -L "$2" "$VG"
}

# make_device NAME TABLE: makes the device-mapper device /dev/mapper/$VG.NAME.
make_device() {
	must dmsetup create "$VG.$1" --table "$2"
	DEVICES+=("$VG.$1")
}

sectors() {
	blockdev --getsz "$1"
}

# volumes: prints the names of the group's visible volumes in one line.
volumes() {
	lvs --noheadings -o lv_name "$VG" | awk '{ print $1 }' | sort | paste -sd ' '
}

# volume_field FIELD VOLUME: prints a field of lvs; nothing if there is no such volume.
volume_field() {
	lvs --noheadings --units b --nosuffix -o "$1" "$VG/$2" 2>/dev/null | awk '{ $1 = $1; print }' || true
}

# fill DEVICE: writes recognisable data to its start, middle and end, and syncs it.
fill() {
	local mib=$(($(sectors "$1") / 2048))
	head -c 1048576 /dev/urandom | dd of="$1" bs=64k conv=notrunc,fsync status=none
	head -c 300000 /dev/urandom | dd of="$1" bs=1M seek=$((mib / 2)) conv=notrunc,fsync status=none
	head -c 4096 /dev/urandom | dd of="$1" bs=4k seek=$((mib * 256 - 1)) conv=notrunc,fsync status=none
}

# sum DEVICE|FILE: prints the hash of its content, bypassing the page cache where possible.
sum() {
	{ dd if="$1" iflag=direct bs=1M status=none 2>/dev/null || cat "$1"; } | sha256sum | cut -d' ' -f1
}

# program PATH ARGUMENT...: runs a test program of the build with SNAPFS_TEST_VG and SNAPFS_TEST_POOL. Its TAP
# is that of the case.
program() {
	local path=$BUILD/$1
	shift
	[ -x "$path" ] || skip "$path is not built"
	SNAPFS_TEST_VG=$VG SNAPFS_TEST_POOL=$POOL CMOCKA_MESSAGE_OUTPUT=TAP "$path" "$@"
}

# --- a VM with two disks on LVM ---

WEB=web=/dev/$VG/web,/dev/$VG/data

# make_web [MIB]: makes its volumes, web (thin) and data (classic), and writes to both.
make_web() {
	make_vg
	make_pool 512M -c 64k
	make_thin web "${1:-32}M"
	make_classic data "${1:-32}M"
	fill "/dev/$VG/web"
	fill "/dev/$VG/data"
}

# start_web [KEY=VALUE...] [-- ARGUMENT...]: starts a daemon that shows this VM, with these settings of LVM.
# Works in a dom0, too.
start_web() {
	echo '[lvm]' >"$WORK/snapfs.conf"
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		echo "$1" >>"$WORK/snapfs.conf"
		shift
	done
	start --config "$WORK/snapfs.conf" --hypervisor none --vm "$WEB" "${@:2}"
}

# change NAME...: overwrites these volumes in three places.
change() {
	local name
	for name in "$@"; do
		fill "/dev/$VG/$name"
	done
}

# lv_of SNAPSHOT [DISK]: prints the LV of that snapshot of web, for disk number DISK (default 0).
lv_of() {
	echo "snapfs_$(json "$MNT/web/$1/meta.json" "d['disks'][${2:-0}]['token']")"
}

is_active() {
	[ "$(volume_field lv_active "$1")" = active ]
}

is_idle() {
	! is_active "$1"
}

# ours: prints the group's LVs that have a name or a tag of ours, hidden ones included.
ours() {
	lvs -a --noheadings -o lv_name,lv_tags "$VG" | awk '$1 ~ /snapfs_/ || /snapfs[.]/ { print $1 }' | sort | paste -sd ' '
}

# no_traces: checks that nothing of ours is left in the group, in device-mapper, below /dev or in the state
# directory.
no_traces() {
	is "" "$(ours)" "LVs that are left"
	is "" "$(dmsetup ls | grep -e '-snapfs_')" "devices that are left"
	is "" "$(ls /dev/mapper "/dev/$VG" | grep -e '-snapfs_' -e '^snapfs_[0-9a-f]\{32\}')" "nodes that are left"
	nothing_left
}

# usage KIND SUBJECT CONDITION: checks a condition on u, its usage in .vm.json.
usage_says() {
	says "$MNT/web/.vm.json" \
		"any($3 for disk in d['disks'] for u in disk['usage'] if u['kind'] == '$1' and u['subject'] == '$VG/$2')"
}

# --- cleanup ---

our_devices() {
	dmsetup ls 2>/dev/null | awk -v vg="$VG" -v lvm="${VG//-/--}" 'index($1, lvm "-") == 1 || index($1, vg ".") == 1 { print $1 }'
}

# Devices may be suspended, incomplete, or in a group that LVM can no longer read.
remove_devices() {
	local device try
	for device in $(our_devices); do
		dmsetup resume "$device"
	done
	if [ ${#DISKS[@]} -gt 0 ]; then
		timeout 60 vgremove -ff -y "$VG"
	fi
	for ((try = 0; try < 5; try++)); do # a device is busy until those stacked on it are gone
		for device in $(our_devices | tac); do
			dmsetup remove --retry "$device"
		done
	done
} >/dev/null 2>&1

release_disks() {
	local disk
	for disk in "${DISKS[@]}"; do
		wipefs -aqf "$disk"
		blkdiscard -f "$disk" 2>/dev/null
		[ "${SNAPFS_OWN_KERNEL:-}" = yes ] || losetup -d "$disk"
	done
	[ -z "${HOST_DISKS:-}" ] || rm -rf "$HOST_DISKS"
}

leave_vm() {
	local status=$? left
	trap '' INT TERM HUP
	trap - EXIT
	set +e
	end_everything # daemons and mounts hold volumes open
	remove_devices
	left=$(our_devices)
	[ -z "$left" ] || {
		echo "FAILED: ${0##*/}: these devices cannot be removed: $left"
		status=1
	}
	release_disks
	(exit "$status")
	leave
}
trap leave_vm EXIT

if [ "${SNAPFS_OWN_KERNEL:-}" != yes ]; then
	dmsetup targets >/dev/null 2>&1 || modprobe -q dm-mod || skip "this machine has no device-mapper"
	HOST_DISKS=$(mktemp -d "${TMPDIR:-/tmp}/vm-disks.XXXXXX")
	export LVM_SYSTEM_DIR=$HOST_DISKS/lvm
	[ -S /run/udev/control ] || export DM_DISABLE_UDEV=1
fi
