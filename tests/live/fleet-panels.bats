# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Tests Grafana's dashboards, without Grafana, which is not in Debian: what is in the files, and what a
# Prometheus with known numbers (tests/data/fleet/series.py) answers each query.
#
# bats file_tags=idle

load common
load prometheus
load servers

setup() {
	new_work
	cd "$WORK" || return 1
}

teardown() {
	servers_stop
}

panels() {
	/usr/bin/python3 "$TOP/tests/panels.py" "$@"
}

# rules_of LEVEL: those of what is scraped; of these; of those in turn
rules_of() {
	/usr/bin/python3 - "$1" "$TOP/fleet/prometheus/kvm-records.yml" <<-'END'
		import re, sys
		head, *rules = re.split(r"(?m)^(?=  - record: )", open(sys.argv[2]).read())
		def level(rule):
		    name = rule.split()[2]
		    return 2 if name == "kvm_vm_state:time:rate" else 3 if "kvm_vm_state:time" in rule else 1
		print(head + "".join(rule for rule in rules if level(rule) == int(sys.argv[1])))
	END
}

@test "the dashboards are what fleet/panels makes, and use only keys that Grafana knows" {
	mkdir made
	/usr/bin/python3 "$TOP/tools/dashboards.py" made
	diff -r made "$TOP/fleet/grafana"
	# a misspelt key is just ignored by Grafana: each that is new is to be looked up and added there
	panels --keys | diff "$TOP/tests/data/fleet/panel-keys" -
}

@test "each query of the dashboards names recorded series, and has the answer that known numbers give" {
	need_prometheus
	/usr/bin/python3 "$TOP/tests/data/fleet/series.py" >series
	"$TOOLS/promtool" tsdb create-blocks-from openmetrics series tsdb >made 2>&1
	echo '{}' >prometheus.yml
	start=1767225600
	end=$((start + 900))
	# nothing says here that a series ended, as scrapes do: none is looked back for beyond the next
	options=(--storage.tsdb.retention.time=100y --query.lookback-delta=45s)
	# series that are made of recorded ones need a pass each
	for level in 1 2 3; do
		prometheus_start "${options[@]}"
		rules_of $level >rules.yml
		"$TOOLS/promtool" tsdb create-blocks-from rules --start $start --end $end --eval-interval 30s --url "$WEB" \
			--output-dir tsdb rules.yml >>made 2>&1
		server_stop
	done
	prometheus_start "${options[@]}"
	panels "$WEB" $end id=6f3c1c5e-0b0d-4a3e-9d0c-3b7f0a2c1d11 instance=kv2 | diff "$TOP/tests/data/fleet/panels.expected" -
	# the VM that moved is one line all the time
	[ "$(ask 'max_over_time(count(sum by (id) (kvm_vm:overhead:rate{vm="web1"}))[10m:30s] @ '$end')')" = '{} => 1' ]
}
