#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# prometheus.sh: have prometheus and promtool at hand, of this machine's own Debian release, and print
# the folder that holds them. The package is unpacked, not installed: it would start a server.
#
# The folder is $PMDAKVM_PROMETHEUS, by default in ${XDG_CACHE_HOME:-~/.cache}/pmdakvm/prometheus. One
# that is there needs no network. Where it cannot be had, one line on stderr says why and the status is
# 77, so that a caller can skip.
set -euo pipefail

work=

say()
{
	echo "prometheus.sh: $*" >&2
}

cleanup()
{
	[[ -z $work ]] || rm -rf "$work"
}

main()
{
	local release dir deb

	if command -v promtool >/dev/null && command -v prometheus >/dev/null; then
		dirname "$(command -v promtool)"
		return
	fi
	dir=${PMDAKVM_PROMETHEUS:-${XDG_CACHE_HOME:-$HOME/.cache}/pmdakvm/prometheus}
	mkdir -p "${dir%/*}" 2>/dev/null || skip "cannot make ${dir%/*}"
	need_apt
	# shellcheck source=/dev/null
	release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	exec 9>"$dir.lock"
	flock 9
	if [[ ! -x $dir/promtool ]]; then
		trap cleanup EXIT
		work=$(mktemp -d "${dir%/*}/.prometheus.XXXXXX")
		private_apt_open "$work/apt" "$(dpkg --print-architecture)" "$release" \
			"$release-updates" "$release-security"
		private_apt apt-get -q update >/dev/null || :
		# newer releases have promtool in a package of its own
		cd "$work"
		private_apt apt-get -q download prometheus >/dev/null ||
			skip "cannot download the package prometheus: $(why)"
		private_apt apt-get -q download promtool >/dev/null || :
		mkdir "$work/bin"
		for deb in "$work"/*.deb; do
			dpkg --fsys-tarfile "$deb" | tar -x -C "$work/bin" --strip-components=3 ./usr/bin
		done
		[[ -x $work/bin/promtool ]] || skip "cannot download the package promtool: $(why)"
		rm -rf "$dir"
		mv "$work/bin" "$dir"
	fi
	echo "$dir"
}

# shellcheck source=scripts/private-apt.sh
. "${BASH_SOURCE[0]%/*}/../scripts/private-apt.sh"
main "$@"
