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
# a second copy of ours, elsewhere, leaves alone what the first has changed
make_ install PREFIX=/opt/second >/dev/null
(cd /opt/second/lib/pmdakvm/pmdas/kvm && ./Upgrade)
make_ uninstall PREFIX=/opt/second >/dev/null
expect "agent, after make uninstall of a second copy" "$(who)" ours
[ ! -e /var/lib/pcp/pmns/root_kvm ] || fail "make uninstall of a second copy ends the diversion"
[ -e /var/lib/pcp/config/pmlogrewrite/pmdakvm.conf ] || fail "make uninstall of a second copy removes our rules"
[ -e /var/lib/pcp/pmdas/pmdakvm/Upgrade ] || fail "make uninstall of a second copy removes what pmcd's start runs"

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

# a start of pmcd undoes what would harm the stock agent
ours
stock_over_ours
pmcd_ restart
for _ in $(seq 50); do
	[ ! -L /var/lib/pcp/pmns/root_kvm ] || break
	sleep 0.2
done
[ -L /var/lib/pcp/pmns/root_kvm ] || fail "the start of pmcd leaves the diversion"
[ ! -e /var/lib/pcp/config/pmlogrewrite/pmdakvm.conf ] || fail "the start of pmcd leaves our rules"
# somebody has deleted ours
rm -r /opt/pmdakvm/lib
make_ uninstall >/dev/null
expect "agent, after ours was deleted" "$(who)" stock
nothing_left "make uninstall, after ours was deleted"
