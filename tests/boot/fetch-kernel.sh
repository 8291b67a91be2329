#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# fetch.sh KEY: have a Debian kernel at hand for boot.sh, and print the folder that holds it.
#
#   DIR/vmlinuz             the kernel image
#   DIR/version             one line: what uname -r will say
#   DIR/modules/*.ko        KVM's modules and all that they depend on, not compressed, signatures kept
#   DIR/modules/order.NAME  the files to insmod for module NAME, in order; empty where it is built in
#   DIR/SHA256SUMS          of all the above; checked whenever the folder is used again
#
# Folders live in $PMDAKVM_CACHE, by default ${XDG_CACHE_HOME:-~/.cache}/pmdakvm/kernels. One that is
# there and intact needs no network. Where a kernel cannot be had, one line on stderr says why and the
# status is 77, so that a caller can skip.

set -euo pipefail

# What there is to fetch: key, suites, package name (an extended regular expression), architecture.
# Versions come and go, so a row names a series and the newest is taken. All are the signed packages:
# they alone load their modules under lockdown.
kernels='
5.10	bullseye,bullseye-security	linux-image-5\.10\.0-[0-9]+-cloud-amd64	amd64
6.1	bookworm,bookworm-security	linux-image-6\.1\.0-[0-9]+-cloud-amd64	amd64
6.12	bookworm-security,bookworm-backports	linux-image-6\.12\.[0-9]+\+deb12-cloud-amd64	amd64
6.12-arm64	bookworm-security,bookworm-backports	linux-image-6\.12\.[0-9]+\+deb12-cloud-arm64	arm64
newest	sid	linux-image-[0-9]+\.[0-9]+(\.[0-9]+)?\+deb[0-9]+(\.[0-9]+)?-cloud-amd64	amd64
'
# The modules wanted of a kernel; one that is not among its modules counts as built in.
wanted_modules='kvm-amd kvm-intel'
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

key=${1:-}
work=	# a temporary folder beside the result
new=	# the result, in $work until it is whole

say()
{
	echo "fetch.sh: ${key:+$key: }$*" >&2
}

skip()
{
	say "$@"
	exit 77
}

cleanup()
{
	[[ -z $work ]] || rm -rf "$work"
}

# Sets suites, pattern and arch from the key's row.
find_row()
{
	local row_key

	while IFS=$'\t' read -r row_key suites pattern arch; do
		[[ -z $row_key || $row_key != "$key" ]] || return 0
	done <<<"$kernels"
	echo "usage: fetch.sh KEY, with KEY one of: $(cut -f1 <<<"$kernels" | xargs)" >&2
	exit 2
}

need_tools()
{
	local tool

	for tool in apt-get apt-cache dpkg flock sha256sum xz; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
	[[ -r $keyring ]] || skip "$keyring is not there (package debian-archive-keyring)"
}

# The base URI, as this machine's own apt is set up, of the archive that serves suite $1. The archive of
# a suite that the machine does not use itself is the one that serves those it does use: suites share an
# archive, but security suites have their own. Whatever is found, only the key ring makes it trusted.
mirror_of()
{
	local uri release component

	# shellcheck disable=SC2016 # apt's own variables
	while read -r uri release component; do
		[[ $uri == *debian* && $component == main ]] || continue
		case $1,$release in
		*-security,*-security) ;;
		*-security,* | *,*-security) continue ;;
		esac
		echo "$uri"
		return 0
	done < <(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' 2>/dev/null)
	return 1
}

# An apt with a state of its own, in $work. The host's proxy, credentials and time limits hold; its
# lists, pins, status file and hooks are neither used nor touched.
write_apt_conf()
{
	local suite uri

	mkdir -p "$work"/apt/{lists,cache,log}/partial "$work/apt/cache/archives/partial" "$work/debs"
	: >"$work/apt/status"
	: >"$work/apt/sources.list"
	for suite in ${suites//,/ }; do
		uri=$(mirror_of "$suite") || continue
		echo "deb [arch=$arch target=Packages signed-by=$keyring] $uri $suite main"
	done >"$work/apt/sources.list"
	[[ -s $work/apt/sources.list ]] || skip "this machine's apt has no Debian mirror to ask"

	cat >"$work/apt/apt.conf" <<-END
		#clear APT::Architectures;
		#clear APT::Update;
		#clear DPkg::Post-Invoke;
		APT::Architecture "$arch";
		APT::Architectures { "$arch"; };
		APT::Sandbox::User "root";
		Acquire::Languages "none";
		Acquire::PDiffs "false";
		Acquire::Retries "2";
		Acquire::http::Timeout "30";
		Acquire::https::Timeout "30";
		Dir::Etc::sourcelist "$work/apt/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::State "$work/apt";
		Dir::State::lists "$work/apt/lists";
		Dir::State::status "$work/apt/status";
		Dir::Cache "$work/apt/cache";
		Dir::Log "$work/apt/log";
	END
}

# Runs an apt command; what it says goes to a log. apt-get update succeeds even when an index could not
# be read: whether what matters came is seen by looking for the package.
private_apt()
{
	"$1" -c "$work/apt/apt.conf" "${@:2}" 2>>"$work/apt.err"
}

# The first complaint of apt, for a one-line report.
why()
{
	sed -n 's/^[EW]: *//p' "$work/apt.err" | head -n 1 | cut -c 1-300
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
	names=$(private_apt apt-cache pkgnames linux-image- | grep -xE "$pattern" | sort -Vr | head -n 3 || :)
	if [[ -z $names ]]; then
		name=$(why)
		skip "no package $pattern in $suites${name:+ ($name)}"
	fi
	for name in $names; do
		: >"$work/apt.err"
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
	for name in $wanted_modules; do
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
	need_tools
	trap cleanup EXIT
	work=$(mktemp -d "$cache/.$key.XXXXXX")
	new=$work/new
	write_apt_conf
	download_newest
	arrange
	mv "$new" "$dir"
	echo "$dir"
}

main "$@"
