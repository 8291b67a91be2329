# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh
#
# Linux 5.10: KVM has no type information, and maps count against RLIMIT_MEMLOCK. Each refusal names
# its cause.
agent_start
expect "attached" "$(value kvm.agent.family.attached trace)" 1
expect "RLIMIT_MEMLOCK of the daemon" \
	"$(awk '/^Max locked memory/ { print $4, $5 }' "/proc/$(pidof pmdakvm)/limits")" "unlimited unlimited"

# two KILOBYTES COMMAND...: as an ordinary user with two capabilities and this limit
two() {
	limit=$1
	shift
	(
		ulimit -l "$limit"
		exec setpriv.util-linux --reuid 65534 --clear-groups --inh-caps +bpf,+perfmon \
			--ambient-caps +bpf,+perfmon "$@"
	)
}

# unsaid WHAT TEXT: that it is not said ends the test.
unsaid() {
	echo "$1: it is not said: $2"
	cat /tmp/err
	exit 1
}

# said WHAT TEXT: in what the command said on stderr
said() {
	grep -qF "$2" /tmp/err || unsaid "$@"
	echo "$1: said"
}

# said_of WHAT FAMILY TEXT: of that family, and perhaps of others in the same line
said_of() {
	grep -E "^kvmbpf: ([a-z_]+, )*$2(, [a-z_]+)*: " /tmp/err | grep -qF ": $3" || unsaid "$1, $2" "$3"
	echo "$1, $2: said"
}

status=0
two 8 kvmbpf dump -d 0 -e kvm_pio >/dev/null 2>/tmp/err || status=$?
expect "exit status, with 8 KiB" $status 3
said_of "a small limit" trace "bpf() failed (Operation not permitted): before Linux 5.11 maps and programs count against RLIMIT_MEMLOCK, which is 8 KiB; raise it"
# some of the events fit
status=0
events=$(for event in /sys/kernel/tracing/events/kvm/kvm_*; do echo "-e ${event##*/}"; done)
# shellcheck disable=SC2086 # a list of words
two 64 kvmbpf dump -d 0 $events >/dev/null 2>/tmp/err || status=$?
said "a limit that some events fit in" "is not traced: bpf() failed (Operation not permitted): before Linux 5.11 maps and programs count against RLIMIT_MEMLOCK, which is 64 KiB; raise it"
# patterns need the list of events, which that user cannot read
two unlimited kvmbpf dump -d 0 -e 'kvm_*' >/dev/null 2>/tmp/err || true
said_of "tracefs that cannot be read" trace "KVM is loaded, but its tracepoints are listed neither in its type information (/sys/kernel/btf: none there) nor in tracefs (/sys/kernel/tracing/events: Permission denied)"
two unlimited kvmbpf dump -d 0 -e kvm_pio --all >/tmp/out 2>/tmp/err
expect "without a limit" "$(awk '$1 == "kvm.agent.event.attached" && $2 == "kvm_pio" { print $3 }' /tmp/out)" 1

umount /sys/kernel/tracing
status=0
kvmbpf dump -d 0 -e 'kvm_*' >/dev/null 2>/tmp/err || status=$?
expect "exit status, without tracefs" $status 3
said_of "without tracefs" trace "KVM is loaded, but its tracepoints are listed neither in its type information (/sys/kernel/btf: none there) nor in tracefs (/sys/kernel/tracing/events: none there); mount tracefs"
kvmbpf dump -d 0 >/dev/null 2>/tmp/err || true
expect "lines that say that KVM is not loaded" "$(grep -c "not loaded" /tmp/err)" 0
# an event that is named needs no list
kvmbpf dump -d 0 -e kvm_pio --all >/tmp/out 2>/tmp/err
expect "a named event, without tracefs" \
	"$(awk '$1 == "kvm.agent.event.attached" && $2 == "kvm_pio" { print $3 }' /tmp/out)" 1

mount -t tracefs tracefs /sys/kernel/tracing
status=0
deny_bpf 1 kvmbpf dump -d 0 >/dev/null 2>/tmp/err || status=$?
expect "exit status, with a seccomp filter" $status 3
for family in trace userspace_exit; do
	said_of "a seccomp filter" $family "bpf() failed (Operation not permitted): a seccomp filter of this process refuses it"
done
expect "lines that tell of another version" "$(grep -c "another version" /tmp/err)" 0
said "no type information" "kvmbpf: stat: this kernel has no type information (BTF) for KVM"
# loading programs is refused, all else answered: as a security module does
deny_bpf 1:5 kvmbpf dump -d 0 -e kvm_pio >/dev/null 2>/tmp/err || true
said_of "a security module" trace "bpf() failed (Operation not permitted) although no capability is missing; "
expect "lines that name a filter" "$(grep -c seccomp /tmp/err)" 0

# a user namespace's root has all capabilities, and none that counts
unshare -r kvmbpf dump -d 0 -e kvm_pio >/dev/null 2>/tmp/err || true
said_of "a user namespace" trace "bpf() failed (Operation not permitted): capabilities within a user namespace do not count"

kill "$(pidof pmcd)" # and with it the agent
until_true 20 rmmod kvm_amd
until_true 20 rmmod kvm
status=0
kvmbpf dump -d 0 >/dev/null 2>/tmp/err || status=$?
expect "exit status, without KVM" $status 3
said "KVM is not there" "kvmbpf: nothing was counted: KVM was not loaded"
