# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Causes of exits on this host: of guests that do an exact number of accesses, and of a real QEMU.

load common

setup() {
	need_kvm
	[ "$(uname -m)" = x86_64 ] || skip "not x86: this is about ports and MSRs of x86"
	new_work
}

teardown() {
	jobs -p | xargs -r kill -9 2>/dev/null || true
	[ -z "${PMCD_PID:-}" ] || pmcd_stop
}

# dump_begin: count from now on; dump_end: stop, with the values in $WORK/values: METRIC INSTANCE VALUE DEVICE
dump_begin() {
	"$BUILD/kvmbpf" dump -v --json >"$WORK/json" 2>"$WORK/dump.err" 3>&- &
	DUMP_PID=$!
	wait_for 20 grep -q "userspace_exit: attached in" "$WORK/dump.err"
}

dump_end() {
	kill -INT "$DUMP_PID" || tail -n 5 "$WORK/dump.err" "$WORK/json"
	wait "$DUMP_PID"
	jq -r '.metrics[] | .name as $name | .values[] |
		"\($name) \(.instance) \(.value) \(.labels.device // "-")"' "$WORK/json" >"$WORK/values"
}

# of METRIC INSTANCE: its value
of() {
	awk -v metric="$1" -v instance="$2" '$1 == metric && $2 == instance { print $3 }' "$WORK/values"
}

# all_of METRIC PREFIX: the sum over instances that begin so
all_of() {
	awk -v metric="$1" -v prefix="$2" '$1 == metric && index($2, prefix) == 1 { n += $3 } END { print n + 0 }' \
		"$WORK/values"
}

# guest_held OPTION...: run a guest whose VM stays until the end; sets VM to its process
guest_held() {
	mkfifo "$WORK/hold"
	exec 8<>"$WORK/hold"
	"$BUILD/tests/guest" "$@" --hold <&8 >"$WORK/done" 3>&- &
	VM=$!
	wait_for 20 grep -q ^done "$WORK/done"
}

@test "accesses are exact by VM, key and direction; all causes are all exits to the VMM" {
	dump_begin
	guest_held --vms 2 --vcpus 2 --access io:0x70:w=13/17 --access io:0x3fd:r=19/23 \
		--access mmio:0xd0000010:w=29/31 --access mmio:0xfed000f0:r=37/41 \
		--access msr:0x10:r=43/47 --access cpuid:0x1=53/59 --access io:0x80:w=3,string=7,size=2
	sleep 4 # the records of threads that have ended are taken back
	dump_end
	for vm in "guest-$VM" "guest-$VM.2"; do
		for wanted in io:0x70:w=30 io:0x3fd:r=42 mmio:0xd0000000:w=60 mmio:0xfed000f0:r=78 \
			msr:0x10:r=90 cpuid:0x1=112; do
			key=${wanted%=*} number=${wanted#*=}
			echo "$vm $key: $(of kvm.vm.cause.accesses "$vm::$key"), should be $number"
			[ "$(of kvm.vm.cause.accesses "$vm::$key")" = "$number" ]
			[[ $key == [mc][sp]* ]] ||
				[ "$(of kvm.vm.cause.userspace_count "$vm::$key")" -ge "$number" ]
		done
		[ "$(of kvm.vm.cause.accesses "$vm::other")" = 0 ]
		for what in count time; do
			[ "$(all_of kvm.vm.cause.userspace_$what "$vm::")" = \
				"$(all_of kvm.vm.userspace_exit.$what "$vm::")" ]
		done
		# where kvm_exit fires, the same is true of exits
		total=$(of kvm.vm.exit.total "$vm")
		[ -z "$total" ] || [ "$(all_of kvm.vm.cause.count "$vm::")" = "$total" ]
	done
	[ "$(grep -c "^kvm.vm.cause.accesses guest-$VM::io:0x3fd:r .* serial" "$WORK/values")" = 1 ]
}

@test "a VMM that answers after 1 ms: that port's, within a tenth" {
	need_even_time
	dump_begin
	guest_held --access io:0x71:r=211,delay-us=1000 --access io:0x72:w=199,delay-us=1000 --access io:0x73:w=7
	dump_end
	for key in io:0x71:r io:0x72:w; do
		slept=$(sed -n "s/^access 0 0 $key=.* delay-ns=//p" "$WORK/done")
		away=$(of kvm.vm.cause.userspace_time "guest-$VM::$key")
		echo "$key: asleep $slept ns, in the VMM $away ns"
		[ "$away" -ge "$slept" ]
		[ "$away" -le $((slept / 10 * 11)) ]
	done
}

@test "more keys than a vCPU's table holds: sums are exact, heavy keys lose little" {
	dump_begin
	guest_held --access io:0x4000:w=3,span=256 --access io:0x80:w=1009 --access io:0x4000:r=3,span=128
	sleep 4
	dump_end
	[ "$(all_of kvm.vm.cause.accesses "guest-$VM::")" = $((3 * 256 + 1009 + 3 * 128)) ]
	[ "$(of kvm.vm.cause.accesses "guest-$VM::other")" -gt 0 ]
	[ "$(of kvm.vm.cause.accesses "guest-$VM::io:0x80:w")" -gt $((1009 - 256)) ]
	[ "$(of kvm.vm.cause.accesses "guest-$VM::io:0x80:w")" -le 1009 ]
	for what in count time; do
		[ "$(all_of kvm.vm.cause.userspace_$what "guest-$VM::")" = \
			"$(all_of kvm.vm.userspace_exit.$what "guest-$VM::")" ]
	done
}

@test "causes = off attaches nothing" {
	printf '[bpf]\ncauses = off\n[trace]\n*\n' >"$WORK/kvm.conf"
	"$BUILD/kvmbpf" dump -c "$WORK/kvm.conf" -d 0.1 --json >"$WORK/json"
	[ "$(jq '[.metrics[] | select(.name | test("cause"))] | length' "$WORK/json")" = 0 ]
	[ "$(jq '.metrics[] | select(.name == "kvm.agent.family.attached").values[] | select(.instance == "cause").value' \
		"$WORK/json")" = 0 ]
}

@test "a QEMU that boots: its ports are perf's, its serial port is what it has written there; :kvm-cause names its devices" {
	need_even_time
	need qemu-system-x86_64
	need perf
	need pmrep
	truncate -s 1M "$WORK/disk"
	pmcd_env "$WORK"
	conf '[trace]' kvm_pio
	pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
	pmcd_start "$WORK"
	dump_begin
	# a report needs a VM to begin with, and rates need a device that is used in one interval after the other
	"$BUILD/tests/guest" --access mmio:0xfed000f0:r=3 --repeat --pause-ms 20 >/dev/null 2>&1 3>&- &
	guest=$!
	known() { [ -n "$(values kvm.vm.cause.accesses)" ]; }
	wait_for 10 known
	PCP_DERIVED_CONFIG=$TOP/dashboards/derived/kvm.conf pmrep -h "$PMCD_HOST" \
		-c "$TOP/dashboards/pmrep/kvm.conf" -t 0.2 :kvm-cause >"$WORK/report" 2>&1 3>&- &
	report=$!
	wait_for 10 grep -q "guest-$guest" "$WORK/report"
	perf record -q -a -m 4096 -e kvm:kvm_pio -o "$WORK/perf.data" -- timeout 120 qemu-system-x86_64 \
		-accel kvm -cpu qemu64,-svm -m 64 -nographic -monitor none -serial "file:$WORK/serial" \
		-drive "file=$WORK/disk,format=raw,if=ide" -boot c,reboot-timeout=1000 -no-reboot -net none \
		>"$WORK/qemu.out" 2>&1 3>&- &
	perf=$!
	wait $perf
	kill -KILL $report $guest
	sleep 4
	dump_end
	pmcd_stop
	# by device, with accesses and the VMM's time: VM::CAUSE device access/s VMM/s VMM ms/s; those of a QEMU that
	# boots can all be of one interval, a device's first, which has no rate
	for device in serial pci-config ide vga; do
		echo "the report's $device"
		grep -qE "qemu-[^ ]+::(io|mmio):[^ ]+ +$device " "$WORK/report"
	done
	awk -v cause="guest-$guest::mmio:0xfed000f0:r" '
		$2 == cause && $3 == "hpet-counter" && $4 + 0 > 0 && $6 + 0 > 0 { n++; line = $0 }
		END { print n + 0, line; exit !n }' "$WORK/report"
	perf script -i "$WORK/perf.data" -F trace 2>/dev/null |
		sed -nE 's/.*pio_(r|w)[a-z]* at (0x[0-9a-f]+) size . count . val (0x[0-9a-f]+).*/io:\2:\1 \3/p' >"$WORK/stream"
	awk '{ n[$1]++ } END { for (key in n) print key, n[key] }' "$WORK/stream" | sort -k2nr >"$WORK/ports"
	other=$(of kvm.cause.accesses other)
	[ "$(wc -l <"$WORK/ports")" -gt 50 ]
	# those seldom used share slots: at most what is in other is missing of them
	place=0
	while read -r key number; do
		is=$(of kvm.cause.accesses "$key")
		place=$((place + ${is:-0} / number))
		echo "$key: ${is:-0} of $number"
		[ "${is:-0}" -le "$number" ]
		[ $((${is:-0} + other)) -ge "$number" ]
	done <"$WORK/ports"
	# what is used most has a slot from its first use on, but for one or two
	echo "exact: $place"
	[ "$place" -gt 8 ]
	all=$(wc -l <"$WORK/stream")
	ours=$(all_of kvm.cause.accesses io:)
	[ "$ours" -le "$all" ]
	[ $((ours + other)) -ge "$all" ]
	# bytes, and the divisor's, written while bit 7 of the line control is set
	divisor=$(awk '$1 == "io:0x3fb:w" { dlab = substr($2, length($2) - 1, 1) ~ /[89a-f]/ && length($2) > 3 }
		$1 == "io:0x3f8:w" && dlab { n++ } END { print n + 0 }' "$WORK/stream")
	echo "serial: $(wc -c <"$WORK/serial") bytes, $divisor of the divisor"
	[ "$(of kvm.cause.accesses io:0x3f8:w)" = $(($(wc -c <"$WORK/serial") + divisor)) ]
	for device in serial pci-config vga ide; do
		grep -qE "^kvm.cause.userspace_time .* [1-9][0-9]* $device$" "$WORK/values"
	done
	for what in count time; do
		[ "$(all_of kvm.cause.userspace_$what "")" = "$(all_of kvm.userspace_exit.$what "")" ]
	done
}
