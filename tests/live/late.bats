# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# The agent below pmcd in booted Debian kernels: KVM comes and goes, lockdown modes.

load common
load boot

# agent_boot VERSION SCRIPT SETTINGS BOOT-OPTION...
agent_boot() {
	local version=$1 script=$2 settings=$3
	shift 3
	new_work
	{
		echo "PIO=$PIO $settings"
		cat "$TOP/tests/live/boot-agent.sh" "$TOP/tests/live/$script"
	} >"$WORK/script"
	boot "$version" "$WORK/script" --add "$BUILD/pmdakvm" --add pminfo --add pmstore --add jq \
		--add "$(command -v setpriv):/usr/bin/setpriv.util-linux" \
		--add "$PCP_BIN/pmcd:/usr/lib/pcp/bin/pmcd" --add "$PCP_BIN/pmcpp:/usr/lib/pcp/bin/pmcpp" \
		--add /etc/pcp.conf --add /etc/pcp.env --add /etc/passwd --add /etc/group \
		--add "$TOP/pmns:/agent/pmns" \
		--add "$BUILD/pmda_kvm.so:/agent/pmda_kvm.so" "$@"
	cat "$WORK/out"
}

PCP_BIN=/usr/lib/pcp/bin

@test "Linux 6.1: KVM comes late, leaves, comes again; a CPU too; the agent is killed" {
	agent_boot 6.1 boot-late.sh "" --no-modules --timeout 150
	grep -q "generation, after kill -9: 3" "$WORK/out"
}

@test "Linux 6.12: KVM comes late, leaves, comes again; a CPU too; the agent is killed" {
	agent_boot 6.12 boot-late.sh "" --no-modules --timeout 150
	grep -q "generation, after kill -9: 3" "$WORK/out"
}

@test "Linux 6.1: the DSO attaches KVM that comes late, and lets it go" {
	[ -z "${SAN:-}" ] || skip "pmcd in the boot has no sanitizer's runtime: run without SAN=1"
	agent_boot 6.1 boot-dso.sh "" --no-modules
	grep -q "port writes, with KVM anew: $((2 * PIO))" "$WORK/out"
}

@test "Linux 6.1: no lockdown, integrity and confidentiality" {
	for mode in none integrity confidentiality; do
		agent_boot 6.1 boot-lockdown.sh MODE=$mode --append "lsm=lockdown lockdown=$mode"
		grep -q "port writes, for a user with two capabilities: $PIO" "$WORK/out"
	done
}

@test "Linux 6.12: no lockdown, integrity and confidentiality" {
	for mode in none integrity confidentiality; do
		agent_boot 6.12 boot-lockdown.sh MODE=$mode --append "lsm=lockdown lockdown=$mode"
		grep -q "port writes, for a user with two capabilities: $PIO" "$WORK/out"
	done
}
