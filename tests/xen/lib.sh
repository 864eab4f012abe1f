# SPDX-License-Identifier: GPL-2.0-or-later
# What the cases in cases/ share, on top of what cases on LVM do: guests on volumes of the case's own group, their count (see
# guest.c), and nothing left of them. They run in dom0 of a machine of scripts/xen-vm.
# shellcheck shell=bash
XEN_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$XEN_HERE/../vm/lib.sh"

[ -e /proc/xen/capabilities ] || die "this wants tests/xen/run ${0##*/}: it creates and destroys domains"

GUEST_FILES=/usr/lib/snapfs-guest
GUEST_KERNEL="quiet audit=0 init_on_alloc=0 mitigations=off rodata=off cryptomgr.notests tsc=reliable" # boots faster
CONSOLES=/var/log/xen/console
GUESTS=()          # names of all that this case has configured
declare -A MARK=() # of each guest: how many lines its console's log had at `mark`
HEARD=()           # see hear

# A pause without a process: one costs 50 ms here, and the guests count on the same CPU.
mkfifo "$WORK/never"
sleep() {
	read -r -t "$1" <>"$WORK/never" || true
}

# --- making guests ---

# volume_of NAME N: the volume that is the guest's disk number N, from 0.
volume_of() {
	echo "$1$([ "$2" = 0 ] || echo "-$2")"
}

# guest_config NAME [--disks N] [--memory MIB] [--size MIB] [--thin|--classic|--mixed] [--dirty MIB] [--tick MS] [--deaf]
# [LINE...]: its volumes in $VG, which is made if there is none, and /etc/xen/NAME.cfg with these further lines. --mixed: xvda
# thin, xvdb classic, and so on. --pvh: not a PV guest but one in hardware's own virtualisation, which this machine emulates and
# without which Xen cannot save a guest while it runs. --deaf: it ignores all requests of Xen, above all that to suspend.
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

# guest_create NAME: what is configured begins to run; returns when it counts.
guest_create() {
	mark "$1"
	must xl create -q "/etc/xen/$1.cfg"
	wait_ticks "$1" 2
}

# guest_start NAME OPTION...: as guest_config has them.
guest_start() {
	guest_config "$@"
	guest_create "$1"
}

# guest_says NAME WORD: a line on its console: poweroff, reboot, crash.
guest_says() {
	echo "$2" >"$(xenstore-read "/local/domain/$(xl domid "$1")/console/tty")"
}

runs() {
	xl domid "$1" >/dev/null 2>&1
}

# power_of NAME: running, paused or off, as Xen has it.
power_of() {
	xl list "$1" 2>/dev/null | awk 'NR == 2 { print $5 ~ /p/ ? "paused" : "running"; found = 1 } END { if (!found) print "off" }'
}

# --- what they have counted ---

# mark NAME: what its console says from now on counts.
mark() {
	local all=()
	[ ! -e "$CONSOLES/guest-$1.log" ] || mapfile -t all <"$CONSOLES/guest-$1.log"
	MARK[$1]=${#all[@]}
}

# hear NAME: HEARD is its lines since the mark, without those in which the console began or broke off in the middle.
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

# wait_ticks NAME [N]: until it has ticked N times (default 2) since the mark, and RAM and disks agreed.
wait_ticks() {
	await "${2:-2} ticks of $1" has_ticked "$1" "${2:-2}"
	agree "$1"
}

booted() {
	hear "$1"
	[ ${#HEARD[@]} -gt 0 ] && [ "$(field "$1" boot)" != "$2" ]
}

# wait_boot NAME BOOT: until it counts in another boot than the one with that nonce.
wait_boot() {
	await "$1 to boot" booted "$1" "$2"
	agree "$1"
}

# goes_on NAME [N]: it ticks N times (default 2) from now on.
goes_on() {
	mark "$1"
	wait_ticks "$@"
}

# agree NAME: its RAM and disks did so since the mark.
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

# field NAME FIELD [LINE]: of its last line since the mark, or of line 0, 1, ...: boot, count, xvda, ...
field() {
	local words
	hear "$1"
	words=${HEARD[${3:--1}]}
	words=${words##*" $2="}
	echo "${words%% *}"
}

# count_on FILE|DEVICE: the count that a guest has written there.
count_on() {
	{ dd if="$1" iflag=direct bs=4096 count=1 status=none 2>/dev/null || head -c 4096 "$1"; } | sed -zn '1s/^COUNT //p' | tr -d '\0\n'
}

# continued NAME BOOT COUNT: since the mark it goes on as it was in RAM, with that boot's nonce, when its disk had COUNT. What it
# had said last before that is not said again, so the first line may be of the tick after.
continued() {
	local first
	wait_ticks "$1"
	is "$2" "$(field "$1" boot 0)" "boot of $1"
	first=$(field "$1" count 0)
	[ "$first" -gt "$3" ] && [ "$first" -le $(($3 + 2)) ] || die "$1 goes on with $first when its disk had $3"
}

# reverted NAME BOOT COUNT: since the mark, which was made while it ran, it was brought back to that instant and counts on from what
# its disk had, with that boot's nonce.
reverted() {
	await "$1 to go on from $3" has_said "$1" "boot=$2 count=($(($3 + 1))|$(($3 + 2))) "
	goes_on "$1"
	is "$2" "$(field "$1" boot)" "boot of $1"
}

# has_said NAME PATTERN: a line since the mark, and none of them of RAM and disks that differ.
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

# start_xen [KEY=VALUE...] [-- ARGUMENT...]: the daemon, showing this host's guests, with these settings of its section [snapfs].
start_xen() {
	echo '[snapfs]' >"$WORK/snapfs.conf"
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		echo "$1" >>"$WORK/snapfs.conf"
		shift
	done
	printf '[xen]\nhelper = %s\n' "$HELPER" >>"$WORK/snapfs.conf"
	start --config "$WORK/snapfs.conf" "${@:2}"
}

# instant NAME SNAPSHOT: BOOT and COUNT of that instant, as the guest is now and the snapshot's disks say.
instant() {
	BOOT=$(field "$1" boot)
	COUNT=$(count_on "$MNT/$1/$2/disk.img")
}

# make NAME SNAPSHOT: takes it of a guest that runs, which goes on.
make() {
	mark "$1"
	mkdir "$MNT/$1/$2"
	is running "$(power_of "$1")" "power of $1 after its snapshot"
	goes_on "$1"
	instant "$1" "$2"
}

# --- states that do not last ---

# saving_ram NAME: RAM is on its way into a file.
saving_ram() {
	[ -n "$(find "$STATE/$1" -name memory.sav -size +8M -newer "$WORK/snapfs.conf" -mmin -1 2>/dev/null)" ] &&
		json "$MNT/.snapfs/jobs.json" '[1 for j in d["jobs"] if j["operation"] == "create"]' 2>/dev/null | grep -q 1
}

# suspended NAME: the guest has come to rest for a save.
suspended() {
	xl list "$1" 2>/dev/null | awk 'NR == 2 { found = $5 ~ /s/ } END { exit !found }'
}

# runs_on NAME: it is neither paused nor suspended.
runs_on() {
	xl list "$1" 2>/dev/null | awk 'NR == 2 { found = $5 !~ /[psc]/ } END { exit !found }'
}

gone_domain() {
	! xl domid "$1" >/dev/null 2>&1
}

# restoring: an xl brings RAM back that is not among the processes in RESTORED, which stayed with guests that they brought back.
restoring() {
	[ -n "$(comm -13 <(echo "$RESTORED") <(pgrep -f 'xl restore -p' | sort))" ]
}

# disk_backends: what holds the disks of domains, those that were destroyed included. libxl leaves a console's backend now and then.
disk_backends() {
	ls /sys/bus/xen-backend/devices 2>/dev/null | grep '^vbd-'
}

# disks_free: until no domain has a disk any more.
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

# only_volumes N: there are so many snapshots in the group.
only_volumes() {
	[ "$(lvs --noheadings -o lv_tags "$VG" | grep -c snapfs)" = "$1" ]
}

# --- nothing is left ---

domains() {
	xl list | awk 'NR > 1 && $2 != 0 { print $1 }'
}

no_domains() {
	is "" "$(domains)" "domains that are left"
}

destroy_guests() {
	local name try
	pkill -x xl # one of them may be about to boot its guest again
	for name in "${GUESTS[@]}"; do
		timeout 30 xl destroy "$name"
		rm -f "/etc/xen/$name.cfg" "$CONSOLES/guest-$name.log"
	done
	# A domain holds its disks until its backends are gone.
	for try in {1..100}; do
		[ -n "$(disk_backends)$(pgrep -x xl)" ] || break
		sleep 0.1
	done
} >/dev/null 2>&1

leave_xen() {
	local status=$?
	trap '' INT TERM HUP
	trap - EXIT
	set +e
	end_everything # a daemon may be about to bring a guest back
	destroy_guests
	(exit "$status")
	leave_vm
}
trap leave_xen EXIT
