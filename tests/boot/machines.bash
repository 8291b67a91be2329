# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash disable=SC2034,SC2154 # what is not set or not used here is in run-kernel.sh
#
# The machines that run-kernel.sh emulates. machine_NAME sets
#
#   tools          the programs that it needs
#   files          the files that it needs, each with the package that brings it
#   wanted_module  the last of KVM's modules to load; empty where KVM is built in
#   console        the terminal of the kernel's console
#   output         the terminal of the script's output; they are kept apart so that neither cuts
#                  into the other
#   arguments      kernel arguments of this machine
#   allowed_taint  bits of the kernel's taint that loading our modules may set
#
# and start_NAME becomes the emulator, which ends when the machine is switched off. It takes the
# kernel's arguments, writes the console to $work/console, the script's output to its own stdout, a
# pipe that is also $work/output, and what goes wrong to its stderr. shrink_modules makes what is in
# $root/modules smaller.

# no_timer_check: on a busy machine the kernel else finds the emulated timer wanting.
x86_arguments='mitigations=off no_timer_check'

shrink_modules() { :; }

# All of QEMU's machines.
start_qemu()
{
	exec "$2" -smp "$cpus" -m "${memory:-512}" \
		-nodefaults -no-user-config -no-reboot -display none \
		-chardev "file,id=console,path=$work/console" -serial chardev:console \
		-chardev stdio,id=output,signal=off \
		-kernel "$kernel/vmlinuz" -initrd "$work/initrd" -append "$1" \
		${icount:+-icount "shift=$icount,sleep=off"} "${@:3}"
}

# --- amd: x86 with SVM, by QEMU ---
#
# thread=single is no slower here, and needed: with a thread for each CPU the emulator (QEMU 7.2) can
# keep a translation of the breakpoint that the kernel puts in its own code for a moment whenever a
# tracepoint or a static key is switched; that CPU then takes the breakpoint for ever (seen once in
# some fifty times).
machine_amd()
{
	tools=(qemu-system-x86_64)
	wanted_module=kvm-amd
	console=ttyS0
	output=ttyS1
	arguments="$x86_arguments cryptomgr.notests nokaslr tsc=reliable"
}

start_amd()
{
	local host=()

	[[ $host_root = 0 ]] ||
		host=(-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap)
	start_qemu "$1" qemu-system-x86_64 -cpu "${model:-EPYC},+svm" -accel 'tcg,thread=single' \
		-serial chardev:output "${host[@]}"
}

# --- arm64: with its hypervisor mode, by QEMU; KVM is built in ---
#
# The script's output goes to a second serial port, on PCI.
machine_arm64()
{
	tools=(qemu-system-aarch64 readelf)
	wanted_module=
	console=ttyAMA0
	output=ttyS0
	arguments='cryptomgr.notests nokaslr'
}

start_arm64()
{
	start_qemu "$1" qemu-system-aarch64 -M virt,virtualization=on,gic-version=3 \
		-cpu "${model:-max,pauth-impdef=on}" -accel 'tcg,thread=single' \
		-device pci-serial,chardev=output
}

# --- intel: x86 with VMX and EPT, by Bochs ---
#
# It has one CPU, and boots from a CD. Its time is its instructions, at 50 million a second, whatever
# they take here. Each million counts: modules lose their symbols and with them their signatures (which
# sets the taint E), unless lockdown wants those.
machine_intel()
{
	tools=(bochs xorriso strip)
	files=(
		/usr/lib/ISOLINUX/isolinux.bin:isolinux
		/usr/lib/syslinux/modules/bios/ldlinux.c32:syslinux-common
		/usr/share/bochs/BIOS-bochs-latest:bochsbios
		/usr/share/vgabios/vgabios.bin:vgabios
	)
	wanted_module=kvm-intel
	console=ttyS0
	output=ttyS1
	arguments="$x86_arguments cryptomgr.notests"
	cpus=1
	if [[ $append != *lockdown* ]]; then
		allowed_taint=$((1 << 13))
		shrink_modules() { strip -g "$root"/modules/*.ko; }
	fi
}

make_cd()
{
	mkdir -p "$work/cd"
	cp "$kernel/vmlinuz" "${files[0]%:*}" "${files[1]%:*}" "$work/cd"
	mv "$work/initrd" "$work/cd/initrd"
	printf 'default kernel\nprompt 0\nlabel kernel\n kernel /vmlinuz\n append initrd=/initrd %s\n' "$1" \
		>"$work/cd/isolinux.cfg"
	xorriso -as mkisofs -quiet -o "$work/cd.iso" -b isolinux.bin -c boot.cat -no-emul-boot \
		-boot-load-size 4 -boot-info-table "$work/cd" 2>"$work/errors"
	rm -r "$work/cd"
}

# Bochs is built as a debugger and asks what to do: "c" is to continue.
start_intel()
{
	make_cd "$1" || return
	cat >"$work/bochsrc" <<-END
		config_interface: textconfig
		display_library: term
		cpu: model=corei7_${model:-haswell_4770}, count=1, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=1
		memory: guest=${memory:-256}, host=${memory:-256}
		romimage: file=${files[2]%:*}, options=fastboot
		vgaromimage: file=${files[3]%:*}
		pci: enabled=1, chipset=i440fx
		ata0-master: type=cdrom, path=$work/cd.iso, status=inserted
		boot: cdrom
		clock: sync=none
		com1: enabled=1, mode=file, dev=$work/console
		com2: enabled=1, mode=file, dev=$work/output
		log: $work/bochs.log
		panic: action=fatal
		error: action=ignore
		info: action=ignore
		debug: action=ignore
	END
	echo c >"$work/commands"
	# the pipe stays open, so that its reader stays, until Bochs opens it
	TERM=dumb exec bochs -q -f "$work/bochsrc" -rc "$work/commands" \
		3>&1 >"$work/bochs.out"
}
