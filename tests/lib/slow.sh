# SPDX-License-Identifier: GPL-2.0-or-later
# Deadlines that scale with the machine; sourced by the libraries of the cases.
# shellcheck shell=bash

# slow SECONDS: prints SECONDS times SNAPFS_SLOWNESS, rounded up. scripts/test measures how slow the machine is and sets
# SNAPFS_SLOWNESS to an integer of 1 or more; 1 is also the default. SECONDS may have a fraction. Starts no process.
slow() {
	local whole=${1%%.*} fraction=0
	[[ $1 != *.* ]] || fraction=${1#*.}000
	local ms=$((10#${whole:-0} * 1000 + 10#${fraction:0:3}))
	echo $(((ms * ${SNAPFS_SLOWNESS:-1} + 999) / 1000))
}
