# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Slow exits, on this host: a guest whose VMM sleeps at a port, and one that halts.
# On a host whose KVM is PVM they are trips to the VMM. A busy host can make others slow, that wait for
# a CPU: they are told by that.

load common

LIMIT=50000000 # ns; as in kvm.conf
SLEPT=80000    # us

setup() {
	need_kvm
	need_root
	[ "$(uname -m)" = x86_64 ] || skip "not x86: this is about ports of x86"
	new_work
	mkfifo "$WORK/hold"
	exec 8<>"$WORK/hold"
	printf '[bpf]\nslow_us = %s\n[trace]\n' $((LIMIT / 1000)) >"$WORK/kvm.conf"
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

@test "a VMM that sleeps at a port: each time, the port, and where the time went" {
	"$BUILD/kvmbpf" dump -v -c "$WORK/kvm.conf" --slow --json >"$WORK/json" 2>"$WORK/dump.err" 3>&- 8>&- &
	dump=$!
	wait_for 20 grep -q "userspace_exit: attached in" "$WORK/dump.err"
	guest slow --access io:0x71:w=2,delay-us=$SLEPT --access io:0x72:r=3,delay-us=$SLEPT --access io:0x73:w=53 --hold
	guest halts --hlt 211 --irqchip --hold
	wait_for 20 grep -q done "$WORK/slow"
	wait_for 20 grep -q done "$WORK/halts"
	kill -INT "$dump"
	wait "$dump"
	cat "$WORK/json"
	jq -e --arg vm "guest-$PID_slow" --argjson least $((SLEPT * 1000)) --argjson limit $LIMIT '
		[.slow[] | select(.vmm >= $least)] as $slept |
		# the newest first
		([$slept[] | .cause] == ["io:0x72:r", "io:0x72:r", "io:0x72:r", "io:0x71:w", "io:0x71:w"]) and
		([$slept[] | .vm == $vm and .vcpu == 0 and (.reason | ascii_downcase | startswith("io"))] | all) and
		([.slow[] | .when] | . == (sort | reverse)) and
		# all of the time is told, and nobody halted
		([$slept[] | .kvm + .vmm + .ready + (.poll // 0) + .halted == .time and .halted == 0] | all) and
		([.slow[] | .time > $limit] | all) and
		# others have waited for a CPU
		([.slow[] | select(.vmm < $least) | .ready > $limit / 5] | all)' "$WORK/json"
	# when: in the last minute
	now=$(date +%s%N)
	jq -e --argjson now "$now" '[.slow[] | $now - .when | . > -1e9 and . < 60e9] | all' "$WORK/json"
}

@test "top shows a VM's slow exits as they come, and the state that their time went to" {
	guest slow --repeat --pause-ms 100 --access io:0x71:w=1,delay-us=$SLEPT
	ready() { "$BUILD/kvmbpf" vms --csv -o vm | grep -qx "guest-$PID_slow"; }
	wait_for 20 ready
	"$BUILD/kvmbpf" top -b -c "$WORK/kvm.conf" -n 2 -d 0.7 --vm "guest-$PID_slow" >"$WORK/top"
	cat "$WORK/top"
	sed -n '/^SLOW EXIT/,$p' "$WORK/top" >"$WORK/slow"
	grep -qiE '^io[_a-z]* +io:0x71:w.* 0 +([89][0-9]\.[0-9]+|[1-9][0-9]{2}) vmm +[0-9-]+ [0-9:]+$' "$WORK/slow"
}

@test "without the ledger: when, how long, why; and slow_us = off attaches nothing" {
	sed -i 's/^\[trace\]/ledger = off\n&/' "$WORK/kvm.conf"
	"$BUILD/kvmbpf" dump -v -c "$WORK/kvm.conf" --slow --json >"$WORK/json" 2>"$WORK/dump.err" 3>&- 8>&- &
	dump=$!
	wait_for 20 grep -q "userspace_exit: attached in" "$WORK/dump.err"
	guest slow --access io:0x71:w=1,delay-us=$SLEPT --access io:0x73:w=53 --hold
	wait_for 20 grep -q done "$WORK/slow"
	kill -INT "$dump"
	wait "$dump"
	cat "$WORK/json"
	jq -e --arg vm "guest-$PID_slow" --argjson least $((SLEPT * 1000)) '
		[.slow[] | select(.time >= $least and .vm == $vm and .cause == "io:0x71:w")] |
		length == 1 and (.[0] | has("vmm") or has("ready") | not)' "$WORK/json"
	printf '[bpf]\nslow_us = off\n' >"$WORK/kvm.conf"
	"$BUILD/kvmbpf" dump -c "$WORK/kvm.conf" -d 0.1 -m kvm.agent.family.attached --csv -o instance,value >"$WORK/out"
	grep -x slow,0 "$WORK/out"
}
