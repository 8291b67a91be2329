# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# An apt with a state of its own, to fetch packages of other suites and architectures without
# installing them. The host's proxy, credentials and time limits hold; its lists, pins, status file
# and hooks are neither used nor touched. Whoever sources this defines say, which prints its
# arguments as one line on stderr.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# One line on stderr, and a status by which a caller skips.
skip()
{
	say "$@"
	exit 77
}

need_apt()
{
	local tool

	for tool in apt-get apt-cache dpkg flock; do
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

# private_apt_open DIR ARCHITECTURE SUITE...: make it, in a folder that is to be given away whole.
private_apt_open()
{
	local suite uri

	apt_dir=$1
	apt_arch=$2
	shift 2
	mkdir -p "$apt_dir"/{lists,cache,log}/partial "$apt_dir/cache/archives/partial"
	: >"$apt_dir/status"
	for suite; do
		uri=$(mirror_of "$suite") || continue
		echo "deb [arch=$apt_arch target=Packages signed-by=$keyring] $uri $suite main"
	done >"$apt_dir/sources.list"
	[[ -s $apt_dir/sources.list ]] || skip "this machine's apt has no Debian mirror to ask"

	cat >"$apt_dir/apt.conf" <<-END
		#clear APT::Architectures;
		#clear APT::Update;
		#clear DPkg::Post-Invoke;
		APT::Architecture "$apt_arch";
		APT::Architectures { "$apt_arch"; };
		APT::Sandbox::User "root";
		Acquire::Languages "none";
		Acquire::PDiffs "false";
		Acquire::Retries "2";
		Acquire::http::Timeout "30";
		Acquire::https::Timeout "30";
		Dir::Etc::sourcelist "$apt_dir/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::State "$apt_dir";
		Dir::State::lists "$apt_dir/lists";
		Dir::State::status "$apt_dir/status";
		Dir::Cache "$apt_dir/cache";
		Dir::Log "$apt_dir/log";
	END
}

# Runs an apt command; what it says goes to a log. apt-get update succeeds even when an index could not
# be read: whether what matters came is seen by looking for the package.
private_apt()
{
	"$1" -c "$apt_dir/apt.conf" "${@:2}" 2>>"$apt_dir/errors"
}

# The first complaint of apt, for a one-line report.
why()
{
	sed -n 's/^[EW]: *//p' "$apt_dir/errors" | sed -n 1p | cut -c 1-300
}

# Did the mirror answer, where it was asked for all of the suites? One that it no longer has is an answer.
mirror_answered()
{
	! grep -qvE 'does not have a Release file|404 +Not Found|is not valid yet' < <(grep -E '^[EW]: ' "$apt_dir/errors")
}

# Makes a source of apt of the packages in folder $1.
make_source()
{
	local deb

	for deb in "$1"/*.deb; do
		dpkg-deb -f "$deb"
		printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "${deb##*/}" "$(stat -c %s "$deb")" \
			"$(sha256sum "$deb" | cut -d' ' -f1)"
	done >"$1/Packages"
}
