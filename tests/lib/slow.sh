# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the libraries of the cases: deadlines that scale with the machine.
# shellcheck shell=bash

# slow SECONDS: prints SECONDS times SNAPFS_SLOWNESS, rounded up. scripts/test measures how slow the machine
# is and sets SNAPFS_SLOWNESS to an integer of 1 or more; 1 is also the default. SECONDS may have a fraction.
# Starts no process.
slow() {
	local whole=${1%%.*} fraction=0
	[[ $1 != *.* ]] || fraction=${1#*.}000
	local ms=$((10#${whole:-0} * 1000 + 10#${fraction:0:3}))
	echo $(((ms * ${SNAPFS_SLOWNESS:-1} + 999) / 1000))
}

# no_time_left: whether no further case may begin; why_no_time: prints the skip reason. See tests/lib/plan.py.
no_time_left() {
	[ -n "${SNAPFS_TEST_UNTIL:-}" ] && [ "$EPOCHSECONDS" -ge "$SNAPFS_TEST_UNTIL" ]
}

why_no_time() {
	echo "${SNAPFS_TEST_WHY:-no time left}"
}

# time_limit SECONDS: prints how long a case with this limit may run. Like plan.py: at most until a minute
# after the time is over.
time_limit() {
	local limit left
	limit=$(slow "$1")
	if [ -n "${SNAPFS_TEST_UNTIL:-}" ]; then
		left=$((SNAPFS_TEST_UNTIL + 60 - EPOCHSECONDS))
		[ "$left" -ge "$limit" ] || limit=$((left > 1 ? left : 1))
	fi
	echo "$limit"
}
