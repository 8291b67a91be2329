# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# An archive recorded with the stock agent, rewritten and read beside one of ours.
record() {
	printf 'log mandatory on 200 msec { kvm.trace.count kvm.trace.kvm_pio kvm.trace.kvm_mmio kvm.trace.kvm_ack_irq kvm.trace.kvm_age_hva kvm.exits kvm.mmu_unsync }\n' >/tmp/logger.conf
	pmlogger -c /tmp/logger.conf -l /tmp/logger.log -T 2sec "$1" &
	sleep 0.5
	"$BUILD/tests/guest" --pio "$PIO" >/dev/null
	wait $!
}
pmcd_ start
run_in $STOCK Install >/dev/null
pminfo -f kvm.trace >/dev/null
record /tmp/stock
make_ install >/dev/null
run_in $OURS Install >/dev/null
record /tmp/ours
pmlogrewrite -c /etc/pcp/pmlogrewrite/kvm_trace_stock.conf /tmp/stock /tmp/rewritten ||
	fail "pmlogrewrite"
# ARCHIVE METRIC: its PMID, type, domain, semantics and units
desc() {
	pmdumplog -d "$1" | awk -v m="($2)" 'index($0, m) { on = 2; print; next } on-- > 0 { print }' |
		tr -s ' ' | tr '\n' ';'
}
# the stock numbers follow its kvm.conf; of the five that both start with, this is one
expect "description of kvm.trace.kvm_mmio" "$(desc /tmp/rewritten kvm.trace.kvm_mmio)" "$(desc /tmp/ours kvm.trace.kvm_mmio)"
expect "description of kvm.trace.count" "$(desc /tmp/rewritten kvm.trace.count)" "$(desc /tmp/stock kvm.trace.count)"
for event in kvm_pio kvm_ack_irq kvm_age_hva; do
	expect "description of kvm.trace.$event" "$(desc /tmp/rewritten kvm.trace.$event)" "$(desc /tmp/ours kvm.trace.$event)"
done
# a gauge that the stock agent calls a counter; and a counter
for name in kvm.mmu_unsync kvm.exits; do
	[ -n "$(desc /tmp/stock $name)" ] || fail "the stock archive has no $name"
	expect "description of $name" "$(desc /tmp/rewritten $name)" "$(desc /tmp/ours $name)"
done
[ -n "$(desc /tmp/stock kvm.trace.count)" ] || fail "the stock archive has no kvm.trace.count"
# the folder's rules as a whole, as pmlogger_rewrite takes them
cp /tmp/stock.0 /tmp/again.0 && cp /tmp/stock.meta /tmp/again.meta && cp /tmp/stock.index /tmp/again.index
pmlogrewrite -c /var/lib/pcp/config/pmlogrewrite /tmp/again /tmp/again2 || fail "pmlogrewrite with all of PCP's rules"
expect "description, by all of PCP's rules" "$(desc /tmp/again2 kvm.trace.kvm_mmio)" "$(desc /tmp/ours kvm.trace.kvm_mmio)"
pmlogextract /tmp/rewritten /tmp/ours /tmp/both || fail "the two cannot be merged"
pmval -a /tmp/both -r kvm.trace.kvm_mmio >/dev/null || fail "the merged archive cannot be read"
