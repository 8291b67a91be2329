# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Tests many VMs at a time, and many VMs one after another.

load common
load stat

setup() {
	need_kvm
	[ -z "${SAN:-}" ] || skip "a sanitizer adds to the agent's memory: run without SAN=1"
	new_work
	open_hold
	pmcd_env "$WORK"
	conf '[trace]' kvm_pio
	pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
	pmcd_start "$WORK"
	AGENT=$(pgrep -P "$PMCD_PID" -x pmdakvm)
}

teardown() {
	jobs -p | xargs -r kill -9 2>/dev/null || true
	pmcd_stop
}

memory() { # in KiB
	awk '$1 == "VmRSS:" { print $2 }' "/proc/$AGENT/status"
}

@test "1,000 VMs: one fetch shows all values, and the agent stays below 64 MiB" {
	"$BUILD/tests/idle_vms" --count 1000 <&9 >"$WORK/ready" 3>&- &
	vms=$!
	wait_for 60 grep -qs ready "$WORK/ready"
	[ "$(values kvm.nvms) $(values kvm.nvcpus)" = "1000 1000" ]
	start=$EPOCHREALTIME
	pminfo -b 9999 -h "$PMCD_HOST" -f kvm.vm.stat kvm.vcpu.stat >"$WORK/all"
	echo "# $(grep -c '] value' "$WORK/all") values of 1,000 VMs: $((${EPOCHREALTIME/./} - ${start/./})) us, agent $(memory) KiB" >&3
	pminfo -h "$PMCD_HOST" kvm.vm.stat kvm.vcpu.stat | grep -v hist >"$WORK/metrics"
	[ "$(wc -l <"$WORK/metrics")" -gt 40 ]
	# the histograms of idle VMs are empty
	awk '/^kvm/ { metric = $1 } /] value/ { n[metric]++ } END { for (m in n) print m, n[m] }' "$WORK/all" | sort >"$WORK/counts"
	diff <(sed 's/$/ 1000/' "$WORK/metrics" | sort) "$WORK/counts"
	grep -qF "\"idle_vms-$vms.1000::vcpu0\"] value" "$WORK/all"
	[ "$(memory)" -lt 65536 ]
	let_go "$vms"
	[ "$(values kvm.nvms) $(values kvm.nvcpus)" = "0 0" ]
	[ -z "$(values kvm.vcpu.stat.exits)" ]
}

# one_by_one N [OPTION...]: N VMs one after another, with continuous fetches meanwhile
one_by_one() {
	"$BUILD/tests/idle_vms" --one-by-one --count "$@" >"$WORK/done" 3>&- &
	local vms=$!
	while kill -0 "$vms" 2>/dev/null; do
		pminfo -h "$PMCD_HOST" -f kvm.vm kvm.vcpu kvm.nvms >>"$WORK/fetched" 2>&1
	done
	wait "$vms"
}

@test "10,000 VMs one by one, with fetches: no errors, no instances left, no memory leaked" {
	pmval -h "$PMCD_HOST" -t 0.001sec -f 0 kvm.nvcpus >"$WORK/watch" 2>&1 3>&- &
	watch=$!
	one_by_one 100 --dwell 2
	# memory grows to what passes, fetches and the names of ended VMs need at a time, of which 16,384 are
	# kept, and then stops: in one of these rounds by at most two pages; a leak grows it by more in each
	late=$(memory)
	for round in {1..20}; do
		early=$late
		one_by_one 10000
		late=$(memory)
		[ "$late" -gt $((early + 8)) ] || break
	done
	kill "$watch"
	wait "$watch" || true
	"$BUILD/tests/idle_vms" --count 1 <&9 >"$WORK/ready" 3>&- &
	vms=$!
	wait_for 10 grep -qs ready "$WORK/ready"
	# by their numbers: names of VMs that have ended meanwhile are not shown
	seen=$(grep -ohE 'inst \[[0-9]+' "$WORK/fetched" | sort -u | wc -l)
	echo "# $seen VMs and vCPUs were seen; agent $early KiB, then $late KiB, in round $round" >&3
	[ "$seen" -gt 10 ] # most VMs live shorter than a fetch takes
	# lines that are a name alone can have such a word in it
	run grep -hiE 'error|timeout|lost' <(grep -vE '^kvm[.][a-z0-9_.]+$' "$WORK/fetched") "$WORK/watch"
	[ -z "$output" ]
	let_go "$vms"
	[ "$(values kvm.nvms) $(values kvm.nvcpus)" = "0 0" ]
	[ -z "$(said)" ]
	[ "$(pgrep -P "$PMCD_PID" -x pmdakvm)" = "$AGENT" ]
	[ "$late" -le $((early + 8)) ]
}
