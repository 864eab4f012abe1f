# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of snapfsctl and snapfs for bash. Commands, options and kinds of arguments come from --help, names from the mount.
# Functions return results in variables of their caller, because subshells are slow. Typed text is never evaluated.
# shellcheck shell=bash disable=SC2154,SC2034

# Sets text: the word that the shell makes of $1; quote: the quote character that is still open at its end.
_snapfs_unquote() {
	local raw=$1 i c
	text= quote=
	for ((i = 0; i < ${#raw}; i++)); do
		c=${raw:i:1}
		if [[ $c == "$quote" && -n $quote ]]; then
			quote=
		elif [[ -z $quote && $c == [\'\"] ]]; then
			quote=$c
		elif [[ $c == \\ && $quote != \' && (-z $quote || ${raw:i+1:1} == [\\\"\$\`]) ]]; then
			i=$((i + 1))
			text+=${raw:i:1}
		else
			text+=$c
		fi
	done
}

# bash replaces only $1 of the word at the cursor with a completion: not an opening quote and the text before it, nor a part that
# ends in one of COMP_WORDBREAKS. It also splits COMP_WORDS there.
# Sets words: the whole words up to the cursor, as typed; typed: the last one, without quotes; cut: how many characters of it bash
# keeps; quote: the quotes around the completion.
_snapfs_split() {
	local rest=$COMP_LINE i word
	words=()
	for ((i = 0; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if ((i > 0)) && [[ -n $word && $rest == "$word"* ]]; then
			words[-1]+=$word
		else
			rest=${rest#"${rest%%[![:blank:]]*}"}
			words+=("$word")
		fi
		rest=${rest#"$word"}
	done
	_snapfs_unquote "${words[-1]}"
	typed=$text
	_snapfs_unquote "${words[-1]%"$1"}"
	cut=${#text}
}

# Sets options and usage from "$@ --help"; an option with an argument is followed by its placeholder, such as "--mount DIR".
# mount_options: what may follow -o, such as "gid=GROUP".
_snapfs_help() {
	local line part list=options
	options=() mount_options=() usage=
	while IFS= read -r line; do
		case $line in
		"Usage: "*) usage=${line#Usage: } ;;
		"Mount options:") list=mount_options ;;
		"  and those"*) list=options ;;
		esac
		if [[ $line =~ ^\ +(-.*) || ($list == mount_options && $line =~ ^\ \ ([a-z].*)) ]]; then
			line=${BASH_REMATCH[1]%%  *}
			while [[ -n $line ]]; do
				part=${line%%, *}
				if [[ $list == options ]]; then
					options+=("$part")
				else
					mount_options+=("$part")
				fi
				line=${line:${#part}+2}
			done
		fi
	done < <("$@" --help 2>/dev/null)
}

# Sets argument: the placeholder of option $1's argument; empty if it takes none. "-m, --mount DIR" has it after the last name.
_snapfs_argument() {
	local i j
	argument=
	for i in "${!options[@]}"; do
		[[ ${options[i]%% *} == "$1" ]] || continue
		for ((j = i; j < i + 2; j++)); do
			if [[ ${options[j]} == *" "* ]]; then
				argument=${options[j]#* }
				return
			fi
			[[ ${options[i]} == -? ]] || return
		done
	done
}

# Sets kinds: the placeholders for position $1 (from 0) in the command's usage: the one there, and earlier ones with "...".
_snapfs_kinds() {
	local place=$1 word n=0 rest=${usage#* * } list
	kinds=
	while [[ $rest =~ (.*)\[-[^]]*\](.*) ]]; do
		rest=${BASH_REMATCH[1]}${BASH_REMATCH[2]}
	done
	read -ra list <<<"$rest"
	for word in "${list[@]}"; do
		((n == place)) || { ((n < place)) && [[ $word == *...* ]]; } && kinds+=" $word"
		n=$((n + 1))
	done
}

# Sets mount: where snapfs is mounted, as snapfsctl finds it.
_snapfs_mount() {
	local device place type rest
	mount=${given[1]:-${SNAPFS_MOUNT:-}}
	[[ -z $mount ]] || return 0
	while read -r device place type rest; do
		[[ $type != fuse.snapfs || ,$rest != *,user_id=@(0|$EUID),* ]] || printf -v mount %b "$place"
	done </proc/self/mounts
}

# Print VMs, snapshots of VM $1 or schedules, one a line. The timeout keeps a hanging daemon from blocking the shell.
_snapfs_vms() {
	local mount
	_snapfs_mount
	[[ -z $mount ]] || timeout -s KILL 2 find "$mount" -mindepth 1 -maxdepth 1 -type d ! -name '.*' -printf '%f\n' 2>/dev/null
}

_snapfs_snapshots() {
	SNAPFS_TIMEOUT=2 snapfsctl "${given[@]}" list -H -o path -- "$1" 2>/dev/null
}

_snapfs_schedules() {
	sed -nE 's/^[[:blank:]]*\[schedule[[:blank:]]+"?([^]"]*[^]"[:blank:]])"?[[:blank:]]*\].*/\1/p' /etc/snapfs.conf 2>/dev/null
}

# Offers the lines that begin with what was typed, quoted in the same way: bash does this for file names only.
_snapfs_offer() {
	local name
	while IFS= read -r name; do
		[[ $name == "$typed"* ]] || continue
		name=${name:cut}
		case $quote in
		\') name=${name//\'/\'\\\'\'} ;;
		\") name=${name//\\/\\\\} name=${name//\"/\\\"} name=${name//\$/\\$} name=${name//\`/\\\`} ;;
		*) printf -v name %q "$name" ;;
		esac
		COMPREPLY+=("$name")
	done
}

_snapfs_complete() {
	local kinds=$1
	if [[ $typed == [./]* || $kinds == *@(DIR|FILE|PATH|TARGET)* ]]; then
		compopt -o filenames -o default 2>/dev/null
		return
	fi
	case $kinds in
	*VM/SNAPSHOT*)
		if [[ $typed == */* ]]; then
			_snapfs_offer < <(_snapfs_snapshots "${typed%%/*}")
		elif [[ ${kinds//VM\/SNAPSHOT/} != *VM* ]]; then
			_snapfs_offer < <(_snapfs_vms | sed 's|$|/|')
			compopt -o nospace 2>/dev/null
			return
		fi
		;;
	*SCHEDULE*) _snapfs_offer < <(_snapfs_schedules) ;;
	esac
	[[ ${kinds//VM\/SNAPSHOT/} != *VM* ]] || _snapfs_offer < <(_snapfs_vms)
}

_snapfsctl() {
	local words text quote typed cut options mount_options usage argument kinds word command= place=0 given=() expected=
	COMPREPLY=()
	_snapfs_split "$2"
	_snapfs_help snapfsctl

	# The words before the cursor: the mount, the command, and the number of arguments.
	for word in "${words[@]:1:${#words[@]}-2}"; do
		if [[ -n $expected ]]; then
			[[ $expected != @(-m|--mount) ]] || given=(-m "$(_snapfs_unquote "$word" && printf %s "$text")")
			expected=
		elif [[ $word == -* ]]; then
			_snapfs_argument "$word"
			[[ -z $argument ]] || expected=$word
			[[ $word != --mount=* ]] || given=(-m "${word#*=}")
		elif [[ -z $command ]]; then
			command=$word
			_snapfs_help snapfsctl "$command"
		else
			place=$((place + 1))
		fi
	done

	if [[ -n $expected ]]; then
		_snapfs_argument "$expected"
		_snapfs_complete "$argument"
	elif [[ $typed == --*=* ]]; then
		_snapfs_argument "${typed%%=*}"
		_snapfs_complete "$argument"
	elif [[ $typed == -* ]]; then
		_snapfs_offer < <(printf '%s\n' "${options[@]%% *}")
	elif [[ -z $command ]]; then
		_snapfs_offer < <(snapfsctl --help 2>/dev/null | sed -nE 's/^ +([a-z]+) .*/\1/p')
	else
		_snapfs_kinds "$place"
		[[ $command != run ]] || kinds=${kinds/NAME/SCHEDULE}
		_snapfs_complete "$kinds"
	fi
}

# Completes the last item of a comma-separated list; a mount option with an argument is followed by "=".
_snapfs_mount_option() {
	local before=${typed%"${typed##*,}"} list=("${mount_options[@]%%[A-Z]*}")
	if [[ ${typed##*,} == @(config|state)=* ]]; then
		compopt -o filenames -o default 2>/dev/null
		return
	fi
	compopt -o nospace 2>/dev/null
	_snapfs_offer < <(printf '%s\n' "${list[@]/#/"$before"}")
}

_snapfs() {
	local words text quote typed cut options mount_options usage argument expected before=
	COMPREPLY=()
	_snapfs_split "$2"
	_snapfs_help snapfs
	expected=${words[-2]}
	if [[ $typed == --*=* ]]; then
		expected=${typed%%=*} before=${typed%%=*}=
	fi
	_snapfs_argument "$expected"
	case $expected:$argument in
	-o:*) _snapfs_mount_option ;;
	--hypervisor:*)
		argument=$(snapfs --help 2>/dev/null | sed -nE 's/.*--hypervisor NAME +([a-z, ]+) \(.*/\1/p')
		argument=${argument//, / }
		argument=${argument/ or / }
		_snapfs_offer <<<"$before${argument// /$'\n'$before}"
		;;
	*:) [[ $typed != -* ]] || _snapfs_offer < <(printf '%s\n' "${options[@]%%[ [=]*}") ;;&
	*:*FILE | *:*DIR | *:*DISK* | *:) [[ ${#COMPREPLY[@]} -gt 0 ]] || compopt -o filenames -o default 2>/dev/null ;;
	esac
}

complete -F _snapfsctl snapfsctl
complete -F _snapfs snapfs
