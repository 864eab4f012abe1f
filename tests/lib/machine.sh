# SPDX-License-Identifier: GPL-2.0-or-later
# What scripts/uml and scripts/xen-vm share: a command that runs in a kernel of its own, the time limit, power cuts, the exit status.
# Who sources it has $work, a directory that the machine inside sees too, and end_machine, which returns when nothing of the
# machine can write to a disk any more. Inside, `started` appears in $work when the command begins, and `status` when it has ended.
# shellcheck shell=bash
me=${0##*/}

refuse() {
	echo "$me: $*" >&2
	exit 125
}

# write_command COMMAND...: what runs inside, with the directory and the environment of here.
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

# The clock runs from when the file is there; without -C that is the guest's own, made when COMMAND begins.
cut_due() {
	[ -n "$cut$cut_file" ] && [ -e "${cut_file:-$work/started}" ] || return 1
	[ -n "${cut_from:-}" ] || cut_from=$(milliseconds)
	[ $(($(milliseconds) - cut_from)) -ge "${cut:-0}" ]
}

exec {tick}<> <(:)

# pause SECONDS: without a process.
pause() {
	read -r -t "$1" -u "$tick" || true
}

# await_end PID SECONDS: until the machine ends by itself, for which it has that many seconds once the command has ended. When the
# power cut is due, or the time is over, it ends the machine, and this program too.
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
