# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh
#
# A kernel that has no type information for KVM: totals of the host from debugfs, or why not.
agent_start
expect "attached without debugfs" "$(value kvm.agent.family.attached stat)" 0
expect "status without debugfs" "$(value kvm.agent.family.status stat)" \
	"this kernel has no type information (BTF) for KVM"
expect "exits without debugfs" "$(value kvm.exits)" ""

mount -t debugfs debugfs /sys/kernel/debug
# of other families not all can be had there
pmstore $host -i stat kvm.control.attached 0 >/dev/null
pmstore $host -i stat kvm.control.attached 1 >/dev/null
expect "attached with debugfs" "$(value kvm.agent.family.attached stat)" 1
mkfifo /tmp/hold
exec 9<>/tmp/hold
guest --pio "$PIO" --vcpus 2 --hold <&9 >/tmp/guest &
guest=$!
until_true 60 grep -q done /tmp/guest
pminfo $host -f kvm >/tmp/all
n=0
for file in /sys/kernel/debug/kvm/*; do
	[ -f "$file" ] || continue
	name=${file##*/}
	ours=$(awk -v m="$name" '$1 == "kvm." m || $1 == "kvm.stat." m { on = 1; next }
		on && $1 == "value" { print $2 } { on = 0 }' /tmp/all)
	expect "$name" "$ours" "$(cat "$file")"
	n=$((n + 1))
done
exits=$(value kvm.exits)
expect "30 statistics, thousands of exits" "$([ $n -gt 30 ] && [ "$exits" -gt $((2 * PIO)) ] && echo yes)" yes
expect "statistics of VMs" "$(grep -cE '^kvm\.(vm|vcpu)\.stat\.' /tmp/all)" 0
expect "VMs" "$(value kvm.nvms)" ""
kill $guest
wait $guest
expect "exits, ended" "$(value kvm.exits)" "$exits"
expect "debugfs, ended" "$(cat /sys/kernel/debug/kvm/exits)" 0
