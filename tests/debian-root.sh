#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# debian-root.sh SUITE PACKAGES...: have a bare Debian of that suite at hand, in which only pcp is
# installed, and print the folder that holds it, for tests/sandbox.sh (SANDBOX_ROOT). Its apt knows
# one source, /srv/debs, which has these packages and all that they depend on: what runs in it needs
# no network.
#
# The folder is $PMDAKVM_ROOTS/SUITE, by default in ${XDG_CACHE_HOME:-~/.cache}/pmdakvm/roots. One that
# is there needs no network. Where it cannot be had, one line on stderr says why and the status is 77,
# so that a caller can skip.
set -euo pipefail

work=

say()
{
	echo "debian-root.sh: $*" >&2
}

cleanup()
{
	[[ -z $work ]] || rm -rf "$work"
}

# Runs a command in the root $1.
within()
{
	# shellcheck disable=SC2016 # the inner shell's own variables
	unshare -mpf --propagation private sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$1" \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 "${@:2}"
}

main()
{
	local suite=$1 cache dir mirror root
	local packages="${*:2}"

	cache=${PMDAKVM_ROOTS:-${XDG_CACHE_HOME:-$HOME/.cache}/pmdakvm/roots}
	dir=$cache/$suite
	mkdir -p "$cache" 2>/dev/null || skip "cannot make $cache"
	need_apt
	exec 9>"$dir.lock"
	flock 9
	# a list of other packages is another root
	if [[ ! -e $dir/srv/packages || $(<"$dir/srv/packages") != "$packages" ]]; then
		command -v debootstrap >/dev/null || skip "debootstrap is not installed"
		mirror=$(mirror_of "$suite") || skip "this machine's apt has no Debian mirror to ask"
		trap cleanup EXIT
		work=$(mktemp -d "$cache/.$suite.XXXXXX")
		root=$work/root
		debootstrap --variant=minbase --keyring="$keyring" "$suite" "$root" "$mirror" >"$work/log" 2>&1 ||
			skip "debootstrap failed: $(tail -n 1 "$work/log")"
		private_apt_open "$work/apt" "$(dpkg --print-architecture)" "$suite"
		cp "$root/var/lib/dpkg/status" "$work/apt/status"
		private_apt apt-get -q update >/dev/null || :
		# shellcheck disable=SC2086 # a list of words
		private_apt apt-get -qq -y --download-only --no-install-recommends install pcp $packages \
			>/dev/null || skip "cannot download the packages: $(why)"
		mkdir "$root/srv/debs"
		mv "$work"/apt/cache/archives/*.deb "$root/srv/debs"
		make_source "$root/srv/debs"
		echo 'deb [trusted=yes] file:/srv/debs ./' >"$root/etc/apt/sources.list"
		within "$root" sh -c 'apt-get -q update && apt-get -q -y --no-install-recommends install pcp' \
			>"$work/log" 2>&1 </dev/null || skip "cannot install pcp: $(tail -n 1 "$work/log")"
		echo "$packages" >"$root/srv/packages"
		rm -rf "$dir"
		mv "$root" "$dir"
	fi
	echo "$dir"
}

# shellcheck source=scripts/private-apt.sh
. "${BASH_SOURCE[0]%/*}/../scripts/private-apt.sh"
main "$@"
