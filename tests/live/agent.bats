# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Tests the daemon and the DSO under a private pmcd, with real guests on this host.

load common

setup_file() {
	if [ "$(id -u)" != 0 ]; then
		return
	fi
	new_work
	export WORK
	pmcd_env "$WORK"
	conf '[trace]' '*'
	make_namespace
	pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
	pmcd_start "$WORK"
	export PMCD_PID
}

teardown_file() {
	pmcd_stop
}

setup() {
	need_root
}

# Fetch repeatedly while a guest runs; end_watch checks that no counter ever decreased.
watch_pio() {
	PMDA_WATCH=$WORK/watch
	pmval -h "$PMCD_HOST" -r -t 0.02sec -f 0 kvm.trace.kvm_pio >"$PMDA_WATCH" 2>&1 3>&- &
	WATCH_PID=$!
}

end_watch() {
	kill "$WATCH_PID"
	wait "$WATCH_PID" || true
	[ "$(grep -cE '^ +[0-9]+ +[0-9]+ *$' "$PMDA_WATCH")" -ge 3 ]
	awk '/^ +[0-9]+ +[0-9]+ *$/ { if ($1 < a || $2 < b) exit 1; a = $1; b = $2 }' "$PMDA_WATCH"
}

# three CPU: the values of three events on a CPU
three() {
	echo "$(value kvm.trace.kvm_pio "cpu$1") $(value kvm.trace.kvm_mmio "cpu$1")" \
		"$(value kvm.trace.kvm_cpuid "cpu$1")"
}

# plus "A B C" D E F: prints A+D, B+E and C+F
plus() {
	# shellcheck disable=SC2086
	set -- $1 "$2" "$3" "$4"
	echo "$(($1 + $4)) $(($2 + $5)) $(($3 + $6))"
}

@test "the instances cpu0 ... exist before the first fetch" {
	run pminfo -h "$PMCD_HOST" -f kvm.trace.kvm_pio
	[ "$status" = 0 ]
	[[ $output == *'[0 or "cpu0"] value '* ]]
	for cpu in $(seq 0 $(($(nproc) - 1))); do
		[[ $output == *"[$cpu or \"cpu$cpu\"] value "* ]]
	done
}

@test "a guest on one CPU is counted exactly, with fetches while it runs" {
	need_kvm
	need_two_cpus
	before0=$(three 0) before1=$(three 1)
	watch_pio
	perf_counts kvm:kvm_pio,kvm:kvm_mmio,kvm:kvm_cpuid \
		"$BUILD/tests/guest" --pio $PIO --mmio $MMIO --cpuid $CPUID --cpus 1
	end_watch
	# a read that the VMM handles fires kvm_mmio twice: unsatisfied, then read
	[ "$(three 1)" = "$(plus "$before1" $PIO $((2 * MMIO)) $CPUID)" ]
	[ "$(three 0)" = "$before0" ]
	[ "$(perf_count kvm_pio 1)" = $PIO ]
	[ "$(perf_count kvm_mmio 1)" = $((2 * MMIO)) ]
	[ "$(perf_count kvm_cpuid 1)" = $CPUID ]
}

@test "a guest on both CPUs is counted exactly on each, with fetches while it runs" {
	need_kvm
	need_two_cpus
	before0=$(three 0) before1=$(three 1)
	watch_pio
	perf_counts kvm:kvm_pio,kvm:kvm_mmio,kvm:kvm_cpuid \
		"$BUILD/tests/guest" --pio $PIO --mmio $MMIO --cpuid $CPUID --vcpus 2 --cpus 0,1
	end_watch
	for cpu in 0 1; do
		before=before$cpu
		[ "$(three $cpu)" = "$(plus "${!before}" $PIO $((2 * MMIO)) $CPUID)" ]
		[ "$(perf_count kvm_pio $cpu)" = $PIO ]
		[ "$(perf_count kvm_mmio $cpu)" = $((2 * MMIO)) ]
		[ "$(perf_count kvm_cpuid $cpu)" = $CPUID ]
	done
}

@test "every event agrees with the kernel's own count" {
	need_kvm
	events=$(pminfo -h "$PMCD_HOST" kvm.trace | grep -v count$ | sed 's/kvm.trace.//')
	list=
	for event in $events; do
		# each guest run counts as many events as perf can open
		[ ! -d "/sys/kernel/tracing/events/kvm/$event" ] || list+="${list:+,}kvm:$event"
	done
	pminfo -h "$PMCD_HOST" -f kvm.trace >"$WORK/before"
	perf_counts "$list" "$BUILD/tests/guest" --pio $PIO --mmio $MMIO --cpuid $CPUID --hlt 101 \
		--irqchip --vcpus 2
	pminfo -h "$PMCD_HOST" -f kvm.trace >"$WORK/after"
	sum() {
		awk -v m="kvm.trace.$1" '$1 == m { on = 1; next } !NF { on = 0 } on { n += $NF } END { print n + 0 }' "$2"
	}
	fired=0
	for event in $events; do
		grep -q "kvm:$event," "$WORK/perf" || continue
		kernel=$(awk -F, -v e="kvm:$event" '$4 == e { n += $2 } END { print n + 0 }' "$WORK/perf")
		ours=$(($(sum "$event" "$WORK/after") - $(sum "$event" "$WORK/before")))
		# only our count includes other guests between the two reads
		[ "$ours" -ge "$kernel" ] || echo "$event: kernel $kernel, ours $ours"
		[ "$ours" -ge "$kernel" ]
		case $event in
		kvm_pio | kvm_mmio | kvm_cpuid | kvm_emulate_insn | kvm_userspace_exit)
			[ "$ours" = "$kernel" ]
			fired=$((fired + 1))
			;;
		esac
	done
	[ $fired = 5 ]
	[ "$(value kvm.agent.family.missed trace)" = 0 ]
}

@test "kvm.trace.count is the number of this kernel's events, and all are attached" {
	n=$(values kvm.trace.count)
	[ "$n" -gt 20 ]
	[ "$(values kvm.agent.event.attached | grep -c ' 1$')" = "$n" ]
	[ "$(values kvm.agent.event.status | grep -c ' "attached"$')" = "$n" ]
	[ "$(pminfo -h "$PMCD_HOST" kvm.trace | wc -l)" = $((n + 1)) ]
	[ "$(value kvm.agent.family.attached trace)" = 1 ]
	[ "$(values kvm.agent.version)" = "\"$("$BUILD/kvmbpf" --version | cut -d' ' -f2)\"" ]
}

@test "type, semantics, units, help and labels of an event" {
	run pminfo -h "$PMCD_HOST" -dmtTl kvm.trace.kvm_pio
	[[ $output == *"PMID: 95.1."* ]]
	[[ $output == *"64-bit unsigned int  InDom: 95.0 "* ]]
	[[ $output == *"Semantics: counter  Units: count"* ]]
	[[ $output == *"kvm:kvm_pio fired on each CPU"* ]]
	[[ $output == *'"cpu":0,"device_type":"cpu","event":"kvm_pio"'* ]]
	[[ $output == *'"indom_name":"per cpu"'* ]]
	run pminfo -h "$PMCD_HOST" -m kvm.trace.kvm_exit kvm.trace.kvm_vcpu_wakeup kvm.trace.count
	[[ $output == *"kvm.trace.kvm_exit PMID: 95.1.1"* ]]
	[[ $output == *"kvm.trace.kvm_vcpu_wakeup PMID: 95.1.5"* ]]
	[[ $output == *"kvm.trace.count PMID: 95.1.0"* ]]
}

@test "the 43 stock totals keep their PMIDs; a statistic that KVM lacks has no value, not 0" {
	[ "$(pminfo -h "$PMCD_HOST" -m kvm | grep -cE '^kvm\.[a-z0-9_]+ PMID: 95\.0\.[0-9]+$')" = 43 ]
	# no kernel since 5.10 has either
	run pminfo -h "$PMCD_HOST" -f kvm.efer_reload kvm.mmu_pte_updated
	[ "$status" = 0 ]
	[ "$(grep -c 'No value(s) available!' <<<"$output")" = 2 ]
}

@test "all metrics have help and a description" {
	run pminfo -h "$PMCD_HOST" -dtT kvm
	[ "$status" = 0 ]
	[[ $output != *"One-line Help: Error"* && $output != *"Full Help: Error"* ]]
	[[ $output != *"No help"* && $output != *"[]"* ]]
}

@test "an unknown PMID or instance is refused, the rest is answered" {
	conf '[trace]' kvm_pio kvm_mmio
	ask 'desc 95.1.700' 'fetch 95.1.700 95.1.0' 'fetch 95.77.1' 'text indom 95.99' \
		'instance 95.0 7777' 'instance 95.98' 'children kvm.trace'
	[ "$(grep -c 'Unknown or illegal metric identifier' <<<"$output")" = 3 ]
	[ "$(grep -c 'Unknown or illegal instance domain identifier' <<<"$output")" = 3 ]
	[ "$(grep -c 'Unknown or illegal instance identifier' <<<"$output")" = 1 ]
	[[ $output == *"value 2"* ]]
	[[ $output == *"leaf kvm_mmio"* ]]
	[ -z "$(said)" ]
	run pminfo -h "$PMCD_HOST" -f kvm.trace.kvm_nothing
	[[ $output == *"Unknown metric name"* ]]
	run pmval -h "$PMCD_HOST" -s 1 -i cpu0 -r kvm.trace.kvm_pio
	[ "$status" = 0 ]
	run pmval -h "$PMCD_HOST" -s 1 -i cpu7777 kvm.trace.kvm_pio
	[ "$status" != 0 ]
}

@test "reading kvm.trace makes no system calls except the request's own" {
	need strace
	[ -z "${SAN:-}" ] || skip "a sanitizer's allocator makes system calls of its own: run without SAN=1"
	events=$(values kvm.trace.count)
	agent_pid=$(pgrep -P "$PMCD_PID" -x pmdakvm)
	strace -qq -f -p "$agent_pid" -o "$WORK/strace" 3>&- &
	strace_pid=$!
	wait_for 10 grep -qs "TracerPid:.$strace_pid" "/proc/$agent_pid/status"
	pminfo -h "$PMCD_HOST" -f kvm.trace >/dev/null
	kill "$strace_pid"
	wait "$strace_pid" || true
	sed -E 's/^[0-9]+ +//' "$WORK/strace" >"$WORK/calls"
	[ "$(grep -c '^write(1' "$WORK/calls")" -ge "$events" ]
	# the agent reads requests from 0 and answers on 1; a tick comes after an answer, or after a
	# request without one, and before the next poll
	output=$(awk '
		/^read\(0/ { asked = 1; next }
		/^write\(1/ { printf "%s", calls }
		/^(write\(1|p?poll\(|restart_syscall)/ { asked = 0; calls = ""; next }
		asked && !/^brk/ { calls = calls $0 "\n" }' "$WORK/calls")
	echo "$output"
	[ "$output" = "" ]
}

@test "the DSO counts exactly too, under a pmcd and without one" {
	need_kvm
	daemon_work=$WORK
	new_work
	(
		pmcd_env "$WORK"
		printf '[trace]\nkvm_pio\n' >"$WORK/etc/kvm/kvm.conf"
		make_namespace
		pmcd_files "$WORK" "$TOP" "$BUILD" dso
		export LD_PRELOAD=$SAN_PRELOAD ASAN_OPTIONS=detect_leaks=0
		pmcd_start "$WORK"
		LD_PRELOAD='' "$BUILD/tests/guest" --pio $PIO --cpus 0
		values kvm.trace.kvm_pio >"$WORK/values"
		pmcd_stop
		export PMDA_LOCAL="clear"
		pminfo -L -K clear -K "add,95,$BUILD/pmda_kvm.so,kvm_init" -n "$WORK/ns" -fdtl \
			kvm.trace kvm.agent kvm.exits >"$WORK/local"
		pmval -L -K clear -K "add,95,$BUILD/pmda_kvm.so,kvm_init" -n "$WORK/ns" -r -s 6 \
			-t 1 kvm.trace.kvm_pio >"$WORK/pmval" 3>&- &
		pmval_pid=$!
		# until it has attached all families
		traces() { ls -l "/proc/$pmval_pid/fd" | grep -c anon_inode:bpf || true; }
		settled() { local n; n=$(traces); sleep 0.3; [ "$n" -gt 0 ] && [ "$(traces)" = "$n" ]; }
		wait_for 10 settled
		LD_PRELOAD='' "$BUILD/tests/guest" --pio $PIO --cpus 0
		wait $pmval_pid
	)
	[ "$(awk '$1 == "cpu0" { print $2 }' "$WORK/values")" = $PIO ]
	grep -qE 'inst \[[0-9] or "trace"\] value "attached"' "$WORK/local"
	grep -q 'inst \[0 or "cpu0"\] value 0' "$WORK/local"
	grep -qE "^ +$PIO " "$WORK/pmval"
	WORK=$daemon_work
}

@test "the DSO exports kvm_init and nothing else" {
	[ "$(nm -D --defined-only "$BUILD/pmda_kvm.so" | awk '$2 == "T" { print $3 }' | grep -vE '^(_init|_fini)$')" = kvm_init ]
}

@test "the DSO does not change the process that loads it" {
	new_work
	mkdir -p "$WORK/kvm" "$WORK/var"
	printf '[trace]\n*\n' >"$WORK/kvm/kvm.conf"
	run env PCP_SYSCONF_DIR="$WORK" PCP_VAR_DIR="$WORK/var" ASAN_OPTIONS=detect_leaks=0 \
		"$BUILD/tests/load_dso" "$BUILD/pmda_kvm.so"
	echo "$output"
	[ "$output" = unchanged ]
	# except the numbers of names, which are remembered
	[ -z "$(find "$WORK/var" -type f ! -path "*/pmdakvm/items" ! -path "*/pmdakvm/instances")" ]
}

@test "where the kernel describes no statistics, all other metrics are listed" {
	new_work
	mkdir "$WORK/build"
	printf '%s\n' '#!/bin/sh' 'mount -t tmpfs none /sys/kernel/btf' \
		"exec $BUILD/pmdakvm \"\$@\"" >"$WORK/build/without"
	printf '%s\n' '#!/bin/sh' "exec unshare -m $WORK/build/without \"\$@\"" >"$WORK/build/pmdakvm"
	chmod 755 "$WORK"/build/*
	names=$(
		pmcd_env "$WORK"
		conf '[bpf]' 'pin = none' '[trace]' kvm_pio
		pmcd_files "$WORK" "$TOP" "$WORK/build" daemon -c "$WORK/kvm.conf"
		pmcd_start "$WORK" >&2
		pminfo -h "$PMCD_HOST" kvm
		pmcd_stop
	)
	for name in $(sed -nE 's/^METRIC\("([^"]+)".*/\1/p' "$TOP/src/metrics/metrics.def"); do
		grep -qxF "$name" <<<"$names" || { echo "$name"; return 1; }
	done
	[[ $names != *kvm.vm.stat.* ]]
}

@test "the daemon logs what it attached, and exits with pmcd" {
	new_work
	log=$(
		pmcd_env "$WORK"
		conf '[trace]' kvm_pio
		pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
		pmcd_start "$WORK"
		pid=$(pgrep -P "$PMCD_PID" -x pmdakvm)
		pmcd_stop
		gone() { ! kill -0 "$pid" 2>/dev/null; }
		wait_for 5 gone
		cat "$WORK/kvm.log"
	)
	echo "$log"
	[[ $log == *"trace: attached in "* ]]
	[[ $log != *Warning* && $log != *Error* && $log != *Sanitizer* ]]
	[[ $log == *"Log finished"* ]]
}

# Nothing is attached here: loading stops at a kvm.conf that has yet to be written.
@test "the daemon may take longer to load than pmcd waits: clients are told to try again" {
	new_work
	result=$(
		pmcd_env "$WORK"
		mkfifo "$WORK/kvm.conf"
		pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
		sed -i "s|binary |binary $BUILD/tests/deny_bpf 38 |" "$WORK/pmcd.conf"
		agent_answers() { pminfo -h "$PMCD_HOST" kvm.agent.version >/dev/null 2>&1; }
		pmcd_start "$WORK" >&2
		pminfo -h "$PMCD_HOST" -f kvm.vm.pid 2>&1 | grep -o -m 1 "Try again"
		# of these pminfo says nothing
		pminfo -h "$PMCD_HOST" -Tl kvm.exits >&2
		pmstore -h "$PMCD_HOST" kvm.control.attached 0 2>&1 | grep -o "Try again"
		printf '[trace]\nkvm_pio\n' >"$WORK/kvm.conf"
		ready() { [ -n "$(values kvm.agent.version)" ]; }
		wait_for 20 ready
		values kvm.agent.version
		pgrep -cP "$PMCD_PID" -x pmdakvm
		grep CleanupAgent "$WORK/pmcd.log"
		pmcd_stop
	)
	echo "$result"
	version=$("$BUILD/kvmbpf" --version | cut -d' ' -f2)
	[ "$result" = "$(printf 'Try again\nTry again\n"%s"\n1' "$version")" ]
}

# recorded: how many values of its version a logged agent has in the archive
recorded() {
	pmdumplog "$WORK/logged" kvm.agent.version | grep -c ' value "'
}

# Else an archive would end with an agent that is killed on a slow host.
@test "pmlogger goes on when the agent is another one, which takes longer to load than a request waits" {
	new_work
	(
		pmcd_env "$WORK"
		conf '[trace]' '*'
		pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
		pmcd_start "$WORK"
		# with names of subtrees, where this host has them
		logged="kvm.agent.version kvm.nvms $(pminfo -h "$PMCD_HOST" kvm.trace kvm.vm.stat 2>/dev/null |
			grep -xE 'kvm\.trace\.(count|kvm_userspace_exit)|kvm\.vm\.stat\.(exits|halt_wait_hist)' | xargs)"
		# shellcheck disable=SC2086 # a list
		pminfo -h "$PMCD_HOST" -d $logged >"$WORK/before"
		echo "log mandatory on 200 msec { $logged }" >"$WORK/logger.conf"
		pmlogger -h "$PMCD_HOST" -c "$WORK/logger.conf" -l "$WORK/logger.log" "$WORK/logged" 3>&- &
		logger=$!
		wait_for 10 test -s "$WORK/logged.0"
		mkfifo "$WORK/later"
		old=$(pgrep -P "$PMCD_PID" -x pmdakvm)
		mv "$WORK/later" "$WORK/kvm.conf"
		kill -KILL "$old"
		another() { pgrep -P "$PMCD_PID" -x pmdakvm | grep -qvx "$old"; }
		wait_for 70 another
		late() { pminfo -h "$PMCD_HOST" -f kvm.agent.version 2>&1 | grep -q "Try again"; }
		wait_for 20 late
		# shellcheck disable=SC2086
		pminfo -h "$PMCD_HOST" -d $logged >"$WORK/while"
		sleep 1
		printf '[trace]\n*\n' >"$WORK/kvm.conf"
		ready() { [ -n "$(values kvm.agent.version)" ]; }
		wait_for 20 ready
		recorded >"$WORK/recorded"
		# shellcheck disable=SC2086
		pminfo -h "$PMCD_HOST" -d $logged >"$WORK/after"
		sleep 2
		kill -INT "$logger"
		wait "$logger"
		pmcd_stop
	)
	cat "$WORK/logger.log"
	diff "$WORK/before" "$WORK/while"
	diff "$WORK/before" "$WORK/after"
	# values of the second agent, too
	[ "$(cat "$WORK/recorded")" -gt 0 ]
	[ "$(recorded)" -gt "$(cat "$WORK/recorded")" ]
}

# pmcd goes while the daemon loads
@test "the daemon ends with pmcd, though it has not loaded" {
	new_work
	pid=$(
		pmcd_env "$WORK"
		mkfifo "$WORK/kvm.conf"
		pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
		agent_answers() { pminfo -h "$PMCD_HOST" kvm.agent.version >/dev/null 2>&1; }
		pmcd_start "$WORK" >&2
		pgrep -P "$PMCD_PID" -x pmdakvm
		pmcd_stop
	)
	[ "$pid" -gt 0 ]
	gone() { ! kill -0 "$pid" 2>/dev/null; }
	wait_for 10 gone
}

@test "the daemon has the options of a PCP agent" {
	run "$BUILD/pmdakvm" --help
	[ "$status" = 0 ]
	for option in --domain --log --username --config --help --inet --pipe --unix; do
		[[ $output == *"$option"* ]]
	done
	run "$BUILD/pmdakvm" -D appl0 --help # libpcp does not list -D
	[[ $output != *unrecognized* && $output == *Usage* ]]
	run "$BUILD/pmdakvm" -D nonsense
	[[ $output == *nonsense* ]]
	run "$BUILD/pmdakvm" --nonsense
	[ "$status" != 0 ]
	[[ $output == *"nonsense"* ]]
	run "$BUILD/pmdakvm" surplus
	[ "$status" != 0 ]
	[[ $output == *'unexpected argument "surplus"'* ]]
}

@test "-U USER: the daemon continues to count as that user" {
	need_kvm
	new_work
	result=$(
		pmcd_env "$WORK"
		conf '[trace]' kvm_pio
		pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf" -U nobody
		pmcd_start "$WORK" >&2
		ps -o user= -p "$(pgrep -P "$PMCD_PID" -x pmdakvm)"
		"$BUILD/tests/guest" --pio $PIO --cpus 0 >/dev/null
		value kvm.trace.kvm_pio cpu0
		value kvm.agent.event.missed kvm_pio
		pmcd_stop
	)
	[ "$result" = $'nobody\n'"$PIO"$'\n0' ]
}
