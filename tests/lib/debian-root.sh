# SPDX-License-Identifier: GPL-2.0-or-later
# A Debian of its own in a directory, made by debootstrap from this machine's mirror; sourced. It is kept in ~/.cache/snapfs.
# shellcheck shell=bash disable=SC2016,SC2034
ROOTS=${HOME:-/root}/.cache/snapfs

# debian_root SUITE DIRECTORY OPTION...: what comes of it is DIRECTORY.new, which the caller renames when the root is whole.
debian_root() {
	local mirror
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 'debian/\?$') || return 1
	command -v debootstrap >/dev/null || return 1
	mkdir -p "${2%/*}"
	rm -rf --one-file-system "$2.new"
	timeout 900 debootstrap --variant=minbase "${@:3}" "$1" "$2.new" "$mirror" </dev/null
}
