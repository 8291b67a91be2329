# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh
#
# Causes of exits, by VM: exact accesses, counts and trips to the VMM of two VMs whose vCPUs do
# different primes; all causes together are all exits and all of their time.

# accesses VM KEY NUMBER: so many, and as many exits; with a fourth argument as many trips, too
accesses() {
	expect "$1, $2, accesses" "$(value kvm.vm.cause.accesses "$1::$2")" "$3"
	expect "$1, $2, exits" "$(value kvm.vm.cause.count "$1::$2")" "$3"
	[ -z "$4" ] || expect "$1, $2, trips" "$(value kvm.vm.cause.userspace_count "$1::$2")" "$4"
}

# all_of METRIC VM: the sum over all that the VM has of a metric
all_of() {
	pminfo $host -f "$1" | sed -n "s/.* or \"$2::.*\\] value //p" | awk '{ n += $1 } END { printf "%d\n", n }'
}

# charged VM: each exit and each trip is of a cause; the last ones are once their threads have ended
charged() {
	[ "$(all_of kvm.vm.cause.count "$1")" = "$(value kvm.vm.exit.total "$1")" ] &&
		[ "$(all_of kvm.vm.cause.userspace_count "$1")" = "$(all_of kvm.vm.userspace_exit.count "$1")" ]
}

# taken_back: the records of threads of VMs that have ended count as they do for good
taken_back() {
	for map in cause_cells exit_cells userspace_exit_cells; do
		until_true 10 is kvm.agent.map.used $map 0
	done
}

# sums VM
sums() {
	expect "$1, causes' exits" "$(all_of kvm.vm.cause.count "$1")" "$(value kvm.vm.exit.total "$1")"
	expect "$1, causes' times" "$(all_of kvm.vm.cause.time "$1")" "$(all_of kvm.vm.exit.time "$1")"
	expect "$1, causes' trips" "$(all_of kvm.vm.cause.userspace_count "$1")" \
		"$(all_of kvm.vm.userspace_exit.count "$1")"
	expect "$1, causes' trips' times" "$(all_of kvm.vm.cause.userspace_time "$1")" \
		"$(all_of kvm.vm.userspace_exit.time "$1")"
}

# whole: of the host
whole() {
	taken_back
	expect "causes' exits" "$(sum kvm.cause.count)" "$(value kvm.exit.total)"
	expect "causes' times" "$(sum kvm.cause.time)" "$(value kvm.exit.total_time)"
	expect "causes' trips" "$(sum kvm.cause.userspace_count)" "$(sum kvm.userspace_exit.count)"
	expect "causes' trips' times" "$(sum kvm.cause.userspace_time)" "$(sum kvm.userspace_exit.time)"
}

agent_start
mkfifo /tmp/hold
sleep 1000 >/tmp/hold &
guest --vms 2 --vcpus 2 --cpus 0,1 --hold \
	--access io:0x70:w=13/17 --access io:0x3fd:r=19/23 --access mmio:0xd0000010:w=29/31 \
	--access mmio:0xfed000f0:r=37/41 --access msr:0x10:r=43/47 --access cpuid:0x1=53/59 \
	</tmp/hold >/tmp/done &
pid=$!
until_true 30 grep -q ^done /tmp/done
until_true 5 is kvm.vm.cause.accesses "guest-$pid.2::cpuid:0x1" $((53 + 59))
for vm in guest-$pid guest-$pid.2; do
	until_true 10 charged $vm
	accesses $vm io:0x70:w $((13 + 17)) $((13 + 17))
	accesses $vm io:0x3fd:r $((19 + 23)) $((19 + 23))
	accesses $vm mmio:0xd0000000:w $((29 + 31)) $((29 + 31))
	accesses $vm mmio:0xfed000f0:r $((37 + 41)) $((37 + 41))
	accesses $vm msr:0x10:r $((43 + 47)) 0
	accesses $vm cpuid:0x1 $((53 + 59)) 0
	sums $vm
done
pminfo $host -l kvm.vm.cause.count | grep -q "guest-$pid::io:0x3fd:r.*\"cause\":\"io:0x3fd:r\".*\"device\":\"serial\".*\"kind\":\"io\""
kill $pid
wait $pid || true
whole

# the VMM answers late: that is the port's, for the VMM and for the exit
guest --access io:0x71:r=11,delay-us=10000 --access io:0x72:w=13,delay-us=10000 >/tmp/late
for key in io:0x71:r io:0x72:w; do
	slept=$(sed -n "s/^access 0 0 $key=.* delay-ns=//p" /tmp/late)
	away=$(value kvm.cause.userspace_time $key)
	time=$(value kvm.cause.time $key)
	echo "$key: asleep $slept ns, away $away ns, exits $time ns"
	[ "$away" -ge "$slept" ]
	[ "$time" -ge "$away" ]
	[ "$time" -le $((slept / 10 * 11)) ]
done
whole

# a string from a port into memory that is none: exits with two keys, which are the port's, and exits with none
was=$(value kvm.cause.count none)
guest --hold --access io:0x1f0:r=13,string=32,into=0xe8000 </tmp/hold >/tmp/done-string &
pid=$!
until_true 10 grep -q ^done /tmp/done-string
expect "ports of a string" "$(value kvm.vm.cause.accesses "guest-$pid::io:0x1f0:r")" 13
expect "memory of a string" "$(value kvm.vm.cause.accesses "guest-$pid::mmio:0xe8000:w")" 13
expect "exits, the port's" "$(value kvm.vm.cause.count "guest-$pid::io:0x1f0:r")" 13
echo "exits, the memory's: $(value kvm.vm.cause.count "guest-$pid::mmio:0xe8000:w"), none's: $(($(value kvm.cause.count none) - was))"
kill $pid
wait $pid || true
whole

# more keys than a vCPU's table holds; the agent is killed between
guest --access io:0x4000:w=3,span=256 --access io:0x80:w=1009 --access io:0x4000:r=3,span=128 >/dev/null
whole
was=$(sum kvm.cause.accesses)
echo "accesses: $was"
[ "$(value kvm.cause.accesses other)" -gt 0 ]
heavy=$(value kvm.cause.accesses io:0x80:w)
echo "heavy: $heavy of 1009"
[ "$heavy" -gt $((1009 - 256)) ]
[ "$heavy" -le 1009 ]
expect "missed" "$(value kvm.agent.family.missed cause)" 0
kill -9 "$(pidof pmdakvm)"
until_true 75 is kvm.agent.family.attached cause 1
expect "accesses after a kill" "$(sum kvm.cause.accesses)" "$was"
expect "heavy after a kill" "$(value kvm.cause.accesses io:0x80:w)" "$heavy"
guest --access io:0x80:w=7 >/dev/null
expect "heavy goes on" "$(value kvm.cause.accesses io:0x80:w)" $((heavy + 7))
whole

# detached while the agent runs: nothing is counted; then it goes on
was=$(sum kvm.cause.accesses)
exits=$(sum kvm.cause.count)
total=$(value kvm.exit.total)
pmstore $host -i cause kvm.control.attached 0 >/dev/null
guest --access io:0x80:w=5 >/dev/null
expect "accesses while detached" "$(sum kvm.cause.accesses)" "$was"
expect "exits while detached" "$(sum kvm.cause.count)" "$exits"
[ "$(value kvm.exit.total)" -gt "$total" ]
taken_back
lost=$(($(value kvm.exit.total) - exits))
pmstore $host -i cause kvm.control.attached 1 >/dev/null
guest --access io:0x80:w=11 >/dev/null
taken_back
expect "accesses when attached again" "$(sum kvm.cause.accesses)" $((was + 11))
expect "exits when attached again" "$(sum kvm.cause.count)" $(($(value kvm.exit.total) - lost))
