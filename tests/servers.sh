#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# servers.sh prometheus|node-exporter|redis: have the programs of these at hand, of this machine's own Debian
# release, and print the folder that holds them. Packages are unpacked, not installed: they would start
# servers. Where Debian has valkey for redis, it is that.
#
# The folder is in ${XDG_CACHE_HOME:-~/.cache}/pmdakvm, or $PMDAKVM_SERVERS. One that is there needs no
# network. Where it cannot be had, one line on stderr says why and the status is 77, so that a caller can
# skip.
set -euo pipefail

work=

say()
{
	echo "servers.sh: $*" >&2
}

cleanup()
{
	[[ -z $work ]] || rm -rf "$work"
}

# download PACKAGE...: those that there are; the releases cut some of them differently
download()
{
	local package

	for package; do
		(cd "$work/debs" && private_apt apt-get -q download "$package" >/dev/null) || :
	done
}

# download_whole PACKAGE: with the libraries that this machine lacks
download_whole()
{
	private_apt apt-get -q -y -o Dir::State::status=/var/lib/dpkg/status -o Debug::NoLocking=1 \
		--no-install-recommends --download-only install "$1" >/dev/null || return 1
	mv "$work"/apt/cache/archives/*.deb "$work/debs/"
}

# unpack: all packages into $work/root, and in $work/root/bin what is to be run
unpack()
{
	local deb program libraries

	mkdir -p "$work/root/bin"
	for deb in "$work"/debs/*.deb; do
		[[ -e $deb ]] || return 0
		dpkg --fsys-tarfile "$deb" | tar -x -C "$work/root" --wildcards './usr/bin/*' './usr/lib/*' \
			2>/dev/null || :
	done
	libraries=$(cd "$work/root" && echo usr/lib/*-linux-gnu*)
	for program in "$work"/root/usr/bin/*; do
		if [[ -d $work/root/$libraries ]]; then
			printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q "$@"\n' "$dir/$libraries" "$dir/usr/bin/${program##*/}" \
				>"$work/root/bin/${program##*/}"
			chmod 755 "$work/root/bin/${program##*/}"
		else
			ln -s "../usr/bin/${program##*/}" "$work/root/bin/"
		fi
	done
}

# has NAME...: is one of these programs in the folder
has()
{
	local name

	for name; do
		[[ ! -x $dir/bin/$name ]] || return 0
	done
	return 1
}

main()
{
	local what=$1 programs release

	case $what in
	prometheus) programs="promtool" ;;
	node-exporter) programs="prometheus-node-exporter" ;;
	redis) programs="redis-server valkey-server" ;;
	*)
		say "unknown: $what"
		exit 2
		;;
	esac
	for program in $programs; do
		if command -v "$program" >/dev/null; then
			dirname "$(command -v "$program")"
			return
		fi
	done
	dir=${PMDAKVM_SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/pmdakvm/servers}/$what
	mkdir -p "${dir%/*}" 2>/dev/null || skip "cannot make ${dir%/*}"
	need_apt
	# shellcheck source=/dev/null
	release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	exec 9>"$dir.lock"
	flock 9
	# shellcheck disable=SC2086
	if ! has $programs; then
		trap cleanup EXIT
		work=$(mktemp -d "${dir%/*}/.$what.XXXXXX")
		mkdir "$work/debs"
		private_apt_open "$work/apt" "$(dpkg --print-architecture)" "$release" \
			"$release-updates" "$release-security"
		private_apt apt-get -q update >/dev/null || :
		case $what in
		prometheus) download prometheus promtool ;; # promtool: a package of its own in newer releases
		node-exporter) download prometheus-node-exporter ;;
		redis) download_whole redis-server || download_whole valkey-server || : ;;
		esac
		unpack
		rm -rf "$dir"
		mv "$work/root" "$dir"
		# shellcheck disable=SC2086
		has $programs || skip "cannot download the package of $what: $(why)"
	fi
	echo "$dir/bin"
}

# shellcheck source=scripts/private-apt.sh
. "${BASH_SOURCE[0]%/*}/../scripts/private-apt.sh"
main "$@"
