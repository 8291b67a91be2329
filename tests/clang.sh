#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# clang.sh VERSION: have that clang of this machine's own Debian release at hand, and print its path.
# Its packages are unpacked, not installed.
#
# It is in ${XDG_CACHE_HOME:-~/.cache}/pmdakvm/clang-VERSION. One that is there needs no network. Where it
# cannot be had, one line on stderr says why and the status is 77, so that a caller can skip.
set -euo pipefail

work=

say()
{
	echo "clang.sh: $*" >&2
}

cleanup()
{
	[[ -z $work ]] || rm -rf "$work"
}

main()
{
	local version=$1 release dir deb

	if command -v "clang-$version"; then
		return
	fi
	dir=${XDG_CACHE_HOME:-$HOME/.cache}/pmdakvm/clang-$version
	mkdir -p "${dir%/*}" 2>/dev/null || skip "cannot make ${dir%/*}"
	need_apt
	# shellcheck source=/dev/null
	release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	exec 9>"$dir.lock"
	flock 9
	if [[ ! -x $dir/clang ]]; then
		trap cleanup EXIT
		work=$(mktemp -d "${dir%/*}/.clang.XXXXXX")
		private_apt_open "$work/apt" "$(dpkg --print-architecture)" "$release" \
			"$release-updates" "$release-security"
		private_apt apt-get -q update >/dev/null || :
		cd "$work"
		private_apt apt-get -q download "clang-$version" "libclang-cpp$version" "libllvm$version" \
			"libclang-common-$version-dev" >/dev/null ||
			skip "cannot download the package clang-$version: $(why)"
		mkdir "$work/root"
		for deb in "$work"/*.deb; do
			dpkg --fsys-tarfile "$deb" | tar -x -C "$work/root"
		done
		cat >"$work/root/clang" <<-END
			#!/bin/sh
			here=\$(dirname "\$(readlink -f "\$0")")
			LD_LIBRARY_PATH=\$(echo "\$here"/usr/lib/*-linux-gnu) exec "\$here/usr/lib/llvm-$version/bin/clang" "\$@"
		END
		chmod +x "$work/root/clang"
		"$work/root/clang" --version >/dev/null || skip "clang-$version does not run once it is unpacked"
		rm -rf "$dir"
		mv "$work/root" "$dir"
	fi
	echo "$dir/clang"
}

# shellcheck source=scripts/private-apt.sh
. "${BASH_SOURCE[0]%/*}/../scripts/private-apt.sh"
main "$@"
