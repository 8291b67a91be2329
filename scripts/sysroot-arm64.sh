#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# sysroot-arm64.sh: have the arm64 packages at hand that pmdakvm is built against and runs with, of
# this machine's own Debian release, unpacked, and print the folder that holds them. Nothing is
# installed: as foreign packages they would replace the host's pcp.
#
# The folder is $PMDAKVM_SYSROOTS/arm64-RELEASE, by default in
# ${XDG_CACHE_HOME:-~/.cache}/pmdakvm/sysroots. One that is there needs no network. Where it cannot be
# had, one line on stderr says why and the status is 77, so that a caller can skip.
set -euo pipefail

packages='libc6-dev libpcp3-dev libpcp-pmda3-dev libbpf-dev libelf-dev zlib1g-dev
	libsmartcols-dev libjansson-dev libcap-ng-dev libncurses-dev busybox-static
	pcp util-linux jq'

work=

say()
{
	echo "sysroot-arm64.sh: $*" >&2
}

cleanup()
{
	[[ -z $work ]] || rm -rf "$work"
}

# Packages of a release that has its parts in /usr, and one that has not, go into one that has.
unpack()
{
	local deb dir

	for dir in bin sbin lib; do
		mkdir -p "$1/usr/$dir"
		ln -s "usr/$dir" "$1/$dir"
	done
	for deb in "$apt_dir"/cache/archives/*.deb; do
		dpkg --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$1"
	done
	rm -rf "$1"/usr/share/{doc,locale,man,perl*}
}

main()
{
	local release cache dir

	# shellcheck source=/dev/null
	release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	cache=${PMDAKVM_SYSROOTS:-${XDG_CACHE_HOME:-$HOME/.cache}/pmdakvm/sysroots}
	dir=$cache/arm64-${release:-unknown}
	mkdir -p "$cache" 2>/dev/null || skip "cannot make $cache"
	need_apt
	exec 9>"$dir.lock"
	flock 9
	# a list of other packages is another sysroot
	if [[ ! -e $dir/.packages || $(<"$dir/.packages") != "$packages" ]]; then
		trap cleanup EXIT
		work=$(mktemp -d "$cache/.arm64.XXXXXX")
		private_apt_open "$work/apt" arm64 "$release" "$release-updates" "$release-security"
		private_apt apt-get -q update >/dev/null || :
		# shellcheck disable=SC2086 # a list of words
		private_apt apt-get -qq -y --download-only --no-install-recommends install $packages \
			>/dev/null || skip "cannot download arm64's packages: $(why)"
		unpack "$work/root"
		echo "$packages" >"$work/root/.packages"
		rm -rf "$dir"
		mv "$work/root" "$dir"
	fi
	echo "$dir"
}

# shellcheck source=scripts/private-apt.sh
. "${BASH_SOURCE[0]%/*}/private-apt.sh"
main "$@"
