# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# bats file_tags=idle
#
# Tests what judges counts in booted machines. Needs neither root nor KVM.

load common

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
	awk -f "$TOP/tests/boot/inside/machine.awk" "$WORK/all" | grep '^exit '
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
