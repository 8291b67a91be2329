# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Tests the host's totals of KVM's statistics: they never decrease when VMs or the agent end. The
# number of VMs whose values are kept for that is limited.

load common
load stat

setup() {
	need_kvm
	new_work
	open_hold
	mkdir "$WORK/bpf"
	mount -t bpf bpf "$WORK/bpf" || skip "cannot mount a BPF file system, which totals need: run as root in a mount namespace"
	pmcd_env "$WORK"
	pins=("[bpf]" "pin=$WORK/bpf/kvm")
	conf "${pins[@]}" '[trace]' kvm_pio
	pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
	pmcd_start "$WORK"
}

teardown() {
	jobs -p | xargs -r kill -9 2>/dev/null || true
	pmcd_stop
	umount -l "$WORK/bpf" 2>/dev/null || true
}

busy() {
	hold guest --vcpus 2 --pio 211 --mmio $MMIO --cpuid 307 --hlt 101 --irqchip "$@"
	stat_kinds <"$STATS" >"$WORK/kinds"
}

# of counter|instant: filter METRIC INSTANCE VALUE lines for the host's metrics of this kind
of() {
	awk -F'\t' -v kinds="$WORK/kinds" -v want="$1" '
		BEGIN { while ((getline line <kinds) > 0) { split(line, kind, " "); is[kind[1]] = kind[2] } }
		is[$1] == want && $1 !~ /^kvm\.(vm|vcpu)\./'
}

# expect_totals [FILE]: counters are unchanged; gauges equal the statistics in FILE (none: 0)
expect_totals() {
	values kvm.nvms >/dev/null # one more pass: a VM ends when two passes miss it
	pcp_values >"$WORK/now"
	diff "$WORK/counters" <(of counter <"$WORK/now")
	if [ -n "${1:-}" ]; then
		stat_values x <"$1" | of instant >"$WORK/gauges"
	else
		sed -i 's/[0-9]*$/0/' "$WORK/gauges"
	fi
	diff "$WORK/gauges" <(of instant <"$WORK/now")
}

restart() {
	pmcd_stop
	"$@"
	pmcd_start "$WORK"
}

agent() {
	pgrep -P "$PMCD_PID" -x pmdakvm
}

@test "when VMs end, counters keep their values and gauges return" {
	busy --vms 2
	first=$GUEST
	cp "$STATS" "$WORK/both"
	busy
	cat "$STATS" >>"$WORK/both"
	stat_values x <"$WORK/both" | of counter >"$WORK/counters"
	[ "$(grep -cP '\t[1-9]' "$WORK/counters")" -gt 15 ]
	expect_totals "$WORK/both"
	let_go "$first"
	expect_totals "$STATS"
	let_go "$GUEST"
	expect_totals
	[ "$(values kvm.nvms)" = 0 ]
}

@test "a VM whose files are on their way in a socket comes back as the one that went" {
	mkfifo "$WORK/lines"
	exec 8<>"$WORK/lines"
	"$BUILD/tests/guest" --vms 2 --vcpus 2 --pio 211 --mmio $MMIO --stats "$WORK/flying" --flight --hold \
		<&8 >"$WORK/said" 3>&- 8>&- &
	guest=$!
	wait_for 20 test -s "$WORK/flying"
	pcp_values >"$WORK/before"
	for metric in kvm.vm.exit.total kvm.vcpu.exits kvm.vm.userspace_exit.count; do values $metric; done >"$WORK/exits"
	number=$(pminfo -h "$PMCD_HOST" -f kvm.vm.pid)
	echo >&8
	wait_for 10 grep -qx sent "$WORK/said"
	for _ in 1 2 3 4; do
		[ "$(values kvm.nvms) $(values kvm.nvcpus)" = "0 0" ]
	done
	[ "$(values kvm.mmio_exits)" = $((4 * MMIO)) ]
	echo >&8
	wait_for 10 grep -qx back "$WORK/said"
	[ "$(values kvm.mmio_exits)" = $((4 * MMIO)) ]
	pcp_values | diff "$WORK/before" -
	for metric in kvm.vm.exit.total kvm.vcpu.exits kvm.vm.userspace_exit.count; do values $metric; done |
		diff "$WORK/exits" -
	[ "$(pminfo -h "$PMCD_HOST" -f kvm.vm.pid)" = "$number" ]
	let_go "$guest"
}

@test "counters continue across restarts: with VMs, with VMs that end meanwhile, with none" {
	busy --vms 2
	first=$GUEST
	busy
	pcp_values | of counter >"$WORK/counters"
	restart true
	pcp_values | of counter | diff "$WORK/counters" -
	[ "$(values kvm.nvms)" = 3 ]
	restart let_go "$first"
	expect_totals "$STATS"
	[ "$(values kvm.nvms)" = 1 ]
	restart let_go "$GUEST"
	expect_totals
	restart true
	expect_totals
	[ "$(value kvm.agent.family.generation stat)" = 5 ]
	[ "$(value kvm.agent.map.used stat_vms)" = 0 ]
}

@test "counters continue across kill -9, with a VM that stays and one that ends with the agent" {
	busy
	first=$GUEST
	busy
	pcp_values | of counter >"$WORK/counters"
	old=$(agent)
	kill -STOP "$old" # so that it does not see the VM end
	let_go "$first"
	kill -9 "$old"
	wait_for 70 is_there
	expect_totals "$STATS"
	let_go "$GUEST"
	expect_totals
}

is_there() {
	[ -n "$(values kvm.nvms)" ]
}

@test "the next agent counts what a VM did while no agent ran" {
	mkfifo "$WORK/go"
	"$BUILD/tests/guest" --wait --mmio 1013 --stats "$WORK/stats" --hold <"$WORK/go" >/dev/null 3>&- &
	guest=$!
	exec 8>"$WORK/go"
	wait_for 5 one_vm
	[ "$(values kvm.mmio_exits)" = 0 ]
	pmcd_stop
	echo >&8
	wait_for 10 test -s "$WORK/stats"
	pmcd_start "$WORK"
	[ "$(values kvm.mmio_exits)" = 1013 ]
	let_go "$guest"
	[ "$(values kvm.mmio_exits)" = 1013 ]
}

one_vm() {
	[ "$(values kvm.nvcpus)" = 1 ]
}

@test "totals never decrease while VMs come and go" {
	pmval -h "$PMCD_HOST" -t 0.01sec -f 0 -r kvm.mmio_exits >"$WORK/watch" 2>&1 3>&- &
	watch=$!
	before=$(values kvm.mmio_exits)
	for _ in 1 2 3 4 5 6 7 8; do
		hold guest --vms 2 --vcpus 2 --mmio 101
		others=$GUEST
		hold guest --mmio 101
		[ "$(values kvm.nvms)" = 3 ]
		let_go "$others"
		let_go "$GUEST"
	done
	[ "$(values kvm.mmio_exits)" = $((before + 8 * 5 * 101)) ]
	[ "$(values kvm.nvms)" = 0 ]
	kill "$watch"
	wait "$watch" || true
	run awk '/^ +[0-9]+ *$/ { n++; if ($1 < last) print last, $1; last = $1 } END { print n >= 20 }' "$WORK/watch"
	[ "$output" = 1 ]
}

@test "VMs beyond the limit vms of kvm.conf are shown and counted, but not kept" {
	conf "${pins[@]}" vms=2 '[trace]' kvm_pio
	restart true
	busy --vms 4
	wait_for 5 dropped 2
	[ "$(value kvm.agent.map.limit stat_vms) $(value kvm.agent.map.used stat_vms)" = "2 2" ]
	stat_values "guest-$GUEST" <"$STATS" | diff - <(pcp_values)
	pcp_values | of counter >"$WORK/counters"
	expect_totals "$STATS"
	let_go "$GUEST"
	expect_totals
	[ "$(value kvm.agent.map.used stat_vms) $(value kvm.agent.map.dropped stat_vms)" = "0 2" ]
}

dropped() {
	[ "$(values kvm.nvms)" = 4 ] && [ "$(value kvm.agent.map.dropped stat_vms)" = "$1" ]
}
