# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Pinned maps: counters hold over kill -9 under load, a restart, a changed kvm.conf; a
# stale pin, a foreign one and no BPF file system are handled and said.
mount -t bpf bpf /sys/fs/bpf
pins=/sys/fs/bpf/pmdakvm
pmcd_ start
make_ install >/dev/null
run_in $OURS Install >/dev/null
log=/var/log/pcp/pmcd/kvm.log
expect "mode of the pins' folder" "$(stat -c '%a %U' $pins)" "700 root"
pio_counts "port writes"
generation() { pminfo -f kvm.agent.family.generation | sed -nE 's/.*"trace".* value //p'; }
expect "generation" "$(generation)" 1

"$BUILD/tests/guest" --repeat --pio 101 >/dev/null &
guest=$!
sleep 0.5
before=$(sum kvm.trace.kvm_pio)
[ "$before" -gt "$PIO" ] || fail "no load"
kill -9 "$(pgrep -f $OURS/pmdakvm)"
# pmcd restarts a dead agent when it wakes, at once the first time
for _ in $(seq 80); do
	after=$(sum kvm.trace.kvm_pio)
	[ "$after" = 0 ] || break
	sleep 1
done
[ "$after" -ge "$before" ] || fail "after kill -9 the counter is $after, was $before"
echo "port writes went from $before to $after over kill -9"
kill $guest
wait $guest
expect "generation, after kill -9" "$(generation)" 2
pio_counts "port writes, after kill -9"

# an agent that hangs is given up by pmcd after some seconds, and another is started
before=$(sum kvm.trace.kvm_pio)
hung=$(pgrep -f $OURS/pmdakvm)
kill -STOP "$hung"
pminfo -f kvm.trace.kvm_pio >/dev/null 2>&1 || true
for _ in $(seq 90); do
	[ "$(generation)" != 3 ] || break
	sleep 1
done
expect "generation, after pmcd's timeout" "$(generation)" 3
[ ! -e "/proc/$hung" ] || fail "the agent that hung is still there"
expect "port writes, after pmcd's timeout" "$(sum kvm.trace.kvm_pio)" "$before"
pio_counts "port writes, counted by the next agent"

before=$(sum kvm.trace.kvm_pio)
sed -i 's/^kvm_exit$/kvm_apic/' /etc/pcp/kvm/kvm.conf
pmcd_ restart
expect "port writes, after a restart with another kvm.conf" "$(sum kvm.trace.kvm_pio)" "$before"
pio_counts "port writes, after a restart with another kvm.conf"

pmcd_ stop
bpftool map update pinned $pins/trace_meta key 0 0 0 0 value 1 2 3 4 5 6 7 8 0 0 0 0 0 0 0 0
pmcd_ start
expect "port writes, after another layout's pin" "$(sum kvm.trace.kvm_pio)" 0
grep -q "replacing the maps of trace: its counters restart at 0" $log || fail "nothing is said of it"
pio_counts "port writes, after another layout's pin"

pmcd_ stop
rm $pins/trace_rows
mkdir $pins/trace_rows
pmcd_ start
expect "attached, with a foreign file" "$(pminfo -f kvm.agent.family.attached | sed -nE 's/.*"trace".* value //p')" 1
grep -q "trace_rows: not a pinned map" $log || fail "nothing is said of it"
pio_counts "port writes, with a foreign file"
[ -d $pins/trace_rows ] || fail "a foreign file was removed"

pmcd_ stop
rmdir $pins/trace_rows
chmod 755 $pins
pmcd_ start
grep -q "pmdakvm: must be owned by the agent's user, with mode 0700" $log || fail "nothing is said of an open folder"
pio_counts "port writes, with a folder that is open to others"
chmod 700 $pins

pmcd_ stop
printf '[bpf]\npin = none\n' >>/etc/pcp/kvm/kvm.conf
rm -f $pins/*
pmcd_ start
pio_counts "port writes, with pin = none"
expect "pins, with pin = none" "$(ls -A $pins)" ""

pmcd_ stop
sed -i 's/^pin = none/pin = pmdakvm/' /etc/pcp/kvm/kvm.conf
umount /sys/fs/bpf
pmcd_ start
grep -q "no BPF file system is mounted: counters restart at 0 with the agent" $log || fail "nothing is said of no BPF file system"
pio_counts "port writes, without a BPF file system"
mount -t bpf bpf /sys/fs/bpf
pmcd_ restart
expect "pins, again" "$(ls -A $pins | grep -E '^(stat|trace)_' | tr '\n' ' ')" "stat_ended stat_meta stat_vms trace_meta trace_rows "
run_in $OURS Remove >/dev/null
[ ! -e $pins ] || fail "Remove leaves the pins"
