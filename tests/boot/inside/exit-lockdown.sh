# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh
#
# In the lockdown mode confidentiality all is counted; before Linux 6.2 without reasons. TYPED: this
# kernel has typed loads.
agent_start
expect "lockdown" "$(sed -nE 's/.*\[(.*)\].*/\1/p' /sys/kernel/security/lockdown)" confidentiality
guest --pio "$PIO" --cpuid "$CPUID" --vcpus 2 >/dev/null
expect "attached" "$(value kvm.agent.family.attached exit)" 1
expect "exits" "$(value kvm.exit.total)" "$(sum kvm.trace.kvm_exit)"
[ "$(value kvm.exit.total)" -ge $((2 * (PIO + CPUID))) ]
[ "$(value kvm.exit.total_time)" -gt 0 ]
if [ -n "${TYPED:-}" ]; then
	expect "status" "$(value kvm.agent.family.status exit)" attached
	expect "exits, io" "$(value kvm.exit.count io)" $((2 * PIO))
	expect "exits, cpuid" "$(value kvm.exit.count cpuid)" $((2 * CPUID))
	expect "exits by reason" "$(sum kvm.exit.count)" "$(value kvm.exit.total)"
else
	expect "status" "$(value kvm.agent.family.status exit)" \
		"attached, without reasons: kernel lockdown mode is confidentiality: BPF cannot read kernel memory"
	expect "exits by reason" "$(value kvm.exit.count other)$(sum kvm.exit.count)" 0
	pminfo $host -f kvm.exit.count | grep -q "No value"
fi
expect "exits to the VMM, IO" "$(value kvm.userspace_exit.count IO)" $((2 * PIO))
expect "exits to the VMM, HLT" "$(value kvm.userspace_exit.count HLT)" 2

# where vCPUs' time went: what polling took cannot be read without typed loads, and is where the halt was
pminfo $host -f kvm.time >/tmp/times
awk '/^kvm/ { metric = $1 }
	/ value / && metric !~ /open$/ { if (metric ~ /total$/) total = $NF; else { sum += $NF; states = states " " metric } }
	END { print "time:" states " " sum " of " total + 0; exit !total || sum != total }' /tmp/times
if [ -n "${TYPED:-}" ]; then
	[ -n "$(value kvm.time.poll)" ]
else
	expect "time of polling" "$(value kvm.time.poll)" ""
fi
