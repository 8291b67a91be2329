# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# pmloggers that log kvm metrics while the agent changes: those that PCP's control files
# started go on, others are named.
# the semantics in the archive that the primary logger writes
semantics() {
	local archive
	archive=$(sed -n 3p "/var/lib/pcp/tmp/pmlogger/primary" 2>/dev/null) || return 0
	pminfo -d -a "$archive" "$1" 2>/dev/null | sed -n 's/.*Semantics: \([a-z]*\).*/\1/p'
}
await_semantics() {
	for _ in $(seq 50); do
		[ "$(semantics "$1" || true)" != "$2" ] || break
		sleep 0.2
	done
	expect "$3: semantics of $1 in the primary logger's archive" "$(semantics "$1" || true)" "$2"
}
farm_runs() { [ -n "$(farm_pid)" ]; }
farm_pid() { grep -lx "$farm/.*" /var/lib/pcp/tmp/pmlogger/[0-9]* 2>/dev/null | sed 's|.*/||'; }

farm=/var/log/pcp/pmlogger/farm
printf '$version=1.1\nLOCALHOSTNAME n n %s -r -c config.kvm\n' $farm >/etc/pcp/pmlogger/control.d/farm
start_host
await "no second logger runs" farm_runs
await_semantics kvm.mmu_unsync counter "before"
first=$(primary) first_farm=$(farm_pid)
echo "$logged" >/tmp/hand.conf
pmlogger -c /tmp/hand.conf -l /tmp/hand.log /tmp/hand &
hand=$!
echo 'log mandatory on 200 msec { pmcd.version kernel.all.load }' >/tmp/other.conf
pmlogger -c /tmp/other.conf -l /tmp/other.log /tmp/other &
other=$!
sleep 1

host_save
make_ install >/dev/null
run_in $OURS Install
await_semantics kvm.largepages instant "after Install"
await_semantics kvm.mmu_unsync instant "after Install"
[ "$(primary)" != "$first" ] || fail "the primary logger was not restarted"
[ -n "$(farm_pid)" ] && [ "$(farm_pid)" != "$first_farm" ] || fail "the second logger was not restarted"
expect "words about the logger that was started by hand" \
	"$(grep -c "^pmlogger $hand, which writes /tmp/hand, was not started by PCP" /tmp/script.out)" 1
expect "words about a logger that logs no kvm metric" "$(grep -c "pmlogger $other" /tmp/script.out || true)" 0
kill -0 $other || fail "a logger that logs no kvm metric was ended"

# over itself nothing changes, so nothing is restarted
first=$(primary)
run_in $OURS Install >/dev/null
sleep 3
expect "the primary logger, after Install over itself" "$(primary)" "$first"
kill -0 "$first" || fail "the primary logger has ended"

run_in $OURS Remove
grep -q "restart the pmloggers" /tmp/script.out || fail "Remove does not say what the loggers need"
run_in $STOCK Install >/dev/null
sleep 3
kill -0 "$(primary)" || fail "the primary logger has ended after Remove and the stock Install"
[ "$(primary)" != "$first" ] || fail "the primary logger was not restarted by Remove"

# where systemd runs, it is asked
mkdir -p /run/systemd/system /tmp/fakes
printf '#!/bin/sh\necho "$@" >>/tmp/systemctl.out\n' >/tmp/fakes/systemctl
chmod 755 /tmp/fakes/systemctl
restart_loggers
await_semantics kvm.mmu_unsync counter "with the stock agent again"
(
	# pmdaproc.sh asks systemd only to start a pmcd that does not run
	export PCPQA_SYSTEMD=yes PATH=/tmp/fakes:$PATH
	run_in $OURS Install >/dev/null
)
expect "what systemd is asked" "$(tr '\n' ';' </tmp/systemctl.out)" \
	"restart pmlogger.service;restart pmlogger_farm.service;"
rm -r /run/systemd/system
/etc/init.d/pmlogger stop >/dev/null
kill $other
wait
run_in $STOCK Install >/dev/null
start_loggers
make_ uninstall >/dev/null
nothing_left "make uninstall"
