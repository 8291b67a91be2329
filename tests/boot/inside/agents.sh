# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh disable=SC2154 # numbers go in front of the script
#
# Follows machine.sh and agent.sh, on arm64: the agent below pmcd, as a daemon and as a DSO. All families are
# attached, and count what a guest does; the metrics that reports name, in /names, are there. Prints "agent
# exact", or what is not as it should be.

# what KIND: a guest that is held, whose numbers pmcd tells.
what() {
	agent_start "$1"
	for family in trace exit userspace_exit stat cause ledger; do
		until_true 30 is kvm.agent.family.status "$family" attached
	done
	if [ "$1" = daemon ]; then
		capabilities=$(sed -n 's/^CapPrm:[[:space:]]*//p' "/proc/$(pidof pmdakvm)/status")
		[ "$capabilities" = 000000c000000000 ] || wrong="$wrong the daemon has capabilities $capabilities;"
	fi
	before=$(sum kvm.trace.kvm_mmio)
	held --mmio "$MMIO" --msr "$MSR" --hypercall "$HYPERCALL"
	vm=guest-$guest
	until_true 20 is kvm.vm.vcpus "$vm" 1
	for line in \
		"kvm.trace.kvm_mmio - $((2 * MMIO + 1 + before))" \
		"kvm.vm.exit.count $vm::SYS64 $MSR" \
		"kvm.vm.exit.count $vm::HVC64 $HYPERCALL" \
		"kvm.vm.exit.count $vm::DABT_LOW $((MMIO + 1))" \
		"kvm.vm.userspace_exit.count $vm::MMIO $((MMIO + 1))" \
		"kvm.vcpu.stat.mmio_exit_user $vm::vcpu0 $((MMIO + 1))" \
		"kvm.vm.cause.accesses $vm::mmio:0x80000:r $MMIO" \
		"kvm.vm.cause.accesses $vm::hvc:3221225472 $HYPERCALL"; do
		# shellcheck disable=SC2086 # three words
		set -- $line
		if [ "$2" = - ]; then
			is=$(sum "$1")
		else
			is=$(value "$1" "$2")
		fi
		[ "$is" = "$3" ] || wrong="$wrong $1 $2 is \"$is\", not $3;"
	done
	while read -r name; do
		# shellcheck disable=SC2086 # two words
		pminfo $host -d "$name" >/dev/null 2>&1 || wrong="$wrong no metric $name;"
	done </names
	kill "$guest" "$(pidof pmcd)"
	wait "$guest" || true
	while pidof pmcd pmdakvm >/dev/null; do
		sleep 0.2
	done
}

wrong=
what daemon
rm -rf "$work"
mkdir -p "$work/run" "$work/log" "$work/var" "$work/tmp"
what dso
echo "agent ${wrong:+not }${wrong:-exact}"
