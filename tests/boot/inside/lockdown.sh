# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh
#
# Counts are exact in the lockdown mode that this kernel was booted with. TYPED: this kernel has typed
# loads.
agent_start
expect "lockdown" "$(sed -nE 's/.*\[(.*)\].*/\1/p' /sys/kernel/security/lockdown)" "$MODE"
expect "attached" "$(value kvm.agent.family.status trace)" attached
guest --pio "$PIO" >/dev/null
expect "port writes" "$(sum kvm.trace.kvm_pio)" "$PIO"
# an ordinary user with two capabilities
setpriv.util-linux --reuid 65534 --clear-groups --inh-caps +bpf,+perfmon --ambient-caps +bpf,+perfmon \
	kvmbpf dump --json -e kvm_pio -v >/tmp/dump 2>/tmp/dump.err &
dump=$!
until_true 5 grep -q "attached in" /tmp/dump.err
guest --pio "$PIO" >/dev/null
kill -INT $dump
wait $dump
expect "port writes, for a user with two capabilities" \
	"$(dumped kvm.trace.kvm_pio)" "$PIO"

# KVM's statistics are in the kernel's memory
mkfifo /tmp/hold
exec 9<>/tmp/hold
guest --mmio 1009 --hold <&9 >/tmp/guest &
guest=$!
until_true 20 grep -q done /tmp/guest
setpriv.util-linux --reuid 65534 --clear-groups --inh-caps +bpf,+perfmon --ambient-caps +bpf,+perfmon \
	kvmbpf dump -d 0 --json >/tmp/dump
if [ "$MODE" = confidentiality ] && [ -z "${TYPED:-}" ]; then
	expect "statistics" "$(value kvm.agent.family.status stat)" \
		"kernel lockdown mode is confidentiality: BPF cannot read kernel memory"
	expect "MMIO exits" "$(value kvm.mmio_exits)" ""
	expect "VMs" "$(value kvm.nvms)" ""
else
	expect "statistics" "$(value kvm.agent.family.status stat)" attached
	expect "MMIO exits" "$(value kvm.mmio_exits)" 1009
	expect "MMIO exits of the vCPU" "$(value kvm.vcpu.stat.mmio_exits "guest-$guest::vcpu0")" 1009
	expect "MMIO exits, for a user with two capabilities" "$(dumped kvm.mmio_exits)" 1009
fi
kill $guest
wait $guest
