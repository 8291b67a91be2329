#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# sandbox.sh COMMAND [ARGUMENT]...: run a command as root in a copy of this host,
# where it may install, start and stop what it likes: PID, mount and network
# namespaces of its own (with loopback), and a root folder that is an overlay over
# the host's, its changes kept in memory and gone afterwards; /run/changes shows them, and /run/host
# the host as it is. Folders
# that are mounts of their own (/sys, /dev, /run, /tmp) are new or shared, as a boot has them.
# SANDBOX_ROOT=DIR: the copy is of the system in that folder; TOP is seen there by its own path.
set -euo pipefail

if [ -z "${SANDBOX_INSIDE:-}" ]; then
	export SANDBOX_INSIDE=1
	exec unshare -mnpf --propagation private --kill-child "$0" "$@"
fi
unset SANDBOX_INSIDE

base=$(mktemp -d)
mount -t tmpfs tmpfs "$base"
mkdir "$base"/{upper,work,root}
mount -t overlay overlay -o "lowerdir=${SANDBOX_ROOT:-/},upperdir=$base/upper,workdir=$base/work" "$base/root"
for shared in dev sys; do
	mount --rbind "/$shared" "$base/root/$shared"
done
mount -t proc proc "$base/root/proc"
mount -t tmpfs tmpfs "$base/root/run"
mkdir "$base"/root/run/{changes,host}
mount --bind "$base/upper" "$base/root/run/changes"
mount --bind "${SANDBOX_ROOT:-/}" "$base/root/run/host"
mount -o remount,ro,bind "$base/root/run/host"
# TMPDIR of the tests, where they put their scripts, is seen inside by its own path
if [ -n "${TMPDIR:-}" ]; then
	mkdir -p "$base/root$TMPDIR"
	mount --bind "$TMPDIR" "$base/root$TMPDIR"
fi
if [ -n "${SANDBOX_ROOT:-}" ]; then
	mkdir -p "$base/root$TOP"
	mount --bind "$TOP" "$base/root$TOP"
fi
ip link set lo up 2>/dev/null || true
exec chroot "$base/root" "$@"
