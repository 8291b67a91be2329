# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Guests for the demo and for pictures: functions, sourced. guests holds the processes.

guests=

# Print two online CPUs, or the only one: "0,1"
online_cpus() {
	awk -F'[,-]' '{ print (NF > 1 ? $1 "," $2 : $1) }' /sys/devices/system/cpu/online
}

# start_guest BUILD DIR [OPTION...]: a VM of our own, with 2 vCPUs that do port I/O, MMIO and CPUID
start_guest() {
	local build=$1 dir=$2
	shift 2
	"$build/tests/guest" --repeat --pause-ms 10 --pio 101 --mmio 53 --cpuid 29 \
		--vcpus 2 --cpus "$(online_cpus)" "$@" >"$dir/guest.log" 2>&1 </dev/null &
	guests+=" $!"
}

# start_qemu DIR: QEMU with its firmware and a boot sector of ours, which at each tick of the timer writes
# 50 bytes to the serial port. Fails if QEMU is not installed.
start_qemu() {
	command -v qemu-system-x86_64 >/dev/null || return 1
	truncate -s 1M "$1/disk"
	# sti; again: mov cx,50; mov dx,0x3f8; mov al,"."; next: out dx,al; loop next; hlt; jmp again
	printf '\xfb\xb9\x32\x00\xba\xf8\x03\xb0\x2e\xee\xe2\xfd\xf4\xeb\xf2' |
		dd of="$1/disk" conv=notrunc status=none
	printf '\x55\xaa' | dd of="$1/disk" bs=1 seek=510 conv=notrunc status=none
	qemu-system-x86_64 -name qemu -accel kvm -cpu qemu64,-svm -m 64 -nodefaults -display none -vga std \
		-serial null -drive "file=$1/disk,format=raw,if=ide" >"$1/qemu.log" 2>&1 </dev/null &
	guests+=" $!"
}

# guests_end: end them all
guests_end() {
	local pid
	for pid in $guests; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	guests=
}
