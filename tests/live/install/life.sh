# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Stock, ours, upgrade, restart, Remove, stock; kvm.trace right at each step.
pmcd_ start
run_in $STOCK Install
expect "agent, after the stock Install" "$(who)" stock
pminfo -f kvm.trace >/dev/null # it attaches at the first fetch
pio_counts "port writes, by the stock agent"

# files_below FOLDER: those there are below it, but for places where anybody writes
files_below() {
	(cd "$1" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./tmp -o -path ./run \
		-o -path ./var/log -o -path ".$TOP" -o -path ".$TMPDIR" \) -prune -o ! -type c -print |
		cut -c2- | sort)
}

files_below / >/tmp/before
make_ install >/dev/null
expect "kvm.conf that was there is kept" "$(grep -c kvm_pio /etc/pcp/kvm/kvm.conf)" 1
expect "agent, before our Install" "$(who)" stock
expect "reports of pmrep that are there twice" \
	"$(sed -n '/^\[kvm/p' /etc/pcp/pmrep/*.conf | sort | uniq -d)" ""
expect "reports of pmrep" "$(sed -n 's/^\[\(kvm.*\)\]$/\1/p' /etc/pcp/pmrep/*.conf | tr '\n' ' ')" \
	"kvm-exits kvm-vm kvm-userspace "
run_in $OURS Install
grep -qE 'Check kvm metrics have appeared ... [1-9][0-9]* metrics and [1-9][0-9]* values' /tmp/script.out ||
	fail "Install does not see our metrics appear"
expect "agent, after our Install" "$(who)" ours
expect "kvm lines in pmcd.conf" "$(grep -c '^kvm[[:space:]]' /etc/pcp/pmcd/pmcd.conf)" 1
expect "PMID of kvm.exits" "$(pminfo -m kvm.exits)" "kvm.exits PMID: 95.0.1"
pio_counts "port writes, by our agent"

run_in $OURS Install >/dev/null
expect "agent, after our Install over itself" "$(who)" ours
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
expect "processes of ours" "$(pgrep -cf $OURS/pmdakvm || true)" 0
expect "pins" "$(ls -A /sys/fs/bpf 2>/dev/null | grep -c pmdakvm || true)" 0
[ -L /var/lib/pcp/pmns/root_kvm ] || fail "the stock name space is not put back"
run_in $STOCK Install
expect "agent, after the stock Install again" "$(who)" stock
pminfo -f kvm.trace >/dev/null
pio_counts "port writes, by the stock agent again"

run_in $OURS Install >/dev/null
make_ uninstall >/dev/null
expect "agent, after make uninstall" "$(who)" none
# what was written here: the host itself goes on meanwhile
files_below /run/changes >/tmp/after
# pmcd's own traces of an agent that came and went are no leftovers of ours
expect "files that make uninstall left" "$(comm -13 /tmp/before /tmp/after |
	grep -vE '^/var/lib/pcp/(pmns/|config/pmda/|tmp/)|^/etc/pcp/pmcd/|/__pycache__|^/var/lib/(dpkg|apt)/|^/var/cache/|^/usr/share/doc' | tr '\n' ' ')" ""
expect "diversions" "$(dpkg-divert --list '*kvm*' | wc -l)" 0
