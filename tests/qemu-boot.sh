#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# qemu-boot.sh FOLDER: boot QEMU with KVM, SeaBIOS, a serial port, VGA and an IDE disk, while perf
# records its accesses. The disk's boot sector sets the serial port's speed, writes 1009 bytes there
# and resets the machine. The VM, boot-PID, is paused then, and stays until standard input ends. FOLDER
# gets
#
#	pid	QEMU's process
#	paused	appears once the VM is paused
#	serial	what the guest wrote to its serial port
#	stream	its accesses in order, "KEY VALUE": the keys are those of kvm.vm.cause.accesses, the
#		value is the port's or the address's, else 0
#
# Root; needs perf and qemu-system-x86_64. Fails if perf has lost events.
set -euo pipefail

folder=$1
cd "$folder"
rm -f paused commands qmp stream
mkfifo commands
exec 8<>commands

# cli. Speed: DLAB on (port 0x3fb, 0x83), 1 to 0x3f8, 0 to 0x3f9, DLAB off
sector='\xfa\xba\xfb\x03\xb0\x83\xee\xba\xf8\x03\xb0\x01\xee\x42\xb0\x00\xee\xba\xfb\x03\xb0\x03\xee'
# CX = 1009; wait for bit 5 of 0x3fd, write a dot to 0x3f8, loop
sector+='\xb9\xf1\x03\xba\xfd\x03\xec\xa8\x20\x74\xfb\xba\xf8\x03\xb0\x2e\xee\xe2\xf0'
# 0xfe to the keyboard controller resets; hlt
sector+='\xb0\xfe\xe6\x64\xf4\xeb\xfd'
rm -f disk
truncate -s 1M disk
printf %b "$sector" | dd of=disk conv=notrunc status=none
printf '\x55\xaa' | dd of=disk bs=1 seek=510 conv=notrunc status=none

perf record -q -m 16M -o perf.data -e kvm:kvm_pio -e kvm:kvm_mmio -e kvm:kvm_msr -e kvm:kvm_cpuid -- \
	qemu-system-x86_64 -name boot -accel kvm -cpu qemu64,-svm -m 64 -nodefaults -nographic -vga std \
	-serial file:serial -drive file=disk,format=raw,if=ide \
	-no-reboot -no-shutdown -pidfile pid -qmp stdio <&8 >qmp 2>qemu.err &
perf=$!
trap '[ ! -s pid ] || kill "$(cat pid)" 2>/dev/null || true; wait' EXIT
echo '{"execute": "qmp_capabilities"}' >&8
tries=600
until grep -qs '"event": "STOP"' qmp; do
	tries=$((tries - 1))
	if [ $tries = 0 ] || ! kill -0 $perf 2>/dev/null; then
		echo "QEMU has not booted and paused:" >&2
		cat qmp qemu.err >&2
		exit 1
	fi
	sleep 0.1
done
touch paused
cat >/dev/null
echo '{"execute": "quit"}' >&8
wait $perf
trap - EXIT

# Of MMIO the page, but of the I/O APIC, the HPET and the local APIC the register, and one for VGA.
perf script -i perf.data --show-lost-events -F event,trace 2>/dev/null | gawk '
	function page(gpa) {
		if (gpa >= 0xa0000 && gpa < 0xc0000)
			return 0xa0000
		base = gpa - gpa % 4096
		return base == 0xfec00000 || base == 0xfed00000 || base == 0xfee00000 ? gpa : base
	}
	/LOST/ { print "perf has lost events" >"/dev/stderr"; exit 1 }
	$1 ~ /kvm_pio:$/ { printf "io:0x%x:%s %d\n", strtonum($4), $2 == "pio_read" ? "r" : "w", strtonum($10); next }
	$1 ~ /kvm_mmio:$/ && $3 ~ /read|write/ {
		if ($3 != "unsatisfied-read")
			printf "mmio:0x%x:%s %s\n", page(strtonum($7)), $3 == "read" ? "r" : "w", $9
		next
	}
	$1 ~ /kvm_msr:$/ { printf "msr:0x%s:%s 0\n", $3, $2 == "msr_read" ? "r" : "w"; next }
	$1 ~ /kvm_cpuid:$/ { printf "cpuid:0x%s 0\n", $3; next }
	{ print "not understood: " $0 >"/dev/stderr"; exit 1 }' >stream.new
mv stream.new stream
