# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh
#
# Exits by reason, by VM and by vCPU are as many as the guest makes, and as the kernel's own
# histogram has; halts carry their sleep.
hist=/sys/kernel/tracing/events/kvm/kvm_exit

# counted CODE: what the kernel has counted of a reason since the trigger was set
counted() {
	sed -nE "s/^\{ isa: +2, exit_reason: +$1 \} hitcount: +([0-9]+).*/\1/p" $hist/hist
}

# dropped: how many exits it has dropped
dropped() {
	sed -nE 's/^ *Dropped: ([0-9]+)$/\1/p' $hist/hist
}

# exits REASON HOW-MANY CODE: since the last trigger; counts before that are in was_REASON
exits() {
	now=$(value kvm.exit.count "$1")
	eval "before=\${was_$1:-0}"
	eval "was_$1=$now"
	[ -z "$2" ] || expect "exits, $1" $((now - before)) "$2"
	kernel=$(counted "$3") lost=$(dropped)
	# a key that two CPUs had at once
	if [ $((now - before)) -gt "${kernel:-0}" ] && [ $((now - before - lost)) -le "${kernel:-0}" ]; then
		kernel=$((now - before))
	fi
	expect "exits, $1, as the kernel's histogram has" $((now - before)) "$kernel"
}

# guest_exits VCPUS: all that a guest has done is there, by each count of it
guest_exits() {
	exits io $(($1 * PIO)) 123
	exits cpuid $(($1 * CPUID)) 114
	exits msr $(($1 * MSR)) 124
	exits hypercall $(($1 * HYPERCALL)) 129
	exits hlt $(($1 * (HLT + 1))) 120
	exits npf $(($1 * (MMIO + 1))) 1024
	exits interrupt "" 96
	total=$(value kvm.exit.total)
	expect "reasons' sum" "$(sum kvm.exit.count)" "$total"
	expect "exits, by kvm_exit" "$(sum kvm.trace.kvm_exit)" "$total"
	expect "reasons' times" "$(sum kvm.exit.time)" "$(value kvm.exit.total_time)"
	# each thread's last exit has no entry after it
	threads=$((${threads:-0} + $1))
	expect "pairs and last exits" $(($(sum kvm.exit.latency) + threads)) "$total"
}

# histogram_anew: have the kernel count from 0
histogram_anew() {
	echo '!hist:keys=isa,exit_reason' >$hist/trigger 2>/dev/null || true
	echo 'hist:keys=isa,exit_reason' >$hist/trigger
}

all="--pio $PIO --mmio $MMIO --cpuid $CPUID --msr $MSR --hypercall $HYPERCALL --hlt $HLT"

agent_start
histogram_anew
# shellcheck disable=SC2086
guest $all >/dev/null
guest_exits 1
[ "$(value kvm.exit.max io)" -le "$(value kvm.exit.time io)" ]
histogram_anew
# shellcheck disable=SC2086
guest $all --vcpus 4 --cpus 0,1 >/dev/null
guest_exits 4

# two VMs of one name, held until their counts are seen
mkfifo /tmp/hold
sleep 1000 >/tmp/hold &
guest --pio "$PIO" --cpuid "$CPUID" --vms 2 --vcpus 2 --hold </tmp/hold >/tmp/done &
pid=$!
until_true 20 grep -q done /tmp/done
for vm in guest-$pid guest-$pid.2; do
	until_true 5 is kvm.vm.exit.count "$vm::io" $((2 * PIO))
	expect "$vm, exits, cpuid" "$(value kvm.vm.exit.count "$vm::cpuid")" $((2 * CPUID))
	expect "$vm, exits to the VMM, IO" "$(value kvm.vm.userspace_exit.count "$vm::IO")" $((2 * PIO))
	expect "$vm, exits to the VMM, HLT" "$(value kvm.vm.userspace_exit.count "$vm::HLT")" 2
	vcpus=$(($(value kvm.vcpu.exits "$vm::vcpu0") + $(value kvm.vcpu.exits "$vm::vcpu1")))
	expect "$vm, exits of its vCPUs" "$vcpus" "$(value kvm.vm.exit.total "$vm")"
done
expect "sum of VMs' reasons" "$(sum kvm.vm.exit.count)" "$(sum kvm.vm.exit.total)"
expect "sum of VMs' reasons of the VMM" "$(sum kvm.vm.userspace_exit.count)" "$(sum kvm.vm.userspace_exit.total)"
expect "sum of vCPUs' reasons" "$(sum kvm.vcpu.exit.count)" "$(sum kvm.vm.exit.count)"
expect "sum of vCPUs' times" "$(sum kvm.vcpu.exit.time)" "$(sum kvm.vm.exit.time)"
expect "VMs' longest io" "$(value kvm.vm.exit.max "guest-$pid::io" | awk '{ print ($1 > 0) }')" 1
# the last exit of each vCPU to the VMM, a halt, is followed by no KVM_RUN
expect "VMs' pairs of exits to the VMM" $(($(sum kvm.vm.userspace_exit.latency) + 4)) \
	"$(sum kvm.vm.userspace_exit.count)"
pminfo $host -l kvm.vm.exit.count | grep -q "guest-$pid.2::io.*\"reason\":\"io\".*\"vm\":\"guest\""
kill $pid
wait $pid || true
until_true 10 is kvm.agent.map.used exit_cells 0

# halts that sleep: the kernel says how long, each; it polls before, for long enough for this machine
echo 20000000 >/sys/module/kvm/parameters/halt_poll_ns
before=$(value kvm.exit.time hlt)
count=$(value kvm.exit.count hlt)
echo 'hist:keys=waited:vals=ns' >/sys/kernel/tracing/events/kvm/kvm_vcpu_wakeup/trigger
guest --hlt "$HLT" --irqchip --vcpus 2 --hold </tmp/hold >/tmp/done-hlt &
pid=$!
until_true 20 grep -q done /tmp/done-hlt
expect "halts that sleep" $(($(value kvm.exit.count hlt) - count)) $((2 * (HLT + 1)))
slept=$(sed -nE 's/.* ns: +([0-9]+).*/\1/p' /sys/kernel/tracing/events/kvm/kvm_vcpu_wakeup/hist |
	awk '{ n += $1 } END { print n }')
hlt=$(($(value kvm.exit.time hlt) - before))
echo "halts: $hlt ns, of which they slept $slept ns"
# the last of each vCPU sleeps, too, but no entry ends it
[ $hlt -gt $((slept / 10 * 9)) ]
until_true 5 [ -n "$(value kvm.vcpu.halt_time "guest-$pid::vcpu0")" ]
halted=$(sum kvm.vcpu.halt_time)
expect "halts' time, by vCPU" "$halted" "$hlt"
[ "$(sum kvm.vcpu.exit_time)" -gt "$halted" ]
[ "$(value kvm.vcpu.guest_time "guest-$pid::vcpu1")" -gt 0 ]

# the ledger: what halts took is polled as KVM's own statistics have it, or halted, or was spent waiting
# for a CPU
ended=$(sed -nE 's/.* ns: +([0-9]+).*/\1/p' /sys/kernel/tracing/events/kvm/kvm_vcpu_wakeup/hist |
	awk '{ n += $1 } END { print n }')
vm=guest-$pid
polled=$(value kvm.vm.time.poll "$vm")
kvms=$(($(sum kvm.vcpu.stat.halt_poll_success_ns) + $(sum kvm.vcpu.stat.halt_poll_fail_ns)))
both=$((polled + $(value kvm.vm.time.halted "$vm")))
waited=$(value kvm.vm.time.ready "$vm")
echo "halts: $ended ns, polled $polled of KVM's $kvms, with sleep $both, waited $waited"
[ "$polled" -gt 0 ]
[ "$polled" -le $kvms ]
[ $((polled + waited)) -ge $kvms ]
[ $both -le "$ended" ]
[ $((both + waited)) -ge $((ended / 100 * 99)) ]

# halts and wake-ups: as many as the kernel's histogram has, each in one bucket
woken() {
	n=$(sed -nE "s/^\{ waited: +$1 \} hitcount: +([0-9]+).*/\1/p" /sys/kernel/tracing/events/kvm/kvm_vcpu_wakeup/hist)
	echo "${n:-0}"
}
expect "halts that polling has ended" "$(sum kvm.vm.halt.polled)" "$(woken 0)"
expect "halts that slept" "$(sum kvm.vm.halt.waited)" "$(woken 1)"
expect "wake-ups" "$(sum kvm.vm.wake.latency)" "$(woken 1)"
expect "wake-ups, by vCPU" "$(sum kvm.vcpu.wake.latency)" "$(woken 1)"
[ "$(woken 1)" -gt "$HLT" ]
# what KVM has polled, but for each vCPU's first halt
tried=$(sum kvm.vcpu.stat.halt_attempted_poll)
attempts=$(value kvm.vm.halt.poll_attempts "$vm")
time=$(value kvm.vm.halt.poll_time "$vm")
echo "polls: $attempts of KVM's $tried, $time ns of KVM's $kvms"
[ "$attempts" -le "$tried" ]
[ "$attempts" -ge $((tried - 2)) ]
[ "$attempts" -gt 0 ]
[ "$time" -le $kvms ]
[ "$time" -ge $((kvms - 2 * 30000000)) ]
kill $pid

# polling off: none, and all halts sleep
echo 0 >/sys/module/kvm/parameters/halt_poll_ns
was_asleep=$(woken 1) was_awake=$(woken 0)
guest --hlt "$HLT" --irqchip --hold </tmp/hold >/tmp/done-off &
pid=$!
until_true 20 grep -q done /tmp/done-off
off_known() {
	[ -n "$(value kvm.vm.halt.poll_time "guest-$pid")" ]
}
until_true 5 off_known
for metric in kvm.vm.halt.poll_time kvm.vm.halt.poll_attempts kvm.vm.time.poll; do
	expect "$metric, switched off" "$(value $metric "guest-$pid")" 0
done
# halted_of METRIC: halts of this guest
halted_of() {
	pminfo $host -f "$1" | awk '/guest-'$pid'::/ { n += $NF } END { print n + 0 }'
}
slept=$(halted_of kvm.vm.halt.waited)
awake=$(halted_of kvm.vm.halt.polled) # woken as they were about to sleep
expect "halts that sleep, not polled" "$slept" $(($(woken 1) - was_asleep))
expect "halts that end before" "$awake" $(($(woken 0) - was_awake))
expect "halts" $((slept + awake)) $((HLT + 1))
[ "$slept" -gt $((HLT / 2)) ]
kill $pid

# two guests on one CPU: each waits for it half of the time
guest --vms 2 --cpus 0 --spin 100003 --repeat >/dev/null &
pid=$!
ran_long() {
	[ "$(value kvm.vm.time.total "guest-$pid")" -gt 4000000000 ]
}
until_true 30 ran_long
# in one fetch: the seven are the total, to the nanosecond
pminfo $host -f kvm.vm.time kvm.vcpu.time kvm.time >/tmp/times
awk '/^kvm/ { metric = $1 }
	/ value / && metric !~ /open$/ {
		kind = metric; sub(/\.[a-z]+$/, "", kind); name = NF > 2 ? $(NF - 2) : "-"; row = kind " " name
		if (metric ~ /total$/) total[row] = $NF; else sum[row] += $NF
		if (metric ~ /total$/ || metric ~ /ready$/) of[metric " " name] = $NF }
	END {
		for (row in total) { n++; wrong += total[row] != sum[row]; print row, total[row], sum[row] }
		for (key in of) if (key ~ /^kvm\.vm\.time\.ready .*guest-'$pid'/) {
			whole = key; sub(/ready/, "total", whole)
			share = of[key] / of[whole] * 100
			print key, share " %"; ready++; wrong += share < 45 || share > 55 }
		print "rows that add up: " n - wrong " of " n
		exit wrong || n < 5 || ready != 2 }' /tmp/times
kill $pid
wait $pid || true

# while exits are not seen, what is not the VMM is unknown
in_guest=$(value kvm.time.guest)
unknown=$(value kvm.time.unknown)
in_vmm=$(value kvm.time.vmm)
pmstore $host -i exit kvm.control.attached 0 >/dev/null
guest --pio 101 >/dev/null
expect "time in the guest, while exits are not seen" "$(value kvm.time.guest)" "$in_guest"
[ "$(value kvm.time.unknown)" -gt "$unknown" ]
[ "$(value kvm.time.vmm)" -gt "$in_vmm" ]
pmstore $host -i exit kvm.control.attached 1 >/dev/null
guest --pio 101 >/dev/null
[ "$(value kvm.time.guest)" -gt "$in_guest" ]

# nothing but the longest times is reset
times=$(value kvm.exit.total_time)
pmstore $host kvm.control.reset_max 1 >/dev/null
expect "longest times after the reset" "$(sum kvm.exit.max)" 0
expect "times after the reset" "$(value kvm.exit.total_time)" "$times"
expect "the store itself" "$(value kvm.control.reset_max)" 0
guest --cpuid 11 >/dev/null
[ "$(value kvm.exit.max cpuid)" -gt 0 ]
expect "missed" "$(value kvm.agent.family.missed exit)" 0
