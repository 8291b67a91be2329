# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Debian's kernels with kvm-amd, booted under emulation: kvm_entry and kvm_exit are
# real there, and the kernel keeps histograms to compare with.

load ../live/common
load boot

# hist EVENT: the kernel's own count, over all CPUs
hist() {
	awk -v e="$1" '$1 == "hist" && $2 == e { n += $4 } END { print n + 0 }' "$WORK/out"
}

# ours EVENT [CPU]
ours() {
	sed '1,/^json$/d' "$WORK/out" | jq "[.metrics[] | select(.name == \"kvm.trace.$1\").values[]
		| select(\"${2:-}\" == \"\" or .instance == \"${2:-}\").value] | add"
}

exact() {
	new_work
	# values of its arguments go in front of the script, which takes them as $1 $2 $3
	{
		echo "set -- $PIO $MMIO $CPUID"
		cat "$TOP/tests/boot/inside/exact.sh"
	} >"$WORK/script"
	boot "$1" "$WORK/script"
	cat "$WORK/out" | head -30
	for event in kvm_entry kvm_exit kvm_pio kvm_cpuid kvm_mmio kvm_userspace_exit; do
		[ "$(ours $event)" = "$(hist $event)" ] ||
			{ echo "$event: ours $(ours $event), the kernel's $(hist $event)"; return 1; }
		for cpu in 0 1; do
			kernel=$(awk -v e=$event -v c=$cpu '$1 == "hist" && $2 == e && $3 == c { print $4 }' "$WORK/out")
			[ "$(ours $event cpu$cpu)" = "${kernel:-0}" ]
		done
	done
	for cpu in cpu0 cpu1; do
		[ "$(ours kvm_pio $cpu)" = $PIO ]
		[ "$(ours kvm_cpuid $cpu)" = $CPUID ]
		[ "$(ours kvm_mmio $cpu)" = $((2 * MMIO)) ]
		# each OUT, MMIO read and the last HLT go to user space
		[ "$(ours kvm_userspace_exit $cpu)" = $((PIO + MMIO + 1)) ]
		# each of those and each CPUID is an exit; interrupts of the host add some
		[ "$(ours kvm_exit $cpu)" -gt $((PIO + MMIO + CPUID)) ]
		[ "$(ours kvm_entry $cpu)" = "$(ours kvm_exit $cpu)" ]
	done
}

@test "Linux 6.1, kvm-amd: kvm_entry and kvm_exit are exact" {
	exact 6.1
}

@test "Linux 6.12, kvm-amd: kvm_entry and kvm_exit are exact" {
	exact 6.12
}
