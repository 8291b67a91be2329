# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Who may store: Debian's own pmcd.conf, clients over the Unix socket and TCP.
pmcd_ start
make_ install >/dev/null
run_in $OURS Install >/dev/null
grep -q '^\[access\]' /etc/pcp/pmcd/pmcd.conf || fail "pmcd.conf has no [access] rules any more"
as() {
	local user=$1
	shift
	setpriv --reuid "$user" --clear-groups env HOME=/tmp "$@"
}
unix="-h unix:///run/pcp/pmcd.socket"
tcp="-h 127.0.0.1"
# of all families, which are switched as one here
switch() { pminfo -f kvm.control.attached | sed -nE 's/.*value //p' | sort -u; }
# shellcheck disable=SC2086
{
	expect "root, Unix socket" "$(pmstore $unix kvm.control.attached 0 >/dev/null 2>&1 && switch)" 0
	expect "user pcp, Unix socket" "$(as pcp pmstore $unix kvm.control.attached 1 >/dev/null 2>&1 && switch)" 1
	for client in "as nobody pmstore $unix" "as nobody pmstore $tcp" "pmstore $tcp"; do
		$client kvm.control.attached 0 >/tmp/store.out 2>&1 || true
		cat /tmp/store.out
		grep -q 'No permission to perform requested operation' /tmp/store.out ||
			fail "$client was not refused"
		expect "the switch, after $client" "$(switch)" 1
	done
	pmstore $unix kvm.control.attached 2 >/tmp/store.out 2>&1 && fail "a store of 2 was taken"
	pmstore $unix -i nonsense kvm.control.attached 0 >/tmp/store.out 2>&1 && fail "a store to no instance was taken"
	pmstore $unix kvm.trace.count 0 >/tmp/store.out 2>&1 && fail "a store to a count was taken"
	expect "the switch, after bad stores" "$(switch)" 1
	pio_counts "port writes, after all that"
	pmstore $unix kvm.control.attached 0 >/dev/null
	before=$(sum kvm.trace.kvm_pio)
	"$BUILD/tests/guest" --pio "$PIO" >/dev/null
	expect "port writes, while detached" $(($(sum kvm.trace.kvm_pio) - before)) 0
	expect "status, while detached" "$(pminfo -f kvm.agent.family.status | sed -nE 's/.*value "(.*)"/\1/p' | sort -u)" \
		"detached by kvm.control.attached"
	pmstore $unix kvm.control.attached 1 >/dev/null
	pio_counts "port writes, attached again"
}
pid=$(pgrep -f $OURS/pmdakvm)
expect "capabilities" "$(sed -nE 's/^CapPrm:\s+//p' /proc/"$pid"/status)" 000000c000000000
expect "effective capabilities" "$(sed -nE 's/^CapEff:\s+//p' /proc/"$pid"/status)" 000000c000000000
expect "no_new_privs" "$(sed -nE 's/^NoNewPrivs:\s+//p' /proc/"$pid"/status)" 1
expect "user" "$(ps -o user= -p "$pid")" root
