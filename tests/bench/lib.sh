# SPDX-License-Identifier: GPL-2.0-or-later
# Shared by the benchmarks written in shell: collects figures by label and prints medians side by side.
# Sourced after the lib.sh of a suite.
# shellcheck shell=bash
RESULTS=$WORK/results

# note LABEL MILLISECONDS: records a figure.
note() {
	echo "$1 $2" >>"$RESULTS"
}

# timed LABEL COMMAND...: runs COMMAND in this shell, so a function may set variables, and records the time.
timed() {
	local label=$1 began=${EPOCHREALTIME/./} us
	shift
	"$@" >/dev/null 2>"$WORK/said" || die "'$*' failed: $(cat "$WORK/said")"
	us=$((${EPOCHREALTIME/./} - began))
	note "$label" $((us / 1000)).$(printf %03d $((us % 1000)))
}

# tell WHAT GOAL LABEL [RIVAL]: prints median, minimum and maximum of a label, the same for its rival, and the
# ratio of the two.
tell() {
	python3 - "$RESULTS" "$@" <<'PYTHON'
import statistics
import sys

results, what, goal, *labels = sys.argv[1:]
medians, cells = [], []
for label in labels:
    with open(results) as f:
        values = sorted(float(line.split()[1]) for line in f if line.split()[0] == label)
    medians.append(statistics.median(values))
    cells.append(f"{medians[-1]:8.0f} ms ({values[0]:.0f}-{values[-1]:.0f})")
if len(medians) == 2:
    cells.append(f"{medians[0] / medians[1]:6.2f}")
print(f"{what:44} {' '.join(cells)}  {goal and 'goal ' + goal}".rstrip())
PYTHON
}
