# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Helpers of the tests of KVM's statistics: guests that hold their VMs open, and the values of
# KVM_GET_STATS_FD in the form of our metrics.

# open_hold: open descriptor 9, the standard input of guests that hold: a FIFO that does not end
# before the test.
open_hold() {
	mkfifo "$WORK/hold"
	exec 9<>"$WORK/hold"
}

# hold NAME OPTION...: run a guest with argv[0] NAME, and return when it is done. It holds its VMs
# open until let_go. Sets GUEST to its PID, and STATS to the file of its statistics.
HELD=0
hold() {
	local name=$1
	shift
	HELD=$((HELD + 1))
	STATS=$WORK/stats.$BATS_TEST_NUMBER.$HELD
	(exec -a "$name" "$BUILD/tests/guest" --stats "$STATS" --hold "$@") <&9 >/dev/null 3>&- &
	GUEST=$!
	wait_for 20 test -s "$STATS"
}

# let_go PID...: end guests that hold.
let_go() {
	kill "$@"
	wait "$@" 2>/dev/null || true
}

# The stock agent's names: their host totals are kvm.NAME, those of others are kvm.stat.NAME.
STOCK=$(sed -nE 's/^METRIC\("kvm\.([a-z0-9_]+)", 0,.*/\1/p' "$TOP/src/metrics/metrics.def" | xargs)

# stat_values NAME-PID <STATS: convert the statistics to metrics of the host (if there are no other
# VMs), of VMs and of vCPUs; lines METRIC INSTANCE VALUE, separated by tabs.
stat_values() {
	awk -v first="$1" -v stock=" $STOCK " -v OFS='\t' '
	function add(metric, instance, value) {
		key = metric OFS instance
		if (kind[name] == "peak" && key in sum && sum[key] > value)
			value = sum[key]
		sum[key] = kind[name] == "peak" ? value : sum[key] + value
	}
	# a bucket of a VM or vCPU has an instance only if its count is above 0
	function add_bucket(metric, owner, value) {
		add(metric, owner "::" range, value)
		if (value)
			used[owner, range]
	}
	$1 == "desc" {
		kind[$3] = $4
		scale[$3] = $5 == "seconds" ? 10 ^ ($6 + 9) : $7 ^ $6
		buckets[$3] = $8
		next
	}
	{
		vm = first ($2 > 0 ? "." ($2 + 1) : "")
		vcpu = $1 == "vcpu" ? vm "::vcpu" $3 : ""
		name = range = $(NF - 1)
		sub(/\[.*/, "", name)
		sub(/.*\[/, "", range)
		value = $NF * scale[name]
	}
	kind[name] ~ /hist$/ {
		n = range + 0
		range = n < 2 ? n : 2 ^ (n - 1) (n == buckets[name] - 1 ? "+" : "-" (2 ^ n - 1))
		add("kvm.stat." name, range, $NF)
		add_bucket("kvm.vm.stat." name, vm, $NF)
		if (vcpu)
			add_bucket("kvm.vcpu.stat." name, vcpu, $NF)
		next
	}
	{
		add((index(stock, " " name " ") ? "kvm." : "kvm.stat.") name, "", value)
		add("kvm.vm.stat." name, vm, value)
		if (vcpu)
			add("kvm.vcpu.stat." name, vcpu, value)
	}
	END {
		for (key in sum) {
			split(key, part, OFS)
			name = owner = range = part[2]
			sub(/::[^:]*$/, "", owner)
			sub(/.*::/, "", range)
			name = part[1]
			sub(/.*\./, "", name)
			if (kind[name] !~ /hist$/ || part[1] ~ /^kvm\.stat/ || (owner, range) in used)
				printf "%s\t%s\t%.0f\n", part[1], part[2], sum[key]
		}
	}' | LC_ALL=C sort
}

# stat_kinds <STATS: lines METRIC SEMANTICS UNITS of these metrics
stat_kinds() {
	awk -v stock=" $STOCK " '
	$1 == "desc" {
		semantics = $4 == "instant" || $4 == "peak" ? "instant" : "counter"
		units = $5 == "bytes" ? "byte" : $5 == "seconds" && $4 !~ /hist$/ ? "ns" : "count"
		print (index(stock, " " $3 " ") ? "kvm." : "kvm.stat.") $3, semantics, units
		print "kvm.vm.stat." $3, semantics, units
		if ($2 == "vcpu")
			print "kvm.vcpu.stat." $3, semantics, units
	}' | LC_ALL=C sort
}

# Patterns: names of these metrics, and names that the first also matches but that are not.
STAT_NAMES='^kvm[.]((vm[.]|vcpu[.])?stat[.])?[a-z0-9_]+$'
NOT_STAT='^kvm[.](nvms|nvcpus|vm|vcpu)$'

# json_values FILE, json_kinds FILE: the same lines from the output of kvmbpf dump --json
json_stats() {
	jq -r --arg like "$STAT_NAMES" --arg but "$NOT_STAT" \
		".metrics[] | select(.name | test(\$like) and (test(\$but) | not)) | $2" "$1" | LC_ALL=C sort
}

json_values() {
	json_stats "$1" '.name as $name | .values[] | [$name, .instance, .value] | @tsv'
}

json_kinds() {
	json_stats "$1" '[.name, .semantics, .units] | join(" ")'
}

# pcp_values: the same lines from the private pmcd, in one fetch
pcp_values() {
	pminfo -b 9999 -h "$PMCD_HOST" -f kvm | awk -v OFS='\t' -v like="$STAT_NAMES" -v but="$NOT_STAT" '
		NF == 1 || /^kvm/ { metric = $1 ~ like && $1 !~ but ? $1 : "" }
		metric == "" { next }
		$1 == "value" { print metric, "", $2 }
		$1 == "inst" {
			instance = $0
			sub(/^[^"]*"/, "", instance)
			sub(/"\] value .*/, "", instance)
			print metric, instance, $NF
		}' | LC_ALL=C sort
}
