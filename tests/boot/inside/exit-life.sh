# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh
#
# More vCPUs than the limit; a detach between exit and entry; threads that end while no agent
# runs; an agent that is killed.
mkdir -p $work/etc/kvm
printf '[bpf]\nvcpus = 3\nvm_histograms = 100\n[trace]\nkvm_exit\nkvm_pio\nkvm_userspace_exit\n' >$work/etc/kvm/kvm.conf
agent_start
expect "limit" "$(value kvm.agent.map.limit exit_cells)" 3

# exact HOW-MANY: port writes of all guests, and all counts of all exits
exact() {
	expect "exits, io" "$(value kvm.exit.count io)" "$1"
	expect "exits to the VMM, IO" "$(value kvm.userspace_exit.count IO)" "$1"
	expect "reasons' sum" "$(sum kvm.exit.count)" "$(value kvm.exit.total)"
	expect "exits, by kvm_exit" "$(sum kvm.trace.kvm_exit)" "$(value kvm.exit.total)"
	expect "exits to the VMM, by their event" "$(sum kvm.trace.kvm_userspace_exit)" \
		"$(sum kvm.userspace_exit.count)"
}

# five threads that stay: two of them find no room
guest --pio "$PIO" --vcpus 5 --repeat --pause-ms 600000 >/tmp/done &
pid=$!
until_true 20 is kvm.exit.count io $((5 * PIO))
sleep 1 # until the last ones have halted
exact $((5 * PIO))
expect "used" "$(value kvm.agent.map.used exit_cells)" 3
[ "$(value kvm.agent.map.dropped exit_cells)" -ge $((2 * PIO)) ]
dropped=$(value kvm.agent.map.dropped exit_cells)
kill $pid
wait $pid
until_true 10 is kvm.agent.map.used exit_cells 0
guest --pio "$PIO" --vcpus 3 >/dev/null
exact $((8 * PIO))
expect "threads that have ended make room" "$(value kvm.agent.map.dropped exit_cells)" "$dropped"

# a guest that pauses between its last exit and its next entry
guest --pio "$PIO" --repeat --pause-ms 10000 >/tmp/done &
pid=$!
until_true 30 is kvm.exit.count io $((9 * PIO))
sleep 1
before=$(value kvm.exit.time hlt)
pmstore $host kvm.control.attached 0 >/dev/null
pmstore $host kvm.control.attached 1 >/dev/null
until_true 40 is kvm.exit.count io $((10 * PIO))
void=$(($(value kvm.exit.time hlt) - before))
[ $void -lt 9000000000 ] || { echo "a pair spans a detach: $void ns"; exit 1; }
until_true 40 is kvm.exit.count io $((11 * PIO))
whole=$(($(value kvm.exit.time hlt) - before))
[ $whole -ge 10000000000 ] || { echo "a pause is not in the time: $whole ns"; exit 1; }
[ $whole -lt 18000000000 ] || { echo "a pause is in the time twice: $whole ns"; exit 1; }
# so it is in the ledger: the pause after the detach alone
[ "$(value kvm.vm.time.vmm "guest-$pid")" -ge 10000000000 ]
[ "$(value kvm.vm.time.vmm "guest-$pid")" -lt 18000000000 ]
whole=$(value kvm.userspace_exit.time HLT)
[ "$whole" -ge 10000000000 ] || { echo "a pause is not in the VMM's time: $whole ns"; exit 1; }
echo "void pair: $void ns"
expect "a thread that pauses" "$(value kvm.agent.map.used exit_cells)" 1
# the void pair, and the open one, are in no histogram
expect "the VM's pairs" $(($(sum kvm.vm.exit.latency) + 2)) "$(value kvm.vm.exit.total "guest-$pid")"
expect "reasons that found no room" "$(value kvm.agent.map.dropped exit_blocks)" 0

# it pauses; the agent is killed; it ends; the next agent has all that it did
sleep 1
total=$(value kvm.exit.total)
times=$(value kvm.exit.total_time)
hlts=$(value kvm.userspace_exit.time HLT)
ledger=$(value kvm.time.total)
kill -9 "$(pidof pmdakvm)"
kill -9 $pid
wait $pid || true
until_true 75 is kvm.agent.family.attached exit 1
exact $((11 * PIO))
expect "exits, after kill -9" "$(value kvm.exit.total)" "$total"
expect "their time, after kill -9" "$(value kvm.exit.total_time)" "$times"
expect "the VMM's time, after kill -9" "$(value kvm.userspace_exit.time HLT)" "$hlts"
expect "the ledger's time, after kill -9" "$(value kvm.time.total)" "$ledger"
until_true 10 is kvm.agent.map.used exit_cells 0 # threads that ended unseen
until_true 10 is kvm.agent.map.used ledger_cells 0
expect "the ledger's time, taken back" "$(value kvm.time.total)" "$ledger"
guest --pio "$PIO" >/dev/null
exact $((12 * PIO))
expect "generation" "$(value kvm.agent.family.generation exit)" 3

# labels of a histogram; how long the exits took is the machine's affair, so any range will do
guest --pio "$PIO" --repeat --pause-ms 60000 >/dev/null &
pid=$!
until_true 20 is kvm.exit.count io $((13 * PIO))
pminfo $host -l kvm.vm.exit.latency >/tmp/labels
range=$(sed -nE "s/.*\"guest-$pid::io::([0-9]+-[0-9]+)\".*/\1/p" /tmp/labels | head -n 1)
grep "\"guest-$pid::io::$range\"" /tmp/labels |
	grep -q "\"bucket\":\"$range\".*\"reason\":\"io\".*\"vm\":\"guest\"" ||
	{ grep "guest-$pid" /tmp/labels; exit 1; }
kill $pid
wait $pid || true
echo "labels of io's histogram: right"
