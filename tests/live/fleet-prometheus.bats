# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Debian's Prometheus scrapes hosts through pmproxy, as fleet/prometheus/prometheus.yml has it: two made
# hosts, whose agents have the numbers of a file.

load common
load prometheus
load servers

setup() {
	need_prometheus
	need pminfo
	[ -x /usr/lib/pcp/bin/pmproxy ] || skip "pmproxy is not installed: make deps installs it"
	new_work
	export LC_ALL=C.UTF-8
	cd "$WORK" || return 1
}

teardown() {
	[ -z "${BATS_TEST_COMPLETED:-}" ] && tail -n 20 "$WORK"/*.log "$WORK"/*/*log 2>/dev/null
	servers_stop
}

# host NAME <LINES: what its agent has from now on
host() {
	cat >"$WORK/$1.new"
	mv "$WORK/$1.new" "$WORK/$1.made"
}

web='"vm":"web1","uuid":"6f3c1c5e-0b0d-4a3e-9d0c-3b7f0a2c1d11"'

# web_lines PID EXITS: of the VM that moves, which is web1 and has one UUID
web_lines() {
	cat <<-END
		kvm.vm.vcpus|web1-$1|2|{$web,"pid":$1}
		kvm.vm.stat.exits|web1-$1|$2|{$web,"pid":$1}
		kvm.vm.exit.count|web1-$1::io|$2|{$web,"pid":$1,"reason":"io"}
		kvm.vm.cause.time|web1-$1::io:0x3f8:w|${2}000000|{$web,"pid":$1,"cause":"io:0x3f8:w"}
	END
}

healthy() {
	echo "kvm.nvms||$1|"
	echo 'kvm.agent.family.attached|exit|1|{"family":"exit"}'
}

# targets: both hosts, asked by one pmproxy
targets() {
	local name
	for name in a b; do
		printf '{"targets": ["127.0.0.1:%s"], "labels": {"instance": "%s", "__hostspec": "127.0.0.1:%s"}}\n' \
			"$PROXY" "$name" "$(cat "$WORK/$name.port")"
	done
}

fleet_start() {
	local name
	for name in a b; do
		made_pmcd "$name"
		echo "$PORT" >"$WORK/$name.port"
	done
	proxy
	targets | prometheus_config kvm-pcp
	prometheus_start
}

# scraped: both scrapes of both hosts have been since now, so that each has what the hosts have now
scraped() {
	wait_for 30 says "count(timestamp(up) > $EPOCHREALTIME)" '{} => 4'
}

id=6f3c1c5e-0b0d-4a3e-9d0c-3b7f0a2c1d11

@test "a VM that moves to another host is one line; a host that goes away is told, and comes back" {
	{ healthy 2; web_lines 4711 1000; echo 'kvm.vm.vcpus|db-4720|4|{"vm":"db","pid":4720}'; } | host a
	{ healthy 1; echo 'kvm.vm.vcpus|db-4720|1|{"vm":"db","pid":4720}'; } | host b
	fleet_start
	wait_for 20 says 'sum(kvm_host:vms)' '{} => 3'
	# each group of rules has its time
	wait_for 20 says 'count(kvm_vm:vcpus)' '{} => 3'
	# two VMs of one name, without a UUID, are two, even with one PID
	diff - <(ask 'sum by (id) (kvm_vm:vcpus)') <<-END
		{id="$id"} => 2
		{id="a/db/4720"} => 4
		{id="b/db/4720"} => 1
	END
	wait_for 20 says 'kvm_vm_exit_count{reason="io"}' "kvm_vm_exit_count{id=\"$id\", instance=\"a\", instname=\"web1-4711::io\", job=\"pcp-kvm-detail\", pid=\"4711\", reason=\"io\", uuid=\"$id\", vm=\"web1\"} => 1000"
	{ healthy 1; echo 'kvm.vm.vcpus|db-4720|4|{"vm":"db","pid":4720}'; } | host a
	{ healthy 2; web_lines 815 500; echo 'kvm.vm.vcpus|db-4720|1|{"vm":"db","pid":4720}'; } | host b
	wait_for 20 says "sum by (id, instance) (kvm_vm:vcpus{vm=\"web1\"})" "{id=\"$id\", instance=\"b\"} => 2"
	# both hosts' series are there over the move, and add up under one id
	wait_for 20 says "count(count_over_time(kvm_vm_exit_count{uuid=\"$id\"}[1m]))" "{} => 2"
	{ healthy 2; web_lines 815 900; echo 'kvm.vm.vcpus|db-4720|1|{"vm":"db","pid":4720}'; } | host b
	wait_for 20 says "count(sum by (id) (kvm_vm:exits:rate{id=\"$id\"}) > 0)" '{} => 1'
	# host a's pmcd ends
	kill "${SERVERS[0]}"
	wait "${SERVERS[0]}" || true
	wait_for 20 says 'up{instance="a", job="kvm-pcp"}' 'up{instance="a", job="kvm-pcp"} => 0'
	wait_for 20 says 'count(ALERTS{alertname="KvmHostDown"})' '{} => 1'
	[ -z "$(ask 'kvm_vm_vcpus{instance="a"}')" ]
	wait_for 20 says 'up{instance="b", job="kvm-pcp"}' 'up{instance="b", job="kvm-pcp"} => 1'
	pmcd_run "$WORK/a.pmcd" "$(cat "$WORK/a.port")"
	wait_for 30 says 'sum by (id) (kvm_vm:vcpus{instance="a"})' '{id="a/db/4720"} => 4'
	wait_for 20 says 'count(ALERTS{alertname="KvmHostDown"}) or vector(0)' '{} => 0'
}

# busy NAME PID FACTOR [CAUSE]: a VM that is in its VMM for port 0x505, and has time of exits by that cause, if any
busy() {
	local labels="\"vm\":\"$1\",\"pid\":$2"
	echo "kvm.vm.vcpus|$1-$2|1|{$labels}"
	echo "kvm.vm.time.vmm|$1-$2|$(($3 * 3000000))|{$labels}"
	echo "kvm.vm.cause.userspace_time|$1-$2::io:0x505:w|$(($3 * 2000000))|{$labels,\"cause\":\"io:0x505:w\"}"
	echo "kvm.vm.cause.userspace_time|$1-$2::io:0x70:w|${3}000|{$labels,\"cause\":\"io:0x70:w\"}"
	[ -z "${4:-}" ] || echo "kvm.vm.cause.time|$1-$2::$4|$(($3 * 1000000))|{$labels,\"cause\":\"$4\"}"
}

@test "the overview names the cause on a host where exits have no times, as with PVM, by the time in the VMM" {
	local column
	column=$(jq -re '.panels[].targets[] | select(.legendFormat == "Of this cause, vCPUs").expr' "$TOP/fleet/grafana/kvm-fleet.json")
	{ healthy 1; busy web1 4711 100 msr:0x6e0:w; } | host a
	{ healthy 1; busy hog 815 100; } | host b
	fleet_start
	scraped
	{ healthy 1; busy web1 4711 900 msr:0x6e0:w; } | host a
	{ healthy 1; busy hog 815 900; } | host b
	wait_for 20 says "sum by (id, vm, cause) (($column) > bool 0)" '{cause="io:0x505:w", id="b/hog/815", vm="hog"} => 1
{cause="msr:0x6e0:w", id="a/web1/4711", vm="web1"} => 1'
	# and on the host with times of exits it has these alone
	wait_for 20 says 'count by (instance) (kvm_vm_cause:time:rate)' '{instance="a"} => 1
{instance="b"} => 2'
}

@test "names with quotes, backslashes and letters of any alphabet hide no other VM" {
	{ healthy 3; web_lines 4711 7; echo 'kvm.vm.vcpus|we_b-12|3|{"vm":"we\"b\\1","pid":12}'
		echo 'kvm.vm.vcpus|büro-13|5|{"vm":"büro €","pid":13}'; } | host a
	made_pmcd a
	echo "$PORT" | tee "$WORK/a.port" >"$WORK/b.port"
	proxy
	targets | head -n 1 | prometheus_config kvm-pcp
	prometheus_start
	wait_for 20 says 'sum(kvm_host:vms)' '{} => 3'
	wait_for 20 says 'sum(kvm_vm:vcpus)' '{} => 10'
	# what pmproxy calls it, and the id that is made of that
	vm=$(ask 'kvm_vm_vcpus{pid="13"}' | sed 's/.* vm="//; s/".*//')
	says 'sum by (id, vm) (kvm_vm_vcpus{pid="13"}) * 0' "{id=\"a/$vm/13\", vm=\"$vm\"} => 0"
}

@test "a host that answers too late is not there, and the others are" {
	healthy 1 | host a
	healthy 4 | host b
	fleet_start
	wait_for 20 says 'sum(kvm_host:vms)' '{} => 5'
	# it answers nothing any more
	kill -STOP "${SERVERS[0]}"
	wait_for 20 says 'up{instance="a", job="kvm-pcp"}' 'up{instance="a", job="kvm-pcp"} => 0'
	page "$WEB/api/v1/targets" | jq -e '[.data.activeTargets[] | select(.labels.instance == "a" and .labels.job == "kvm-pcp").lastError | test("deadline exceeded|Timeout")] | all'
	kill -CONT "${SERVERS[0]}"
	wait_for 30 says 'up{instance="a", job="kvm-pcp"}' 'up{instance="a", job="kvm-pcp"} => 1'
	wait_for 20 says 'kvm_host:vms{instance="b"}' 'kvm_host:vms{instance="b"} => 4'
}
