# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# bats file_tags=idle
#
# Tests what judges counts in booted machines. Needs neither root nor KVM.

load common

# says FAMILY: the line about it, of what $WORK/all has
says() {
	awk -f "$TOP/tests/boot/inside/machine.awk" "$WORK/all" | grep "^$1 "
}

# judged IO DROPPED: what it says of exits, when we have counted so many of one reason, and the kernel 7 and has
# dropped so many
judged() {
	cat >"$WORK/all" <<-END
	status exit attached
	name exit 123 io
	event kvm_exit
	cpu kvm_exit cpu0 $1
	exit 123 7
	$([ "$2" = 0 ] || echo "dropped kvm_exit reason $2")
	kvm.trace.kvm_exit cpu0 $1 count
	kvm.exit.count io $1 count
	kvm.exit.time io 10 ns
	END
	says exit
}

@test "counts are the kernel's, and what its histogram has dropped" {
	new_work
	[ "$(judged 7 0)" = "exit exact" ]
	[ "$(judged 8 0)" = "exit not io 8, not 7, all reasons 8, not 7" ]
	[ "$(judged 6 0)" = "exit not io 6, not 7, all reasons 6, not 7" ]
	[ "$(judged 8 1)" = "exit exact" ]
	[ "$(judged 7 1)" = "exit not all reasons 7, not 8" ]
	[ "$(judged 9 1)" = "exit not io 9, not 7, all reasons 9, not 8" ]
}

# accesses OURS MISSED [LINE...]: what it says of causes, of 7 accesses of a port and one of memory, whose value
# came later; the kernel's other lines
accesses() {
	{
		cat <<-END
		status cause attached
		event kvm_pio
		event kvm_mmio
		cpu kvm_pio cpu0 7
		cpu kvm_mmio cpu0 2
		unanswered 1
		did guest-1 io:0x70:w $1
		kvm.cause.accesses io:0x70:w $1 count
		kvm.cause.accesses mmio:0xfed00000:r 1 count
		kvm.agent.family.missed cause $2 count
		END
		shift 2
		[ $# = 0 ] || printf '%s\n' "$@"
	} >"$WORK/all"
	says cause
}

@test "accesses and what was missed are the kernel's events" {
	new_work
	[ "$(accesses 7 0)" = "cause exact" ]
	[ "$(accesses 6 0)" = "cause not accesses 7, not 8" ]
	[ "$(accesses 8 0)" = "cause not accesses 9, not 8" ]
	[ "$(accesses 6 1)" = "cause exact with what was missed" ]
	# what had no value yet was missed
	[ "$(accesses 7 1)" = "cause exact with what was missed" ]
	[ "$(accesses 7 2)" = "cause not accesses with 2 missed 10, not 8" ]
	[ "$(accesses 5 1)" = "cause not accesses with 1 missed 7, not 8" ]
	[ "$(accesses 8 0 "dropped kvm_pio cpu 1")" = "cause exact" ]
	[ "$(accesses 7 0 "dropped kvm_pio cpu 1")" = "cause not accesses 8, not 9" ]
	[ "$(accesses 6 0 "dropped kvm_mmio reason 1")" = "cause exact" ]
}
