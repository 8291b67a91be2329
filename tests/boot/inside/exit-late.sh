# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh
#
# KVM comes late, its vendor module later still; both leave, and come again.
agent_start
expect "attached without KVM" "$(value kvm.agent.family.attached exit)" 0
expect "exits without KVM" "$(value kvm.exit.total)" ""
for module in $(grep -v amd /modules/order); do
	insmod "/modules/$module"
done
until_true 6 is kvm.agent.family.attached exit 1
expect "status" "$(value kvm.agent.family.status exit)" \
	"attached, but kvm_exit never fires here: neither kvm_amd nor kvm_intel is loaded"
sleep 8 # until nobody tries again on KVM's account
modules_load
until_true 6 is kvm.agent.family.status exit attached
expect "exits, before the first VM" "$(value kvm.exit.total)" 0
expect "npf, before the first VM" "$(value kvm.exit.count npf)" 0
guest --pio "$PIO" >/dev/null
expect "exits" "$(value kvm.exit.count io)" "$PIO"
rmmod kvm_amd
until_true 6 is kvm.agent.family.status exit \
	"attached, without reasons: kvm_amd or kvm_intel was unloaded"
expect "exits, without the vendor module" "$(value kvm.exit.count io)" "$PIO"
modules_load
until_true 6 is kvm.agent.family.status exit attached
guest --pio "$PIO" >/dev/null
expect "exits, with it anew" "$(value kvm.exit.count io)" $((2 * PIO))
pmstore $host kvm.control.attached 0 >/dev/null
guest --pio "$PIO" >/dev/null
rmmod kvm_amd
rmmod kvm
expect "exits, without KVM" "$(value kvm.exit.count io)" $((2 * PIO))
modules_load
pmstore $host kvm.control.attached 1 >/dev/null
until_true 6 is kvm.agent.family.attached exit 1
guest --pio "$PIO" >/dev/null
expect "exits, with KVM anew" "$(value kvm.exit.count io)" $((3 * PIO))
expect "exits to the VMM, with KVM anew" "$(value kvm.userspace_exit.count IO)" $((3 * PIO))
expect "reasons' sum" "$(sum kvm.exit.count)" "$(value kvm.exit.total)"
expect "exits, by kvm_exit" "$(sum kvm.trace.kvm_exit)" "$(value kvm.exit.total)"
expect "lines that warn" "$(grep -c Warning $work/kvm.log)" 0
