# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh disable=SC2154,SC2086 # agent.sh sets host, which is two words, late-timers.sh what it says
#
# Where vCPUs' time goes, on AMD where kvm_exit is real: halts that vCPUs' own timers end, with and without
# polling; slow exits; a vCPU in each state, and a detach in it. Time is that of instructions.
parameters=/sys/module/kvm/parameters
agent_start
mkfifo /tmp/hold
exec 9<>/tmp/hold

# guests NAME OPTION...: a guest in the background, whose process is in $pid_NAME
guests() {
	name=$1
	shift
	guest "$@" <&9 >"/tmp/done-$name" &
	eval "pid_$name=$!"
}

through() {
	grep -q ^done "/tmp/done-$1"
}

# of METRIC VM: the sum over the instances of that VM
of() {
	pminfo $host -f "$1" 2>&1 | tee /tmp/pminfo | awk -v vm="\"$2(\"|::)" '/ value / && $0 ~ vm { n += $NF } END { print n + 0 }'
}

# above METRIC INSTANCE NUMBER
above() {
	[ "$(value "$1" "$2")" -gt "$3" ]
}

# between WHAT IS LEAST MOST
between() {
	echo "$1: $2, should be from $3 to $4"
	[ "$2" -ge "$3" ]
	[ "$2" -le "$4" ]
}

# --- halts that the vCPU's timer ends ---
WINDOW=1048576 # ns; the largest of the table
HALTS=101 # a timer's turns are 300 us and 20 ms, the first one short

halted() {
	[ $(($(of kvm.vm.halt.polled "$1") + $(of kvm.vm.halt.waited "$1"))) = "$2" ]
}

# timers NAME: a VM with a timer; its thread stays, so readers of the agent's maps see what it has done
timers() {
	guests "$1" --hlt $HALTS --irqchip --timer-us 300,20000 --repeat --pause-ms 600000
	sleep 2 # nothing else is to want the CPU; that time is none of this machine's
	until_true 30 halted "guest-$!" $((HALTS + 1))
}

# window COLUMN: of the table of what a window would do; 3: polls at most, in us; 4: hits at least
window() {
	awk -v vm="guest-$pid_off" -v window=$WINDOW -v column="$1" '
		/^What a fixed halt_poll_ns/ { table = 1 }
		/^Wake-ups/ { table = 0 }
		table && $1 == vm && $2 == window { value = $column; sub(/us/, "", value); print int(value) }' /tmp/windows
}

echo 0 >$parameters/halt_poll_ns
late_begin
timers off
until_true 5 [ -n "$(value kvm.vm.halt.poll_time "guest-$pid_off")" ]
kvmbpf dump >/tmp/windows 2>/tmp/windows.err # what the agent has counted
echo "--- the table, without polling:"
sed -n "/^What a fixed/,/^Wake-ups/p" /tmp/windows

# how late timers were, each as the kernel's event has it
pminfo $host -f kvm.vcpu.timer.late | sed -nE 's/.*::vcpu0::([0-9]+-[0-9]+)"\] value ([0-9]+)$/\1 \2/p' >/tmp/late
late_end "$(sed -n 's/^tsc 0 0 khz=//p' /tmp/done-off)" /tmp/late
[ "$late_number" -ge $((HALTS / 2)) ]

# the window is really so: it begins with its size, and does not shrink
echo $WINDOW >$parameters/halt_poll_ns_grow_start
echo 1 >$parameters/halt_poll_ns_shrink
echo $WINDOW >$parameters/halt_poll_ns
timers on
vm=guest-$pid_on
until_true 5 [ -n "$(value kvm.vm.halt.poll_time "$vm")" ]
hits=$(of kvm.vm.halt.polled "$vm")
polled=$(($(of kvm.vm.halt.poll_time "$vm") / 1000))
expect "halts that polling has ended, by KVM's statistic" "$(of kvm.vcpu.stat.halt_successful_poll "$vm")" "$hits"
# polling begins after the first halt, and ends when another thread wants the CPU
[ "$(window 4)" -gt $((HALTS / 3)) ]
between "hits" "$hits" $(($(window 4) * 9 / 10)) $((HALTS / 2 + 1))
# KVM looks at the clock between two looks at the vCPU, so each polls a little longer
between "us polled" "$polled" $(($(window 3) / 2)) $(($(window 3) * 11 / 10))
kill "$pid_off" "$pid_on"

# --- slow exits: a VMM that sleeps at each of three writes; others are slow that wait for a CPU ---
guests slow --access io:0x71:w=3,delay-us=200000 --access io:0x73:w=53 --hold
until_true 20 through slow
until_true 5 [ -n "$(value kvm.vm.slow_count "guest-$pid_slow")" ]
pminfo $host -f kvm.vcpu.slow >/tmp/slow
awk -v vm="\"guest-$pid_slow::vcpu0::slow" '
	/^kvm/ { metric = $1; sub(/.*\./, "", metric) }
	index($0, vm) {
		value = $0
		sub(/.* value /, "", value)
		gsub(/"/, "", value)
		of[$4, metric] = value
		rows[$4]
	}
	END {
		for (row in rows) {
			sum = of[row, "guest"] + of[row, "kvm"] + of[row, "poll"] + of[row, "halted"] + of[row, "vmm"] + of[row, "ready"]
			print row, of[row, "reason"], of[row, "cause"], of[row, "duration"] " ns, in the VMM", of[row, "vmm"]
			wrong += sum != of[row, "duration"]
			if (of[row, "vmm"] < 200000000)
				continue
			slept++
			wrong += of[row, "reason"] != "io" || of[row, "cause"] != "io:0x71:w" || !(of[row, "kvm"] > 0)
		}
		print "slow exits that slept: " slept + 0 ", wrong: " wrong + 0
		exit wrong || slept != 3
	}' /tmp/slow
[ "$(value kvm.vm.slow_count "guest-$pid_slow")" -ge 3 ]
kill "$pid_slow"

# --- a vCPU in each state; the ledger is detached in it, and attached again ---
# adds_up: the seven states of each vCPU, VM and the host are its total
adds_up() {
	pminfo $host -f kvm.vm.time kvm.vcpu.time kvm.time >/tmp/times
	awk '
		/^kvm/ { metric = $1 }
		/ value / && metric !~ /open$/ {
			row = metric
			sub(/\.[a-z]+$/, "", row)
			row = row " " (NF > 2 ? $(NF - 2) : "-")
			if (metric ~ /total$/)
				total[row] = $NF
			else
				sum[row] += $NF
		}
		END {
			for (row in total) {
				n++
				wrong += total[row] != sum[row]
			}
			print "rows that add up: " n - wrong " of " n
			exit wrong || n < 5
		}' /tmp/times
}

ms() {
	awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime
}

guests spins --spin 1000003 --repeat
guests sleeps --hlt 3 --irqchip --timer-us 1000 --sleep
guests away --access io:0x73:w=11 --access io:0x71:w=100,delay-us=10000000
spins=guest-$pid_spins sleeps=guest-$pid_sleeps away=guest-$pid_away
until_true 10 is kvm.vcpu.state "$sleeps::vcpu0" 3
until_true 10 is kvm.vcpu.state "$away::vcpu0" 4
for was in "$sleeps halted" "$away vmm"; do
	vm=${was% *} state=${was#* }
	first=$(value "kvm.vm.open.$state" "$vm")
	until_true 5 above "kvm.vm.open.$state" "$vm" $((first + 100000000))
	expect "$state, what is open of its vCPU" "$(value "kvm.vcpu.open.guest" "$vm::vcpu0")" 0
done
adds_up
pmstore $host -i ledger kvm.control.attached 0 >/dev/null
for vm in $spins $sleeps $away; do
	eval "before_${vm#*-}=$(value kvm.vm.time.total "$vm")"
done
sleep 2
since=$(ms)
for vm in $spins $sleeps $away; do
	eval "before=\$before_${vm#*-}"
	expect "$vm, while detached" "$(value kvm.vm.time.total "$vm")" "$before"
done
pmstore $host -i ledger kvm.control.attached 1 >/dev/null
eval "before=\$before_$pid_spins"
until_true 10 above kvm.vm.time.total "$spins" $((before + 500000000))
between "ms since it is attached, of a guest that spins" $((($(value kvm.vm.time.total "$spins") - before) / 1000000)) 500 \
	$(($(ms) - since))
# nothing is known of those that have had no event since
for vm in $sleeps $away; do
	eval "before=\$before_${vm#*-}"
	expect "$vm, attached again" "$(value kvm.vm.time.total "$vm")" "$before"
	expect "$vm, its state" "$(value kvm.vcpu.state "$vm::vcpu0")" ""
done
adds_up
kill "$pid_spins" "$pid_sleeps" "$pid_away"
