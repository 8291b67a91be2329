# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# The agent below pmcd in booted Debian kernels: KVM comes and goes, lockdown modes.

load ../live/common
load boot

@test "Linux 6.1: KVM comes late, leaves, comes again; a CPU too; the agent is killed" {
	agent_boot 6.1 late.sh "" --no-modules --timeout 300
	grep -q "generation, after kill -9: 3" "$WORK/out"
}

# bats test_tags=long
@test "Linux 6.12: KVM comes late, leaves, comes again; a CPU too; the agent is killed" {
	agent_boot 6.12 late.sh "" --no-modules --timeout 300
	grep -q "generation, after kill -9: 3" "$WORK/out"
}

@test "Newest: KVM comes late, leaves, comes again; a CPU too; the agent is killed" {
	agent_boot newest late.sh BY_PERF=1 --no-modules --timeout 400
	grep -q "generation, after kill -9: 3" "$WORK/out"
}

@test "Newest: the DSO attaches nothing that it cannot let go at once" {
	[ -z "${SAN:-}" ] || skip "pmcd in the boot has no sanitizer's runtime: run without SAN=1"
	agent_boot newest dso.sh "" --no-modules
	grep -q "port writes, with KVM anew: $((2 * PIO))" "$WORK/out"
}

@test "Linux 6.1: the DSO attaches KVM that comes late, lets it go, and all when pmcd lets it go" {
	[ -z "${SAN:-}" ] || skip "pmcd in the boot has no sanitizer's runtime: run without SAN=1"
	agent_boot 6.1 dso.sh "" --no-modules --timeout 200 \
		--add /var/lib/pcp/pmdas/pmcd/pmda_pmcd.so:/agent/pmda_pmcd.so
	grep -q "port writes, with KVM anew: $((2 * PIO))" "$WORK/out"
}

# bats test_tags=long
@test "Linux 6.1: no lockdown, integrity and confidentiality" {
	for mode in none integrity confidentiality; do
		agent_boot 6.1 lockdown.sh MODE=$mode --append "lsm=lockdown lockdown=$mode"
		grep -q "port writes, for a user with two capabilities: $PIO" "$WORK/out"
	done
}

@test "Linux 6.12: no lockdown, integrity and confidentiality" {
	for mode in none integrity confidentiality; do
		agent_boot 6.12 lockdown.sh "MODE=$mode TYPED=1" --append "lsm=lockdown lockdown=$mode"
		grep -q "port writes, for a user with two capabilities: $PIO" "$WORK/out"
	done
}

@test "Linux 5.10: each refusal names its cause: limits, filters, namespaces, no list of events" {
	agent_boot 5.10 causes.sh "" --timeout 200 --add "$BUILD/tests/deny_bpf"
	grep -q "^KVM is not there: said" "$WORK/out"
}
