# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh
#
# KVM comes late, leaves, comes again; a CPU goes and comes; the agent is killed.
agent_start
expect "attached without KVM" "$(value kvm.agent.family.attached trace)" 0
kvmbpf dump --json -e kvm_pio -v >/tmp/dump 2>/tmp/dump.err &
dump=$!
modules_load
until_true 6 is kvm.agent.family.attached trace 1
until_true 6 grep -q "trace: attached" /tmp/dump.err
guest --pio "$PIO" >/dev/null
expect "port writes" "$(sum kvm.trace.kvm_pio)" "$PIO"
kill -INT $dump
wait $dump
expect "port writes, by kvmbpf started before KVM" \
	"$(dumped kvm.trace.kvm_pio)" "$PIO"

rmmod kvm_amd
if rmmod kvm 2>/dev/null; then
	echo "kvm.ko could be unloaded while we are attached"
	exit 1
fi
modules_load
guest --pio "$PIO" >/dev/null
expect "port writes, after an rmmod that was refused" "$(sum kvm.trace.kvm_pio)" $((2 * PIO))

pmstore $host kvm.control.attached 0 >/dev/null
expect "the switch" "$(value kvm.control.attached trace)" 0
expect "attached, switched off" "$(value kvm.agent.family.attached trace)" 0
guest --pio "$PIO" >/dev/null
expect "port writes, while detached" "$(sum kvm.trace.kvm_pio)" $((2 * PIO))
expect "accesses, while detached" "$(value kvm.cause.accesses io:0xe9:w)" $((2 * PIO))
rmmod kvm_amd
# perf's links are let go one after the other, while the agent answers
if [ -n "${BY_PERF:-}" ]; then
	until_true 60 rmmod kvm
else
	rmmod kvm
fi
grep -q '^kvm ' /proc/modules && exit 1
expect "port writes, without kvm.ko" "$(sum kvm.trace.kvm_pio)" $((2 * PIO))
modules_load
sleep 2
expect "attached, still switched off" "$(value kvm.agent.family.attached trace)" 0
pmstore $host kvm.control.attached 1 >/dev/null
expect "attached, switched on" "$(value kvm.agent.family.attached trace)" 1
expect "generation" "$(value kvm.agent.family.generation trace)" 2
guest --pio "$PIO" >/dev/null
expect "port writes, with KVM anew" "$(sum kvm.trace.kvm_pio)" $((3 * PIO))
expect "accesses, with KVM anew" "$(value kvm.cause.accesses io:0xe9:w)" $((3 * PIO))

guest --pio "$PIO" --cpus 1 >/dev/null
before=$(value kvm.trace.kvm_pio cpu1)
echo 0 >/sys/devices/system/cpu/cpu1/online
sleep 2
expect "port writes of a CPU that is offline" "$(value kvm.trace.kvm_pio cpu1)" "$before"
guest --pio "$PIO" >/dev/null
echo 1 >/sys/devices/system/cpu/cpu1/online
guest --pio "$PIO" --cpus 1 >/dev/null
expect "port writes of a CPU that is online again" "$(value kvm.trace.kvm_pio cpu1)" $((before + PIO))
expect "port writes on all CPUs" "$(sum kvm.trace.kvm_pio)" $((6 * PIO))

kill -9 "$(pidof pmdakvm)"
until_true 75 is kvm.agent.family.attached trace 1
guest --pio "$PIO" >/dev/null
expect "port writes, after kill -9" "$(sum kvm.trace.kvm_pio)" $((7 * PIO))
expect "generation, after kill -9" "$(value kvm.agent.family.generation trace)" 3
expect "missed" "$(value kvm.agent.family.missed trace)" 0
expect "mode of the pins' folder" "$(stat -c %a /sys/fs/bpf/pmdakvm)" 700

# other limits: what the maps hold goes with it
mkfifo /tmp/hold
exec 9<>/tmp/hold
guest --mmio 1009 --hold <&9 >/tmp/guest &
guest=$!
until_true 20 grep -q done /tmp/guest
exits=$(value kvm.exits)
expect "a thousand exits before" "$([ "$exits" -gt 1009 ] && echo yes)" yes
printf '[bpf]\nvms = 5000\n[trace]\n*\n' >$work/etc/kvm/kvm.conf
kill "$(pidof pmdakvm)"
sleep 1
kill -HUP "$(pidof pmcd)"
until_true 75 is kvm.agent.family.attached stat 1
expect "limit of VMs" "$(value kvm.agent.map.limit stat_vms)" 5000
expect "exits, with another limit of VMs" "$(value kvm.exits)" "$exits"
kill $guest
wait $guest
expect "port writes, with another limit of VMs" "$(sum kvm.trace.kvm_pio)" $((7 * PIO))
grep -q "stat_vms: has room for 5000 entries now, it was 4096" $work/kvm.log
