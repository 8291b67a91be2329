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
