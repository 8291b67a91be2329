# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh
#
# KVM's statistics, with KVM that comes late, and comes again. Shows what KVM_GET_STATS_FD,
# debugfs and kvmbpf say of the same guest, for tests/boot/stat.bats to compare.
mkfifo /tmp/hold
exec 9<>/tmp/hold

# hold OPTION...: a guest that holds its VMs, once it is through; its process is $guest
hold() {
	rm -f /tmp/stats
	guest --stats /tmp/stats --hold "$@" <&9 >/dev/null &
	guest=$!
	until_true 60 test -s /tmp/stats
}

let_go() {
	kill $guest
	wait $guest
}

# counted NAME: over all vCPUs, as KVM_GET_STATS_FD has it
counted() {
	awk -v name="$1" '$1 == "vcpu" && $4 == name { n += $5 } END { print n }' /tmp/stats
}

agent_start
expect "attached without KVM" "$(value kvm.agent.family.attached stat)" 0
expect "status without KVM" "$(value kvm.agent.family.status stat)" "KVM is not loaded"
expect "VMs without KVM" "$(value kvm.nvms)" ""
status=0
kvmbpf dump -d 0 >/dev/null 2>&1 || status=$?
expect "exit status of kvmbpf without KVM" $status 3
modules_load
until_true 6 is kvm.agent.family.attached stat 1
mount -t debugfs debugfs /sys/kernel/debug

hold --vms 2 --vcpus 2 --pio 211 --mmio 101 --cpuid 307 --hlt 53 --irqchip
kvmbpf dump -d 0 --json >/tmp/json
for file in /sys/kernel/debug/kvm/*; do
	[ ! -f "$file" ] || echo "debugfs ${file##*/} $(cat "$file")"
done
echo "process $guest"
sed 's/^/stats /' /tmp/stats
sed 's/^/json /' /tmp/json
exits=$(counted exits)
expect "exits" "$(value kvm.exits)" "$exits"
expect "exits of vCPUs" "$(sum kvm.vcpu.stat.exits)" "$exits"
expect "VMs" "$(value kvm.nvms)" 2
# somebody resets the kernel's counters: ours go on, and of the same VMs
vms=$(pminfo $host -f kvm.vcpu.stat.exits)
echo 0 >/sys/kernel/debug/kvm/exits
expect "exits, reset in the kernel" "$(cat /sys/kernel/debug/kvm/exits)" 0
expect "exits, after the reset" "$(value kvm.exits)" "$exits"
expect "vCPUs, after the reset" "$(pminfo $host -f kvm.vcpu.stat.exits)" "$vms"
expect "4k pages are mapped" "$([ "$(value kvm.stat.pages_4k)" -gt 0 ] && echo yes)" yes
let_go
expect "VMs, ended" "$(value kvm.nvms)" 0
expect "exits, of ended VMs" "$(value kvm.exits)" "$exits"
expect "4k pages, of ended VMs" "$(value kvm.stat.pages_4k)" 0

pmstore $host kvm.control.attached 0 >/dev/null
expect "VMs, while detached" "$(value kvm.nvms)" 0
rmmod kvm_amd
rmmod kvm
expect "exits, without kvm.ko" "$(value kvm.exits)" "$exits"
modules_load
pmstore $host kvm.control.attached 1 >/dev/null
expect "exits, with KVM anew" "$(value kvm.exits)" "$exits"
hold --pio 223 --mmio 103
expect "exits, of a guest of KVM anew" "$(value kvm.exits)" $((exits + $(counted exits)))
expect "VMs, with KVM anew" "$(value kvm.nvms)" 1
expect "missed" "$(value kvm.agent.family.missed stat)" ""
let_go
