# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# An archive recorded with the stock agent, rewritten and read beside one of ours.
# record ARCHIVE [METRIC...]: also those
record() {
	printf '%s\n' 'log mandatory on 200 msec {' kvm.trace.count kvm.trace.kvm_pio kvm.trace.kvm_mmio kvm.trace.kvm_ack_irq \
		kvm.trace.kvm_age_hva kvm.exits kvm.mmu_unsync kvm.largepages "${@:2}" '}' >/tmp/logger.conf
	pmlogger -c /tmp/logger.conf -l /tmp/logger.log "$1" &
	local logger=$!
	await "pmlogger writes no archive" test -s "$1.index"
	sleep 1.5 # some records: rates begin with the second
	"$BUILD/tests/guest" --pio "$PIO" >/dev/null
	sleep 0.5
	kill $logger
	wait $logger || true
}
start_host
pminfo -f kvm.trace >/dev/null
record /tmp/stock
make_ install >/dev/null
run_in $OURS Install >/dev/null
# what our groups of pmlogconf name
# shellcheck disable=SC2046 # a list of words
record /tmp/ours $(sed -n 's/^\t\(kvm.*\)$/\1/p' /etc/pcp/pmlogconf/pmdakvm/* | grep -v '^kvm.trace$')
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

# our reports show both halves: what the guest did while the stock agent counted, and while ours did
export PCP_PYTHON_PROG=/usr/bin/python3
# in_report NAME ARCHIVE ROW COLUMN: what rates of 0.2 s come to
in_report() {
	pmrep -z -a "$2" -t 0.2 ":$1" >/tmp/report || fail "pmrep :$1 of $2"
	awk -v row="$3" -v name="$4" '$1 !~ /:/ { for (i = 1; i <= NF; i++) if ($i == name) column = i + 1; next }
		$2 ~ row { sum += $column * 0.2 } END { printf "%.0f\n", sum }' /tmp/report
}
expect "kvm-trace, of the stock agent's archive" "$(in_report kvm-trace /tmp/rewritten '^cpu' pio/s)" "$PIO"
expect "kvm-trace, of both" "$(in_report kvm-trace /tmp/both '^cpu' pio/s)" $((2 * PIO))
expect "kvm-userspace, of both" "$(in_report kvm-userspace /tmp/both '^IO$' exits/s)" "$PIO"

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
