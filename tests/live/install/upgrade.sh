# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Upgrade: after another version of PCP or of ours, pmcd's start puts right what is wrong.
rules=/var/lib/pcp/config/pmlogrewrite

# upgrade LINE: ours, with a pmcd.conf of that one line, which it leaves
upgrade() {
	printf '%s\n' "$1" >/tmp/pmcd.conf.case
	(cd $OURS && PCP_PMCDCONF_PATH=/tmp/pmcd.conf.case ./Upgrade) || fail "Upgrade fails with $1"
	expect "pmcd.conf, after Upgrade" "$(cat /tmp/pmcd.conf.case)" "$1"
}

answers_ours() { [ "$(who)" = ours ]; }

start_host
host_save
make_ install >/dev/null
upgrade "other 7 pipe binary /nowhere/pmdaother -d 7"
upgrade "kvm 95 pipe binary $STOCK/pmdakvm -d 95"
upgrade "kvm 95 pipe binary perl $STOCK/pmdakvm.pl"
nothing_of() { find /var/lib/pcp/pmdas/pmdakvm $rules/pmdakvm.conf 2>/dev/null | wc -l; }
expect "files that Upgrade makes for another agent" "$(nothing_of)" 0

run_in $OURS Install >/dev/null
upgrade "kvm 95 pipe binary $OURS/pmdakvm -d 95"
expect "what Upgrade asks for, where all is well" "$(ls -A /var/lib/pcp/pmdas/pmdakvm | tr '\n' ' ')" "Install Upgrade "

# a host without dpkg: the rebuilding puts the stock agent's names in the place of ours
dpkg-divert --quiet --local --rename --remove /var/lib/pcp/pmns/root_kvm
(cd /var/lib/pcp/pmns && ./Rebuild -u >/dev/null)
pmcd_ restart
await "ours is not installed again" answers_ours
pio_counts "port writes, after the stock agent's names came back"
[ ! -e /var/lib/pcp/pmns/root_kvm ] || fail "the stock agent's names are not moved away"
# pmcd's start goes on in the background
await "pmcd's start does not end" test ! -e /var/tmp/pmda.auto.update

# a version of ours with another name
sed -i -E 's/^(\s+)version /\1versionx /' $OURS/pmns
grep -q versionx $OURS/pmns || fail "the name was not changed"
{ said=$(cd $OURS && ./Upgrade) && grep -q "The name space is not this version's" <<<"$said"; } || fail "Upgrade says nothing of other names"
[ -e /var/lib/pcp/pmdas/pmdakvm/.NeedInstall ] || fail "no Install is asked for"
rm /var/lib/pcp/pmdas/pmdakvm/.NeedInstall
sed -i 's/versionx/version/' $OURS/pmns

# PCP gets a rule that we have, too
grep -q 'metric kvm.mmu_unsync ' $rules/pmdakvm.conf || fail "there is no rule for kvm.mmu_unsync"
printf 'metric kvm.mmu_unsync{ sem -> instant }\n' >$rules/zz_new.conf
(cd $OURS && ./Upgrade)
! grep -q 'metric kvm.mmu_unsync ' $rules/pmdakvm.conf || fail "the rule for kvm.mmu_unsync stays"
grep -q 'metric kvm.trace.kvm_exit ' $rules/pmdakvm.conf || fail "other rules are gone"
rm $rules/zz_new.conf
(cd $OURS && ./Upgrade)
grep -q 'metric kvm.mmu_unsync ' $rules/pmdakvm.conf || fail "the rule for kvm.mmu_unsync does not come back"
make_ uninstall
nothing_left "make uninstall"
