# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh
#
# May follow another script that has started the agent. Two VMs do the same twice; kvmbpf saves what is
# counted after each round, and where there is a pmlogger, it records what our groups of pmlogconf name.
# All of it comes out as base64. After the first round all rows are there, so what is shown of the time
# from "from" to "to", or between the two snapshots, is the second round.
answers || agent_start
logger=
if [ -e /agent/logged ]; then
	mkdir -p $work/tmp/pmlogger $work/var/config/pmlogger
	{
		echo "log mandatory on 500 msec {"
		cat /agent/logged
		echo "}"
	} >/tmp/logger.conf
	pmlogger $host -c /tmp/logger.conf -l /tmp/logger.log /tmp/archive &
	logger=$!
fi
mkfifo /tmp/wait
sleep 1000 >/tmp/wait &
cpus=0,1
[ "$(nproc)" -gt 1 ] || cpus=0
guest --vms 2 --vcpus 2 --cpus $cpus --repeat --pause-ms "${PAUSE_MS:-20000}" --hold --pio "$PIO" --cpuid 503 --msr 307 \
	--access io:0x3f8:w=101 --access mmio:0xfed000f0:r=211 </tmp/wait >/tmp/both &
pid=$!

# rounds N: both VMs have done so many
rounds() {
	for vm in guest-$pid guest-$pid.2; do
		until_true 120 is kvm.vm.cause.accesses "$vm::mmio:0xfed000f0:r" $((2 * $1 * 211))
	done
}

# still N: and no more
still() {
	for vm in guest-$pid guest-$pid.2; do
		expect "$vm, accesses after round $1" "$(value kvm.vm.cause.accesses "$vm::io:0xe9:w")" $((2 * $1 * PIO))
	done
}
# grown SIZE: is the archive larger than that?
grown() {
	[ "$(wc -c </tmp/archive.0)" -gt "$1" ]
}

# seen: the logger, which a busy machine can keep waiting, has begun and ended a record meanwhile
seen() {
	sleep 2
	for _ in 1 2 3; do
		[ -z "$logger" ] || until_true 30 grown "$(wc -c </tmp/archive.0)"
	done
}

rounds 1
seen
from=$(date +%s)
kvmbpf save -d 0 /tmp/1.snapshot
still 1
rounds 2
kill -STOP $pid # there is no third round
seen
to=$(date +%s)
kvmbpf save -d 0 /tmp/2.snapshot
still 2
seen
if [ -n "$logger" ]; then
	kill -TERM $logger
	wait $logger || true
	cat /tmp/logger.log
fi
kill -KILL $pid
wait $pid || true
echo "window: $from $to guest-$pid"
cd /tmp
echo "archive:"
tar cz [12].snapshot $([ -z "$logger" ] || ls archive.0 archive.index archive.meta) | base64
echo "end of archive"
