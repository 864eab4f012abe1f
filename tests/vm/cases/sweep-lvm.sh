# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the sweep-lvm-* cases: makes a small VG that is restored for every try
# (tests/vm/programs/lvm_ground.h).
# A case has two sweeps, which share SNAPFS_SWEEP_SECONDS.
# $SNAPFS_SWEEP: further options, like --all, or --k and --recovery to examine one point.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
need thin-pool snapshot

take_disk
# Most commands here activate the pool, and checking it would take a third of their time.
cp -a "$LVM_SYSTEM_DIR" "$WORK/lvm"
export LVM_SYSTEM_DIR=$WORK/lvm
printf 'global {\n\tthin_check_executable = ""\n}\n' >>"$LVM_SYSTEM_DIR/lvm.conf"
must pvcreate -y --setphysicalvolumesize 16m "$DISK"
must vgcreate -y -s 64k "$VG" "$DISK"
make_pool 4m -c 64k --poolmetadatasize 2m
export SNAPFS_TEST_PV=$DISK

sweep() {
	# shellcheck disable=SC2086
	SNAPFS_SWEEP_SECONDS=${SNAPFS_SWEEP_SECONDS:+$((SNAPFS_SWEEP_SECONDS / 2))} program tests/vm/programs/sweep_lvm "$@" ${SNAPFS_SWEEP:-}
}
