# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# The stock agent's own Install, run over ours: whatever takes ours away then leaves the
# stock agent, and nothing of ours.
mount -t bpf bpf /sys/fs/bpf
start_host
host_save
stock_over_ours() {
	run_in $STOCK Install >/dev/null
	restart_loggers
	expect "agent, after the stock Install over ours" "$(who)" stock
}
ours() {
	make_ install >/dev/null
	run_in $OURS Install >/dev/null
	expect "agent" "$(who)" ours
	[ -n "$(ls /sys/fs/bpf/pmdakvm)" ] || fail "nothing is pinned"
}

ours
stock_over_ours
make_ uninstall >/dev/null
expect "agent, after make uninstall" "$(who)" stock
nothing_left "make uninstall, after the stock Install over ours"
# what a rebuilding of the name space makes of the stock agent's names
(cd /var/lib/pcp/pmns && touch .NeedRebuild && ./Rebuild -u >/dev/null)
pmcd_ restart
expect "stock metrics, after Rebuild -u" "$(pminfo kvm.exits kvm.trace.count | wc -l)" 2

ours
stock_over_ours
run_in $OURS Remove
expect "agent, after our Remove" "$(who)" stock
[ -L /var/lib/pcp/pmns/root_kvm ] || fail "Remove leaves the diversion"
[ ! -e /sys/fs/bpf/pmdakvm ] || fail "Remove leaves the pins"
