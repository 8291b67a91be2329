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
# SANDBOX_INIT=HOSTNAME: the copy is a machine of this name, whose init is systemd, and the command a
# unit of it. No other unit is started but those that the command starts.
set -euo pipefail

# With systemd: what is outside of the copy is a control group, which goes with it, and who reads its output.
if [ -n "${SANDBOX_INIT:-}" ] && [ -z "${SANDBOX_OUTSIDE:-}" ]; then
	SANDBOX_OUTSIDE=$(mktemp -d)
	export SANDBOX_OUTSIDE
	exec unshare -m --propagation private "$0" "$@"
fi
if [ -n "${SANDBOX_INIT:-}" ] && [ -z "${SANDBOX_INSIDE:-}" ]; then
	groups=$SANDBOX_OUTSIDE/groups
	mkdir "$groups"
	mount -t cgroup2 cgroup2 "$groups"
	export SANDBOX_GROUP=$groups/sandbox.$$
	mkdir "$SANDBOX_GROUP"
	end() {
		find "$SANDBOX_GROUP" -depth -type d -exec rmdir {} \;
		umount "$groups"
		rm -r "$SANDBOX_OUTSIDE"
	}
	trap end EXIT
	mkfifo "$SANDBOX_OUTSIDE/output"
	cat <"$SANDBOX_OUTSIDE/output" &
	status=0
	SANDBOX_INSIDE=1 unshare -mnpfu --propagation private --kill-child "$0" "$@" >"$SANDBOX_OUTSIDE/output" 2>&1 ||
		status=$?
	wait $!
	exit "$status"
fi
if [ -n "${SANDBOX_GROUP:-}" ]; then
	echo 0 >"$SANDBOX_GROUP/cgroup.procs"
	unset SANDBOX_GROUP
	exec unshare -C "$0" "$@"
fi
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
[ -n "${SANDBOX_INIT:-}" ] || exec chroot "$base/root" "$@"

echo "$SANDBOX_INIT" >"$base/root/etc/hostname"
# nothing that sets up the kernel or devices, which are the host's, or hides TMPDIR
rm -rf "$base/root"/{etc,usr/lib}/systemd/system/{sysinit,local-fs,basic,sockets,timers}.target.wants \
	"$base/root/usr/lib/systemd/"{system-generators,system/tmp.mount} "$base/root/etc/fstab"
mount -t cgroup2 cgroup2 "$base/root/sys/fs/cgroup"
run=$base/root/run/sandbox
mkdir -p "$run" "$base/root/run/systemd/system"
touch "$run/output"
mount --bind "$SANDBOX_OUTSIDE/output" "$run/output"
unset SANDBOX_INIT SANDBOX_OUTSIDE
{
	export -p
	printf 'exec'
	printf ' %q' "$@"
	echo
} >"$run/command"
cat >"$base/root/run/systemd/system/sandbox.service" <<-END
	[Unit]
	DefaultDependencies=no
	SuccessAction=exit-force
	FailureAction=exit-force
	[Service]
	Type=oneshot
	ExecStart=/bin/bash /run/sandbox/command
	StandardOutput=file:/run/sandbox/output
	StandardError=inherit
END
cd "$base/root"
pivot_root . .
umount -l .
exec env -i container=sandbox "PATH=$PATH" /lib/systemd/systemd systemd.unit=sandbox.service --log-target=null --show-status=no
