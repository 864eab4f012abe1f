# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced. Makes a Debian root directory with debootstrap, from the mirror that this machine uses. Roots are
# kept in ~/.cache/snapfs.
# shellcheck shell=bash disable=SC2016,SC2034
ROOTS=${HOME:-/root}/.cache/snapfs

# debian_root SUITE DIRECTORY OPTION...: makes DIRECTORY.new; the caller renames it to DIRECTORY when the root
# is complete.
debian_root() {
	local mirror
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 'debian/\?$') || return 1
	command -v debootstrap >/dev/null || return 1
	mkdir -p "${2%/*}"
	rm -rf --one-file-system "$2.new"
	timeout 900 debootstrap --variant=minbase "${@:3}" "$1" "$2.new" "$mirror" </dev/null
}
