# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# An archive recorded with the stock agent, rewritten and read beside one of ours.
record() {
	printf 'log mandatory on 200 msec { kvm.trace.count kvm.trace.kvm_pio kvm.trace.kvm_mmio kvm.trace.kvm_ack_irq kvm.trace.kvm_age_hva kvm.exits kvm.mmu_unsync kvm.largepages }\n' >/tmp/logger.conf
	pmlogger -c /tmp/logger.conf -l /tmp/logger.log -T 2sec "$1" &
	sleep 0.5
	"$BUILD/tests/guest" --pio "$PIO" >/dev/null
	wait $!
}
start_host
pminfo -f kvm.trace >/dev/null
record /tmp/stock
make_ install >/dev/null
run_in $OURS Install >/dev/null
record /tmp/ours
folder=/var/lib/pcp/config/pmlogrewrite
# what PCP has no rule for, if it has one for kvm.largepages
theirs=$(grep -lE '^metric kvm\.largepages' $folder/* | grep -v pmdakvm || true)
expect "rules for kvm.largepages" "$(cat $folder/* | grep -c '^metric kvm\.largepages ')" 1
pmlogrewrite -c $folder /tmp/stock /tmp/rewritten || fail "pmlogrewrite with all of PCP's rules"
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
# gauges that the stock agent calls counters (newer versions one of them); and a counter
for name in kvm.mmu_unsync kvm.largepages kvm.exits; do
	[ -n "$(desc /tmp/stock $name)" ] || fail "the stock archive has no $name"
	expect "description of $name" "$(desc /tmp/rewritten $name)" "$(desc /tmp/ours $name)"
done
[ -n "$(desc /tmp/stock kvm.trace.count)" ] || fail "the stock archive has no kvm.trace.count"
# an archive that is not rewritten does not go with ours
! pmlogextract /tmp/stock /tmp/ours /tmp/neither >/dev/null 2>&1 || fail "the two archives go together as they are"
pmlogextract /tmp/rewritten /tmp/ours /tmp/both || fail "the two cannot be merged"
pmval -a /tmp/both -r kvm.trace.kvm_mmio >/dev/null || fail "the merged archive cannot be read"

# a PCP that has a rule for kvm.largepages, too, and one that has not
if [ -z "$theirs" ]; then
	echo 'metric kvm.largepages { sem -> instant }' >$folder/kvm_fixups.conf
else
	rm -f $theirs
fi
(cd $OURS && ./Upgrade)
expect "rules for kvm.largepages, with another PCP" "$(cat $folder/* | grep -c '^metric kvm\.largepages ')" 1
pmlogrewrite -c $folder /tmp/stock /tmp/again || fail "pmlogrewrite with all of another PCP's rules"
expect "description of kvm.largepages" "$(desc /tmp/again kvm.largepages)" "$(desc /tmp/ours kvm.largepages)"
pmlogextract /tmp/again /tmp/ours /tmp/both2 || fail "the two cannot be merged"
