# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Install that fails, in each way that it can, leaves the stock agent as it was; and a pcp
# that has never been started gets its name space built.

# after_failure HOW: the stock agent answers, no file but those of make install is new
after_failure() {
	for _ in $(seq 20); do
		[ "$(who)" != stock ] || break
		sleep 0.5
	done
	expect "agent, after $1" "$(who)" stock
	expect "metrics of the stock agent, after $1" "$(pminfo kvm.exits kvm.trace.count | wc -l)" 2
	expect "kvm lines in pmcd.conf, after $1" "$(grep '^kvm' /etc/pcp/pmcd/pmcd.conf)" "$line"
	nothing_left "$1"
}

# break_agent LINE...: a program in the place of ours
break_agent() {
	printf '%s\n' "$@" >$OURS/pmdakvm.new
	chmod 755 $OURS/pmdakvm.new
	mv $OURS/pmdakvm.new $OURS/pmdakvm
}

expect "the name space, of a pcp that has not been started" "$(ls /var/lib/pcp/pmns/root 2>/dev/null || true)" ""
make_ install >/dev/null
run_in $OURS Install
expect "agent, without a name space before" "$(who)" ours
pmcd_ restart
expect "agent, after a restart" "$(who)" ours
[ ! -e /var/lib/pcp/pmns/.NeedRebuild ] || fail "the name space is still to be built"

# an agent that loads for as long as nobody has been told so
cp $OURS/pmdakvm /tmp/pmdakvm.good
mkfifo /tmp/slow.conf
break_agent '#!/bin/sh' '[ "$1" != --tryload ] || exit 0' 'exec /tmp/pmdakvm.good "$@" -c /tmp/slow.conf'
{
	until grep -q "Try again" <<<"$(pminfo -f kvm.agent.version 2>&1)"; do sleep 0.2; done
	printf '[trace]\nkvm_pio\n' >/tmp/slow.conf
} &
run_in $OURS Install
wait
expect "agent, after a load that took long" "$(who)" ours
grep -qE "appeared \.\.\. .*metrics and [1-9][0-9]* values" /tmp/script.out || fail "Install does not show the metrics"
cp /tmp/pmdakvm.good $OURS/pmdakvm
make_ uninstall >/dev/null

start_host
line=$(grep '^kvm' /etc/pcp/pmcd/pmcd.conf)
make_ install >/dev/null
cp $OURS/pmdakvm /tmp/pmdakvm.good
host_save
break_agent '#!/nowhere/sh'
fails_in $OURS Install "cannot be run here"
after_failure "a program that cannot be run"

# pmdaproc.sh shows no values then, and ends with status 0
break_agent '#!/bin/sh' '[ "$1" != --tryload ] || exit 0' 'exit 3'
fails_in $OURS Install "the agent does not answer"
after_failure "an agent that ends at once"

cp /tmp/pmdakvm.good $OURS/pmdakvm
mv $OURS/pmns /tmp/pmns.good
printf 'kvm {\n\tbad\tKVM:\n}\n' >$OURS/pmns
fails_in $OURS Install "PCP's procedure did not install the agent"
after_failure "names that pmnsadd refuses"
mv /tmp/pmns.good $OURS/pmns

touch /var/lib/pcp/pmns/.NeedRebuild
cp -P /var/lib/pcp/pmns/Rebuild /tmp/Rebuild.good
rm /var/lib/pcp/pmns/Rebuild
printf '#!/bin/sh\nexit 1\n' >/var/lib/pcp/pmns/Rebuild
chmod 755 /var/lib/pcp/pmns/Rebuild
fails_in $OURS Install "Rebuild failed"
rm /var/lib/pcp/pmns/Rebuild
cp -P /tmp/Rebuild.good /var/lib/pcp/pmns/Rebuild
after_failure "a name space that cannot be built"

# the stock agent is still there after all that, and after make uninstall
make_ uninstall >/tmp/uninstall.out
grep -q "pmcd's kvm agent is $STOCK/pmdakvm: it stays" /tmp/uninstall.out || fail "make uninstall does not say so"
expect "agent, after make uninstall" "$(who)" stock
[ -L /var/lib/pcp/pmns/root_kvm ] || fail "the stock agent's names are gone"
