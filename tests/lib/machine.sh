# SPDX-License-Identifier: GPL-2.0-or-later
# Shared by scripts/uml and scripts/xen-vm: a command that runs in a separate kernel, its time limit, power
# cuts, and the exit status.
# The caller provides $work, a directory that the machine sees too, and end_machine, which returns once the
# machine can no longer write to any disk. In the machine, the file $work/started appears when the command
# begins, and $work/status when it has ended.
# shellcheck shell=bash
me=${0##*/}

refuse() {
	echo "$me: $*" >&2
	exit 125
}

# write_command COMMAND...: prints a script that runs COMMAND in the current directory with the environment of
# the tests.
write_command() {
	local name
	while read -r name; do
		case $name in
		SNAPFS* | CMOCKA* | MESON* | [ALTU]*SAN_OPTIONS) printf 'export %s=%q\n' "$name" "${!name}" ;;
		esac
	done < <(compgen -e)
	printf 'cd %q || exit 125\n' "$PWD"
	printf '%q ' "$@"
}

milliseconds() {
	local now=${EPOCHREALTIME/[.,]/}
	echo "${now%???}"
}

# The clock starts when the file appears: the one given with -C, or $work/started, which the guest makes when
# COMMAND begins.
cut_due() {
	[ -n "$cut$cut_file" ] && [ -e "${cut_file:-$work/started}" ] || return 1
	[ -n "${cut_from:-}" ] || cut_from=$(milliseconds)
	[ $(($(milliseconds) - cut_from)) -ge "${cut:-0}" ]
}

exec {tick}<> <(:)

# pause SECONDS: sleeps without starting a process.
pause() {
	read -r -t "$1" -u "$tick" || true
}

# await_end PID SECONDS: waits until the machine ends by itself. It has SECONDS left once the command has
# ended. When a power cut is due or the time limit is over, ends the machine and exits.
await_end() {
	local until=$((SECONDS + limit)) between=0.02 ended=
	[ -z "$cut$cut_file" ] || between=0.002
	while kill -0 "$1" 2>/dev/null; do
		if cut_due; then
			end_machine
			exit 137
		fi
		if [ -z "$ended" ] && [ -e "$work/status" ]; then
			ended=yes until=$((SECONDS + $2))
		elif [ "$SECONDS" -ge "$until" ]; then
			end_machine
			[ -z "$ended" ] || break
			echo "$me: not done after $limit s" >&2
			exit 124
		fi
		pause "$between"
	done
}
