# SPDX-License-Identifier: GPL-2.0-or-later
# Shared by read-stress and its LVM variant: see read_stress.c.
# shellcheck shell=bash
READ_STRESS=$(dirname "$SNAPFS")/../tests/mount/read_stress
[ -x "$READ_STRESS" ] || skip "$READ_STRESS is not built"
STRESS_SEED=${SNAPFS_TEST_SEED:-$RANDOM}
STRESS_S=6 # seconds of reading, at least
DISK_SEEDS=1000000

# generation SEED DISK...: overwrites every disk with the content of that seed.
generation() {
	local seed=$1 n=0 disk
	shift
	for disk in "$@"; do
		must "$READ_STRESS" fill $((seed + n * DISK_SEEDS)) "$disk"
		n=$((n + 1))
	done
}

# stress_reads DIRECTORY DISK DISK: creates, deletes and reverts to snapshots of a VM of these two disks in
# DIRECTORY while readers check them.
stress_reads() {
	local dir=$1 reader seed=0 n back
	shift
	echo "seed $STRESS_SEED"
	RANDOM=$STRESS_SEED
	"$READ_STRESS" read "$STRESS_S" 4 "$STRESS_SEED" "$dir" disk.img disk-vdb.img >"$WORK/readers" 2>&1 &
	reader=$!
	while alive "$reader" || [ "$seed" -lt 3 ]; do
		seed=$((seed + 1))
		generation $seed "$@"
		mkdir "$dir/g$seed"
		[ $((seed % 3)) = 0 ] || continue
		back=$((seed - RANDOM % 3))
		# In a separate process: the end of the readers sends a signal to this one, which would
		# interrupt its write.
		must sh -c 'echo "yes discard" >"$1"' - "$dir/g$back/revert"
		n=0
		for disk in "$@"; do
			must "$READ_STRESS" check $((back + n * DISK_SEEDS)) "$disk"
			n=$((n + 1))
		done
		rmdir "$dir/g$((seed - RANDOM % 3))"
		[ "$(ls "$dir" | wc -l)" -lt 8 ] || rmdir "$dir/$(ls -tr "$dir" | head -n 1)"
	done
	wait "$reader" || die "a reader failed: $(cat "$WORK/readers")"
	cat "$WORK/readers"
}
