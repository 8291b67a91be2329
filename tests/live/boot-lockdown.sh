# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh
#
# Counts are exact in the lockdown mode that this kernel was booted with.
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
