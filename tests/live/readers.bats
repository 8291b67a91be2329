# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# kvmbpf beside an agent: it reads the agent's pinned maps, with nothing loaded that runs when guests
# do, and with nothing left behind, however it ends.

load common

setup() {
	need_kvm
	[ "$(uname -m)" = x86_64 ] || skip "not x86: this is about ports of x86"
	new_work
	mkdir "$WORK/bpffs"
	mount -t bpf bpf "$WORK/bpffs" || skip "no BPF file system can be mounted"
	PINS=$WORK/bpffs/pins
	conf '[bpf]' "pin = $PINS" '[trace]' kvm_pio
}

teardown() {
	jobs -p | xargs -r kill -9 2>/dev/null || true
	pmcd_stop
	if mountpoint -q "$WORK/bpffs"; then
		umount -l "$WORK/bpffs"
	fi
}

agent_start() {
	pmcd_env "$WORK"
	pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
	pmcd_start "$WORK"
	wait_for 20 test -e "$PINS/userspace_exit_meta"
}

# dump [OPTION...]: what kvmbpf reads now
dump() {
	"$BUILD/kvmbpf" dump -c "$WORK/kvm.conf" "$@" 2>"$WORK/err"
}

# of METRIC INSTANCE: this value in $WORK/json
of() {
	jq ".metrics[] | select(.name == \"$1\").values[] | select(.instance == \"$2\").value" "$WORK/json"
}

# programs PID: the ids of the programs that a process has loaded
programs() {
	awk '/^prog_type:/ { has = 1 } /^prog_id:/ { id = $2 } ENDFILE { if (has) print id; has = 0 }' \
		"/proc/$1/fdinfo"/* 2>/dev/null | sort -u
}

# gone ID...: does the kernel have none of these programs any more?
gone() {
	local id
	for id; do
		if bpftool prog show id "$id" >/dev/null 2>&1; then
			return 1
		fi
	done
}

pins() {
	find "$PINS" | sort
}

guest() {
	"$BUILD/tests/guest" "$@"
}

@test "readers see an agent's counts exactly; no program is added, and the agent loses no count" {
	need jq
	agent_start
	guest --access io:0x80:w=10007
	pinned=$(pins)
	"$BUILD/kvmbpf" top -b -d 0.2 -c "$WORK/kvm.conf" >"$WORK/top" 2>"$WORK/top.err" 3>&- &
	top=$!
	wait_for 10 grep -q 'kvmbpf top' "$WORK/top"
	[ -z "$(programs "$top")" ]
	[ -n "$(programs "$(pgrep -P "$PMCD_PID" pmdakvm)")" ]
	dump --json >"$WORK/json"
	grep -q "counts of the agent that runs, from $PINS" "$WORK/err"
	[ "$(of kvm.userspace_exit.count IO)" = 10007 ]
	guest --access io:0x80:w=5003
	dump --json >"$WORK/json"
	[ "$(of kvm.userspace_exit.count IO)" = 15010 ]
	[ "$(jq '[.metrics[] | select(.name == "kvm.trace.kvm_pio").values[].value] | add' "$WORK/json")" = 15010 ]
	[ "$(values kvm.trace.kvm_pio | awk '{ n += $NF } END { print n }')" = 15010 ]
	# no capability is needed to read, from Linux 5.19 on
	setpriv --bounding-set -all --inh-caps -all \
		"$BUILD/kvmbpf" dump --json -c "$WORK/kvm.conf" >"$WORK/json" 2>"$WORK/err" || cat "$WORK/err"
	[ "$(of kvm.userspace_exit.count IO)" = 15010 ]
	[ -s "$WORK/json" ]
	kill -9 "$top"
	wait "$top" || true
	[ "$(pins)" = "$pinned" ]
	wait_for 5 dumps_causes 15010
}

@test "names of VMs come from the agent's iterator, which --unpin removes when the agent was killed" {
	need jq
	need strace
	agent_start
	mkfifo "$WORK/hold"
	exec 8<>"$WORK/hold"
	"$BUILD/tests/guest" --access io:0x80:w=5003 --hold <&8 >"$WORK/done" 3>&- &
	vm=$!
	wait_for 20 grep -q ^done "$WORK/done"
	"$BUILD/kvmbpf" top -b -d 0.2 -c "$WORK/kvm.conf" >"$WORK/top" 2>"$WORK/top.err" 3>&- &
	top=$!
	wait_for 10 grep -qE "^guest-$vm +1 +" "$WORK/top"
	[ -z "$(programs "$top")" ]
	kill "$top"
	wait "$top"
	"$BUILD/kvmbpf" top -b -n 1 -d 0.2 -c "$WORK/kvm.conf" --vm "guest-$vm" | grep -q "kvmbpf top > guest-$vm  1 vCPU"
	# that takes no program of our own, so no capability, from Linux 5.19 on
	"$BUILD/kvmbpf" vms -c "$WORK/kvm.conf" --csv -o vm,vcpus | grep -qx "guest-$vm,1"
	strace -f -e trace=bpf -o "$WORK/calls" "$BUILD/kvmbpf" vms -c "$WORK/kvm.conf" >/dev/null || true
	if grep BPF_PROG_LOAD "$WORK/calls"; then
		false
	fi
	kill -9 "$(pgrep -P "$PMCD_PID" pmdakvm)"
	pmcd_stop
	[ -e "$PINS/vms_files_1" ]
	wait_for 10 unpinned
	[ ! -e "$PINS" ]
}

# While an agent ends, its lock is still held.
unpinned() {
	"$BUILD/pmdakvm" --unpin -c "$WORK/kvm.conf"
}

# Causes come with the agent's tick.
dumps_causes() {
	dump --json -m 'kvm.cause.*' >"$WORK/json" && [ "$(of kvm.cause.accesses io:0x80:w)" = "$1" ]
}

# open_of PID: how long the vCPU's open interval lasts, ms; 0: it has none, or the agent is gone
open_of() {
	dump --json >"$WORK/json" || true
	jq "[(.metrics[] | select(.name == \"kvm.vcpu.time.open\").values[] |
		select(.instance == \"guest-$1::vcpu0\").value / 1000000 | floor), 0] | max" "$WORK/json"
}

# is_idle PID: has nothing happened to it for long?
is_idle() {
	[ "$(open_of "$1")" -gt 300 ]
}

stopped() {
	local task
	for task in /proc/"$1"/task/*/stat; do
		sed -E 's/.*\) //' "$task" | grep -q '^T' || return 1
	done
}

# screens [OPTION...]: shares of time of the last of two screens, "guest-PID GST KVM VMM HLT RDY UNK"
screens() {
	"$BUILD/kvmbpf" top -b -n 2 -d 0.5 -c "$WORK/kvm.conf" "$@" >"$WORK/top" 2>"$WORK/top.err"
	awk '/^kvmbpf top/ { n++ } n == 2 && /^guest-/ { print $1, $4, $5, $6, $7, $8, $9 }' "$WORK/top" | tee "$WORK/shares"
}

# share PID: its line in $WORK/shares, without its name
share() {
	sed -n "s/^guest-$1 //p" "$WORK/shares"
}

# The event that would end the interval never comes. A HLT is not seen where kvm_exit does not fire.
@test "a VM that sleeps and a stopped VMM have all of their time there, until the agent is killed" {
	need jq
	agent_start
	"$BUILD/tests/guest" --pio 3 --irqchip --sleep >"$WORK/asleep" 3>&- &
	asleep=$!
	"$BUILD/tests/guest" --pio 1 --repeat >"$WORK/stopped" 3>&- &
	stopped=$!
	sees_both() { [ "$(open_of $asleep)" -gt 0 ] && dump | grep -q "^guest-$stopped "; }
	wait_for 20 sees_both
	kill -STOP $stopped
	wait_for 5 stopped $stopped
	wait_for 20 is_idle $asleep
	wait_for 20 is_idle $stopped
	screens
	case "$(share $asleep)" in
	"0 0 0 100 0 0" | "- - 0 0 0 100") ;;
	*) false ;;
	esac
	[[ "$(share $stopped)" =~ ^(0|-)\ (0|-)\ 100\ 0\ 0\ 0$ ]]
	"$BUILD/kvmbpf" top -b -n 1 -d 0.5 -c "$WORK/kvm.conf" --vm "guest-$stopped" >"$WORK/vm"
	grep -qE '^ +0 vmm +[0-9]+ ' "$WORK/vm"
	grep -q 'VMM 100.0 %' "$WORK/vm"

	# what ran when it was killed, nobody knows, and after a restart only what has happened since
	"$BUILD/kvmbpf" top -b -d 0.2 -c "$WORK/kvm.conf" >"$WORK/top" 2>"$WORK/top.err" 3>&- &
	top=$!
	wait_for 10 grep -q "^guest-$stopped .* 100 " "$WORK/top"
	kill -9 "$(pgrep -P "$PMCD_PID" pmdakvm)"
	ended() { tail -n 12 "$WORK/top" | grep -q 'the agent has ended'; }
	wait_for 20 ended
	unknown() { tail -n 6 "$WORK/top" | grep -qE "^guest-$stopped +1 +[0-9.k]+ +- +- +- +- +- +- "; }
	wait_for 10 unknown
	kill $top
	wait $top
	pmcd_stop
	agent_start
	[ "$(open_of $stopped)" = 0 ]
	[ "$(open_of $asleep)" = 0 ]
	kill -CONT $stopped
	runs() { [ "$(jq "[.metrics[] | select(.name == \"kvm.vm.time.total\").values[] |
		select(.instance == \"guest-$stopped\").value] | add > 1000000" "$WORK/json")" = true ] || {
		dump --json >"$WORK/json" && false; }; }
	wait_for 20 runs
	kill -9 $asleep $stopped
}

@test "without an agent two count by programs of their own, and take them away, even after kill -9" {
	need jq
	"$BUILD/kvmbpf" dump -v -c "$WORK/kvm.conf" >"$WORK/one" 2>"$WORK/one.err" 3>&- &
	one=$!
	"$BUILD/kvmbpf" dump -v -c "$WORK/kvm.conf" --json >"$WORK/json" 2>"$WORK/two.err" 3>&- &
	two=$!
	wait_for 20 grep -q 'userspace_exit: attached in' "$WORK/one.err"
	wait_for 20 grep -q 'userspace_exit: attached in' "$WORK/two.err"
	of_one=$(programs "$one") of_two=$(programs "$two")
	[ -n "$of_one" ]
	[ -n "$of_two" ]
	guest --access io:0x80:w=5003
	kill -9 "$one"
	wait "$one" || true
	guest --access io:0x80:w=10007
	kill -INT "$two"
	wait "$two"
	[ "$(of kvm.userspace_exit.count IO)" = 15010 ]
	# shellcheck disable=SC2086 # lists of words
	wait_for 20 gone $of_one $of_two
	[ ! -e "$PINS" ]
}

@test "maps of another version: said in a line, own programs count, and the agent's stay" {
	need jq
	agent_start
	pinned=$(pins)
	bpftool map update pinned "$PINS/userspace_exit_meta" key 0 0 0 0 \
		value 1 2 3 4 5 6 7 8 1 0 0 0 0 0 0 0
	"$BUILD/kvmbpf" dump -v -d 2 -c "$WORK/kvm.conf" --json >"$WORK/json" 2>"$WORK/err" 3>&- &
	wait_for 20 grep -q 'userspace_exit: attached in' "$WORK/err"
	grep -q "$PINS: the maps of userspace_exit are of another version: counting by programs of our own" "$WORK/err"
	guest --access io:0x80:w=5003
	wait $!
	[ "$(of kvm.userspace_exit.count IO)" = 5003 ]
	[ "$(values kvm.userspace_exit.count | awk '$1 == "IO" { print $2 }')" = 5003 ]
	[ "$(pins)" = "$pinned" ]
}

@test "stat appends lines with a time, and SIGHUP opens the file anew; doctor sees the agent" {
	# without an agent it counts by programs of its own, but not what a line does not show
	"$BUILD/kvmbpf" stat -c "$WORK/kvm.conf" 0.2 >"$WORK/lines" 2>"$WORK/err" 3>&- &
	stat=$!
	wait_for 20 test -s "$WORK/lines"
	loaded=$(for id in $(programs "$stat"); do bpftool prog show id "$id"; done)
	kill "$stat"
	wait "$stat"
	[[ $loaded == *"name userspace_exit"* && $loaded == *"name ledger"* ]]
	[[ $loaded != *"name cause"* && $loaded != *"name slow"* && $loaded != *"name kvm_pio"* ]]
	# and top's first screen has rates, since counting begins with it
	"$BUILD/tests/guest" --pio 1 --repeat >/dev/null 3>&- &
	guest=$!
	"$BUILD/kvmbpf" top -b -n 1 -d 1 -c "$WORK/kvm.conf" >"$WORK/out"
	kill "$guest"
	cat "$WORK/out"
	grep -qE "^guest-$guest +1 +[0-9.]+[kM]? .* io:0xe9:w" "$WORK/out"
	rm "$WORK/lines"
	agent_start
	"$BUILD/kvmbpf" stat -c "$WORK/kvm.conf" -o "$WORK/lines" 0.2 2>"$WORK/err" 3>&- &
	stat=$!
	wait_for 5 grep -qE '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[+-][0-9]{4} +[0-9]+ +[0-9]+ +[0-9.-]+' "$WORK/lines"
	mv "$WORK/lines" "$WORK/lines.1"
	kill -HUP "$stat"
	wait_for 5 test -s "$WORK/lines"
	head -n 1 "$WORK/lines" | grep -q '^TIME  *VMS VCPUS'
	kill -TERM "$stat"
	wait "$stat"
	[ ! -s "$WORK/err" ]
	"$BUILD/kvmbpf" doctor -c "$WORK/kvm.conf" >"$WORK/out" || true
	grep -q "pins  *an agent runs: its maps in $PINS are read" "$WORK/out"
	run "$BUILD/kvmbpf" stat -o "$WORK/none/log"
	[ "$status" = 1 ]
	[[ $output == *"$WORK/none/log: No such file"* ]]
}
