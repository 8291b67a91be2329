# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# VMs' names where /proc hides other users' processes.

load common
load stat

setup() {
	need_kvm
	new_work
	open_hold
	pmcd_env "$WORK"
	conf '[trace]' kvm_pio
	pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
}

teardown() {
	jobs -p | xargs -r kill -9 2>/dev/null || true
	pmcd_stop
	[ -z "${HIDES:-}" ] || umount -l /proc
}

# hide OPTIONS: mount /proc with them; the tests run in a mount namespace of their own
hide() {
	[ -n "${PMDAKVM_TESTS_INSIDE:-}" ] || skip "not in a mount namespace of its own: make check runs it in one"
	mount -t proc -o "$1" proc /proc || skip "cannot mount /proc with $1"
	HIDES=yes
}

start() {
	pmcd_start "$WORK"
	# the agent knows a VM that is there while it is privileged
	hold qemu-system-x86_64 -- -name hidden
}

@test "the daemon is in the group that sees all processes" {
	hide hidepid=2,gid=4242
	start
	[ "$(value kvm.vm.pid "hidden-$GUEST")" = "$GUEST" ]
	agent=$(pgrep -P "$PMCD_PID" -x pmdakvm)
	grep -qE '^Groups:.*[[:space:]]4242 *$' "/proc/$agent/status"
	[ "$(grep -c 'cannot be read' "$WORK/kvm.log")" = 0 ]
	let_go "$GUEST"
}

@test "where no group may see them, that is said, once" {
	hide hidepid=ptraceable
	start
	[ "$(value kvm.vm.pid "guest-$GUEST")" = "$GUEST" ]
	wait_for 20 grep -q "/proc/$GUEST cannot be read (.*); mount it with hidepid=invisible" \
		"$WORK/kvm.log"
	[ "$(grep -c 'cannot be read' "$WORK/kvm.log")" = 1 ]
	let_go "$GUEST"
}
