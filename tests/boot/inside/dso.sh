# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh
#
# The DSO has no loop: KVM that has come is attached at a fetch.
agent_start dso
expect "attached without KVM" "$(value kvm.agent.family.attached trace)" 0
modules_load
until_true 5 is kvm.agent.family.attached trace 1
guest --pio "$PIO" >/dev/null
expect "port writes" "$(sum kvm.trace.kvm_pio)" "$PIO"
pmstore $host kvm.control.attached 0 >/dev/null
rmmod kvm_amd
rmmod kvm
modules_load
pmstore $host kvm.control.attached 1 >/dev/null
guest --pio "$PIO" >/dev/null
expect "port writes, with KVM anew" "$(sum kvm.trace.kvm_pio)" $((2 * PIO))
expect "pins" "$(ls -A /sys/fs/bpf)" ""

# pmcd keeps the DSO over a signal that leaves its line alone, and lets all go that the line brought
held() {
	ls -l "/proc/$(pidof pmcd)/fd" | grep -c anon_inode:bpf || true
}
again() {
	kill -HUP "$(pidof pmcd)"
	until_true 20 pminfo $host -f pmcd.version
}
# pmcd takes no pmcd.conf that has no agent
echo "pmcd 2 dso pmcd_init /agent/pmda_pmcd.so" >>$work/pmcd.conf
before=$(held)
again
expect "descriptors, with the line left alone" "$(held)" "$before"
guest --pio "$PIO" >/dev/null
expect "port writes, with the line left alone" "$(sum kvm.trace.kvm_pio)" $((3 * PIO))
cp $work/pmcd.conf $work/with
grep -v '^kvm ' $work/with >$work/without
for cycle in 1 2 3 4; do
	cp $work/without $work/pmcd.conf
	again
	expect "descriptors, without the line, $cycle" "$(held)" 0
	rmmod kvm_amd
	rmmod kvm
	modules_load
	cp $work/with $work/pmcd.conf
	again
	until_true 20 is kvm.agent.family.attached trace 1
	# fewer than before: the first agent was detached meanwhile, and has kept programs of that
	[ "$cycle" != 1 ] || anew=$(held)
	[ "$anew" -le "$before" ] || { echo "descriptors grow: $anew after $before"; exit 1; }
	expect "descriptors, with the line anew, $cycle" "$(held)" "$anew"
done
guest --pio "$PIO" >/dev/null
expect "port writes, with the line anew" "$(sum kvm.trace.kvm_pio)" "$PIO"
