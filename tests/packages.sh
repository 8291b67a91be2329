#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# packages.sh PACKAGE...: have these packages of this machine's own Debian release at hand, and what they
# depend on that is not installed, and print the folder that holds them. It is a source of apt, for machines
# of tests/machines.bash to install them from, which have no network.
#
# The folder is in ${XDG_CACHE_HOME:-~/.cache}/pmdakvm, or $PMDAKVM_PACKAGES. One that is there needs no
# network, as long as the same packages are installed here. Where it cannot be had, one line on stderr says
# why and the status is 77, so that a caller can skip.
set -euo pipefail

work=

say()
{
	echo "packages.sh: $*" >&2
}

cleanup()
{
	[[ -z $work ]] || rm -rf "$work"
}

main()
{
	local dir wanted release

	dir=${PMDAKVM_PACKAGES:-${XDG_CACHE_HOME:-$HOME/.cache}/pmdakvm/packages}
	mkdir -p "${dir%/*}" 2>/dev/null || skip "cannot make ${dir%/*}"
	need_apt
	# shellcheck source=/dev/null
	release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	wanted="$release $* $(dpkg-query -W | sha256sum)"
	exec 9>"$dir.lock"
	flock 9
	if [[ ! -e $dir/wanted || $(<"$dir/wanted") != "$wanted" ]]; then
		trap cleanup EXIT
		work=$(mktemp -d "${dir%/*}/.packages.XXXXXX")
		mkdir "$work/debs"
		private_apt_open "$work/apt" "$(dpkg --print-architecture)" "$release" \
			"$release-updates" "$release-security"
		private_apt apt-get -q update >/dev/null || :
		private_apt apt-get -qq -y -o Dir::State::status=/var/lib/dpkg/status -o Debug::NoLocking=1 \
			--no-install-recommends --download-only install "$@" >/dev/null ||
			skip "cannot download the packages $*: $(why)"
		find "$work/apt/cache/archives" -name '*.deb' -exec mv -t "$work/debs" {} +
		make_source "$work/debs"
		echo "$wanted" >"$work/debs/wanted"
		chmod -R a+rX "$work/debs"
		rm -rf "$dir"
		mv "$work/debs" "$dir"
	fi
	echo "$dir"
}

# shellcheck source=scripts/private-apt.sh
. "${BASH_SOURCE[0]%/*}/../scripts/private-apt.sh"
main "$@"
