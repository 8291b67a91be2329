# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# KVM's statistics in booted Debian kernels, against KVM_GET_STATS_FD and debugfs. Lockdown
# modes are in lifecycle.bats.

load ../live/common
load boot
load ../live/stat

# NAME VALUE of the host; debugfs shows a histogram's first bucket, and adds peaks up
totals() {
	sed -nE "$1" "$2" | grep -vE '^max_|_hist ' | LC_ALL=C sort
}

stat_boot() {
	agent_boot "$1" stat.sh "" --no-modules --timeout 150
	sed -n 's/^stats //p' "$WORK/out" >"$WORK/stats"
	sed -n 's/^json //p' "$WORK/out" >"$WORK/json"
	json_values "$WORK/json" >"$WORK/ours"
	stat_values "guest-$(sed -n 's/^process //p' "$WORK/out")" <"$WORK/stats" | diff - "$WORK/ours"
	diff <(stat_kinds <"$WORK/stats") <(json_kinds "$WORK/json")
	[ "$(wc -l <"$WORK/ours")" -gt 400 ]
	totals 's/^debugfs //p' "$WORK/out" >"$WORK/debugfs"
	[ "$(wc -l <"$WORK/debugfs")" -gt 40 ]
	totals 's/^kvm\.(stat\.)?([a-z0-9_]+)\t\t([0-9]+)$/\2 \3/p' "$WORK/ours" | diff "$WORK/debugfs" -
}

@test "Linux 6.1: values are KVM_GET_STATS_FD's and debugfs's, KVM comes late, and again" {
	stat_boot 6.1
}

# bats test_tags=long
@test "Linux 6.12: values are KVM_GET_STATS_FD's and debugfs's, KVM comes late, and again" {
	stat_boot 6.12
}

@test "Linux 5.10, with no type information for KVM: totals are debugfs's, or it is said why not" {
	agent_boot 5.10 stat-old.sh ""
}
