# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Many VMs that come and go, many clients, and an agent that is killed and terminated meanwhile.

load common
load stat
load numbers

setup() {
	need_kvm
	new_work
	open_hold
	pmcd_env "$WORK"
	mkdir "$WORK/bpf"
	mount -t bpf bpf "$WORK/bpf" || skip "no BPF file system can be mounted"
	conf '[bpf]' "pin = $WORK/bpf/pins" '[trace]' kvm_pio kvm_userspace_exit
	pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
	pmcd_start "$WORK"
}

teardown() {
	jobs -p | xargs -r kill -9 2>/dev/null || true
	pmcd_stop
	umount -l "$WORK/bpf" 2>/dev/null || true
}

# idle: 50 idle VMs of a process each; sets IDLE to the PID of their parent
STARTED=0
idle() {
	STARTED=$((STARTED + 1))
	"$BUILD/tests/idle_vms" --count 50 --processes <&9 >"$WORK/ready.$STARTED" 3>&- &
	IDLE=$!
	wait_for 60 grep -qs ready "$WORK/ready.$STARTED"
}

# churn SECONDS: end the oldest 50 VMs, start others, and let a guest count, over and over
churn() {
	local end=$((SECONDS + $1))
	while [ $SECONDS -lt $end ]; do
		let_go "${GROUPS_[0]}"
		idle
		GROUPS_=("${GROUPS_[@]:1}" "$IDLE")
		"$BUILD/tests/guest" --pio 503 --mmio 101 3>&- >/dev/null
	done
}

# logged: wait until pmlogger has logged, so that it asks for nothing in the next half second
logged() {
	local size
	size=$(stat -c %s "$WORK/archive.0")
	wait_for 10 grown "$size"
	sleep 0.3
}

grown() {
	[ "$(stat -c %s "$WORK/archive.0")" != "$1" ]
}

# stop_agent SIGNAL: end the agent; pmcd starts another while VMs come and go. pmlogger ends by
# itself where an agent dies between its fetch and its question for the instances of that.
stop_agent() {
	local old
	old=$(agent)
	logged
	kill "-$1" "$old"
	wait_for 70 another "$old"
}

# client NAME COMMAND...: a client of pmcd that is to run to the end
client() {
	local name=$1
	shift
	"$@" >"$WORK/$name.out" 2>"$WORK/$name.err" 3>&- 9>&- &
	CLIENTS+=("$!:$name")
}

is_shown() {
	[ "$(value kvm.vm.pid "guest-$GUEST")" = "$GUEST" ]
}

# A logger asks for names after a fetch that has a number that is new to it.
@test "a VM that ends between pmlogger's fetch and its question for names has its name in the archive" {
	hold guest --vcpus 1 --pio 3
	wait_for 10 is_shown
	printf 'log mandatory on 200 msec { kvm.vm.pid kvm.vm.vcpus }\n' >"$WORK/logger.conf"
	BEFORE_INDOM="kill -9 $GUEST; while pminfo -h $PMCD_HOST -f kvm.vm.pid | grep -q guest-$GUEST; do sleep 0.02; done" \
		LD_PRELOAD=$BUILD/tests/before_indom.so \
		timeout 20 pmlogger -h "$PMCD_HOST" -c "$WORK/logger.conf" -l "$WORK/logger.log" -s 4 "$WORK/archive" \
		3>&- 9>&-
	run is_shown
	[ "$status" = 1 ] # it has ended
	pmdumplog "$WORK/archive" kvm.vm.pid | tee "$WORK/dumped"
	grep -q "inst \[[0-9]* or \"guest-$GUEST\"\] value $GUEST\$" "$WORK/dumped"
	run grep -F '???' "$WORK/dumped"
	[ "$status" = 1 ]
}

# of_vm: all that the agent itself has counted of the guest, lines "METRIC INSTANCE VALUE"
of_vm() {
	pminfo -h "$PMCD_HOST" -f kvm.vm.userspace_exit kvm.vm.cause kvm.vm.time kvm.vm.halt kvm.vm.wake \
		kvm.vm.slow_count | awk -v vm="guest-$GUEST" '
		/^kvm/ { metric = $1 }
		match($0, /"[^"]*"/) && index($0, "\"" vm) { print metric, substr($0, RSTART, RLENGTH), $NF }' | sort
}

# settled: two ticks have not changed it
settled() {
	of_vm >"$WORK/before"
	sleep 2.1
	of_vm >"$WORK/after"
	cmp -s "$WORK/before" "$WORK/after"
}

# none_held: the agent has no record of a thread any more; what it has is in $WORK/used
none_held() {
	pminfo -h "$PMCD_HOST" -f kvm.agent.map.used >"$WORK/used" || return 1
	awk '/_cells"/ { n += $NF; rows++ } END { exit rows < 4 || n }' "$WORK/used"
}

@test "what threads of a VM have counted that have ended is the VM's own over a kill -9 and another pmcd" {
	local old
	hold guest --vcpus 2 --pio 101 --mmio 307 --access io:0x71:w=3,delay-us=20000
	wait_for 20 settled
	mv "$WORK/before" "$WORK/wanted"
	cat "$WORK/wanted"
	grep -qx "kvm.vm.userspace_exit.count \"guest-$GUEST::MMIO\" 614" "$WORK/wanted"
	grep -qx "kvm.vm.cause.accesses \"guest-$GUEST::io:0x71:w\" 6" "$WORK/wanted"
	grep -qx "kvm.vm.slow_count \"guest-$GUEST\" 6" "$WORK/wanted"
	old=$(agent)
	kill -KILL "$old"
	wait_for 70 another "$old"
	wait_for 20 is_shown
	wait_for 20 settled
	diff "$WORK/wanted" "$WORK/after"
	pmcd_stop
	pmcd_start "$WORK"
	wait_for 20 is_shown
	wait_for 20 settled
	diff "$WORK/wanted" "$WORK/after"
	# with the VM it is gone
	let_go "$GUEST"
	wait_for 20 none_held || { cat "$WORK/used" && return 1; }
}

@test "threads that live for one exit each: all exits are counted, and nothing of the threads stays" {
	"$BUILD/tests/short_threads" 10007 2 <&9 >"$WORK/done" 3>&- &
	GUEST=$!
	wait_for 60 grep -q done "$WORK/done"
	all() {
		values kvm.userspace_exit.count | tee "$WORK/counts" | grep -qx "IO $((2 * 10007))"
	}
	wait_for 5 all || { cat "$WORK/counts" && return 1; }
	[ "$(values kvm.trace.kvm_userspace_exit | awk '{ n += $2 } END { print n }')" = $((2 * 10007)) ]
	kill -KILL "$GUEST"
	wait_for 30 none_held || { cat "$WORK/used" && return 1; }
	pminfo -h "$PMCD_HOST" -f kvm.agent.map.used | grep -q '"userspace_exit_blocks"\] value 0$'
	all
}

@test "300 VMs that come and go, pmlogger, pmval, five pmreps, a kill -9 and a TERM" {
	GROUPS_=() CLIENTS=()
	for _ in 1 2 3 4 5 6; do
		idle
		GROUPS_+=("$IDLE")
	done
	hold guest --vcpus 2 --pio 101 --mmio 307
	[ "$(values kvm.nvms)" = 301 ]
	"$BUILD/tests/guest" --pio 101 --mmio 101 # so that no domain is empty
	printf 'log mandatory on 1 sec { kvm }\n' >"$WORK/logger.conf"
	client pmlogger pmlogger -h "$PMCD_HOST" -c "$WORK/logger.conf" -l "$WORK/logger.log" "$WORK/archive"
	client pmval pmval -h "$PMCD_HOST" -t 0.2sec -w 24 -i "guest-$GUEST" kvm.vm.pid
	client rep-trace pmrep -h "$PMCD_HOST" -t 0.5 kvm.trace.kvm_pio kvm.trace.kvm_userspace_exit
	client rep-host pmrep -h "$PMCD_HOST" -t 0.5 kvm.nvms kvm.nvcpus kvm.io_exits kvm.mmio_exits
	client rep-vm pmrep -h "$PMCD_HOST" -t 1 --dynamic-header kvm.vm.vcpus kvm.vm.pid
	client rep-reason pmrep -h "$PMCD_HOST" -t 0.5 --dynamic-header kvm.userspace_exit.count kvm.userspace_exit.time
	client rep-vcpu pmrep -h "$PMCD_HOST" -t 1 --dynamic-header -i '.*vcpu0' kvm.vcpu.stat.insn_emulation
	wait_for 10 test -s "$WORK/archive.0"
	churn 3
	stop_agent KILL
	churn 3
	stop_agent TERM
	churn 3
	sleep 1
	for one in "${CLIENTS[@]}"; do
		kill -0 "${one%%:*}" || { echo "${one#*:} has ended" && cat "$WORK/${one#*:}.err" && return 1; }
		kill "${one%%:*}"
		wait "${one%%:*}" || true
		run cat "$WORK/${one#*:}.err"
		[[ $output != *Traceback* ]]
	done
	# clients had values to the end
	[ "$(awk -v pid="$GUEST" '$NF == pid' "$WORK/pmval.out" | wc -l)" -ge 20 ]
	[ "$(tail -n 1 "$WORK/pmval.out" | awk '{ print $NF }')" = "$GUEST" ]
	run tail -n 1 "$WORK/rep-trace.out"
	[[ $output =~ [0-9]$ ]]

	# no number has two names, no name two numbers
	archive_numbers archive >"$WORK/numbers"
	expect_one_to_one "$WORK/numbers"
	[ "$(wc -l <"$WORK/numbers")" -gt 1000 ]

	# no counter falls
	pmdumplog -d "$WORK/archive" | awk '
		/^PMID:/ { metric = $3; gsub(/[()]/, "", metric) }
		/Semantics: counter/ { print metric }' | grep '^kvm\.' >"$WORK/counters"
	[ "$(wc -l <"$WORK/counters")" -gt 50 ]
	pmdumplog "$WORK/archive" | awk '
		FNR == NR { counter[$1]; next }
		match($0, /PM_ID_NULL|[0-9]+\.[0-9]+\.[0-9]+ \([^)]*\):/) {
			metric = $0
			sub(/^[^(]*\(/, "", metric)
			sub(/\).*/, "", metric)
		}
		!(metric in counter) { next }
		/ value [0-9]+$/ {
			instance = ""
			if (match($0, /inst \[[0-9]+ or .*\]/))
				instance = substr($0, RSTART, RLENGTH)
			value = $NF
			if ((metric, instance) in last && value + 0 < last[metric, instance] + 0)
				print metric, instance, "fell from", last[metric, instance], "to", value
			last[metric, instance] = value
			n++
		}
		END { print n " values" }' "$WORK/counters" - >"$WORK/values"
	tail -n 20 "$WORK/values"
	[ "$(wc -l <"$WORK/values")" = 1 ]
	[ "$(cut -d' ' -f1 "$WORK/values")" -gt 20000 ]
}
