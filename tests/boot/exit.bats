# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Exits by reason, VM and vCPU in booted Debian kernels, where kvm_exit is real.

load ../live/common
load boot

NUMBERS="MMIO=211 CPUID=$CPUID MSR=307 HYPERCALL=401 HLT=101"

# bats test_tags=long
@test "Linux 6.1: exits are exact by reason, VM and vCPU; halts carry their sleep" {
	agent_boot 6.1 exit.sh "$NUMBERS"
	grep -q "^missed: 0" "$WORK/out"
}

@test "Linux 6.12: exits are exact by reason, VM and vCPU; halts carry their sleep" {
	agent_boot 6.12 exit.sh "$NUMBERS"
	grep -q "^missed: 0" "$WORK/out"
}

# bats test_tags=long
@test "Linux 6.12: halts that timers end, what a window of polling would do, slow exits, each state" {
	agent_boot 6.12 "late-timers.sh ledger.sh" "" --icount 3 --cpus 1
}

@test "Linux 6.1: halts that timers end, what a window of polling would do, slow exits, each state" {
	agent_boot 6.1 "late-timers.sh ledger.sh" "" --icount 3 --cpus 1
}

@test "Linux 6.1: more vCPUs than the limit, a detach in a pair, an agent that is killed" {
	agent_boot 6.1 exit-life.sh "" --timeout 280
	grep -q "^generation: 3" "$WORK/out"
	grep -q "^labels of io's histogram: right" "$WORK/out"
}

# bats test_tags=long
@test "Linux 6.12: more vCPUs than the limit, a detach in a pair, an agent that is killed" {
	agent_boot 6.12 exit-life.sh "" --timeout 280
	grep -q "^generation: 3" "$WORK/out"
	grep -q "^labels of io's histogram: right" "$WORK/out"
}

@test "Linux 6.1: lockdown confidentiality leaves counts without reasons" {
	agent_boot 6.1 exit-lockdown.sh "$NUMBERS" --append "lsm=lockdown lockdown=confidentiality"
	grep -q "^exits to the VMM, HLT: 2" "$WORK/out"
}

# bats test_tags=long
@test "Linux 6.12: lockdown confidentiality leaves reasons, too" {
	agent_boot 6.12 exit-lockdown.sh "$NUMBERS TYPED=1" --append "lsm=lockdown lockdown=confidentiality"
	grep -q "^exits to the VMM, HLT: 2" "$WORK/out"
}

# bats test_tags=long
@test "Linux 6.1: KVM comes late, its vendor module later; both leave, and come again" {
	agent_boot 6.1 exit-late.sh "" --no-modules
	grep -q "^lines that warn: 0" "$WORK/out"
}

@test "Linux 6.12: KVM comes late, its vendor module later; both leave, and come again" {
	agent_boot 6.12 exit-late.sh "" --no-modules
	grep -q "^lines that warn: 0" "$WORK/out"
}
