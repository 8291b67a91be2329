# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Stock, ours, upgrade, restart, Remove, stock; kvm.trace right at each step.
start_host
pminfo -f kvm.trace >/dev/null # it attaches at the first fetch
pio_counts "port writes, by the stock agent"

host_save
make_ install >/dev/null
host_save /tmp/installed
expect "kvm.conf that was there is kept" "$(grep -c kvm_pio /etc/pcp/kvm/kvm.conf)" 1
expect "agent, before our Install" "$(who)" stock
expect "reports of pmrep that are there twice" \
	"$(sed -n '/^\[kvm/p' /etc/pcp/pmrep/*.conf | sort | uniq -d)" ""
expect "reports of pmrep" "$(sed -n 's/^\[\(kvm.*\)\]$/\1/p' /etc/pcp/pmrep/*.conf | tr '\n' ' ')" \
	"kvm kvm-exits kvm-vm kvm-vcpu kvm-userspace kvm-cause kvm-time kvm-latency kvm-halt kvm-trace "
run_in $OURS Install
grep -qE '^[0-9]+ of [0-9]+ families count$' /tmp/script.out || fail "Install does not say what works"
grep -qE 'Check kvm metrics have appeared ... [1-9][0-9]* metrics and [1-9][0-9]* values' /tmp/script.out ||
	fail "Install does not see our metrics appear"
expect "agent, after our Install" "$(who)" ours
expect "kvm lines in pmcd.conf" "$(grep -c '^kvm[[:space:]]' /etc/pcp/pmcd/pmcd.conf)" 1
expect "PMID of kvm.exits" "$(pminfo -m kvm.exits)" "kvm.exits PMID: 95.0.1"
pio_counts "port writes, by our agent"

host_new /tmp/installed >/tmp/new
expect "what Install makes" "$(tr '\n' ' ' </tmp/new)" "/var/lib/pcp/config/pmlogrewrite/pmdakvm.conf $(
	)/var/lib/pcp/pmdas/pmdakvm /var/lib/pcp/pmdas/pmdakvm/Install /var/lib/pcp/pmdas/pmdakvm/Upgrade $(
	)/var/lib/pcp/pmns/stock_kvm "

run_in $OURS Install >/dev/null
expect "agent, after our Install over itself" "$(who)" ours
expect "what Install over itself makes more" "$(host_new /tmp/installed | diff /tmp/new -)" ""
pio_counts "port writes, after our Install over itself"

(cd /var/lib/pcp/pmns && touch .NeedRebuild && ./Rebuild -u >/dev/null)
pmcd_ restart
expect "agent, after Rebuild -u and a restart" "$(who)" ours
pio_counts "port writes, after Rebuild -u and a restart"
if [ -n "$PCP_DEB" ]; then
	dpkg -i "$PCP_DEB" >/tmp/dpkg.out 2>&1 || {
		cat /tmp/dpkg.out
		fail "installing the pcp package again"
	}
	pmcd_ restart
	expect "agent, after the pcp package was installed again" "$(who)" ours
	pio_counts "port writes, after the pcp package was installed again"
fi

run_in $OURS Remove
grep -q 'Check kvm metrics have gone away ... OK' /tmp/script.out || fail "Remove leaves metrics"
expect "agent, after Remove" "$(who)" none
expect "kvm lines in pmcd.conf, after Remove" "$(grep -c '^kvm[[:space:]]' /etc/pcp/pmcd/pmcd.conf)" 0
nothing_left "Remove" /tmp/installed but_numbers
[ -L /var/lib/pcp/pmns/root_kvm ] || fail "the stock name space is not put back"
run_in $STOCK Install
expect "agent, after the stock Install again" "$(who)" stock
pminfo -f kvm.trace >/dev/null
pio_counts "port writes, by the stock agent again"

run_in $OURS Install >/dev/null
make_ uninstall >/tmp/uninstall.out
expect "agent, after make uninstall" "$(who)" none
nothing_left "make uninstall"
grep -q "stock agent comes back with: cd $STOCK && ./Install" /tmp/uninstall.out ||
	fail "make uninstall does not say how the stock agent comes back"
