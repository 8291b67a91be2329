# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Tests instance numbers over restarts: a number stands for one name, and a name has one number, in
# archives, for running clients, and whatever happens to the file that remembers them.

load common
load stat
load numbers

setup() {
	need_kvm
	new_work
	open_hold
	pmcd_env "$WORK"
	conf '[trace]' kvm_pio
	pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
	pmcd_start "$WORK"
}

teardown() {
	jobs -p | xargs -r kill -9 2>/dev/null || true
	pmcd_stop
	mountpoint -q "$WORK/var/pmdakvm" && umount -l "$WORK/var/pmdakvm"
	return 0
}

# numbers [METRIC...]: lines "DOMAIN NUMBER NAME" of the instances that there are now
numbers() {
	pminfo -h "$PMCD_HOST" -df "${@:-kvm}" | awk '
		/^ +Data Type/ { domain = $0; sub(/.*InDom: /, "", domain); sub(/ .*/, "", domain) }
		match($0, /inst \[[0-9]+ or ".*"\]/) {
			line = substr($0, RSTART, RLENGTH)
			number = line
			sub(/inst \[/, "", number)
			sub(/ or .*/, "", number)
			sub(/^[^"]*"/, "", line)
			sub(/"\]$/, "", line)
			print domain, number, line
		}' | sort -u
}

# idle COUNT [OPTION...]: idle VMs of one process; sets IDLE to its PID
idle() {
	"$BUILD/tests/idle_vms" --count "$@" <&9 >"$WORK/ready" 3>&- &
	IDLE=$!
	wait_for 60 grep -qs ready "$WORK/ready"
}

# kill_agent GONE: end this guest and kill the agent by kill -9; pmcd starts another
kill_agent() {
	local old
	old=$(agent)
	let_go "$1"
	kill -9 "$old"
	wait_for 70 another "$old"
}

# record ARCHIVE: log until stop_logger
record() {
	printf 'log mandatory on 100 msec { %s }\n' \
		"kvm.vm.pid kvm.vm.vcpus kvm.vcpu.stat.exits kvm.vm.userspace_exit.count" >"$WORK/logger.conf"
	pmlogger -h "$PMCD_HOST" -c "$WORK/logger.conf" -l "$WORK/$1.log" "$WORK/$1" 3>&- &
	LOGGER=$!
	wait_for 10 test -s "$WORK/$1.0"
}

stop_logger() {
	kill -INT "$LOGGER"
	wait "$LOGGER" || true
}

# expect_vm ARCHIVE NAME-PID VCPUS: each reader has the VM's own values under its name, and no others
expect_vm() {
	local archive=$1 name=$2 vcpus=$3 pid=${2##*-}
	pmval -a "$WORK/$archive" -t 0.1 -w 20 -i "$name" kvm.vm.pid >"$WORK/pmval"
	awk -v pid="$pid" '$1 ~ /^[0-9][0-9]:/ && $2 ~ /^[0-9]+$/ { n[$2 == pid]++ }
		END { if (!n[1] || n[0]) { print n[1] " right, " n[0] " wrong"; exit 1 } }' "$WORK/pmval"
	pmlogsummary -HlNM "$WORK/$archive" kvm.vm.vcpus >"$WORK/summary"
	[ "$(awk -v name="[\"$name\"]" 'index($0, name) { print $4 + 0 }' "$WORK/summary")" = "$vcpus" ] ||
		{ cat "$WORK/summary" && return 1; }
	pmrep -a "$WORK/$archive" -z -t 0.1 -o csv kvm.vm.pid >"$WORK/pmrep"
	awk -F, -v name="kvm.vm.pid-$name" -v pid="$pid" '
		NR == 1 { for (i = 2; i <= NF; i++) if ($i == "\"" name "\"") column = i; next }
		$column != "" { n[$column == pid]++ }
		END { if (!column || !n[1] || n[0]) exit 1 }' "$WORK/pmrep" || { head "$WORK/pmrep" && return 1; }
}

@test "an archive that spans a kill -9 with the first VM gone has each VM's values under its own name" {
	hold guest --vcpus 2 --pio 101
	alpha=$GUEST
	hold guest --vcpus 3 --pio 307
	beta=$GUEST
	hold guest --pio 503
	gamma=$GUEST
	[ "$(values kvm.nvms)" = 3 ]
	pmval -h "$PMCD_HOST" -f 0 -t 0.1sec -w 20 -i "guest-$beta" kvm.vm.pid >"$WORK/watch" 2>&1 3>&- &
	watch=$!
	record one
	sleep 1
	kill_agent "$alpha"
	hold guest --vcpus 4 --pio 701
	delta=$GUEST
	sleep 1
	stop_logger
	kill "$watch"
	wait "$watch" || true
	record two
	sleep 1
	stop_logger
	pmlogextract "$WORK/one" "$WORK/two" "$WORK/both"
	for archive in one both; do
		archive_numbers $archive >"$WORK/numbers"
		cat "$WORK/numbers"
		expect_one_to_one "$WORK/numbers"
		expect_vm $archive "guest-$alpha" 2
		expect_vm $archive "guest-$beta" 3
		expect_vm $archive "guest-$gamma" 1
		expect_vm $archive "guest-$delta" 4
	done
	# the client that ran all the time: values to the end, all of them beta's
	tail -n 3 "$WORK/watch" | awk -v pid="$beta" '{ exit $NF != pid }'
	awk -v pid="$beta" '$1 ~ /^[0-9]+$/ && $1 != pid { exit 1 }' "$WORK/watch"
}

@test "300 VMs over two restarts: no number with two names, no name with two numbers" {
	idle 100
	first=$IDLE
	idle 100
	second=$IDLE
	idle 100
	[ "$(values kvm.nvms)" = 300 ]
	numbers >"$WORK/seen"
	pmcd_stop
	let_go "$first"
	pmcd_start "$WORK"
	[ "$(values kvm.nvms)" = 200 ]
	numbers >>"$WORK/seen"
	pmcd_stop
	let_go "$second"
	idle 100
	pmcd_start "$WORK"
	[ "$(values kvm.nvms)" = 200 ]
	numbers >>"$WORK/seen"
	[ "$(grep -c vcpu "$WORK/seen")" -ge 700 ]
	expect_one_to_one "$WORK/seen"
}

@test "the second VM of a process is still the second one when the first is gone over a restart" {
	idle 2 --close-first
	numbers kvm.vm.pid >"$WORK/seen"
	[ "$(wc -l <"$WORK/seen")" = 2 ]
	pmcd_stop
	echo >&9
	wait_for 10 grep -q closed "$WORK/ready"
	pmcd_start "$WORK"
	numbers kvm.vm.pid >"$WORK/now"
	grep " idle_vms-$IDLE.2\$" "$WORK/seen" | diff - "$WORK/now"
}

# expect_same: the numbers of now are those of before, after a restart
expect_same() {
	pmcd_start "$WORK"
	wait_for 10 there
	numbers kvm.vm.pid kvm.vcpu.stat | diff "$WORK/before" -
	pmcd_stop
}

there() {
	[ "$(values kvm.nvms)" = 2 ]
}

warnings() {
	grep -E 'Warning|Error|Critical' "$WORK/kvm.log" || true
}

@test "numbers stay when the file of names is lost, torn, foreign, of another size, read-only, or the disk is full" {
	file=$WORK/var/pmdakvm/instances
	hold guest --vcpus 2
	hold guest --vcpus 3
	there
	numbers kvm.vm.pid kvm.vcpu.stat >"$WORK/before"
	pmcd_stop
	[ -s "$file" ]

	rm "$file"
	expect_same
	[ -s "$file" ]
	[ -z "$(warnings)" ]

	size=$(stat -c %s "$file")
	truncate -s $((size / 2 + 5)) "$file"
	expect_same

	conf '[trace]' kvm_pio '[instances]' names=5000
	expect_same
	[ "$(warnings)" = "" ]
	conf '[trace]' kvm_pio

	printf 'not ours\n' >"$file"
	expect_same
	[[ $(warnings) == *"$file"* ]]
	[ "$(cat "$file")" = "not ours" ]

	rm "$file"
	mkdir "$file"
	expect_same
	[[ $(warnings) == *"$file"* ]]
	rmdir "$file"

	mount -t tmpfs -o size=8k none "$WORK/var/pmdakvm"
	head -c 8192 /dev/zero >"$WORK/var/pmdakvm/full"
	expect_same
	[[ $(warnings) == *"$file"* ]]
	rm "$WORK/var/pmdakvm/full"
	mount -o remount,ro "$WORK/var/pmdakvm"
	expect_same
	[[ $(warnings) == *"$file"* ]]
}

@test "a DSO beside the daemon reads the names that it remembers, and does not write" {
	file=$WORK/var/pmdakvm/instances
	hold guest --vcpus 2
	hold guest
	there
	numbers kvm.vm.pid kvm.vcpu.stat.exits >"$WORK/daemon"
	kill -STOP "$(agent)" # its own writes are not meant
	sum=$(sha256sum "$file")
	pminfo -L -K "add,95,$BUILD/pmda_kvm.so,kvm_init" -n "$WORK/root" -df kvm.vm.pid kvm.vcpu.stat.exits >"$WORK/dso"
	[ "$(sha256sum "$file")" = "$sum" ]
	[ "$(grep -c inst "$WORK/dso")" = 5 ]
	while read -r _ number name; do
		grep -qF "inst [$number or \"$name\"]" "$WORK/dso"
	done <"$WORK/daemon"
	# a VM that only the DSO has seen
	hold guest
	pminfo -L -K "add,95,$BUILD/pmda_kvm.so,kvm_init" -n "$WORK/root" -df kvm.vm.pid >"$WORK/dso"
	[ "$(sha256sum "$file")" = "$sum" ]
	kill -CONT "$(agent)"
	values kvm.nvms
	{
		numbers kvm.vm.pid
		sed -nE 's/.*inst \[([0-9]+) or "(.*)"\] value .*/95.3 \1 \2/p' "$WORK/dso"
	} | sort -u >"$WORK/all"
	[ "$(wc -l <"$WORK/all")" = 3 ]
	expect_one_to_one "$WORK/all"
}

# A client that has fetched asks for names next: pmlogger of PCP 6.0.3 ends if it gets none.
@test "an agent that is terminated still answers who has just asked, then ends" {
	pid=$(pgrep -P "$PMCD_PID" -x pmdakvm)
	run "$BUILD/tests/fetch_indom" "$PMCD_HOST" kvm.agent.family.attached "$pid"
	echo "$output"
	[ "$output" = "$(find "$TOP/src/families" -mindepth 1 -type d | wc -l) instances" ]
	# or a zombie, until pmcd sees that it has ended
	gone() { ! grep -qs '^State:[[:space:]]*[RSD]' "/proc/$pid/status"; }
	wait_for 10 gone
}
