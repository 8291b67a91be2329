#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# fetch-kernel.sh KEY: have a Debian kernel at hand for run-kernel.sh, and print the folder that holds it.
#
#   DIR/vmlinuz             the kernel image
#   DIR/version             one line: what uname -r will say
#   DIR/modules/*.ko        KVM's modules and all that they depend on, not compressed, signatures kept
#   DIR/modules/order.NAME  the files to insmod for module NAME, in order; empty where it is built in
#   DIR/SHA256SUMS          of all the above; checked whenever the folder is used again
#
# Folders live in $PMDAKVM_CACHE, by default ${XDG_CACHE_HOME:-~/.cache}/pmdakvm/kernels. One that is
# there and intact needs no network. Where a kernel cannot be had, one line on stderr says why and the
# status is 77, so that a caller can skip. The line of one that the archive has given up says "no longer
# to be had".

set -euo pipefail

# What there is to fetch: key, suites, package name (an extended regular expression), architecture; and what
# modules are wanted beside KVM's.
# Versions come and go, so a row names a series and the newest is taken. All are the signed packages:
# they alone load their modules under lockdown.
kernels='
5.10	bullseye,bullseye-security	linux-image-5\.10\.0-[0-9]+-cloud-amd64	amd64
6.1	bookworm,bookworm-security	linux-image-6\.1\.0-[0-9]+-cloud-amd64	amd64
6.12	bookworm-security,bookworm-backports	linux-image-6\.12\.[0-9]+\+deb12-cloud-amd64	amd64
6.12-host	bookworm-security,bookworm-backports	linux-image-6\.12\.[0-9]+\+deb12-amd64	amd64	9pnet-virtio 9p overlay bridge veth
newest	sid,trixie-backports	linux-image-[0-9]+\.[0-9]+(\.[0-9]+)?\+deb[0-9]+(\.[0-9]+)?-cloud-amd64	amd64
rt	bookworm-security,bookworm-backports	linux-image-6\.12\.[0-9]+\+deb12-rt-amd64	amd64
6.1-arm64	bookworm,bookworm-security	linux-image-6\.1\.0-[0-9]+-cloud-arm64	arm64
6.12-arm64	bookworm-security,bookworm-backports	linux-image-6\.12\.[0-9]+\+deb12-cloud-arm64	arm64
newest-arm64	sid,trixie-backports	linux-image-[0-9]+\.[0-9]+(\.[0-9]+)?\+deb[0-9]+(\.[0-9]+)?-cloud-arm64	arm64
'
# The modules wanted of a kernel; one that is not among its modules counts as built in.
wanted_modules='kvm-amd kvm-intel'

key=${1:-}
work=	# a temporary folder beside the result
new=	# the result, in $work until it is whole

say()
{
	echo "fetch-kernel.sh: ${key:+$key: }$*" >&2
}

cleanup()
{
	[[ -z $work ]] || rm -rf "$work"
}

# Sets suites, pattern, arch and more from the key's row.
find_row()
{
	local row_key

	while IFS=$'\t' read -r row_key suites pattern arch more; do
		[[ -z $row_key || $row_key != "$key" ]] || return 0
	done <<<"$kernels"
	echo "usage: fetch-kernel.sh KEY, with KEY one of: $(cut -f1 <<<"$kernels" | xargs)" >&2
	exit 2
}

# Downloads package $1 and those parts of it that newer releases ship apart, and unpacks all to $work/root.
download_package()
{
	local parts deb

	rm -rf "$work/root" "$work"/debs/*
	parts=$(private_apt apt-cache show --no-all-versions "$1" | sed -n 's/^Depends: *//p' |
		sed 's/[,|]/\n/g' | grep -oE '^ *linux-(binary|modules)-[^ ]+' || :)
	# shellcheck disable=SC2086 # a list of words
	(cd "$work/debs" && private_apt apt-get -q download "$1" $parts >/dev/null) || return 1
	for deb in "$work"/debs/*.deb; do
		dpkg -x "$deb" "$work/root" || return 1
	done
}

# Tries the newest three, since an index may list what its archive no longer has.
download_newest()
{
	local names name

	private_apt apt-get -q update >/dev/null || :
	names=$(private_apt apt-cache pkgnames linux-image- | grep -xE "$pattern" | sort -Vr | sed -n 1,3p || :)
	if [[ -z $names ]]; then
		mirror_answered || skip "cannot look for it: $(why)"
		skip "no longer to be had: there is no package $pattern in $suites"
	fi
	for name in $names; do
		: >"$apt_dir/errors"
		download_package "$name" && return 0
	done
	skip "cannot download $name: $(why)"
}

unpack_module()
{
	case $1 in
	*.xz) xz -dc "$1" ;;
	*.zst) zstd -dcq "$1" ;;
	*.gz) gzip -dc "$1" ;;
	*) cat "$1" ;;
	esac >"$2"
}

# Puts module $1 (as the kernel spells it, with _) and before it what it depends on into $new/modules and
# appends them to order file $2. The dependencies are read from the module: the newest packages have no
# modules.dep, and this spares us depmod.
place_module()
{
	local path=${module_path[$1]:-} file deps dep

	[[ -n $path ]] || return 0
	file=${path##*/}
	file=${file%%.ko*}.ko
	[[ -e $new/modules/$file ]] || unpack_module "$path" "$new/modules/$file"
	deps=$(tr '\0' '\n' <"$new/modules/$file" | LC_ALL=C sed -n 's/^depends=\([a-zA-Z0-9_,-]*\)$/\1/p')
	for dep in ${deps//,/ }; do
		place_module "${dep//-/_}" "$2"
	done
	grep -qxF "$file" "$2" || echo "$file" >>"$2"
}

# From the unpacked packages to the folder described at the top.
arrange()
{
	local tree path name
	declare -A module_path=()

	tree=$(find "$work/root" -type d -path '*lib/modules/*' -name '[0-9]*' -print -quit)
	path=$(find "$work/root" -type f \( -path '*/boot/vmlinuz-*' -o -path '*lib/modules/*/vmlinuz' \) -print -quit)
	[[ -n $tree && -n $path ]] || skip "the package holds no kernel or no modules"

	mkdir -p "$new/modules"
	cp "$path" "$new/vmlinuz"
	echo "${tree##*/}" >"$new/version"
	while IFS= read -r path; do
		name=${path##*/}
		name=${name%%.ko*}
		module_path[${name//-/_}]=$path
	done < <(find "$tree" -name '*.ko*' -type f)
	for name in $wanted_modules $more; do
		: >"$new/modules/order.$name"
		place_module "${name//-/_}" "$new/modules/order.$name"
	done
	(cd "$new" && find . -type f ! -name SHA256SUMS -print0 | sort -z |
		xargs -0 sha256sum >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
}

intact()
{
	[[ -s $1/SHA256SUMS && -s $1/vmlinuz && -s $1/version ]] || return 1
	(cd "$1" && sha256sum --check --strict --quiet SHA256SUMS) >/dev/null 2>&1
}

main()
{
	local cache dir

	[[ $# -eq 1 && -n $key ]] || key=
	find_row
	cache=${PMDAKVM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pmdakvm/kernels}
	mkdir -p "$cache" 2>/dev/null || skip "cannot make $cache"
	cache=$(cd "$cache" && pwd)
	dir=$cache/$key
	command -v flock >/dev/null || skip "flock is not installed"
	exec 9>"$cache/$key.lock"
	flock 9

	if [[ -e $dir ]]; then
		if intact "$dir"; then
			echo "$dir"
			return 0
		fi
		say "$dir does not match its SHA256SUMS: discarded, fetching anew"
		rm -rf "$dir"
	fi
	need_apt
	command -v xz >/dev/null || skip "xz is not installed"
	trap cleanup EXIT
	work=$(mktemp -d "$cache/.$key.XXXXXX")
	new=$work/new
	mkdir "$work/debs"
	# shellcheck disable=SC2086 # a list of words
	private_apt_open "$work/apt" "$arch" ${suites//,/ }
	download_newest
	arrange
	mv "$new" "$dir"
	echo "$dir"
}

# shellcheck source=scripts/private-apt.sh
. "${BASH_SOURCE[0]%/*}/../../scripts/private-apt.sh"
main "$@"
