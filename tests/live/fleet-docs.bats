# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Someone follows docs/fleet.md: its commands are run as they are, in their order, on four machines that systemd
# runs and a network joins: kv1 and kv2 have PCP, kv3 has not, monitor asks them. What their VMs did is what
# Prometheus and pmseries answer.

load common
load fleet

setup() {
	need_kvm
	need qemu-system-x86_64
	[ "$(uname -m)" = x86_64 ] || skip "not x86: the VMs' programs are x86's"
	[ -x /etc/init.d/pmproxy ] || skip "pcp is not installed: make deps installs it"
	# shellcheck source=/dev/null
	KEYS=$(. /etc/os-release && [ "${VERSION_ID:-0}" -ge 13 ] && echo valkey || echo redis)
	need_machines prometheus prometheus-node-exporter $KEYS-server
	new_work
}

teardown() {
	[ -n "${BATS_TEST_COMPLETED:-}" ] || [ -z "${WORK:-}" ] || tail -n 15 "$WORK"/*.said
	machines_stop
}

id=6f3c1c5e-0b0d-4a3e-9d0c-3b7f0a2c1d11

# commands FILE HEADING: the lines of that section that are to be typed, with valkey where Debian has it
commands() {
	awk -v heading="## $2" '/^## / { inside = $0 == heading } inside' "$TOP/$1" | sed -n "s/redis-server/$KEYS-server/g; s/^    //p"
}

# follow NAME FILE HEADING...: on that machine, in the background
follow() {
	local name=$1 file=$2 heading
	for heading in "${@:3}"; do
		commands "$file" "$heading"
	done >>"$WORK/$name.commands"
	on "$name" bash "$TOP/tests/live/install/follow.sh" "$WORK/$name.commands" >"$WORK/$name.said" 2>&1 &
}

# says QUERY TEXT: is this what Prometheus answers: its lines, sorted, without times
says() {
	ask "$1" >"$WORK/last.said"
	[ "$(cat "$WORK/last.said")" = "$2" ]
}

ask() {
	on monitor promtool query instant http://localhost:9090 "$1" | sed 's/ @\[.*//' | sort
}

# overview COLUMN: the fleet dashboard's query of its first table
overview() {
	jq -re --arg column "$1" '.panels[] | select(.title == "VMs that cost most, and why").targets[] |
		select(.legendFormat == $column).expr' "$TOP/fleet/grafana/kvm-fleet.json"
}

# series HOST TEXT: does the key server have such a value of what that host's VMs did
series() {
	on monitor pmseries "kvm.vm.userspace_exit.count{hostname==\"$1\"}[count:99]" | grep -q "\] $2 "
}

accesses='sum by (instance, vm) ({__name__=~"kvm_vm_userspace_exit_count(_total)?", reason="IO", vm!="hog"})'

# one_line: in no column of the fleet's overview that has an answer here was any VM ever two lines
one_line() {
	local column answer
	for column in "Cost, vCPUs" "Exits/s" "Ready" "Of this cause, vCPUs" "In the VMM for, vCPUs"; do
		answer=$(ask "max(max_over_time((count by (id) ($(overview "$column")))[5m:1s]))")
		echo "$column: $answer"
		[ "$answer" = '{} => 1' ] || [ "$column|$answer" = "Of this cause, vCPUs|" ] || return 1
	done
}

# machines_follow: four machines, as the page wants them; sets FOLLOWER, that of monitor, which waits for VMs
machines_follow() {
	local name followers=()
	for name in monitor kv1 kv2 kv3; do
		machine_start $name
	done
	machines_know_each_other monitor kv1 kv2 kv3
	on monitor make --no-print-directory -C "$TOP" O="$BUILD" install >"$WORK/monitor.make"
	follow monitor docs/fleet.md "The host of Prometheus" "PCP's own series" "What is kept, and how long"
	FOLLOWER=$!
	for name in kv1 kv2; do
		on $name systemctl start pmcd
		commands README.md Install >"$WORK/$name.commands"
		follow $name docs/fleet.md "A host with PCP"
		followers+=($!)
	done
	follow kv3 docs/fleet.md "A host without PCP"
	wait $!
	for follower in "${followers[@]}"; do
		wait "$follower"
	done
}

# archive AGE: a day's archive of kv1 that is so many days old
archive() {
	# shellcheck disable=SC2016 # the machine's shell's
	on monitor bash -ec 'cd /var/log/pcp/pmlogger/kv1
		day=$(date -d "$0 days ago" +%Y%m%d)
		for part in 0 index meta; do
			cp -a "$(ls -t *.$part | head -n 1)" "$day.$part"
			touch -d "$0 days ago" "$day.$part"
		done' "$1"
}

archives() {
	# shellcheck disable=SC2016 # the machine's shell's
	on monitor bash -c 'cd /var/log/pcp/pmlogger/kv1 && ls "$(date -d "$0 days ago" +%Y%m%d)".*' "$1" | wc -l
}

@test "someone who follows docs/fleet.md sees which VM on which host costs most, and why; VMs move, hosts go and come" {
	machines_follow
	web1=$(vm web1 kv1 10007 $id)
	vm db kv1 503
	vm mail kv2 1009
	vm hog kv2 endless
	vm web3 kv3 70001 "" 'b\ü "3"'
	wait $FOLLOWER
	[ "$(cat "$WORK"/*.commands | wc -l)" -gt 30 ]

	# what they did
	before='{instance="kv1", vm="db"} => 503
{instance="kv1", vm="web1"} => 10007
{instance="kv2", vm="mail"} => 1009
{instance="kv3", vm="b\\ü \"3\""} => 70001'
	wait_for 20 says "$accesses" "$before"
	says 'sum by (instance) (kvm_host:vms)' '{instance="kv1"} => 2
{instance="kv2"} => 2
{instance="kv3"} => 1'
	wait_for 20 series kv1 10007
	series kv1 503
	wait_for 20 series kv2 1009
	[ "$(series kv1 1009 || echo no)" = no ]
	[ "$(series kv2 10007 || echo no)" = no ]
	# which costs most, and why
	wait_for 20 overview_has 'Cost, vCPUs' 'instance="kv2", vm="hog"'
	wait_for 20 overview_has 'In the VMM for, vCPUs' 'reason="IO", vm="hog"'
	# causes have a time where kvm_exit fires
	[ "$(ask 'count(kvm_vm_cause_time)')" = "" ] || wait_for 20 overview_has 'Of this cause, vCPUs' 'cause="io:0x505:w", id="kv2/hog/'
	wait_for 20 one_host kv1

	# web1 moves
	on kv1 systemctl stop web1
	moved=$(vm web1 kv2 2003 $id)
	# with another PID
	[ "$moved" != "$web1" ] || { on kv2 systemctl stop web1 && moved=$(vm web1 kv2 2003 $id); }
	wait_for 20 one_host kv2
	one_line
	after='{instance="kv1", vm="db"} => 503
{instance="kv2", vm="mail"} => 1009
{instance="kv2", vm="web1"} => 2003
{instance="kv3", vm="b\\ü \"3\""} => 70001'
	wait_for 20 says "$accesses" "$after"
	says "sum by (instance, pid) (max_over_time(kvm_vm_userspace_exit_count{reason=\"IO\", uuid=\"$id\"}[5m]))" \
		"{instance=\"kv1\", pid=\"$web1\"} => 10007
{instance=\"kv2\", pid=\"$moved\"} => 2003"
	wait_for 20 series kv2 2003
	[ "$(series kv1 2003 || echo no)" = no ]
	series kv1 10007

	# kv2 is away
	net monitor ip link set to-kv2 down
	wait_for 20 says 'up{instance="kv2", job="kvm-pcp"}' 'up{instance="kv2", job="kvm-pcp"} => 0'
	wait_for 20 says 'count by (instance) (ALERTS{alertname="KvmHostDown"})' '{instance="kv2"} => 1'
	says "$accesses" '{instance="kv1", vm="db"} => 503
{instance="kv3", vm="b\\ü \"3\""} => 70001'
	# and works meanwhile
	vm late kv2 601
	net monitor ip link set to-kv2 up
	wait_for 20 says "$accesses" "${after/'{instance="kv2", vm="mail"'/'{instance="kv2", vm="late"} => 601
{instance="kv2", vm="mail"'}"
	wait_for 20 says 'count(ALERTS{alertname="KvmHostDown"}) or vector(0)' '{} => 0'
	on monitor systemctl start --wait pmlogger_check
	wait_for 30 series kv2 601
	one_line

	# archives are as old as the page wants them
	for age in 89 91; do
		archive $age
	done
	on monitor systemctl start --wait pmlogger_daily
	[ "$(archives 89)|$(archives 91)" = "3|0" ]

	# kv2's, as what --load has loaded of kv1 is a series that ends
	wait_for 20 longer_than_a_day

	# kv3's service is systemd's
	on kv3 systemctl kill -s KILL kvmbpf-textfile
	wait_for 20 restarted
	on kv3 systemctl stop kvmbpf-textfile
	[ "$(on kv3 ls /var/lib/prometheus/node-exporter | grep -c kvm || true)" = 0 ]
	on kv3 systemd-analyze verify --man=no /usr/local/lib/systemd/system/kvmbpf-textfile.service
	on kv3 systemd-analyze security --no-pager kvmbpf-textfile --threshold=50
}

# overview_has COLUMN TEXT: in the line whose value is the largest
overview_has() {
	ask "$(overview "$1")" | sort -t'>' -k2 -g | tail -n 1 | grep -qF "$2"
}

# one_host HOST: web1 is one line of the overview, and there
one_host() {
	[ "$(ask "$(overview 'Cost, vCPUs')" | grep -F "$id" | sed 's/ =>.*//')" = "{id=\"$id\", instance=\"$1\", vm=\"web1\"}" ]
}

# longer_than_a_day: do the values of kv2 in the key server have that to live
longer_than_a_day() {
	[ "$(on monitor "$KEYS-cli" ttl "pcp:values:series:$(on monitor pmseries 'kvm.nvms{hostname=="kv2"}')")" -gt 86400 ]
}

restarted() {
	[ "$(on kv3 systemctl show -P NRestarts kvmbpf-textfile)" = 1 ] && on kv3 test -s /var/lib/prometheus/node-exporter/kvm.prom
}

@test "the page names every file of fleet/ that is installed, and the dashboard to begin with" {
	for file in "$TOP"/fleet/prometheus/*; do
		grep -qF "prometheus/${file##*/}" "$TOP/docs/fleet.md"
	done
	grep -qF "\"$(sed -n 's/^dashboard kvm-fleet //p' "$TOP/fleet/panels")\"" "$TOP/docs/fleet.md"
	for name in $(grep -oE '\bKvm[A-Z][A-Za-z]+' "$TOP/docs/fleet.md"); do
		grep -q "alert: $name$" "$TOP/fleet/prometheus/kvm-alerts.yml"
	done
}
