#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck disable=SC2154 # pmdakvm_* are of the kernel's arguments
#
# The first process of a machine of run-kernel.sh, run by busybox. What the kernel says from the marker in its log
# on, and the taints that it did not have when the script began, are looked at. The console's lines that begin
# with @@ are for run-kernel.sh.
export PATH=/usr/sbin:/usr/bin HOME=/root TERM=dumb

# /host is the root folder of the machine that emulates this one; all goes on in a layer over it, by this script
# anew. Returns only if that cannot be.
go_to_host_root()
{
	mkdir -p /host /layer /here
	mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=500000 host /host &&
		mount -t tmpfs -o size=75% layer /layer &&
		mkdir /layer/upper /layer/work &&
		mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work here /here || return
	for dir in proc sys dev; do
		mount --move /$dir /here/$dir
	done
	mount -t tmpfs tmpfs /here/run
	mkdir -p /here/dev/pts /here/run/script
	mount -t devpts devpts /here/dev/pts
	mount -t cgroup2 cgroup2 /here/sys/fs/cgroup
	for file in stdin:0 stdout:1 stderr:2; do
		ln -s /proc/self/fd/${file#*:} /here/dev/${file%:*}
	done
	cp /init /script /bad /here/run/script
	cd /here || return
	mount --move . /
	exec chroot . /bin/sh /run/script/init in-host-root
}

# off: when all was written
off()
{
	stty raw
	busybox poweroff -f || echo o >/proc/sysrq-trigger
	sleep 60
}

# failed TEXT: there will be no status
failed()
{
	echo "@@failed $1"
	off
}

# run_script SHELL FOLDER: the script in that folder, its status, and that of the kernel
run_script()
{
	echo "@@begin"
	marker="pmdakvm: the script begins"
	echo "<6>$marker" >/dev/kmsg
	taint=$(cat /proc/sys/kernel/tainted)
	"$1" "$2/script" </dev/null >"$tty" 2>&1
	status=$?
	stty -F "$tty" raw # waits until all that was written is out
	dmesg -n 1         # so that nothing cuts into the next lines
	echo
	taint=$(($(cat /proc/sys/kernel/tainted) & ~(taint | allowed)))
	[ $taint = 0 ] || echo "@@unwell it is tainted anew: $taint"
	dmesg | awk -v marker="$marker" -v bad="$(cat "$2/bad")" '
		index($0, marker) { found = shown = 0; next }
		$0 ~ bad { found = 1 }
		found && shown++ < 40 { line[shown] = $0 }
		END { for (i = 1; i in line && i <= shown; i++) print "@@unwell " line[i] }'
	echo "@@exit $status"
	off
}

if [ "$1" = in-host-root ]; then
	export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	run_script bash /run/script
fi
busybox mount -t proc proc /proc
busybox --install -s /usr/bin 2>/dev/null # what --add brought stays
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
mount -t securityfs securityfs /sys/kernel/security
mkdir -p /dev/shm /run
ln -s /proc/self/fd /dev/fd
ip link set lo up
export tty=/dev/$pmdakvm_output allowed=$pmdakvm_taint
load=$pmdakvm_load host=$pmdakvm_host
unset pmdakvm_output pmdakvm_load pmdakvm_taint pmdakvm_host
stty -F "$tty" raw -echo 115200

if [ "$load" = 1 ]; then
	for module in $(cat /modules/order); do
		insmod "/modules/$module" || failed "to load module $module"
	done
fi
if [ "$host" = 1 ]; then
	go_to_host_root
	failed "to read the host's root folder"
fi
run_script sh ""
