# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Tests exits to the VMM on this host, through a private pmcd. Other guests may run meanwhile, so
# only counts of single VMs are expected to be exact.

load common

setup_file() {
	if [ "$(id -u)" != 0 ]; then
		return
	fi
	new_work
	export WORK
	pmcd_env "$WORK"
	conf '[bpf]' 'pin = none' '[trace]' kvm_exit kvm_userspace_exit
	make_namespace
	pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
	pmcd_start "$WORK"
	export PMCD_PID
}

teardown_file() {
	pmcd_stop
}

setup() {
	need_kvm
}

teardown() {
	release
}

# hold ARGUMENT...: run a guest and keep its VMs open when it is done, until release; sets GUEST
# to its PID. The PID in the VM's name tells it from other guests.
hold() {
	rm -f "$WORK/hold" "$WORK/done"
	mkfifo "$WORK/hold"
	"$BUILD/tests/guest" "$@" --hold <"$WORK/hold" >"$WORK/done" 3>&- &
	GUEST=$!
	exec 9>"$WORK/hold"
	wait_for 20 grep -q done "$WORK/done"
}

release() {
	[ -n "${GUEST:-}" ] || return 0
	exec 9>&-
	wait "$GUEST" || true
	GUEST=
}

# is METRIC INSTANCE VALUE: the metric has this value
is() {
	[ "$(value "$1" "$2")" = "$3" ]
}

@test "exits to the VMM are counted exactly, by VM and reason" {
	hold --pio $PIO --mmio $MMIO --hlt 503
	wait_for 5 is kvm.vm.userspace_exit.count "guest-$GUEST::IO" $PIO
	[ "$(value kvm.vm.userspace_exit.count "guest-$GUEST::MMIO")" = $MMIO ]
	[ "$(value kvm.vm.userspace_exit.count "guest-$GUEST::HLT")" = 504 ]
	[ "$(values kvm.vm.userspace_exit.count | grep -c "^guest-$GUEST::")" = 3 ]
	[ "$(value kvm.vm.userspace_exit.time "guest-$GUEST::IO")" -gt $PIO ]
	pminfo -h "$PMCD_HOST" -l kvm.vm.userspace_exit.count |
		grep "guest-$GUEST::MMIO" | grep -q '"reason":"MMIO".*"vm":"guest"'
}

@test "exits to the VMM of four vCPUs, and of two VMs in one process" {
	hold --pio $PIO --mmio 101 --vcpus 4 --cpus 0,1 --vms 2
	for vm in guest-$GUEST guest-$GUEST.2; do
		wait_for 5 is kvm.vm.userspace_exit.count "$vm::IO" $((4 * PIO))
		[ "$(value kvm.vm.userspace_exit.count "$vm::MMIO")" = 404 ]
		[ "$(value kvm.vm.userspace_exit.count "$vm::HLT")" = 4 ]
	done
}

@test "a KVM_RUN that a signal interrupts counts as restart, not as the previous reason" {
	hold --hlt 53 --irqchip
	wait_for 5 is kvm.vm.userspace_exit.count "guest-$GUEST::restart" 1
	[ "$(values kvm.vm.userspace_exit.count | grep -c "^guest-$GUEST::")" = 1 ]
}

@test "the sum of reasons equals the event's count, also when VMs have ended" {
	hold --pio $PIO
	release
	for _ in 1 2 3 4 5; do
		event=$(values kvm.trace.kvm_userspace_exit | awk '{ n += $2 } END { print n }')
		sum=$(values kvm.userspace_exit.count | awk '{ n += $2 } END { print n }')
		after=$(values kvm.trace.kvm_userspace_exit | awk '{ n += $2 } END { print n }')
		# another guest may run between two fetches
		[ "$event" -gt "$sum" ] || [ "$sum" -gt "$after" ] || break
	done
	[ "$sum" -ge "$event" ] && [ "$sum" -le "$after" ]
	[ "$sum" -ge $PIO ]
}

@test "a vCPU's run delay equals its thread's in schedstat" {
	need_two_cpus
	# two vCPUs spin on one CPU, so each waits half of the time
	"$BUILD/tests/guest" --spin 100000 --repeat --vcpus 2 --cpus 0 >/dev/null 3>&- &
	local guest=$! before delay after=0
	wait_for 10 is_waiting "$guest"
	before=$(delay_of "$guest")
	delay=$(values kvm.vcpu.run_delay | awk -v vm="guest-$guest::" 'index($1, vm) == 1 { n += $2 } END { print n + 0 }')
	after=$(delay_of "$guest")
	kill "$guest"
	wait "$guest" || true
	echo "$before <= $delay <= $after"
	[ "$delay" -ge "$before" ] && [ "$delay" -le "$after" ]
}

# delay_of PID: the sum of the run delays of the vCPUs' threads in ns
delay_of() {
	local thread sum=0
	for thread in /proc/"$1"/task/*; do
		[ "${thread##*/}" = "$1" ] || sum=$((sum + $(cut -d' ' -f2 "$thread/schedstat")))
	done
	echo $sum
}

is_waiting() {
	[ "$(values kvm.vcpu.run_delay | grep -c "^guest-$1::")" = 2 ] && [ "$(delay_of "$1")" -gt 200000000 ]
}

@test "detaching the stat family hides neither VMs and vCPUs nor their exits" {
	pmstore -h "$PMCD_HOST" -i stat kvm.control.attached 0 >/dev/null
	hold --pio $PIO
	wait_for 5 is kvm.vm.userspace_exit.count "guest-$GUEST::IO" $PIO
	is kvm.vm.pid "guest-$GUEST" "$GUEST"
	is kvm.vm.vcpus "guest-$GUEST" 1
	[ -z "$(values kvm.vm.stat | grep "$GUEST")" ]
	pmstore -h "$PMCD_HOST" -i stat kvm.control.attached 1 >/dev/null
	values kvm.vm.stat | grep "$GUEST"
	is kvm.vm.userspace_exit.count "guest-$GUEST::IO" $PIO
}

@test "exit metrics have no value, not 0, where kvm_exit never fires" {
	[ -e /sys/kernel/btf/kvm_amd ] || [ -e /sys/kernel/btf/kvm_intel ] ||
		bpftool btf dump file /sys/kernel/btf/vmlinux | grep -qE "STRUCT 'vcpu_(svm|vmx)'" &&
		skip "kvm_exit fires on this host: needs a host without VMX and SVM (PVM)"
	hold --pio 101
	run pminfo -h "$PMCD_HOST" -f kvm.exit.total kvm.exit.count kvm.vm.exit.total kvm.vcpu.exits
	[[ $output != *" value 0"* ]]
}
