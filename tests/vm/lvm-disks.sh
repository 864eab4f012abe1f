# SPDX-License-Identifier: GPL-2.0-or-later
# Replaces the images of mount cases by volumes of $SNAPFS_TEST_VG, each behind a symbolic link at the image's
# path. $SNAPFS_TEST_KINDS lists their kinds, thin or classic, separated by plus signs and used in turn. See
# the case mount-cases.
# shellcheck shell=bash disable=SC2034
VOLUMES=()

blank() {
	local kinds name=disk${#VOLUMES[@]} size=${2:-64}M
	IFS=+ read -r -a kinds <<<"$SNAPFS_TEST_KINDS"
	case ${kinds[${#VOLUMES[@]} % ${#kinds[@]}]} in
	thin) lvcreate -y -q -n "$name" -V "$size" --thinpool "$SNAPFS_TEST_POOL" "$SNAPFS_TEST_VG" >/dev/null 2>&1 ;;
	classic) lvcreate -y -q -n "$name" -L "$size" "$SNAPFS_TEST_VG" >/dev/null 2>&1 ;;
	esac
	VOLUMES+=("$name")
	blkdiscard -z "/dev/$SNAPFS_TEST_VG/$name"
	blkdiscard "/dev/$SNAPFS_TEST_VG/$name" 2>/dev/null || true # leaves a thin volume without blocks
	ln -s "/dev/$SNAPFS_TEST_VG/$name" "$1"
}

kept() {
	lvs --noheadings -o lv_name "$SNAPFS_TEST_VG" | grep -c snapfs_[0-9a-f] || true
}

nothing_left() {
	is 0 "$(kept)" "LVs that are left"
	is "id lock" "$(find "$STATE" -mindepth 1 -printf '%P\n' | sort | paste -sd ' ')" "left in the state directory"
}

IN_USE="is in use: it is "
