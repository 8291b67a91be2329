#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# deps.sh [list] [build|demo|check]...: install missing Debian packages for the build, the demo or
# the tests. If none is missing, it needs neither root nor network. With "list" it only names them all.
set -euo pipefail

build="gcc make libc6-dev pkgconf clang bpftool libbpf-dev libelf-dev zlib1g-dev
	libpcp3-dev libpcp-pmda3-dev libsmartcols-dev libjansson-dev libncurses-dev libcap-ng-dev"
demo="pcp python3-pcp procps"
check="$demo libcmocka-dev bats valgrind jq curl python3-jsonschema strace linux-perf util-linux gawk clang-format
	libclang-rt-dev git man-db qemu-system-x86 qemu-system-arm bochs bochs-term bochsbios vgabios
	isolinux syslinux-common xorriso gcc-aarch64-linux-gnu iproute2 busybox-static cpio gzip kmod
	xz-utils debootstrap libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients
	libsasl2-modules libsasl2-modules-db pcp-gui xvfb fonts-dejavu-core chromium-headless-shell tmux systemd dbus"

wanted=
only_list=
if [ "${1:-}" = list ]; then
	only_list=yes
	shift
fi
for what in "${@:-build}"; do
	case $what in
	build) wanted+=" $build" ;;
	demo) wanted+=" $demo" ;;
	check) wanted+=" $check" ;;
	*)
		echo "deps.sh: unknown list \"$what\" (known: build, demo, check)" >&2
		exit 2
		;;
	esac
done

if [ -n "$only_list" ]; then
	echo $wanted
	exit
fi
if ! command -v dpkg-query >/dev/null; then
	echo "deps.sh: not a Debian system; install the equivalents of these Debian packages:" $wanted >&2
	exit 0
fi

missing=()
for package in $wanted; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "deps.sh: run as root to install missing packages: ${missing[*]}" >&2
	exit 1
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# without systemd running, pcp's maintainer scripts must not ask it to start services
[ -d /run/systemd/system ] || export SYSTEMD_OFFLINE=1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
get() {
	apt-get -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1
}
# update first: an old package list can name versions that no longer exist
if ! get update || ! get install -y --no-install-recommends "${missing[@]}"; then
	echo "deps.sh: apt-get failed; last lines of its output:" >&2
	tail -n 15 "$log" >&2
	exit 1
fi
