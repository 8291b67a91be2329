# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Where vCPUs' time goes, on this host: guests that wait for a CPU, whose VMM sleeps, is busy or is stopped,
# that halt, and that move; all in one count. Slow exits over restarts. On a host whose KVM is PVM guest and kvm have no value.

load common
load numbers

setup() {
	need_kvm
	need_two_cpus
	[ "$(uname -m)" = x86_64 ] || skip "not x86: this is about ports of x86"
	new_work
}

teardown() {
	jobs -p | xargs -r kill -9 2>/dev/null || true
}

# guest NAME OPTION...: run a guest in the background; its process is in PID_NAME
guest() {
	local name=$1
	shift
	"$BUILD/tests/guest" "$@" >"$WORK/$name" 3>&- 8>&- <"$WORK/hold" &
	printf -v "PID_$name" %s $!
}

# of METRIC INSTANCE: its value, "" if it has none
of() {
	awk -v metric="$1" -v instance="$2" '$1 == metric && $2 == instance { print $3 }' "$WORK/values"
}

# within VALUE LEAST MOST; an emulated machine may halt for as long again
within() {
	local most=$(($3 * (${EMULATED:+1} + 1)))
	echo "$1, should be from $2 to $most"
	[ "$1" -ge "$2" ]
	[ "$1" -le "$most" ]
}

# delays PID: what the process's threads have waited for a CPU, ns
delays() {
	cat /proc/"$1"/task/*/schedstat | awk '{ n += $2 } END { print n }'
}

on_cpu() {
	[ "$(sed -nE 's/.*KVM\) //p' "/proc/$1/task/"*/stat | awk '{ print $37 }')" = "$2" ]
}

# moves PID: its vCPU's thread moves between two CPUs
moves() {
	local cpu
	for cpu in 0 1 0 1 0 1 0; do
		taskset -acp $cpu "$1" >/dev/null
		wait_for 5 on_cpu "$1" $cpu
	done
}

stopped() {
	local task
	for task in /proc/"$1"/task/*/stat; do
		sed -E 's/.*\) //' "$task" | grep -q '^T' || return 1
	done
}

@test "times add up to the nanosecond, and are where each guest was" {
	mkfifo "$WORK/hold"
	exec 8<>"$WORK/hold"
	"$BUILD/kvmbpf" dump -v --json >"$WORK/json" 2>"$WORK/dump.err" 3>&- 8>&- &
	dump=$!
	wait_for 20 grep -q "userspace_exit: attached in" "$WORK/dump.err"
	guest stopped --pio 1 --repeat
	guest slow --access io:0x71:w=53,delay-us=10000 --hold
	guest halts --hlt 211 --irqchip --hold
	guest timers --hlt 101 --irqchip --timer-us 300,2000 --hold
	guest spins --vms 2 --cpus 0 --spin 20011 --repeat
	guest busy --vms 2 --cpus 1 --access io:0x71:w=11,busy-us=20000 --hold
	guest moves --spin 20011 --repeat
	began=$(date +%s%N)
	moves "$PID_moves"
	kill -STOP "$PID_stopped"
	wait_for 5 stopped "$PID_stopped"
	since=$(date +%s%N)
	wait_for 20 grep -q ^done "$WORK/slow"
	wait_for 20 grep -q ^done "$WORK/halts"
	wait_for 20 grep -q ^done "$WORK/busy"
	wait_for 20 grep -q ^done "$WORK/timers"
	early=$(delays "$PID_spins") # the ledger has begun long since
	sleep 1.5
	kill -STOP "$PID_spins"
	wait_for 5 stopped "$PID_spins"
	waited=$(delays "$PID_spins")
	stopped_for=$(($(date +%s%N) - since))
	kill -STOP "$PID_moves"
	wait_for 5 stopped "$PID_moves"
	moved=$(($(date +%s%N) - began))
	kill -INT $dump
	wait $dump
	kill -KILL "$PID_stopped" "$PID_spins" "$PID_moves"
	jq -r '.metrics[] | .name as $name | .values[] | 
		"\($name) \(if (.instance // "") == "" then "-" else .instance end) \(.value)"' "$WORK/json" >"$WORK/values"

	# seven states are the total: of each vCPU, of each VM, and of the host
	awk '$1 ~ /^kvm\.(vm\.|vcpu\.)?time\.[a-z]+$/ && $1 !~ /\.open$/ {
			kind = $1; sub(/\.[a-z]+$/, "", kind); row = kind " " $2
			if ($1 ~ /\.total$/) total[row] = $3; else sum[row] += $3
			if ($1 ~ /\.total$/ && kind == "kvm.vcpu.time") all += $3
			if ($1 == "kvm.time.total") host = $3 }
		END { for (row in total) { n++; print row, total[row], sum[row]; wrong += total[row] != sum[row] }
			print n " rows, vCPUs " all ", host " host
			exit wrong || n < 11 || all != host }' "$WORK/values"

	# two guests on one CPU: as the kernel has it, and half of their time or more. The kernel counts from
	# before the first event to after the last one
	ready=0
	for vm in "guest-$PID_spins" "guest-$PID_spins.2"; do
		total=$(of kvm.vm.time.total "$vm")
		is=$(of kvm.vm.time.ready "$vm")
		echo "$vm: ready $is of $total ns"
		[ $((is * 100)) -ge $((total * 45)) ]
		ready=$((ready + is))
	done
	within "$ready" $(((waited - early) / 100 * 95 - 20000000)) $((waited + 1000000))

	# a VMM that sleeps 53 times for 10 ms, and then may have to wait for a CPU
	slept=$(sed -n "s/^access 0 0 io:0x71:w=.* delay-ns=//p" "$WORK/slow")
	vmm=$(of kvm.vm.time.vmm "guest-$PID_slow")
	within "$vmm" 530000000 $((slept / 10 * 11))
	[ $((vmm + $(of kvm.vm.time.ready "guest-$PID_slow"))) -ge "$slept" ]

	# VMMs that are busy in user space, and take turns on one CPU: as long as they were on it in the VMM, and
	# the rest ready
	for number in 0 1; do
		vm=guest-$PID_busy
		[ $number = 0 ] || vm+=.2
		away=$(sed -n "s/^access $number 0 io:0x71:w=.* delay-ns=//p" "$WORK/busy")
		is=$(of kvm.vm.time.ready "$vm")
		echo "$vm: away $away ns, ready $is ns"
		within "$(of kvm.vm.time.vmm "$vm")" 220000000 250000000
		[ $(($(of kvm.vm.time.vmm "$vm") + is)) -ge "$away" ]
		[ $((is * 100)) -ge $((away * 30)) ]
	done

	# a VMM that is stopped: since then, and no event has told
	open=$(of kvm.vcpu.time.open "guest-$PID_stopped::vcpu0")
	within "$open" $((stopped_for / 10 * 9)) $((stopped_for + 3000000000))
	[ "$(of kvm.vcpu.state "guest-$PID_stopped::vcpu0")" = 4 ]
	[ "$(of kvm.vm.open.vmm "guest-$PID_stopped")" = "$open" ]

	# a thread that moves: nothing is lost, and nothing counted twice
	within "$(of kvm.vcpu.time.total "guest-$PID_moves::vcpu0")" $((moved / 10 * 9)) $moved

	# halts: all that the kernel has woken, each once; those that slept by their wait for a CPU, too, but
	# for those that were a vCPU's first event. Late timers: as the kernel has them, and where it has none (PVM)
	# no value
	awk '$1 == "kvm.trace.kvm_vcpu_wakeup" { events += $3 }
		$1 == "kvm.vm.halt.polled" { polled += $3 }
		$1 == "kvm.vm.halt.waited" { waited += $3 }
		$1 == "kvm.vm.wake.latency" { woken += $3 }
		$1 == "kvm.vcpu.wake.latency" { by_vcpu += $3 }
		$1 == "kvm.trace.kvm_wait_lapic_expire" { timers += $3 }
		$1 == "kvm.vcpu.timer.late" { late += $3; rows++ }
		END { print events " wake-ups: " polled + 0 " polled, " waited " slept, " woken " woken, by vCPU " by_vcpu
			print timers + 0 " timers, " late + 0 " in " rows + 0 " rows"
			exit events < 100 || polled + waited != events || woken > waited || woken < waited - 2 ||
				by_vcpu != woken || late + 0 != timers + 0 || (rows > 0) != (timers > 0) }' "$WORK/values"

	# what halts took is halted or polled, but for waiting for a CPU
	echo "halts: halted $(of kvm.vm.time.halted "guest-$PID_halts")" \
		"polled $(of kvm.vm.time.poll "guest-$PID_halts")"
	[ $(($(of kvm.vm.time.halted "guest-$PID_halts") + $(of kvm.vm.time.poll "guest-$PID_halts"))) -gt 0 ]
}

# halts: the buckets of all histograms
halts() {
	local metric
	for metric in kvm.vm.halt.polled kvm.vm.halt.waited kvm.vm.wake.latency kvm.vcpu.wake.latency; do
		values $metric | sed "s/^/$metric /"
	done
}

slept() {
	[ "$(values kvm.vm.halt.waited | awk '{ n += $2 } END { print n + 0 }')" -gt "$1" ]
}

# slow_rows: the slow exits of the guest whose VMM sleeps, by what is told of each
slow_rows() {
	local metric
	for metric in when duration reason cause kvm vmm ready; do
		pminfo -h "$PMCD_HOST" -f kvm.vcpu.slow.$metric 2>/dev/null | grep -F "\"guest-$PID_slow::vcpu0::slow" |
			sed "s/^/$metric /"
	done
	values kvm.vm.slow_count | grep "^guest-$PID_slow "
}

slow_counted() {
	[ "$(values kvm.vm.slow_count | awk -v vm="guest-$PID_slow" '$1 == vm { print $2 }')" -ge 2 ]
}

# same_as_before: all is there again, and no more than was
same_as_before() {
	wait_for 20 slept 400
	wait_for 20 slow_counted
	halts | diff "$WORK/before" -
	# of where exits were slow the clock's reading alone can differ, by what the host's clock was set
	slow_rows | grep -v '^when' | diff <(grep -v '^when' "$WORK/slow-before") -
	[ "$(slow_rows | grep -c '^when')" = "$(grep -c '^when' "$WORK/slow-before")" ]
}

@test "halts, wake-ups and slow exits go on over a restart and a kill -9, each counted once" {
	mkdir "$WORK/bpf"
	mount -t bpf bpf "$WORK/bpf" || skip "no BPF file system can be mounted"
	pmcd_env "$WORK"
	conf '[bpf]' "pin = $WORK/bpf/pins" 'slow_us = 50000' '[trace]' kvm_vcpu_wakeup
	pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
	pmcd_start "$WORK"
	mkfifo "$WORK/hold"
	exec 8<>"$WORK/hold"
	guest slow --access io:0x71:w=2,delay-us=80000 --access io:0x73:w=53 --repeat --pause-ms 600000
	guest halts --hlt 211 --irqchip --repeat
	wait_for 20 slept 400
	kill -STOP "$PID_halts"
	wait_for 5 stopped "$PID_halts"
	wait_for 20 slow_counted
	halts >"$WORK/before"
	slow_rows >"$WORK/slow-before"
	cat "$WORK/slow-before"
	[ "$(grep -cE '^cause .* "io:0x71:w"' "$WORK/slow-before")" -ge 2 ]
	events=$(values kvm.trace.kvm_vcpu_wakeup | awk '{ n += $2 } END { print n }')
	[ "$(awk '$1 ~ /^kvm.vm.halt/ { n += $3 } END { print n }' "$WORK/before")" = "$events" ]
	pmcd_stop
	pmcd_start "$WORK"
	same_as_before
	old=$(agent)
	kill -9 "$old"
	wait_for 70 another "$old"
	same_as_before
	kill -CONT "$PID_halts"
	wait_for 20 slept $((events + 211))
	kill -KILL "$PID_halts" "$PID_slow"
	pmcd_stop
	umount -l "$WORK/bpf"
}

@test ":kvm-time: two guests on one CPU wait, one halts; each line adds up to 100" {
	(
		pmcd_env "$WORK"
		conf '[trace]' kvm_userspace_exit
		pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
		pmcd_start "$WORK"
		mkfifo "$WORK/hold"
		exec 8<>"$WORK/hold"
		guest spins --vms 2 --cpus 0 --spin 20011 --repeat
		guest halts --hlt 211 --irqchip --repeat
		ran() { [ "$(values kvm.vm.time.total | awk '$2 > 0' | wc -l)" = 3 ]; }
		wait_for 10 ran
		PCP_DERIVED_CONFIG=$TOP/dashboards/derived/kvm.conf pmrep -h "$PMCD_HOST" \
			-c "$TOP/dashboards/pmrep/kvm.conf" -s 4 -t 1 :kvm-time >"$WORK/out" 2>&1 || true
		echo "$PID_spins $PID_halts" >"$WORK/pids"
		kill -KILL "$PID_spins" "$PID_halts"
		pmcd_stop
	)
	cat "$WORK/out"
	read -r spins halts <"$WORK/pids"
	# states without a value have no column; the last five are halted, vmm, ready, unknown, after poll
	awk -v spins="guest-$spins" -v halts="guest-$halts" '
		$2 ~ /^guest-/ {
			sum = 0
			for (i = 3; i <= NF; i++) sum += $i
			lines++; wrong += sum < 99.9 || sum > 100.1
			if ($2 == halts) halted += $(NF - 3)
			if (index($2, spins) == 1) { waits++; ready += $(NF - 1) } }
		END { print lines " lines, " wrong + 0 " wrong; ready " ready / waits ", halted " halted
			exit wrong || lines < 9 || ready / waits < 45 || !(halted > 0) }' "$WORK/out"
}

@test "ledger = off attaches nothing" {
	printf '[bpf]\nledger = off\n[trace]\n*\n' >"$WORK/kvm.conf"
	"$BUILD/kvmbpf" dump -c "$WORK/kvm.conf" -d 0.1 --json >"$WORK/json"
	[ "$(jq '[.metrics[] | select(.name | test("time.ready"))] | length' "$WORK/json")" = 0 ]
	[ "$(jq '.metrics[] | select(.name == "kvm.agent.family.attached").values[] | select(.instance == "ledger").value' \
		"$WORK/json")" = 0 ]
}
