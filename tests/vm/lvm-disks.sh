# SPDX-License-Identifier: GPL-2.0-or-later
# Disks of mount cases as volumes of $SNAPFS_TEST_VG, each behind a symbolic link in the place of the image: of the kinds in
# $SNAPFS_TEST_KINDS, thin or classic with plus signs between, in turn. See the case mount-cases.
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
	blkdiscard "/dev/$SNAPFS_TEST_VG/$name" 2>/dev/null || true # a thin one has no block then
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
