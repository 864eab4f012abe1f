# SPDX-License-Identifier: GPL-2.0-or-later
# The library of the cases in cases/, on top of that of the LVM cases: guests on volumes of the case's group,
# checks of their counts (see guest.c), and cleanup. The cases run in dom0 of a machine of scripts/xen-vm.
# shellcheck shell=bash
XEN_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$XEN_HERE/../vm/lib.sh"

[ -e /proc/xen/capabilities ] || die "run it with tests/xen/run ${0##*/}: it creates and destroys domains"

GUEST_FILES=/usr/lib/snapfs-guest
GUEST_KERNEL="quiet audit=0 init_on_alloc=0 mitigations=off rodata=off cryptomgr.notests tsc=reliable" # boots faster
CONSOLES=/var/log/xen/console
GUESTS=()          # the names of all guests that this case has configured
declare -A MARK=() # for each guest, the length of its console log in lines at the last `mark`
HEARD=()           # see hear

# Sleeps without starting a process, which would take 50 ms of the CPU that the guests share.
mkfifo "$WORK/never"
sleep() {
	read -r -t "$1" <>"$WORK/never" || true
}

# --- making guests ---

# volume_of NAME N: prints the volume of the guest's disk number N, from 0.
volume_of() {
	echo "$1$([ "$2" = 0 ] || echo "-$2")"
}

# guest_config NAME [OPTION...] [LINE...]: creates the guest's volumes in $VG, which is made if missing, and
# /etc/xen/NAME.cfg with these further lines.
#   --disks N, --memory MIB, --size MIB, --dirty MIB, --tick MS
#   --thin, --classic, --mixed    mixed: xvda thin, xvdb classic, and so on
#   --pvh                         a PVH guest instead of a PV guest; only those can be saved while they run
#   --deaf                        the guest ignores all requests of Xen, including the one to suspend
guest_config() {
	local name=$1 type=pv ndisks=1 memory=96 size=32 kind=thin extra= n disks=
	shift
	while [[ ${1:-} == --* ]]; do
		case $1 in
		--pv) type=pv ;;
		--pvh) type=pvh ;;
		--disks) ndisks=$2 && shift ;;
		--memory) memory=$2 && shift ;;
		--size) size=$2 && shift ;;
		--thin | --classic | --mixed) kind=${1#--} ;;
		--dirty) extra+=" dirty=$2" && shift ;;
		--tick) extra+=" tick=$2" && shift ;;
		--deaf) extra+=" initcall_blacklist=xen_setup_shutdown_event" ;;
		*) die "guest_config: $1" ;;
		esac
		shift
	done
	[ ${#DISKS[@]} -gt 0 ] || make_vg
	GUESTS+=("$name")
	for ((n = 0; n < ndisks; n++)); do
		case $kind$((n % 2)) in
		thin? | mixed0) make_thin "$(volume_of "$name" $n)" "${size}M" ;;
		*) make_classic "$(volume_of "$name" $n)" "${size}M" ;;
		esac
		disks+="'phy:/dev/$VG/$(volume_of "$name" $n),xvd$(printf '%b' "\\x6$((n + 1))"),w,script=block-fast', "
	done
	cat >"/etc/xen/$name.cfg" <<CFG
name = "$name"
type = "$type"
memory = $memory
vcpus = 1
kernel = "$GUEST_FILES/vmlinux"
ramdisk = "$GUEST_FILES/initrd.img"
extra = "console=hvc0 $GUEST_KERNEL disks=$ndisks$extra"
disk = [ $disks]
$(printf '%s\n' "$@")
CFG
}

# guest_create NAME: starts a configured guest and waits until it counts.
guest_create() {
	mark "$1"
	must xl create -q "/etc/xen/$1.cfg"
	wait_ticks "$1" 2
}

# guest_start NAME OPTION...: configures and starts a guest; the options are those of guest_config.
guest_start() {
	guest_config "$@"
	guest_create "$1"
}

# guest_says NAME WORD: types a line on the guest's console: poweroff, reboot, crash.
guest_says() {
	echo "$2" >"$(xenstore-read "/local/domain/$(xl domid "$1")/console/tty")"
}

runs() {
	xl domid "$1" >/dev/null 2>&1
}

# power_of NAME: prints running, paused or off, according to Xen.
power_of() {
	xl list "$1" 2>/dev/null | awk 'NR == 2 { print $5 ~ /p/ ? "paused" : "running"; found = 1 } END { if (!found) print "off" }'
}

# --- the guests' counts ---

# mark NAME: later checks read the guest's console from here on.
mark() {
	local all=()
	[ ! -e "$CONSOLES/guest-$1.log" ] || mapfile -t all <"$CONSOLES/guest-$1.log"
	MARK[$1]=${#all[@]}
}

# hear NAME: sets HEARD to the lines since the mark, without incomplete ones.
hear() {
	local line all=()
	HEARD=()
	[ ! -e "$CONSOLES/guest-$1.log" ] || mapfile -t -s "${MARK[$1]:-0}" all <"$CONSOLES/guest-$1.log"
	for line in "${all[@]%$'\r'}"; do
		[[ ! $line =~ ^guest\ boot=[0-9]+\ .*MATCH$ ]] || HEARD+=("$line")
	done
}

has_ticked() {
	hear "$1"
	[ ${#HEARD[@]} -ge "$2" ]
}

# wait_ticks NAME [N]: waits for N ticks (default 2) since the mark; RAM and disks must agree.
wait_ticks() {
	await "${2:-2} ticks of $1" has_ticked "$1" "${2:-2}"
	agree "$1"
}

booted() {
	hear "$1"
	[ ${#HEARD[@]} -gt 0 ] && [ "$(field "$1" boot)" != "$2" ]
}

# wait_boot NAME BOOT: waits until the guest counts in a boot with another nonce.
wait_boot() {
	await "$1 to boot" booted "$1" "$2"
	agree "$1"
}

# goes_on NAME [N]: waits for N further ticks (default 2).
goes_on() {
	mark "$1"
	wait_ticks "$@"
}

# agree NAME: RAM and disks of the guest have agreed since the mark.
agree() {
	local line
	hear "$1"
	for line in "${HEARD[@]}"; do
		[[ $line != *MISMATCH ]] || die "RAM and disks of $1 are of different instants: $line"
	done
}

disagree() {
	hear "$1"
	[[ ${HEARD[*]} == *MISMATCH* ]]
}

# field NAME FIELD [LINE]: prints a field (boot, count, xvda, ...) of the last line since the mark, or of line
# 0, 1, ...
field() {
	local words
	hear "$1"
	words=${HEARD[${3:--1}]}
	words=${words##*" $2="}
	echo "${words%% *}"
}

# count_on FILE|DEVICE: prints the count that a guest has written there.
count_on() {
	{ dd if="$1" iflag=direct bs=4096 count=1 status=none 2>/dev/null || head -c 4096 "$1"; } | sed -zn '1s/^COUNT //p' | tr -d '\0\n'
}

# continued NAME BOOT COUNT: since the mark the guest continues from its RAM, with that boot's nonce, from
# COUNT on its disk. It does not repeat its last line, so the first one may be of the tick after.
continued() {
	local first
	wait_ticks "$1"
	is "$2" "$(field "$1" boot 0)" "boot of $1"
	first=$(field "$1" count 0)
	[ "$first" -gt "$3" ] && [ "$first" -le $(($3 + 2)) ] || die "$1 continues from $first, but its disk had $3"
}

# reverted NAME BOOT COUNT: since the mark, made while the guest ran, it was reverted to the instant with that
# boot's nonce and that count on its disk, and counts on from there.
reverted() {
	await "$1 to continue from $3" has_said "$1" "boot=$2 count=($(($3 + 1))|$(($3 + 2))) "
	goes_on "$1"
	is "$2" "$(field "$1" boot)" "boot of $1"
}

# has_said NAME PATTERN: a line since the mark matches; RAM and disks must agree in all of them.
has_said() {
	local line
	agree "$1"
	for line in "${HEARD[@]}"; do
		[[ ! $line =~ $2 ]] || return 0
	done
	return 1
}

# --- snapfs ---

HELPER=$BUILD/backends/xen/helper/snapfs-xen

# start_xen [KEY=VALUE...] [-- ARGUMENT...]: starts the daemon on this host's guests, with these settings in
# section [snapfs].
start_xen() {
	echo '[snapfs]' >"$WORK/snapfs.conf"
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		echo "$1" >>"$WORK/snapfs.conf"
		shift
	done
	printf '[xen]\nhelper = %s\n' "$HELPER" >>"$WORK/snapfs.conf"
	start --config "$WORK/snapfs.conf" "${@:2}"
}

# instant NAME SNAPSHOT: sets BOOT, from the guest as it is now, and COUNT, from the snapshot's disk.
instant() {
	BOOT=$(field "$1" boot)
	COUNT=$(count_on "$MNT/$1/$2/disk.img")
}

# make NAME SNAPSHOT: takes a snapshot of a running guest, which runs on.
make() {
	mark "$1"
	mkdir "$MNT/$1/$2"
	is running "$(power_of "$1")" "power of $1 after its snapshot"
	goes_on "$1"
	instant "$1" "$2"
}

# --- interrupting operations ---

# The process of Xen that writes a guest's RAM to a file.
STREAMER=libxl-save-help # the name as the kernel truncates it

streams() {
	[ -n "$(find "$STATE/$1" -name memory.sav -size +8M 2>/dev/null)" ] && pgrep -x "$STREAMER" >/dev/null
}

streams_or_ended() {
	streams "$1" || not_running "$maker"
}

# stop_streaming NAME: takes the snapshot c in a background job, $maker, and stops the process that streams
# the guest's RAM when part of it is in the file. A save that ends earlier is deleted, and the next one
# stopped.
stop_streaming() {
	local try
	for try in {1..20}; do
		mkdir "$MNT/$1/c" 2>"$WORK/said" &
		maker=$!
		await "RAM to be saved" streams_or_ended "$1"
		pkill -STOP -x "$STREAMER" || true
		if streams "$1" && runs_on "$1"; then
			return
		fi
		go_on_streaming
		wait "$maker" || die "mkdir: $(cat "$WORK/said")"
		rmdir "$MNT/$1/c"
	done
	die "$try saves ended before they could be stopped"
}

go_on_streaming() {
	pkill -CONT -x "$STREAMER" || true
}

# runs_on NAME: the guest is neither paused nor suspended.
runs_on() {
	xl list "$1" 2>/dev/null | awk 'NR == 2 { found = $5 !~ /[psc]/ } END { exit !found }'
}

# A domain that is being destroyed has lost its name already.
gone_domain() {
	! xl domid "$1" >/dev/null 2>&1 && ! xl list | grep -q '^(null)'
}

# restoring: whether an xl is restoring RAM. Those in RESTORED have finished and stay with their guests.
restoring() {
	[ -n "$(comm -13 <(echo "$RESTORED") <(pgrep -f 'xl restore -p' | sort))" ]
}

# disk_backends: prints the block backends, which hold the disks of domains until after their destruction.
# libxl sometimes leaves the backend of a console, which does not matter.
disk_backends() {
	ls /sys/bus/xen-backend/devices 2>/dev/null | grep '^vbd-'
}

# disks_free: waits until no domain has a disk.
disks_free() {
	local until=$((SECONDS + DEADLINE))
	while disk_backends >/dev/null; do
		[ "$SECONDS" -lt "$until" ] || {
			disk_backends
			xl list
			xenstore-ls -f /local/domain/0/backend
			die "waited $DEADLINE s for: the disks to be free"
		}
		sleep 0.1
	done
}

# only_volumes N: the group has that many snapshots.
only_volumes() {
	[ "$(lvs --noheadings -o lv_tags "$VG" | grep -c snapfs)" = "$1" ]
}

# --- cleanup ---

domains() {
	xl list | awk 'NR > 1 && $2 != 0 { print $1 }'
}

no_domains() {
	is "" "$(domains)" "domains that are left"
}

destroy_guests() {
	local name try
	go_on_streaming
	pkill -x xl # one of them may be about to reboot its guest
	for name in "${GUESTS[@]}"; do
		timeout "$(slow 60)" xl destroy "$name"
		rm -f "/etc/xen/$name.cfg" "$CONSOLES/guest-$name.log"
	done
	# A domain's disks stay in use until its backends are gone.
	for ((try = 0; try < $(slow 300); try++)); do
		[ -n "$(disk_backends)$(pgrep -x xl)" ] || break
		sleep 0.1
	done
} >/dev/null 2>&1

leave_xen() {
	local status=$?
	trap '' INT TERM HUP
	trap - EXIT
	set +e
	end_everything # a daemon may be about to restore a guest
	destroy_guests
	(exit "$status")
	leave_vm
}
trap leave_xen EXIT
