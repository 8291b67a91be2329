# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh
#
# In the lockdown mode confidentiality there are no reasons, but all else.
agent_start
expect "lockdown" "$(sed -nE 's/.*\[(.*)\].*/\1/p' /sys/kernel/security/lockdown)" confidentiality
guest --pio "$PIO" --cpuid "$CPUID" --vcpus 2 >/dev/null
expect "attached" "$(value kvm.agent.family.attached exit)" 1
expect "status" "$(value kvm.agent.family.status exit)" \
	"attached, without reasons: kernel lockdown mode is confidentiality: BPF cannot read kernel memory"
expect "exits" "$(value kvm.exit.total)" "$(sum kvm.trace.kvm_exit)"
[ "$(value kvm.exit.total)" -ge $((2 * (PIO + CPUID))) ]
[ "$(value kvm.exit.total_time)" -gt 0 ]
expect "exits by reason" "$(value kvm.exit.count other)$(sum kvm.exit.count)" 0
pminfo $host -f kvm.exit.count | grep -q "No value"
expect "exits to the VMM, IO" "$(value kvm.userspace_exit.count IO)" $((2 * PIO))
expect "exits to the VMM, HLT" "$(value kvm.userspace_exit.count HLT)" 2
