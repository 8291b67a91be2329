# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh
#
# Causes of exits of a VM of two vCPUs that do different primes, as kvmbpf dump counts them: accesses and
# exits by key; all causes together are all exits and all of their time. Then halts that the vCPU's timer ends:
# how late each was, as the kernel has it. Needs no pmcd. late-timers.sh goes in front.
set -e

until_true() {
	left=$1
	shift
	while ! "$@"; do
		left=$((left - 1))
		[ $left -gt 0 ] || { echo "in time not true: $*"; cat /tmp/err; exit 1; }
		sleep 1
	done
}

# of METRIC [INSTANCE]
of() {
	awk -F'\t' -v metric="$1" -v instance="${2:-}" '$1 == metric && $2 == instance { print $3 }' /tmp/values
}

# all METRIC: the sum over its instances
all() {
	awk -F'\t' -v metric="$1" '$1 == metric { n += $3 } END { printf "%.0f\n", n }' /tmp/values
}

expect() {
	[ "$2" = "$3" ] || { echo "$1: is \"$2\", should be \"$3\""; exit 1; }
	echo "$1: $2"
}

kvmbpf dump -v --json >/tmp/dump 2>/tmp/err &
dump=$!
until_true 90 grep -q "userspace_exit: attached in" /tmp/err
mkfifo /tmp/hold
sleep 1000 >/tmp/hold &
guest --vcpus 2 --hold --access io:0x70:w=13/17 --access io:0x3fd:r=19/23 \
	--access mmio:0xd0000010:w=29/31 --access mmio:0xfed000f0:r=37/41 --access msr:0x1b:r=43/47 \
	--access cpuid:0x1=53/59 --access io:0x71:r=5/7,delay-us=20000 </tmp/hold >/tmp/done &
vm=guest-$!
until_true 60 grep -q ^done /tmp/done
HALTS=20 # a timer's turns are 300 us and 20 ms, the first one short
late_begin
guest --hlt $HALTS --irqchip --timer-us 300,20000 --hold </tmp/hold >/tmp/done-timers &
timers=guest-$!
until_true 60 grep -q ^done /tmp/done-timers
sleep 6 # the records of threads that have ended are taken back
kill -TERM $dump
wait $dump
jq -r '.metrics[] | .name as $name | .values[] | "\($name)\t\(.instance)\t\(.value)"' /tmp/dump >/tmp/values
for wanted in io:0x70:w=30 io:0x3fd:r=42 mmio:0xd0000000:w=60 mmio:0xfed000f0:r=78 msr:0x1b:r=90 \
	cpuid:0x1=112 io:0x71:r=12; do
	key=${wanted%=*} number=${wanted##*=}
	expect "$key, accesses" "$(of kvm.vm.cause.accesses "$vm::$key")" "$number"
	expect "$key, exits" "$(of kvm.vm.cause.count "$vm::$key")" "$number"
done
for key in io:0x70:w io:0x3fd:r mmio:0xd0000000:w mmio:0xfed000f0:r; do
	expect "$key, trips" "$(of kvm.vm.cause.userspace_count "$vm::$key")" \
		"$(of kvm.vm.cause.accesses "$vm::$key")"
done
slept=$(sed -n "s/^access 0 . io:0x71:r=.* delay-ns=//p" /tmp/done | awk '{ n += $1 } END { printf "%d\n", n }')
away=$(of kvm.vm.cause.userspace_time "$vm::io:0x71:r")
time=$(of kvm.vm.cause.time "$vm::io:0x71:r")
echo "asleep $slept ns, away $away ns, exits $time ns"
[ "$away" -ge "$slept" ]
[ "$time" -ge "$away" ]
expect "causes' exits" "$(all kvm.vm.cause.count)" "$(all kvm.vm.exit.total)"
expect "causes' times" "$(all kvm.vm.cause.time)" "$(all kvm.vm.exit.time)"
expect "causes' trips" "$(all kvm.vm.cause.userspace_count)" "$(all kvm.vm.userspace_exit.count)"
expect "causes' trips' times" "$(all kvm.vm.cause.userspace_time)" "$(all kvm.vm.userspace_exit.time)"
expect "the host's exits" "$(all kvm.cause.count)" "$(of kvm.exit.total)"
expect "the host's times" "$(all kvm.cause.time)" "$(all kvm.exit.time)"
awk -F'\t' -v vm="$timers::vcpu0::" '$1 == "kvm.vcpu.timer.late" && index($2, vm) == 1 {
	print substr($2, length(vm) + 1), $3
}' /tmp/values >/tmp/late
late_end "$(sed -n 's/^tsc 0 0 khz=//p' /tmp/done-timers)" /tmp/late
[ "$late_number" -ge $((HALTS / 2)) ]
